/** The adapter on the wire: start, stop, destroy, deadlines and pace, against recorded answers of the Machines API. */
import { describe, expect, it } from 'vitest'
import nock from 'nock'
import { settle } from '../../../system/test-clock.ts'
import type { MachineProvider } from '../machines.ts'
import { createRequest } from './machine-config.ts'
import { api, APP, clock, flyMachine, ID, MACHINES, onlyNock, provider, REF, SPEC } from './wire-fixture.ts'

onlyNock()

describe('deadline of a call', () => {
  it('FW7 no request leaves after the call’s own deadline, and nothing is unknown then', async () => {
    const fly = provider({ requestTimeoutMs: 4_000, callTimeoutMs: 3_000 })
    api().get('/v1/apps/highera-acme').delay(60_000).reply(200, APP)
    const late = expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'Unavailable' })
    await settle()
    await clock.advance(3_000)
    await late
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

  const made = createRequest(SPEC).config
  it.each<readonly [string, object]>([
    ['env has no stamp', { config: { ...made, env: {} } }],
    ['metadata has none', { config: { ...made, metadata: {} } }],
    ...(['highera_managed_by', 'highera_control_plane', 'highera_tenant', 'highera_sprite_uid'] as const).map(
      (key) =>
        [`metadata has another ${key}`, { config: { ...made, metadata: { ...made.metadata, [key]: 'x' } } }] as const,
    ),
    [
      'metadata has another incarnation',
      { config: { ...made, metadata: { ...made.metadata, highera_incarnation: '7' } } },
    ],
    ['the name is of another uid', { name: SPEC.name.replace('0a1b2c3d', '0a1b2c3e') }],
  ])('FW11 in a shared app nothing is touched whose %s', async (_, change) => {
    api().get(`/v1/apps/one-app/machines/${ID}`).times(3).reply(200, flyMachine(change))
    const fly = provider({ appTemplate: 'one-app' })
    for (const call of ['start', 'stop', 'destroy'] as const)
      await expect(fly[call](REF)).rejects.toMatchObject({ reason: 'NameConflict' })
  })

  it('FW8 the region of a host that has no room for a start is asked last by the create that follows', async () => {
    const fly = await knowing()
    api().post(`${MACHINES}/${ID}/start`).reply(409, { error: 'insufficient resources available on the current host' })
    await expect(fly.start(REF)).rejects.toMatchObject({ reason: 'NoCapacity' })
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api()
      .post(MACHINES, (body: { region: string }) => body.region === 'ams,iad')
      .reply(200, flyMachine())
    await fly.create(SPEC)
  })

  it('FW11 what was ours stays ours, though the workload has wiped its metadata', async () => {
    const fly = await knowing()
    api().delete(`${MACHINES}/${ID}`).query({ force: 'true' }).reply(200, { ok: true })
    await fly.destroy(REF)
  })

  it('FW12 removeTenant deletes an empty app, keeps one with machines in it, and tells what stays because it is not ours', async () => {
    api().get(MACHINES).reply(200, [])
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().delete('/v1/apps/highera-acme').reply(202)
    api().get('/v1/apps/highera-acme').reply(404, { error: 'app not found' })
    await provider().removeTenant('acme')
    api().get(MACHINES).reply(200, [])
    api()
      .get('/v1/apps/highera-acme')
      .reply(200, { ...APP, network: 'default' })
    expect(await provider().removeTenant('acme')).toEqual({ app: 'highera-acme', machines: [] })
    api().get(MACHINES).reply(200, [flyMachine()])
    await expect(provider().removeTenant('acme')).rejects.toMatchObject({ reason: 'NotReady' })
    api()
      .get(MACHINES)
      .reply(200, [flyMachine({ config: { image: 'x' } })])
    expect(await provider().removeTenant('acme')).toEqual({ app: 'highera-acme', machines: [ID] })
    expect(await provider({ appTemplate: 'one-app' }).removeTenant('acme')).toBeUndefined()
  })

  it.each([
    [404, { error: 'app not found' }],
    [200, '<html>Bad Gateway</html>'],
    [202, {}],
  ])('FW12 an app that is there after its deletion was answered %i is NotReady', async (status, body) => {
    api().get(MACHINES).reply(200, [])
    api().get('/v1/apps/highera-acme').twice().reply(200, APP)
    api().delete('/v1/apps/highera-acme').reply(status, body)
    await expect(provider().removeTenant('acme')).rejects.toMatchObject({ reason: 'NotReady' })
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
    await expect(held).rejects.toMatchObject({ reason: 'RateLimited', retryAfterMs: 3_100 })
    api().get(`${MACHINES}/${ID}`).reply(200, flyMachine())
    await fly.get(REF)
    await clock.advance(2_100)
    expect((await Promise.all(waiting)).map((machine) => machine.id)).toEqual([ID, ID])
  })

  it('FW21 apps are made at the organization’s rate, and who waits to make one does not look for it again', async () => {
    const fly = provider({ paced: true })
    const made = (count: number): ReturnType<typeof fly.create> => {
      const tenant = `t${count}`
      return fly.create({ ...SPEC, owner: { ...SPEC.owner, tenant } })
    }
    for (let count = 0; count < 6; count++) {
      api().get(`/v1/apps/highera-t${count}`).reply(404, { error: 'not_found' })
      api()
        .post('/v1/apps', (body: { name?: string }) => body.name === `highera-t${count}`)
        .reply(201, {})
      api().post(`/v1/apps/highera-t${count}/machines`).reply(200, flyMachine())
    }
    for (let count = 0; count < 3; count++) await made(count)
    const waiting = [made(3), made(4)]
    await settle(50)
    await expect(made(5)).rejects.toMatchObject({ reason: 'RateLimited', retryAfterMs: 3_100 })
    await clock.advance(2_100)
    await Promise.all(waiting)
    await clock.advance(1_000)
    // It is not looked for again: that would be refused here, since it is said to be missing once only.
    await made(5)
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
