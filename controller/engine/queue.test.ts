/** Tests of the work queue: what it promises one by one, and properties over random runs. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatKey, type Key } from '../api/object.ts'
import { TestClock } from '../../system/test-clock.ts'
import { WorkQueue, type WorkQueueOptions } from './queue.ts'
import { PRIORITY, type Priority } from './types.ts'

/** The inverse of formatKey; names hold no slash. */
function keyNamed(text: string): Key {
  const slash = text.indexOf('/')
  return slash < 0 ? { namespace: '', name: text } : { namespace: text.slice(0, slash), name: text.slice(slash + 1) }
}

function setUp(options: Partial<WorkQueueOptions> = {}) {
  const clock = new TestClock()
  const queue = new WorkQueue({ clock, ...options })
  const add = (text: string, priority: Priority = PRIORITY.change): void => queue.add(keyNamed(text), priority)
  /** Takes and finishes whatever waits, in order. */
  const drain = async (): Promise<string[]> => {
    const taken: string[] = []
    while (queue.size > 0) {
      const key = await queue.take()
      if (key === undefined) break
      taken.push(formatKey(key))
      queue.done(key)
    }
    return taken
  }
  return { clock, queue, add, drain }
}

test('EQ1 a key that is added many times is given out once', async () => {
  const { queue, add, drain } = setUp()
  for (let n = 0; n < 100; n++) add('acme/a')
  expect(queue.size).toBe(1)
  expect(await drain()).toEqual(['acme/a'])
})

test('EQ2 a key added while worked on waits until that work is done', async () => {
  const { queue, add } = setUp()
  add('acme/a')
  const key = await queue.take()
  add('acme/a')
  expect(queue.size).toBe(0)
  if (key !== undefined) queue.done(key)
  expect(queue.size).toBe(1)
  expect(await queue.take()).toEqual(key)
})

test('EQ3 a taker that waits gets the next key at once', async () => {
  const { queue, add } = setUp()
  const taken = queue.take()
  add('acme/a')
  expect(await taken).toEqual({ namespace: 'acme', name: 'a' })
  expect([queue.size, queue.working]).toEqual([0, 1])
})

test('EQ1 what is added in one turn is de-duplicated and ordered even while workers wait', async () => {
  const { queue, add } = setUp()
  const taken = queue.take()
  add('acme/a', PRIORITY.resync)
  add('acme/b', PRIORITY.resync)
  add('acme/b', PRIORITY.change)
  expect(await taken).toEqual(keyNamed('acme/b'))
  queue.done(keyNamed('acme/b'))
  expect([queue.size, queue.known]).toEqual([1, 1])
})

test('EQ4 within a tenant priority goes before age, and a higher one raises a key', async () => {
  const { add, drain } = setUp()
  add('acme/startup', PRIORITY.startup)
  add('acme/resync', PRIORITY.resync)
  add('acme/change-1', PRIORITY.change)
  add('acme/change-2', PRIORITY.change)
  add('acme/startup', PRIORITY.change)
  add('acme/change-2', PRIORITY.resync)
  expect(await drain()).toEqual(['acme/startup', 'acme/change-1', 'acme/change-2', 'acme/resync'])
})

test('EQ5 of several delays the earliest holds, and adding at once ends the delay', async () => {
  const { clock, queue, add, drain } = setUp()
  queue.addAfter(keyNamed('acme/a'), 500, PRIORITY.retry)
  queue.addAfter(keyNamed('acme/a'), 100, PRIORITY.retry)
  queue.addAfter(keyNamed('acme/a'), 900, PRIORITY.retry)
  queue.addAfter(keyNamed('acme/b'), 50, PRIORITY.retry)
  add('acme/b')
  expect(await drain()).toEqual(['acme/b'])
  await clock.advance(99)
  expect(queue.size).toBe(0)
  await clock.advance(1)
  expect(await drain()).toEqual(['acme/a'])
  await clock.advance(10_000)
  expect(queue.size).toBe(0)
  expect(clock.pendingTimers).toBe(0)
})

test('EQ5 a delay of a key that waits already, or will wait again, changes nothing', async () => {
  const { clock, queue, add, drain } = setUp()
  add('acme/a')
  queue.addAfter(keyNamed('acme/a'), 100, PRIORITY.retry)
  expect(queue.delayed).toBe(0)
  const key = (await queue.take()) ?? keyNamed('')
  add('acme/a')
  queue.addAfter(key, 100, PRIORITY.retry)
  expect(queue.delayed).toBe(0)
  queue.done(key)
  expect(await drain()).toEqual(['acme/a'])
  await clock.advance(1_000)
  expect([queue.size, queue.known]).toEqual([0, 0])
})

test('EQ5 a delay that ends while the key is worked on makes it wait afterwards', async () => {
  const { clock, queue, add } = setUp()
  add('acme/a')
  const key = await queue.take()
  queue.addAfter(keyNamed('acme/a'), 100, PRIORITY.retry)
  await clock.advance(100)
  expect(queue.size).toBe(0)
  if (key !== undefined) queue.done(key)
  expect(queue.size).toBe(1)
})

test.each([
  { weights: [1, 1], flood: [1, 50] },
  { weights: [1, 4, 10], flood: [3, 3, 3] },
  { weights: [1, 4, 10, 100], flood: [40, 5, 1, 2] },
  { weights: [10, 1, 1, 1, 1], flood: [1, 30, 30, 30, 30] },
])('S8 EQ6 turns are shared by weight ($weights), whoever floods ($flood)', async ({ weights, flood }) => {
  const { queue } = setUp({ weightOf: (tenant) => weights[Number(tenant)] ?? 0 })
  const turns = weights.map(() => 0)
  let serial = 0
  const refill = (tenant: number): void => {
    for (let n = 0; n < (flood[tenant] ?? 0); n++)
      queue.add({ namespace: String(tenant), name: `k${serial++ % 5_000}` }, PRIORITY.change)
  }
  for (const tenant of weights.keys()) for (let n = 0; n < 100; n++) refill(tenant)
  const total = 20_000
  for (let turn = 0; turn < total; turn++) {
    const key = await queue.take()
    if (key === undefined) break
    const tenant = Number(key.namespace)
    turns[tenant] = (turns[tenant] ?? 0) + 1
    queue.done(key)
    refill(tenant)
  }
  const sum = weights.reduce((a, b) => a + b, 0)
  for (const [tenant, weight] of weights.entries()) {
    const share = (turns[tenant] ?? 0) / total / (weight / sum)
    expect(share).toBeGreaterThan(0.95)
    expect(share).toBeLessThan(1.05)
  }
})

test('L3 EQ7 a tenant that was idle waits for one turn of each other at most, even behind heavy flooders', async () => {
  const { queue, add } = setUp({ weightOf: (tenant) => (tenant === 'light' ? 1 : 100) })
  for (let n = 0; n < 5_000; n++) add(`heavy-${n % 5}/k${n}`)
  for (let turn = 0; turn < 777; turn++) queue.done((await queue.take()) ?? keyNamed(''))
  add('light/only')
  let waited = 0
  while ((await queue.take())?.namespace !== 'light') waited++
  expect(waited).toBeLessThanOrEqual(5)
})

test('EQ7 property: no waiting tenant is passed over longer than its weight explains', async () => {
  const weightsOf = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(weightsOf, async (weights) => {
      const { queue } = setUp({ weightOf: (tenant) => weights[Number(tenant)] ?? 1 })
      for (const tenant of weights.keys())
        for (let n = 0; n < 400; n++) queue.add({ namespace: String(tenant), name: `k${n}` }, PRIORITY.change)
      const since = weights.map(() => weights.map(() => 0))
      for (let turn = 0; turn < 400; turn++) {
        const served = Number((await queue.take())?.namespace)
        since[served]?.fill(0)
        for (const [waiting, counts] of since.entries()) {
          if (waiting === served) continue
          counts[served] = (counts[served] ?? 0) + 1
          expect(counts[served]).toBeLessThanOrEqual(Math.ceil((weights[served] ?? 1) / (weights[waiting] ?? 1)) + 1)
        }
      }
    }),
    { numRuns: 60 },
  )
})

test('EQ6 a tenant that adds its next key only after its last turn gets its share and no more', async () => {
  const { queue, add } = setUp({ weightOf: (tenant) => (tenant === 'heavy' ? 10 : 1) })
  for (let n = 0; n < 2_000; n++) add(`heavy/k${n}`)
  let light = 0
  add('light/only')
  for (let turn = 0; turn < 1_100; turn++) {
    const key = (await queue.take()) ?? keyNamed('')
    queue.done(key)
    if (key.namespace !== 'light') continue
    light++
    add('light/only')
  }
  expect(light).toBeGreaterThanOrEqual(99)
  expect(light).toBeLessThanOrEqual(101)
})

test.each([Number.NaN, Infinity, -3, 0])('EQ6 a weight of %s counts as one within the bounds', async (weight) => {
  const { queue, add } = setUp({ weightOf: () => weight })
  for (let n = 0; n < 10; n++) add(`t${n % 2}/k${n}`)
  const seen = new Set<string>()
  for (let turn = 0; turn < 2; turn++) seen.add((await queue.take())?.namespace ?? '')
  expect(seen.size).toBe(2)
})

test('EQ8 an empty queue keeps nothing and sets no timer', async () => {
  const sizes: number[] = []
  const { clock, queue, add, drain } = setUp({ onSize: (size) => sizes.push(size) })
  for (let n = 0; n < 1_000; n++) add(`t${n % 10}/k${n}`)
  queue.addAfter(keyNamed('acme/later'), 10, PRIORITY.retry)
  await drain()
  await clock.advance(10)
  await drain()
  expect([queue.size, queue.working, queue.delayed, queue.known, clock.pendingTimers]).toEqual([0, 0, 0, 0, 0])
  expect(Math.max(...sizes)).toBe(1_000)
  expect(sizes.at(-1)).toBe(0)
})

test('EQ9 shutdown ends waiting takers, drops what waits, takes nothing more', async () => {
  const { clock, queue, add } = setUp()
  const waiting = queue.take()
  queue.shutdown()
  expect(await waiting).toBeUndefined()
  add('acme/a')
  queue.addAfter(keyNamed('acme/b'), 10, PRIORITY.retry)
  expect(await queue.take()).toBeUndefined()
  expect([queue.size, queue.delayed, clock.pendingTimers]).toEqual([0, 0, 0])
})

test('EQ9 shutdown while a key is worked on and dirty does not let it wait again', async () => {
  const { clock, queue, add } = setUp()
  add('acme/a')
  const key = await queue.take()
  add('acme/a')
  queue.addAfter(keyNamed('acme/b'), 10, PRIORITY.retry)
  queue.shutdown()
  if (key !== undefined) queue.done(key)
  expect([queue.size, queue.working, clock.pendingTimers]).toEqual([0, 0, 0])
})

test('EQ10 a cluster-scoped key is its own tenant', async () => {
  const { queue, add } = setUp()
  for (let n = 0; n < 50; n++) add(`acme/k${n}`)
  add('zeta')
  const first = [await queue.take(), await queue.take()]
  expect(first.some((key) => key?.name === 'zeta')).toBe(true)
})

type Step =
  | { readonly do: 'add'; readonly key: string; readonly priority: Priority }
  | { readonly do: 'delay'; readonly key: string; readonly delayMs: number }
  | { readonly do: 'take' }
  | { readonly do: 'done'; readonly pick: number }
  | { readonly do: 'pass'; readonly ms: number }

const keyText = fc
  .tuple(fc.constantFrom('', 'a/', 'b/', 'c/'), fc.constantFrom('x', 'y', 'z'))
  .map((two) => two.join(''))
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key: keyText, priority: fc.constantFrom(...Object.values(PRIORITY)) }),
  fc.record({ do: fc.constant('delay' as const), key: keyText, delayMs: fc.integer({ min: -5, max: 300 }) }),
  fc.record({ do: fc.constant('take' as const) }),
  fc.record({ do: fc.constant('done' as const), pick: fc.nat(20) }),
  fc.record({ do: fc.constant('pass' as const), ms: fc.nat(200) }),
)

test('EQ1 EQ2 EQ3 property: every added key is run after its last add, and never twice at once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { clock, queue } = setUp({ weightOf: (tenant) => (tenant === 'a' ? 7 : 1) })
      const working = new Map<string, Key>()
      /** Keys that were added and not begun since. */
      const owed = new Set<string>()
      const take = async (): Promise<void> => {
        if (queue.size === 0) return
        const key = await queue.take()
        if (key === undefined) return
        expect(working.has(formatKey(key))).toBe(false)
        working.set(formatKey(key), key)
        owed.delete(formatKey(key))
      }
      const finish = (pick: number): void => {
        const key = [...working.values()][pick % Math.max(1, working.size)]
        if (key === undefined) return
        working.delete(formatKey(key))
        queue.done(key)
      }
      for (const one of steps) {
        if (one.do === 'add' || one.do === 'delay') owed.add(one.key)
        if (one.do === 'add') queue.add(keyNamed(one.key), one.priority)
        else if (one.do === 'delay') queue.addAfter(keyNamed(one.key), one.delayMs, PRIORITY.retry)
        else if (one.do === 'take') await take()
        else if (one.do === 'done') finish(one.pick)
        else await clock.advance(one.ms)
        expect(queue.working).toBe(working.size)
      }
      await clock.advance(1_000)
      for (let n = 0; n < 200 && (queue.size > 0 || working.size > 0); n++) {
        while (queue.size > 0) await take()
        finish(0)
      }
      expect([...owed]).toEqual([])
      expect([queue.size, queue.working, queue.delayed, clock.pendingTimers]).toEqual([0, 0, 0, 0])
    }),
    { numRuns: 150 },
  )
})
