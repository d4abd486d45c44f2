/** Serves watches and followed logs as WebSockets: the same answers, rights and limits, one text frame per event. */
import { ServerResponse, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocketServer, type WebSocket } from 'ws'
import type { CancelTimer, Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import { ApiError } from '../api/errors.ts'
import { unauthorized } from './credentials.ts'
import type { Dispatch } from './dispatch.ts'
import { errorResponse, isStream, isWhole, toApiError, type ApiRequest, type ApiResponse } from './exchange.ts'
import { apiRequestOf, dropStream, sendResponse } from './http-exchange.ts'
import { isWatch } from './params.ts'

/** What the door needs of the server. */
export type WebSocketPorts = {
  readonly dispatch: Dispatch
  readonly clock: Clock
  readonly log: Log
  /** Aborts when the server stops. */
  readonly closing: AbortSignal
}

/** Takes upgrades of the server's listeners. */
export type WebSocketDoor = {
  readonly onUpgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void
  /** Cuts off those who do not close. */
  readonly cutAll: () => void
}

/** Between two pings of an open connection; one that has not answered by the next is dead. */
export const PING_INTERVAL_MS = 30_000
/** Bytes that wait for a reader until it is waited for. */
const BUFFERED_BYTES_MAX = 256 * 1024
/** A reader that takes nothing for so long is cut off. */
const STALLED_MS = 60_000
/** Clients have nothing to say here. */
const MESSAGE_BYTES_MAX = 4_096
const CLOSE_TIMEOUT_MS = 5_000

const CODES = { end: 1000, stopping: 1001, failed: 1011 } as const
const BEARER = 'base64url.bearer.authorization.k8s.io.'
const BASE64 = 'base64.binary.k8s.io'

/** A constant, since its types do not know closeTimeout yet. */
const OPTIONS = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: MESSAGE_BYTES_MAX,
  closeTimeout: CLOSE_TIMEOUT_MS,
  handleProtocols: (protocols: ReadonlySet<string>) =>
    [...protocols].find((protocol) => !protocol.startsWith(BEARER)) ?? false,
} as const

/** Builds the door. It holds one timer while a connection is open, and none otherwise. */
export function createWebSocketDoor(ports: WebSocketPorts): WebSocketDoor {
  const sockets = new WebSocketServer(OPTIONS)
  const pulse = createPulse(ports.clock)

  async function upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const refusal = new ServerResponse(request)
    refusal.assignSocket(socket)
    const gone = new AbortController()
    socket.once('close', () => gone.abort(new Error('The client has gone')))
    const answer = await answerTo(ports.dispatch, apiRequestOf(request, refusal), {
      head: request,
      signal: gone.signal,
    })
    if (answer.status !== 200) {
      refusal.once('finish', () => socket.destroySoon())
      await sendResponse(request, refusal, { ...answer, headers: { ...answer.headers, Connection: 'close' } })
      return
    }
    refusal.detachSocket(socket)
    let isOpen = false
    sockets.handleUpgrade(request, socket, head, (opened) => {
      isOpen = true
      pulse.add(opened)
      // Without a listener it would end the process; 'close' follows.
      opened.on('error', () => undefined)
      void send(opened, answer, ports)
    })
    if (!isOpen && isStream(answer.body)) await dropStream(answer.body)
  }

  return {
    onUpgrade: (request, socket, head) => {
      socket.on('error', () => socket.destroy())
      upgrade(request, socket, head).catch((error: unknown) => {
        ports.log.error({ why: error instanceof Error ? error.message : 'unknown' }, 'WebSocket upgrade failed')
        socket.destroy()
      })
    },
    cutAll: pulse.cutAll,
  }
}

/** The API's answer to the request of an upgrade; refusals that only an upgrade knows included. */
async function answerTo(
  dispatch: Dispatch,
  asked: ApiRequest,
  client: { readonly head: IncomingMessage; readonly signal: AbortSignal },
): Promise<ApiResponse> {
  try {
    refuseMalformed(client.head)
    if (asked.method !== 'GET' || !(isWatch(asked.url.searchParams) || asked.url.pathname.endsWith('/log')))
      throw new ApiError('BadRequest', 'Ask for a watch (?watch=true) or a log here: nothing else comes as a WebSocket')
    return await dispatch({ ...asked, headers: withBearer(asked.headers), signal: client.signal })
  } catch (error) {
    return errorResponse(toApiError(error))
  }
}

const KEY = /^[+/0-9A-Za-z]{22}==$/

/** What the handshake would refuse is refused before anything is opened. */
function refuseMalformed({ headers }: IncomingMessage): void {
  const version = headers['sec-websocket-version']
  if (!KEY.test(headers['sec-websocket-key'] ?? '') || (version !== '13' && version !== '8'))
    throw new ApiError('BadRequest', 'Send a WebSocket handshake of version 13 with a key')
}

/** The headers with the token of the subprotocol as Authorization, where the client could not send that. */
function withBearer(headers: ApiRequest['headers']): ApiRequest['headers'] {
  const protocols = (headers.get('sec-websocket-protocol') ?? '').split(',').map((protocol) => protocol.trim())
  const bearers = protocols.filter((protocol) => protocol.startsWith(BEARER))
  const [bearer] = bearers
  if (bearer === undefined) return headers
  // As kube-apiserver: the one with the token is not echoed, so there must be another to agree on.
  if (bearers.length > 1 || bearers.length === protocols.length) throw unauthorized()
  const token = Buffer.from(bearer.slice(BEARER.length), 'base64url').toString('utf8')
  if (headers.has('authorization')) return headers
  const sent = [...headers.keys()].map((name): [string, string] => [name, headers.get(name) ?? ''])
  return new Map([...sent, ['authorization', `Bearer ${token}`]])
}

async function send(socket: WebSocket, { body, headers }: ApiResponse, ports: WebSocketPorts): Promise<void> {
  const isEvents = String(headers['Content-Type']).startsWith('application/json')
  const isBase64 = !isEvents && socket.protocol === BASE64
  try {
    for await (const chunk of isWhole(body) ? [body] : body) {
      if (socket.readyState !== socket.OPEN) break
      const bytes = Buffer.from(chunk)
      // An event's newline belongs to the other form of a watch.
      const frame = isEvents ? bytes.subarray(0, -1) : isBase64 ? bytes.toString('base64') : bytes
      socket.send(frame, { binary: false })
      if (socket.bufferedAmount > BUFFERED_BYTES_MAX) await drained(socket, ports.clock)
    }
    socket.close(ports.closing.aborted ? CODES.stopping : CODES.end)
  } catch (error) {
    ports.log.debug({ why: error instanceof Error ? error.message : 'unknown' }, 'WebSocket stream failed')
    socket.close(CODES.failed)
  }
}

/** Resolves when the reader has taken what waits, or has gone; cuts it off when it takes too long. */
function drained(socket: WebSocket, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(STALLED_MS, () => socket.terminate(), { background: true })
    // A frame of its own, which comes after all that waits.
    socket.ping('', false, () => {
      cancel()
      resolve()
    })
  })
}

/** Pings every open connection now and then, all by one timer, and cuts off those that do not answer. */
function createPulse(clock: Clock): { readonly add: (socket: WebSocket) => void; readonly cutAll: () => void } {
  const isAlive = new Map<WebSocket, boolean>()
  let cancel: CancelTimer | undefined

  function beat(): void {
    cancel = clock.after(PING_INTERVAL_MS, beat, { background: true })
    for (const [socket, hasAnswered] of isAlive) {
      isAlive.set(socket, false)
      if (hasAnswered) socket.ping()
      else socket.terminate()
    }
  }

  function add(socket: WebSocket): void {
    isAlive.set(socket, true)
    cancel ??= clock.after(PING_INTERVAL_MS, beat, { background: true })
    socket.on('pong', () => isAlive.set(socket, true))
    socket.once('close', () => {
      isAlive.delete(socket)
      if (isAlive.size > 0) return
      cancel?.()
      cancel = undefined
    })
  }

  return { add, cutAll: () => [...isAlive.keys()].forEach((socket) => socket.terminate()) }
}
