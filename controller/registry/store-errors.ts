/** Turns a failure of the store into the refusal that a client understands. */
import { ApiError, hasReason } from '../api/errors.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { StoreError } from '../store/store.ts'
import { alreadyExists, notFound, stale } from './refusals.ts'

/** The ApiError of a StoreError; anything else is passed on as it is. */
export function apiErrorOf(error: unknown, resource: ResourceDefinition, name = ''): unknown {
  if (!(error instanceof StoreError)) return error
  switch (error.reason) {
    case 'Conflict':
      return stale(resource, name, error)
    case 'AlreadyExists':
      return alreadyExists(resource, name)
    case 'NotFound':
      return notFound(resource, name)
    case 'Expired':
      return expired(error)
    case 'Closed':
    case 'Unavailable':
    case 'Denied':
      return new ApiError('ServiceUnavailable', error.message, {}, { cause: error })
    case 'TooLarge':
      return new ApiError('RequestEntityTooLarge', error.message, {}, { cause: error })
    case 'Corrupt':
    case 'Unreadable':
      return new ApiError('InternalError', error.message, {}, { cause: error })
  }
}

/** Whether a write lost against another that came between its read and its commit; no other Conflict is one. */
export const isLostRace = (error: unknown): boolean => hasReason(error, 'Conflict') && error.cause instanceof StoreError

/** The revision asked for has left the window: list anew. */
export const expired = (cause?: unknown): ApiError =>
  new ApiError('Expired', 'The resourceVersion is too old: list again', {}, { cause })

/** Runs a call of the store and turns its failure into an ApiError. */
export async function fromStore<T>(resource: ResourceDefinition, name: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw apiErrorOf(error, resource, name)
  }
}
