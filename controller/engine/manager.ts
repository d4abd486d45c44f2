/** Wires controllers to shared informers and runs them: the engine's front door (docs/spec/engine.md, EM). */
import { resourceName, type KindDefinition } from '../api/define-kind.ts'
import { keyOf, type Key, type KubeObject } from '../api/object.ts'
import type { Reader } from '../client/client.ts'
import { assert } from '../../system/assert.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import { Informer, type ChangeHandler } from './informer.ts'
import { Loop, type LoopStats } from './loop.ts'
import { soleOwner, type Ownership, type OwnershipChange } from './ownership.ts'
import { tenantOfKey } from './queue.ts'
import { createRecorder, NO_EVENTS, type EventRecorder, type EventSink } from './recorder.ts'
import { startResync } from './resync.ts'
import { PRIORITY, type Cache, type ControllerOptions, type Priority, type Recorder } from './types.ts'
import { isBehind, wakesOwnKey } from './wakes.ts'

/** What a manager needs of the process. */
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
  /** Which tenants' keys run in this process; default: all. Informers and their cache have everything. */
  readonly shards?: Ownership
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
  /** Whether all caches are synced; for /readyz. */
  readonly isSynced: boolean
  /** Adds a controller; only before `start`. */
  add(options: ControllerOptions): void
  /** Tells of what the caches take in, whoever wrote it; only before `start`. */
  onChange(kind: KindDefinition, handler: ChangeHandler): void
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
}

/** Builds a manager; nothing runs before `start`. */
export const createManager = (options: ManagerOptions): Manager => new ControllerManager(options)

const RELIST_MS = 300_000
const STOP_GRACE_MS = 5_000
/** Turns of the microtask queue that a manager must stay idle for `whenIdle`: a watch event under way needs a few. */
const IDLE_TURNS = 20

type Controller = { readonly options: ControllerOptions; readonly loop: Loop; readonly informer: Informer }

class ControllerManager implements Manager {
  readonly cache: Cache
  readonly recorder: EventRecorder
  readonly #options: ManagerOptions
  readonly #graceMs: number
  readonly #informers = new Map<string, Informer>()
  readonly #controllers = new Map<string, Controller>()
  readonly #stopResyncs: (() => void)[] = []
  readonly #idleWaiters = new Set<() => void>()
  readonly #shards: Ownership
  #unlisten: () => void = () => {}
  #isStarted = false
  #stopped: Promise<void> | undefined

  constructor(options: ManagerOptions) {
    this.#options = options
    this.#graceMs = options.stopGraceMs ?? STOP_GRACE_MS
    this.#shards = options.shards ?? soleOwner()
    this.recorder = createRecorder({ ...options, sink: options.events ?? NO_EVENTS })
    this.cache = cacheOver(this.#informers)
    for (const kind of options.kinds ?? []) this.#informerOf(kind)
  }

  get isSynced(): boolean {
    return [...this.#informers.values()].every((informer) => informer.hasSynced)
  }

  add(options: ControllerOptions): void {
    assert(!this.#isStarted, `Cannot add controller "${options.name}" now: add it before start`)
    assert(!this.#controllers.has(options.name), `Cannot add controller "${options.name}" twice: name it otherwise`)
    const loop = new Loop(options, {
      ...this.#options,
      weightOf: (tenant) => this.#weightOf(tenant),
      owns: (tenant) => this.#shards.owns(tenant),
    })
    loop.onIdle(() => this.#noteIdle())
    const informer = this.#informerOf(options.kind)
    wakeOnOwnChanges(informer, options, loop)
    for (const watch of options.watches ?? []) {
      this.#informerOf(watch.kind).onChange((object, last, { type, isInitial }) => {
        // A deletion is news to every map: with nothing to compare, none can find that nothing has changed.
        const previous = type === 'DELETED' ? undefined : last
        for (const key of watch.map(object, previous)) loop.add(key, isInitial ? PRIORITY.startup : PRIORITY.change)
      })
    }
    this.#controllers.set(options.name, { options, loop, informer })
  }

  onChange(kind: KindDefinition, handler: ChangeHandler): void {
    this.#informerOf(kind).onChange(handler)
  }

  trigger(controllerName: string, key: Key, priority: Priority = PRIORITY.change): void {
    const controller = this.#controllers.get(controllerName)
    assert(controller, `No controller "${controllerName}" to wake`)
    controller.loop.add(key, priority)
  }

  async start(signal?: AbortSignal): Promise<void> {
    assert(!this.#isStarted, 'Cannot start a manager twice')
    signal?.throwIfAborted()
    this.#isStarted = true
    this.#unlisten = this.#shards.onChange((change) => this.#follow(change))
    for (const informer of this.#informers.values()) informer.start()
    await this.#whenSynced(signal)
    if (this.#stopped !== undefined) return
    for (const controller of this.#controllers.values()) this.#run(controller)
  }

  stop(): Promise<void> {
    this.#isStarted = true
    this.#stopped ??= this.#stopAll()
    return this.#stopped
  }

  async whenIdle(): Promise<void> {
    for (let turn = 0; turn < IDLE_TURNS; turn++) {
      if (this.#isIdle || this.#stopped !== undefined) {
        await Promise.resolve()
        continue
      }
      turn = 0
      await new Promise<void>((resolve) => this.#idleWaiters.add(resolve))
    }
  }

  stats(): Readonly<Record<string, LoopStats>> {
    return Object.fromEntries([...this.#controllers].map(([name, { loop }]) => [name, loop.stats]))
  }

  #informerOf(kind: KindDefinition): Informer {
    const name = resourceName(kind)
    const known = this.#informers.get(name)
    if (known !== undefined) return known
    const informer = new Informer({ ...this.#options, kind, relistMs: this.#options.relistMs ?? RELIST_MS })
    this.#informers.set(name, informer)
    return informer
  }

  async #whenSynced(signal: AbortSignal | undefined): Promise<void> {
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => aborted.reject(signal?.reason as Error)
    signal?.addEventListener('abort', onAbort, { once: true })
    const synced = Promise.all([...this.#informers.values()].map((informer) => informer.whenSynced()))
    try {
      await Promise.race([synced, aborted.promise])
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** A weight that cannot be told is the least one: a fault there must not end a worker. */
  #weightOf(tenant: string): number {
    try {
      return this.#options.weightOf?.(tenant) ?? 1
    } catch (error) {
      this.#options.log.error({ tenant, error: String(error) }, 'Cannot tell the weight of a tenant')
      return 1
    }
  }

  /** A gain wakes every key of the tenant; before one is given up in peace, its passes end. */
  async #follow({ type, has }: OwnershipChange): Promise<void> {
    const controllers = [...this.#controllers.values()]
    if (type === 'lost') for (const { loop } of controllers) loop.cutOff(has)
    if (type === 'leaving') await Promise.all(controllers.map(({ loop }) => loop.whenEnded(has)))
    if (type !== 'gained') return
    for (const { loop, informer } of controllers)
      for (const object of informer.list())
        if (has(tenantOfKey(keyOf(object)))) loop.add(keyOf(object), firstPriority(object))
  }

  #run({ options, loop, informer }: Controller): void {
    loop.start()
    const stopResync = startResync({
      clock: this.#options.clock,
      intervalMs: options.resyncMs,
      list: () => informer.list(),
      enqueue: (object) => loop.add(keyOf(object), PRIORITY.resync),
    })
    this.#stopResyncs.push(stopResync)
  }

  async #stopAll(): Promise<void> {
    for (const stopResync of this.#stopResyncs.splice(0)) stopResync()
    await Promise.all([...this.#controllers.values()].map(({ loop }) => loop.stop(this.#graceMs)))
    this.#unlisten()
    await Promise.all([...this.#informers.values()].map((informer) => informer.stop()))
    await this.recorder.flush(this.#graceMs)
    this.recorder.close()
    this.#wakeIdleWaiters()
  }

  get #isIdle(): boolean {
    return [...this.#controllers.values()].every(({ loop }) => loop.isIdle)
  }

  #noteIdle(): void {
    if (this.#idleWaiters.size > 0 && this.#isIdle) this.#wakeIdleWaiters()
  }

  #wakeIdleWaiters(): void {
    for (const waiter of this.#idleWaiters) waiter()
    this.#idleWaiters.clear()
  }
}

function wakeOnOwnChanges(informer: Informer, controller: ControllerOptions, loop: Loop): void {
  const wakes = controller.wakes ?? wakesOwnKey
  informer.onChange((object, previous, { type, isInitial }) => {
    const key = keyOf(object)
    if (type === 'DELETED' || wakes(object, previous))
      loop.add(key, isInitial ? firstPriority(object) : PRIORITY.change)
  })
}

/** Of thousands that are as they should be, nobody waits for a pass. */
const firstPriority = (object: KubeObject): Priority => (isBehind(object) ? PRIORITY.change : PRIORITY.startup)

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
