/** Tests of the manager where the tenants are shared: whose keys run, and what becomes of them when that changes. */
import { afterEach, expect, test } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { formatKey } from '../api/object.ts'
import { createFakeClient } from './fake-client.ts'
import { createManager, type Manager } from './manager.ts'
import { soleOwner, type Ownership, type OwnershipChange, type OwnershipListener } from './ownership.ts'
import { widget, widgetKind } from './test-kinds.ts'
import { DONE, type Reconciler } from './types.ts'

const running: { manager: Manager; clock: TestClock }[] = []

afterEach(async () => {
  for (const { manager, clock } of running.splice(0)) {
    const stopped = manager.stop()
    await clock.advance(20_000)
    await stopped
    expect(clock.pendingTimers).toBe(0)
  }
})

function setUp(mine: Set<string>, reconcile: Reconciler) {
  const clock = new TestClock()
  const client = createFakeClient({ clock })
  const listeners = new Set<OwnershipListener>()
  const shards: Ownership = {
    ...soleOwner(),
    owns: (tenant) => mine.has(tenant),
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const tell = (type: OwnershipChange['type'], tenant: string): Promise<unknown> =>
    Promise.all([...listeners].map(async (listener) => await listener({ type, has: (one) => one === tenant })))
  const ports = { clock, entropy: seededEntropy(7), log: silentLog, metrics: createMetrics(), relistMs: 0, shards }
  const manager = createManager({ ...ports, client })
  const seen: string[] = []
  const noted: Reconciler = async (key, signal) => {
    seen.push(formatKey(key))
    return await reconcile(key, signal)
  }
  const times = { concurrency: 4, resyncMs: 0, timeoutMs: 30_000 }
  manager.add({ name: 'widget', kind: widgetKind, reconcile: noted, ...times })
  running.push({ manager, clock })
  client.seed(widget('a', { namespace: 'acme' }), widget('b', { namespace: 'beta' }))
  return { clock, client, manager, seen, tell, listeners }
}

test('EM12 keys of tenants that are not ours do not run, whoever wakes them', async () => {
  const { clock, client, manager, seen } = setUp(new Set(['acme']), async () => DONE)
  await manager.start()
  await settle()
  client.seed(widget('c', { namespace: 'beta' }))
  manager.trigger('widget', { namespace: 'beta', name: 'b' })
  await clock.advance(1_000)
  expect(seen).toEqual(['acme/a'])
  expect(manager.cache.list(widgetKind)).toHaveLength(3)
})

test('EM13 a tenant that is gained has every key run; one that waited while it was lost is dropped', async () => {
  const mine = new Set(['acme'])
  const { clock, manager, seen, tell } = setUp(mine, async () => ({ requeueAfterMs: 5_000 }))
  await manager.start()
  await clock.advance(1_000)
  mine.add('beta')
  await tell('gained', 'beta')
  await clock.advance(1_000)
  expect(seen).toEqual(['acme/a', 'beta/b'])
  mine.delete('acme')
  await tell('lost', 'acme')
  await clock.advance(20_000)
  expect(seen.filter((key) => key === 'acme/a')).toHaveLength(1)
  expect(manager.stats()['widget']?.waiting).toBe(0)
  mine.add('acme')
  await tell('gained', 'acme')
  await clock.advance(1_000)
  expect(seen.filter((key) => key === 'acme/a')).toHaveLength(2)
})

test('EM14 passes of a tenant that is given up are waited for, those of one that was lost are cut off', async () => {
  const ends: (() => void)[] = []
  const signals: AbortSignal[] = []
  const mine = new Set(['acme', 'beta'])
  const { clock, manager, tell } = setUp(mine, async (_key, signal) => {
    signals.push(signal)
    await new Promise<void>((resolve) => ends.push(resolve))
    signal.throwIfAborted()
    return DONE
  })
  await manager.start()
  await clock.advance(100)
  expect(signals).toHaveLength(2)
  mine.clear()
  let isQuiet = false
  void tell('leaving', 'acme').then(() => (isQuiet = true))
  await clock.advance(10_000)
  expect([isQuiet, signals.some((signal) => signal.aborted)]).toEqual([false, false])
  await tell('lost', 'beta')
  expect(signals.filter((signal) => signal.aborted)).toHaveLength(1)
  for (const end of ends) end()
  await clock.advance(100)
  expect(isQuiet).toBe(true)
  expect(manager.stats()['widget']?.results).toEqual({ success: 1, cancelled: 1 })
  expect(manager.stats()['widget']).toMatchObject({ waiting: 0, working: 0, delayed: 0 })
})

test('EM12 after stop nobody listens any more', async () => {
  const { clock, manager, listeners } = setUp(new Set(), async () => DONE)
  await manager.start()
  expect(listeners.size).toBe(1)
  const stopped = manager.stop()
  await clock.advance(10_000)
  await stopped
  expect(listeners.size).toBe(0)
})
