/** The emulator speaks the Machines API: shapes, refusals, filters, wait, holds, metadata, faults, and a file that lasts. */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { settle, TestClock } from '../../../system/test-clock.ts'
import { createFakeRunner, type FakeRunner } from './fake-runner.ts'
import { createFlyEmulator, type FlyEmulator, type FlyEmulatorOptions } from './fly-emulator.ts'
import { createWatch } from './testing.ts'

type Answer = { readonly status: number; readonly json: never; readonly headers: Headers }

let clock: TestClock
let runner: FakeRunner
let emulator: FlyEmulator
let watch: ReturnType<typeof createWatch>

const open = (options: Partial<FlyEmulatorOptions> = {}): FlyEmulator =>
  createFlyEmulator({
    clock,
    entropy: seededEntropy(9),
    runner,
    observe: (exchange) => watch.observe(exchange),
    ...options,
  })

/** One request; the body of the answer is read as whatever the test expects of it. */
async function call(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await emulator.request(
    new Request(`http://emulator/v1${path}`, {
      method,
      headers: { authorization: 'Bearer t', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }),
  )
  const text = await response.text()
  return {
    status: response.status,
    json: (text === '' ? undefined : JSON.parse(text)) as never,
    headers: response.headers,
  }
}
type Shown = { id: string; state: string; instance_id: string; events: { type: string; timestamp: number }[] }
const create = async (change: object = {}, config: object = {}): Promise<Shown> =>
  (await call('POST', '/apps/a1/machines', { name: 'm', config: { image: 'x/y:1', ...config }, ...change })).json
const shown = async (id: string): Promise<Shown> => (await call('GET', `/apps/a1/machines/${id}`)).json

beforeEach(async () => {
  clock = new TestClock()
  watch = createWatch()
  runner = createFakeRunner()
  emulator = open()
  await call('POST', '/apps', { app_name: 'a1', org_slug: 'personal' })
})
afterEach(async () => {
  await emulator.close()
  expect(clock.pendingTimers).toBe(0)
  expect(watch.unexplained).toEqual([])
})

describe('apps and tokens', () => {
  it('EA1 no token is 401; every answer has a request id and is in the journal', async () => {
    const answer = await call('GET', '/apps/a1', undefined, { authorization: '' })
    expect(answer.status).toBe(401)
    expect(answer.headers.get('fly-request-id')).toMatch(/-emulator$/)
    expect(emulator.journal.at(-1)).toMatchObject({ method: 'GET', path: '/v1/apps/a1', action: 'getApp', status: 401 })
    const strict = open({ tokens: ['good'] })
    const ask = (authorization: string): Promise<Response> =>
      strict.request(new Request('http://emulator/v1/tokens/current', { headers: { authorization } }))
    expect((await ask('FlyV1 good')).status).toBe(200)
    expect((await ask('Bearer bad')).status).toBe(401)
    await strict.close()
  })

  it('EA2 apps: both name fields, 201, name_taken, 400 without an organization, 404, cascade', async () => {
    const made = await call('POST', '/apps', { name: 'a2', org_slug: 'personal', network: 'n2' })
    expect(made.status).toBe(201)
    expect(made.headers.get('set-cookie')).toContain('fly_flaps_affinity=')
    expect((await call('GET', '/apps/a2')).json).toMatchObject({ network: 'n2', organization: { slug: 'personal' } })
    expect(await call('POST', '/apps', { name: 'a2', org_slug: 'other' })).toMatchObject({
      status: 422,
      json: { status: 'name_taken' },
    })
    expect((await call('POST', '/apps', { name: 'a3' })).status).toBe(400)
    expect((await call('GET', '/apps/nope')).status).toBe(404)
    const { id } = await create()
    expect((await call('DELETE', '/apps/a1')).status).toBe(202)
    expect((await call('GET', `/apps/a1/machines/${id}`)).status).toBe(404)
    expect(emulator.machines()).toEqual([])
  })

  it('EA3 the organization’s feed is paged, sorted and filtered', async () => {
    for (const name of ['m1', 'm2', 'm3']) {
      await create({ name })
      await clock.advance(10)
    }
    type Feed = { machines: { name: string; app_name: string }[]; next_cursor: string; error_regions: string[] }
    const first: Feed = (await call('GET', '/orgs/personal/machines?limit=2')).json
    expect(first.machines.map((row) => row.name)).toEqual(['m1', 'm2'])
    expect(first).toMatchObject({ error_regions: [], machines: [{ app_name: 'a1' }, {}] })
    const rest: Feed = (await call('GET', `/orgs/personal/machines?cursor=${encodeURIComponent(first.next_cursor)}`))
      .json
    expect(rest.machines.map((row) => row.name)).toEqual(['m3'])
    expect(rest.next_cursor).toBe('')
    expect(((await call('GET', '/orgs/other/machines')).json as Feed).machines).toEqual([])
  })
})

describe('machines', () => {
  it('EA4 create answers 200 in created, normalised, and the machine then runs', async () => {
    const config = { guest: { cpus: 2 }, metadata: { k: 'v' }, stop_config: { timeout: '9s' } }
    const machine = await create({ region: 'iad,ams,any' }, config)
    expect(machine).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{14}$/) as string,
      instance_id: expect.stringMatching(/^[0-9A-Z]{26}$/) as string,
      state: 'created',
      region: 'iad',
      config: {
        dns: {},
        init: {},
        guest: { cpu_kind: 'shared', cpus: 2, memory_mb: 256 },
        stop_config: { signal: 'SIGINT', timeout: '9s' },
      },
      image_ref: { registry: 'registry-1.docker.io', repository: 'x/y', tag: '1' },
    })
    expect(await shown(machine.id)).toMatchObject({ state: 'started' })
    expect(runner.running.has(machine.id)).toBe(true)
  })

  it('EA5 a live name is unique per app: 409 with the id in the words; free again once destroyed', async () => {
    const first = await create()
    const second = await call('POST', '/apps/a1/machines', { name: 'm', config: { image: 'x' } })
    expect(second).toMatchObject({
      status: 409,
      json: {
        error: `already_exists: unique machine name violation, machine ID ${first.id} already exists with name "m"`,
      },
    })
    await call('DELETE', `/apps/a1/machines/${first.id}?force=true`)
    await settle()
    expect((await create()).id).not.toBe(first.id)
  })

  it.each([
    ['no image', { config: {} }],
    ['no config', {}],
    ['a bad name', { name: 'Bad_Name', config: { image: 'x' } }],
    ['too little memory', { config: { image: 'x', guest: { memory_mb: 128 } } }],
    ['uneven memory', { config: { image: 'x', guest: { memory_mb: 300 } } }],
    ['too much memory', { config: { image: 'x', guest: { memory_mb: 4096 } } }],
    ['odd cpus', { config: { image: 'x', guest: { cpus: 3 } } }],
  ])('EA6 create with %s is 400 invalid_argument', async (_name, body) => {
    expect(await call('POST', '/apps/a1/machines', body)).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('invalid_argument') as string },
    })
    expect(emulator.machines()).toEqual([])
  })

  it('EA7 destroyed machines leave the list, can be read for a while, then are 404', async () => {
    const { id } = await create()
    expect((await call('DELETE', `/apps/a1/machines/${id}`)).status).toBe(412)
    expect((await call('DELETE', `/apps/a1/machines/${id}?kill=true`)).status).toBe(200)
    await settle()
    expect((await call('GET', '/apps/a1/machines')).json).toEqual([])
    expect((await call('GET', '/apps/a1/machines?include_deleted=true')).json).toHaveLength(1)
    expect((await shown(id)).state).toBe('destroyed')
    await clock.advance(30_000)
    expect((await call('GET', `/apps/a1/machines/${id}`)).status).toBe(404)
  })

  it('EA8 lists filter by ANDed metadata and by states; a summary has no config', async () => {
    await create({ name: 'm1' }, { metadata: { a: '1', b: '1' } })
    await create({ name: 'm2' }, { metadata: { a: '1', b: '2' } })
    await create({ name: 'm3', skip_launch: true }, { metadata: { a: '2' } })
    const names = async (query: string): Promise<string[]> =>
      ((await call('GET', `/apps/a1/machines?${query}`)).json as { name: string }[]).map((row) => row.name)
    expect(await names('metadata.a=1')).toEqual(['m1', 'm2'])
    expect(await names('metadata.a=1&metadata.b=2')).toEqual(['m2'])
    expect(await names('metadata.toString=x')).toEqual([])
    expect(await names('state=stopped,failed')).toEqual(['m3'])
    expect((await call('GET', '/apps/a1/machines?summary=true')).json).not.toMatchObject([{ config: {} }, {}, {}])
  })

  it('EA9 stop uses the machine’s own signal unless told; the exit is the newest event', async () => {
    const { id } = await create({}, { stop_config: { signal: 'SIGTERM', timeout: '2s' } })
    await call('POST', `/apps/a1/machines/${id}/stop`, {})
    await settle()
    expect(runner.signals).toEqual([{ machineId: id, signal: 'SIGTERM' }])
    const machine = await shown(id)
    expect(machine.state).toBe('stopped')
    expect(machine.events[0]).toMatchObject({ type: 'exit', request: { exit_event: { requested_stop: true } } })
    const events: unknown[] = (await call('GET', `/apps/a1/machines/${id}/events?limit=1`)).json
    expect(events).toHaveLength(1)
  })

  it('EA10 a process that cannot start leaves the machine failed, with the words', async () => {
    runner.failNextSpawn('no such file')
    const { id } = await create()
    expect(await shown(id)).toMatchObject({
      state: 'failed',
      events: [{ request: { exit_event: { error: 'no such file' } } }, {}, {}],
    })
  })

  it('EA11 while the host cannot be reached config is null', async () => {
    const { id } = await create({}, { metadata: { k: 'v' } })
    emulator.setHostStatus(id, 'unreachable')
    expect(await shown(id)).toMatchObject({
      host_status: 'unreachable',
      config: null,
      incomplete_config: { metadata: { k: 'v' } },
    })
  })
})

describe('wait, hold, metadata', () => {
  it('EA12 wait: range, reached, 408 in time, and what happens meanwhile', async () => {
    await emulator.close()
    emulator = open({ latency: 'fly' })
    await call('POST', '/apps', { name: 'a1', org_slug: 'personal' })
    const { id, instance_id: version } = await create()
    const wait = (query: string): Promise<Answer> => call('GET', `/apps/a1/machines/${id}/wait?${query}`)
    expect((await wait('timeout=61')).status).toBe(400)
    expect((await wait('timeout=0')).status).toBe(400)
    expect((await wait('state=stopped')).status).toBe(400)
    const started = wait('state=started&timeout=60')
    await clock.advance(7_000)
    expect(await started).toMatchObject({ status: 200, json: { ok: true, state: 'started' } })
    const never = wait(`state=stopped&timeout=1&version=${version}`)
    await clock.advance(1_000)
    expect(await never).toMatchObject({ status: 408 })
    const gone = wait('state=destroyed&timeout=60')
    await settle()
    await call('DELETE', `/apps/a1/machines/${id}?force=true`)
    expect(await gone).toMatchObject({ status: 200, json: { state: 'destroyed' } })
    await clock.advance(120_000)
  })

  it('EA13 a hold refuses others, is refreshed with its nonce, and ends by itself', async () => {
    const { id } = await create()
    const lease = `/apps/a1/machines/${id}/lease`
    expect((await call('GET', lease)).status).toBe(404)
    const first = await call('POST', `${lease}?ttl=10`)
    expect(first.status).toBe(201)
    const { nonce } = (first.json as { data: { nonce: string } }).data
    expect((await call('POST', lease, { ttl: 10 })).status).toBe(409)
    expect((await call('POST', `/apps/a1/machines/${id}/stop`, {})).status).toBe(409)
    const mine = { 'fly-machine-lease-nonce': nonce }
    expect((await call('POST', `${lease}?ttl=20`, {}, mine)).json).toMatchObject({ data: { nonce } })
    await clock.advance(15_000)
    expect((await call('POST', `/apps/a1/machines/${id}/stop`, {})).status).toBe(409)
    await clock.advance(5_000)
    expect((await call('POST', `/apps/a1/machines/${id}/stop`, {})).status).toBe(200)
  })

  it('EA14 metadata: set, patch, remove by null and by "", stale version; no new instance', async () => {
    const { id, instance_id: version } = await create({}, { metadata: { a: '1', b: '1', c: '1' } })
    const path = `/apps/a1/machines/${id}/metadata`
    await call('PATCH', path, { metadata: { a: null, b: '', d: '4' } })
    await call('POST', `${path}/e`, { value: '5' })
    await call('DELETE', `${path}/c`)
    expect((await call('GET', path)).json).toEqual({ d: '4', e: '5' })
    expect((await call('PATCH', path, { metadata: {}, machine_version: 'old' })).status).toBe(412)
    expect((await shown(id)).instance_id).toBe(version)
  })
})

describe('faults', () => {
  it('EA15 each fault does what it says, before or after the effect', async () => {
    const make = (name: string): Promise<Answer> => call('POST', '/apps/a1/machines', { name, config: { image: 'x' } })
    const names = (): string[] => emulator.machines().map((machine) => machine.name)
    emulator.faults.add({
      action: 'createMachine',
      fault: { kind: 'status', status: 429, headers: { 'retry-after': '3' } },
    })
    expect((await make('m1')).headers.get('retry-after')).toBe('3')
    emulator.faults.add({ action: 'createMachine', fault: { kind: 'reset' } })
    await expect(make('m2')).rejects.toThrow('before commit')
    expect(names()).toEqual([])
    emulator.faults.add({ action: 'createMachine', fault: { kind: 'loseReply' } })
    await expect(make('m3')).rejects.toThrow('after commit')
    emulator.faults.add({ action: 'createMachine', fault: { kind: 'statusAfterCommit', status: 408 } })
    expect((await make('m4')).status).toBe(408)
    emulator.faults.add({ action: 'createMachine', fault: { kind: 'delay', delayMs: 500 } })
    const late = make('m5')
    await clock.advance(499)
    expect(names()).toEqual(['m3', 'm4'])
    await clock.advance(1)
    expect((await late).status).toBe(200)
    emulator.faults.add({ action: '*', app: 'a1', fault: { kind: 'body', text: '[1,' }, after: 1 })
    expect((await call('GET', '/apps/a1')).status).toBe(200)
    await expect(call('GET', '/apps/a1')).rejects.toThrow(SyntaxError)
    expect((await call('GET', '/apps/a1')).status).toBe(200)
    expect(emulator.journal.map((entry) => entry.status)).toContain(0)
  })

  it('EA16 bad bodies and unknown routes are refused in Fly’s form', async () => {
    const raw = await emulator.request(
      new Request('http://emulator/v1/apps', { method: 'POST', headers: { authorization: 'Bearer t' }, body: '{' }),
    )
    expect(raw.status).toBe(400)
    expect((await call('POST', '/apps/a1/machines', { config: { image: 'x'.repeat(2_000_000) } })).status).toBe(413)
    expect((await call('GET', '/nothing/here')).status).toBe(404)
    expect((await call('GET', '/apps/%E0%A4%A')).status).toBe(404)
  })
})

describe('a file of its own', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fly-emulator-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('EA17 what was answered is found again: living processes go on, dead ones are stopped, due steps happen', async () => {
    await emulator.close()
    const databasePath = join(folder, 'machines.db')
    emulator = open({ databasePath, latency: 'fly' })
    await call('POST', '/apps', { name: 'a1', org_slug: 'personal' })
    const living = await create({ name: 'living' })
    const dead = await create({ name: 'dead' })
    const resting = await create({ name: 'resting', skip_launch: true })
    await clock.advance(10_000)
    const young = await create({ name: 'young' })
    expect(statSync(databasePath).mode & 0o077).toBe(0)
    expect(() => open({ databasePath })).toThrow('locked')
    const before = await shown(resting.id)
    await emulator.close({ kill: false })
    // A process that ends after the emulator let go of it changes no record: the next one will see.
    runner.exit(living.id)

    runner = createFakeRunner({ survivors: [living.id] })
    emulator = open({ databasePath, latency: 'fly' })
    expect((await shown(living.id)).state).toBe('started')
    expect(await shown(dead.id)).toMatchObject({ state: 'stopped', events: [{ type: 'exit' }, {}, {}, {}] })
    expect((await shown(young.id)).state).toBe('created')
    expect(await shown(resting.id)).toEqual(before)
    await clock.advance(10_000)
    expect((await shown(young.id)).state).toBe('started')
    expect(await call('POST', '/apps/a1/machines', { name: 'living', config: { image: 'x' } })).toMatchObject({
      status: 409,
    })
    await emulator.close()
  })

  it('EA17 a file that is damaged is named, with what to do, and not touched', () => {
    const databasePath = join(folder, 'damaged.db')
    writeFileSync(databasePath, 'garbage'.repeat(1_000))
    expect(() => open({ databasePath })).toThrow(/^Cannot open ".*damaged\.db".*remove it/)
    expect(readFileSync(databasePath, 'utf8')).toBe('garbage'.repeat(1_000))
  })

  it('EA18 a stop that was under way goes on after a restart', async () => {
    await emulator.close()
    const databasePath = join(folder, 'machines.db')
    emulator = open({ databasePath })
    await call('POST', '/apps', { name: 'a1', org_slug: 'personal' })
    const { id } = await create()
    runner.ignoreTerm(true)
    await call('POST', `/apps/a1/machines/${id}/stop`, {})
    await emulator.close({ kill: false })
    runner = createFakeRunner({ survivors: [id] })
    emulator = open({ databasePath })
    await settle()
    expect(runner.signals).toEqual([{ machineId: id, signal: 'SIGINT' }])
    expect((await shown(id)).state).toBe('stopped')
  })
})
