/** The http and https listeners of an API server: opened together, bounded in time and number, closed together. */
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Log } from '../../system/log.ts'
import { boundConnections } from './connections.ts'
import { admitFrontProxy, frontProxyTls, type FrontProxySource } from './front-proxy-tls.ts'
import type { WebSocketDoor } from './websocket.ts'

/** Where an API server listens. */
export type ListenOptions = {
  readonly http?: { readonly host: string; readonly port: number }
  /** `cert` and `key` are PEM texts. */
  readonly https?: {
    readonly host: string
    readonly port: number
    readonly cert: string
    readonly key: string
    /** Who may name callers by X-Remote-User and the like; absent: nobody. */
    readonly frontProxy?: FrontProxySource | undefined
  }
}

/** The ports on which was opened. */
export type OpenPorts = { readonly httpPort?: number; readonly httpsPort?: number }

/** The listeners of one server. */
export type Listeners = {
  /** Port 0 takes a free one. Rejects with node's error (EADDRINUSE, EACCES) and leaves nothing open then. */
  readonly open: (options: ListenOptions) => Promise<OpenPorts>
  /** Takes no more connections; resolves when the last one is gone. Idle ones are closed as they fall idle. */
  readonly close: () => Promise<void>
  /** Ends the connections that are left. */
  readonly cutAll: () => void
}

const LIMITS = {
  headersTimeout: 10_000,
  /** For receiving a request; a watch's answer may take as long as it likes. */
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5_000,
  keepAliveTimeout: 65_000,
  // A peer that vanished without a word is noticed by TCP, however silent the watch.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  // What else a client would like to speak, such as h2c, it is answered as if it had not asked.
  shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
} as const

/** Listeners that give what comes to these; none is open yet. */
export function createListeners(to: {
  readonly handler: RequestListener
  readonly onUpgrade: WebSocketDoor['onUpgrade']
  readonly log: Log
}): Listeners {
  let servers: readonly Server[] = []

  async function openOne(server: Server, at: { readonly host: string; readonly port: number }): Promise<number> {
    boundConnections(server)
    server.on('upgrade', to.onUpgrade)
    const port = await listening(server, at)
    // Such as no file left for another connection: the listener goes on when there is.
    server.on('error', (error) => to.log.error({ why: error.message }, 'Listener failed'))
    servers = [...servers, server]
    return port
  }

  function tlsServer({ cert, key, frontProxy }: NonNullable<ListenOptions['https']>): TlsServer {
    const tls = { cert, key, minVersion: 'TLSv1.2' as const }
    if (frontProxy === undefined) return createTlsServer({ ...LIMITS, ...tls }, to.handler)
    const server = createTlsServer({ ...LIMITS, ...tls, ...frontProxyTls(frontProxy.current()) }, to.handler)
    server.once('close', admitFrontProxy(server, tls, frontProxy))
    return server
  }

  async function open({ http, https }: ListenOptions): Promise<OpenPorts> {
    try {
      const httpPort = http && (await openOne(createServer(LIMITS, to.handler), http))
      const httpsPort = https && (await openOne(tlsServer(https), https))
      return { ...(httpPort === undefined ? {} : { httpPort }), ...(httpsPort === undefined ? {} : { httpsPort }) }
    } catch (error) {
      await close()
      throw error
    }
  }

  async function close(): Promise<void> {
    await Promise.all(servers.map(closed))
    servers = []
  }

  return { open, close, cutAll: () => servers.forEach((server) => server.closeAllConnections()) }
}

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

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeIdleConnections()
  })
}
