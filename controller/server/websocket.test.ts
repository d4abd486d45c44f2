/** Tests of watches over WebSocket, with the ws client against a real listener. */
import { createConnection } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { createMetrics } from '../../system/metrics.ts'
import { TestClock } from '../../system/test-clock.ts'
import { createFairSeats } from './fair-seats.ts'
import { compileJsonPath } from './json-path.ts'
import { makeNamespace, SPRITES, spriteBody, testServer, type TestServer } from './testing.ts'
import { PING_INTERVAL_MS } from './websocket.ts'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function started(over: Parameters<typeof testServer>[0] = {}): Promise<TestServer & { readonly port: number }> {
  const server = testServer(over)
  await makeNamespace(server)
  closers.push(() => server.server.close({ graceMs: 0 }))
  const { httpPort = 0 } = await server.server.listen({ http: { host: '127.0.0.1', port: 0 } })
  return { ...server, port: httpPort }
}

type Options = { readonly protocols?: string[]; readonly headers?: Record<string, string>; readonly autoPong?: boolean }

/** Opens a socket; its texts can be awaited one by one, and its end. */
function open({ port }: { readonly port: number }, path: string, { protocols = [], ...options }: Options = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, options)
  const texts: { readonly text: string; readonly isBinary: boolean }[] = []
  socket.on('message', (bytes: Buffer, isBinary) => texts.push({ text: bytes.toString(), isBinary }))
  const closed = new Promise<number>((resolve) => socket.once('close', resolve))
  const refused = new Promise<{ code: number; type: string; body: unknown }>((resolve) =>
    socket.once('unexpected-response', (_request, response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () =>
        resolve({
          code: response.statusCode ?? 0,
          type: response.headers['content-type'] ?? '',
          body: JSON.parse(body) as unknown,
        }),
      )
    }),
  )
  socket.on('error', () => undefined)
  const opened = new Promise<void>((resolve) => socket.once('open', resolve))
  return { socket, texts, closed, refused, opened }
}

const WATCH = `${SPRITES}?watch=true`
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const tokenProtocol = (token: string) =>
  `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`

describe('watch over WebSocket', () => {
  it('SV25 sends one JSON text frame per event, without compression', async () => {
    const server = await started()
    await server.send('POST', SPRITES, { body: spriteBody('a') })
    const watch = open(server, WATCH, bearer(server.token))
    await watch.opened
    expect(watch.socket.extensions).toBe('')
    await server.send('POST', SPRITES, { body: spriteBody('b') })
    await expect.poll(() => watch.texts.length).toBe(2)
    expect(watch.texts.map(({ isBinary }) => isBinary)).toEqual([false, false])
    const names = watch.texts.map(({ text }) => compileJsonPath('.object.metadata.name')(JSON.parse(text))[0])
    expect(names).toEqual(['a', 'b'])
    expect(watch.texts[0]?.text.endsWith('}')).toBe(true)
    watch.socket.close()
    expect(await watch.closed).toBe(1005)
    await expect.poll(() => server.clock.pendingTimers).toBe(0)
  })

  it('SV25 takes the token as a subprotocol and echoes another', async () => {
    const server = await started()
    const watch = open(server, WATCH, { protocols: [tokenProtocol(server.token), 'base64.binary.k8s.io'] })
    await watch.opened
    expect(watch.socket.protocol).toBe('base64.binary.k8s.io')
  })

  it.each([
    ['no credential', {}, 401],
    ['a wrong token', { protocols: [tokenProtocol('nobody'), 'v1'] }, 401],
    ['no other subprotocol', { protocols: [tokenProtocol('nobody')] }, 401],
    ['two tokens', { protocols: [tokenProtocol('a'), tokenProtocol('b'), 'v1'] }, 401],
    ['a foreign Host', { headers: { host: 'evil.example' } }, 403],
  ])('SV25 refuses %s before the upgrade, with a Status', async (_what, options, code) => {
    const server = await started()
    const refused = await open(server, WATCH, options).refused
    expect(refused).toMatchObject({ code, type: 'application/json', body: { kind: 'Status', code } })
  })

  it('SV25 a page of another origin cannot use a password that the browser keeps', async () => {
    const server = await started()
    const authorization = `Basic ${Buffer.from(`x:${server.token}`).toString('base64')}`
    const foreign = open(server, WATCH, { headers: { authorization, origin: 'https://evil.example' } })
    expect(await foreign.refused).toMatchObject({ code: 403, body: { reason: 'Forbidden' } })
    const own = open(server, WATCH, { headers: { authorization, origin: `http://127.0.0.1:${server.port}` } })
    await own.opened
  })

  it.each([
    [SPRITES, 400],
    [`${SPRITES}/a`, 400],
    ['/livez', 400],
    ['/apis/none.example/v1/things?watch=1', 404],
    [`${SPRITES}?watch=1&labelSelector=a%20in(`, 400],
  ])('SV25 %s cannot be had so: %i', async (path, code) => {
    const server = await started()
    expect(await open(server, path, bearer(server.token)).refused).toMatchObject({ code, body: { kind: 'Status' } })
    await expect.poll(() => server.clock.pendingTimers).toBe(0)
  })

  it('SV25 ends with a normal close at timeoutSeconds, and as going away when the server stops', async () => {
    const server = await started()
    const short = open(server, `${WATCH}&timeoutSeconds=3`, bearer(server.token))
    const long = open(server, WATCH, bearer(server.token))
    await Promise.all([short.opened, long.opened])
    await server.clock.advance(3_000)
    expect(await short.closed).toBe(1000)
    await server.server.close()
    expect(await long.closed).toBe(1001)
    await expect.poll(() => server.clock.pendingTimers).toBe(0)
  })

  it('SV25 counts as an open watch of its actor until it is closed', async () => {
    const seats = createFairSeats({ clock: new TestClock(), metrics: createMetrics(), standing: 0.1 })
    const server = await started({ seats })
    const first = open(server, WATCH, bearer(server.token))
    await first.opened
    expect(await open(server, WATCH, bearer(server.token)).refused).toMatchObject({ code: 429 })
    first.socket.terminate()
    await first.closed
    await expect.poll(() => server.clock.pendingTimers).toBe(0)
    await open(server, WATCH, bearer(server.token)).opened
  })

  it('SV25 a connection that answers no ping is cut off; one that does stays', async () => {
    const server = await started()
    const dead = open(server, WATCH, { ...bearer(server.token), autoPong: false })
    const alive = open(server, WATCH, bearer(server.token))
    await Promise.all([dead.opened, alive.opened])
    const pinged = new Promise((resolve) => alive.socket.once('ping', resolve))
    await server.clock.advance(PING_INTERVAL_MS)
    await pinged
    // The answer is on its way: a request that comes after it is answered after it.
    await new Promise((resolve) => {
      alive.socket.once('pong', resolve)
      alive.socket.ping()
    })
    await server.clock.advance(PING_INTERVAL_MS)
    expect(await dead.closed).toBe(1006)
    expect(alive.socket.readyState).toBe(WebSocket.OPEN)
  })

  it('SV25 another protocol than WebSocket is answered as if none was asked for', async () => {
    const server = await started()
    const text = await new Promise<string>((resolve) => {
      let all = ''
      const socket = createConnection(server.port, '127.0.0.1', () =>
        socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n'),
      )
      socket.on('data', (chunk) => (all += chunk.toString()))
      socket.on('end', () => resolve(all))
    })
    expect(text).toMatch(/^HTTP\/1.1 200 OK[\s\S]*ok$/)
  })

  it('SV25 a handshake that is none is refused with a Status', async () => {
    const server = await started()
    const text = await new Promise<string>((resolve) => {
      let all = ''
      const socket = createConnection(server.port, '127.0.0.1', () =>
        socket.write(`GET ${WATCH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`),
      )
      socket.on('data', (chunk) => (all += chunk.toString()))
      socket.on('end', () => resolve(all))
    })
    expect(text).toMatch(/^HTTP\/1.1 400 [\s\S]*"reason":"BadRequest"/)
  })
})
