/** Records core/v1 Events for operators: de-duplicated, rate-limited, written in the background (docs/spec/engine.md, E). */
import { hasReason } from '../api/errors.ts'
import { keyOf, type KubeObject } from '../api/object.ts'
import type { Clock } from '../../system/clock.ts'
import { randomHex, type Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import { timestamp } from '../../system/timestamp.ts'
import { RecentMap } from './recent-map.ts'
import type { EventType, Recorder } from './types.ts'

/** A core/v1 Event as it is sent; `metadata.namespace` is filled from the call. */
export type EventBody = {
  readonly apiVersion: 'v1'
  readonly kind: 'Event'
  readonly metadata: { readonly name: string; readonly namespace: string }
  readonly involvedObject: {
    readonly apiVersion: string
    readonly kind: string
    readonly name: string
    readonly namespace?: string
    readonly uid: string
    readonly resourceVersion: string
  }
  readonly type: EventType
  readonly reason: string
  readonly message: string
  readonly count: number
  readonly firstTimestamp: string
  readonly lastTimestamp: string
  readonly source: { readonly component: string }
  readonly reportingComponent: string
  readonly reportingInstance: string
}

/** Merge patch of an Event that has happened again. */
export type EventPatch = { readonly count: number; readonly lastTimestamp: string; readonly message: string }

/** Where events are written; failures are ApiError, NotFound from `patch` when the event has expired. */
export interface EventSink {
  create(namespace: string, event: EventBody): Promise<void>
  patch(namespace: string, name: string, patch: EventPatch): Promise<void>
}

/** A recorder with a life: `flush` waits for what is queued, `close` takes nothing more. */
export type EventRecorder = Recorder & {
  /** Resolves when everything so far is written or given up, or after `withinMs`. */
  flush(withinMs: number): Promise<void>
  close(): void
}

export type RecorderOptions = {
  readonly sink: EventSink
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  /** Who this process is among several; for reportingInstance. */
  readonly instance?: string
}

export const EVENT_COMPONENT = 'sprites-controller'
/** The same event within this time counts up instead of making a new object, as in client-go. */
export const SAME_EVENT_WITHIN_MS = 600_000
/** client-go's spam filter: so many events of one object at once, then one each five minutes. */
export const EVENT_BURST = 25
export const EVENT_REFILL_MS = 300_000
/** Writes under way at once, and events that may wait for theirs; more are dropped and counted. */
const WRITES_MAX = 4
export const EVENTS_WAITING_MAX = 1_000
const TRIES_MAX = 3
const RETRY_MS = 500
const REMEMBERED_MAX = 4_096
const MESSAGE_CHARS_MAX = 1_024
const NAME_CHARS_MAX = 236
/** Events of cluster-scoped objects go here, as Kubernetes does it. */
const CLUSTER_EVENTS_NAMESPACE = 'default'

/** One event and how often it has happened. */
type Happening = {
  readonly namespace: string
  readonly name: string
  body: Omit<EventBody, 'metadata'>
  lastAtMs: number
  isCreated: boolean
  isQueued: boolean
  isWriting: boolean
}

type Allowance = { tokens: number; atMs: number }

/** Builds a recorder over a sink. */
export function createRecorder(options: RecorderOptions): EventRecorder {
  const { sink, clock, entropy, log, metrics } = options
  const happenings = new RecentMap<Happening>(REMEMBERED_MAX)
  const allowances = new RecentMap<Allowance>(REMEMBERED_MAX)
  const queue: Happening[] = []
  const waiters = new Set<() => void>()
  const closing = new AbortController()
  let writing = 0
  const dropped = metrics.counter('sprites_events_dropped_total', 'Events that were not written.', ['reason'])

  const isAllowed = (uid: string): boolean => {
    const now = clock.monotonic()
    const before = allowances.get(uid) ?? { tokens: EVENT_BURST, atMs: now }
    const tokens = Math.min(EVENT_BURST, before.tokens + (now - before.atMs) / EVENT_REFILL_MS)
    allowances.set(uid, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: now })
    return tokens >= 1
  }

  const enqueue = (happening: Happening): void => {
    if (happening.isQueued) return
    if (queue.length >= EVENTS_WAITING_MAX) {
      dropped.add({ reason: 'queue' })
      return
    }
    happening.isQueued = true
    queue.push(happening)
    pump()
  }

  const pump = (): void => {
    while (writing < WRITES_MAX && queue.length > 0) {
      const at = queue.findIndex((happening) => !happening.isWriting)
      const happening = queue[at]
      if (happening === undefined) break
      queue.splice(at, 1)
      happening.isQueued = false
      happening.isWriting = true
      writing++
      void write(happening).then(() => {
        happening.isWriting = false
        writing--
        pump()
      })
    }
    if (writing === 0 && queue.length === 0) for (const waiter of waiters) waiter()
  }

  /** Writes the newest form of an event; never rejects. */
  const write = async (happening: Happening): Promise<void> => {
    for (let attempt = 1; attempt <= TRIES_MAX; attempt++) {
      try {
        await writeOnce(sink, happening)
        return
      } catch (error) {
        if (hasReason(error, 'NotFound') && happening.isCreated) {
          happening.isCreated = false
          continue
        }
        const isLast = attempt === TRIES_MAX || closing.signal.aborted || isRefusal(error)
        if (isLast) {
          dropped.add({ reason: 'error' })
          log.warn({ event: happening.name, namespace: happening.namespace, error: String(error) }, 'Event not written')
          return
        }
        await clock.sleep(RETRY_MS * attempt, closing.signal).catch(() => {})
      }
    }
  }

  const event: Recorder['event'] = (object, type, reason, message) => {
    if (closing.signal.aborted) return
    if (!isAllowed(object.metadata.uid)) {
      dropped.add({ reason: 'rate' })
      return
    }
    const text = message.length <= MESSAGE_CHARS_MAX ? message : `${message.slice(0, MESSAGE_CHARS_MAX - 1)}…`
    const id = JSON.stringify([object.metadata.uid, type, reason, text])
    const known = happenings.get(id)
    const isSame = known !== undefined && clock.monotonic() - known.lastAtMs < SAME_EVENT_WITHIN_MS
    const happening = isSame ? again(known) : first(object, { type, reason, message: text })
    happenings.set(id, happening)
    enqueue(happening)
  }

  const again = (known: Happening): Happening => {
    known.lastAtMs = clock.monotonic()
    known.body = { ...known.body, count: known.body.count + 1, lastTimestamp: timestamp(clock.now()) }
    return known
  }

  const first = (
    object: KubeObject,
    said: { readonly type: EventType; readonly reason: string; readonly message: string },
  ): Happening => {
    const { namespace, name } = keyOf(object)
    const at = timestamp(clock.now())
    return {
      namespace: namespace === '' ? CLUSTER_EVENTS_NAMESPACE : namespace,
      name: `${name.slice(0, NAME_CHARS_MAX)}.${randomHex(entropy, 8)}`,
      lastAtMs: clock.monotonic(),
      isCreated: false,
      isQueued: false,
      isWriting: false,
      body: {
        apiVersion: 'v1',
        kind: 'Event',
        involvedObject: {
          apiVersion: object.apiVersion,
          kind: object.kind,
          name,
          ...(namespace === '' ? {} : { namespace }),
          uid: object.metadata.uid,
          resourceVersion: object.metadata.resourceVersion,
        },
        ...said,
        count: 1,
        firstTimestamp: at,
        lastTimestamp: at,
        source: { component: EVENT_COMPONENT },
        reportingComponent: EVENT_COMPONENT,
        reportingInstance: options.instance ?? '',
      },
    }
  }

  const flush = async (withinMs: number): Promise<void> => {
    if (writing === 0 && queue.length === 0) return
    const timer = new AbortController()
    const { promise, resolve } = Promise.withResolvers<void>()
    waiters.add(resolve)
    await Promise.race([promise, clock.sleep(withinMs, timer.signal).catch(() => {})])
    waiters.delete(resolve)
    timer.abort()
  }

  const close = (): void => {
    queue.length = 0
    closing.abort()
  }

  return { event, flush, close }
}

async function writeOnce(sink: EventSink, happening: Happening): Promise<void> {
  const { namespace, name, body } = happening
  if (happening.isCreated) {
    await sink.patch(namespace, name, { count: body.count, lastTimestamp: body.lastTimestamp, message: body.message })
    return
  }
  // Said before the answer: if that is lost, a create again meets AlreadyExists, which says the same.
  await sink.create(namespace, { ...body, metadata: { name, namespace } }).catch((error: unknown) => {
    if (!hasReason(error, 'AlreadyExists')) throw error
  })
  happening.isCreated = true
}

/** Trying again would be refused again: the namespace is going, or the event is bad. */
const isRefusal = (error: unknown): boolean =>
  hasReason(error, 'Forbidden', 'NotFound', 'Invalid', 'BadRequest', 'Unauthorized', 'MethodNotAllowed')
