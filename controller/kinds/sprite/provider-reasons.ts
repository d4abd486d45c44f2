/** The table from a provider's error to the condition reason of a sprite. Pure. */
import type { Condition, ConditionPatch } from '../../api/conditions.ts'
import type { ProviderErrorReason } from '../../providers/machines.ts'

const REASONS: Readonly<Record<ProviderErrorReason, string>> = {
  OutcomeUnknown: 'ProviderUnavailable',
  Unavailable: 'ProviderUnavailable',
  RateLimited: 'RateLimited',
  CredentialsInvalid: 'CredentialsInvalid',
  InvalidSpec: 'InvalidSpec',
  NoCapacity: 'NoCapacity',
  QuotaExceeded: 'QuotaExceeded',
  NameConflict: 'NameConflict',
  NotReady: 'Starting',
  NotFound: 'ProviderRefused',
  Frozen: 'Frozen',
  Unexpected: 'ProviderRefused',
}

/** The condition reason for a provider's error. */
export const reasonOf = (reason: ProviderErrorReason): string => REASONS[reason]

/** Errors that go on until somebody acts. */
const TERMINAL: ReadonlySet<ProviderErrorReason> = new Set([
  'InvalidSpec',
  'CredentialsInvalid',
  'NameConflict',
  'QuotaExceeded',
])

/** Whether a person has to act before another try can go better; it is tried again all the same, seldom. */
export const isTerminalReason = (reason: ProviderErrorReason): boolean => TERMINAL.has(reason)

const REQUEST_ID = / \(fly-request-id [^)\s]*\)/

/**
 * The conditions with the request id that stands already, where they say the same apart from it: it differs from try to
 * try, and each try would be a write.
 */
export function withStandingRequestId(
  before: readonly Condition[] | undefined,
  next: readonly ConditionPatch[],
): ConditionPatch[] {
  return next.map((patch) => {
    const old = before?.find(({ type, status }) => type === patch.type && status === patch.status)
    return old?.reason === patch.reason && sayTheSame(old.message, patch.message)
      ? { ...patch, message: old.message }
      : patch
  })
}

/** Of one that was cut to fit, what is left of it counts. */
function sayTheSame(a: string, b: string): boolean {
  if (!REQUEST_ID.test(a) || !REQUEST_ID.test(b)) return false
  const [bareA, bareB] = [a.replace(REQUEST_ID, ''), b.replace(REQUEST_ID, '')]
  const isBegunBy = (whole: string, part: string): boolean =>
    part.endsWith('…') && whole.startsWith(part.slice(0, -1).trimEnd())
  return bareA === bareB || isBegunBy(bareA, bareB) || isBegunBy(bareB, bareA)
}
