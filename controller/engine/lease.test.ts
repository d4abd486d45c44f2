/** Tests of leader election: several electors over one lease, with outages, lost answers and clocks that lie. */
import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { silentLog } from '../../system/log.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import {
  createElector,
  type Elector,
  type ElectorOptions,
  type Lease,
  type LeasePort,
  type LeaseSpec,
} from './lease.ts'

type Fault = 'down' | 'lost' | 'hangs'

/** A lease in memory under compare-and-swap; `faultOf` is asked before each call of a candidate. */
function fakeLease(clock: TestClock, faultOf: (identity: string, verb: string) => Fault | undefined) {
  let lease: Lease | undefined
  let revision = 0
  const put = (spec: LeaseSpec): Lease => {
    const metadata = { name: 'leader', namespace: 'default', uid: 'u', generation: 1, creationTimestamp: '' }
    lease = { apiVersion: 'v1', kind: 'Lease', metadata: { ...metadata, resourceVersion: String(++revision) }, spec }
    return lease
  }
  const call = async <T>(identity: string, verb: string, signal: AbortSignal, run: () => T): Promise<T> => {
    await clock.sleep(5, signal)
    const fault = faultOf(identity, verb)
    if (fault === 'down') throw new ApiError('ServiceUnavailable', 'down')
    if (fault === 'hangs') await clock.sleep(3_600_000, signal)
    const result = run()
    if (fault === 'lost') throw new ApiError('Timeout', 'lost')
    return result
  }
  const portFor = (identity: string): LeasePort => ({
    get: (_namespace, _name, signal) => call(identity, 'get', signal, () => lease),
    create: (_namespace, _name, spec, signal) =>
      call(identity, 'create', signal, () => {
        if (lease !== undefined) throw new ApiError('AlreadyExists', 'there')
        return put(spec)
      }),
    update: (old, spec, signal) =>
      call(identity, 'update', signal, () => {
        if (lease?.metadata.resourceVersion !== old.metadata.resourceVersion) throw new ApiError('Conflict', 'stale')
        return put(spec)
      }),
  })
  return { portFor, current: () => lease, put }
}

const running: { elector: Elector; clock: TestClock }[] = []

afterEach(async () => {
  const ended = running.splice(0)
  for (const { elector, clock } of ended) {
    const stopped = elector.stop()
    await clock.advance(10_000)
    await stopped
  }
  for (const { clock } of ended) expect(clock.pendingTimers).toBe(0)
})

function setUp() {
  const clock = new TestClock()
  const faults = new Map<string, Fault>()
  const store = fakeLease(clock, (identity, verb) => faults.get(`${identity} ${verb}`) ?? faults.get(identity))
  const candidate = (identity: string, more: Partial<ElectorOptions> = {}): Elector => {
    const elector = createElector({
      port: store.portFor(identity),
      clock,
      log: silentLog,
      namespace: 'default',
      name: 'leader',
      identity,
      ...more,
    })
    running.push({ elector, clock })
    elector.start()
    return elector
  }
  return { clock, faults, store, candidate }
}

test('EL1 the first candidate leads, the second waits', async () => {
  const { clock, candidate, store } = setUp()
  const a = candidate('a')
  await clock.advance(1_000)
  const b = candidate('b')
  await clock.advance(120_000)
  expect([a.isLeader, b.isLeader]).toEqual([true, false])
  expect(store.current()?.spec).toMatchObject({ holderIdentity: 'a', leaseDurationSeconds: 15, leaseTransitions: 1 })
  expect(store.current()?.spec.renewTime).toMatch(/\.\d{6}Z$/)
})

test('EL2 the lease of a leader that has fallen silent is taken after its duration, not before', async () => {
  const { clock, candidate, faults } = setUp()
  const a = candidate('a')
  await clock.advance(1_000)
  const b = candidate('b')
  await clock.advance(10_000)
  faults.set('a', 'hangs')
  await clock.advance(12_000)
  expect([a.isLeader, b.isLeader]).toEqual([false, false])
  await clock.advance(8_000)
  expect([a.isLeader, b.isLeader]).toEqual([false, true])
})

test('EL2 wall clocks that lie by days change nothing', async () => {
  const { clock, candidate } = setUp()
  const a = candidate('a')
  await clock.advance(1_000)
  const b = candidate('b')
  await clock.advance(5_000)
  clock.jumpWall(40 * 86_400_000)
  await clock.advance(60_000)
  clock.jumpWall(-80 * 86_400_000)
  await clock.advance(60_000)
  expect([a.isLeader, b.isLeader, a.epoch()]).toEqual([true, false, 1])
})

test('EL3 remainingMs counts from before the renewal was asked for, and ends 10 s after it', async () => {
  const { clock, candidate, faults } = setUp()
  const a = candidate('a')
  await clock.advance(10)
  expect(a.remainingMs()).toBe(15_000 - 10)
  faults.set('a', 'down')
  await clock.advance(9_989)
  expect(a.remainingMs()).toBe(5_001)
  await clock.advance(1)
  expect([a.remainingMs(), a.isLeader, a.epoch()]).toEqual([0, false, undefined])
})

test('EL3 a process that was stopped for long knows at once that it leads no more, before any timer has fired', async () => {
  const { clock, candidate } = setUp()
  const a = candidate('a')
  await clock.advance(100)
  expect(a.isLeader).toBe(true)
  const monotonic = clock.monotonic.bind(clock)
  clock.monotonic = () => monotonic() + 10_000
  expect([a.remainingMs(), a.isLeader, a.epoch()]).toEqual([0, false, undefined])
})

test('EL4 EL5 a lease that is given back is taken at the next try, with the next epoch', async () => {
  const { clock, candidate } = setUp()
  const a = candidate('a')
  await clock.advance(1_000)
  const b = candidate('b')
  await clock.advance(1_000)
  const stopped = a.stop()
  await clock.advance(2_100)
  await stopped
  expect([a.isLeader, b.isLeader, b.epoch()]).toEqual([false, true, 2])
})

test('EL6 with takesAtOnce the lease of an earlier life is taken at once, with a new epoch', async () => {
  const { clock, candidate, store } = setUp()
  store.put({ holderIdentity: 'killed', leaseDurationSeconds: 15, leaseTransitions: 4 })
  const waits = candidate('waits')
  const takes = candidate('takes', { takesAtOnce: true })
  await clock.advance(100)
  expect([waits.isLeader, takes.isLeader, takes.epoch()]).toEqual([false, true, 5])
})

test.each<Fault>(['down', 'lost'])(
  'EL7 a write that ends %s is resolved by the next look, in the same epoch',
  async (fault) => {
    const { clock, candidate, faults } = setUp()
    const a = candidate('a')
    const seen: boolean[] = []
    a.onChange((isLeader) => seen.push(isLeader))
    await clock.advance(1_000)
    faults.set('a update', fault)
    await clock.advance(6_000)
    faults.clear()
    await clock.advance(60_000)
    expect(seen).toEqual([true])
    expect(a.epoch()).toBe(1)
  },
)

test('EL7 leadership that was lost to an outage comes back when nobody else took it', async () => {
  const { clock, candidate, faults } = setUp()
  const a = candidate('a')
  const seen: boolean[] = []
  a.onChange((isLeader) => seen.push(isLeader))
  await clock.advance(1_000)
  faults.set('a', 'down')
  await clock.advance(60_000)
  faults.clear()
  await clock.advance(3_000)
  expect(seen).toEqual([true, false, true])
})

test('EL7 whenLeader resolves when the lease is held and rejects when its signal aborts', async () => {
  const { clock, candidate } = setUp()
  const a = candidate('a')
  const leads = a.whenLeader()
  await clock.advance(100)
  await leads
  const b = candidate('b')
  const abort = new AbortController()
  const waits = expect(b.whenLeader(abort.signal)).rejects.toThrow('enough')
  abort.abort(new Error('enough'))
  await waits
})

test('EL1 EL4 property: whatever fails, two never lead at once and epochs never go back', async () => {
  const names = ['a', 'b', 'c'] as const
  const step = fc.record({
    who: fc.constantFrom(...names),
    verb: fc.constantFrom('', ' get', ' update'),
    fault: fc.constantFrom<Fault | 'none'>('down', 'lost', 'hangs', 'none'),
    forMs: fc.integer({ min: 100, max: 20_000 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
      const { clock, faults, candidate } = setUp()
      const electors = names.map((name) => candidate(name))
      let epoch = 0
      for (const { who, verb, fault, forMs } of steps) {
        if (fault === 'none') faults.delete(`${who}${verb}`)
        else faults.set(`${who}${verb}`, fault)
        for (let elapsedMs = 0; elapsedMs < forMs; elapsedMs += 500) {
          await clock.advance(500)
          const leaders = electors.filter((elector) => elector.isLeader)
          expect(leaders.length).toBeLessThanOrEqual(1)
          const now = leaders[0]?.epoch() ?? epoch
          expect(now).toBeGreaterThanOrEqual(epoch)
          epoch = now
        }
      }
      faults.clear()
      await clock.advance(60_000)
      expect(electors.filter((elector) => elector.isLeader)).toHaveLength(1)
      for (const elector of electors) {
        const stopped = elector.stop()
        await clock.advance(3_000)
        await stopped
      }
      running.length = 0
      expect(clock.pendingTimers).toBe(0)
      await settle(1)
    }),
    { numRuns: 15 },
  )
})
