/** Records core/v1 Events for operators: de-duplicated, rate-limited, written in the background (docs/spec/engine.md, EE). */
import type { KubeObject } from '../api/object.ts'
import type { Clock } from '../../system/clock.ts'
import { randomHex, type Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import { timestamp } from '../../system/timestamp.ts'
import { cutMessage, eventAgain, firstEvent, sameness, type EventBody, type Saying } from './event-body.ts'
import { EventWriter, type EventSink, type Happening } from './event-writer.ts'
import { RecentMap } from './recent-map.ts'
import type { EventType, Recorder } from './types.ts'

export type { EventBody } from './event-body.ts'
export type { EventPatch, EventSink } from './event-writer.ts'

/** A recorder with a life: `flush` waits for what is queued, `close` takes nothing more. */
export type EventRecorder = Recorder & {
  /** Resolves when everything so far is written or given up, or after `withinMs`. */
  flush(withinMs: number): Promise<void>
  close(): void
}

/** What a recorder needs of the process. */
export type RecorderOptions = {
  readonly sink: EventSink
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  /** Which process this is among several, for reportingInstance. */
  readonly instance?: string
}

/** The same event within this time counts up instead of making a new object, as in client-go. */
export const SAME_EVENT_WITHIN_MS = 600_000
/** client-go's spam filter: so many events of one object at once, then one more each five minutes. */
export const EVENT_BURST = 25
/** How often an object may have one more event after its burst, in ms. */
export const EVENT_REFILL_MS = 300_000
/** Events and objects that are remembered; the oldest are forgotten first. */
const REMEMBERED_MAX = 4_096

/** A sink that keeps nothing. */
export const NO_EVENTS: EventSink = { create: () => Promise.resolve(), patch: () => Promise.resolve() }

/** Builds a recorder over a sink. */
export const createRecorder = (options: RecorderOptions): EventRecorder => new SinkRecorder(options)

type Remembered = Happening & { lastAtMs: number }
type Allowance = { readonly tokens: number; readonly atMs: number }

class SinkRecorder implements EventRecorder {
  readonly #options: RecorderOptions
  readonly #happenings = new RecentMap<Remembered>(REMEMBERED_MAX)
  readonly #allowances = new RecentMap<Allowance>(REMEMBERED_MAX)
  readonly #writer: EventWriter
  readonly #drop: (body: EventBody, reason: 'queue' | 'error', error?: unknown) => void
  readonly #countRateLimited: () => void

  constructor(options: RecorderOptions) {
    this.#options = options
    const { sink, clock, metrics, log } = options
    const dropped = metrics.counter('sprites_events_dropped_total', 'Events that were not written.', ['reason'])
    this.#countRateLimited = () => dropped.add({ reason: 'rate' })
    this.#drop = ({ metadata }, reason, error) => {
      dropped.add({ reason })
      log.warn({ event: metadata.name, tenant: metadata.namespace, reason, error: String(error) }, 'Event not written')
    }
    this.#writer = new EventWriter({ sink, clock, onDrop: this.#drop })
  }

  event(object: KubeObject, type: EventType, reason: string, message: string): void {
    if (this.#writer.isClosed) return
    if (!this.#isAllowed(object.metadata.uid)) {
      this.#countRateLimited()
      return
    }
    this.#writer.write(this.#happened(object, { type, reason, message: cutMessage(message) }))
  }

  flush(withinMs: number): Promise<void> {
    return this.#writer.flush(withinMs)
  }

  close(): void {
    this.#writer.close()
  }

  #happened(object: KubeObject, saying: Saying): Remembered {
    const { clock, entropy, instance = '' } = this.#options
    const id = sameness(object, saying)
    const at = timestamp(clock.now())
    const lastAtMs = clock.monotonic()
    const known = this.#happenings.get(id)
    const isSame = known !== undefined && lastAtMs - known.lastAtMs < SAME_EVENT_WITHIN_MS
    const happening: Remembered = isSame
      ? known
      : {
          body: firstEvent(object, saying, { at, suffix: randomHex(entropy, 8), instance }),
          isCreated: false,
          isQueued: false,
          isWriting: false,
          lastAtMs,
        }
    if (isSame) happening.body = eventAgain(known.body, at)
    happening.lastAtMs = lastAtMs
    this.#happenings.set(id, happening)
    return happening
  }

  /** A token bucket for each object. */
  #isAllowed(uid: string): boolean {
    const atMs = this.#options.clock.monotonic()
    const before = this.#allowances.get(uid) ?? { tokens: EVENT_BURST, atMs }
    const tokens = Math.min(EVENT_BURST, before.tokens + (atMs - before.atMs) / EVENT_REFILL_MS)
    const isAllowed = tokens >= 1
    this.#allowances.set(uid, { tokens: isAllowed ? tokens - 1 : tokens, atMs })
    return isAllowed
  }
}
