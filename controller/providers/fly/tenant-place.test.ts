/** What a tenant has besides machines, on the wire: its app and network made and deleted, how it stands, who is told. */
import { describe, expect, it } from 'vitest'
import { settle } from '../../../system/test-clock.ts'
import type { AppTokenStore } from './app-tokens.ts'
import { api, APP, clock, flyMachine, MACHINES, onlyNock, provider, SPEC } from './wire-fixture.ts'

onlyNock()

const PATH = '/v1/apps/highera-acme'
const nothingKept: AppTokenStore = {
  read: () => Promise.resolve(undefined),
  write: () => Promise.resolve(),
  remove: () => Promise.resolve(),
}

describe('a tenant’s app', () => {
  it('FW22 is made on a network of its own before any machine, once', async () => {
    const fly = provider()
    api().get(PATH).reply(404, { error: 'not_found' })
    const body = { name: 'highera-acme', org_slug: 'personal', network: 'highera-acme' }
    api()
      .post('/v1/apps', (sent: object) =>
        Object.entries(body).every(([key, value]) => Reflect.get(sent, key) === value),
      )
      .reply(201, {})
    await fly.ensureTenant?.('acme')
    await fly.ensureTenant?.('acme')
    // The first machine looks for no app any more.
    api().post(MACHINES).reply(200, flyMachine())
    await fly.create(SPEC)
    expect(fly.standing?.('acme')).toEqual({ app: 'highera-acme', isShared: false, paused: [] })
  })

  it('FW22 that is there is taken when it is ours, and left alone when it is not', async () => {
    api().get(PATH).reply(200, APP)
    await provider().ensureTenant?.('acme')
    for (const foreign of [{ organization: { slug: 'theirs' } }, { network: 'default' }]) {
      api()
        .get(PATH)
        .reply(200, { ...APP, ...foreign })
      await expect(provider().ensureTenant?.('acme')).rejects.toMatchObject({ reason: 'NameConflict' })
    }
  })

  it('FW22 that all share is neither asked for nor made', async () => {
    const fly = provider({ appTemplate: 'one-app' })
    await fly.ensureTenant?.('acme')
    expect(fly.standing?.('acme')).toMatchObject({ app: 'one-app', isShared: true })
  })

  it('FW23 made a moment ago and not seen yet is not taken for gone when it is to be removed', async () => {
    const fly = provider()
    api().get(PATH).reply(404, { error: 'not_found' })
    api().post('/v1/apps').reply(502, { error: 'bad gateway' })
    await expect(fly.ensureTenant?.('acme')).rejects.toMatchObject({ reason: 'OutcomeUnknown' })
    api().get(MACHINES).reply(404, { error: 'not_found' })
    await expect(fly.removeTenant('acme')).rejects.toMatchObject({ reason: 'NotReady' })
    api().get(MACHINES).reply(200, [])
    api().get(PATH).reply(404, { error: 'not_found' })
    await expect(fly.removeTenant('acme')).rejects.toMatchObject({ reason: 'NotReady' })
    // Seen at last.
    api().get(MACHINES).reply(200, [])
    api().get(PATH).reply(200, APP)
    api().delete(PATH).reply(202)
    api().get(PATH).reply(404, { error: 'not_found' })
    await fly.removeTenant('acme')
    api().get(MACHINES).reply(404, { error: 'not_found' })
    api().get(PATH).reply(404, { error: 'not_found' })
    await fly.removeTenant('acme')
  })
})

describe('how a tenant stands', () => {
  it('FW24 a refused token and a full organization are told until a call goes through, and who listens is called', async () => {
    const fly = provider()
    const told: string[] = []
    fly.onStanding?.((app) => void told.push(app))
    const reasons = (): readonly string[] => fly.standing?.('acme').paused.map(({ reason }) => reason) ?? []
    api().get(MACHINES).reply(401, { error: 'unauthorized' }, { 'fly-request-id': '01J-iad' })
    await expect(fly.list('acme')).rejects.toMatchObject({ reason: 'CredentialsInvalid' })
    expect(reasons()).toEqual(['CredentialsInvalid'])
    expect(fly.standing?.('acme').paused[0]?.message).toContain('fly-request-id 01J-iad')
    expect(told).toEqual(['highera-acme'])
    expect(fly.standing?.('other').paused).toEqual([])
    await clock.advance(31_000)
    api().get(MACHINES).reply(200, [])
    await fly.list('acme')
    expect([reasons(), told]).toEqual([[], ['highera-acme', 'highera-acme']])

    api().get(PATH).reply(200, APP)
    api().post(MACHINES).reply(422, { error: 'organization has reached its machine limit' })
    await expect(fly.create(SPEC)).rejects.toMatchObject({ reason: 'QuotaExceeded' })
    expect(reasons()).toEqual(['QuotaExceeded'])
    // Nobody has asked since: how it stands now is not known.
    await clock.advance(3_600_000)
    expect(reasons()).toEqual([])
  })

  it('FW24 so is an app without a token of its own, with what was answered', async () => {
    const fly = provider({ appTokens: nothingKept })
    expect(fly.standing?.('acme').token).toEqual({ is: 'Pending' })
    api().get(PATH).reply(200, APP)
    api().post(`${PATH}/deploy_token`).reply(403, { error: 'forbidden' }, { 'fly-request-id': '01J-ams' })
    await fly.ensureTenant?.('acme')
    for (let turn = 0; turn < 50 && fly.standing?.('acme').token?.is !== 'Missing'; turn++) await settle()
    const { token } = fly.standing?.('acme') ?? {}
    expect([token?.is, token?.message]).toEqual(['Missing', expect.stringContaining('fly-request-id 01J-ams')])
    expect(token?.message).toMatch(/^Cannot make a token for app "highera-acme": Fly answered 403/)
  })
})
