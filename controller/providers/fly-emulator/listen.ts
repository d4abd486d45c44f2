/** Serves a Request → Response function over node:http; a rejected answer cuts the connection. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

/** An HTTP listener on one port. */
export interface Listener {
  /** Gives the base URL; rejects where the port is taken. */
  listen(port: number, host: string): Promise<string>
  /** Cuts every connection and stops listening. */
  close(): Promise<void>
}

const BODY_BYTES_MAX = 2 * 1024 * 1024

/** A listener that is not listening yet. */
export function createListener(serve: (request: Request) => Promise<Response>): Listener {
  let server: Server | undefined
  return {
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        const started = createServer((incoming, outgoing) => void replyTo(serve, incoming, outgoing))
        server = started
        started.once('error', reject)
        started.listen(port, host, () => {
          const address = started.address()
          // listen on a host and port always gives an AddressInfo, never a pipe's name.
          const actual = typeof address === 'object' ? (address?.port ?? port) : port
          resolve(`http://${host.includes(':') ? `[${host}]` : host}:${actual}`)
        })
      }),
    close: () =>
      new Promise((resolve) => {
        if (!server) return resolve()
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Answers one request; a rejected answer cuts the connection. */
export async function replyTo(
  serve: (request: Request) => Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const gone = new AbortController()
  outgoing.once('close', () => gone.abort())
  try {
    const response = await serve(await toRequest(incoming, gone.signal))
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.end(Buffer.from(await response.arrayBuffer()))
  } catch {
    // The fault script cuts connections this way; so does a client that has gone.
    incoming.socket.destroy()
  }
}

async function toRequest(incoming: IncomingMessage, signal: AbortSignal): Promise<Request> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  // Without an encoding, the chunks of a request are Buffers.
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > BODY_BYTES_MAX) throw new RangeError(`Request body is larger than ${BODY_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  const method = incoming.method ?? 'GET'
  const hasBody = method !== 'GET' && method !== 'HEAD' && sizeBytes > 0
  const headers = new Headers()
  for (const [name, value] of Object.entries(incoming.headers)) if (typeof value === 'string') headers.set(name, value)
  return new Request(new URL(incoming.url ?? '/', 'http://emulator'), {
    method,
    headers,
    signal,
    ...(hasBody ? { body: Buffer.concat(chunks) } : {}),
  })
}
