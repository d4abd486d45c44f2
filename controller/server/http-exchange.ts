/** Translates between node:http and the API's own request and response values. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BODY_BYTES_MAX, bodyTooLarge } from './body.ts'
import { isLoopbackAddress } from './credentials.ts'
import { ApiError } from '../api/errors.ts'
import { REMOTE_PREFIX } from './front-proxy.ts'
import { isFrontProxy } from './front-proxy-tls.ts'
import {
  isStream,
  isWhole,
  type ApiRequest,
  type ApiResponse,
  type ByteStream,
  type Pieces,
  type RequestHeaders,
} from './exchange.ts'

/** The API's view of a request; its signal aborts when the response has ended or its client has gone. */
export function apiRequestOf(request: IncomingMessage, response: ServerResponse, url = urlOf(request)): ApiRequest {
  const connection = connectionOf(request.socket)
  let signal: AbortSignal | undefined
  return {
    method: request.method ?? 'GET',
    url,
    headers: headersOf(request),
    readBody: () => readBody(request),
    ...connection,
    // Few requests ask for it, and making one takes longer than all the rest here.
    get signal() {
      return (signal ??= closeSignal(response))
    },
  }
}

/** What holds for every request of a connection. */
type Connection = Pick<ApiRequest, 'source' | 'isTrustedTransport' | 'isLoopbackHttp' | 'isFrontProxy'>

const connections = new WeakMap<object, Connection>()

function connectionOf(socket: IncomingMessage['socket']): Connection {
  const known = connections.get(socket)
  if (known !== undefined) return known
  const isTls = 'encrypted' in socket
  const isLoopback = isLoopbackAddress(socket.localAddress)
  const made = {
    ...(socket.remoteAddress === undefined ? {} : { source: socket.remoteAddress }),
    isTrustedTransport: isTls || isLoopback,
    isLoopbackHttp: !isTls && isLoopback,
    isFrontProxy: isFrontProxy(socket),
  }
  connections.set(socket, made)
  return made
}

/** Node joins repeated headers by commas, which the name of a group may have: those are joined by line breaks. */
function headersOf(request: IncomingMessage): RequestHeaders {
  const { headers } = request
  const get = (name: string): string | undefined => {
    if (!Object.hasOwn(headers, name)) return undefined
    return isRepeatable(name) ? (request.headersDistinct[name] ?? []).join('\n') : String(headers[name])
  }
  return { get, has: (name) => Object.hasOwn(headers, name), keys: () => Object.keys(headers).values() }
}

const isRepeatable = (name: string): boolean => name.startsWith('impersonate-') || name.startsWith(REMOTE_PREFIX)

function closeSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  const abort = (): void => gone.abort(new Error('The client has gone'))
  if (response.closed) abort()
  else response.once('close', abort)
  return gone.signal
}

/** The URL of a request; what is not a path on this server becomes the root. The host is never read from it. */
export function urlOf(request: Pick<IncomingMessage, 'url'>): URL {
  const target = request.url ?? '/'
  // `//host/path` would be read as a host.
  return new URL(`http://server.invalid${target.startsWith('/') ? target : '/'}`)
}

function readBody(request: IncomingMessage): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    const announcedBytes = Number(request.headers['content-length'] ?? 0)
    if (announcedBytes > BODY_BYTES_MAX) {
      reject(bodyTooLarge())
      return
    }
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length
      // Further chunks are dropped unread; the connection is closed with the answer.
      if (sizeBytes > BODY_BYTES_MAX) reject(bodyTooLarge())
      else chunks.push(chunk)
    })
    const endedEarly = (cause?: unknown): void => {
      // A whole request is closed too; making an error takes longer than all the rest here.
      if (!request.complete) reject(new ApiError('BadRequest', 'The request body ended early', {}, { cause }))
    }
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('error', endedEarly)
    request.once('close', () => endedEarly())
  })
}

/** So long nothing may be taken of what was written, in ms, before the reader counts as gone. */
const STALLED_MS = 60_000

/**
 * Writes a response; resolves when all of it is handed over or the client has gone. A client that takes nothing for
 * `stalledMs` is cut off. Never rejects.
 */
export async function sendResponse(
  request: IncomingMessage,
  response: ServerResponse,
  out: ApiResponse & { readonly stalledMs?: number },
): Promise<void> {
  const { body, stalledMs = STALLED_MS } = out
  if (response.destroyed) {
    if (isStream(body)) await dropStream(body)
    return
  }
  // An unread body must not be taken for the next request.
  const isUnread = !request.complete
  if (isUnread) response.setHeader('Connection', 'close')
  const headers = headerList(out.headers)
  if (isWhole(body)) {
    // As bytes: node would join a text with the head into one more text, and encode that slowly.
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    headers.push('Content-Length', String(bytes.length))
    response.writeHead(out.status, headers)
    response.end(bytes)
    // What the socket took at once needs no watching.
    if (!response.writableFinished && request.socket.writableLength > 0) cutOff(response, stalledMs)
  } else {
    response.writeHead(out.status, headers)
    if (isStream(body)) await stream(response, body, stalledMs)
    else await sendPieces(response, body, stalledMs)
    if (!response.destroyed) {
      cutOff(response, stalledMs)
      response.end()
    }
  }
  if (isUnread) request.resume()
}

/** Names and values in turns, as node takes them fastest; a name with several values comes several times. */
function headerList(headers: ApiResponse['headers']): string[] {
  const list: string[] = []
  for (const [name, value] of Object.entries(headers))
    if (typeof value === 'string') list.push(name, value)
    else for (const each of value) list.push(name, each)
  return list
}

/** Ends the connection when nothing is taken for so long; 0 lets it be silent again. */
function cutOff(response: ServerResponse, stalledMs: number): void {
  if (response.listenerCount('timeout') === 0) response.on('timeout', () => response.destroy())
  response.setTimeout(stalledMs)
}

async function stream(response: ServerResponse, lines: ByteStream, stalledMs: number): Promise<void> {
  // At once: a client waits for the headers before it believes that the watch stands.
  response.flushHeaders()
  const write = writerOf(response)
  for await (const line of lines) {
    if (response.destroyed) break
    if (!write(line)) await drained(response, stalledMs)
  }
}

/** Frames of lines that many streams are sent. */
const frames = new WeakMap<Uint8Array, Buffer>()
const CRLF = '\r\n'

/** A line as one HTTP chunk (RFC 9112 §7.1). */
function frameOf(line: Uint8Array): Buffer {
  const known = frames.get(line)
  if (known !== undefined) return known
  const made = Buffer.concat([Buffer.from(line.length.toString(16) + CRLF), line, Buffer.from(CRLF)])
  frames.set(line, made)
  return made
}

/**
 * Writes lines as they come. An event that goes to many watches is framed once and handed to each socket as it is:
 * response.write would frame it anew for each, in three pieces. False: wait until it is drained.
 */
function writerOf(response: ServerResponse): (line: string | Uint8Array) => boolean {
  const { socket } = response
  // Of HTTP/1.0 the end of the connection is the end of the body.
  if (socket === null || !response.chunkedEncoding) return (line) => response.write(line)
  return (line) => (typeof line === 'string' || line.length === 0 ? response.write(line) : socket.write(frameOf(line)))
}

async function sendPieces(response: ServerResponse, pieces: Pieces, stalledMs: number): Promise<void> {
  for (const piece of pieces) {
    if (!response.write(piece)) await drained(response, stalledMs)
    if (response.destroyed) break
  }
}

/** Resolves when the client has taken what was written, or has gone. */
async function drained(response: ServerResponse, stalledMs: number): Promise<void> {
  const { socket } = response
  if (socket === null || response.destroyed) return
  cutOff(response, stalledMs)
  await new Promise<void>((resolve) => {
    const done = (): void => {
      socket.off('drain', done)
      response.off('close', done)
      resolve()
    }
    socket.once('drain', done)
    response.once('close', done)
  })
  // A watch may be silent as long as it likes.
  response.setTimeout(0)
}

/** Runs a stream that nobody reads to its end, so that it frees what it holds; the signal has ended it already. */
export async function dropStream(lines: ByteStream): Promise<void> {
  for await (const _line of lines) break
}
