/** Wires controllers to shared informers and runs them: the engine's front door (docs/spec/engine.md, M). */
import { resourceName, type KindDefinition } from '../api/define-kind.ts'
import { keyOf, type Key } from '../api/object.ts'
import type { Reader } from '../client/client.ts'
import { assert } from '../../system/assert.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import { Informer } from './informer.ts'
import { Loop, type LoopStats } from './loop.ts'
import { createRecorder, type EventSink } from './recorder.ts'
import { startResync } from './resync.ts'
import { PRIORITY, type Cache, type ControllerOptions, type Priority, type Recorder } from './types.ts'
import { wakesOwnKey } from './wakes.ts'

export type ManagerOptions = {
  readonly client: Pick<Reader, 'list' | 'watch'>
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  /** A tenant's weight in every queue, 1…100 (its plan's priority); default 1 for all. */
  readonly weightOf?: (tenant: string) => number
  /** Where events go; absent: nowhere. */
  readonly events?: EventSink
  /** Kinds that reconcilers read without being woken by them. */
  readonly kinds?: readonly KindDefinition[]
  /** Ms between full lists of every kind, against watches that have fallen silent; default 300,000, 0 for never. */
  readonly relistMs?: number
  /** Ms that running passes get at `stop` before their signals are aborted, and again afterwards; default 5,000. */
  readonly stopGraceMs?: number
}

/** The running set of controllers. */
export type Manager = {
  /** Reads from the informers; reading a kind that nobody watches is a bug and throws AssertionError. */
  readonly cache: Cache
  readonly recorder: Recorder
  /** Adds a controller; only before `start`. */
  add(options: ControllerOptions): void
  /** Wakes a key because of an outside signal, such as a heartbeat; default priority `change`. */
  trigger(controllerName: string, key: Key, priority?: Priority): void
  /** Resolves when all caches are synced and workers run; rejects with the signal's reason when aborted before. */
  start(signal?: AbortSignal): Promise<void>
  /** Takes no new keys, lets passes end, ends watches, writes the events that wait. Safe to call twice. */
  stop(): Promise<void>
  /** Resolves when no key waits and none is worked on; delayed ones do not count. */
  whenIdle(): Promise<void>
  /** Counts by controller. */
  stats(): Readonly<Record<string, LoopStats>>
  /** Whether all caches are synced; for /readyz. */
  readonly isSynced: boolean
}

const RELIST_MS = 300_000
const STOP_GRACE_MS = 5_000
/** Turns of the microtask queue that a manager must stay idle for `whenIdle`: a watch event under way needs a few. */
const IDLE_TURNS = 20

type Controller = { readonly options: ControllerOptions; readonly loop: Loop; readonly informer: Informer }
type Phase = 'new' | 'running' | 'stopped'

/** Builds a manager; nothing runs before `start`. */
export function createManager(options: ManagerOptions): Manager {
  const { client, clock, entropy, log, metrics } = options
  const informers = new Map<string, Informer>()
  const controllers = new Map<string, Controller>()
  const stopResyncs: (() => void)[] = []
  const idleWaiters = new Set<() => void>()
  const recorder = createRecorder({ sink: options.events ?? NO_EVENTS, clock, entropy, log, metrics })
  const loopPorts = { clock, entropy, log, metrics, weightOf: options.weightOf ?? (() => 1) }
  const graceMs = options.stopGraceMs ?? STOP_GRACE_MS
  let phase: Phase = 'new'
  let stopped: Promise<void> | undefined

  const informerOf = (kind: KindDefinition): Informer => {
    const name = resourceName(kind)
    const known = informers.get(name)
    if (known !== undefined) return known
    assert(phase === 'new', `Cannot watch "${name}" now: add it before start`)
    const informer = new Informer({ kind, client, clock, entropy, log, relistMs: options.relistMs ?? RELIST_MS })
    informers.set(name, informer)
    return informer
  }
  for (const kind of options.kinds ?? []) informerOf(kind)

  const isIdle = (): boolean => [...controllers.values()].every(({ loop }) => loop.isIdle)

  const whenIdle = async (): Promise<void> => {
    for (let turn = 0; turn < IDLE_TURNS; turn++) {
      if (isIdle()) {
        await Promise.resolve()
      } else {
        await new Promise<void>((resolve) => idleWaiters.add(resolve))
        turn = 0
      }
    }
  }

  const noteIdle = (): void => {
    if (idleWaiters.size === 0 || !isIdle()) return
    for (const waiter of idleWaiters) waiter()
    idleWaiters.clear()
  }

  const add = (controller: ControllerOptions): void => {
    assert(phase === 'new', `Cannot add controller "${controller.name}" now: add it before start`)
    assert(!controllers.has(controller.name), `Controller "${controller.name}" is there already: name it otherwise`)
    const loop = new Loop(controller, loopPorts)
    loop.onIdle(noteIdle)
    const informer = informerOf(controller.kind)
    wakeOnOwn(informer, controller, loop)
    for (const watch of controller.watches ?? []) {
      informerOf(watch.kind).onChange((object, previous, { isInitial }) => {
        for (const key of watch.map(object, previous)) loop.add(key, isInitial ? PRIORITY.startup : PRIORITY.change)
      })
    }
    controllers.set(controller.name, { options: controller, loop, informer })
  }

  const start = async (signal?: AbortSignal): Promise<void> => {
    assert(phase === 'new', `Cannot start a manager that is "${phase}"`)
    signal?.throwIfAborted()
    phase = 'running'
    for (const informer of informers.values()) informer.start()
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => aborted.reject(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      await Promise.race([Promise.all([...informers.values()].map((one) => one.whenSynced())), aborted.promise])
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
    for (const { options: controller, loop, informer } of controllers.values()) {
      if (stopped !== undefined) return
      loop.start()
      stopResyncs.push(
        startResync({
          clock,
          intervalMs: controller.resyncMs,
          list: () => informer.list(),
          enqueue: (object) => loop.add(keyOf(object), PRIORITY.resync),
        }),
      )
    }
  }

  const stopAll = async (): Promise<void> => {
    phase = 'stopped'
    for (const stopResync of stopResyncs.splice(0)) stopResync()
    await Promise.all([...controllers.values()].map(({ loop }) => loop.stop(graceMs)))
    await Promise.all([...informers.values()].map((informer) => informer.stop()))
    await recorder.flush(graceMs)
    recorder.close()
    for (const waiter of idleWaiters) waiter()
  }

  const trigger = (controllerName: string, key: Key, priority: Priority = PRIORITY.change): void => {
    const controller = controllers.get(controllerName)
    assert(controller, `No controller "${controllerName}" to wake`)
    controller.loop.add(key, priority)
  }

  return {
    cache: cacheOver(informers),
    recorder,
    add,
    trigger,
    start,
    stop: () => (stopped ??= stopAll()),
    whenIdle,
    stats: () => Object.fromEntries([...controllers].map(([name, { loop }]) => [name, loop.stats])),
    get isSynced() {
      return [...informers.values()].every((informer) => informer.hasSynced)
    },
  }
}

function wakeOnOwn(informer: Informer, controller: ControllerOptions, loop: Loop): void {
  const wakes = controller.wakes ?? wakesOwnKey
  informer.onChange((object, previous, { type, isInitial }) => {
    const key = keyOf(object)
    if (type === 'DELETED') loop.forget(key)
    if (type === 'DELETED' || wakes(object, previous)) loop.add(key, isInitial ? PRIORITY.startup : PRIORITY.change)
  })
}

function cacheOver(informers: ReadonlyMap<string, Informer>): Cache {
  const informerOf = (kind: KindDefinition): Informer => {
    const informer = informers.get(resourceName(kind))
    assert(informer, `Cannot read "${kind.kind}" from the cache: watch it, or name it in the manager's kinds`)
    return informer
  }
  return {
    // An informer of a kind holds objects of that kind only, so the casts are true.
    get: (kind, key) => informerOf(kind).get(key) as never,
    list: (kind, namespace) => informerOf(kind).list(namespace) as never,
    observe: (kind, object) => informers.get(resourceName(kind))?.observe(object),
  }
}

const NO_EVENTS: EventSink = { create: () => Promise.resolve(), patch: () => Promise.resolve() }
