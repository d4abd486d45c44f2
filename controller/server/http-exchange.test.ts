/** The exchange over a real socket: a reader that takes nothing is cut off, one that is only idle is not. */
import * as http from 'node:http'
import * as net from 'node:net'
import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import type { ApiResponse } from './exchange.ts'
import { apiRequestOf, sendResponse } from './http-exchange.ts'

const STALLED_MS = 30
let server: http.Server | undefined

/** A server that answers everything so; gives its port, and how each answer ended. */
async function serve(body: () => ApiResponse['body']): Promise<{ port: number; ends: Promise<void>[] }> {
  const ends: Promise<void>[] = []
  server = http.createServer((request, response) => {
    ends.push(sendResponse(request, response, { status: 200, headers: {}, body: body(), stalledMs: STALLED_MS }))
  })
  await new Promise<void>((resolve) => {
    server?.listen(0, '127.0.0.1', resolve)
  })
  // A TCP server's address is an object.
  return { port: (server.address() as net.AddressInfo).port, ends }
}

/** Asks, and reads nothing. */
async function stalledReader(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.pause()
  await once(socket, 'connect')
  socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  return socket
}

/** The next connection that the server has lost. */
const lost = (): Promise<unknown> =>
  new Promise((resolve) => {
    server?.once('connection', (socket: net.Socket) => socket.once('close', resolve))
  })

afterEach(async () => {
  await new Promise<void>((resolve) => {
    server?.close(() => resolve())
    server?.closeAllConnections()
  })
})

describe('http exchange', () => {
  it('AX41 repeated Impersonate headers are as many lines, whatever commas they have; others are as node has them', async () => {
    const seen: string[] = []
    server = http.createServer((request, response) => {
      const { headers } = apiRequestOf(request, response)
      for (const name of ['impersonate-group', 'accept']) seen.push(headers.get(name) ?? '')
      response.end()
    })
    await new Promise<void>((resolve) => {
      server?.listen(0, '127.0.0.1', resolve)
    })
    const headers = { 'Impersonate-Group': ['CN=a,OU=b', 'c'], accept: ['x', 'y'] }
    // A TCP server's address is an object.
    const { port } = server.address() as net.AddressInfo
    const asked = http.get({ host: '127.0.0.1', port, headers, agent: false })
    const [answer] = (await once(asked, 'response')) as [http.IncomingMessage]
    answer.resume()
    expect(seen).toEqual(['CN=a,OU=b\nc', 'x, y'])
  })

  it('SV20 a stream that its reader does not take is cut off, and ended at its source', async () => {
    let isFreed = false
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) yield 'x'.repeat(1_000_000)
      } finally {
        isFreed = true
      }
    }
    const { port, ends } = await serve(endless)
    const gone = lost()
    const socket = await stalledReader(port)
    await gone
    await Promise.all(ends)
    expect(isFreed).toBe(true)
    socket.destroy()
  })

  it('SV20 a whole answer that is not taken is cut off', async () => {
    const { port } = await serve(() => 'x'.repeat(50_000_000))
    const gone = lost()
    const socket = await stalledReader(port)
    await gone
    socket.destroy()
  })

  it('SV20 a stream that is silent is not cut off', async () => {
    let go = (): void => {}
    const silence = new Promise<void>((resolve) => {
      go = resolve
    })
    async function* seldom(): AsyncGenerator<string> {
      yield 'x'.repeat(5_000_000)
      await silence
      yield 'end'
    }
    const { port } = await serve(seldom)
    const answer = await new Promise<http.IncomingMessage>((resolve) => {
      http.get({ host: '127.0.0.1', port }, resolve)
    })
    let text = ''
    answer.on('data', (chunk: Buffer) => {
      text += String(chunk)
      if (text.length === 5_000_000) afterSocketTimeout(STALLED_MS, go)
    })
    await once(answer, 'end')
    expect(text.endsWith('end')).toBe(true)
  })
})

/** Goes on only after a timer of the server's own kind, as long as its own and started later, has run out. */
function afterSocketTimeout(timeoutMs: number, go: () => void): void {
  const socket = new net.Socket()
  socket.setTimeout(timeoutMs * 2, () => {
    socket.destroy()
    go()
  })
}
