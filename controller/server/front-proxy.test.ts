/** Tests of the front proxy: its word counts over its own certificate, and over nothing else. */
import * as https from 'node:https'
import * as tls from 'node:tls'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import * as fc from 'fast-check'
import { realClock } from '../../system/clock.ts'
import type { Actor } from '../api/admission.ts'
import { createAccess } from '../access/access.ts'
import type { AuditEvent } from './audit.ts'
import { remoteActorOf } from './front-proxy.ts'
import type { FrontProxyTrust } from './front-proxy-tls.ts'
import { testAuthority, type TestAuthority, type TestPair } from './test-certificates.ts'
import { makeNamespace, memoryRegistry, testServer, type TestServer } from './testing.ts'
import { TestClock } from '../../system/test-clock.ts'
import { silentLog } from '../../system/log.ts'
import { presentedToken } from './tokens.ts'

const WHO = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
const USER = { 'x-remote-user': 'ada@example.com', 'x-remote-group': ['devs', 'system:authenticated'] }

let proxyCa: TestAuthority
let otherCa: TestAuthority
let serving: TestPair
let proxy: TestPair
let close: (() => Promise<void>)[] = []

beforeAll(async () => {
  const nowMs = realClock.now()
  proxyCa = await testAuthority('front-proxy-ca', nowMs)
  otherCa = await testAuthority('other-ca', nowMs)
  serving = await otherCa.sign('CN=server', { usage: 'server' })
  proxy = await proxyCa.sign('CN=front-proxy-client')
})
afterAll(async () => {
  for (const one of close) await one()
  close = []
})

type Answer = { readonly status: number; readonly body: string }
type Ask = {
  readonly as?: TestPair
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly agent?: https.Agent
}

async function start(trust?: Partial<FrontProxyTrust>) {
  const audited: AuditEvent[] = []
  const clock = new TestClock()
  const registry = memoryRegistry(clock)
  const access = createAccess({ registry, clock, log: silentLog, readToken: presentedToken })
  await access.start()
  const audit = { write: (event: AuditEvent) => void audited.push(event) }
  const made: TestServer = testServer({ registry, clock, audit, authorizer: access.authorizer })
  await makeNamespace(made)
  let current: FrontProxyTrust = { ca: proxyCa.caCert, allowedNames: new Set(['front-proxy-client']), ...trust }
  let listener = (): void => {}
  const frontProxy = {
    current: () => current,
    onChange: (changed: () => void) => {
      listener = changed
      return () => {}
    },
  }
  const { httpsPort } = await made.server.listen({ https: { host: '127.0.0.1', port: 0, ...serving, frontProxy } })
  close.push(async () => {
    await made.server.close({ graceMs: 0 })
    await access.close()
  })
  const ask = (method: string, path: string, { as, headers, agent }: Ask = {}, body = ''): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const sent = https.request(
        { host: '127.0.0.1', port: httpsPort, method, path, headers, agent, ca: otherCa.caCert, ...as },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
        },
      )
      sent.on('error', reject)
      sent.end(body)
    })
  const whoami = async (how: Ask): Promise<{ status: number; user?: Record<string, unknown> }> => {
    const headers = { 'content-type': 'application/json', ...how.headers }
    const { status, body } = await ask('POST', WHO, { ...how, headers }, '{}')
    if (status > 299) return { status }
    const { status: said } = JSON.parse(body) as { status: { userInfo: Record<string, unknown> } }
    return { status, user: said.userInfo }
  }
  const exchange = (next: FrontProxyTrust): void => {
    current = next
    listener()
  }
  return { made, audited, ask, whoami, exchange, port: httpsPort ?? 0 }
}

describe('over TLS', () => {
  test('KF1 the caller is whom the front proxy names, with groups, uid and extras', async () => {
    const { whoami } = await start()
    const headers = {
      ...USER,
      'x-remote-group': ['a,b', 'system:authenticated'],
      'x-remote-uid': 'u-1',
      'x-remote-extra-example.com%2fscope': ['one', 'two'],
      'x-remote-extra-sprites.highera.com%2faccess-token-uid': 'forged',
    }
    const { user } = await whoami({ as: proxy, headers })
    expect(user).toMatchObject({ username: 'ada@example.com', uid: 'u-1', groups: ['a,b', 'system:authenticated'] })
    expect(user?.['extra']).toEqual({ 'example.com/scope': ['one', 'two'] })
  })

  test.each([
    ['no certificate', () => undefined],
    ['one of another authority', () => otherCa.sign('CN=front-proxy-client')],
    ['one of the authority for a name that is not allowed', () => proxyCa.sign('CN=somebody')],
    ['one without a common name', () => proxyCa.sign('O=front-proxy-client')],
    ['one with two common names', () => proxyCa.sign('CN=somebody, CN=front-proxy-client')],
    ['one that is a server’s', () => proxyCa.sign('CN=front-proxy-client', { usage: 'server' })],
    ['one that has ended', () => proxyCa.sign('CN=front-proxy-client', { endsAtMs: realClock.now() - 60_000 })],
  ])('KF2 with %s the headers are not believed', async (_name, sign) => {
    const { whoami, made } = await start()
    const as = await sign()
    const known = as === undefined ? {} : { as }
    const headers = { ...USER, 'x-remote-user': 'root', 'x-remote-group': 'system:masters' }
    expect((await whoami({ ...known, headers })).status).toBe(401)
    const own = await whoami({ ...known, headers: { ...headers, authorization: `Bearer ${made.token}` } })
    expect(own.user).toMatchObject({ username: 'admin' })
  })

  test('KF2 over plain http they are not believed either', async () => {
    const { made } = await start()
    const { httpPort } = await made.server.listen({ http: { host: '127.0.0.1', port: 0 } })
    const url = `http://127.0.0.1:${httpPort}${WHO}`
    const headers = { 'content-type': 'application/json', 'x-remote-user': 'root', 'x-remote-group': 'system:masters' }
    expect((await fetch(url, { method: 'POST', headers, body: '{}' })).status).toBe(401)
  })

  test('KF2 a resumed session does not stand for a certificate', async () => {
    const { port } = await start()
    const options = { host: '127.0.0.1', port, ca: otherCa.caCert }
    const sessions: Buffer[] = []
    const status = async (session?: Buffer): Promise<string> => {
      const socket = tls.connect({ ...options, ...(session === undefined ? {} : { session }) })
      socket.on('session', (one) => sessions.push(one))
      let text = ''
      socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      const user = 'x-remote-user: root\r\nx-remote-group: system:masters\r\n'
      socket.write(
        `GET /apis/sprites.highera.com/v1alpha1/plans HTTP/1.1\r\nhost: x\r\n${user}connection: close\r\n\r\n`,
      )
      await new Promise((resolve) => socket.once('close', resolve))
      return text.split('\r\n')[0] ?? ''
    }
    expect(await status()).toContain('401')
    expect(await status(sessions.at(-1) ?? undefined)).toContain('401')
  })

  test('KF3 a forged identity is audited, also where the request itself is allowed', async () => {
    const { ask, audited, made } = await start()
    audited.length = 0
    const path = '/apis/sprites.highera.com/v1alpha1/plans'
    const authorization = `Bearer ${made.token}`
    await ask('GET', path, { headers: { authorization } })
    expect(audited).toEqual([])
    await ask('GET', path, { headers: { authorization, 'x-remote-user': 'root' } })
    await ask('GET', '/healthz', { headers: { 'x-remote-user': 'root' } })
    expect(audited).toMatchObject([{ user: { username: 'admin' }, verb: 'list' }])
    expect(audited[0]?.annotations).toHaveProperty(['audit.sprites.highera.com/ignored-identity'])
    await ask('GET', path, { as: proxy, headers: { ...USER } })
    expect(audited).toHaveLength(1)
  })

  test('KF4 masters of the cluster are platform admins, others have the roles of their Users', async () => {
    const { ask, made } = await start()
    const sprites = '/apis/sprites.highera.com/v1alpha1/namespaces/acme/sprites'
    const get = async (headers: object): Promise<number> =>
      (await ask('GET', sprites, { as: proxy, headers: { ...headers } })).status
    expect(await get({ 'x-remote-user': 'root', 'x-remote-group': 'system:masters' })).toBe(200)
    expect(await get(USER)).toBe(404)
    const apiVersion = 'sprites.highera.com/v1alpha1'
    const tenant = {
      apiVersion,
      kind: 'Tenant',
      metadata: { name: 'acme' },
      spec: { displayName: 'Acme', plan: 'starter' },
    }
    const group = '/apis/sprites.highera.com/v1alpha1'
    expect((await made.send('POST', `${group}/tenants`, { body: tenant })).status).toBe(201)
    const user = {
      apiVersion,
      kind: 'User',
      metadata: { name: 'ada' },
      spec: { email: 'ada@example.com', role: 'viewer' },
    }
    expect((await made.send('POST', `${group}/namespaces/acme/users`, { body: user })).status).toBe(201)
    await vi.waitFor(async () => expect(await get(USER)).toBe(200))
    const { status } = await ask('DELETE', sprites, { as: proxy, headers: USER })
    expect(status).toBe(403)
  })

  test('KF4 nobody is anonymous, nor the control plane itself; without headers the token counts', async () => {
    const { whoami, made } = await start()
    const ask = async (headers: Record<string, string>): Promise<number> =>
      (await whoami({ as: proxy, headers })).status
    expect(await ask({ 'x-remote-user': 'system:anonymous' })).toBe(401)
    expect(await ask({ 'x-remote-user': 'x', 'x-remote-group': 'system:unauthenticated' })).toBe(401)
    expect(await ask({ 'x-remote-user': 'system:controller', 'x-remote-group': 'system:masters' })).toBe(403)
    expect(await ask({ 'x-remote-group': 'system:masters' })).toBe(401)
    expect(await ask({})).toBe(401)
    expect(await ask({ authorization: `Bearer ${made.token}` })).toBe(201)
  })

  test('KF5 what the aggregator asks for is served: discovery of the version, and OpenAPI', async () => {
    const { ask } = await start()
    const aggregator = { as: proxy, headers: { 'x-remote-user': 'system:aggregator' } }
    for (const path of [
      '/apis/sprites.highera.com/v1alpha1',
      '/apis/sprites.highera.com',
      '/openapi/v2',
      '/openapi/v3',
      '/apis',
    ])
      expect(`${path} ${(await ask('GET', path, aggregator)).status}`).toBe(`${path} 200`)
  })

  test('KF6 authorities are exchanged while the server runs', async () => {
    const { whoami, exchange } = await start()
    const next = await otherCa.sign('CN=front-proxy-client')
    expect((await whoami({ as: next, headers: USER })).status).toBe(401)
    exchange({ ca: otherCa.caCert, allowedNames: new Set(['front-proxy-client']) })
    expect((await whoami({ as: next, headers: USER })).status).toBe(201)
    expect((await whoami({ as: proxy, headers: USER })).status).toBe(401)
  })

  test('KF6 of several authorities in one file each counts, and without names any name does', async () => {
    const { whoami } = await start({ ca: `${otherCa.caCert}\n${proxyCa.caCert}\n` })
    expect((await whoami({ as: proxy, headers: USER })).status).toBe(201)
    expect((await whoami({ as: await otherCa.sign('CN=front-proxy-client'), headers: USER })).status).toBe(201)
    const any: { ca: string } = { ca: proxyCa.caCert }
    const open = await start({ ...any, allowedNames: undefined } as never)
    expect((await open.whoami({ as: await proxyCa.sign('CN=any'), headers: USER })).status).toBe(201)
  })
})

test('KF1 whatever the headers say, the actor is bounded and is never ours', () => {
  const name = fc.oneof(
    fc.constantFrom('x-remote-user', 'x-remote-group', 'x-remote-uid'),
    fc.string().map((end) => `x-remote-extra-${end}`),
    fc.string(),
  )
  fc.assert(
    fc.property(fc.dictionary(name, fc.string(), { maxKeys: 20 }), (record) => {
      const actor = actorOf(new Map(Object.entries(record)))
      if (actor === undefined) return
      expect(actor.name).not.toBe('')
      expect(actor.name).not.toBe('system:controller')
      expect(Object.keys(actor.extra ?? {}).filter((key) => key.startsWith('sprites.highera.com/'))).toEqual([])
    }),
  )
  const many = new Map([
    ['x-remote-user', 'a'],
    ['x-remote-group', Array.from({ length: 9_000 }, (_, index) => `g${index}`).join('\n')],
  ])
  expect(actorOf(many)?.groups).toHaveLength(500)
})

function actorOf(headers: ReadonlyMap<string, string>): Actor | undefined {
  try {
    return remoteActorOf(headers)
  } catch {
    return undefined
  }
}
