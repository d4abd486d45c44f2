/** The gateway's refusals in the shape of the Messages API, so that any client of it understands them. */
import type { ServerResponse } from 'node:http'
import type { CoordinatorError, FaultReason } from '../fault.ts'
import { sendJson } from '../reply.ts'
import type { UpstreamFailure } from './upstream.ts'

/** Header that names the reason of a refusal in our own words. */
export const REASON_HEADER = 'x-sprite-reason'

const ERROR_TYPES: Record<FaultReason, string> = {
  Unauthorized: 'authentication_error',
  Forbidden: 'permission_error',
  BudgetExhausted: 'permission_error',
  NotFound: 'not_found_error',
  MethodNotAllowed: 'invalid_request_error',
  Fenced: 'invalid_request_error',
  TooLarge: 'request_too_large',
  Invalid: 'invalid_request_error',
  TooManyRequests: 'rate_limit_error',
  AnthropicKeyMissing: 'api_error',
  LedgerUnavailable: 'api_error',
  Unavailable: 'api_error',
}

/** Answers a refusal of the Coordinator's own. A wrong request is 400 here, as the Messages API has it. */
export function sendGatewayFault(response: ServerResponse, error: CoordinatorError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.setHeader(REASON_HEADER, error.reason)
  // The caller's SDK must not try again by itself: each try is a call of its own.
  response.setHeader('x-should-retry', 'false')
  if (error.reason === 'TooLarge') response.setHeader('connection', 'close')
  const { retryAfterMs } = error.details
  if (retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1_000))
  const code = error.reason === 'Invalid' ? 400 : error.code
  sendJson(response, code, { type: 'error', error: { type: ERROR_TYPES[error.reason], message: error.message } })
}

/** Passes on a failure of the upstream. */
export function sendUpstreamFailure(response: ServerResponse, failure: UpstreamFailure): void {
  if (failure.retryAfterS !== undefined) response.setHeader('retry-after', failure.retryAfterS)
  response.setHeader('x-should-retry', 'false')
  sendJson(response, failure.status, { type: 'error', error: { type: failure.type, message: failure.message } })
}
