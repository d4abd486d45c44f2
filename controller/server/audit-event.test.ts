/** Tests of what the audit log is told, in values and through a server. */
import { assert, constantFrom, property, string } from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Authorizer } from '../access/authorizer.ts'
import { allowAll } from '../access/authorizer.ts'
import { ApiError } from '../api/errors.ts'
import type { AuditEvent } from './audit.ts'
import { auditEventOf, isAudited, type AuditedRequest } from './audit-event.ts'
import { endlessSeats } from './seats.ts'
import { makeNamespace, spriteBody, SPRITES, testServer, type TestServer } from './testing.ts'

const requestOf = (over: Partial<AuditedRequest> & { readonly uri?: string } = {}): AuditedRequest => ({
  auditId: 'a-1',
  method: 'POST',
  url: new URL(over.uri ?? '/x', 'http://server.invalid'),
  code: 200,
  endedAtMs: Date.UTC(2026, 0, 15, 12, 0, 1),
  durationMs: 1_000,
  ...over,
})

const path = (plural: string, group = '') => ({
  group,
  version: 'v1',
  namespace: 'acme',
  plural,
  name: undefined,
  subresource: undefined,
})

/** A server whose audit log is a list. */
async function audited(over: Partial<Parameters<typeof testServer>[0]> = {}): Promise<{
  readonly server: TestServer
  readonly events: AuditEvent[]
}> {
  const events: AuditEvent[] = []
  const server = testServer({ audit: { write: (event) => void events.push(event) }, ...over })
  await makeNamespace(server)
  events.length = 0
  return { server, events }
}

const only = (events: readonly AuditEvent[]): AuditEvent => {
  expect(events).toHaveLength(1)
  const [event] = events
  if (event === undefined) throw new Error('There is no event')
  return event
}

describe('what is audited', () => {
  it.each(['create', 'update', 'patch', 'delete', 'deletecollection', 'wake'])('AU1 %s, however it ends', (verb) => {
    for (const code of [200, 201, 409, 422, 500]) expect(isAudited(requestOf({ verb, code }))).toBe(true)
  })

  it.each([401, 403, 429])('AU2 every refusal with %i', (code) => {
    expect(isAudited(requestOf({ code }))).toBe(true)
    expect(isAudited(requestOf({ code, verb: 'get' }))).toBe(true)
  })

  it('AU2 what does not exist for the caller, but not what does not exist', () => {
    const hidden = requestOf({ verb: 'get', code: 404, path: path('sprites') })
    expect(isAudited(hidden)).toBe(true)
    expect(isAudited({ ...hidden, allowedBecause: 'may read' })).toBe(false)
    expect(isAudited({ ...hidden, verb: undefined })).toBe(false)
  })

  it('AU3 reads of secrets, and no other reads', () => {
    for (const verb of ['get', 'list', 'watch']) {
      expect(isAudited(requestOf({ verb, path: path('secrets'), allowedBecause: 'x' }))).toBe(true)
      expect(isAudited(requestOf({ verb, path: path('configmaps'), allowedBecause: 'x' }))).toBe(false)
      expect(isAudited(requestOf({ verb, path: path('secrets', 'other.io'), allowedBecause: 'x' }))).toBe(false)
    }
  })
})

describe('who looks as somebody else', () => {
  it('AU16 leaves a line, whatever is read', () => {
    const read = requestOf({ verb: 'list', path: path('sprites'), allowedBecause: 'x' })
    expect(isAudited(read)).toBe(false)
    expect(isAudited({ ...read, impersonator: { name: 'boss', groups: [] } })).toBe(true)
  })
})

describe('an event', () => {
  it('AU4 has what happened in the shape of audit.k8s.io', () => {
    const event = auditEventOf(
      requestOf({
        uri: '/api/v1/namespaces/acme/secrets?limit=5',
        verb: 'list',
        path: path('secrets'),
        actor: { name: 'ann', groups: ['writers'], uid: 'u1' },
        impersonator: { name: 'boss', groups: [] },
        source: '10.0.0.1',
        userAgent: 'kubectl/1.33',
        allowedBecause: 'a member',
      }),
    )
    expect(event).toEqual({
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: 'a-1',
      stage: 'ResponseComplete',
      requestURI: '/api/v1/namespaces/acme/secrets?limit=5',
      verb: 'list',
      user: { username: 'boss', groups: [] },
      impersonatedUser: { username: 'ann', groups: ['writers'], uid: 'u1' },
      sourceIPs: ['10.0.0.1'],
      userAgent: 'kubectl/1.33',
      objectRef: { resource: 'secrets', apiVersion: 'v1', namespace: 'acme' },
      responseStatus: { code: 200 },
      requestReceivedTimestamp: '2026-01-15T12:00:00.000000Z',
      stageTimestamp: '2026-01-15T12:00:01.000000Z',
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': 'a member' },
    })
  })

  it('AU4 tells by which credential somebody came: a token may be given any name', () => {
    const extra = { 'sprites.highera.com/access-token': ['acme/ci'], ['k'.repeat(999)]: ['v'.repeat(999)] }
    const { user } = auditEventOf(requestOf({ verb: 'create', actor: { name: 'ann@x.test', groups: [], extra } }))
    expect(user.extra?.['sprites.highera.com/access-token']).toEqual(['acme/ci'])
    expect(JSON.stringify(user).length).toBeLessThan(1_000)
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k${index}`, ['v']]))
    const crowded = auditEventOf(requestOf({ verb: 'create', actor: { name: 'ann', groups: [], extra: many } }))
    expect(Object.keys(crowded.user.extra ?? {})).toHaveLength(16)
  })

  it('AU5 keeps no credential that stands in the URL', () => {
    const { requestURI } = auditEventOf(
      requestOf({ uri: '/v1/x?access_token=sprt_1&a=2&Token=3&api_key=4&continue=5' }),
    )
    expect(requestURI).toBe('/v1/x?access_token=redacted&a=2&Token=redacted&api_key=redacted&continue=5')
  })

  it('AU5 is bounded, whatever a caller sends', () => {
    const text = string({ maxLength: 20_000, unit: 'binary' })
    assert(
      property(text, text, constantFrom('sprites', 'x'.repeat(9_000)), (one, two, plural) => {
        const event = auditEventOf(
          requestOf({
            uri: `/x?${encodeURIComponent(one.toWellFormed())}=1`,
            method: two,
            actor: { name: one, groups: Array.from({ length: 200 }, () => two), uid: one },
            userAgent: two,
            source: one,
            path: { ...path(plural), name: one },
            about: { uid: two, resourceVersion: one },
            message: one,
            allowedBecause: two,
          }),
        )
        expect(JSON.stringify(event).length).toBeLessThan(140_000)
        expect(event.requestURI.length).toBeLessThanOrEqual(2_048)
        expect(event.user.groups.length).toBeLessThanOrEqual(64)
      }),
      { numRuns: 50 },
    )
  })
})

describe('through a server', () => {
  it('AU1 a write says who did what to which object, and that it was allowed', async () => {
    const { server, events } = await audited()
    const { body } = await server.send('POST', SPRITES, { body: spriteBody('one') })
    const { uid, resourceVersion } = (body as { metadata: { uid: string; resourceVersion: string } }).metadata
    expect(only(events)).toMatchObject({
      verb: 'create',
      user: { username: 'admin', groups: ['system:masters'] },
      userAgent: 'test/1',
      objectRef: {
        resource: 'sprites',
        apiGroup: 'sprites.highera.com',
        apiVersion: 'v1alpha1',
        namespace: 'acme',
        name: 'one',
        uid,
        resourceVersion,
      },
      responseStatus: { code: 201 },
      annotations: {
        'authorization.k8s.io/decision': 'allow',
        'authorization.k8s.io/reason': 'everything is allowed',
      },
    })
    expect(JSON.stringify(events)).not.toContain(server.token)
    expect(JSON.stringify(events)).not.toContain('copywriter')
  })

  it('AU1 has the id that the caller was told', async () => {
    const { server, events } = await audited()
    const { response } = await server.send('POST', SPRITES, { body: spriteBody('one') })
    expect(only(events).auditID).toBe(response.headers['Audit-Id'])
  })

  it('AU1 every kind of write, also one that fails; reads are not', async () => {
    const { server, events } = await audited()
    await server.send('POST', SPRITES, { body: spriteBody('one') })
    await server.send('PUT', `${SPRITES}/one`, { body: spriteBody('one') })
    const merge = { 'content-type': 'application/merge-patch+json' }
    await server.send('PATCH', `${SPRITES}/one`, { body: { metadata: { labels: { a: 'b' } } }, headers: merge })
    await server.send('PATCH', `${SPRITES}/none`, { body: {}, headers: merge })
    await server.send('POST', SPRITES, { body: '{' })
    await server.send('GET', `${SPRITES}/one`)
    await server.send('GET', SPRITES)
    await server.send('GET', `${SPRITES}/none`)
    await server.send('DELETE', `${SPRITES}/one`)
    await server.send('DELETE', SPRITES)
    expect(events.map(({ verb, responseStatus: { code, reason } }) => `${verb} ${code} ${reason ?? ''}`)).toEqual([
      'create 201 ',
      'update 422 Invalid',
      'patch 200 ',
      'patch 404 NotFound',
      'create 400 BadRequest',
      'delete 200 ',
      'deletecollection 200 ',
    ])
  })

  it('AU6 a dry run is marked, asked for in the query or in the body', async () => {
    const { server, events } = await audited()
    await server.send('POST', `${SPRITES}?dryRun=All`, { body: spriteBody('one') })
    await server.send('POST', SPRITES, { body: spriteBody('one') })
    const body = { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] }
    await server.send('DELETE', `${SPRITES}/one`, { body })
    await server.send('DELETE', SPRITES, { body })
    const marks = events.map(({ annotations }) => annotations?.['audit.sprites.highera.com/dry-run'])
    expect(marks).toEqual(['true', undefined, 'true', 'true'])
  })

  it('AU2 a request without a good token, of nobody', async () => {
    const { server, events } = await audited()
    await server.send('GET', SPRITES, { headers: { authorization: 'Bearer wrong' } })
    expect(only(events)).toMatchObject({
      verb: 'get',
      user: { username: 'system:anonymous', groups: ['system:unauthenticated'] },
      objectRef: { resource: 'sprites', namespace: 'acme' },
      responseStatus: { code: 401, reason: 'Unauthorized' },
    })
    expect(JSON.stringify(events)).not.toContain('wrong')
  })

  it('AU2 what is forbidden or hidden, with the decision', async () => {
    const refusing = (isHidden: boolean): Authorizer => ({
      ...allowAll,
      decide: ({ verb }) =>
        verb === 'create'
          ? { isAllowed: true, reason: 'for the test' }
          : { isAllowed: false, reason: 'is a viewer', isHidden },
      decidePath: () => ({ isAllowed: false, reason: 'not for you', isHidden: false }),
    })
    for (const isHidden of [true, false]) {
      const { server, events } = await audited({ authorizer: refusing(isHidden) })
      await server.send('GET', `${SPRITES}/one`)
      expect(only(events)).toMatchObject({
        verb: 'get',
        responseStatus: { code: isHidden ? 404 : 403 },
        annotations: { 'authorization.k8s.io/decision': 'forbid' },
      })
      await server.send('GET', '/metrics')
      expect(events[1]).toMatchObject({ requestURI: '/metrics', verb: 'get', responseStatus: { code: 403 } })
    }
  })

  it('AU2 one that was sent away for want of a seat', async () => {
    const { server, events } = await audited({
      seats: {
        ...endlessSeats,
        enter: () => Promise.reject(new ApiError('TooManyRequests', 'Wait', { retryAfterSeconds: 1 })),
      },
    })
    await server.send('GET', SPRITES)
    expect(events.at(-1)).toMatchObject({ verb: 'list', responseStatus: { code: 429, reason: 'TooManyRequests' } })
  })
})
