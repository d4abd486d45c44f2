/** Keeps the mirror of one collection true: listens, proves by a canary that it hears, and begins anew when it does not. */
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'
import { StoreError } from '../store.ts'
import { CallFailure, CODE, type FirestoreCalls, type RawSnapshot } from './calls.ts'
import type { Connections } from './connections.ts'
import { canaryFields, canaryPath } from './document.ts'
import { isOutcomeUnknown, storeErrorOf } from './failures.ts'
import type { Applied, CollectionMirror } from './mirror.ts'
import { revisionOf } from './time.ts'

/** How long things may take, in ms. */
export type Timings = {
  /** One call of Firestore's. */
  readonly callMs: number
  /** Silence of a listener after which a canary is written. */
  readonly canaryAfterMs: number
  /** Silence after that until the listener is made anew. */
  readonly rebuildAfterMs: number
  /** How long a read waits for the listener. */
  readonly waitMs: number
  /** How long a commit waits for the listener. */
  readonly commitWaitMs: number
}

/** A silent listener is found and made anew within 45 s. */
export const DEFAULT_TIMINGS: Timings = {
  callMs: 10_000,
  canaryAfterMs: 15_000,
  rebuildAfterMs: 30_000,
  waitMs: 10_000,
  commitWaitMs: 5_000,
}

/** What a collection needs of its store. */
export type CollectionPorts = {
  readonly connections: Connections
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly timings: Timings
  readonly onApplied: (applied: Applied) => void
  readonly onCall: (kind: 'read' | 'written', documents: number) => void
  /** The listener does not tell of changes, and why; undefined when it tells of them again. */
  readonly onListening: (why: string | undefined) => void
}

/** Processes that fell silent together do not all write a canary: the first one's is heard by the others. */
const CANARY_JITTER = 0.2
const REBUILD: BackoffPolicy = { baseMs: 100, maxMs: 10_000, jitter: 0.5 }

/** A canary that does not get through is written so often: a connection that breaks is no reason to refuse a read. */
const CANARY_TRIES = 3

/** Whether another try may do at once; what took its whole deadline has taken long enough. */
const isPassing = ({ code }: CallFailure): boolean =>
  code === CODE.Aborted || (isOutcomeUnknown(code) && code !== CODE.DeadlineExceeded)

type Waiter = { readonly revision: number; readonly wake: (isReached: boolean) => void }

/** One collection, listened to from `start` to `close`. */
export class ListenedCollection {
  readonly mirror: CollectionMirror
  readonly #ports: CollectionPorts
  readonly #waiters = new Set<Waiter>()
  #isClosed = false
  #stop: () => void = () => {}
  #calls: FirestoreCalls | undefined
  #resumeToken: Uint8Array | undefined
  #failures = 0
  #lastFailure: CallFailure | undefined
  #heardAt = 0
  #canaryAt: number | undefined
  #cancelTimer: CancelTimer = () => {}
  #writing: Promise<number> | undefined
  #next: Promise<number> | undefined

  constructor(mirror: CollectionMirror, ports: CollectionPorts) {
    this.mirror = mirror
    this.#ports = ports
  }

  get isReady(): boolean {
    return this.mirror.revision > 0
  }

  /** Why the listener does not listen; undefined when it does. */
  get failure(): CallFailure | undefined {
    return this.#lastFailure
  }

  /**
   * Begins to listen, after a canary: the first snapshot then says from when on changes are known, and it is shown that
   * this process may write.
   */
  start(): void {
    this.canary().then(
      () => this.#listen(),
      (error: unknown) => {
        this.#lastFailure = error instanceof StoreError && error.cause instanceof CallFailure ? error.cause : undefined
        if (this.#isClosed) return
        this.#cancelTimer = this.#ports.clock.after(this.#retryMs(), () => this.start(), { background: true })
      },
    )
  }

  /** Resolves once every change up to the revision is known; false after `waitMs`, or when it was closed. */
  reach(revision: number, waitMs: number): Promise<boolean> {
    if (this.isReady && this.mirror.revision >= revision) return Promise.resolve(true)
    if (this.#isClosed) return Promise.resolve(false)
    return new Promise((resolve) => {
      const wake = (isReached: boolean): void => {
        cancel()
        this.#waiters.delete(waiter)
        resolve(isReached)
      }
      const waiter: Waiter = { revision, wake }
      const cancel = this.#ports.clock.after(waitMs, () => wake(false), { background: true })
      this.#waiters.add(waiter)
    })
  }

  /**
   * Resolves once everything is known that was committed before the call. Asked for by many at once, it costs one
   * write. Throws Unavailable when the listener does not follow.
   */
  async fresh(): Promise<void> {
    await this.#reachOrFail(await this.canary())
  }

  /** Resolves once every change up to the revision is known; throws Expired when Firestore's own time is before it. */
  async reachExactly(revision: number): Promise<void> {
    if (this.isReady && this.mirror.revision >= revision) return
    const now = await this.canary()
    if (now < revision)
      throw new StoreError('Expired', `Cannot read as of revision "${revision}": the newest is ${now}`)
    await this.#reachOrFail(revision)
  }

  /** Writes a canary, or shares the next one; gives its revision. Throws StoreError. */
  canary(): Promise<number> {
    if (this.#writing === undefined) return (this.#writing = this.#writeCanary())
    // The one that is under way may have been committed before what the caller must see.
    return (this.#next ??= this.#writing.then(
      () => this.#nextCanary(),
      () => this.#nextCanary(),
    ))
  }

  /** Makes the listener anew, over a new connection if the old one is still in use. */
  rebuild(why: string): void {
    if (this.#isClosed) return
    this.#ports.onListening(why)
    const old = this.#calls
    if (this.#failures > 0) this.#resumeToken = undefined
    this.#stop()
    this.#cancelTimer()
    this.#cancelTimer = this.#ports.clock.after(this.#retryMs(), () => this.#relisten(old), { background: true })
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
    this.#cancelTimer()
    for (const waiter of this.#waiters) waiter.wake(false)
  }

  async #reachOrFail(revision: number): Promise<void> {
    const { timings } = this.#ports
    const half = timings.waitMs / 2
    if (await this.reach(revision, half)) return
    this.rebuild('it does not follow')
    if (await this.reach(revision, half)) return
    throw new StoreError(
      'Unavailable',
      `Cannot read ${this.mirror.collection}: Firestore's listener lags; try again in 5 s`,
    )
  }

  #nextCanary(): Promise<number> {
    this.#next = undefined
    return (this.#writing = this.#writeCanary())
  }

  async #writeCanary(): Promise<number> {
    const { clock, entropy } = this.#ports
    try {
      for (let tries = 1; ; tries++)
        try {
          return await this.#tryCanary()
        } catch (error) {
          if (!(error instanceof CallFailure)) throw error
          const isLast = tries >= CANARY_TRIES || this.#isClosed || !isPassing(error)
          if (isLast) throw storeErrorOf(error, `write the canary of ${this.mirror.group}`)
          await clock.sleep(backoffMs(REBUILD, tries, entropy.random()))
        }
    } finally {
      this.#writing = undefined
    }
  }

  async #tryCanary(): Promise<number> {
    const { connections, entropy, timings } = this.#ports
    const calls = connections.current
    const fields = canaryFields(entropy.uuid())
    const write = { type: 'Set', path: canaryPath(this.mirror.group), fields, condition: 'None' } as const
    try {
      const [time] = await calls.commit([write], timings.callMs)
      this.#ports.onCall('written', 1)
      return time === undefined ? 0 : revisionOf(time)
    } catch (error) {
      if (error instanceof CallFailure && error.code === CODE.DeadlineExceeded) void connections.replace(calls)
      throw error
    }
  }

  #listen(): void {
    if (this.#isClosed) return
    // Two may have waited to begin: the first one ends, or nobody would ever end it.
    this.#stop()
    this.#cancelTimer()
    const calls = this.#ports.connections.current
    this.#calls = calls
    let isCurrent = true
    const end = calls.listen(this.mirror.group, {
      known: this.mirror.documents,
      ...(this.#resumeToken === undefined ? {} : { resumeToken: this.#resumeToken }),
      onSnapshot: (snapshot) => {
        if (isCurrent) this.#hear(snapshot)
      },
      onFailure: (failure) => {
        if (isCurrent) this.#fail(failure)
      },
    })
    this.#stop = () => {
      isCurrent = false
      end()
    }
    this.#heardAt = this.#ports.clock.monotonic()
    this.#canaryAt = undefined
    this.#watchSilence()
  }

  #relisten(old: FirestoreCalls | undefined): void {
    if (this.#isClosed) return
    const { connections } = this.#ports
    const isSame = old !== undefined && connections.current === old
    const moved = isSame ? connections.replace(old) : Promise.resolve()
    void moved.then(() => this.#listen())
  }

  #hear(snapshot: RawSnapshot): void {
    const before = this.mirror.revision
    const applied = this.mirror.apply(snapshot)
    if (applied === undefined) return
    this.#resumeToken = snapshot.resumeToken.length > 0 ? snapshot.resumeToken : undefined
    this.#failures = 0
    this.#lastFailure = undefined
    // A snapshot with nothing new proves nothing: the silence goes on.
    if (applied.revision === before && applied.entries.length === 0) return
    this.#heardAt = this.#ports.clock.monotonic()
    this.#canaryAt = undefined
    this.#ports.onListening(undefined)
    this.#ports.onCall('read', applied.entries.length)
    this.#note(applied)
    this.#ports.onApplied(applied)
    for (const waiter of this.#waiters) if (applied.revision >= waiter.revision) waiter.wake(true)
  }

  #note({ entries }: Applied): void {
    for (const entry of entries)
      if (entry.type === 'Malformed')
        this.#ports.log.error({ path: entry.path, why: entry.fault }, 'document is malformed and left out')
  }

  #fail(failure: CallFailure): void {
    this.#lastFailure = failure
    // A token that is refused must not be shown again.
    if (this.#failures > 0) this.#resumeToken = undefined
    this.#stop()
    this.#cancelTimer()
    const delayMs = this.#retryMs()
    const fields = { collection: this.mirror.collection, code: failure.code, why: failure.message, delayMs }
    this.#ports.log.debug(fields, 'firestore listener ended')
    if (this.#failures > 1) this.#ports.onListening(failure.message)
    this.#cancelTimer = this.#ports.clock.after(delayMs, () => this.#listen(), { background: true })
  }

  #retryMs(): number {
    this.#failures += 1
    return backoffMs(REBUILD, this.#failures, this.#ports.entropy.random())
  }

  /** One timer a listener: it looks when the silence is long enough for the next step. */
  #watchSilence(): void {
    const { clock, timings, entropy } = this.#ports
    const now = clock.monotonic()
    const silentMs = now - this.#heardAt
    if (this.#canaryAt !== undefined && now - this.#canaryAt >= timings.rebuildAfterMs) {
      this.rebuild('it is silent')
      return
    }
    if (this.#canaryAt === undefined && silentMs >= timings.canaryAfterMs) {
      this.#canaryAt = now
      this.canary().catch((error: unknown) =>
        this.#ports.log.debug({ collection: this.mirror.collection, err: error }, 'no canary was written'),
      )
    }
    const spread = timings.canaryAfterMs * CANARY_JITTER * entropy.random()
    const dueMs =
      this.#canaryAt === undefined
        ? timings.canaryAfterMs + spread - (now - this.#heardAt)
        : timings.rebuildAfterMs - (now - this.#canaryAt)
    this.#cancelTimer = clock.after(Math.max(1, dueMs), () => this.#watchSilence(), { background: true })
  }
}
