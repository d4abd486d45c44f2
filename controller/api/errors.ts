/** The errors of the API, as a closed set of Kubernetes reasons with their HTTP codes. Pure. */

/** One cause of a refusal, as metav1.StatusCause: `field` is a path such as `spec.regions[0]`. */
export type Cause = { readonly reason: string; readonly message: string; readonly field?: string }

/** HTTP code of each reason. AlreadyExists and Conflict are both 409, told apart by reason. */
export const REASON_CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const

/** Machine-readable reason of a refusal, as in Kubernetes' Status. */
export type Reason = keyof typeof REASON_CODES

/** What a refusal says besides reason and message, as in Kubernetes' StatusDetails. */
export type ErrorDetails = {
  readonly name?: string
  readonly group?: string
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly Cause[]
  readonly retryAfterSeconds?: number
}

/** A refusal by registry, client or server. `reason` is what callers switch on, never the text. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly reason: Reason
  readonly details: ErrorDetails

  constructor(reason: Reason, message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
    this.details = details
  }

  /** The HTTP status code of the reason. */
  get code(): number {
    return REASON_CODES[this.reason]
  }
}

/** Whether an unknown error is an ApiError with one of these reasons. */
export const hasReason = (error: unknown, ...reasons: readonly Reason[]): error is ApiError =>
  error instanceof ApiError && reasons.includes(error.reason)

/** metav1.Status of an error, the body of every refusal on the wire. */
export function statusOf(error: ApiError): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: error.message,
    reason: error.reason,
    // An empty one too: kubectl looks into that of a path that is not served, and falls when there is none.
    ...(Object.keys(error.details).length === 0 && error.reason !== 'NotFound' ? {} : { details: error.details }),
    code: error.code,
  }
}
