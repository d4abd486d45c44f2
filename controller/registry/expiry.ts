/** Deletes core Events an hour after they were last seen, in bounded batches, so that what has happened does not pile up. */
import type { CancelTimer, Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import { parseTimestamp } from '../../system/timestamp.ts'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { hasReason } from '../api/errors.ts'
import { keyOf, type KubeObject } from '../api/object.ts'
import { eventResource } from './core.ts'
import type { Registry, WriteContext } from './registry.ts'

/** How long an Event is kept after it was last counted. */
export const EVENT_TTL_MS = 3_600_000
const INTERVAL_MS = 60_000
/** Events that one round deletes at most; the next round takes the rest. */
const BATCH_EVENTS = 500

const CONTEXT: WriteContext = { actor: CONTROLLER_ACTOR, fieldManager: 'event-expiry' }

/** What the expiry of events needs of the process. */
export type EventExpiryPorts = { readonly registry: Registry; readonly clock: Clock; readonly log: Log }

/** Deletes events that are too old. */
export type EventExpiry = {
  start(): void
  /** Ends it and waits for the round that runs. */
  stop(): Promise<void>
}

/** When an Event was last seen, in ms since 1970. Pure. */
export function lastSeenMs(event: KubeObject): number {
  // Core Events have no schema here: whatever a client wrote is looked at with care.
  const { lastTimestamp, eventTime, series } = event as unknown as Readonly<Record<string, unknown>>
  const observed =
    typeof series === 'object' && series !== null && 'lastObservedTime' in series ? series.lastObservedTime : 0
  const times = [lastTimestamp, eventTime, observed, event.metadata.creationTimestamp]
  return Math.max(...times.map((time) => (typeof time === 'string' ? (parseTimestamp(time) ?? 0) : 0)))
}

/** The Events to delete now: the oldest first, at most a batch. Pure. */
export function expiredEvents(events: readonly KubeObject[], nowMs: number): readonly KubeObject[] {
  const aged = events.map((event) => ({ event, seenMs: lastSeenMs(event) }))
  return aged
    .filter(({ seenMs }) => nowMs - seenMs > EVENT_TTL_MS)
    .sort((left, right) => left.seenMs - right.seenMs)
    .slice(0, BATCH_EVENTS)
    .map(({ event }) => event)
}

/** Makes the expiry; a round runs each minute. */
export function createEventExpiry({ registry, clock, log }: EventExpiryPorts): EventExpiry {
  let cancel: CancelTimer | undefined
  let running: Promise<void> | undefined
  let isStopped = false

  const remove = async (event: KubeObject): Promise<void> => {
    const { uid, resourceVersion } = event.metadata
    try {
      await registry.delete(eventResource, keyOf(event), { preconditions: { uid, resourceVersion } }, CONTEXT)
    } catch (error) {
      // Counted once more, or gone already.
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error
    }
  }
  const round = async (): Promise<void> => {
    try {
      const { items } = await registry.list(eventResource, { resourceVersion: '0' })
      await Promise.all(expiredEvents(items, clock.now()).map(remove))
    } catch (error) {
      log.warn({ err: error }, 'deleting old events failed, trying again later')
    }
  }
  const schedule = (): void => {
    cancel = clock.after(
      INTERVAL_MS,
      () => {
        running = round().then(() => {
          if (!isStopped) schedule()
        })
      },
      { background: true },
    )
  }
  return {
    start: schedule,
    stop: async () => {
      isStopped = true
      cancel?.()
      await running
    },
  }
}
