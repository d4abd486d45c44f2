/** Talks HTTP to one origin over kept-alive connections: JSON calls and one line stream, each bounded in time and size. */
import type * as http from 'node:http'
import type { Clock } from '../system/clock.ts'

/**
 * Not imported: an import of node:http reads each of its exports, and one of them loads undici, which takes 50 ms and
 * 14 MiB of a start.
 */
const NODE_HTTP = process.getBuiltinModule('node:http')

/** A reply with its whole body. */
export type HttpReply = { readonly status: number; readonly headers: http.IncomingHttpHeaders; readonly text: string }

/** One request and how long it may take. */
export type HttpCall = {
  readonly method: 'GET' | 'POST'
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal | undefined
}

/** One stream of lines and how long it may be silent. */
export type HttpStream = {
  readonly path: string
  readonly signal: AbortSignal
  /** Called once when the server has answered 200. */
  readonly onOpen: () => void
  readonly onLine: (line: string) => void
}

/** Requests to one server over kept-alive connections. */
export interface Http {
  /** The reply, whatever its status. HttpError by reason: Unreachable, TimedOut, TooLarge, Aborted. */
  call(call: HttpCall): Promise<HttpReply>
  /** Resolves with the reply when the status is not 200, and with undefined when the stream has ended. */
  stream(stream: HttpStream): Promise<HttpReply | undefined>
  /** Closes every connection. */
  close(): void
}

/** Why there is no usable reply. */
export type HttpErrorReason = 'Unreachable' | 'TimedOut' | 'TooLarge' | 'Aborted'

/** No usable reply came. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly reason: HttpErrorReason

  constructor(reason: HttpErrorReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Which server, and how to enter. */
export type HttpOptions = {
  readonly baseUrl: string
  readonly token: string
  readonly clock: Clock
  /** Longest wait for a reply. */
  readonly timeoutMs?: number
  /** Longest silence of a stream; the Coordinator pings each 15 s. */
  readonly silenceMs?: number
  /** Most bytes of a reply, and most characters of a stream's line. */
  readonly sizeBytesMax?: number
}

const CALL_TIMEOUT_MS = 10_000
const STREAM_SILENCE_MS = 45_000
const REPLY_SIZE_BYTES_MAX = 16 * 2 ** 20
/** Heartbeats must not wait behind a large result; a third call would. */
const SOCKETS_MAX = 2

type Connection = {
  readonly client: Pick<typeof http, 'request' | 'Agent'>
  readonly base: URL
  readonly token: string
  readonly clock: Clock
  readonly timeoutMs: number
  readonly silenceMs: number
  readonly sizeMax: number
}

/** HTTP to `baseUrl` with the sprite's bearer token on each request. http: and https: only. */
export function createHttp(options: HttpOptions): Http {
  const base = new URL(options.baseUrl)
  // node:tls costs start-up time that a Coordinator on a private network does not need.
  const client = base.protocol === 'https:' ? process.getBuiltinModule('node:https') : NODE_HTTP
  const agent = new client.Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: SOCKETS_MAX })
  const streamAgent = new client.Agent({ keepAlive: false })
  const connection: Connection = {
    client,
    base,
    token: options.token,
    clock: options.clock,
    timeoutMs: options.timeoutMs ?? CALL_TIMEOUT_MS,
    silenceMs: options.silenceMs ?? STREAM_SILENCE_MS,
    sizeMax: options.sizeBytesMax ?? REPLY_SIZE_BYTES_MAX,
  }
  return {
    call: (call) => callOnce(connection, call, agent),
    stream: (stream) => streamLines(connection, stream, streamAgent),
    close: () => {
      agent.destroy()
      streamAgent.destroy()
    },
  }
}

type Open = { readonly request: http.ClientRequest; readonly response: Promise<http.IncomingMessage> }

function open(connection: Connection, call: HttpCall, agent: http.Agent): Open {
  const { base } = connection
  const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body))
  const request = connection.client.request({
    protocol: base.protocol,
    hostname: base.hostname.replace(/^\[|\]$/g, ''),
    port: base.port,
    method: call.method,
    path: base.pathname.replace(/\/$/, '') + call.path,
    agent,
    headers: {
      authorization: `Bearer ${connection.token}`,
      accept: 'application/json',
      ...(body ? { 'content-type': 'application/json', 'content-length': body.length } : {}),
    },
  })
  const response = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).on('error', reject)
  })
  request.end(body)
  return { request, response }
}

async function callOnce(connection: Connection, call: HttpCall, agent: http.Agent): Promise<HttpReply> {
  const { request, response } = open(connection, call, agent)
  const guard = guardRequest(request, connection.clock, call.signal)
  guard.limit(connection.timeoutMs)
  try {
    return await readReply(await response, connection.sizeMax)
  } catch (error) {
    throw guard.failure(error)
  } finally {
    guard.release()
  }
}

async function streamLines(
  connection: Connection,
  stream: HttpStream,
  agent: http.Agent,
): Promise<HttpReply | undefined> {
  const { request, response } = open(connection, { method: 'GET', path: stream.path }, agent)
  const guard = guardRequest(request, connection.clock, stream.signal)
  guard.limit(connection.timeoutMs)
  const onBytes = (): void => guard.limit(connection.silenceMs)
  try {
    const reply = await response
    if (reply.statusCode !== 200) return await readReply(reply, connection.sizeMax)
    onBytes()
    stream.onOpen()
    await readLines(reply, { sizeMax: connection.sizeMax, onBytes, onLine: stream.onLine })
    return undefined
  } catch (error) {
    throw guard.failure(error)
  } finally {
    guard.release()
    request.destroy()
  }
}

type Guard = { limit(ms: number): void; release(): void; failure(cause: unknown): HttpError }

/** Ends a request that is aborted or takes too long, and says afterwards which of them it was. */
function guardRequest(request: http.ClientRequest, clock: Clock, signal: AbortSignal | undefined): Guard {
  let why: HttpErrorReason = 'Unreachable'
  let cancelTimer = (): void => {}
  const stop = (reason: HttpErrorReason) => (): void => {
    why = reason
    request.destroy(new Error(reason))
  }
  const onAbort = stop('Aborted')
  if (signal?.aborted) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  return {
    limit: (ms) => {
      cancelTimer()
      cancelTimer = clock.after(ms, stop('TimedOut'), { background: true })
    },
    release: () => {
      cancelTimer()
      signal?.removeEventListener('abort', onAbort)
    },
    failure: (cause) =>
      cause instanceof HttpError ? cause : new HttpError(why, cause instanceof Error ? cause.message : String(cause)),
  }
}

async function readReply(response: http.IncomingMessage, sizeMax: number): Promise<HttpReply> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > sizeMax) throw new HttpError('TooLarge', `Cannot read a reply of more than "${sizeMax}" bytes`)
    chunks.push(chunk)
  }
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString('utf8') }
}

type LineOptions = { readonly sizeMax: number; readonly onBytes: () => void; readonly onLine: (line: string) => void }

async function readLines(response: http.IncomingMessage, options: LineOptions): Promise<void> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const chunk of response as AsyncIterable<string>) {
    options.onBytes()
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > options.sizeMax)
      throw new HttpError('TooLarge', `Cannot read a line of more than "${options.sizeMax}" characters`)
    for (const line of lines) if (line.trim() !== '') options.onLine(line)
  }
}
