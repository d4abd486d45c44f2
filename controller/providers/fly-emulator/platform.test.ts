/** The platform's part: room, rates, the organization's feed, and the control API by which tests change them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settle } from '../../../system/test-clock.ts'
import type { FlyEmulatorOptions } from './fly-emulator.ts'
import { FLY_RATES } from './rate-limits.ts'
import { openHouse, type House } from './testing.ts'

let house: House
const reopen = async (options: Parameters<typeof openHouse>[0]): Promise<void> => {
  await house.emulator.close()
  house = await openHouse(options)
}
beforeEach(async () => {
  house = await openHouse({ controlToken: 'control' })
})
afterEach(async () => {
  await house.emulator.close()
  expect(house.clock.pendingTimers).toBe(0)
  expect(house.watch.unexplained).toEqual([])
})
const make = (name: string, change: object = {}): ReturnType<House['call']> =>
  house.call('POST', '/apps/a1/machines', { name, region: 'iad', config: { image: 'x/y:1' }, ...change })

describe('room', () => {
  it.each([
    ['region422', 422, 'could not find a candidate host', 'insufficient_capacity'],
    ['region409', 409, 'no capacity', undefined],
    ['region503', 503, 'could not find a candidate host', 'insufficient_capacity'],
    ['quota403', 403, 'over the allowed quota', undefined],
    ['limit422', 422, 'machine limit', undefined],
    ['manifest400', 400, 'MANIFEST_UNKNOWN', undefined],
    ['guest400', 400, 'invalid config.guest.memory_mb', undefined],
    ['volume412', 412, 'the volume', 'volume_placement_capacity'],
  ] as const)('EA39 %s is told as the service does', async (shape, status, words, code) => {
    house.emulator.placement.add({ shape, room: 0 })
    const refused = await make('m')
    expect(refused).toMatchObject({ status, json: { error: expect.stringContaining(words) as string } })
    expect((refused.json as { status?: string }).status).toBe(code)
    expect(house.emulator.machines()).toEqual([])
  })

  it('EA39 the next region of an ordered list is tried; a rule counts machines, and can be for an app, an image, some calls', async () => {
    await reopen({
      script: {
        placement: [
          { shape: 'region422', region: 'iad', room: 1 },
          { shape: 'manifest400', image: 'new/', times: 1 },
          { shape: 'limit422', app: 'a9' },
        ],
      },
    })
    expect((await make('m1', { region: 'iad,ams' })).json).toMatchObject({ region: 'iad' })
    expect((await make('m2', { region: 'iad,ams' })).json).toMatchObject({ region: 'ams' })
    expect((await make('m3')).status).toBe(422)
    expect((await make('m4', { region: 'ams', config: { image: 'new/x' } })).status).toBe(400)
    expect((await make('m4', { region: 'ams', config: { image: 'new/x' } })).status).toBe(200)
    expect((await make('m5', { region: 'eu' })).json).toMatchObject({ region: 'ams' })
  })

  it('EA39 a start can find its host full; a volume its region', async () => {
    const one = await house.create({ skip_launch: true })
    await house.clock.advance(0)
    house.emulator.placement.add({ shape: 'host409', room: 0, times: 1 })
    const start = (): ReturnType<House['call']> => house.call('POST', `/apps/a1/machines/${one.id}/start`)
    expect(await start()).toMatchObject({
      status: 409,
      json: { error: expect.stringContaining('on the current host') as string },
    })
    expect((await start()).status).toBe(200)
    house.emulator.placement.add({ shape: 'volume400', room: 0 })
    expect((await house.call('POST', '/apps/a1/volumes', { name: 'v', region: 'iad' })).status).toBe(400)
  })

  it('EA40 placements tell what there is room for', async () => {
    house.emulator.placement.add({ shape: 'region422', region: 'iad', room: 2 })
    await make('m')
    const ask = async (body: object): Promise<unknown> =>
      (await house.call('POST', '/platform/placements', { org_slug: 'personal', ...body })).json
    expect(await ask({ region: 'iad' })).toEqual({ regions: [{ region: 'iad', count: 1, concurrency: 1 }] })
    expect(await ask({ region: 'iad,ams', count: 5 })).toMatchObject({
      regions: [
        { region: 'iad', count: 1 },
        { region: 'ams', count: 4 },
      ],
    })
    expect(await ask({ region: 'iad', count: 5 })).toMatchObject({ status: 'insufficient_capacity' })
  })
})

describe('rates', () => {
  it('EA41 one a second and three at once, by action and machine or app; reading a machine is faster', async () => {
    await reopen({ rateLimits: { ...FLY_RATES, retryAfter: true } })
    const one = await house.create()
    const statuses = async (count: number, ask: () => ReturnType<House['call']>): Promise<number[]> => {
      const list: number[] = []
      for (let turn = 0; turn < count; turn++) list.push((await ask()).status)
      return list
    }
    const list = (): ReturnType<House['call']> => house.call('GET', '/apps/a1/machines')
    expect(await statuses(4, list)).toEqual([200, 200, 200, 429])
    expect((await list()).headers.get('retry-after')).toBe('1')
    await house.clock.advance(1_000)
    expect(await statuses(2, list)).toEqual([200, 429])
    const get = (): ReturnType<House['call']> => house.call('GET', `/apps/a1/machines/${one.id}`)
    expect((await statuses(11, get)).filter((status) => status === 200)).toHaveLength(10)
    expect((await house.call('GET', '/apps/a2/machines')).status).toBe(404)
    expect((await house.call('GET', '/apps/a1')).status).toBe(200)
  })

  it('EA41 a refusal does not say when to come again unless that is asked for, since Fly is not known to', async () => {
    await reopen({ rateLimits: FLY_RATES })
    const replies = await Promise.all(Array.from({ length: 4 }, () => house.call('GET', '/apps/a1/machines')))
    const refused = replies.filter(({ status }) => status === 429)
    expect(refused.map(({ headers }) => headers.get('retry-after'))).toEqual([null])
  })
})

describe('the feed', () => {
  type Feed = { machines: { name: string; updated_at: string }[]; next_cursor: string; error_regions: string[] }
  const page = async (query = ''): Promise<Feed> => (await house.call('GET', `/orgs/personal/machines?${query}`)).json

  it('EA42 whatever pages it comes in, following the cursor gives every machine once', async () => {
    await reopen({ script: { feed: { shortPages: 0.5, emptyPages: 0.3, shuffledPages: 0.5 } }, seed: 3 })
    const names = Array.from({ length: 40 }, (_, at) => `m${at}`)
    for (const name of names) {
      await make(name)
      await house.clock.advance(10)
    }
    const seen: string[] = []
    const sizes: number[] = []
    let isShuffled = false
    for (let cursor = '', turn = 0; turn < 200; turn++) {
      const next = await page(`limit=10&cursor=${encodeURIComponent(cursor)}`)
      const times = next.machines.map((row) => row.updated_at)
      isShuffled ||= times.join() !== [...times].sort().join()
      sizes.push(next.machines.length)
      seen.push(...next.machines.map((row) => row.name))
      cursor = next.next_cursor
      if (cursor === '') break
    }
    expect([...seen].sort()).toEqual([...names].sort())
    expect(sizes).toContain(0)
    expect(isShuffled).toBe(true)
    expect(sizes.some((size) => size > 0 && size < 10)).toBe(true)
  })

  it('EA42 a region that cannot be asked is named, and its rows are missing; updated_after is a time', async () => {
    await make('m1')
    await house.clock.advance(1_000)
    await make('m2', { region: 'ams' })
    await house.call('PUT', '/_emulator/feed', { errorRegions: ['ams'] })
    expect(await page()).toMatchObject({ machines: [{ name: 'm1' }], error_regions: ['ams'] })
    await house.call('PUT', '/_emulator/feed', {})
    const since = new Date(house.clock.now() - 1).toISOString()
    expect((await page(`updated_after=${since}`)).machines.map((row) => row.name)).toEqual(['m2'])
    expect((await house.call('GET', '/orgs/personal/machines?updated_after=soon')).status).toBe(400)
  })
})

describe('the control API', () => {
  it('EA43 is shut without a token, and to a token of the API', async () => {
    const shut = (options: Partial<FlyEmulatorOptions>): ReturnType<typeof openHouse> => openHouse(options)
    const other = await shut({})
    expect((await other.call('GET', '/_emulator/health')).status).toBe(404)
    await other.emulator.close()
    expect((await house.call('GET', '/_emulator/health', undefined, { authorization: 'Bearer t' })).status).toBe(401)
    expect((await house.call('GET', '/_emulator/health')).json).toEqual({ ok: true })
    expect((await house.call('GET', '/_emulator/nothing')).status).toBe(404)
  })

  it('EA43 adds and clears faults, sets capacity and times, and tells what is so', async () => {
    const faults = {
      requests: [{ action: 'getApp', fault: { kind: 'status', status: 503 } }],
      machines: [{ on: 'launch', fault: { kind: 'stuck' } }],
    }
    expect((await house.call('POST', '/_emulator/faults', faults)).status).toBe(204)
    expect((await house.call('POST', '/_emulator/faults', { requests: [{ action: 'x' }] })).status).toBe(400)
    expect((await house.call('GET', '/_emulator/faults')).json).toMatchObject(faults)
    expect((await house.call('GET', '/apps/a1')).status).toBe(503)
    const stuck = await house.create({ region: 'iad' })
    await house.clock.advance(100_000)
    expect((await house.shown(stuck.id)).state).toBe('created')
    await house.call('PUT', '/_emulator/capacity', { region: 'iad', machines: 1 })
    expect((await make('m2')).status).toBe(422)
    await house.call('PUT', '/_emulator/capacity', { region: 'iad', machines: null })
    await house.call('PUT', '/_emulator/latency', { extends: 'instant', launch: { min: 5_000, max: 5_000 } })
    expect((await make('m2')).status).toBe(200)
    expect((await house.call('GET', '/_emulator/machines')).json).toMatchObject({
      machines: [{ state: 'created' }, { name: 'm2', state: 'created', has_process: false }],
    })
    await house.clock.advance(5_000)
    expect((await house.call('GET', '/_emulator/machines')).json).toMatchObject({
      machines: [{}, { state: 'started', has_process: true }],
    })
    expect((await house.call('DELETE', '/_emulator/faults')).status).toBe(204)
    expect((await house.call('GET', '/_emulator/faults')).json).toMatchObject({
      requests: [],
      machines: [],
      placement: [],
    })
  })

  it('EA43 ends a process, loses and returns a host, moves a machine, and asks as a machine would', async () => {
    const one = await house.create({ region: 'iad' }, { restart: { policy: 'no' } })
    const control = (method: string, path: string, body?: object): ReturnType<House['call']> =>
      house.call(method, `/_emulator${path}`, body)
    const { machines }: { machines: { host: string }[] } = (await control('GET', '/machines')).json
    const host = machines[0]?.host ?? ''
    expect((await control('POST', `/hosts/${host}/lose`)).json).toEqual({ machines: 1 })
    expect((await house.shown(one.id)).host_status).toBe('unreachable')
    expect((await control('POST', `/hosts/${host}/return`)).json).toEqual({ machines: 1 })
    expect((await control('GET', '/hosts')).json).toEqual({ hosts: [{ host, status: 'ok', machines: 1 }] })
    expect((await control('POST', `/machines/${one.id}/migrate`)).status).toBe(204)
    await house.clock.advance(0)
    expect((await house.shown(one.id)).private_ip).not.toBe(one.private_ip)
    const path = `/machines/${one.id}/api/v1/apps/a1/machines/${one.id}/metadata/self`
    expect((await control('POST', path, { value: 'written' })).status).toBe(204)
    expect((await house.shown(one.id)).config?.metadata).toEqual({ self: 'written' })
    expect((await control('POST', `/machines/${one.id}/exit`, { oom: true })).status).toBe(204)
    await settle()
    expect((await house.shown(one.id)).events[0]?.request?.exit_event).toMatchObject({ oom_killed: true })
    expect((await control('POST', `/machines/${one.id}/exit`, {})).status).toBe(404)
  })

  it('EA44 the journal tells every request without its body or token, the transitions every change of state', async () => {
    await house.create({}, { env: { PASSWORD: 'hunter2' } })
    const journal = await house.call('GET', '/_emulator/journal?after=1')
    expect(journal.json).toMatchObject({
      entries: [{ sequence: 2, action: 'createMachine', app: 'a1', status: 200 }],
      more: false,
    })
    expect(journal.text).not.toContain('hunter2')
    const { transitions }: { transitions: { to: string }[] } = (await house.call('GET', '/_emulator/transitions')).json
    expect(transitions.map((one) => one.to)).toEqual(['created', 'starting', 'started'])
    expect(house.emulator.transitions).toHaveLength(3)
  })

  it('EA45 the same seed and the same requests give the same run, to the last id', async () => {
    const run = async (): Promise<string> => {
      await reopen({ latency: 'fly-lagging', seed: 5, script: { feed: { shuffledPages: 0.5 } } })
      const steps: string[] = []
      for (let at = 0; at < 5; at++) {
        const made = make(`m${at}`)
        await house.clock.advance(3_000)
        const list = house.call('GET', '/orgs/personal/machines')
        await house.clock.advance(3_000)
        steps.push((await made).text, (await list).text)
      }
      await house.clock.advance(60_000)
      return [...steps, JSON.stringify(house.emulator.transitions)].join('\n')
    }
    expect(await run()).toBe(await run())
  })

  it('EA46 an emulator in which nothing is under way has no timer', async () => {
    for (let at = 0; at < 20; at++) await make(`m${at}`)
    expect(house.clock.pendingTimers).toBe(0)
  })
})
