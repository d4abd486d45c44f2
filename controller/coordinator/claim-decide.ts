/** Decides which work a sprite gets when it claims, and what the claim writes. Pure. */
import type { Work } from '../kinds/work/schema.ts'
import { ATTEMPTS_KEPT, holdsWork, isStopped, type Holder } from './attempt.ts'

/** Whether the work waits for this sprite to claim it, or is in its hands already. */
export const isFor = (work: Work, holder: Holder): boolean =>
  !isStopped(work) &&
  (holdsWork(work, holder) || (work.status?.phase === 'Assigned' && work.status.assignedSprite === holder.sprite))

/** The work for this sprite, in order: what it has in hand first, then by priority, age and name. */
export const worksFor = (works: readonly Work[], holder: Holder): Work[] =>
  works
    .filter((work) => isFor(work, holder))
    .sort(
      (a, b) =>
        Number(holdsWork(b, holder)) - Number(holdsWork(a, holder)) ||
        b.spec.priority - a.spec.priority ||
        compare(a.metadata.creationTimestamp, b.metadata.creationTimestamp) ||
        compare(a.metadata.name, b.metadata.name),
    )

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b))

/** The status patch of a first claim: a new attempt with the next number, its fencing token. */
export function claimPatch(work: Work, holder: Holder, now: string): object {
  const number = (work.status?.attemptsTotal ?? 0) + 1
  const entry = { number, sprite: holder.sprite, incarnation: holder.incarnation, startTime: now }
  return {
    phase: 'InProgress',
    incarnation: holder.incarnation,
    attempt: number,
    attempts: [...(work.status?.attempts ?? []), entry].slice(-ATTEMPTS_KEPT),
    attemptsTotal: number,
    progress: null,
    ...(work.status?.startTime === undefined ? { startTime: now } : {}),
  }
}
