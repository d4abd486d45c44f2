/** The Kubernetes REST skin over the registry: one request handler, on http and https listeners. */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import type { Registry } from '../registry/registry.ts'
import { allowAll, type Authorizer } from '../access/authorizer.ts'
import { noAudit, type AuditSink } from './audit.ts'
import { compressed } from './compress.ts'
import { boundConnections, inTurn } from './connections.ts'
import { createDispatch, type Dispatch } from './dispatch.ts'
import { apiRequestOf, sendResponse, urlOf } from './http-exchange.ts'
import { routeOf } from './route.ts'
import { endlessSeats, type Seats } from './seats.ts'
import { withSharedTimer } from './shared-timer.ts'
import type { ServedSubresource } from './subresources.ts'
import type { Authenticate } from './tokens.ts'
import { createWebSocketDoor } from './websocket.ts'

/** What an API server is made from. */
export type ApiServerOptions = {
  readonly registry: Registry
  readonly authenticate: Authenticate
  /** Who may do what; absent: every holder of a token may do everything. */
  readonly authorizer?: Authorizer
  /** Takes every mutation and refusal; absent: they are only logged. */
  readonly audit?: AuditSink
  /** Whose turn it is; absent: everybody's at once. */
  readonly seats?: Seats
  /** Subresources besides status. */
  readonly subresources?: readonly ServedSubresource[]
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly entropy: Entropy
  /** What keeps the process from being ready, one line each; empty when it is. */
  readonly readiness?: () => Promise<readonly string[]>
  /** Serves paths outside the Kubernetes API on the same listeners; false when it has no such path. */
  readonly extraRoutes?: (request: IncomingMessage, response: ServerResponse, url: URL) => boolean | Promise<boolean>
}

/** Where an API server listens. */
export type ListenOptions = {
  readonly http?: { readonly host: string; readonly port: number }
  /** `cert` and `key` are PEM texts. */
  readonly https?: { readonly host: string; readonly port: number; readonly cert: string; readonly key: string }
}

/** The Kubernetes API over a registry. */
export type ApiServer = {
  readonly handler: RequestListener
  /** The answer to a request that did not come over a socket. */
  readonly dispatch: Dispatch
  /** Opens the listeners; port 0 takes a free one. Rejects with node's error (EADDRINUSE, EACCES) and opens nothing then. */
  readonly listen: (options: ListenOptions) => Promise<{ readonly httpPort?: number; readonly httpsPort?: number }>
  /** Takes no more requests, ends watches cleanly, and gives the rest of the answers `graceMs` to finish. */
  readonly close: (options?: { readonly graceMs?: number }) => Promise<void>
}

const HEADERS_TIMEOUT_MS = 10_000
/** For receiving a request; a watch's answer may take as long as it likes. */
const REQUEST_TIMEOUT_MS = 30_000
const CLOSE_GRACE_MS = 5_000

/** A server whose callers are all trusted. */
const TRUSTING = { authorizer: allowAll, audit: noAudit, seats: endlessSeats, subresources: [] } as const

/** Builds the server; nothing listens until `listen`. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const closing = new AbortController()
  const dispatch = createDispatch({
    ...TRUSTING,
    ...options,
    clock: withSharedTimer(options.clock),
    closing: closing.signal,
  })
  const door = createWebSocketDoor({ dispatch, clock: options.clock, log: options.log, closing: closing.signal })
  const servers: Server[] = []

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = urlOf(request)
    const { at } = routeOf(url.pathname)
    if (options.extraRoutes && (at === 'elsewhere' || at === 'root')) {
      if (await options.extraRoutes(request, response, url)) return
    }
    const asked = apiRequestOf(request, response, url)
    await sendResponse(request, response, await compressed(asked, await dispatch(asked)))
  }

  const handler: RequestListener = (request, response) => {
    // A connection that a watch held falls idle only when its answer has ended; a stopping server wants it gone then.
    if (closing.signal.aborted) response.setHeader('Connection', 'close')
    response.once('close', () => {
      if (closing.signal.aborted) request.socket.destroySoon()
    })
    inTurn(response, () => {
      serve(request, response).catch((error: unknown) => {
        options.log.error({ why: error instanceof Error ? error.message : 'unknown' }, 'HTTP exchange failed')
        response.destroy()
      })
    })
  }

  async function listen({ http, https }: ListenOptions): ReturnType<ApiServer['listen']> {
    try {
      const httpPort = http && (await open(createServer(LIMITS, handler), http))
      const httpsPort =
        https &&
        (await open(
          createTlsServer({ ...LIMITS, cert: https.cert, key: https.key, minVersion: 'TLSv1.2' }, handler),
          https,
        ))
      return { ...(httpPort === undefined ? {} : { httpPort }), ...(httpsPort === undefined ? {} : { httpsPort }) }
    } catch (error) {
      await closeAll()
      throw error
    }
  }

  async function open(server: Server, at: { readonly host: string; readonly port: number }): Promise<number> {
    boundConnections(server)
    server.on('upgrade', door.onUpgrade)
    const port = await listening(server, at)
    // Such as no file left for another connection: the listener goes on when there is.
    server.on('error', (error) => options.log.error({ why: error.message }, 'Listener failed'))
    servers.push(server)
    return port
  }

  const closeAll = async (): Promise<void> => {
    await Promise.all(servers.map(closed))
    servers.length = 0
  }

  async function close({ graceMs = CLOSE_GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    closing.abort(new Error('The server is stopping'))
    const open = [...servers]
    const cancel = options.clock.after(graceMs, () => {
      door.cutAll()
      open.forEach((server) => server.closeAllConnections())
    })
    await closeAll()
    cancel()
  }

  return { handler, dispatch, listen, close }
}

const LIMITS = {
  headersTimeout: HEADERS_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 65_000,
  // A peer that vanished without a word is noticed by TCP, however silent the watch.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  // What else a client would like to speak, such as h2c, it is answered as if it had not asked.
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
} as const

function listening(server: Server, at: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(at.port, at.host, () => {
      server.off('error', reject)
      // A TCP listener's address is always of this form.
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** Resolves when the last connection is gone. Idle keep-alive connections are closed as they fall idle. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}
