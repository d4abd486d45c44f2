/** Every row of Fly's table of errors, on the wire: what each refusal becomes, what is sent after it, and what is not. */
import { describe, expect, it } from 'vitest'
import nock from 'nock'
import type { MachineProvider, ProviderErrorReason } from '../machines.ts'
import { api, APP, BASE, clock, flyMachine, ID, MACHINES, onlyNock, provider, REF, SPEC } from './wire-fixture.ts'

onlyNock()

const ONE_REGION = { ...SPEC, regions: ['iad'] }
const REQUEST_ID = '01KREQ0000000000000000000-iad'
const HEADERS = { 'fly-request-id': REQUEST_ID }

type Row = readonly [status: number, body: object | string, reason: ProviderErrorReason]
const text = (error: string): { error: string } => ({ error })

const CREATE_ROWS: readonly Row[] = [
  [400, text('invalid_argument: invalid config.guest.memory_mb, minimum required 512 MiB'), 'InvalidSpec'],
  [400, text('failed to get manifest registry.fly.io/x:y: MANIFEST_UNKNOWN'), 'InvalidSpec'],
  [400, text('no capacity available in region'), 'NoCapacity'],
  [401, text('unauthorized'), 'CredentialsInvalid'],
  [403, text('forbidden'), 'CredentialsInvalid'],
  [403, text('organization is over the allowed quota of memory in iad'), 'QuotaExceeded'],
  [404, text('not_found: app not found'), 'NotReady'],
  [408, text('deadline_exceeded: upstream'), 'OutcomeUnknown'],
  [409, text('machine ID 1 lease currently held by a@b.c, expires at 2026-01-01'), 'NotReady'],
  [409, text('aborted: machine update failed due to concurrent update'), 'NotReady'],
  [409, text('insufficient CPUs available to fulfill request on the current host'), 'NoCapacity'],
  [409, text('insufficient memory available on the current host'), 'NoCapacity'],
  [409, text('insufficient IPs'), 'NoCapacity'],
  [409, text('insufficient resources'), 'NoCapacity'],
  [409, text('aborted: no capacity'), 'NoCapacity'],
  [409, { error: 'insufficient memory', status: 'something_new' }, 'NotReady'],
  [412, { error: 'failed_precondition', status: 'volume_placement_capacity' }, 'NoCapacity'],
  [412, text('failed_precondition: volume still claimed'), 'NotReady'],
  [422, text('validation failed'), 'InvalidSpec'],
  [422, { error: 'could not find a candidate host', status: 'insufficient_capacity' }, 'NoCapacity'],
  [422, text('could not find a candidate host'), 'NoCapacity'],
  [422, text('organization has reached its machine limit'), 'QuotaExceeded'],
  [429, 'slow down', 'RateLimited'],
  [500, text('internal'), 'OutcomeUnknown'],
  [502, '<html>bad gateway</html>', 'OutcomeUnknown'],
  [503, text('unavailable'), 'OutcomeUnknown'],
  [503, { error: 'no room', status: 'insufficient_capacity' }, 'NoCapacity'],
  [504, '', 'OutcomeUnknown'],
  [302, '', 'Unexpected'],
  [418, 'teapot', 'Unexpected'],
]

describe('the table of errors', () => {
  it.each(CREATE_ROWS)('FW15 create: %i %j is %s, posted once, with Fly’s request id', async (status, body, reason) => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).once().reply(status, body, HEADERS)
    await expect(provider().create(ONE_REGION)).rejects.toMatchObject({
      reason,
      requestId: REQUEST_ID,
      message: expect.stringMatching(
        new RegExp(
          `^(Paused but for probes: )?Cannot create in app "highera-acme", regions iad: Fly answered ${status} \\(fly-request-id ${REQUEST_ID}\\) `,
        ),
      ) as string,
    })
  })

  /** A provider that knows the machine to be ours. */
  const knowing = async (): Promise<MachineProvider> => {
    api().get(MACHINES).reply(200, [flyMachine()])
    const fly = provider()
    await fly.list('acme')
    return fly
  }
  const CALLS = {
    list: { method: 'GET', path: MACHINES, run: (fly: MachineProvider) => fly.list('acme') },
    get: { method: 'GET', path: `${MACHINES}/${ID}`, run: (fly: MachineProvider) => fly.get(REF) },
    start: { method: 'POST', path: `${MACHINES}/${ID}/start`, run: (fly: MachineProvider) => fly.start(REF) },
    stop: { method: 'POST', path: `${MACHINES}/${ID}/stop`, run: (fly: MachineProvider) => fly.stop(REF) },
    destroy: {
      method: 'DELETE',
      path: `${MACHINES}/${ID}?force=true`,
      run: (fly: MachineProvider) => fly.destroy(REF),
    },
  } as const
  const OTHER_ROWS: readonly (readonly [keyof typeof CALLS, number, string, ProviderErrorReason])[] = [
    ...(['list', 'get', 'start', 'stop', 'destroy'] as const).flatMap((call) => {
      const isRead = call === 'list' || call === 'get'
      const rows: [keyof typeof CALLS, number, string, ProviderErrorReason][] = [
        [call, 401, 'unauthorized', 'CredentialsInvalid'],
        [call, 403, 'forbidden', 'CredentialsInvalid'],
        [call, 408, 'deadline_exceeded', isRead ? 'Unavailable' : 'OutcomeUnknown'],
        [call, 429, 'slow down', 'RateLimited'],
        [call, 500, 'internal', isRead ? 'Unavailable' : 'OutcomeUnknown'],
        [call, 503, 'unavailable', isRead ? 'Unavailable' : 'OutcomeUnknown'],
      ]
      return rows
    }),
    ['start', 404, 'not_found: machine not found', 'NotFound'],
    ['start', 409, 'insufficient memory available on the current host', 'NoCapacity'],
    ['stop', 404, 'not_found: machine not found', 'NotFound'],
    ['destroy', 409, 'machine ID 1 lease currently held by x', 'NotReady'],
  ]
  it.each(OTHER_ROWS)(
    'FW15 %s: %i "%s" is %s, sent once, with Fly’s request id',
    async (name, status, error, reason) => {
      const fly = await knowing()
      const { method, path, run } = CALLS[name]
      api().intercept(path, method).once().reply(status, { error }, HEADERS)
      await expect(run(fly)).rejects.toMatchObject({
        reason,
        requestId: REQUEST_ID,
        message: expect.stringContaining(`${status} (fly-request-id ${REQUEST_ID}) "${error}"`) as string,
      })
    },
  )

  it.each([
    "unable to start machine from current state: 'created'",
    'machine getting replaced, refusing to start',
    'machine still active, refusing to start',
    'machine still attempting to start',
  ])('FW15 start: 412 "%s" of a machine that does not run is NotReady', async (error) => {
    const fly = await knowing()
    api().post(`${MACHINES}/${ID}/start`).reply(412, { error }, HEADERS)
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ state: 'stopped' }))
    await expect(fly.start(REF)).rejects.toMatchObject({ reason: 'NotReady', requestId: REQUEST_ID })
  })

  it.each([
    [403, 'forbidden', 'NameConflict'],
    [401, 'unauthorized', 'CredentialsInvalid'],
    [500, 'internal', 'Unavailable'],
  ] as const)('FW15 the app: %i "%s" is %s, and no machine is posted', async (status, error, reason) => {
    api().get('/v1/apps/highera-acme').reply(status, { error }, HEADERS)
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason, requestId: REQUEST_ID })
  })

  it.each([
    [400, 'organization not found', 'InvalidSpec'],
    [401, 'unauthorized', 'CredentialsInvalid'],
    [422, 'Name has already been taken', 'NameConflict'],
    [500, 'internal', 'OutcomeUnknown'],
  ] as const)('FW15 making the app: %i "%s" is %s, posted once', async (status, error, reason) => {
    api().get('/v1/apps/highera-acme').reply(404, { error: 'not_found' })
    api().post('/v1/apps').once().reply(status, { error }, HEADERS)
    // Taken, yet not to be seen by us: somebody else's.
    if (status === 400 || status === 422) api().get('/v1/apps/highera-acme').reply(404, { error: 'not_found' })
    await expect(provider().create(SPEC)).rejects.toMatchObject({ reason, requestId: REQUEST_ID })
  })
})

describe('regions', () => {
  const post = (region: string): nock.Interceptor =>
    nock(BASE).post(
      MACHINES,
      (body: { name: string; region: string }) => body.region === region && body.name === SPEC.name,
    )
  const regions = ['iad', 'ams', 'syd', 'nrt']

  it.each([
    [422, { error: 'could not find a candidate host', status: 'insufficient_capacity' }],
    [409, { error: 'aborted: no capacity' }],
    [403, { error: 'over the allowed quota' }],
    [503, { error: 'no room', status: 'insufficient_capacity' }],
  ])(
    'FW16 what a region refuses with %i for want of room is asked of the next, under the same name',
    async (status, body) => {
      api().get('/v1/apps/highera-acme').reply(200, APP)
      post('iad,ams,syd,nrt').reply(status, body)
      post('ams,syd,nrt').reply(200, flyMachine({ region: 'ams' }))
      const fly = provider()
      expect((await fly.create({ ...SPEC, regions })).region).toBe('ams')
      // It stays last for a minute.
      post('ams,syd,nrt,iad').reply(200, flyMachine({ region: 'ams' }))
      await fly.create({ ...SPEC, regions })
      await clock.advance(60_000)
      post('iad,ams,syd,nrt').reply(200, flyMachine({ region: 'iad' }))
      await fly.create({ ...SPEC, regions })
    },
  )

  it('FW16 three regions are asked at most; the last refusal is told', async () => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    for (const list of ['iad,ams,syd,nrt', 'ams,syd,nrt', 'syd,nrt'])
      post(list).reply(422, { error: `no capacity in ${list}` })
    await expect(provider().create({ ...SPEC, regions })).rejects.toMatchObject({
      reason: 'NoCapacity',
      message: expect.stringMatching(/, regions iad, ams, syd, nrt: .*no capacity in syd,nrt/) as string,
    })
  })

  it('FW16 an organization that is full is full in every region: one request', async () => {
    api().get('/v1/apps/highera-acme').reply(200, APP)
    post('iad,ams,syd,nrt').reply(422, { error: 'organization has reached its machine limit' })
    await expect(provider().create({ ...SPEC, regions })).rejects.toMatchObject({ reason: 'QuotaExceeded' })
  })
})

describe('circuits', () => {
  it('FW17 after a 401 nothing but a probe is sent, first after 30 s, then after twice as long; success closes', async () => {
    const fly = provider()
    api().get(MACHINES).reply(401, { error: 'unauthorized' }, HEADERS)
    const first = await fly.list('acme').catch((error: unknown) => error as Error)
    expect(first).toMatchObject({ reason: 'CredentialsInvalid', requestId: REQUEST_ID, retryAfterMs: 30_000 })
    await clock.advance(10_000)
    // Each says the same, with what opened it: a condition made of it stands still.
    for (const call of [fly.list('acme'), fly.get(REF), fly.destroy(REF), fly.create(SPEC)])
      await expect(call).rejects.toMatchObject({
        reason: 'CredentialsInvalid',
        retryAfterMs: 20_000,
        requestId: REQUEST_ID,
        message: (first as Error).message,
      })
    await clock.advance(20_000)
    api().get(MACHINES).reply(403, { error: 'forbidden' }, { 'fly-request-id': 'other' })
    await expect(fly.list('acme')).rejects.toMatchObject({ retryAfterMs: 60_000, message: (first as Error).message })
    await clock.advance(60_000)
    api().get(MACHINES).reply(200, [flyMachine()])
    expect((await fly.list('acme')).machines).toHaveLength(1)
    api().get(`${MACHINES}/${ID}`).reply(200, flyMachine())
    await fly.get(REF)
  })

  it('FW17 one app’s circuit is not another’s', async () => {
    const fly = provider()
    api().get(MACHINES).reply(401, { error: 'unauthorized' })
    await expect(fly.list('acme')).rejects.toMatchObject({ reason: 'CredentialsInvalid' })
    api().get('/v1/apps/highera-other/machines').reply(200, [])
    expect(await fly.list('other')).toEqual({ machines: [], complete: true })
  })

  it('FW17 a probe that gets no answer leaves the circuit open for the next probe', async () => {
    const fly = provider()
    api().get(MACHINES).reply(401, { error: 'unauthorized' })
    await expect(fly.list('acme')).rejects.toMatchObject({ reason: 'CredentialsInvalid' })
    await clock.advance(30_000)
    api().get(MACHINES).reply(503, 'busy')
    await expect(fly.list('acme')).rejects.toMatchObject({ reason: 'Unavailable' })
    api().get(MACHINES).reply(200, [])
    await fly.list('acme')
  })

  it('FW17 an organization that is full holds back creates alone, first for a minute', async () => {
    const fly = provider()
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(MACHINES).reply(422, { error: 'organization has reached its machine limit' }, HEADERS)
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'QuotaExceeded', retryAfterMs: 60_000 })
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'QuotaExceeded', requestId: REQUEST_ID })
    api().get(`${MACHINES}/${ID}`).reply(200, flyMachine())
    api().delete(`${MACHINES}/${ID}?force=true`).reply(200, { ok: true })
    await fly.destroy(REF)
    await clock.advance(60_000)
    api().post(MACHINES).reply(200, flyMachine())
    await fly.create(SPEC)
  })

  it('FW17 two probes never go out at once', async () => {
    const fly = provider()
    api().get(MACHINES).reply(401, { error: 'unauthorized' })
    await expect(fly.list('acme')).rejects.toMatchObject({ reason: 'CredentialsInvalid' })
    await clock.advance(30_000)
    api().get(MACHINES).reply(200, [])
    const probe = fly.list('acme')
    await expect(fly.get(REF)).rejects.toMatchObject({ reason: 'CredentialsInvalid', retryAfterMs: 1_000 })
    await probe
  })
})

describe('leases and deadlines', () => {
  it('FW18 no change is sent that could outlast the lease; reads are', async () => {
    let leftMs = 400
    const fly = provider({ lease: { remainingMs: () => leftMs } })
    api().get(`${MACHINES}/${ID}`).twice().reply(200, flyMachine())
    await expect(fly.start(REF)).rejects.toMatchObject({ reason: 'Unavailable' })
    leftMs = 1_500
    api().post(`${MACHINES}/${ID}/start`).delay(60_000).reply(200, {})
    const late = expect(fly.start(REF)).rejects.toMatchObject({
      reason: 'OutcomeUnknown',
      message: expect.stringContaining('no answer within 1500 ms') as string,
    })
    for (let turn = 0; turn < 20; turn++) await clock.advance(0)
    await clock.advance(1_500)
    await late
    await fly.get(REF)
    nock.abortPendingRequests()
  })

  it('MP8 FW18 a caller’s own deadline ends the call', async () => {
    api().get(`${MACHINES}/${ID}`).delay(60_000).reply(200, flyMachine())
    const late = expect(provider().get(REF, undefined, { deadlineMs: 700 })).rejects.toMatchObject({
      reason: 'Unavailable',
    })
    for (let turn = 0; turn < 20; turn++) await clock.advance(0)
    await clock.advance(700)
    await late
    nock.abortPendingRequests()
    expect(clock.pendingTimers).toBe(0)
  })
})
