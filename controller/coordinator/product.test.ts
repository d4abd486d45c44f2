/** The product API over loopback HTTP: who may see what, and that work is submitted once. Rules: docs/spec/coordinator.md. */
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import { ApiError } from '../api/errors.ts'
import { createFakeClient, type FakeClient } from '../engine/fake-client.ts'
import { workKind } from '../kinds/work/schema.ts'
import { createProductApi, type AppCaller } from './product.ts'

const CALLERS = new Map<string, AppCaller>([
  ['member', { name: 'ann', roleIn: (tenant) => (tenant === 'acme' ? 'member' : undefined) }],
  ['viewer', { name: 'vic', roleIn: (tenant) => (tenant === 'acme' ? 'viewer' : 'admin') }],
  ['other', { name: 'olga', roleIn: (tenant) => (tenant === 'other' ? 'admin' : undefined) }],
  ['root', { name: 'root', roleIn: () => 'admin' }],
])
const WORK = { type: 'write_copy', description: 'Write it', agentType: 'copywriter' }

let client: FakeClient
let server: http.Server
let base: string
beforeEach(async () => {
  client = createFakeClient({ clock: new TestClock() })
  const api = createProductApi({
    client,
    entropy: seededEntropy(1),
    log: silentLog,
    authenticate: (token) => Promise.resolve(CALLERS.get(token)),
  })
  server = http.createServer((request, response) => {
    void api.route(request, response, new URL(request.url ?? '/', 'http://localhost')).then((isOurs) => {
      if (!isOurs) response.writeHead(404).end()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  // A TCP server's address is an object.
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/tenants`
})
afterEach(
  () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    }),
)

type Answer = { status: number; body: Record<string, unknown> }
async function send(path: string, token: string, body?: object): Promise<Answer> {
  const response = await fetch(`${base}/${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>) }
}

describe('product API', () => {
  it('CP1 answers 202 after the work is durable, and shows it', async () => {
    const { status, body } = await send('acme/work', 'member', WORK)
    expect(status).toBe(202)
    const name = String(body['name'])
    expect(client.peek(workKind, { namespace: 'acme', name })?.spec).toMatchObject({ ...WORK, cancelled: false })
    expect(await send(`acme/work/${name}`, 'viewer')).toMatchObject({ status: 200, body: { name, phase: 'Pending' } })
  })

  it('CP2 the same idempotency key is the same work, another tenant’s is another', async () => {
    const keyed = { ...WORK, idempotencyKey: 'order-7' }
    const [first, second, elsewhere] = await Promise.all([
      send('acme/work', 'member', keyed),
      send('acme/work', 'member', keyed),
      send('other/work', 'other', keyed),
    ])
    expect([first.status, second.status, elsewhere.status]).toEqual([202, 202, 202])
    expect(second.body['name']).toBe(first.body['name'])
    expect(elsewhere.body['name']).not.toBe(first.body['name'])
    expect(client.peekAll(workKind)).toHaveLength(2)
  })

  it.each([
    ['nobody', 'acme/work', 401],
    ['other', 'acme/work', 404],
    ['viewer', 'acme/work', 403],
    ['root', 'acme/work', 202],
  ])('CP3 %s posting to %s gets %s', async (token, path, status) => {
    expect((await send(path, token, WORK)).status).toBe(status)
    expect(client.peekAll(workKind)).toHaveLength(status === 202 ? 1 : 0)
  })

  it('S8 CP3 a tenant that is not the caller’s looks as one that does not exist', async () => {
    const [foreign, missing] = [await send('acme/sprites', 'other'), await send('nobody/sprites', 'other')]
    expect(JSON.stringify(foreign).replaceAll('acme', 'X')).toBe(JSON.stringify(missing).replaceAll('nobody', 'X'))
  })

  it('CP4 refuses what an app may not say, with the path of each fault', async () => {
    for (const wrong of [{ parent: 'x' }, { cancelled: true }, { typo: 1 }, { type: 'Bad Type' }])
      expect(await send('acme/work', 'member', { ...WORK, ...wrong })).toMatchObject({
        status: 422,
        body: { error: { reason: 'Invalid' } },
      })
  })

  it('CP4 a refusal by admission keeps its reason', async () => {
    client.failNext('create', new ApiError('Forbidden', 'The plan allows no "copywriter"'))
    expect(await send('acme/work', 'member', WORK)).toMatchObject({
      status: 403,
      body: { error: { message: 'The plan allows no "copywriter"' } },
    })
  })

  it('CP2 work that is there is found although no more may be made', async () => {
    const keyed = { ...WORK, idempotencyKey: 'order-8' }
    const first = await send('acme/work', 'member', keyed)
    client.failNext('create', new ApiError('Forbidden', 'exceeded quota'))
    expect(await send('acme/work', 'member', keyed)).toMatchObject({ status: 202, body: { name: first.body['name'] } })
    client.failNext('create', new ApiError('Forbidden', 'exceeded quota'))
    const other = await send('acme/work', 'member', { ...keyed, idempotencyKey: 'order-9' })
    expect(other).toMatchObject({ status: 403, body: { error: { message: 'exceeded quota' } } })
  })

  it('CP5 lists the sprites of the tenant alone', async () => {
    for (const namespace of ['acme', 'other'])
      client.seed({ kind: 'Sprite', metadata: { name: `s-${namespace}`, namespace }, spec: { agentType: 'editor' } })
    expect((await send('acme/sprites', 'viewer')).body).toMatchObject({ sprites: [{ name: 's-acme', blockers: [] }] })
  })

  it('CP6 leaves other paths and methods alone', async () => {
    expect((await send('acme/work', 'member')).status).toBe(405)
    expect((await send('acme/secrets', 'member')).status).toBe(404)
    expect((await send('acme/work/%2e%2e', 'member')).status).toBe(404)
  })
})
