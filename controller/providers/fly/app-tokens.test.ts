/** Tokens of apps on the wire: made once, kept, used for machine calls alone, renewed in time, done without where they fail. */
import { describe, expect, it } from 'vitest'
import nock from 'nock'
import { settle } from '../../../system/test-clock.ts'
import type { MachineProvider } from '../machines.ts'
import type { AppToken, AppTokenStore } from './app-tokens.ts'
import { api, APP, BASE, clock, flyMachine, ID, MACHINES, onlyNock, provider, REF, SPEC } from './wire-fixture.ts'

onlyNock()

const DAY_MS = 86_400_000
const TOKENS = '/v1/apps/highera-acme/deploy_token'

const given = (kept: Record<string, AppToken> = {}) => {
  const tokens = new Map(Object.entries(kept))
  const appTokens: AppTokenStore = {
    read: (app) => Promise.resolve(tokens.get(app)),
    write: (app, token) => Promise.resolve(void tokens.set(app, token)),
    remove: (app) => Promise.resolve(void tokens.delete(app)),
  }
  return { tokens, appTokens, fly: provider({ appTokens }) }
}
const as = (authorization: string): nock.Scope => nock(BASE, { reqheaders: { authorization } })
const made = async (tokens: Map<string, AppToken>): Promise<void> => {
  for (let turn = 0; turn < 50 && tokens.size === 0; turn++) await settle()
}

const stands = async (fly: MachineProvider, is: string): Promise<void> => {
  for (let turn = 0; turn < 50 && fly.standing?.('acme').token?.is !== is; turn++) await settle()
  expect(fly.standing?.('acme').token?.is).toBe(is)
}

describe('tokens of apps', () => {
  it('FW20 the app’s token is made for two days with the organization’s, kept, and used for its machines', async () => {
    const { tokens, fly } = given()
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(TOKENS, { expiry: '172800s' }).reply(200, { token: 'FlyV1 fm2_acme' })
    api().post(MACHINES).reply(200, flyMachine())
    await fly.create(SPEC)
    await made(tokens)
    expect(tokens.get('highera-acme')).toEqual({ token: 'FlyV1 fm2_acme', expiresAtMs: clock.now() + 2 * DAY_MS })
    as('FlyV1 fm2_acme').get(`${MACHINES}/${ID}`).reply(200, flyMachine())
    await fly.get(REF)
    // The fleet and the app itself are the organization's.
    api().get('/v1/orgs/personal/machines').query(true).reply(200, { machines: [] })
    await fly.listFleet?.({})
    as('FlyV1 fm2_acme').get(MACHINES).reply(200, [])
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().delete('/v1/apps/highera-acme').reply(202)
    api().get('/v1/apps/highera-acme').reply(404, { error: 'app not found' })
    await fly.removeTenant('acme')
    expect(tokens.size).toBe(0)
  })

  it('FW20 a kept token is used after a start, and renewed when a third of its life is left', async () => {
    const { tokens, fly } = given({ 'highera-acme': { token: 'fm2_old', expiresAtMs: clock.now() + DAY_MS / 2 } })
    as('FlyV1 fm2_old').get(MACHINES).reply(200, [])
    api().post(TOKENS).once().reply(200, { token: 'fm2_new' })
    await fly.list('acme')
    for (let turn = 0; turn < 50 && tokens.get('highera-acme')?.token === 'fm2_old'; turn++) await settle()
    as('FlyV1 fm2_new').get(MACHINES).reply(200, [])
    await fly.list('acme')
  })

  it('FW20 one that has ended is not used', async () => {
    const { fly } = given({ 'highera-acme': { token: 'fm2_old', expiresAtMs: clock.now() - 1 } })
    api().post(TOKENS).reply(403, { error: 'forbidden' })
    api().get(MACHINES).reply(200, [])
    await fly.list('acme')
    await settle(50)
    // That none may be made pauses nothing.
    api().get(MACHINES).reply(200, [])
    await fly.list('acme')
  })

  it('FW20 one that Fly refuses is forgotten: the organization’s does it, and its circuit stays closed', async () => {
    const { fly } = given({ 'highera-acme': { token: 'fm2_old', expiresAtMs: clock.now() + 6 * DAY_MS } })
    as('FlyV1 fm2_old').get(MACHINES).reply(401, { error: 'unauthorized' })
    api().post(TOKENS).reply(403, { error: 'forbidden' })
    await expect(fly.list('acme')).rejects.toMatchObject({
      reason: 'CredentialsInvalid',
      message: expect.stringContaining('see TokenReady of the Tenant'),
    })
    await stands(fly, 'Refused')
    expect(fly.standing?.('acme').paused).toEqual([])
    api().get(MACHINES).reply(200, [])
    expect(await fly.list('acme')).toEqual({ machines: [], complete: true })
  })

  it('FW20 where none can be made the organization’s does it all, and 10 min pass before the next try', async () => {
    const { tokens, fly } = given()
    api().get('/v1/apps/highera-acme').reply(200, APP)
    api().post(TOKENS).once().reply(404, { error: 'not_found' })
    api().post(MACHINES).twice().reply(200, flyMachine())
    await fly.create(SPEC)
    await settle(20)
    await fly.create(SPEC)
    expect(tokens.size).toBe(0)
  })

  it('FW20 in a shared app no token is made', async () => {
    const { appTokens } = given()
    api()
      .get('/v1/apps/one-app')
      .reply(200, { ...APP, name: 'one-app' })
    api().post('/v1/apps/one-app/machines').reply(200, flyMachine())
    await provider({ appTokens, appTemplate: 'one-app' }).create(SPEC)
    await settle(20)
  })
})
