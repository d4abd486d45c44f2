/** Tests of the manager: the engine as a whole over the fake client. */
import { afterEach, expect, test } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { keyOf, type Key } from '../api/object.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { createFakeClient } from './fake-client.ts'
import { createManager, type Manager, type ManagerOptions } from './manager.ts'
import { gadgetKind, widget, widgetKind } from './test-kinds.ts'
import { DONE, TerminalError, watchOf, type ControllerOptions, type Reconciler } from './types.ts'

const running: { manager: Manager; clock: TestClock }[] = []

afterEach(async () => {
  for (const { manager, clock } of running.splice(0)) {
    const stopped = manager.stop()
    await clock.advance(20_000)
    await stopped
    expect(clock.pendingTimers).toBe(0)
  }
})

function setUp(overrides: Partial<ManagerOptions> = {}) {
  const clock = new TestClock()
  const client = createFakeClient({ clock })
  const metrics = createMetrics()
  const manager = createManager({
    client,
    clock,
    entropy: seededEntropy(7),
    log: silentLog,
    metrics,
    relistMs: 0,
    ...overrides,
  })
  running.push({ manager, clock })
  const add = (reconcile: Reconciler, more: Partial<ControllerOptions> = {}): void =>
    manager.add({
      name: 'widget',
      kind: widgetKind,
      reconcile,
      concurrency: 4,
      resyncMs: 0,
      timeoutMs: 30_000,
      ...more,
    })
  const idle = async (): Promise<void> => {
    await settle()
    await manager.whenIdle()
    await settle()
    await manager.whenIdle()
  }
  return { clock, client, metrics, manager, add, idle }
}

/** A reconciler in the house form: status follows spec, written only when it differs. */
const statusFollowsSpec =
  ({ client, manager }: Pick<ReturnType<typeof setUp>, 'client' | 'manager'>): Reconciler =>
  async (key) => {
    const object = manager.cache.get(widgetKind, key)
    if (object === undefined || object.status?.size === object.spec.size) return DONE
    manager.cache.observe(widgetKind, await client.patchStatus(widgetKind, key, { size: object.spec.size }))
    return DONE
  }

const passes = (manager: Manager, name = 'widget'): number => manager.stats()[name]?.reconciles ?? -1

test('EM1 start resolves when all caches are synced, and every object has had a pass soon after', async () => {
  const world = setUp()
  world.client.seed(widget('a'), widget('b'), widget('c', { namespace: 'zeta' }))
  world.add(statusFollowsSpec(world))
  await world.manager.start()
  expect(world.manager.isSynced).toBe(true)
  await world.idle()
  expect(world.client.peekAll(widgetKind).map((one) => one.status?.size)).toEqual([1, 1, 1])
  expect(passes(world.manager)).toBe(3)
})

test('EM2 a no-op resync of 1,000 objects writes nothing and reads nothing', async () => {
  const world = setUp()
  for (let n = 0; n < 1_000; n++) world.client.seed(widget(`w${n}`, { namespace: `t${n % 50}`, status: { size: 1 } }))
  world.add(statusFollowsSpec(world), { resyncMs: 600_000 })
  await world.manager.start()
  await world.idle()
  const before = passes(world.manager)
  world.client.resetCalls()
  await world.clock.advance(600_000)
  await world.idle()
  expect(passes(world.manager) - before).toBe(1_000)
  expect(world.client.calls).toEqual([])
  expect(world.client.commits).toBe(0)
})

test('EM3 200 rapid changes of one object make a handful of passes and the last one wins', async () => {
  const world = setUp()
  const [first] = world.client.seed(widget('a', { status: { size: 1 } }))
  let inFlight = 0
  world.add(async (key, signal) => {
    inFlight++
    expect(inFlight).toBe(1)
    await world.clock.sleep(100, signal)
    inFlight--
    return statusFollowsSpec(world)(key, signal)
  })
  await world.manager.start()
  await world.clock.advance(200)
  const before = passes(world.manager)
  expect(first).toBeDefined()
  for (let size = 2; size <= 201; size++) {
    const now = await world.client.get(widgetKind, { namespace: 'acme', name: 'a' })
    await world.client.update(widgetKind, { ...now, spec: { size } })
  }
  await world.clock.advance(1_000)
  expect(passes(world.manager) - before).toBeLessThanOrEqual(3)
  expect(world.client.peek(widgetKind, { namespace: 'acme', name: 'a' })?.status?.size).toBe(201)
})

test.each([true, false])(
  'EM4 at most 1.5 passes and one write per external change (own writes observed: %s)',
  async (isObserved) => {
    const world = setUp()
    for (let n = 0; n < 20; n++) world.client.seed(widget(`w${n}`))
    const observing = statusFollowsSpec(world)
    world.add(async (key, signal) => {
      if (isObserved) return observing(key, signal)
      const object = world.manager.cache.get(widgetKind, key)
      if (object && object.status?.size !== object.spec.size)
        await world.client.patchStatus(widgetKind, key, { size: object.spec.size })
      return DONE
    })
    await world.manager.start()
    await world.idle()
    world.client.resetCalls()
    const before = passes(world.manager)
    for (let round = 2; round < 12; round++) {
      for (const object of world.client.peekAll(widgetKind))
        await world.client.update(widgetKind, { ...object, spec: { size: round } })
      await world.idle()
    }
    expect((passes(world.manager) - before) / 200).toBeLessThanOrEqual(1.5)
    expect(world.client.count('patchStatus')).toBe(200)
    expect(world.client.commits).toBe(400)
  },
)

test('EM5 a change of a watched kind wakes the keys that it maps to, once each', async () => {
  const world = setUp()
  world.client.seed(widget('a', { status: { size: 1 } }), widget('b', { status: { size: 1 } }))
  const seen: string[] = []
  world.add(
    (key: Key) => {
      seen.push(key.name)
      return Promise.resolve(DONE)
    },
    {
      watches: [
        watchOf(gadgetKind, ({ spec }) =>
          world.manager.cache.list(widgetKind).flatMap((one) => [keyOf(one), keyOf(one)].slice(0, spec.size)),
        ),
      ],
    },
  )
  await world.manager.start()
  await world.idle()
  seen.length = 0
  await world.client.create(gadgetKind, { metadata: { name: 'g' }, spec: { size: 2 } })
  await world.idle()
  expect(seen.sort()).toEqual(['a', 'b'])
})

test('EM5 the end of an object of a watched kind is news to every map, with nothing before it', async () => {
  const world = setUp()
  world.client.seed({ ...widget('g'), kind: 'Gadget' })
  const mapped: [string, boolean][] = []
  world.add(() => Promise.resolve(DONE), {
    watches: [
      watchOf(gadgetKind, (object, previous) => {
        mapped.push([object.metadata.name, previous !== undefined])
        return []
      }),
    ],
  })
  await world.manager.start()
  await world.client.patchStatus(gadgetKind, { namespace: 'acme', name: 'g' }, { size: 1 })
  await world.client.delete(gadgetKind, { namespace: 'acme', name: 'g' })
  await settle()
  expect(mapped).toEqual([
    ['g', false],
    ['g', true],
    ['g', false],
  ])
})

test('EM5 the end of an object wakes its key, and the pass sees it gone', async () => {
  const world = setUp()
  world.client.seed(widget('a'))
  const seen: (number | undefined)[] = []
  world.add((key) => {
    seen.push(world.manager.cache.get(widgetKind, key)?.spec.size)
    return Promise.resolve(DONE)
  })
  await world.manager.start()
  await world.idle()
  await world.client.delete(widgetKind, { namespace: 'acme', name: 'a' })
  await world.idle()
  expect(seen).toEqual([1, undefined])
})

test('EM5 the first list of a watched kind wakes keys that have no object of their own yet', async () => {
  const world = setUp()
  world.client.seed({ ...widget('g'), kind: 'Gadget' })
  const seen: string[] = []
  world.add(
    (key) => {
      seen.push(key.name)
      return Promise.resolve(DONE)
    },
    { watches: [watchOf(gadgetKind, () => [{ namespace: 'acme', name: 'made-of-g' }])] },
  )
  await world.manager.start()
  await world.idle()
  expect(seen).toEqual(['made-of-g'])
})

test('EM6 controllers share one informer for a kind', async () => {
  const world = setUp({ kinds: [gadgetKind, widgetKind] })
  world.add(() => Promise.resolve(DONE))
  world.add(() => Promise.resolve(DONE), { name: 'second', watches: [watchOf(gadgetKind, () => [])] })
  await world.manager.start()
  expect(world.client.count('list')).toBe(2)
  expect(world.client.count('watch')).toBe(2)
})

test('L3 EM7 a key that throws at once, rejects, hangs or fails for good disturbs no other key', async () => {
  const world = setUp()
  for (const name of ['throws', 'rejects', 'hangs', 'ends', 'fine']) world.client.seed(widget(name))
  const follow = statusFollowsSpec(world)
  world.add(
    (key, signal) => {
      if (key.name === 'throws') throw new TypeError('a bug')
      if (key.name === 'rejects') return Promise.reject(new ApiError('InternalError', 'no'))
      if (key.name === 'ends') return Promise.reject(new TerminalError('never'))
      if (key.name === 'hangs') return new Promise(() => {})
      return follow(key, signal)
    },
    { concurrency: 1, timeoutMs: 10_000 },
  )
  await world.manager.start()
  await world.clock.advance(60_000)
  expect(world.client.peek(widgetKind, { namespace: 'acme', name: 'fine' })?.status?.size).toBe(1)
  const { results, working } = world.manager.stats()['widget'] ?? {}
  expect(results?.terminal).toBe(1)
  expect(results?.error).toBeGreaterThan(4)
  expect(working).toBe(1)
})

test('EM7 a weight that cannot be told, or a map that throws, ends no worker', async () => {
  const broken = (): never => {
    throw new TypeError('a bug')
  }
  const world = setUp({ weightOf: broken })
  world.client.seed(widget('a'), widget('b'), { ...widget('g'), kind: 'Gadget' })
  world.add(statusFollowsSpec(world), { concurrency: 1, watches: [watchOf(gadgetKind, broken)] })
  await world.manager.start()
  await world.idle()
  expect(passes(world.manager)).toBe(2)
})

test('EM8 stop lets a pass end within its grace, aborts one that does not, and opens nothing again', async () => {
  const world = setUp({ stopGraceMs: 1_000 })
  world.client.seed(widget('quick'), widget('slow'))
  const ends: string[] = []
  world.add(async (key, signal) => {
    await world.clock.sleep(key.name === 'quick' ? 500 : 50_000, signal).catch(() => ends.push(`${key.name} aborted`))
    ends.push(key.name)
    return DONE
  })
  await world.manager.start()
  await settle()
  const stopped = world.manager.stop()
  await world.clock.advance(3_000)
  await stopped
  expect(ends).toEqual(['quick', 'slow aborted', 'slow'])
  expect(world.client.openWatches).toBe(0)
  await world.client.create(widgetKind, { metadata: { name: 'late', namespace: 'acme' }, spec: { size: 1 } })
  await settle()
  expect(passes(world.manager)).toBe(2)
})

test('EM9 an outside signal wakes its key', async () => {
  const world = setUp()
  world.client.seed(widget('a'))
  world.add(() => Promise.resolve(DONE))
  await world.manager.start()
  await world.idle()
  world.manager.trigger('widget', { namespace: 'acme', name: 'a' })
  await world.idle()
  expect(passes(world.manager)).toBe(2)
  expect(() => world.manager.trigger('none', { namespace: '', name: 'a' })).toThrow('No controller "none"')
})

test('EM15 at a start, what is behind goes before what is as it should be', async () => {
  const world = setUp()
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    world.client.seed({ ...widget(name), status: { observedGeneration: name === 'd' ? 0 : 1 } })
  const order: string[] = []
  world.add(
    (key) => {
      order.push(key.name)
      return Promise.resolve(DONE)
    },
    { concurrency: 1 },
  )
  await world.manager.start()
  await world.idle()
  expect(order.join('')).toBe('dabce')
})

test('EM10 start rejects when its signal aborts before the caches are synced', async () => {
  const world = setUp()
  world.client.failNext('list', new ApiError('ServiceUnavailable', 'down'), { times: 1_000 })
  world.add(() => Promise.resolve(DONE))
  const abort = new AbortController()
  const started = world.manager.start(abort.signal)
  const failed = expect(started).rejects.toThrow('gave up')
  await world.clock.advance(5_000)
  abort.abort(new Error('gave up'))
  await failed
  expect(world.manager.isSynced).toBe(false)
})

test('EM11 reading a kind that nobody watches is a bug; observing one is not', () => {
  const world = setUp()
  world.add(() => Promise.resolve(DONE))
  expect(() => world.manager.cache.list(gadgetKind)).toThrow('Cannot read "Gadget"')
})

test('ER7 passes are counted by controller and result, with no tenant in any label', async () => {
  const world = setUp()
  world.client.seed(widget('a'))
  world.add(statusFollowsSpec(world))
  await world.manager.start()
  await world.idle()
  const text = await world.metrics.expose()
  expect(text).toContain('sprites_reconcile_total{controller="widget",result="success"} 1')
  expect(text).toContain('sprites_queue_depth_keys{controller="widget"} 0')
  expect(text).not.toContain('acme')
})
