/** A loopback HTTP server for tests: collects each request's body, answers by a function, and closes without waiting. */
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'

export type FakeRequest = {
  readonly method: string
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  readonly body: unknown
}

export type FakeServer = { readonly url: string; close(): Promise<void> }

/** Listens on a free port of 127.0.0.1. */
export async function listen(
  answer: (request: FakeRequest, response: http.ServerResponse) => void,
): Promise<FakeServer> {
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      answer({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body }, response)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP server's address is an object.
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** Sends a JSON reply. */
export function sendJson(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

/** Sends the Coordinator's error body. */
export const sendError = (response: http.ServerResponse, status: number, reason: string): void =>
  sendJson(response, status, { error: { reason, message: `Refused by the fake with ${status}` } })
