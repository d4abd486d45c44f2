/** Writes the Coordinator's answers: JSON, nothing, or a refusal in the one shape of the contract. */
import type { ServerResponse } from 'node:http'
import type { CoordinatorError } from './fault.ts'

/** Answers with JSON; does nothing when the answer has begun or the client is gone. */
export function sendJson(response: ServerResponse, code: number, body: object): void {
  if (response.headersSent || response.destroyed) return
  const text = JSON.stringify(body)
  response.writeHead(code, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  })
  response.end(text)
}

/** Answers 204. */
export function sendNothing(response: ServerResponse): void {
  if (!response.headersSent) response.writeHead(204).end()
}

/** Answers a refusal as `{error: {reason, message}}`. */
export function sendFault(response: ServerResponse, error: CoordinatorError): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  if (error.reason === 'Unauthorized') response.setHeader('www-authenticate', 'Bearer')
  // What is left of an over-long body is not read: the connection cannot be used again.
  if (error.reason === 'TooLarge') response.setHeader('connection', 'close')
  const { retryAfterMs, issues } = error.details
  if (retryAfterMs !== undefined) response.setHeader('retry-after', Math.ceil(retryAfterMs / 1_000))
  sendJson(response, error.code, {
    error: { reason: error.reason, message: error.message, ...(issues === undefined ? {} : { issues }) },
  })
}
