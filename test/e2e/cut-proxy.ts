/** A TCP proxy for tests that loses replies: it passes requests on, and cuts connections in the midst of an answer. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A proxy before one port of this machine. */
export type CutProxy = {
  readonly port: number
  /** While set, asked at each packet of replies: true passes half of it on and cuts the connection. */
  cutReply: (() => boolean) | undefined
  /** How many connections were cut. */
  readonly cuts: number
  close(): Promise<void>
}

/** Starts one on a free port. */
export async function startCutProxy(targetPort: number): Promise<CutProxy> {
  const sockets = new Set<Socket>()
  let cuts = 0
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    const end = (): void => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        sockets.delete(socket)
        end()
      })
    }
    client.on('data', (chunk: Buffer) => upstream.write(chunk))
    upstream.on('data', (chunk: Buffer) => {
      if (proxy.cutReply?.() === true) {
        cuts++
        client.end(chunk.subarray(0, Math.floor(chunk.length / 2)))
        upstream.destroy()
      } else client.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // an IP listener has one
  const proxy: CutProxy = {
    port,
    cutReply: undefined,
    get cuts() {
      return cuts
    },
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return proxy
}
