/** The adapter on the wire: how machines are created and read, against recorded answers of the Machines API. */
import { describe, expect, it } from 'vitest'
import nock from 'nock'
import { settle } from '../../../system/test-clock.ts'
import { specFor } from '../contract.ts'
import { createRequest } from './machine-config.ts'
import {
  api,
  APP,
  BASE,
  clock,
  flyMachine,
  ID,
  MACHINES,
  onlyNock,
  provider,
  REF,
  SPEC,
  TAKEN,
} from './wire-fixture.ts'

onlyNock()

describe('create on the wire', () => {
  it('FW1 asks for the app, makes it in a network of its own, then posts the machine', async () => {
    api().get('/v1/apps/highera-acme').reply(404, { error: 'not_found' })
    api()
      .post('/v1/apps', {
        name: 'highera-acme',
        org_slug: 'personal',
        network: 'highera-acme',
        enable_subdomains: false,
        idempotency_key: 'cp-highera-acme',
      })
      .reply(201, { id: 'x' }, { 'set-cookie': 'fly_flaps_affinity=node1; Path=/v1/apps/highera-acme' })
    const stamp = {
      highera_managed_by: 'highera-sprites',
      highera_control_plane: 'cp',
      highera_tenant: 'acme',
      highera_sprite: 'writer',
      highera_sprite_uid: '0a1b2c3d-0000-4000-8000-000000000000',
      highera_incarnation: '1',
      highera_spec_hash: 'hash1',
    }
    nock(BASE, { reqheaders: { authorization: 'FlyV1 fm2_token', cookie: 'fly_flaps_affinity=node1' } })
      .post(MACHINES, {
        name: 'writer-0a1b2c3d-1',
        region: 'iad,ams',
        config: {
          image: 'registry.example/sprite:1',
          guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 512 },
          env: { SPRITE_TENANT: 'acme', HIGHERA_OWNER: JSON.stringify(stamp) },
          metadata: stamp,
          auto_destroy: false,
          restart: { policy: 'no' },
          stop_config: { signal: 'SIGTERM', timeout: '5s' },
        },
      })
      .reply(200, flyMachine({ state: 'created' }))
    expect(await provider().create(SPEC)).toEqual({
      id: ID,
      name: 'writer-0a1b2c3d-1',
      app: 'highera-acme',
      region: 'iad',
      state: 'created',
      image: 'registry.example/sprite:1',
      createdAtMs: Date.parse('2026-01-15T12:00:00Z'),
      updatedAtMs: Date.parse('2026-01-15T12:00:01.5Z'),
      owner: SPEC.owner,
      hostReachable: true,
    })
  })

  it('FW1 the app is asked for once', async () => {
    api().get('/v1/apps/highera-acme').once().reply(200, APP)
    api().post(MACHINES).twice().reply(200, flyMachine())
    const fly = provider()
    await fly.create(SPEC)
    await fly.create(SPEC)
  })

  it('FW1 calls at once ask for the app once; after a 404 it is asked for again', async () => {
    api().get('/v1/apps/highera-acme').once().reply(200, APP)
    api().post(MACHINES).twice().reply(200, flyMachine())
    const fly = provider()
    await Promise.all([fly.create(SPEC), fly.create(SPEC)])
    api().post(MACHINES).reply(404, { error: 'not_found: app not found' })
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'NotReady' })
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).reply(200, flyMachine())
    await fly.create(SPEC)
  })

  it('FW1 an app of another organization is not used', async () => {
    api()
      .get('/v1/apps/highera-acme')
      .reply(200, { ...APP, organization: { slug: 'theirs' } })
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason: 'NameConflict' })
  })

  it('FW1 an app on another network than its own is not used, a shared one on any', async () => {
    api()
      .get('/v1/apps/highera-acme')
      .reply(200, { ...APP, network: 'default' })
    await expect(provider().create(SPEC)).rejects.toMatchObject({
      reason: 'NameConflict',
      message: expect.stringContaining('"default"') as string,
    })
    api()
      .get('/v1/apps/one-app')
      .reply(200, { ...APP, name: 'one-app', network: 'default' })
    api().post('/v1/apps/one-app/machines').reply(200, flyMachine())
    await provider({ appTemplate: 'one-app' }).create(SPEC)
  })

  it('FW1 an app that another of us made meanwhile is used', async () => {
    api().get('/v1/apps/highera-acme').reply(404, { error: 'not_found' })
    api().post('/v1/apps').reply(422, { error: 'Name has already been taken', status: 'name_taken' })
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).reply(200, flyMachine())
    expect((await provider().create(SPEC)).id).toBe(ID)
  })

  it.each([400, 409, 422])('FW2 a name taken (%i) is looked up by its id and adopted', async (status) => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).reply(status, { error: TAKEN })
    api().get(`${MACHINES}/${ID}`).reply(200, flyMachine())
    expect((await provider().create(SPEC)).id).toBe(ID)
  })

  it('FW2 a holder with another stamp is NameConflict; one that cannot be seen yet is NotReady', async () => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).twice().reply(409, { error: TAKEN })
    const other = createRequest({ ...SPEC, owner: { ...SPEC.owner, specHash: 'hash2' } }).config
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ config: other }))
    api().get(`${MACHINES}/${ID}`).reply(404, { error: 'not_found' })
    const fly = provider()
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'NameConflict' })
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'NotReady' })
  })

  it.each([
    [408, 'OutcomeUnknown'],
    [500, 'OutcomeUnknown'],
    [502, 'OutcomeUnknown'],
    [503, 'OutcomeUnknown'],
    [504, 'OutcomeUnknown'],
    [400, 'InvalidSpec'],
    [401, 'CredentialsInvalid'],
    [403, 'CredentialsInvalid'],
    [404, 'NotReady'],
    [412, 'NotReady'],
    [422, 'InvalidSpec'],
    [301, 'Unexpected'],
  ])('FW3 %i on create is %s, and the POST is sent once', async (status, reason) => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).once().reply(status, { error: 'words of Fly' }, { 'fly-request-id': '01REQ-iad' })
    await expect(provider().create(SPEC)).rejects.toMatchObject({
      reason,
      requestId: '01REQ-iad',
      message: expect.stringContaining('words of Fly') as string,
    })
  })

  it('FW3 a reset connection is OutcomeUnknown, a refused one Unavailable', async () => {
    api().get('/v1/apps/highera-acme').twice().reply(200, APP)
    api()
      .post(MACHINES)
      .replyWithError(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }))
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
    api()
      .post(MACHINES)
      .replyWithError(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason: 'Unavailable' })
  })

  it('FW3 an answer too large to read leaves a create unknown', async () => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api()
      .post(MACHINES)
      .reply(200, `"${'x'.repeat(10 * 1024 * 1024)}"`)
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
  })

  it('FW3 429 carries Retry-After', async () => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).reply(429, 'slow down', { 'retry-after': '7' })
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason: 'RateLimited', retryAfterMs: 7_000 })
  })

  it('FW3 a 401 or 404 right after the app was made only means that it is not seen everywhere yet', async () => {
    api().get('/v1/apps/highera-acme').reply(404, { error: 'not_found' })
    api().post('/v1/apps').reply(201, {})
    api().post(MACHINES).reply(401, { error: 'unauthorized' })
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason: 'NotReady' })
  })
})

describe('reads on the wire', () => {
  it('FW4 list is one request for the app; an absent app is an empty, complete list', async () => {
    api()
      .get(MACHINES)
      .reply(200, [flyMachine(), flyMachine({ id: 'dead', state: 'destroyed' })])
    expect((await provider().list('acme')).machines.map((machine) => machine.id)).toEqual([ID])
    api().get(MACHINES).reply(404, { error: 'not_found: app not found' })
    expect(await provider().list('acme')).toEqual({ machines: [], complete: true })
  })

  it('FW4 in a shared app the list asks by metadata and shows only what carries our stamp', async () => {
    api()
      .get('/v1/apps/one-app/machines')
      .query({ 'metadata.highera_control_plane': 'cp', 'metadata.highera_tenant': 'acme' })
      .reply(200, [flyMachine(), flyMachine({ id: 'theirs', config: { image: 'x' } })])
    const listed = await provider({ appTemplate: 'one-app' }).list('acme')
    expect(listed.machines.map((machine) => machine.id)).toEqual([ID])
  })

  it('FW4 a row that cannot be read, or that is of another tenant, makes the list incomplete', async () => {
    api()
      .get(MACHINES)
      .reply(200, [flyMachine(), { id: 7 }])
    expect(await provider().list('acme')).toMatchObject({ complete: false, machines: [{ id: ID }] })
    const stray = createRequest(specFor('other', 'writer', { controlPlane: 'cp' })).config
    api()
      .get(MACHINES)
      .reply(200, [flyMachine({ config: stray })])
    expect(await provider().list('acme')).toEqual({ complete: false, machines: [] })
  })

  it.each([
    ['HTML', '<html>maintenance</html>'],
    ['truncated JSON', '[{"id": "5683'],
    ['another shape', '{"machines": []}'],
    ['nothing', ''],
  ])('FW5 a list of %s is Unexpected, never empty', async (_name, body) => {
    api().get(MACHINES).reply(200, body)
    await expect(provider().list('acme')).rejects.toMatchObject({ reason: 'Unexpected' })
  })

  it('FW5 a body above 10 MB is refused, and read no further', async () => {
    api()
      .get(MACHINES)
      .reply(200, `["${'x'.repeat(10 * 1024 * 1024)}"]`)
    await expect(provider().list('acme')).rejects.toMatchObject({ reason: 'Unexpected' })
  })

  it('FW6 get: 404 and destroyed are absent; a 404 page of something in between is not', async () => {
    api().get(`${MACHINES}/${ID}`).reply(404, { error: 'not_found' })
    expect(await provider().get(REF)).toBeUndefined()
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ state: 'destroyed' }))
    expect(await provider().get(REF)).toBeUndefined()
    api().get(`${MACHINES}/${ID}`).reply(404, '<html>not here</html>')
    await expect(provider().get(REF)).rejects.toMatchObject({ reason: 'Unexpected' })
    api().get(`${MACHINES}/${ID}`).reply(503, 'busy')
    await expect(provider().get(REF)).rejects.toMatchObject({ reason: 'Unavailable' })
  })

  it('FW6 get tells the exit, the lost host, and a state that it does not know', async () => {
    const events = [{ type: 'exit', timestamp: 5, request: { exit_event: { exit_code: 137, oom_killed: true } } }]
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ state: 'hibernating', events, host_status: 'unreachable' }))
    expect(await provider().get(REF)).toMatchObject({
      state: 'unknown',
      exit: { atMs: 5, code: 137, oomKilled: true },
      hostReachable: false,
    })
  })

  it('FW7 the deadline and the caller’s signal end a call', async () => {
    api().get(`${MACHINES}/${ID}`).delay(60_000).twice().reply(200, flyMachine())
    const late = expect(provider().get(REF)).rejects.toMatchObject({ reason: 'Unavailable' })
    await settle()
    await clock.advance(4_000)
    await late
    const abort = new AbortController()
    const cut = expect(provider().get(REF, abort.signal)).rejects.toMatchObject({ reason: 'Unavailable' })
    await settle()
    abort.abort()
    await cut
    await expect(provider().get(REF, AbortSignal.abort())).rejects.toMatchObject({ reason: 'Unavailable' })
    nock.abortPendingRequests()
    expect(clock.pendingTimers).toBe(0)
  })
})
