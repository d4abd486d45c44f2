/** Decides what a tenant says while the token ledger does not answer. Pure. */
import type { ConditionPatch } from '../../api/conditions.ts'
import type { PlaceProblem } from './place-conditions.ts'
import type { TenantWorld } from './world.ts'

/** What stands in the way; nothing that a person of the tenant could mend, so that Ready stays as it is. */
export function ledgerAway({
  plan,
  isLedgerAway,
}: Pick<TenantWorld, 'plan' | 'isLedgerAway'>): readonly PlaceProblem[] {
  if (isLedgerAway !== true) return []
  const policy = plan?.spec.whenLedgerUnavailable ?? 'Refuse'
  const fix = 'Bring Redis back (REDIS_URL); nothing else is to be done'
  const effect =
    policy === 'Allow'
      ? 'calls to the model are made and counted once it answers, as the plan allows'
      : 'calls to the model are refused and work waits, as the plan says (whenLedgerUnavailable)'
  const message = `The token ledger does not answer: ${effect}. ${fix}`
  return [{ message, blocker: { reason: 'LedgerUnavailable', fix } }]
}

/** The condition of its own; none while the ledger answers. */
export const ledgerConditions = (problems: readonly PlaceProblem[]): readonly ConditionPatch[] =>
  problems.map(({ message }) => ({
    type: 'LedgerUnavailable',
    status: 'True',
    reason: 'LedgerUnavailable',
    message,
  }))
