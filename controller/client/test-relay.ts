/** A TCP relay between a client and a server, for tests: it cuts connections as a failing network does. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A relay on a port of its own. */
export type Relay = {
  readonly port: number
  /** How many connections there were. */
  readonly opened: () => number
  /** Resets every connection; new ones are taken. */
  readonly cut: () => Promise<void>
  /** Sends those that come from now on to another port. */
  readonly aim: (port: number) => void
  readonly close: () => Promise<void>
}

/** Opens a relay to a port of this host. */
export async function openRelay(target: number): Promise<Relay> {
  const sockets = new Set<Socket>()
  let port = target
  let count = 0
  const server = createServer((near) => {
    count += 1
    const far = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.once('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = async (): Promise<void> => {
    const open = [...sockets]
    const gone = open.map((socket) => once(socket, 'close'))
    for (const socket of open) socket.resetAndDestroy()
    await Promise.all(gone)
  }
  return {
    // A TCP listener's address is always of this form.
    port: (server.address() as AddressInfo).port,
    opened: () => count,
    cut,
    aim: (other) => {
      port = other
    },
    close: async () => {
      server.close()
      await cut()
    },
  }
}
