/** Keeps a copy of one kind's objects by list and watch, and tells handlers of every change (docs/spec/engine.md, EI). */
import type { KindDefinition } from '../api/define-kind.ts'
import { hasReason } from '../api/errors.ts'
import { formatKey, keyOf, type Key, type KubeObject } from '../api/object.ts'
import type { Reader, WatchEvent } from '../client/client.ts'
import { backoffMs, type BackoffPolicy } from '../../system/backoff.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { ObjectCache, type CacheChange, type ChangeType } from './object-cache.ts'

/** Told of a change; `isInitial` on the objects of the first list. What it throws disturbs nobody. */
export type ChangeHandler = (
  object: KubeObject,
  previous: KubeObject | undefined,
  change: { readonly type: ChangeType; readonly isInitial: boolean },
) => void

/** What an informer copies, and how. */
export type InformerOptions = {
  readonly kind: KindDefinition
  readonly client: Pick<Reader, 'list' | 'watch'>
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  /** Ms after which the watch is given up for a full list, against listeners that have fallen silent; 0 for never. */
  readonly relistMs: number
}

/** Waits between tries to list or watch. */
const RETRY_BACKOFF: BackoffPolicy = { baseMs: 200, maxMs: 15_000, jitter: 0.5 }
/** A watch that ends sooner counts as a failure, so that a server which ends each at once is not flooded. */
const WATCH_MS_MIN = 1_000
/** A list that is empty where so many objects were is worth a warning. */
const VANISHED_WARN_MIN = 10

/** One kind's cache, shared by all controllers. */
export class Informer {
  readonly #options: InformerOptions
  readonly #log: Log
  readonly #cache = new ObjectCache()
  readonly #handlers: ChangeHandler[] = []
  readonly #stop = new AbortController()
  readonly #synced = Promise.withResolvers<void>()
  #hasSynced = false
  #failures = 0
  #running: Promise<void> | undefined

  constructor(options: InformerOptions) {
    this.#options = options
    this.#log = options.log.child({ informer: options.kind.kind })
  }

  /** Whether the first list has been taken in. */
  get hasSynced(): boolean {
    return this.#hasSynced
  }

  get size(): number {
    return this.#cache.size
  }

  /** Resolves after the first list; never, when stopped before. */
  whenSynced(): Promise<void> {
    return this.#synced.promise
  }

  get(key: Key): KubeObject | undefined {
    return this.#cache.get(key)
  }

  /** All objects, or those of a namespace; the array is shared and must not be changed. */
  list(namespace?: string): readonly KubeObject[] {
    return this.#cache.list(namespace)
  }

  /** Adds a handler; it is told of what comes from then on. */
  onChange(handler: ChangeHandler): void {
    this.#handlers.push(handler)
  }

  /** Takes in an object that this process has written; handlers are told now, and not again when the watch brings it. */
  observe(object: KubeObject): void {
    // Before the first list nothing is known to be deleted, and the list will bring the object anyway.
    if (this.#hasSynced) this.#tell(this.#cache.put(object), false)
  }

  /** Begins to list and watch; a second call does nothing. */
  start(): void {
    this.#running ??= this.#run(this.#stop.signal)
  }

  /** Ends list and watch; resolves when nothing runs any more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(signal: AbortSignal): Promise<void> {
    let mustList = true
    while (!signal.aborted) {
      try {
        if (mustList) await this.#list(signal)
        mustList = false
        mustList = await this.#watch(signal)
      } catch (error) {
        if (signal.aborted) return
        mustList ||= hasReason(error, 'Expired')
        await this.#failed(error, signal)
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, kind } = this.#options
    const before = this.#cache.size
    const { items, resourceVersion } = await client.list(kind, { mayLag: true }, signal)
    if (items.length === 0 && before >= VANISHED_WARN_MIN)
      this.#log.warn({ before }, 'The list is empty where objects were: taken as it is')
    const changes = this.#cache.replace(items, resourceVersion)
    const isInitial = !this.#hasSynced
    this.#hasSynced = true
    for (const change of changes) this.#tell(change, isInitial)
    this.#synced.resolve()
  }

  /** Watches until the watch ends; true when it is time for a full list. */
  async #watch(signal: AbortSignal): Promise<boolean> {
    const { client, kind, clock, relistMs } = this.#options
    const startedAt = clock.monotonic()
    const ending = new AbortController()
    const either = AbortSignal.any([signal, ending.signal])
    const cancelRelist = relistMs > 0 ? clock.after(this.#jittered(relistMs), () => ending.abort()) : () => {}
    try {
      for await (const event of client.watch(kind, { resourceVersion: this.#cache.resourceVersion }, either)) {
        if (either.aborted) break
        this.#failures = 0
        this.#take(event)
      }
    } catch (error) {
      if (!ending.signal.aborted) throw error
    } finally {
      cancelRelist()
      if (clock.monotonic() - startedAt >= WATCH_MS_MIN) this.#failures = 0
    }
    if (either.aborted) return ending.signal.aborted
    if (clock.monotonic() - startedAt < WATCH_MS_MIN) await this.#pause(signal)
    return false
  }

  #take(event: WatchEvent<KubeObject>): void {
    if (event.type === 'BOOKMARK') {
      this.#cache.advance(event.resourceVersion)
      return
    }
    const change = event.type === 'DELETED' ? this.#cache.remove(event.object) : this.#cache.put(event.object)
    this.#cache.advance(event.object.metadata.resourceVersion)
    this.#tell(change, false)
  }

  #tell(change: CacheChange | undefined, isInitial: boolean): void {
    if (change === undefined) return
    for (const handler of this.#handlers) {
      try {
        handler(change.object, change.previous, { type: change.type, isInitial })
      } catch (error) {
        this.#log.error({ key: formatKey(keyOf(change.object)), error: String(error) }, 'A change handler failed')
      }
    }
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    if (hasReason(error, 'Expired')) this.#log.info({}, 'The watch is too old: listing anew')
    else this.#log.warn({ error: String(error), failures: this.#failures + 1 }, 'Cannot list or watch: trying again')
    await this.#pause(signal)
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock, entropy } = this.#options
    this.#failures++
    // An aborted pause ends the run at its next look at the signal.
    await clock.sleep(backoffMs(RETRY_BACKOFF, this.#failures, entropy.random()), signal).catch(() => {})
  }

  /** Informers of many kinds do not all list in the same moment. */
  #jittered(relistMs: number): number {
    return Math.ceil(relistMs * (1 - 0.1 * this.#options.entropy.random()))
  }
}
