/** Says what a failed call of Firestore's means to callers of the store. Pure. */
import { StoreError, type StoreKey } from '../store.ts'
import { CODE, type CallFailure } from './calls.ts'

/** Whether the write may have been applied all the same, or may be yet. */
export const isOutcomeUnknown = (code: number): boolean =>
  code === CODE.DeadlineExceeded ||
  code === CODE.Unavailable ||
  code === CODE.Internal ||
  code === CODE.Unknown ||
  code === CODE.Cancelled

/** Whether a condition of a write did not hold. */
export const isRefusedPrecondition = (code: number): boolean =>
  code === CODE.FailedPrecondition || code === CODE.AlreadyExists || code === CODE.NotFound

/** The error that callers see for a failure that repeating does not help; `doing` begins its message. */
export function storeErrorOf(failure: CallFailure, doing: string, key?: StoreKey): StoreError {
  const [reason, text] = meaningOf(failure)
  return new StoreError(reason, `Cannot ${doing}: ${text}`, key, { cause: failure })
}

function meaningOf({ code, message }: CallFailure): readonly ['Denied' | 'TooLarge' | 'Unavailable', string] {
  if (code === CODE.PermissionDenied)
    return [
      'Denied',
      'Firestore permits it not; grant the role of firestore/role.yaml on this database to the service account',
    ]
  if (code === CODE.Unauthenticated)
    return [
      'Denied',
      'there are no credentials for Firestore; set GOOGLE_APPLICATION_CREDENTIALS or run on a service account',
    ]
  if (code === CODE.InvalidArgument)
    return ['TooLarge', `Firestore does not take the document (${message}); make it smaller`]
  if (code === CODE.ResourceExhausted)
    return ['Unavailable', "Firestore's quota is used up; try again in 10 s, or raise the quota"]
  if (code === CODE.NotFound)
    return ['Unavailable', 'there is no such database; create it in native mode, or correct FIRESTORE_DATABASE']
  return ['Unavailable', `Firestore does not answer (code ${code}); try again in 1 s`]
}
