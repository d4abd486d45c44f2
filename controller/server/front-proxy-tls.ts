/** Decides which connections come from the front proxy that may name callers: by its client certificate, and by nothing else. */
import { constants } from 'node:crypto'
import type { Server } from 'node:https'
import type { SecureContextOptions, TLSSocket } from 'node:tls'

/** By what a front proxy is known. */
export type FrontProxyTrust = {
  /** PEM of the authorities that sign the front proxy's client certificate; they sign nobody else's. */
  readonly ca: string
  /** Common names that its certificate may have; absent: any that the authorities sign. */
  readonly allowedNames?: ReadonlySet<string>
}

/** The trust as it is now; authorities are exchanged while the server runs. */
export type FrontProxySource = {
  readonly current: () => FrontProxyTrust
  /** Calls back when it has changed; the returned function ends it. */
  readonly onChange: (listener: () => void) => () => void
}

const proven = new WeakSet<object>()

/** Whether a connection is that of a front proxy: what it says of callers is then believed. */
export const isFrontProxy = (socket: object): boolean => proven.has(socket)

/** The options of a TLS listener that asks for the front proxy's certificate, and takes clients without one as well. */
export const frontProxyTls = ({ ca }: FrontProxyTrust) => ({
  ca,
  requestCert: true,
  rejectUnauthorized: false,
  // A resumed session brings no certificate to be checked again: there are none.
  secureOptions: constants.SSL_OP_NO_TICKET,
})

/** Watches a listener's connections, and exchanges its authorities when they change; the returned function ends it. */
export function admitFrontProxy(server: Server, tls: SecureContextOptions, source: FrontProxySource): () => void {
  // Before the server's own listener, so that no request is read before it is known whose it is.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    if (isProven(socket, source.current())) proven.add(socket)
  })
  return source.onChange(() => {
    const { ca, secureOptions } = frontProxyTls(source.current())
    server.setSecureContext({ ...tls, ca, secureOptions })
  })
}

function isProven(socket: TLSSocket, { allowedNames }: FrontProxyTrust): boolean {
  // A resumed session shows no certificate: what an earlier one has proved may hold no more.
  if (!socket.authorized || socket.isSessionReused()) return false
  // Absent in spite of its type: a connection without a certificate has no peer to name.
  const subject: { readonly CN?: unknown } | undefined = socket.getPeerCertificate().subject
  const name = subject?.CN
  return typeof name === 'string' && name !== '' && (allowedNames === undefined || allowedNames.has(name))
}
