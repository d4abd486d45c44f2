/** Tests of sharing the tenants: joining, leaving, dying, handing over, and what a stopped or cut-off process may do. */
import { afterEach, expect, test } from 'vitest'
import { silentLog } from '../../system/log.ts'
import type { Clock } from '../../system/clock.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { keepingLog } from '../../system/test-log.ts'
import type { OwnershipChange } from './ownership.ts'
import { shardOf } from './rendezvous.ts'
import { createShards, type Shards, type ShardsOptions } from './shards.ts'
import { fakeLeases, type LeaseFault } from './fake-leases.ts'

const SHARDS = 8
const running: { shards: Shards; clock: TestClock }[] = []

afterEach(async () => {
  for (const { shards, clock } of running.splice(0)) {
    const stopped = shards.stop()
    await clock.advance(12_000)
    await stopped
  }
})

function setUp() {
  const clock = new TestClock()
  const store = fakeLeases(clock)
  const faults = new Map<string, LeaseFault>()
  let seed = 1
  const member = (identity: string, more: Partial<ShardsOptions> = {}): Shards => {
    const port = store.portFor({
      clock,
      fault: (verb) => faults.get(`${identity} ${verb}`) ?? faults.get(identity),
      latencyMs: () => 5,
      hints: () => true,
    })
    const shards = createShards({
      port,
      clock,
      entropy: seededEntropy(seed++),
      log: silentLog,
      namespace: 'sprites-system',
      identity,
      shardCount: SHARDS,
      ...more,
    })
    running.push({ shards, clock })
    shards.start()
    return shards
  }
  return { clock, store, faults, member }
}

const tenantOf = (shard: number): string => {
  for (let index = 0; ; index++) if (shardOf(`t${index}`, SHARDS) === shard) return `t${index}`
}
const TENANTS = Array.from({ length: SHARDS }, (_, shard) => tenantOf(shard))
const owners = (members: readonly Shards[]): number[] =>
  TENANTS.map((tenant) => members.filter((one) => one.owns(tenant)).length)
const ONCE = Array.from({ length: SHARDS }, () => 1)

test('EO1 one alone takes every shard at once, what belongs to no tenant included', async () => {
  const { clock, member } = setUp()
  const a = member('a')
  let isReady = false
  void a.whenReady().then(() => (isReady = true))
  await clock.advance(1_000)
  expect([owners([a]), a.owns(''), isReady, a.held.length]).toEqual([ONCE, true, true, SHARDS])
})

test('EO5 a second one is given its part within a second or two, and gives it back when it stops', async () => {
  const { clock, member } = setUp()
  const a = member('a')
  await clock.advance(3_000)
  const before = TENANTS.map((tenant) => a.epoch(tenant) ?? 0)
  const b = member('b')
  await clock.advance(2_000)
  expect(owners([a, b])).toEqual(ONCE)
  expect(b.held.length).toBeGreaterThan(0)
  for (const [index, tenant] of TENANTS.entries()) {
    const isMoved = b.owns(tenant)
    expect((isMoved ? b : a).epoch(tenant)).toBe((before[index] ?? 0) + (isMoved ? 1 : 0))
  }
  const stopped = b.stop()
  await clock.advance(1_500)
  await stopped
  expect(owners([a])).toEqual(ONCE)
})

test('EO5 a shard is not given up before what runs for it has ended', async () => {
  const { clock, member } = setUp()
  const a = member('a')
  const passes: (() => void)[] = []
  a.onChange(({ type }) => (type === 'leaving' ? new Promise<void>((resolve) => passes.push(resolve)) : undefined))
  await clock.advance(3_000)
  const b = member('b')
  await clock.advance(8_000)
  const moving = TENANTS.filter((tenant) => !a.owns(tenant))
  expect(moving.length).toBeGreaterThan(0)
  for (const tenant of moving) await a.confirm(tenant)
  expect(moving.map((tenant) => [b.owns(tenant), a.remainingMs(tenant) > 0])).toEqual(moving.map(() => [false, true]))
  for (const end of passes) end()
  await clock.advance(1_000)
  expect(owners([a, b])).toEqual(ONCE)
  expect(moving.every((tenant) => b.owns(tenant) && a.remainingMs(tenant) === 0)).toBe(true)
})

test('EO5 passes that never end are cut off, and nothing is begun for the shard from then on', async () => {
  const { clock, member } = setUp()
  const a = member('a', { leaveMs: 20_000 })
  const seen: OwnershipChange['type'][] = []
  a.onChange(({ type }) => {
    seen.push(type)
    return type === 'leaving' ? new Promise<void>(() => {}) : undefined
  })
  await clock.advance(3_000)
  const b = member('b')
  await clock.advance(21_500)
  const moving = TENANTS.filter((tenant) => !a.owns(tenant))
  expect(seen).toContain('lost')
  expect(moving.map((tenant) => [a.remainingMs(tenant), b.owns(tenant)])).toEqual(moving.map(() => [0, false]))
  await clock.advance(6_000)
  expect(owners([a, b])).toEqual(ONCE)
})

test('EO3 EO4 of a process that died the member lease is fenced first, and its shards are taken within 25 s', async () => {
  const { clock, member, faults, store } = setUp()
  const a = member('a')
  const b = member('b')
  await clock.advance(5_000)
  const its = TENANTS.filter((tenant) => a.owns(tenant))
  faults.set('a', { type: 'refused' })
  await clock.advance(9_000)
  expect(its.filter((tenant) => b.owns(tenant))).toEqual([])
  await clock.advance(16_000)
  expect(owners([b])).toEqual(ONCE)
  expect(store.leases().get('sprites-member-0')?.spec).toMatchObject({ holderIdentity: '', leaseTransitions: 2 })
  faults.clear()
  await clock.advance(5_000)
  expect(owners([a, b])).toEqual(ONCE)
  expect(a.held.length).toBe(its.length)
})

test('EO4 a process that was stopped for longer than its lease begins nothing when it goes on', async () => {
  const { clock, member } = setUp()
  const a = member('a')
  await clock.advance(2_000)
  const monotonic = clock.monotonic.bind(clock)
  clock.monotonic = () => monotonic() + 5_000
  expect(TENANTS.map((tenant) => a.remainingMs(tenant))).toEqual(TENANTS.map(() => 0))
  clock.monotonic = () => monotonic() + 10_000
  expect(owners([a])).toEqual(TENANTS.map(() => 0))
  clock.monotonic = monotonic
})

test('EO4 a machine call may go on for a third of the lease at most, after a proof that is asked for when it is old', async () => {
  const { clock, member, store } = setUp()
  const a = member('a')
  await clock.advance(7_900)
  const before = store.counts.update
  const proof = a.confirm('t0')
  await clock.advance(20)
  await proof
  expect(store.counts.update).toBe(before + 1)
  expect(a.remainingMs('t0')).toBeGreaterThan(4_900)
  await a.confirm('t0')
  expect(store.counts.update).toBe(before + 1)
  expect(a.remainingMs('t0')).toBeLessThanOrEqual(5_000)
})

test('EO4 cut off from the store, nothing is begun after 10 s, and it goes on where nobody took over', async () => {
  const { clock, member, faults } = setUp()
  const a = member('a')
  const seen: OwnershipChange['type'][] = []
  await clock.advance(5_000)
  const epochs = TENANTS.map((tenant) => a.epoch(tenant))
  a.onChange(({ type }) => void seen.push(type))
  faults.set('a', { type: 'refused' })
  await clock.advance(10_000)
  expect([owners([a]), seen]).toEqual([TENANTS.map(() => 0), ['lost']])
  faults.clear()
  await clock.advance(3_000)
  expect([owners([a]), seen]).toEqual([ONCE, ['lost', 'gained']])
  expect(TENANTS.map((tenant) => a.epoch(tenant))).toEqual(epochs)
})

test('EO6 a release that arrives late does not give away what was taken back meanwhile', async () => {
  const { clock, member, faults } = setUp()
  const a = member('a')
  await clock.advance(3_000)
  faults.set('a update', { type: 'late', ms: 4_000 })
  const b = member('b')
  await clock.advance(1_000)
  const stopped = b.stop()
  faults.clear()
  for (let step = 0; step < 60; step++) {
    await clock.advance(500)
    for (const count of owners([a, b])) expect(count).toBeLessThanOrEqual(1)
  }
  await stopped
  expect(owners([a])).toEqual(ONCE)
})

test('EO7 a shard whose owner cannot be told to be dead is taken after a lease, not before', async () => {
  const { clock, member, store } = setUp()
  store.put('sprites-system', 'sprites-shard-03', { holderIdentity: '7/1/somebody', leaseTransitions: 9 })
  store.put('sprites-system', 'sprites-shard-04', { holderIdentity: 'kubectl', leaseTransitions: 2 })
  const a = member('a')
  await clock.advance(14_000)
  expect(owners([a])).toEqual(TENANTS.map((_, shard) => (shard === 3 || shard === 4 ? 0 : 1)))
  await clock.advance(6_000)
  expect([owners([a]), a.epoch(TENANTS[3] ?? '')]).toEqual([ONCE, 10])
})

test('EO7 a member lease that was deleted ends that life; another begins', async () => {
  const { clock, member, store } = setUp()
  const a = member('a')
  await clock.advance(3_000)
  store.remove('sprites-member-0')
  await clock.advance(6_000)
  expect(owners([a])).toEqual(TENANTS.map(() => 0))
  await clock.advance(20_000)
  expect(owners([a])).toEqual(ONCE)
})

test('EO8 an epoch that was found recorded is outgrown by a new one of the same owner', async () => {
  const { clock, member } = setUp()
  const a = member('a')
  await clock.advance(3_000)
  a.outgrow('t0', 41)
  expect([a.owns('t0'), a.remainingMs('t0')]).toEqual([false, 0])
  await clock.advance(1_000)
  expect([a.owns('t0'), a.epoch('t0')]).toEqual([true, 42])
  a.outgrow('t0', 3)
  expect(a.owns('t0')).toBe(true)
})

test('EO2 idle, a process writes one renewal each 5 s and lists as often', async () => {
  const { clock, member, store } = setUp()
  member('a')
  await clock.advance(10_000)
  const before = { ...store.counts }
  await clock.advance(600_000)
  expect(store.counts.update - before.update).toBeLessThanOrEqual(121)
  expect(store.counts.create).toBe(before.create)
})

test('EO9 whenReady rejects when its signal aborts, and stop without start ends', async () => {
  const { clock, member, faults } = setUp()
  faults.set('a', { type: 'refused' })
  const a = member('a')
  const abort = new AbortController()
  const waits = expect(a.whenReady(abort.signal)).rejects.toThrow('enough')
  abort.abort(new Error('enough'))
  await waits
  await clock.advance(1_000)
})

test('EO2 a wall clock that stands still renews all the same', async () => {
  const { clock, member, store } = setUp()
  const still: Clock = {
    now: () => 1_000,
    monotonic: () => clock.monotonic(),
    after: (delayMs, fire) => clock.after(delayMs, fire),
    sleep: (delayMs, signal) => clock.sleep(delayMs, signal),
  }
  const a = member('a', { clock: still })
  await clock.advance(3_000)
  const before = store.leases().get('sprites-member-0')?.metadata.resourceVersion
  const b = member('b')
  await clock.advance(60_000)
  expect(store.leases().get('sprites-member-0')?.metadata.resourceVersion).not.toBe(before)
  expect(owners([a, b])).toEqual(ONCE)
  expect(a.held.length).toBeGreaterThan(0)
})

test('LF6 leases that do not answer are told of once, however long that lasts, and once when they do again', async () => {
  const { clock, faults, member } = setUp()
  const { log, lines } = keepingLog()
  member('a', { log })
  await clock.advance(1_000)
  faults.set('a', { type: 'refused' })
  await clock.advance(60_000)
  faults.clear()
  await clock.advance(30_000)
  const told = lines.filter((line) => /leases/i.test(line))
  expect(told).toEqual([
    'warn: Cannot renew or share the leases, trying on: look at the store',
    'info: The leases answer again',
  ])
})

test.each(['InternalError', 'AlreadyExists'] as const)(
  'EO12 where slots look free and refuse by %s, it joins in another',
  async (reason) => {
    const { clock, store, member } = setUp()
    for (const slot of [0, 1]) store.spoil(`sprites-member-${slot}`, reason)
    const a = member('a')
    await clock.advance(20_000)
    expect(owners([a])).toEqual(ONCE)
    expect([...store.leases().keys()]).toContain('sprites-member-2')
  },
)
