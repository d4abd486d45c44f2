/** The log route over loopback http: who may read, what is sent, and that nothing of a file's fate ends the process. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { allowAll, type Authorizer } from '../access/authorizer.ts'
import type { Client } from '../client/client.ts'
import { routeLog } from './log-route.ts'

const PATH = '/v1/tenants/acme/sprites/writer/log'
let folder: string
let file: string
let server: http.Server
let closing: AbortController
let ended: Promise<boolean>[]

/** Lets in all but the foreigner, until `changeRights`. */
let allowed: Set<string>
let changeRights: () => void
const authorizer: Authorizer = {
  ...allowAll,
  decide: (request) =>
    allowed.has(request.actor.name) && request.subresource === 'log'
      ? allowAll.decide(request)
      : { isAllowed: false, reason: 'no role', isHidden: true },
  onChange: (listener) => {
    changeRights = listener
    return () => undefined
  },
}

/** A client that knows one sprite, whose machine is `m1`. */
const client = { get: async () => ({ status: { machine: { id: 'm1' } } }) } as unknown as Client

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'log-route-'))
  file = join(folder, 'm1.log')
  closing = new AbortController()
  ended = []
  allowed = new Set(['right'])
  const ports = {
    client,
    logPath: () => file,
    authorizer,
    authenticate: (token: string) => (['right', 'foreign'].includes(token) ? { name: token, groups: [] } : undefined),
  }
  server = http.createServer((request, response) => {
    const url = new URL(`http://server.invalid${request.url ?? '/'}`)
    ended.push(routeLog(ports, request, response, { url, closing: closing.signal }))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
})
afterEach(async () => {
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
  rmSync(folder, { recursive: true, force: true })
})

const ask = (path: string, options: http.RequestOptions = {}): Promise<http.IncomingMessage> =>
  new Promise((resolve, reject) => {
    // A TCP server's address is an object.
    const { port } = server.address() as AddressInfo
    const headers = { authorization: 'Bearer right' }
    http
      .request({ host: '127.0.0.1', port, path, headers, ...options }, resolve)
      .once('error', reject)
      .end()
  })
async function textOf(answer: http.IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer) text += String(chunk)
  return text
}

describe('log route', () => {
  it('LR1 is for the API’s own tokens, and for GET alone', async () => {
    writeFileSync(file, 'hello\n')
    expect(await textOf(await ask(PATH))).toBe('hello\n')
    expect((await ask(PATH, { headers: {} })).statusCode).toBe(401)
    expect((await ask(PATH, { headers: { authorization: 'Bearer wrong' } })).statusCode).toBe(401)
    expect((await ask(PATH, { method: 'DELETE' })).statusCode).toBe(405)
    expect(await Promise.all(ended)).toEqual([true, true, true, true])
  })

  it('LR2 follows the file until the reader goes or the server closes', async () => {
    writeFileSync(file, 'one\n')
    const answer = await ask(`${PATH}?follow=true`)
    const chunks = answer[Symbol.asyncIterator]()
    expect(String((await chunks.next()).value)).toBe('one\n')
    appendFileSync(file, 'two\n')
    expect(String((await chunks.next()).value)).toBe('two\n')
    closing.abort()
    expect((await chunks.next()).done).toBe(true)
    const left = await ask(`${PATH}?follow=true`)
    left.destroy()
    expect(await Promise.all(ended)).toEqual([true, true])
  })

  it('AX35 the log of a foreign tenant is one of a tenant that does not exist; it ends with the right to read it', async () => {
    writeFileSync(file, 'one\n')
    const refused = await ask(PATH, { headers: { authorization: 'Bearer foreign' } })
    expect(refused.statusCode).toBe(404)
    expect(await textOf(refused)).toContain('namespaces \\"acme\\" not found')
    const answer = await ask(`${PATH}?follow=true`)
    const chunks = answer[Symbol.asyncIterator]()
    expect(String((await chunks.next()).value)).toBe('one\n')
    changeRights()
    appendFileSync(file, 'two\n')
    expect(String((await chunks.next()).value)).toBe('two\n')
    allowed.clear()
    changeRights()
    expect((await chunks.next()).done).toBe(true)
    expect(await Promise.all(ended)).toEqual([true, true])
  })

  it('LR3 a file that is not there, or cannot be read, ends the answer and nothing else', async () => {
    expect(await textOf(await ask(`${PATH}?follow=true`))).toBe('')
    file = folder
    expect(await textOf(await ask(PATH))).toBe('')
    expect(await Promise.all(ended)).toEqual([true, true])
  })
})
