/** Tests of requests and their responses, without a socket, over the real registry. */
import { beforeEach, describe, expect, it } from 'vitest'
import { createLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { ApiError } from '../api/errors.ts'
import type { Registry } from '../registry/registry.ts'
import { JSON_DEPTH_MAX, nestsDeeperThan } from './body.ts'
import { compileJsonPath } from './json-path.ts'
import { makeNamespace, memoryRegistry, SPRITES, spriteBody, testServer, type TestServer } from './testing.ts'
import { TestClock } from '../../system/test-clock.ts'

const pick = (body: unknown, path: string): unknown => compileJsonPath(path)(body)[0]
const MERGE = { 'content-type': 'application/merge-patch+json' }
const JSON_PATCH = { 'content-type': 'application/json-patch+json' }

let server: TestServer
beforeEach(async () => {
  server = testServer()
  await makeNamespace(server)
})
const create = (name: string, extra?: Parameters<typeof spriteBody>[1]) =>
  server.send('POST', SPRITES, { body: spriteBody(name, extra) })

describe('verbs', () => {
  it('SV2 create answers 201 with the object, get and list give it back', async () => {
    const made = await create('a')
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({ kind: 'Sprite', metadata: { name: 'a', namespace: 'acme', generation: 1 } })
    expect((await server.send('GET', `${SPRITES}/a`)).body).toEqual(made.body)
    const list = await server.send('GET', SPRITES)
    expect(list.body).toMatchObject({
      kind: 'SpriteList',
      apiVersion: 'sprites.highera.com/v1alpha1',
      items: [made.body],
    })
    expect(pick(list.body, '.metadata.resourceVersion')).toMatch(/^[1-9]\d*$/)
  })

  it('SV2 the cluster path lists all namespaces and takes no writes', async () => {
    await create('a')
    const path = '/apis/sprites.highera.com/v1alpha1/sprites'
    expect(pick((await server.send('GET', path)).body, '.items[0].metadata.name')).toBe('a')
    expect((await server.send('POST', path, { body: spriteBody('b') })).status).toBe(404)
    expect((await server.send('DELETE', path)).status).toBe(404)
  })

  it('SV2 update replaces, a stale resourceVersion is Conflict, an absent object NotFound', async () => {
    const made = await create('a')
    const changed = { ...(made.body as object), spec: { agentType: 'copywriter', idleTimeoutSeconds: 9 } }
    const updated = await server.send('PUT', `${SPRITES}/a`, { body: changed })
    expect(updated.status).toBe(200)
    expect(pick(updated.body, '.metadata.generation')).toBe(2)
    expect((await server.send('PUT', `${SPRITES}/a`, { body: changed })).body).toMatchObject({
      code: 409,
      reason: 'Conflict',
    })
    const absent = { ...spriteBody('b'), metadata: { name: 'b', namespace: 'acme', resourceVersion: '1' } }
    expect((await server.send('PUT', `${SPRITES}/b`, { body: absent })).body).toMatchObject({ code: 404 })
  })

  it('SV5 patch takes merge and JSON patches; others are UnsupportedMediaType and named', async () => {
    await create('a')
    const merged = await server.send('PATCH', `${SPRITES}/a`, {
      body: { spec: { idleTimeoutSeconds: 7 } },
      headers: MERGE,
    })
    expect(pick(merged.body, '.spec.idleTimeoutSeconds')).toBe(7)
    const operations = [{ op: 'replace', path: '/spec/idleTimeoutSeconds', value: 8 }]
    const patched = await server.send('PATCH', `${SPRITES}/a`, { body: operations, headers: JSON_PATCH })
    expect(pick(patched.body, '.spec.idleTimeoutSeconds')).toBe(8)
    for (const type of ['application/strategic-merge-patch+json', 'text/plain']) {
      const refused = await server.send('PATCH', `${SPRITES}/a`, { body: {}, headers: { 'content-type': type } })
      expect(refused.body).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' })
      expect(pick(refused.body, '.message')).toContain('application/merge-patch+json')
    }
    const forced = await server.send('PATCH', `${SPRITES}/a?force=true`, { body: {}, headers: MERGE })
    expect(forced.status).toBe(422)
  })

  it('SV2 status is written through its own path and leaves generation alone', async () => {
    await create('a')
    const body = { spec: { idleTimeoutSeconds: 9 }, status: { phase: 'Idle' } }
    const main = await server.send('PATCH', `${SPRITES}/a`, { body: { status: { phase: 'Idle' } }, headers: MERGE })
    expect(pick(main.body, '.status.phase')).toBeUndefined()
    const status = await server.send('PATCH', `${SPRITES}/a/status`, { body, headers: MERGE })
    expect(status.body).toMatchObject({ metadata: { generation: 1 }, status: { phase: 'Idle' } })
    expect(pick(status.body, '.spec.idleTimeoutSeconds')).toBeUndefined()
    expect((await server.send('GET', `${SPRITES}/a/status`)).status).toBe(200)
    expect((await server.send('DELETE', `${SPRITES}/a/status`)).status).toBe(405)
    expect((await server.send('GET', `${SPRITES}/a/scale`)).status).toBe(404)
  })

  it('SV2 delete answers Success with the uid, or the object while finalizers hold it', async () => {
    const made = await create('a')
    const gone = await server.send('DELETE', `${SPRITES}/a`)
    expect(gone.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'a', group: 'sprites.highera.com', kind: 'sprites', uid: pick(made.body, '.metadata.uid') },
    })
    await create('b', { metadata: { finalizers: ['x.io/hold'] } })
    const held = await server.send('DELETE', `${SPRITES}/b`, {
      body: { kind: 'DeleteOptions', propagationPolicy: 'Background' },
    })
    expect(pick(held.body, '.kind')).toBe('Sprite')
    expect(pick(held.body, '.metadata.deletionTimestamp')).toBeDefined()
  })

  it('SV2 delete honours preconditions and dry runs', async () => {
    await create('a')
    const stale = await server.send('DELETE', `${SPRITES}/a`, { body: { preconditions: { uid: 'other' } } })
    expect(stale.body).toMatchObject({ code: 409, reason: 'Conflict' })
    expect((await server.send('DELETE', `${SPRITES}/a?dryRun=All`)).status).toBe(200)
    expect((await server.send('DELETE', `${SPRITES}/a`, { body: { dryRun: ['All'] } })).status).toBe(200)
    expect((await server.send('GET', `${SPRITES}/a`)).status).toBe(200)
    expect((await server.send('DELETE', `${SPRITES}/a?propagationPolicy=Up`)).status).toBe(422)
    expect((await server.send('DELETE', `${SPRITES}/a`, { body: '7' })).status).toBe(400)
  })

  it('SV2 deletecollection deletes what the selector matches and lists it', async () => {
    await create('a', { metadata: { labels: { app: 'x' } } })
    await create('b')
    const removed = await server.send('DELETE', `${SPRITES}?labelSelector=app%3Dx`)
    expect(compileJsonPath('.items[*].metadata.name')(removed.body)).toEqual(['a'])
    expect(compileJsonPath('.items[*].metadata.name')((await server.send('GET', SPRITES)).body)).toEqual(['b'])
  })

  it('SV2 another method is 405, another path 404, an object’s own name finds nothing', async () => {
    expect((await server.send('POST', `${SPRITES}/a`)).body).toMatchObject({ code: 405, reason: 'MethodNotAllowed' })
    expect((await server.send('PUT', '/version')).status).toBe(405)
    for (const path of [
      '/apis/none/v1/things',
      '/api/v1/constructor',
      '/nothing',
      '/api/v1/namespaces/acme/namespaces',
    ])
      expect((await server.send('GET', path)).body).toMatchObject({ code: 404, reason: 'NotFound' })
  })

  it('SV2 a built-in kind may come without apiVersion and kind', async () => {
    const event = { metadata: { name: 'e.1' }, reason: 'Tested', involvedObject: { name: 'a', kind: 'Sprite' } }
    expect((await server.send('POST', '/api/v1/namespaces/acme/events', { body: event })).status).toBe(201)
    const query = '?fieldSelector=involvedObject.name%3Da,involvedObject.kind%3DSprite&limit=500'
    const found = await server.send('GET', `/api/v1/namespaces/acme/events${query}`)
    expect(found.body).toMatchObject({
      kind: 'EventList',
      items: [{ apiVersion: 'v1', kind: 'Event', reason: 'Tested' }],
    })
    const none = await server.send('GET', '/api/v1/events?fieldSelector=involvedObject.name%3Dz')
    expect(pick(none.body, '.items[0]')).toBeUndefined()
  })

  it('SV2 limit pages through one snapshot', async () => {
    for (const name of ['a', 'b', 'c']) await create(name)
    const first = await server.send('GET', `${SPRITES}?limit=2`)
    expect(pick(first.body, '.metadata.remainingItemCount')).toBe(1)
    const token = encodeURIComponent(String(pick(first.body, '.metadata.continue')))
    const second = await server.send('GET', `${SPRITES}?limit=2&continue=${token}`)
    expect(compileJsonPath('.items[*].metadata.name')(second.body)).toEqual(['c'])
    expect((await server.send('GET', `${SPRITES}?continue=junk`)).status).toBe(400)
  })
})

describe('representation', () => {
  const TABLE = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
  it('SV4 lists and objects come as Tables or metadata when asked', async () => {
    await create('a')
    expect((await server.send('GET', SPRITES, { headers: TABLE })).body).toMatchObject({
      kind: 'Table',
      rows: [{ cells: ['a', 'copywriter', null, null, null, null, '0s', null, null, null, null] }],
    })
    expect((await server.send('GET', `${SPRITES}/a`, { headers: TABLE })).body).toMatchObject({ kind: 'Table' })
    const partial = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' }
    const list = await server.send('GET', SPRITES, { headers: partial })
    expect(list.body).toMatchObject({ kind: 'PartialObjectMetadataList', items: [{ kind: 'PartialObjectMetadata' }] })
    expect(pick(list.body, '.items[0].spec')).toBeUndefined()
  })

  it('SV4 a refusal is a Status even where a Table was asked for', async () => {
    const answer = await server.send('GET', `${SPRITES}/none`, { headers: TABLE })
    expect(answer.body).toMatchObject({
      kind: 'Status',
      code: 404,
      details: { name: 'none', group: 'sprites.highera.com', kind: 'sprites' },
    })
  })

  it('SV4 what cannot be given is refused before anything is written', async () => {
    const answer = await server.send('POST', SPRITES, { body: spriteBody('a'), headers: { accept: 'text/html' } })
    expect(answer.status).toBe(406)
    expect((await server.send('GET', `${SPRITES}/a`)).status).toBe(404)
  })
})

describe('bodies', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  it.each(['{', '', 'nonsense', '\u0000', '"a'])('SV5 %j is BadRequest', async (body) => {
    expect((await server.send('POST', SPRITES, { body })).body).toMatchObject({ code: 400, reason: 'BadRequest' })
  })

  it('SV5 depth is bounded before parsing; brackets in strings do not count', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text)
    expect(nestsDeeperThan(bytes(nested(JSON_DEPTH_MAX)), JSON_DEPTH_MAX)).toBe(false)
    expect(nestsDeeperThan(bytes(nested(JSON_DEPTH_MAX + 1)), JSON_DEPTH_MAX)).toBe(true)
    expect(nestsDeeperThan(bytes(JSON.stringify('[[[{{{\\"[['.repeat(30))), 2)).toBe(false)
    expect((await server.send('POST', SPRITES, { body: nested(1_000_000) })).status).toBe(400)
  })

  it('SV5 another Content-Type is UnsupportedMediaType, none is JSON', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await server.send('POST', SPRITES, { body: spriteBody('a'), headers })).status).toBe(415)
    expect((await create('b')).status).toBe(201)
  })

  it('SV6 an invalid object is 422 with the causes that kubectl prints', async () => {
    const answer = await create('a', { spec: { runPolicy: 'Sometimes' } })
    expect(answer.body).toMatchObject({
      code: 422,
      reason: 'Invalid',
      details: { name: 'a', causes: [{ field: 'spec.runPolicy' }, { field: '<nil>' }] },
    })
  })

  it('SV6 an unknown field is refused under Strict, warned of by default, silent under Ignore', async () => {
    const send = (name: string, validation: string) =>
      server.send('POST', `${SPRITES}?fieldValidation=${validation}`, { body: spriteBody(name, { spec: { zzz: 1 } }) })
    const strict = await send('a', 'Strict')
    expect(pick(strict.body, '.message')).toContain('strict decoding error: unknown field "spec.zzz"')
    const warned = await send('b', 'Warn')
    expect(warned.response.headers['Warning']).toEqual(['299 - "unknown field \\"spec.zzz\\""'])
    expect((await send('c', 'Ignore')).response.headers).not.toHaveProperty('Warning')
  })

  it('SV6 an unknown failure is InternalError and keeps its text to the log', async () => {
    const lines: string[] = []
    const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } })
    const broken: Registry = {
      ...memoryRegistry(new TestClock()),
      get: () => Promise.reject(new TypeError('secret path')),
    }
    const answer = await testServer({ registry: broken, log }).send('GET', `${SPRITES}/a`)
    expect(answer.body).toMatchObject({ code: 500, reason: 'InternalError' })
    expect(JSON.stringify(answer.body)).not.toContain('secret path')
    expect(lines.join('')).toContain('secret path')
  })

  it('SV6 Retry-After goes with a refusal that names it', async () => {
    const error = new ApiError('TooManyRequests', 'slow down', { retryAfterSeconds: 7 })
    const broken: Registry = { ...memoryRegistry(new TestClock()), get: () => Promise.reject(error) }
    const answer = await testServer({ registry: broken }).send('GET', `${SPRITES}/a`)
    expect(answer.response.headers['Retry-After']).toBe('7')
  })
})

describe('access', () => {
  const anonymous = { headers: { authorization: '' } }
  it.each(['/livez', '/readyz', '/healthz', '/version'])('SV11 %s needs no token', async (path) => {
    expect((await server.send('GET', path, anonymous)).status).toBe(200)
  })

  it.each(['/', '/api', '/apis', '/openapi/v3', '/metrics', SPRITES, '/nothing', '/api/v1/namespaces/acme'])(
    'SV11 %s needs one',
    async (path) => {
      const answer = await server.send('GET', path, anonymous)
      expect(answer.body).toMatchObject({ kind: 'Status', code: 401, reason: 'Unauthorized' })
      expect(answer.response.headers['WWW-Authenticate']).toContain('Bearer')
      const wrong = await server.send('GET', path, { headers: { authorization: 'Bearer sprt_x' } })
      expect(wrong.status).toBe(401)
    },
  )

  it('SV11 a browser may give the token as password; nobody in the URL', async () => {
    const basic = `Basic ${Buffer.from(`me:${server.token}`).toString('base64')}`
    expect((await server.send('GET', SPRITES, { headers: { authorization: basic } })).status).toBe(200)
    expect((await server.send('GET', `${SPRITES}?token=${server.token}`, anonymous)).status).toBe(401)
  })

  it('SV12 a token in the clear is Forbidden', async () => {
    const clear = { isTrustedTransport: false, isLoopbackHttp: false }
    expect((await server.send('GET', SPRITES, { over: clear })).status).toBe(403)
  })

  it('SV14 every response has an Audit-Id; mutations and denials are logged without secrets', async () => {
    const lines: string[] = []
    const log = createLog({ level: 'info', destination: { write: (line) => void lines.push(line) } })
    const logged = testServer({ log })
    await makeNamespace(logged)
    await logged.send('GET', SPRITES)
    const made = await logged.send('POST', SPRITES, { body: spriteBody('a', { spec: { image: 'canary-image' } }) })
    await logged.send('GET', SPRITES, anonymous)
    expect(made.response.headers['Audit-Id']).toMatch(/^[0-9a-f-]{36}$/)
    const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(entries.map(({ verb, code }) => [verb, code])).toEqual([
      ['create', 201],
      ['create', 201],
      ['GET', 401],
    ])
    expect(entries[1]).toMatchObject({
      actor: 'admin',
      resource: 'sprites',
      namespace: 'acme',
      requestId: made.response.headers['Audit-Id'],
    })
    expect(entries[2]).toMatchObject({ resource: 'sprites', namespace: 'acme' })
    expect(lines.join('')).not.toContain('canary-image')
    expect(lines.join('')).not.toContain(logged.token)
  })

  it('SV14 requests are counted by verb, resource and code, never by name', async () => {
    const metrics = createMetrics()
    const counted = testServer({ metrics })
    await counted.send('GET', `${SPRITES}/some-name`)
    const text = String((await counted.send('GET', '/metrics')).body)
    expect(text).toContain('apiserver_requests_total{verb="get",resource="sprites",code="404"} 1')
    expect(text).not.toContain('some-name')
  })

  it('SV11 readyz says what is missing', async () => {
    const waiting = testServer({ readiness: () => Promise.resolve(['store: not open']) })
    expect(await waiting.send('GET', '/readyz')).toMatchObject({
      status: 503,
      body: expect.stringContaining('[-]store: not open') as string,
    })
    expect((await waiting.send('GET', '/livez')).status).toBe(200)
  })
})
