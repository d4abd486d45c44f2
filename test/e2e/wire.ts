/** A TCP wire between one process and a server, for tests: it falls silent, breaks, and tells what was asked over it. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { realClock } from '../../system/clock.ts'

/** The beginning of a request that went over a wire, and when, by the wall clock. */
export type Asked = { readonly atMs: number; readonly method: string; readonly path: string }

/** A wire to a port of this machine. */
export type Wire = {
  readonly port: number
  /** The last requests of HTTP/1.1 (at most 10,000). */
  readonly asked: readonly Asked[]
  /**
   * From now on nothing comes through, in either direction, and no connection closes; what is sent meanwhile is kept
   * and comes late.
   */
  readonly silence: () => void
  /** All that was kept comes through. */
  readonly restore: () => void
  /** Resets every connection; new ones are taken. */
  readonly cut: () => void
  readonly close: () => Promise<void>
}

const HOST = '127.0.0.1'
const ASKED_MAX = 10_000
const REQUEST_LINE = /^(GET|POST|PUT|PATCH|DELETE) (\S{1,500}) HTTP\/1\.1\r\n/

/** Lays a wire to a port of this host. */
export async function layWire(target: number): Promise<Wire> {
  const sockets = new Set<Socket>()
  const asked: Asked[] = []
  let isSilent = false
  const forward = (one: Socket, other: Socket): void => {
    sockets.add(one)
    one.on('error', () => {})
    one.on('data', (chunk: Buffer) => void other.write(chunk))
    one.once('end', () => other.end())
    one.once('close', () => {
      sockets.delete(one)
      other.destroy()
    })
    if (isSilent) one.pause()
  }
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: target, host: HOST, allowHalfOpen: true })
    near.on('data', (chunk: Buffer) => note(asked, chunk))
    forward(near, far)
    forward(far, near)
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    // A TCP listener's address is always of this form.
    port: (server.address() as AddressInfo).port,
    asked,
    silence: () => {
      isSilent = true
      for (const socket of sockets) socket.pause()
    },
    restore: () => {
      isSilent = false
      for (const socket of sockets) socket.resume()
    },
    cut,
    close: async () => {
      server.close()
      cut()
    },
  }
}

/** A client that does not pipeline begins each request with a chunk of its own. */
function note(asked: Asked[], chunk: Buffer): void {
  const [, method, path] = REQUEST_LINE.exec(chunk.subarray(0, 600).toString('latin1')) ?? []
  if (method === undefined || path === undefined) return
  asked.push({ atMs: realClock.now(), method, path })
  if (asked.length > ASKED_MAX) asked.shift()
}
