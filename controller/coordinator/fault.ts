/** The refusals of the Coordinator as a closed set of reasons with their HTTP codes. Pure. */

/** HTTP code of each reason; see protocol/coordinator.ts. */
export const FAULT_CODES = {
  Unauthorized: 401,
  Forbidden: 403,
  BudgetExhausted: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  Fenced: 409,
  TooLarge: 413,
  Invalid: 422,
  TooManyRequests: 429,
  AnthropicKeyMissing: 503,
  LedgerUnavailable: 503,
  Unavailable: 503,
} as const

/** Why a request of the Coordinator's API is refused. */
export type FaultReason = keyof typeof FAULT_CODES

/** What a refusal says besides reason and message. */
export type FaultDetails = {
  /** The first faults of a body, as `path: what is wrong`. */
  readonly issues?: readonly string[]
  /** When trying again may go better. */
  readonly retryAfterMs?: number
}

/** A refusal by the Coordinator; callers switch on `reason`. */
export class CoordinatorError extends Error {
  override readonly name = 'CoordinatorError'
  readonly reason: FaultReason
  readonly details: FaultDetails

  constructor(reason: FaultReason, message: string, details: FaultDetails = {}, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
    this.details = details
  }

  /** The HTTP status code of the reason. */
  get code(): number {
    return FAULT_CODES[this.reason]
  }
}
