/** The organization's feed on the wire: what is asked, what is left out, and what makes a page incomplete. */
import { describe, expect, it } from 'vitest'
import { specFor } from '../contract.ts'
import { createRequest, stampMetadata, tenantOf } from './machine-config.ts'
import { api, flyMachine, ID, MACHINES, onlyNock, provider, REF, SPEC } from './wire-fixture.ts'

onlyNock()

const FLEET = '/v1/orgs/personal/machines'
/** A row as the feed has it: an overview of the config, no events, no host. */
const row = (change: object = {}): object => ({
  id: ID,
  name: SPEC.name,
  app_name: 'highera-acme',
  state: 'started',
  region: 'iad',
  version: '01JD0000000000000000000000',
  private_ip: 'fdaa::1',
  created_at: '2026-01-15T12:00:00Z',
  updated_at: '2026-01-15T12:00:01.5Z',
  config: { image: 'sprite:1', guest: { cpus: 1 }, metadata: stampMetadata(SPEC.owner) },
  ...change,
})
const TIMES = { createdAtMs: Date.parse('2026-01-15T12:00:00Z'), updatedAtMs: Date.parse('2026-01-15T12:00:01.5Z') }

describe('the fleet on the wire', () => {
  it('FW19 all of it, page by page', async () => {
    api()
      .get(FLEET)
      .query({ limit: '1000' })
      .reply(200, { machines: [row()], next_cursor: 'c1', error_regions: [] })
    const fly = provider()
    expect(await fly.listFleet?.({})).toEqual({
      rows: [
        {
          tenant: 'acme',
          machine: {
            id: ID,
            name: SPEC.name,
            app: 'highera-acme',
            region: 'iad',
            state: 'started',
            image: 'sprite:1',
            ...TIMES,
            owner: SPEC.owner,
            hostReachable: true,
          },
        },
      ],
      next: 'c1',
      complete: true,
      changedAtMs: TIMES.updatedAtMs,
    })
    api().get(FLEET).query({ limit: '1000', cursor: 'c1' }).reply(200, { machines: [], next_cursor: 'c2' })
    expect(await fly.listFleet?.({ cursor: 'c1' })).toEqual({ rows: [], next: 'c2', complete: true })
    api()
      .get(FLEET)
      .query({ limit: '1000', cursor: 'c2' })
      .reply(200, { machines: [], next_cursor: '', last_updated_at: '2026-01-15T12:00:09Z' })
    expect(await fly.listFleet?.({ cursor: 'c2' })).toEqual({
      rows: [],
      complete: true,
      changedAtMs: Date.parse('2026-01-15T12:00:09Z'),
    })
  })

  it('FW19 what has changed, with the destroyed', async () => {
    api()
      .get(FLEET)
      .query({ limit: '1000', updated_after: '2026-01-15T12:00:00.000Z', include_deleted: 'true' })
      .reply(200, { machines: [row({ state: 'destroyed' })] })
    const page = await provider().listFleet?.({ sinceMs: Date.parse('2026-01-15T12:00:00Z') })
    expect(page?.rows[0]?.machine.state).toBe('destroyed')
  })

  it('FW19 other apps are left out, a forged stamp is none, a silent region or a bad row is told', async () => {
    const forged = { metadata: stampMetadata({ ...SPEC.owner, tenant: 'other' }) }
    const machines = [row({ app_name: 'somebody-elses' }), row({ config: forged })]
    api()
      .get(FLEET)
      .query(true)
      .reply(200, { machines, error_regions: ['syd'] })
    const page = await provider().listFleet?.({})
    expect(page).toMatchObject({ complete: false, rows: [{ tenant: 'acme' }] })
    expect(page?.rows).toHaveLength(1)
    expect(page?.rows[0]?.machine.owner).toBeUndefined()
    for (const bad of [{ id: ID }, row({ id: 7 }), null, 'x']) {
      api()
        .get(FLEET)
        .query(true)
        .reply(200, { machines: [bad, row()] })
      expect(await provider().listFleet?.({})).toMatchObject({ complete: false, rows: [{ tenant: 'acme' }] })
    }
  })

  it.each([[[]], ['<html>'], [{}], [{ machines: null }]])(
    'FW19 %j is Unexpected, never an empty fleet',
    async (body) => {
      api().get(FLEET).query(true).reply(200, body)
      await expect(provider().listFleet?.({})).rejects.toMatchObject({ reason: 'Unexpected' })
    },
  )

  it('FW19 a token of one app is CredentialsInvalid, and its own app goes on', async () => {
    api().get(FLEET).query(true).reply(403, { error: 'forbidden' })
    const fly = provider()
    await expect(fly.listFleet?.({})).rejects.toMatchObject({
      reason: 'CredentialsInvalid',
      message: expect.stringContaining('Cannot list the machines of organization "personal"') as string,
    })
    api().get(MACHINES).reply(200, [])
    await fly.list('acme')
  })

  it('FW19 a row makes no machine ours: its stamp is read by id before it is changed', async () => {
    api()
      .get(FLEET)
      .query(true)
      .reply(200, { machines: [row()] })
    const fly = provider()
    await fly.listFleet?.({})
    const theirs = createRequest({ ...SPEC, owner: { ...SPEC.owner, controlPlane: 'another' } }).config
    api()
      .get(`${MACHINES}/${ID}`)
      .reply(200, flyMachine({ config: theirs }))
    await expect(fly.destroy(REF)).rejects.toMatchObject({ reason: 'NameConflict' })
  })

  it('FW30 a shared app is one list for all tenants, of what is proven ours in each', async () => {
    const other = specFor('beta', 'editor', { controlPlane: 'cp' })
    const made = createRequest(other).config
    const rows = [
      flyMachine(),
      flyMachine({ id: 'beta1', name: other.name, config: made }),
      flyMachine({ id: 'named', name: 'another-name', config: made }),
      flyMachine({ id: 'noenv', name: other.name, config: { ...made, env: {} } }),
      flyMachine({ id: 'edited', name: other.name, config: { ...made, metadata: stampMetadata(SPEC.owner) } }),
      flyMachine({ id: 'gone', name: other.name, config: made, state: 'destroyed' }),
    ]
    const list = () => api().get('/v1/apps/one-app/machines').query({ 'metadata.highera_control_plane': 'cp' })
    list().reply(200, rows)
    const fly = provider({ appTemplate: 'one-app' })
    expect(fly.fleetIsOneList).toBe(true)
    const page = await fly.listFleet?.({})
    expect(page).toMatchObject({ complete: true })
    expect(page?.rows.map((one) => [one.tenant, one.machine.id])).toEqual([
      ['acme', ID],
      ['beta', 'beta1'],
    ])
    list().reply(200, [flyMachine(), { id: 7 }])
    expect(await fly.listFleet?.({})).toMatchObject({ complete: false, rows: [{ tenant: 'acme' }] })
    list().reply(404, { error: 'app not found' })
    expect(await fly.listFleet?.({})).toEqual({ rows: [], complete: true })
    list().reply(200, '{"machines":[]}')
    await expect(fly.listFleet?.({})).rejects.toMatchObject({ reason: 'Unexpected' })
  })

  it.each([
    ['highera-{tenant}', 'highera-acme', 'acme'],
    ['highera-{tenant}', 'highera-', undefined],
    ['highera-{tenant}', 'other-acme', undefined],
    ['{tenant}-x', 'a-b-x', 'a-b'],
    ['x-{tenant}-y-{tenant}', 'x-ab-y-ab', 'ab'],
    ['x-{tenant}-y-{tenant}', 'x-ab-y-cd', undefined],
    ['one-app', 'one-app', undefined],
  ])('FW19 with the template "%s" the app "%s" is of tenant %s', (template, app, tenant) => {
    expect(tenantOf(template, app)).toBe(tenant)
  })
})
