/** Decides from the attempts of a work whether, and from when on, it may be tried again. Pure. */
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import { parseTimestamp, timestamp } from '../../../system/timestamp.ts'
import { isAhead } from '../clock-ahead.ts'
import type { Attempt, Work } from './schema.ts'

/** Between failed attempts: 5 s doubling to 5 min. */
const RETRY_BACKOFF: BackoffPolicy = { baseMs: 5_000, maxMs: 300_000, jitter: 0 }
/** While something outside is in the way (budget, a blocked agent): 30 s doubling to 15 min. */
const BLOCKED_BACKOFF: BackoffPolicy = { baseMs: 30_000, maxMs: 900_000, jitter: 0 }

/** How often a work may be lost with its sprite beyond its maxAttempts of real failures (promises.md S5: dead letter). */
export const LOST_ATTEMPTS_MAX = 5

/** How often a work may find the model away; by then that has lasted for hours. */
export const OUTAGE_ATTEMPTS_MAX = 20

const isOutage = (attempt: Attempt): boolean => attempt.outcome === 'Blocked' && attempt.reason === 'ModelUnavailable'
const failed = (attempt: Attempt): boolean => attempt.outcome === 'Failed'
const lost = (attempt: Attempt): boolean => attempt.outcome === 'Lost'
/** A drained sprite gives its work back unharmed. */
const isDrained = (attempt: Attempt): boolean => attempt.outcome === 'Blocked' && attempt.reason === 'Drained'

/** The attempts since it was last asked to be tried again: those before count against it no more. */
export const countedAttempts = (work: Work): readonly Attempt[] => {
  const { attempts = [], attemptsBefore = 0 } = work.status ?? {}
  return attempts.filter((attempt) => attempt.number > attemptsBefore)
}

/** Whether it has ended without a result, and was asked to be tried again since. */
export const isToBeRetried = ({ spec, status }: Pick<Work, 'spec' | 'status'>): boolean =>
  (status?.phase === 'Failed' || status?.phase === 'Cancelled') && (spec.retries ?? 0) > (status.retries ?? 0)

/** The last counted attempt that ended, if any. */
export const lastAttempt = (work: Work): Attempt | undefined =>
  countedAttempts(work).findLast((attempt) => attempt.outcome !== undefined)

/** Whether every try that the spec grants has failed, or it was lost or found no model too often. */
export function attemptsAreExhausted(work: Work): boolean {
  const attempts = countedAttempts(work)
  return (
    attempts.filter(failed).length >= work.spec.maxAttempts ||
    attempts.filter(lost).length >= LOST_ATTEMPTS_MAX ||
    attempts.filter(isOutage).length >= OUTAGE_ATTEMPTS_MAX
  )
}

/** Not before then (ms since 1970) may it be tried again; 0 when at once, as after an end that is in the future. */
export function retryNotBeforeMs(work: Work, nowMs: number): number {
  const attempts = countedAttempts(work)
  const last = lastAttempt(work)
  const endedAtMs = parseTimestamp(last?.endTime)
  if (last === undefined || endedAtMs === undefined || isAhead(last.endTime, nowMs)) return 0
  if (last.outcome === 'InReview' || isDrained(last)) return 0
  if (last.outcome === 'Failed') return endedAtMs + backoffMs(RETRY_BACKOFF, attempts.filter(failed).length, 0)
  if (last.outcome === 'Blocked')
    return (
      endedAtMs +
      backoffMs(
        BLOCKED_BACKOFF,
        trailing(attempts, (attempt) => attempt.outcome === 'Blocked'),
        0,
      )
    )
  return last.outcome === 'Lost' && trailing(attempts, lost) > 1
    ? endedAtMs + backoffMs(RETRY_BACKOFF, trailing(attempts, lost) - 1, 0)
    : 0
}

/** How many attempts at the end of the list are all of a sort. */
function trailing(attempts: readonly Attempt[], is: (attempt: Attempt) => boolean): number {
  let count = 0
  for (let at = attempts.length - 1; at >= 0; at--) {
    const attempt = attempts[at]
    if (attempt === undefined || !is(attempt)) break
    count++
  }
  return count
}

/** The attempts with the open one closed. */
export const closeAttempt = (
  work: Work,
  end: {
    readonly atMs: number
    readonly outcome: NonNullable<Attempt['outcome']>
    readonly reason: string
    readonly message: string
  },
): Attempt[] =>
  (work.status?.attempts ?? []).map((attempt) =>
    attempt.outcome === undefined
      ? {
          ...attempt,
          endTime: timestamp(end.atMs),
          outcome: end.outcome,
          reason: end.reason,
          message: end.message.slice(0, 1000),
        }
      : attempt,
  )
