/** One request and its response as values, so that the API is tested without a socket. Pure. */
import { ApiError, statusOf } from '../api/errors.ts'
import type { AnsweredObject } from './audit-event.ts'

/** Headers of a request, by their names in lower case. */
export type RequestHeaders = Pick<ReadonlyMap<string, string>, 'get' | 'has' | 'keys'>

/** A request, whatever it came over. */
export type ApiRequest = {
  readonly method: string
  readonly url: URL
  /** Names in lower case. Of those that come more than once the values are joined: Impersonate-* and X-Remote-* by line breaks. */
  readonly headers: RequestHeaders
  /** The whole body; rejects with ApiError RequestEntityTooLarge when it is over the limit. At most once. */
  readonly readBody: () => Promise<Uint8Array>
  /** The address that it came from, for the log. */
  readonly source?: string
  /** Aborts when the client has gone, and when the answer has ended: nothing is owed to anybody then. */
  readonly signal: AbortSignal
  /** Whether credentials may travel on this connection: TLS, or plain http on a loopback listener. */
  readonly isTrustedTransport: boolean
  /** Whether it came in by plain http on a loopback listener, where a foreign Host is an attack (DNS rebinding). */
  readonly isLoopbackHttp: boolean
  /** Whether it came over the connection of a front proxy, whose word for who calls is taken. */
  readonly isFrontProxy?: boolean
}

/** An answer before it is written to a socket. */
export type ApiResponse = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /**
   * An AsyncIterable is a stream: its headers are flushed before the first chunk. A generator is one answer in pieces,
   * made as the client takes them.
   */
  readonly body: string | Uint8Array | Pieces | ByteStream
  /** What it is about, for the audit log. */
  readonly about?: AnsweredObject
}

/** A body that is sent as it comes; a chunk of a watch is one event, newline included. */
export type ByteStream = AsyncIterable<string | Uint8Array>

/** A large body in pieces. */
export type Pieces = Generator<Uint8Array>

/** Whether a body is sent as it comes. */
export const isStream = (body: ApiResponse['body']): body is ByteStream =>
  typeof body === 'object' && Symbol.asyncIterator in body

/** Whether a body is whole. */
export const isWhole = (body: ApiResponse['body']): body is string | Uint8Array =>
  typeof body === 'string' || body instanceof Uint8Array

/** A JSON response. */
export const jsonResponse = (
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): ApiResponse => ({
  status,
  headers: { 'Content-Type': 'application/json', ...headers },
  body: `${JSON.stringify(body)}\n`,
})

/** A plain text response. */
export const textResponse = (status: number, text: string, contentType = 'text/plain; charset=utf-8'): ApiResponse => ({
  status,
  headers: { 'Content-Type': contentType, 'X-Content-Type-Options': 'nosniff' },
  body: text,
})

/** The Status response of a refusal, with Retry-After where it is known. */
export function errorResponse(error: ApiError): ApiResponse {
  const retryAfterSeconds = error.details.retryAfterSeconds
  const headers = retryAfterSeconds === undefined ? {} : { 'Retry-After': String(retryAfterSeconds) }
  return jsonResponse(error.code, statusOf(error), headers)
}

/** Any thrown value as an ApiError; what is not one becomes InternalError without its text, which may hold secrets. */
export const toApiError = (error: unknown): ApiError =>
  error instanceof ApiError
    ? error
    : new ApiError('InternalError', 'Internal error occurred; the log has it under the Audit-Id', {}, { cause: error })

/** The answer to a path that is not served, in kube-apiserver's words. */
export const notServed = (): ApiError => new ApiError('NotFound', 'the server could not find the requested resource')

/** The answer to a method that a path does not offer, in kube-apiserver's words. */
export const methodNotAllowed = (): ApiError =>
  new ApiError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
