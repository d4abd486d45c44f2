/** Tests of watches: as streams of lines, and over a real socket where flushing and closing are the point. */
import { Agent, get as httpGet, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { realClock } from '../../system/clock.ts'
import { realEntropy } from '../../system/entropy.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { createMemoryStore } from '../store/memory.ts'
import { BODY_BYTES_MAX } from './body.ts'
import { ensureCertificates } from './certificates.ts'
import { compileJsonPath } from './json-path.ts'
import { makeNamespace, memoryRegistry, SPRITES, spriteBody, testServer, type TestServer } from './testing.ts'

const pick = (body: unknown, path: string): unknown => compileJsonPath(path)(body)[0]
const create = (server: TestServer, name: string) => server.send('POST', SPRITES, { body: spriteBody(name) })
const MERGE = { 'content-type': 'application/merge-patch+json' }

async function started(): Promise<TestServer> {
  const server = testServer()
  await makeNamespace(server)
  return server
}

type Stream = { readonly next: () => Promise<unknown>; readonly stop: () => void }

/** Opens a watch and reads it line by line; undefined is its end. */
async function open(server: TestServer, query: string, headers: Record<string, string> = {}): Promise<Stream> {
  const gone = new AbortController()
  const { response } = await server.send('GET', `${SPRITES}?watch=1&${query}`, {
    headers,
    over: { signal: gone.signal },
  })
  expect(response.status).toBe(200)
  // A watch's body is a stream.
  const lines = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  const next = async (): Promise<unknown> => {
    const { done, value: bytes } = await lines.next()
    if (done === true) return undefined
    const value = Buffer.from(bytes).toString()
    expect(value.endsWith('\n') && value.indexOf('\n') === value.length - 1).toBe(true)
    return JSON.parse(value) as unknown
  }
  return { next, stop: () => gone.abort() }
}

describe('watch', () => {
  it('SV7 gives current objects, then changes in order, one JSON object a line', async () => {
    const server = await started()
    await create(server, 'a')
    const watch = await open(server, '')
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'a' } } })
    await create(server, 'b')
    await server.send('PATCH', `${SPRITES}/b`, { body: { spec: { idleTimeoutSeconds: 9 } }, headers: MERGE })
    await server.send('DELETE', `${SPRITES}/b`)
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { metadata: { name: 'b' } } })
    expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { spec: { idleTimeoutSeconds: 9 } } })
    expect(await watch.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'b' } } })
    watch.stop()
    expect(await watch.next()).toBeUndefined()
  })

  it('SV7 a Table’s columns are in the first event only', async () => {
    const server = await started()
    await create(server, 'a')
    await create(server, 'b')
    const watch = await open(server, '', { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    const first = await watch.next()
    expect(pick(first, '.object.kind')).toBe('Table')
    expect(pick(first, '.object.columnDefinitions[0].name')).toBe('Name')
    expect(pick(await watch.next(), '.object.columnDefinitions')).toBeNull()
    watch.stop()
  })

  it('SV7 sends bookmarks when asked, on a quiet store too, at least every 10 s', async () => {
    const server = await started()
    const watch = await open(server, 'allowWatchBookmarks=true')
    const next = watch.next()
    await server.clock.advance(10_000)
    const bookmark = await next
    expect(bookmark).toMatchObject({ type: 'BOOKMARK', object: { kind: 'Sprite' } })
    expect(pick(bookmark, '.object.metadata.resourceVersion')).toMatch(/^[1-9]\d*$/)
    watch.stop()
  })

  it('SV7 a watch list ends its initial events with the annotated bookmark', async () => {
    const server = await started()
    await create(server, 'a')
    const watch = await open(
      server,
      'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
    )
    expect(await watch.next()).toMatchObject({ type: 'ADDED' })
    expect(await watch.next()).toMatchObject({
      type: 'BOOKMARK',
      object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    })
    watch.stop()
  })

  it('SV7 ends cleanly at timeoutSeconds and leaves no timer', async () => {
    const server = await started()
    const watch = await open(server, 'timeoutSeconds=3')
    const next = watch.next()
    await server.clock.advance(2_999)
    await server.clock.advance(1)
    expect(await next).toBeUndefined()
    expect(server.clock.pendingTimers).toBe(0)
  })

  it('SV7 lasts 30 to 60 minutes when no timeout is asked for', async () => {
    const server = await started()
    const watch = await open(server, '')
    const next = watch.next()
    await settle()
    const dueInMs = server.clock.nextDueInMs ?? 0
    expect(dueInMs).toBeGreaterThanOrEqual(30 * 60_000)
    expect(dueInMs).toBeLessThanOrEqual(60 * 60_000)
    watch.stop()
    expect(await next).toBeUndefined()
    expect(server.clock.pendingTimers).toBe(0)
  })

  it('SV7 a revision that is too old is an ERROR event with a 410 Status, then the end', async () => {
    const clock = new TestClock()
    const store = createMemoryStore({ window: { changesMax: 1, sizeBytesMax: 1_000_000 } })
    const server = testServer({ registry: memoryRegistry(clock, store) })
    await makeNamespace(server)
    for (const name of ['a', 'b', 'c', 'd']) await create(server, name)
    const watch = await open(server, 'resourceVersion=1')
    expect(await watch.next()).toMatchObject({
      type: 'ERROR',
      object: { kind: 'Status', code: 410, reason: 'Expired' },
    })
    expect(await watch.next()).toBeUndefined()
  })

  it('SV7 a malformed selector is 400 before the stream begins', async () => {
    const server = await started()
    for (const query of ['labelSelector=a%20in%20(', 'fieldSelector=spec.zzz%3D1']) {
      const answer = await server.send('GET', `${SPRITES}?watch=1&${query}`)
      expect(answer.body).toMatchObject({ code: 400, reason: 'BadRequest' })
    }
    expect(server.clock.pendingTimers).toBe(0)
  })
})

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function listening(server: TestServer): Promise<number> {
  closers.push(() => server.server.close({ graceMs: 0 }))
  const { httpPort } = await server.server.listen({ http: { host: '127.0.0.1', port: 0 } })
  return httpPort ?? 0
}

const answerTo = (port: number, path: string, headers: Record<string, string>): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    httpGet({ host: '127.0.0.1', port, path, headers, agent: false }, resolve).on('error', reject)
  })

const textOf = async (message: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const chunk of message) text += String(chunk)
  return text
}

describe('sockets', () => {
  it('SV7 headers come at once on a watch without events; stopping the server ends it cleanly', async () => {
    const server = await started()
    const port = await listening(server)
    const message = await answerTo(port, `${SPRITES}?watch=1`, { authorization: `Bearer ${server.token}` })
    expect(message.statusCode).toBe(200)
    const text = textOf(message)
    await server.server.close()
    expect(await text).toBe('')
    expect(message.complete).toBe(true)
  })

  it('SV7 a client that goes frees its watch', async () => {
    const server = await started()
    const port = await listening(server)
    const message = await answerTo(port, `${SPRITES}?watch=1`, { authorization: `Bearer ${server.token}` })
    await settle()
    expect(server.clock.pendingTimers).toBe(1)
    message.destroy()
    await expect.poll(() => server.clock.pendingTimers).toBe(0)
  })

  it('SV15 stopping lets an idle keep-alive connection go and leaves no timer', async () => {
    const server = await started()
    const port = await listening(server)
    const agent = new Agent({ keepAlive: true })
    const message = await new Promise<IncomingMessage>((resolve, reject) => {
      httpGet({ host: '127.0.0.1', port, path: '/livez', agent }, resolve).on('error', reject)
    })
    expect(await textOf(message)).toBe('ok')
    await server.server.close()
    agent.destroy()
    expect(server.clock.pendingTimers).toBe(0)
    await expect(answerTo(port, '/livez', {})).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('SV5 a body over 3 MiB is RequestEntityTooLarge, announced or chunked', async () => {
    const server = await started()
    const port = await listening(server)
    const post = (headers: Record<string, string | number>): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const authorization = `Bearer ${server.token}`
        const request = httpRequest(
          { host: '127.0.0.1', port, path: SPRITES, method: 'POST', headers: { authorization, ...headers } },
          resolve,
        )
        request.on('error', reject)
        request.end(Buffer.alloc(BODY_BYTES_MAX + 1, 0x20))
      })
    for (const headers of [{ 'content-length': BODY_BYTES_MAX + 1 }, { 'transfer-encoding': 'chunked' }]) {
      const message = await post(headers)
      expect(JSON.parse(await textOf(message))).toMatchObject({ code: 413, reason: 'RequestEntityTooLarge' })
    }
  })

  it('SV18 other paths belong to extraRoutes, which cannot take the API’s own', async () => {
    const asked: string[] = []
    const server = testServer({
      extraRoutes: (_request, response, url) => {
        asked.push(url.pathname)
        if (!url.pathname.startsWith('/sprite/')) return false
        response.end('coordinator')
        return true
      },
    })
    const port = await listening(server)
    expect(await textOf(await answerTo(port, '/sprite/claim', {}))).toBe('coordinator')
    expect((await answerTo(port, '/other', {})).statusCode).toBe(401)
    expect((await answerTo(port, '/api/v1', {})).statusCode).toBe(401)
    expect((await answerTo(port, '//evil/sprite/x', {})).statusCode).toBe(401)
    expect(asked).toEqual(['/sprite/claim', '/other'])
  })

  it('SV18 a process without the API answers health, metrics and the other paths, and says who has it', async () => {
    const server = testServer({
      hasApi: false,
      extraRoutes: (_request, response, url) => {
        if (url.pathname !== '/sprite/claim') return false
        response.end('coordinator')
        return true
      },
    })
    const port = await listening(server)
    const authorization = `Bearer ${server.token}`
    expect(await textOf(await answerTo(port, '/sprite/claim', {}))).toBe('coordinator')
    expect((await answerTo(port, '/readyz', {})).statusCode).toBe(200)
    expect((await answerTo(port, '/metrics', { authorization })).statusCode).toBe(200)
    for (const path of ['/api', '/apis', SPRITES, '/openapi/v3'])
      expect(await textOf(await answerTo(port, path, { authorization }))).toContain('whose ROLES have')
  })

  it('SV15 a port in use is refused with EADDRINUSE and nothing stays open', async () => {
    const first = await started()
    const port = await listening(first)
    const second = await started()
    const listen = second.server.listen({ http: { host: '127.0.0.1', port } })
    await expect(listen).rejects.toMatchObject({ code: 'EADDRINUSE', port })
    await second.server.close()
  })

  it('SV16 https answers under the local CA alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'server-'))
    closers.push(() => rm(folder, { recursive: true, force: true }))
    const server = await started()
    // TLS compares with the machine's own clock.
    const { caCert, cert, key } = await ensureCertificates({ folder, clock: realClock, entropy: realEntropy })
    closers.push(() => server.server.close({ graceMs: 0 }))
    const { httpsPort } = await server.server.listen({ https: { host: '127.0.0.1', port: 0, cert, key } })
    const ask = (ca?: string): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${server.token}`, host: 'anything.example' }
        const servername = 'localhost'
        httpsRequest(
          { host: '127.0.0.1', port: httpsPort, path: '/api', headers, ca, servername, agent: false },
          resolve,
        )
          .on('error', reject)
          .end()
      })
    expect((await ask(caCert)).statusCode).toBe(200)
    await expect(ask()).rejects.toMatchObject({
      code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO|DEPTH_ZERO/) as string,
    })
  })
})
