/** Bounds what connections may cost: how many there are, how many from one address, and one request of each at a time. */
import type { ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import { isLoopbackAddress } from './credentials.ts'

/**
 * Connections of one listener. Watches hold one each over HTTP/1.1, so that 1,000 watches and as many local sprites
 * leave room; an idle one costs about 20 KB and a file descriptor.
 */
export const CONNECTIONS_MAX = 10_000
/** Of one address that is not this machine's own: a gateway with many clients behind it stays below. */
export const CONNECTIONS_PER_SOURCE_MAX = 2_000

/** Closes connections past the bounds as they come, before anything is read from them. */
export function boundConnections(
  server: Server,
  max: { readonly total: number; readonly perSource: number } = {
    total: CONNECTIONS_MAX,
    perSource: CONNECTIONS_PER_SOURCE_MAX,
  },
): void {
  server.maxConnections = max.total
  const open = new Map<string, number>()
  server.prependListener('connection', (socket: Socket) => {
    const source = socket.remoteAddress
    if (source === undefined || isLoopbackAddress(source)) return
    const count = (open.get(source) ?? 0) + 1
    open.set(source, count)
    socket.once('close', () => {
      const left = (open.get(source) ?? 1) - 1
      if (left === 0) open.delete(source)
      else open.set(source, left)
    })
    if (count > max.perSource) socket.destroy()
  })
}

/**
 * Runs a request when the answers before it on its connection have been sent: of those that a client sends ahead
 * (pipelining), only one is worked on, and only one answer is in memory.
 */
export function inTurn(response: ServerResponse, run: () => void): void {
  // Node gives a response its socket when its turn has come.
  if (response.socket === null) response.once('socket', run)
  else run()
}
