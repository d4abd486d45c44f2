/** Sends requests to the API over one kept-alive connection, with the CA and token of a kubeconfig. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { ApiError, REASON_CODES, type ErrorDetails, type Reason } from '../../api/errors.ts'
import { isJsonObject } from '../../api/patches.ts'
import { CliFailure } from '../failure.ts'
import type { Connection } from './connection.ts'
import { warningsIn } from './warnings.ts'

/** One request to the API. */
export type ApiRequestOptions = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly query?: Readonly<Record<string, string | undefined>>
  /** Sent as JSON. */
  readonly body?: unknown
  readonly contentType?: string
  readonly accept?: string
  readonly signal?: AbortSignal
}

/** Requests to the API of one server. */
export type HttpClient = {
  /** The parsed JSON of the answer. Throws ApiError as the server refuses, CliFailure when it cannot be asked. */
  readonly json: (path: string, options?: ApiRequestOptions) => Promise<unknown>
  /** The text of the answer as it comes. Throws as `json` does. */
  readonly text: (path: string, options?: ApiRequestOptions) => AsyncGenerator<string>
  readonly close: () => void
}

/** Takes a warning of the server. */
export type OnWarning = (text: string) => void

const ignore: OnWarning = () => undefined

/** The longest answer that is read as one, in characters. */
const ANSWER_CHARS_MAX = 256 * 1024 * 1024

/** A client; close it, or its connection keeps the process alive. `onWarning` takes what the server says of requests. */
export function createHttpClient(connection: Connection, onWarning: OnWarning = ignore): HttpClient {
  const base = serverUrl(connection.server)
  const isTls = base.protocol === 'https:'
  const agent = isTls ? new HttpsAgent({ keepAlive: true, ca: connection.caCert }) : new HttpAgent({ keepAlive: true })
  const send = (path: string, options: ApiRequestOptions): Promise<IncomingMessage> =>
    answerTo({ base, path, isTls, options, request: { agent }, headers: headersOf(connection, options) })
  async function* text(path: string, options: ApiRequestOptions = {}): AsyncGenerator<string> {
    const response = await send(path, options)
    if ((response.statusCode ?? 500) >= 400) throw refusalOf(await wholeOf(response), response.statusCode ?? 500)
    response.setEncoding('utf8')
    try {
      yield* response as AsyncIterable<string>
    } catch (error) {
      if (options.signal?.aborted) return
      throw unreachable(base, error)
    }
  }
  return {
    json: async (path, options = {}) => {
      const response = await send(path, options)
      for (const text of warningsIn(response.headersDistinct['warning'] ?? [])) onWarning(text)
      const body = await wholeOf(response)
      const code = response.statusCode ?? 500
      if (code >= 400) throw refusalOf(body, code)
      return parsed(body)
    },
    text,
    close: () => agent.destroy(),
  }
}

function serverUrl(server: string): URL {
  const url = URL.parse(server)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:'))
    throw new CliFailure('Usage', `Name the server as a URL, such as https://127.0.0.1:8443: got "${server}"`)
  return url
}

const headersOf = (connection: Connection, options: ApiRequestOptions): Record<string, string> => ({
  authorization: `Bearer ${connection.token}`,
  accept: options.accept ?? 'application/json',
  'user-agent': 'spritectl',
  ...(options.body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
})

type Sending = {
  readonly base: URL
  readonly path: string
  readonly isTls: boolean
  readonly options: ApiRequestOptions
  readonly request: RequestOptions
  readonly headers: Readonly<Record<string, string>>
}

function answerTo({ base, path, isTls, options, request, headers }: Sending): Promise<IncomingMessage> {
  const url = new URL(base.pathname.replace(/\/$/, '') + path, base)
  for (const [name, value] of Object.entries(options.query ?? {}))
    if (value !== undefined) url.searchParams.set(name, value)
  const { method = 'GET', signal } = options
  const body = options.body === undefined ? undefined : Buffer.from(JSON.stringify(options.body))
  // Node frames no body of a DELETE by itself.
  const length = body === undefined ? {} : { 'content-length': String(body.length) }
  return new Promise((resolve, reject) => {
    const sent = (isTls ? httpsRequest : httpRequest)(
      url,
      { ...request, headers: { ...headers, ...length }, method, ...(signal === undefined ? {} : { signal }) },
      resolve,
    )
    sent.once('error', (error) => reject(signal?.aborted === true ? error : unreachable(base, error)))
    sent.end(body)
  })
}

async function wholeOf(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8')
  let text = ''
  for await (const chunk of response as AsyncIterable<string>) {
    text += chunk
    if (text.length > ANSWER_CHARS_MAX) throw new CliFailure('Refused', 'The answer is too large: ask for less')
  }
  return text
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CliFailure('Unreachable', 'The answer is not JSON: is this the API of a control plane?', { cause })
  }
}

/** The ApiError of a Status body; of its code alone when the body is none. */
function refusalOf(body: string, code: number): Error {
  if (code === 401)
    return new CliFailure('Unauthorized', 'The server does not know this token: use the kubeconfig of its data folder')
  const status = jsonOrNothing(body)
  const reason = isJsonObject(status) ? status['reason'] : undefined
  if (!isJsonObject(status) || typeof reason !== 'string' || !Object.hasOwn(REASON_CODES, reason))
    return new CliFailure('Refused', `The server answered with code "${code}", not with a Status`)
  // Looked up above; details are as the server of the same package writes them.
  const message = typeof status['message'] === 'string' ? status['message'] : reason
  return new ApiError(reason as Reason, message, (status['details'] ?? {}) as ErrorDetails)
}

function jsonOrNothing(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/** What a failed connection means for a person, by node's code. */
function unreachable(base: URL, cause: unknown): CliFailure {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const where = `${base.protocol}//${base.host}`
  if (code === 'ECONNREFUSED')
    return new CliFailure('Unreachable', `Nothing listens at ${where}: is it running? Start it with "npm start"`, {
      cause,
    })
  if (CERTIFICATE_CODES.has(code))
    return new CliFailure(
      'Certificate',
      `Cannot trust the certificate of ${where} (${code}): use the kubeconfig of its own data folder`,
      { cause },
    )
  const why = code === '' ? String(cause instanceof Error ? cause.message : cause) : code
  return new CliFailure('Unreachable', `Cannot reach ${where} (${why}): check --server and the network`, { cause })
}
