/** Tests of what the audit log is told of our own APIs, over real sockets. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { CoordinatorError } from '../coordinator/fault.ts'
import type { AppCaller, ProductNote } from '../coordinator/product.ts'
import type { AuditEvent } from '../server/audit.ts'
import { auditRoutes, type Route } from './audit-routes.ts'

let events: AuditEvent[]
let server: Server
let base: string
let serve: { readonly code: number; readonly known?: readonly ProductNote[] } | undefined

beforeEach(async () => {
  events = []
  const { audited, note } = auditRoutes({
    audit: { write: (event) => void events.push(event) },
    clock: new TestClock(),
    entropy: seededEntropy(1),
  })
  const route: Route = (request, response) => {
    if (serve === undefined) return Promise.resolve(false)
    for (const known of serve.known ?? []) note(request, known)
    response.writeHead(serve.code).end()
    return Promise.resolve(true)
  }
  const wrapped = audited(route)
  server = createServer((request, response) => {
    void wrapped(request, response, new URL(request.url ?? '/', 'http://server.invalid')).then((isOurs) => {
      if (!isOurs) response.writeHead(401).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}` // a TCP listener's address is of this form
})

afterEach(async () => {
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
})

async function ask(method: string, path: string, how: typeof serve): Promise<AuditEvent[]> {
  serve = how
  const headers = { 'user-agent': 'app/1', authorization: 'Bearer sprt_secret' }
  await (await fetch(base + path, { method, headers })).arrayBuffer()
  // The answer's end is told a moment after its last byte.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
  return events
}

const ann: AppCaller = {
  name: 'ann@acme.example',
  roleIn: (tenant) => (tenant === 'acme' ? 'member' : undefined),
}

describe('our own APIs', () => {
  it('AU13 tell of work that an app submits', async () => {
    const work = { metadata: { name: 'work-1', uid: 'u1', resourceVersion: '7' } } as NonNullable<ProductNote['work']>
    const [event] = await ask('POST', '/v1/tenants/acme/work', { code: 202, known: [{ caller: ann }, { work }] })
    expect(event).toMatchObject({
      verb: 'create',
      user: { username: 'ann@acme.example' },
      userAgent: 'app/1',
      sourceIPs: ['127.0.0.1'],
      objectRef: {
        resource: 'work',
        apiGroup: 'sprites.highera.com',
        namespace: 'acme',
        name: 'work-1',
        uid: 'u1',
        resourceVersion: '7',
      },
      responseStatus: { code: 202 },
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': 'role member' },
    })
    expect(JSON.stringify(event)).not.toContain('sprt_secret')
  })

  it('AU13 tell of who was refused, and of who was told that there is nothing', async () => {
    await ask('GET', '/v1/tenants/acme/sprites', { code: 401 })
    const forbidden = new CoordinatorError('Forbidden', 'Ask a member')
    await ask('POST', '/v1/tenants/acme/work', { code: 403, known: [{ caller: ann }, { fault: forbidden }] })
    const missing = new CoordinatorError('NotFound', 'Name a tenant that exists')
    await ask('GET', '/v1/tenants/other/work/x', { code: 404, known: [{ caller: ann }, { fault: missing }] })
    await ask('GET', '/v1/tenants/acme/sprites/one/log', { code: 403 })
    await ask('GET', '/elsewhere', { code: 403 })
    expect(
      events.map(({ verb, user, responseStatus, annotations }) => [
        verb,
        user.username,
        responseStatus.code,
        annotations?.['authorization.k8s.io/decision'],
      ]),
    ).toEqual([
      ['list', 'system:anonymous', 401, undefined],
      ['create', 'ann@acme.example', 403, 'forbid'],
      ['get', 'ann@acme.example', 404, 'forbid'],
      ['get', 'system:anonymous', 403, 'forbid'],
      ['get', 'system:anonymous', 403, 'forbid'],
    ])
  })

  it('AU13 do not tell of reads, nor of what there is not', async () => {
    await ask('GET', '/v1/tenants/acme/sprites', { code: 200, known: [{ caller: ann }] })
    const missing = new CoordinatorError('NotFound', 'Name a work that exists')
    await ask('GET', '/v1/tenants/acme/work/x', { code: 404, known: [{ caller: ann }, { fault: missing }] })
    await ask('GET', '/v1/tenants/acme/sprites/one/log', { code: 404 })
    expect(events).toEqual([])
  })

  it('AU13 of sprites tell of bad tokens alone', async () => {
    for (const code of [204, 403, 409, 429]) await ask('POST', '/sprite/v1/claim', { code })
    expect(events).toEqual([])
    await ask('POST', '/sprite/v1/claim', { code: 401 })
    expect(events).toHaveLength(1)
  })

  it('AU13 leave to the Kubernetes API what is nobody’s', async () => {
    await ask('GET', '/apis', undefined)
    expect(events).toEqual([])
  })
})
