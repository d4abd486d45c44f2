/** The table from a provider's error to the condition reason of a sprite. Pure. */
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
