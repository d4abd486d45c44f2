/** A TCP wire between a client and a server, for tests: it falls silent, breaks, tears replies, and tells what was asked. */
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
  /** How many connections there were. */
  readonly opened: number
  /** How many replies were torn. */
  readonly torn: number
  /** While set, asked at each packet of replies: true passes half of it on and breaks the connection. */
  tearReply: (() => boolean) | undefined
  /**
   * From now on nothing comes through, in either direction, and no connection closes; what is sent meanwhile is kept
   * and comes late.
   */
  readonly silence: () => void
  /** All that was kept comes through. */
  readonly restore: () => void
  /** Resets every connection, and resolves when all are gone; new ones are taken. */
  readonly cut: () => Promise<void>
  /** Sends those that come from now on to another port. */
  readonly aim: (port: number) => void
  readonly close: () => Promise<void>
}

const HOST = '127.0.0.1'
const ASKED_MAX = 10_000
const REQUEST_LINE = /^(GET|POST|PUT|PATCH|DELETE) (\S{1,500}) HTTP\/1\.1\r\n/

/** Lays a wire to a port of this host. */
export async function layWire(target: number): Promise<Wire> {
  const ends = new Ends()
  const asked: Asked[] = []
  let [port, opened, torn] = [target, 0, 0]
  const server = createServer({ allowHalfOpen: true }, (near) => {
    opened += 1
    const far = connect({ port, host: HOST, allowHalfOpen: true })
    ends.join(near, far)
    near.on('data', (chunk: Buffer) => {
      note(asked, chunk)
      far.write(chunk)
    })
    far.on('data', (chunk: Buffer) => {
      if (wire.tearReply?.() !== true) return void near.write(chunk)
      torn += 1
      near.end(chunk.subarray(0, Math.floor(chunk.length / 2)))
      far.destroy()
    })
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  const wire: Wire = {
    // A TCP listener's address is always of this form.
    port: (server.address() as AddressInfo).port,
    asked,
    get opened() {
      return opened
    },
    get torn() {
      return torn
    },
    tearReply: undefined,
    silence: () => ends.setSilent(true),
    restore: () => ends.setSilent(false),
    cut: () => ends.cut(),
    aim: (other) => {
      port = other
    },
    close: async () => {
      server.close()
      await ends.cut()
    },
  }
  return wire
}

/** The open ends of a wire. */
class Ends {
  readonly #sockets = new Set<Socket>()
  #isSilent = false

  /** What befalls one of the two befalls the other. */
  join(near: Socket, far: Socket): void {
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => {})
      one.once('end', () => other.end())
      one.once('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
      if (this.#isSilent) one.pause()
    }
  }

  setSilent(isSilent: boolean): void {
    this.#isSilent = isSilent
    for (const socket of this.#sockets)
      if (isSilent) socket.pause()
      else socket.resume()
  }

  async cut(): Promise<void> {
    const open = [...this.#sockets]
    const gone = open.map((socket) => once(socket, 'close'))
    for (const socket of open) socket.resetAndDestroy()
    await Promise.all(gone)
  }
}

/** A client that does not pipeline begins each request with a chunk of its own. */
function note(asked: Asked[], chunk: Buffer): void {
  const [, method, path] = REQUEST_LINE.exec(chunk.subarray(0, 600).toString('latin1')) ?? []
  if (method === undefined || path === undefined) return
  asked.push({ atMs: realClock.now(), method, path })
  if (asked.length > ASKED_MAX) asked.shift()
}
