/** Tests of connections over real sockets: their bounds, requests sent ahead, slow readers, and a stop with many watches. */
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { boundConnections } from './connections.ts'
import { makeNamespace, SPRITES, spriteBody, testServer, type TestServer } from './testing.ts'

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function started(): Promise<TestServer & { readonly port: number }> {
  const server = testServer()
  await makeNamespace(server)
  closers.push(() => server.server.close({ graceMs: 0 }))
  const { httpPort = 0 } = await server.server.listen({ http: { host: '127.0.0.1', port: 0 } })
  return { ...server, port: httpPort }
}

type Line = { readonly socket: Socket; readonly text: () => string; readonly ended: Promise<void> }

function lineTo(port: number, host = '127.0.0.1'): Line {
  const socket = connect(port, host)
  let text = ''
  socket.on('data', (chunk) => (text += chunk.toString()))
  socket.on('error', () => undefined)
  closers.push(() => socket.destroy())
  return { socket, text: () => text, ended: new Promise((resolve) => socket.once('close', () => resolve())) }
}

const get = ({ token }: { readonly token: string }, path: string): string =>
  `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`

describe('connections', () => {
  it('SV21 requests that are sent ahead are answered in order, one at a time', async () => {
    const server = await started()
    const line = lineTo(server.port)
    const body = JSON.stringify(spriteBody('ahead'))
    const post = get(server, SPRITES)
      .replace('GET', 'POST')
      .replace('\r\n\r\n', `\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    line.socket.write(get(server, `${SPRITES}?watch=1&timeoutSeconds=5`) + post + get(server, '/version'))
    await expect.poll(() => line.text()).toContain('200 OK')
    await server.send('POST', SPRITES, { body: spriteBody('a') })
    await expect.poll(() => line.text()).toContain('"ADDED"')
    // Nothing is done for the second before the first has ended.
    expect((await server.send('GET', `${SPRITES}/ahead`)).status).toBe(404)
    await server.clock.advance(5_000)
    await expect.poll(() => line.text()).toContain('gitVersion')
    const text = line.text()
    expect(text.indexOf('"ADDED"')).toBeLessThan(text.indexOf('201 Created'))
    expect(text.indexOf('201 Created')).toBeLessThan(text.indexOf('gitVersion'))
  })

  it('SV21 connections over the bound are closed unread; of this machine only the total is bounded', async () => {
    const server = createServer((socket) => void socket.write('hello'))
    boundConnections(server, { total: 2, perSource: 1 })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => server.close())
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const lines = [lineTo(port), lineTo(port)]
    for (const { text } of lines) await expect.poll(text).toBe('hello')
    const third = lineTo(port)
    await third.ended
    expect(third.text()).toBe('')
  })

  it('SV15 stopping ends very many watches at once, each with its last chunk', async () => {
    const server = await started()
    const lines = Array.from({ length: 200 }, () => lineTo(server.port))
    for (const { socket } of lines) socket.write(get(server, `${SPRITES}?watch=1`))
    for (const { text } of lines) await expect.poll(text).toContain('200 OK')
    await server.server.close()
    await Promise.all(lines.map(({ ended }) => ended))
    for (const { text } of lines) expect(text().endsWith('\r\n0\r\n\r\n')).toBe(true)
    expect(server.clock.pendingTimers).toBe(0)
  })

  it('SV22 a client of HTTP/1.0 gets a watch too, unframed', async () => {
    const server = await started()
    const line = lineTo(server.port)
    line.socket.write(get(server, `${SPRITES}?watch=1&timeoutSeconds=1`).replace('HTTP/1.1', 'HTTP/1.0'))
    await server.send('POST', SPRITES, { body: spriteBody('a') })
    await expect.poll(() => line.text()).toContain('ADDED')
    await server.clock.advance(1_000)
    await line.ended
    expect(line.text()).toMatch(/\r\n\r\n\{"type":"ADDED".*\}\n$/s)
  })

  it('SV24 a large list comes whole, whoever asks', async () => {
    const server = await started()
    const note = 'ü'.repeat(3_000)
    for (let index = 0; index < 60; index++)
      await server.send('POST', SPRITES, { body: spriteBody(`s-${index}`, { metadata: { annotations: { note } } }) })
    const headers = { authorization: `Bearer ${server.token}` }
    for (const encoding of ['gzip', 'identity']) {
      const response = await fetch(`http://127.0.0.1:${server.port}${SPRITES}`, {
        headers: { ...headers, 'accept-encoding': encoding },
      })
      expect(response.headers.get('content-encoding')).toBe(encoding === 'gzip' ? 'gzip' : null)
      expect(response.headers.get('vary')).toBe('Accept-Encoding')
      const list = (await response.json()) as { kind: string; items: { metadata: { annotations: object } }[] }
      expect(list.kind).toBe('SpriteList')
      expect(list.items).toHaveLength(60)
      expect(list.items[59]?.metadata.annotations).toEqual({ note })
    }
  })
})
