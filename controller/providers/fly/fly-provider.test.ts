/** The adapter on the wire, request by request, against recorded answers of the Machines API. */
import nock from 'nock'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settle, TestClock } from '../../../system/test-clock.ts'
import { specFor } from '../contract.ts'
import type { MachineProvider } from '../machines.ts'
import { createFlyProvider, type FlyProviderOptions } from './fly-provider.ts'
import { createRequest } from './machine-config.ts'

const BASE = 'https://api.machines.dev'
const SPEC = specFor('acme', 'writer', { controlPlane: 'cp' })
const MACHINES = '/v1/apps/highera-acme/machines'
const ID = '5683d474f4658e'
const REF = { tenant: 'acme', id: ID }
const APP = { name: 'highera-acme', network: 'highera-acme', organization: { slug: 'personal' } }
const TAKEN = `already_exists: unique machine name violation, machine ID ${ID} already exists with name "${SPEC.name}"`

const flyMachine = (change: object = {}): object => ({
  id: ID,
  name: SPEC.name,
  state: 'started',
  region: 'iad',
  instance_id: '01JD0000000000000000000000',
  created_at: '2026-01-15T12:00:00Z',
  updated_at: '2026-01-15T12:00:01.5Z',
  config: createRequest(SPEC).config,
  events: [],
  host_status: 'ok',
  brand_new_field: { any: 'thing' },
  ...change,
})

const clock = new TestClock()
const provider = (options: Partial<FlyProviderOptions> = {}): MachineProvider =>
  createFlyProvider({
    baseUrl: BASE,
    token: 'fm2_token',
    orgSlug: 'personal',
    appTemplate: 'highera-{tenant}',
    controlPlaneId: 'cp',
    clock,
    paced: false,
    ...options,
  })
const api = (): nock.Scope => nock(BASE, { reqheaders: { authorization: 'FlyV1 fm2_token' } })

beforeEach(() => {
  nock.disableNetConnect()
})
afterEach(() => {
  const pending = nock.pendingMocks()
  nock.cleanAll()
  expect(pending).toEqual([])
})
afterAll(() => {
  nock.enableNetConnect()
  nock.restore()
})

describe('create on the wire', () => {
  it('FW1 asks for the app, makes it in a network of its own, then posts the machine', async () => {
    api().get('/v1/apps/highera-acme').reply(404, { error: 'not_found' })
    api()
      .post('/v1/apps', {
        name: 'highera-acme',
        org_slug: 'personal',
        network: 'highera-acme',
        enable_subdomains: false,
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

  it('FW1 an app of another organization is not used', async () => {
    api()
      .get('/v1/apps/highera-acme')
      .reply(200, { ...APP, organization: { slug: 'theirs' } })
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason: 'NameConflict' })
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

describe('changes on the wire', () => {
  /** A provider that has seen the machine to be ours, so that no look-up comes first. */
  const knowing = async (): Promise<MachineProvider> => {
    api().get(MACHINES).reply(200, [flyMachine()])
    const fly = provider()
    await fly.list('acme')
    return fly
  }

  it('FW8 start: 412 of a started machine is success, of another one NotReady', async () => {
    const fly = await knowing()
    api().post(`${MACHINES}/${ID}/start`).reply(200, { previous_state: 'stopped' })
    await fly.start(REF)
    api().post(`${MACHINES}/${ID}/start`).twice().reply(412, { error: 'unable to start machine' })
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ state: 'started' }))
    await fly.start(REF)
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ state: 'replacing' }))
    await expect(fly.start(REF)).rejects.toMatchObject({ reason: 'NotReady' })
  })

  it('FW8 start: 200 with status error is a failure, with its reason', async () => {
    const fly = await knowing()
    api().post(`${MACHINES}/${ID}/start`).reply(200, { status: 'error', message: 'insufficient memory available' })
    await expect(fly.start(REF)).rejects.toMatchObject({ reason: 'NoCapacity' })
    api().post(`${MACHINES}/${ID}/start`).reply(200, { status: 'error', message: 'something new' })
    await expect(fly.start(REF)).rejects.toMatchObject({ reason: 'NotReady' })
  })

  it('FW9 stop posts an empty body, so that the machine’s own stop_config holds', async () => {
    const fly = await knowing()
    api().post(`${MACHINES}/${ID}/stop`, {}).reply(200, { ok: true })
    await fly.stop(REF)
    api().post(`${MACHINES}/${ID}/stop`).reply(412, { error: 'failed_precondition' })
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ state: 'stopped' }))
    await fly.stop(REF)
  })

  it('FW10 destroy is forced; 404 is success', async () => {
    const fly = await knowing()
    api().delete(`${MACHINES}/${ID}`).query({ force: 'true' }).reply(200, { ok: true })
    await fly.destroy(REF)
    api().delete(`${MACHINES}/${ID}`).query({ force: 'true' }).reply(404, { error: 'not_found' })
    await fly.destroy(REF)
    api().delete(`${MACHINES}/${ID}`).query({ force: 'true' }).reply(502, 'bad gateway')
    await expect(fly.destroy(REF)).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
  })

  it('FW11 before a machine it has not seen is changed, its stamp is read', async () => {
    api().get(`${MACHINES}/${ID}`).reply(200, flyMachine())
    api().delete(`${MACHINES}/${ID}`).query({ force: 'true' }).reply(200, { ok: true })
    await provider().destroy(REF)
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ config: { image: 'x', metadata: {} } }))
    await expect(provider().destroy(REF)).rejects.toMatchObject({ reason: 'NameConflict' })
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ config: null, host_status: 'unreachable' }))
    await expect(provider().destroy(REF)).rejects.toMatchObject({ reason: 'NotReady' })
  })

  it('FW11 in a shared app our stamp without our name shape is not enough', async () => {
    const shared = '/v1/apps/one-app/machines'
    api()
      .get(`${shared}/${ID}`)
      .reply(200, flyMachine({ name: 'forged' }))
    await expect(provider({ appTemplate: 'one-app' }).destroy(REF)).rejects.toMatchObject({ reason: 'NameConflict' })
  })

  it('FW11 what was ours stays ours, though the workload has wiped its metadata', async () => {
    const fly = await knowing()
    api().delete(`${MACHINES}/${ID}`).query({ force: 'true' }).reply(200, { ok: true })
    await fly.destroy(REF)
  })

  it('FW12 removeTenant deletes an empty app, and keeps one with machines in it', async () => {
    api().get(MACHINES).reply(200, [])
    api().delete('/v1/apps/highera-acme').reply(202)
    await provider().removeTenant('acme')
    api().get(MACHINES).reply(200, [flyMachine()])
    await expect(provider().removeTenant('acme')).rejects.toMatchObject({ reason: 'NotReady' })
    api()
      .get(MACHINES)
      .reply(200, [flyMachine({ config: { image: 'x' } })])
    await provider().removeTenant('acme')
    await provider({ appTemplate: 'one-app' }).removeTenant('acme')
  })

  it('FW13 ids are encoded: a path in an id does not leave its segment', async () => {
    api().get(`${MACHINES}/..%2F..%2Fapps`).reply(404, { error: 'not_found' })
    expect(await provider().get({ tenant: 'acme', id: '../../apps' })).toBeUndefined()
  })
})

describe('pace', () => {
  it('FW14 the fourth create of a burst waits, a further one is held back; gets have their own rate', async () => {
    const fly = provider({ paced: true })
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).times(5).reply(200, flyMachine())
    for (let count = 0; count < 3; count++) await fly.create(SPEC)
    const waiting = [fly.create(SPEC), fly.create(SPEC)]
    await settle()
    const held = fly.create(SPEC)
    await expect(held).rejects.toMatchObject({ reason: 'RateLimited', retryAfterMs: 3_000 })
    api().get(`${MACHINES}/${ID}`).reply(200, flyMachine())
    await fly.get(REF)
    await clock.advance(2_000)
    expect((await Promise.all(waiting)).map((machine) => machine.id)).toEqual([ID, ID])
  })

  it('FW14 after a 429 nothing of that kind is sent for as long as it asks', async () => {
    const fly = provider({ paced: true })
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).reply(429, '', { 'retry-after': '30' })
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'RateLimited', retryAfterMs: 30_000 })
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'RateLimited', retryAfterMs: 30_000 })
    await clock.advance(30_000)
    api().post(MACHINES).reply(200, flyMachine())
    expect((await fly.create(SPEC)).id).toBe(ID)
  })
})
