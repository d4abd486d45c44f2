/** Decides whether an attempt is the current one and how the list of attempts changes. Pure. */
import { isDeleting } from '../api/object.ts'
import type { Attempt, Work } from '../kinds/work/schema.ts'

/** The schema of Work keeps so many attempts; older ones are dropped. */
export const ATTEMPTS_KEPT = 40

/** One incarnation of one sprite: what may hold an attempt. */
export type Holder = { readonly sprite: string; readonly incarnation: number }

/** Whether the holder is at this attempt of the work now. */
export const holdsAttempt = (work: Work, holder: Holder, attempt: number): boolean =>
  holdsWork(work, holder) && work.status?.attempt === attempt

/** Whether the holder has claimed the work and it is still in its hands. */
export const holdsWork = (work: Work, holder: Holder): boolean =>
  work.status?.phase === 'InProgress' &&
  work.status.assignedSprite === holder.sprite &&
  work.status.incarnation === holder.incarnation

/** Whether nothing of the work is wanted any more. */
export const isStopped = (work: Work): boolean => work.spec.cancelled || isDeleting(work)

/** The record of an attempt that this holder made. */
export const attemptOf = (work: Work, holder: Holder, attempt: number): Attempt | undefined =>
  work.status?.attempts?.find(
    (entry) => entry.number === attempt && entry.sprite === holder.sprite && entry.incarnation === holder.incarnation,
  )

/** The attempts with one of them changed. */
export const withAttempt = (
  attempts: readonly Attempt[] | undefined,
  number: number,
  change: Partial<Attempt>,
): Attempt[] => (attempts ?? []).map((entry) => (entry.number === number ? { ...entry, ...change } : entry))
