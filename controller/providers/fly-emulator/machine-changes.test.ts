/** Machines that are changed and that fail: update, suspend, restart, exits, out of memory, and phases that go wrong. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settle } from '../../../system/test-clock.ts'
import type { FlyEmulatorOptions } from './fly-emulator.ts'
import { openHouse, type House, type Shown } from './testing.ts'

let house: House
const reopen = async (options: Partial<FlyEmulatorOptions>): Promise<void> => {
  await house.emulator.close()
  house = await openHouse(options)
}
const path = ({ id }: Shown): string => `/apps/a1/machines/${id}`
const post = (one: Shown, what: string, body: object = {}): ReturnType<House['call']> =>
  house.call('POST', `${path(one)}/${what}`, body)
const exits = (one: Shown): unknown[] =>
  one.events.flatMap((event) => (event.request ? [event.request.exit_event['exit_code']] : []))

beforeEach(async () => {
  house = await openHouse()
})
afterEach(async () => {
  await house.emulator.close()
  expect(house.clock.pendingTimers).toBe(0)
  expect(house.watch.unexplained).toEqual([])
})

describe('update', () => {
  it('EA21 a running machine is replaced by a new version and runs again; the old version is kept', async () => {
    await reopen({ latency: { update: { min: 20_000, max: 20_000 } } })
    const one = await house.create({}, { stop_config: { signal: 'SIGTERM' } })
    const updated: Shown = (await house.call('POST', path(one), { config: { image: 'x/y:2' } })).json
    expect(updated).toMatchObject({ state: 'replacing', config: { image: 'x/y:2' } })
    expect(updated.instance_id > one.instance_id || updated.instance_id !== one.instance_id).toBe(true)
    expect(house.runner.signals).toEqual([{ machineId: one.id, signal: 'SIGTERM' }])
    const start = await post(one, 'start')
    expect(start).toMatchObject({ status: 412, json: { error: 'machine getting replaced, refusing to start' } })
    await house.clock.advance(20_000)
    expect(await house.shown(one.id)).toMatchObject({ state: 'started', instance_id: updated.instance_id })
    expect((await house.call('GET', `${path(one)}/versions`)).json).toMatchObject([
      { version: updated.instance_id, user_config: { image: 'x/y:2' } },
      { version: one.instance_id, user_config: { image: 'x/y:1' } },
    ])
    const old = await house.call('GET', `${path(one)}/wait?state=started&version=${one.instance_id}&timeout=1`)
    expect(old).toMatchObject({ status: 408, json: { error: expect.stringContaining('currently replaced') as string } })
  })

  it.each([
    ['stopped', { skip_launch: true }],
    ['started, with skip_launch', {}],
  ])('EA21 a machine that is %s ends stopped', async (_state, change) => {
    const one = await house.create(change)
    const body = { config: { image: 'z' }, skip_launch: true }
    expect((await house.call('POST', path(one), body)).status).toBe(200)
    await house.clock.advance(0)
    expect(await house.shown(one.id)).toMatchObject({ state: 'stopped', config: { image: 'z' } })
    expect(house.runner.running.size).toBe(0)
  })

  it('EA22 an update of another version than the current one, or during another, is 409; name and region are for life', async () => {
    await reopen({ latency: { update: { min: 1_000, max: 1_000 } } })
    const one = await house.create({ region: 'iad' })
    const update = (change: object): ReturnType<House['call']> =>
      house.call('POST', path(one), { config: { image: 'z' }, ...change })
    const lost = { status: 409, json: { error: 'aborted: machine update failed due to concurrent update' } }
    expect(await update({ current_version: 'other' })).toMatchObject(lost)
    expect((await update({ name: 'another' })).status).toBe(400)
    expect((await update({ region: 'ams' })).status).toBe(400)
    expect((await update({ current_version: one.instance_id })).status).toBe(200)
    expect(await update({})).toMatchObject(lost)
    await house.clock.advance(1_000)
  })
})

describe('suspend', () => {
  it('EA23 a suspended machine keeps its process, frozen; start lets it go on', async () => {
    await reopen({ latency: { suspend: { min: 5_000, max: 5_000 } } })
    const one = await house.create()
    expect((await post(one, 'suspend')).status).toBe(200)
    expect((await house.shown(one.id)).state).toBe('suspending')
    await house.clock.advance(5_000)
    expect((await house.shown(one.id)).state).toBe('suspended')
    const spawned = house.runner.running.get(one.id)
    await post(one, 'start')
    expect((await house.shown(one.id)).state).toBe('started')
    expect(house.runner.running.get(one.id)).toBe(spawned)
    expect(house.runner.signals.map((sent) => sent.signal)).toEqual(['SIGSTOP', 'SIGCONT'])
  })

  it('EA23 start cancels suspending; stop throws the snapshot away; a resume can be a cold boot', async () => {
    await reopen({ latency: { suspend: { min: 5_000, max: 5_000 }, coldResumes: 1 } })
    const one = await house.create()
    await post(one, 'suspend')
    await post(one, 'start')
    expect((await house.shown(one.id)).state).toBe('started')
    await post(one, 'suspend')
    await house.clock.advance(5_000)
    await post(one, 'start')
    await house.clock.advance(0)
    expect((await house.shown(one.id)).state).toBe('started')
    expect(house.runner.signals.map((sent) => sent.signal)).toContain('SIGKILL')
    await post(one, 'suspend')
    await house.clock.advance(5_000)
    await post(one, 'stop')
    await settle()
    expect((await house.shown(one.id)).state).toBe('stopped')
  })

  it.each([
    ['more than 2 GB', { guest: { cpus: 2, memory_mb: 4_096 } }],
    ['swap', { init: { swap_size_mb: 512 } }],
    ['a schedule', { schedule: 'daily' }],
  ])('EA24 a machine with %s is not suspended', async (_what, config) => {
    const one = await house.create({}, config)
    expect((await post(one, 'suspend')).status).toBe(412)
    expect((await house.shown(one.id)).state).toBe('started')
  })
})

describe('restart, cordon, signal, exec', () => {
  it('EA25 restart ends the process and starts another; it counts as asked for', async () => {
    const one = await house.create()
    const before = house.runner.running.get(one.id)
    await house.call('POST', `${path(one)}/restart?timeout=5&signal=SIGTERM`)
    await house.clock.advance(0)
    const after = await house.shown(one.id)
    expect(after.state).toBe('started')
    expect(after.events.find((event) => event.type === 'exit')?.request?.exit_event).toMatchObject({
      requested_stop: true,
      restarting: true,
    })
    expect(house.runner.running.get(one.id)).not.toBe(before)
  })

  it('EA25 cordon and uncordon are kept; a number is a signal too; exec is refused, 412 when it is down', async () => {
    const one = await house.create()
    await post(one, 'cordon')
    await post(one, 'cordon')
    expect((await house.shown(one.id)).cordoned).toBe(true)
    await post(one, 'uncordon')
    expect((await house.shown(one.id)).cordoned).toBe(false)
    expect((await post(one, 'exec', { command: ['ls'] })).status).toBe(501)
    expect((await post(one, 'exec', {})).status).toBe(400)
    const killed = await house.emulator.request(
      new Request(`http://emulator/v1${path(one)}/signal`, {
        method: 'POST',
        headers: { authorization: 'Bearer t' },
        body: '{"signal":"SIGKILL"}',
      }),
    )
    expect(killed.status).toBe(200)
    await house.clock.advance(0)
    expect((await house.shown(one.id)).state).toBe('started')
    await post(one, 'stop')
    await settle()
    expect((await post(one, 'exec', { command: ['ls'] })).status).toBe(412)
  })
})

describe('exits', () => {
  const crash = async (one: Shown, code: number): Promise<void> => {
    house.runner.exit(one.id, { code })
    await house.clock.advance(1_000)
  }

  it('EA26 on-failure, the default, starts a failed machine again ten times in five minutes, then leaves it stopped', async () => {
    await reopen({ latency: { restart: { min: 500, max: 500 } } })
    const one = await house.create()
    for (let turn = 0; turn < 10; turn++) {
      await crash(one, 3)
      expect((await house.shown(one.id)).state).toBe('started')
    }
    expect((await house.shown(one.id)).events.find((event) => event.type === 'exit')?.request?.restart_count).toBe(10)
    await crash(one, 3)
    expect((await house.shown(one.id)).state).toBe('stopped')
    await post(one, 'start')
    await house.clock.advance(300_000)
    await crash(one, 4)
    expect((await house.shown(one.id)).state).toBe('started')
    await crash(one, 0)
    expect((await house.shown(one.id)).state).toBe('stopped')
  })

  it('EA26 always starts again whatever the code, no never; a stop that was asked for is the end of it', async () => {
    const always = await house.create({ name: 'always' }, { restart: { policy: 'always' } })
    const never = await house.create({ name: 'never' }, { restart: { policy: 'no' } })
    await crash(always, 0)
    await crash(never, 9)
    expect([(await house.shown(always.id)).state, (await house.shown(never.id)).state]).toEqual(['started', 'stopped'])
    await post(always, 'stop')
    await settle()
    expect((await house.shown(always.id)).state).toBe('stopped')
    expect(exits(await house.shown(never.id))).toEqual([9])
  })

  it('EA27 a machine that is out of memory is told so; auto_destroy destroys whatever the code', async () => {
    await reopen({
      script: { machines: [{ on: 'run', fault: { kind: 'exit', afterMs: 2_000, oom: true }, name: 'm' }] },
    })
    const one = await house.create({}, { restart: { policy: 'no' }, auto_destroy: true })
    await house.clock.advance(2_000)
    const after = await house.shown(one.id)
    expect(after.state).toBe('destroyed')
    expect(after.events.find((event) => event.type === 'exit')?.request?.exit_event).toMatchObject({
      oom_killed: true,
      exit_code: 137,
      requested_stop: false,
    })
    await house.clock.advance(30_000)
  })
})

describe('phases that go wrong', () => {
  it('EA28 a phase can take longer, never end, or fail', async () => {
    await reopen({
      script: {
        machines: [
          { on: 'launch', name: 'slow', fault: { kind: 'slow', delayMs: 60_000 } },
          { on: 'launch', name: 'stuck', fault: { kind: 'stuck' } },
          { on: 'launch', name: 'lost', fault: { kind: 'fail' } },
          { on: 'boot', name: 'dead', fault: { kind: 'fail' } },
          { on: 'stop', name: 'deaf', fault: { kind: 'stuck' } },
        ],
      },
    })
    const made = new Map<string, Shown>()
    for (const name of ['slow', 'stuck', 'lost', 'dead', 'deaf']) made.set(name, await house.create({ name }))
    const state = async (name: string): Promise<string> => (await house.shown(made.get(name)?.id ?? '')).state
    expect([await state('slow'), await state('stuck'), await state('lost')]).toEqual([
      'created',
      'created',
      'launch_failed',
    ])
    await post(made.get('deaf') as Shown /* It was just made. */, 'stop')
    await house.clock.advance(10_000_000)
    expect([await state('stuck'), await state('dead'), await state('deaf')]).toEqual(['created', 'failed', 'stopping'])
    expect(await state('slow')).toBe('started')
    expect((await house.call('GET', path(made.get('lost') as Shown /* The same. */))).status).toBe(404)
  })
})

describe('holds', () => {
  it('EA29 a machine can be born held; metadata needs no nonce; a host that is away cannot be asked for the hold', async () => {
    const one = await house.create({ lease_ttl: 60 })
    expect(one.nonce).toMatch(/^[0-9a-f]+$/)
    expect((await house.shown(one.id)).nonce).toBeUndefined()
    expect((await house.call('DELETE', `${path(one)}?force=true`)).status).toBe(409)
    expect((await house.call('POST', `${path(one)}/metadata/k`, { value: 'v' })).status).toBe(204)
    expect((await house.call('GET', `${path(one)}/lease`)).json).toMatchObject({ data: { nonce: one.nonce } })
    house.emulator.setHostStatus(one.id, 'unreachable')
    expect((await house.call('DELETE', `${path(one)}?force=true`)).status).toBe(200)
    house.emulator.setHostStatus(one.id, 'ok')
    await settle()
    expect((await house.shown(one.id)).state).toBe('destroyed')
    await house.clock.advance(30_000)
  })
})

describe('wait', () => {
  it('EA30 several states, settled, events since one, a state that cannot be reached, and a machine that goes away', async () => {
    const one = await house.create({}, { auto_destroy: true, restart: { policy: 'no' } })
    const wait = (query: string): ReturnType<House['call']> => house.call('GET', `${path(one)}/wait?${query}`)
    expect((await wait('state=stopped,started&version=')).json).toMatchObject({ state: 'started' })
    expect((await wait('state=settled')).json).toMatchObject({ ok: true, state: 'started' })
    expect((await wait('state=gone')).status).toBe(400)
    const [newest, , oldest] = (await house.shown(one.id)).events
    expect((await wait(`state=started&from_event_id=${oldest?.id ?? ''}`)).json).toMatchObject({ event_id: newest?.id })
    const again = wait(`state=started&timeout=1&from_event_id=${newest?.id ?? ''}`)
    await house.clock.advance(1_000)
    expect((await again).status).toBe(408)
    const stopped = wait(`state=stopped&timeout=60&version=${one.instance_id}`)
    await settle()
    house.runner.exit(one.id, { code: 0 })
    expect((await stopped).status).toBe(404)
    const resting = await house.create({ name: 'resting', skip_launch: true })
    expect((await house.call('GET', `${path(resting)}/wait?state=suspended`)).status).toBe(409)
    await house.clock.advance(30_000)
  })
})
