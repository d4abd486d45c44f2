/** The Kubernetes REST skin over the registry: one request handler, on http and https listeners. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import type { Registry } from '../registry/registry.ts'
import { allowAll, type Authorizer } from '../access/authorizer.ts'
import { noAudit, type AuditSink } from './audit.ts'
import { compressed } from './compress.ts'
import { inTurn } from './connections.ts'
import { createDispatch, type Dispatch } from './dispatch.ts'
import { apiRequestOf, sendResponse, urlOf } from './http-exchange.ts'
import { createListeners, type ListenOptions } from './listeners.ts'
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
  /** False: health, version, metrics and extraRoutes alone are answered; another process serves the API. */
  readonly hasApi?: boolean
  /** Serves paths outside the Kubernetes API on the same listeners; false when it has no such path. */
  readonly extraRoutes?: (request: IncomingMessage, response: ServerResponse, url: URL) => boolean | Promise<boolean>
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

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = urlOf(request)
    if (options.extraRoutes && !url.pathname.startsWith('/apis/')) {
      const { at } = routeOf(url.pathname)
      if ((at === 'elsewhere' || at === 'root') && (await options.extraRoutes(request, response, url))) return
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

  const listeners = createListeners({ handler, onUpgrade: door.onUpgrade, log: options.log })

  async function close({ graceMs = CLOSE_GRACE_MS }: { readonly graceMs?: number } = {}): Promise<void> {
    closing.abort(new Error('The server is stopping'))
    const cancel = options.clock.after(graceMs, () => {
      door.cutAll()
      listeners.cutAll()
    })
    await listeners.close()
    cancel()
  }

  return { handler, dispatch, listen: listeners.open, close }
}
