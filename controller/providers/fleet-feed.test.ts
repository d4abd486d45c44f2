/** The feed over the fleet: pages for many tenants instead of lists for each, absence never from a part, a way on without it. */
import { describe, expect, it } from 'vitest'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import { createMachineFeed } from './machine-feed.ts'
import { ProviderError, type FleetAsk, type FleetPage, type Machine, type MachineList } from './machines.ts'

const START_MS = Date.UTC(2026, 0, 15, 12)

const machine = (id: string, change: Partial<Machine> = {}): Machine => ({
  id,
  name: `${id}-0a1b2c3d-1`,
  app: 'app',
  region: 'iad',
  state: 'started',
  createdAtMs: START_MS - 3_600_000,
  updatedAtMs: START_MS - 3_600_000,
  hostReachable: true,
  ...change,
})

/** A fleet that the test writes, served in pages. */
const given = (
  tenants: readonly string[] = ['acme', 'other'],
  options: { readonly pageRows?: number; readonly isOneList?: boolean } = {},
) => {
  const clock = new TestClock(START_MS)
  const rows: { tenant: string; machine: Machine }[] = []
  const asks: FleetAsk[] = []
  const lists: string[] = []
  const changes: string[] = []
  const world: {
    complete: boolean
    failure?: ProviderError
    listed: Record<string, MachineList>
    circle?: boolean
  } = { complete: true, listed: {} }
  const listFleet = (ask: FleetAsk): Promise<FleetPage> => {
    asks.push(ask)
    if (world.failure) return Promise.reject(world.failure)
    const fit = rows.filter(({ machine: { state, updatedAtMs } }) =>
      ask.sinceMs === undefined ? state !== 'destroyed' : updatedAtMs >= ask.sinceMs,
    )
    const from = Number(ask.cursor ?? 0)
    const until = from + (options.pageRows ?? 1_000)
    const page = fit.slice(from, until)
    const next = world.circle === true ? '1' : until < fit.length ? String(until) : undefined
    return Promise.resolve({
      rows: page,
      complete: world.complete,
      ...(next === undefined ? {} : { next }),
      ...(page.length === 0 || options.isOneList === true
        ? {}
        : { changedAtMs: Math.max(...page.map((row) => row.machine.updatedAtMs)) }),
    })
  }
  const feed = createMachineFeed({
    provider: {
      listFleet,
      ...(options.isOneList === true ? { fleetIsOneList: true } : {}),
      list: (tenant) => {
        lists.push(tenant)
        return Promise.resolve(world.listed[tenant] ?? { machines: [], complete: true })
      },
    },
    clock,
    log: silentLog,
    tenants: () => tenants,
    intervalMs: 5_000,
    onChange: (tenant, now, before) =>
      changes.push(`${tenant} ${(now ?? before)?.id} ${before?.state ?? '-'} > ${now?.state ?? 'gone'}`),
  })
  const set = (tenant: string, row: Machine): void => {
    const at = rows.findIndex((one) => one.machine.id === row.id)
    if (at >= 0) rows.splice(at, 1)
    rows.push({ tenant, machine: row })
  }
  return { clock, feed, set, rows, asks, lists, changes, world }
}

describe('fleet feed', () => {
  it('FE7 all tenants are looked at by one request a round, then by what has changed, a minute back', async () => {
    const it = given()
    it.set('acme', machine('a'))
    it.set('other', machine('b', { updatedAtMs: START_MS - 1_000 }))
    it.feed.start()
    await it.clock.advance(0)
    expect(it.asks).toEqual([{}])
    expect(it.feed.read('acme')).toEqual({
      machines: [machine('a')],
      atMs: START_MS,
      seenAtMs: START_MS,
      complete: true,
    })
    it.set('acme', machine('a', { state: 'stopped', updatedAtMs: START_MS + 3_000 }))
    await it.clock.advance(5_000)
    expect(it.asks[1]).toEqual({ sinceMs: START_MS - 61_000 })
    expect(it.feed.read('acme')).toMatchObject({
      machines: [{ id: 'a', state: 'stopped' }],
      atMs: START_MS,
      seenAtMs: START_MS + 5_000,
      complete: true,
    })
    await it.clock.advance(5_000)
    expect(it.asks[2]).toEqual({ sinceMs: START_MS - 57_000 })
    expect(it.changes).toEqual(['acme a - > started', 'other b - > started', 'acme a started > stopped'])
    expect(it.lists).toEqual([])
    await it.clock.advance(175_000)
    expect(it.asks.filter((ask) => ask.sinceMs === undefined)).toHaveLength(2)
    await it.feed.stop()
    expect(it.clock.pendingTimers).toBe(0)
  })

  it('FE7 10,000 machines at rest cost the pages of the feed and nothing else', async () => {
    const tenants = Array.from({ length: 100 }, (_, at) => `t${at}`)
    const it = given(tenants)
    for (let at = 0; at < 10_000; at++) it.set(`t${at % 100}`, machine(`m${at}`))
    it.feed.start()
    await it.clock.advance(0)
    expect(it.asks).toHaveLength(10)
    expect(it.changes).toHaveLength(10_000)
    await it.clock.advance(170_000)
    // Nothing has changed since, but the overlap shows the last minute's: here all are older or of one age.
    expect(it.asks.slice(10).every((ask) => ask.sinceMs !== undefined)).toBe(true)
    expect(it.changes).toHaveLength(10_000)
    expect(it.lists).toEqual([])
    await it.feed.stop()
  })

  it('FE8 what a region does not answer for takes nothing away; the whole is asked for again after 30 s', async () => {
    const it = given()
    it.set('acme', machine('a'))
    it.feed.start()
    await it.clock.advance(0)
    it.rows.length = 0
    it.world.complete = false
    await it.clock.advance(5_000)
    expect(it.feed.read('acme')).toMatchObject({
      complete: false,
      atMs: START_MS,
      seenAtMs: START_MS,
      machines: [{ id: 'a' }],
    })
    await it.clock.advance(180_000)
    const wholes = (): number => it.asks.filter((ask) => ask.sinceMs === undefined).length
    expect(wholes()).toBe(2)
    expect(it.feed.read('acme')).toMatchObject({ complete: false, atMs: START_MS, machines: [{ id: 'a' }] })
    it.world.complete = true
    await it.clock.advance(35_000)
    expect(wholes()).toBe(3)
    expect(it.feed.read('acme')).toMatchObject({ complete: true, machines: [] })
    expect(it.changes).toEqual(['acme a - > started', 'acme a started > gone'])
    await it.feed.stop()
  })

  it('FE9 a destroyed one is told as gone; an older row that comes late changes nothing', async () => {
    const it = given()
    it.set('acme', machine('a', { updatedAtMs: START_MS }))
    it.feed.start()
    await it.clock.advance(0)
    it.set('acme', machine('a', { state: 'starting', updatedAtMs: START_MS - 30_000 }))
    await it.clock.advance(5_000)
    expect(it.feed.read('acme')?.machines[0]?.state).toBe('started')
    it.set('acme', machine('a', { state: 'destroyed', updatedAtMs: START_MS + 6_000 }))
    await it.clock.advance(10_000)
    expect(it.feed.read('acme')?.machines).toEqual([])
    expect(it.changes).toEqual(['acme a - > started', 'acme a started > gone'])
    await it.feed.stop()
  })

  it.each(['CredentialsInvalid', 'NotFound'] as const)(
    'FE10 where the fleet is %s each tenant is listed by itself; the fleet is asked again after 10 min',
    async (reason) => {
      const it = given()
      it.world.failure = new ProviderError(reason, 'No')
      it.world.listed = { acme: { machines: [machine('a')], complete: true } }
      it.feed.start()
      await it.clock.advance(55_000)
      expect(it.asks).toHaveLength(1)
      // Once a minute: nothing is under way (L5).
      expect(it.lists).toEqual(['acme', 'other'])
      it.feed.follow('acme')
      await it.clock.advance(10_000)
      expect(it.lists).toEqual(['acme', 'other', 'acme', 'other', 'acme'])
      expect(it.feed.read('acme')).toMatchObject({ complete: true, machines: [{ id: 'a' }] })
      delete it.world.failure
      it.set('acme', machine('a'))
      await it.clock.advance(600_000)
      const before = it.lists.length
      await it.clock.advance(20_000)
      expect(it.lists).toHaveLength(before)
      expect(it.feed.read('acme')).toMatchObject({ complete: true, machines: [{ id: 'a' }] })
      await it.feed.stop()
    },
  )

  it('FE10 a tenant whose own list failed is listed again after 15 s', async () => {
    const it = given(['acme'])
    it.world.failure = new ProviderError('CredentialsInvalid', 'No')
    it.world.listed = { acme: { machines: [], complete: false } }
    it.feed.start()
    await it.clock.advance(14_000)
    expect(it.lists).toHaveLength(1)
    await it.clock.advance(6_000)
    expect(it.lists).toHaveLength(2)
    await it.feed.stop()
  })

  it('FE14 where the fleet is one list it is asked for once a minute, or each round while somebody waits', async () => {
    const it = given(['acme', 'other'], { isOneList: true })
    it.set('acme', machine('a'))
    it.feed.start()
    await it.clock.advance(55_000)
    expect(it.asks).toEqual([{}])
    expect(it.feed.read('acme')).toMatchObject({ complete: true, atMs: START_MS, machines: [{ id: 'a' }] })
    expect(it.feed.read('other')).toMatchObject({ complete: true, machines: [] })
    it.feed.follow('other')
    await it.clock.advance(10_000)
    expect(it.asks).toEqual([{}, {}, {}])
    await it.clock.advance(50_000)
    const asked = it.asks.length
    await it.clock.advance(115_000)
    expect(it.asks.length - asked).toBeLessThanOrEqual(2)
    expect(it.lists).toEqual([])
    await it.feed.stop()
  })

  it.each(['CredentialsInvalid', 'Unavailable', 'NotFound'] as const)(
    'FE14 an only list that is %s is asked for again after 15 s, and no part of it',
    async (reason) => {
      const it = given(['acme'], { isOneList: true })
      it.world.failure = new ProviderError(reason, 'No')
      it.feed.start()
      await it.clock.advance(14_000)
      expect(it.asks).toHaveLength(1)
      delete it.world.failure
      await it.clock.advance(6_000)
      expect(it.asks).toHaveLength(2)
      expect(it.feed.read('acme')).toMatchObject({ complete: true })
      expect(it.lists).toEqual([])
      await it.feed.stop()
    },
  )

  it('FE11 a feed that fails, or goes in a circle, takes nothing away and says so; then all is well again', async () => {
    const it = given()
    it.set('acme', machine('a'))
    it.feed.start()
    await it.clock.advance(0)
    for (const fail of [
      () => (it.world.failure = new ProviderError('Unavailable', 'No')),
      () => (it.world.circle = true),
    ]) {
      fail()
      await it.clock.advance(5_000)
      expect(it.feed.read('acme')).toMatchObject({ complete: false, atMs: START_MS, machines: [{ id: 'a' }] })
      expect(it.feed.read('acme')?.error).toBeDefined()
      expect(it.feed.read('new')).toMatchObject({ complete: false })
      delete it.world.failure
      delete it.world.circle
      await it.clock.advance(5_000)
      expect(it.feed.read('acme')).toMatchObject({ complete: true, machines: [{ id: 'a' }] })
      expect(it.feed.read('acme')?.error).toBeUndefined()
    }
    expect(it.lists).toEqual([])
    expect(it.changes).toEqual(['acme a - > started'])
    await it.feed.stop()
  })

  it('FE12 a tenant that somebody waits for is listed by itself for a minute, and its list stands by itself', async () => {
    const it = given()
    it.set('acme', machine('a'))
    it.feed.start()
    await it.clock.advance(0)
    it.feed.follow('acme')
    it.world.listed = { acme: { machines: [machine('a'), machine('b')], complete: true } }
    it.world.failure = new ProviderError('Unavailable', 'No')
    await it.clock.advance(5_000)
    expect(it.lists).toEqual(['acme'])
    expect(it.feed.read('acme')).toMatchObject({ complete: true, atMs: START_MS + 5_000 })
    expect(it.feed.read('other')).toMatchObject({ complete: false })
    await it.clock.advance(120_000)
    expect(it.lists).toHaveLength(12)
    await it.feed.stop()
  })

  it('FE13 a tenant that comes after the last look at all had nothing then', async () => {
    const it = given(['acme'])
    expect(it.feed.read('new')).toBeUndefined()
    it.feed.start()
    await it.clock.advance(0)
    expect(it.feed.read('new')).toEqual({ machines: [], atMs: START_MS, seenAtMs: START_MS, complete: true })
    await it.feed.stop()
  })

  it('FE7 pages are gone through as long as there is a next one', async () => {
    const it = given(['acme'], { pageRows: 1 })
    for (const id of ['a', 'b', 'c']) it.set('acme', machine(id))
    it.feed.start()
    await it.clock.advance(0)
    expect(it.asks).toEqual([{}, { cursor: '1' }, { cursor: '2' }])
    expect(it.feed.read('acme')?.machines).toHaveLength(3)
    await it.feed.stop()
  })
})
