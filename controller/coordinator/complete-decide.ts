/** Decides what the completion or failure of an attempt writes into the status of its work. Pure. */
import type { CompleteRequest, FailRequest } from '../../protocol/coordinator.ts'
import { totalTokens } from '../kinds/fields.ts'
import type { Attempt, HandOff, Work, WorkStatus } from '../kinds/work/schema.ts'
import { attemptOf, withAttempt, type Holder } from './attempt.ts'
import type { Sha256 } from './hand-off.ts'
import { addUsage, type Measured } from './usage-meter.ts'

/** What a completion is judged by. */
export type Completion = {
  readonly work: Work
  readonly request: CompleteRequest
  readonly handOffs: readonly HandOff[]
  readonly reviews: NonNullable<WorkStatus['reviews']>
  readonly measured: Measured
  /** RFC 3339. */
  readonly now: string
  readonly sha256: Sha256
}

/** The one status write of a completion: results, what follows from them, usage, and the end of the attempt. */
export function completionPatch(completion: Completion): object {
  const { work, request, reviews, now } = completion
  const phase = reviews.length === 0 ? 'Completed' : 'InReview'
  return {
    phase,
    output: replacing(work.status?.output, {
      ...request.output,
      ...(request.verdict === undefined ? {} : { verdict: request.verdict }),
      summary: request.summary,
    }),
    deliverables: deliverablesOf(request, completion.sha256),
    handOffs: completion.handOffs,
    reviews,
    attempts: withAttempt(work.status?.attempts, request.attempt, {
      endTime: now,
      outcome: phase,
      tokens: totalTokens(completion.measured.usage),
    }),
    progress: null,
    ...usagePatch(work, completion.measured),
    ...(phase === 'Completed' ? { completionTime: now } : {}),
  }
}

/** The merge patch that turns the old object into the next: what an earlier round left is taken away (RFC 7396). */
function replacing(old: unknown, next: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const removed = Object.keys(plainObject(old) ?? {}).filter((key) => !Object.hasOwn(next, key))
  const entries = Object.entries(next).map(([key, value]): [string, unknown] => {
    const inner = plainObject(value)
    return [key, inner === undefined ? value : replacing(plainObject(old)?.[key], inner)]
  })
  return Object.fromEntries([...removed.map((key): [string, unknown] => [key, null]), ...entries])
}

const plainObject = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  // An object that is neither null nor an array is a record of unknowns.
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined

/** Deliverables by name; a name that comes again replaces the one before. */
function deliverablesOf(request: CompleteRequest, sha256: Sha256): NonNullable<WorkStatus['deliverables']> {
  const byName = new Map(request.deliverables.map((one) => [one.name, one]))
  return [...byName.values()].map(({ name, mediaType, content }) => ({
    name,
    mediaType,
    content,
    digest: `sha256:${sha256(content)}`,
  }))
}

/** The work's totals with what the gateway measured of this attempt. */
function usagePatch(work: Work, measured: Measured): object {
  const usage = addUsage(
    work.status?.usage ?? { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 },
    measured.usage,
  )
  return {
    usage,
    tokensTotal: totalTokens(usage),
    ...(measured.model === undefined ? {} : { model: measured.model, rehearsal: measured.rehearsal }),
  }
}

/** Ways to fail that never end a work: they say nothing against it. */
const NEVER_FINAL: ReadonlySet<string> = new Set(['Drained', 'BudgetExhausted'])

/** Ways to fail that are not counted among maxAttempts: something outside the work was in the way. */
const OUTSIDE: ReadonlySet<string> = new Set(['Blocked', 'Drained', 'BudgetExhausted', 'ModelUnavailable'])

/** The one status write of a failed attempt: back to Pending, or Failed where no attempt can go better. */
export function failurePatch(failure: {
  readonly work: Work
  readonly request: FailRequest
  readonly measured: Measured
  readonly now: string
  /** The tenant's tokens of a month; null is unlimited. */
  readonly budgetTokens: number | null
}): object {
  const { work, request, measured, now, budgetTokens } = failure
  const isFinal = !request.retryable && !NEVER_FINAL.has(request.reason)
  return {
    attempts: withAttempt(work.status?.attempts, request.attempt, {
      endTime: now,
      outcome: OUTSIDE.has(request.reason) ? 'Blocked' : 'Failed',
      reason: request.reason,
      message: request.message,
      ...(request.reason === 'BudgetExhausted' && budgetTokens !== null ? { budgetTokens } : {}),
      tokens: totalTokens(measured.usage),
    }),
    progress: null,
    ...usagePatch(work, measured),
    ...(isFinal
      ? { phase: 'Failed', completionTime: now }
      : { phase: 'Pending', assignedSprite: null, incarnation: null, assignedTime: null }),
  }
}

/** Whether this attempt of this holder has ended so before: the same report again changes nothing. */
export function endedAs(
  work: Work,
  attempt: Holder & { readonly number: number },
  outcomes: readonly Attempt['outcome'][],
): boolean {
  const entry = attemptOf(work, attempt, attempt.number)
  return entry?.outcome !== undefined && outcomes.includes(entry.outcome)
}
