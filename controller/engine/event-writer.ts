/** Writes events in the background: a bounded queue, few writes at once, few tries, and never an error for the caller. */
import { hasReason } from '../api/errors.ts'
import type { Clock } from '../../system/clock.ts'
import type { EventBody } from './event-body.ts'

/** Merge patch of an Event that has happened again. */
export type EventPatch = { readonly count: number; readonly lastTimestamp: string }

/** Where events are written; failures are ApiError, NotFound from `patch` when the event is gone. */
export interface EventSink {
  create(namespace: string, event: EventBody): Promise<void>
  patch(namespace: string, name: string, patch: EventPatch): Promise<void>
}

/** One event in its newest form; while it waits, a further count only changes the form. */
export type Happening = {
  body: EventBody
  isCreated: boolean
  isQueued: boolean
  isWriting: boolean
}

/** What the event writer needs. */
export type EventWriterOptions = {
  readonly sink: EventSink
  readonly clock: Clock
  /** Told of each event that is not written: its queue was full, or the sink refused. */
  readonly onDrop: (body: EventBody, reason: 'queue' | 'error', error?: unknown) => void
}

/** Events that may wait for their write; more are dropped. */
export const EVENTS_WAITING_MAX = 1_000
const WRITES_MAX = 4
const TRIES_MAX = 3
const RETRY_MS = 500

/** The queue of events and the writes under way; two writes of one event never overlap. */
export class EventWriter {
  readonly #options: EventWriterOptions
  readonly #queue: Happening[] = []
  readonly #idleWaiters = new Set<() => void>()
  readonly #closing = new AbortController()
  #writing = 0

  constructor(options: EventWriterOptions) {
    this.#options = options
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Has an event written in its newest form; returns at once. */
  write(happening: Happening): void {
    if (this.isClosed || happening.isQueued) return
    if (this.#queue.length >= EVENTS_WAITING_MAX) {
      this.#options.onDrop(happening.body, 'queue')
      return
    }
    happening.isQueued = true
    this.#queue.push(happening)
    this.#pump()
  }

  /** Resolves when everything is written or given up, or after `withinMs`. */
  async flush(withinMs: number): Promise<void> {
    if (this.#isIdle) return
    const timer = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#idleWaiters.add(resolve)
    await Promise.race([promise, this.#options.clock.sleep(withinMs, timer.signal).catch(() => {})])
    this.#idleWaiters.delete(resolve)
    timer.abort()
  }

  /** Drops what waits and takes nothing more. */
  close(): void {
    this.#queue.length = 0
    this.#closing.abort()
  }

  get #isIdle(): boolean {
    return this.#writing === 0 && this.#queue.length === 0
  }

  #pump(): void {
    while (this.#writing < WRITES_MAX) {
      const at = this.#queue.findIndex((happening) => !happening.isWriting)
      const [happening] = at < 0 ? [] : this.#queue.splice(at, 1)
      if (happening === undefined) break
      happening.isQueued = false
      happening.isWriting = true
      this.#writing++
      void this.#writeOut(happening).then(() => this.#written(happening))
    }
  }

  #written(happening: Happening): void {
    happening.isWriting = false
    this.#writing--
    this.#pump()
    if (this.#isIdle) for (const waiter of this.#idleWaiters) waiter()
  }

  /** Tries a few times; never rejects. */
  async #writeOut(happening: Happening): Promise<void> {
    const { clock, onDrop } = this.#options
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      try {
        await this.#writeOnce(happening)
        return
      } catch (error) {
        const isGone = happening.isCreated && hasReason(error, 'NotFound')
        // An event that has expired is made anew, with the count that it has.
        if (isGone) happening.isCreated = false
        if (!isGone && (tries === TRIES_MAX || this.isClosed || isRefusal(error))) {
          onDrop(happening.body, 'error', error)
          return
        }
        if (!isGone) await clock.sleep(RETRY_MS * tries, this.#closing.signal).catch(() => {})
      }
    }
  }

  async #writeOnce(happening: Happening): Promise<void> {
    const { sink } = this.#options
    const { metadata, count, lastTimestamp } = happening.body
    if (happening.isCreated) {
      await sink.patch(metadata.namespace, metadata.name, { count, lastTimestamp })
      return
    }
    await sink.create(metadata.namespace, happening.body).catch((error: unknown) => {
      // The name is ours alone, so it was an earlier try whose answer was lost.
      if (!hasReason(error, 'AlreadyExists')) throw error
    })
    happening.isCreated = true
  }
}

/** Trying again would be refused again: the namespace is going, or the event is bad. */
const isRefusal = (error: unknown): boolean =>
  hasReason(error, 'Forbidden', 'NotFound', 'Invalid', 'BadRequest', 'Unauthorized', 'MethodNotAllowed')
