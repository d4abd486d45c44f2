/** Apps and who may touch them: tokens, secrets, addresses, policies, volumes, machine identities. */
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { settle } from '../../../system/test-clock.ts'
import type { FlyEmulatorOptions } from './fly-emulator.ts'
import { openHouse, type House } from './testing.ts'

let house: House
const reopen = async (options: Partial<FlyEmulatorOptions>): Promise<void> => {
  await house.emulator.close()
  house = await openHouse(options)
}
beforeEach(async () => {
  house = await openHouse()
})
afterEach(async () => {
  await house.emulator.close()
  expect(house.clock.pendingTimers).toBe(0)
  expect(house.watch.unexplained).toEqual([])
})

describe('apps', () => {
  it('EA34 the same key gives the same app again; another name under it, and a name of another organization, are refused', async () => {
    const make = (body: object): ReturnType<House['call']> =>
      house.call('POST', '/apps', { org_slug: 'personal', ...body })
    const first = await make({ name: 'a2', idempotency_key: 'k' })
    expect((await make({ name: 'a2', idempotency_key: 'k' })).json).toEqual(first.json)
    expect((await make({ name: 'a3', idempotency_key: 'k' })).status).toBe(422)
    expect((await make({ name: 'a2', idempotency_key: 'other' })).json).toMatchObject({ status: 'name_taken' })
    expect((await make({ name: 'Not A Name' })).status).toBe(422)
  })

  it('EA34 for a while not every node knows a new app', async () => {
    await reopen({ latency: { appUnseen: { min: 1_000, max: 1_000 } } })
    expect([401, 404]).toContain((await house.call('GET', '/apps/a1')).status)
    expect([401, 404]).toContain((await house.call('POST', '/apps/a1/machines', { config: { image: 'x' } })).status)
    await house.clock.advance(1_000)
    expect((await house.call('GET', '/apps/a1')).status).toBe(200)
  })

  it('EA34 deleting an app ends all that is in it, and frees its name', async () => {
    await house.create()
    await house.call('POST', '/apps/a1/secrets/A', { value: '1' })
    expect((await house.call('DELETE', '/apps/a1?force=true')).status).toBe(202)
    await settle()
    expect(house.runner.running.size).toBe(0)
    expect((await house.call('GET', '/apps/a1/secrets')).status).toBe(404)
    await house.call('POST', '/apps', { name: 'a1', org_slug: 'personal' })
    expect((await house.call('GET', '/apps/a1/secrets')).json).toEqual({ secrets: [], version: 0 })
  })
})

describe('tokens', () => {
  const bearing = (token: string): Record<string, string> => ({ authorization: token })

  it('EA35 a deploy token is good for its app until it expires: 403 for another, 401 when it is over', async () => {
    await house.call('POST', '/apps', { name: 'a2', org_slug: 'personal' })
    const { token }: { token: string } = (await house.call('POST', '/apps/a1/deploy_token', { expiry: '1h' })).json
    expect(token).toMatch(/^FlyV1 fm2_/)
    const ask = async (method: string, path: string): Promise<number> =>
      (await house.call(method, path, undefined, bearing(token))).status
    expect(await ask('GET', '/apps/a1/machines')).toBe(200)
    expect(await ask('GET', '/apps/a2/machines')).toBe(403)
    expect(await ask('GET', '/orgs/personal/machines')).toBe(403)
    expect(await ask('DELETE', '/apps/a1')).toBe(403)
    expect((await house.call('POST', '/apps/a1/deploy_token', {}, bearing(token))).status).toBe(403)
    expect((await house.call('GET', '/tokens/current', undefined, bearing(token))).json).toMatchObject({
      tokens: [{ org_slug: 'personal', apps: ['a1'] }],
    })
    await house.clock.advance(3_600_000)
    expect(await ask('GET', '/apps/a1/machines')).toBe(401)
    expect((await house.call('POST', '/apps/a1/deploy_token', { expiry: 'soon' })).status).toBe(400)
  })

  it('EA35 a deploy token ends with its app: another app of that name is another one', async () => {
    const { token }: { token: string } = (await house.call('POST', '/apps/a1/deploy_token', {})).json
    await house.call('DELETE', '/apps/a1')
    await house.call('POST', '/apps', { name: 'a1', org_slug: 'personal' })
    // Any token that was never minted here is accepted by this house; this one is known to be over.
    expect((await house.call('GET', '/apps/a1', undefined, bearing(token))).status).toBe(401)
  })

  it('EA35 a token can be bound to an organization, to reading, and to a time; macaroons come together, others do not', async () => {
    await reopen({
      tokens: [
        't',
        { token: 'fm2_mine', orgSlug: 'personal' },
        { token: 'fm2_theirs', orgSlug: 'other' },
        { token: 'reader', readOnly: true },
        { token: 'old', expiresAtMs: 1 },
      ],
    })
    const ask = async (authorization: string, method = 'GET', path = '/apps/a1'): Promise<number> =>
      (await house.call(method, path, undefined, { authorization })).status
    expect(await ask('FlyV1 fm2_mine')).toBe(200)
    expect(await ask('Bearer fm2_mine')).toBe(200)
    expect(await ask('FlyV1 fm2_unknown,fm2_mine')).toBe(200)
    expect(await ask('FlyV1 fm2_mine,reader')).toBe(401)
    expect(await ask('FlyV1 fm2_theirs')).toBe(403)
    expect(await ask('Bearer reader')).toBe(200)
    expect(await ask('Bearer reader', 'DELETE')).toBe(403)
    expect(await ask('Bearer old')).toBe(401)
    expect(await ask('Basic fm2_mine')).toBe(401)
  })
})

describe('quirks', () => {
  it('EA47 what is not known for sure of the service can be switched', async () => {
    await reopen({
      tokens: ['t', { token: 'theirs', orgSlug: 'other' }],
      script: {
        quirks: {
          foreignApp: 401,
          nameTaken: 422,
          appNameTaken: 409,
          destroyingHasName: false,
          refusesStartOfStarted: true,
        },
        machines: [{ on: 'destroy', fault: { kind: 'stuck' } }],
      },
    })
    expect((await house.call('GET', '/apps/a1', undefined, { authorization: 'Bearer theirs' })).status).toBe(401)
    expect((await house.call('POST', '/apps', { name: 'a1', org_slug: 'personal' })).status).toBe(409)
    const one = await house.create()
    const again = (): ReturnType<House['call']> =>
      house.call('POST', '/apps/a1/machines', { name: 'm', config: { image: 'x' } })
    expect((await again()).status).toBe(422)
    expect((await house.call('POST', `/apps/a1/machines/${one.id}/start`)).status).toBe(412)
    await house.call('DELETE', `/apps/a1/machines/${one.id}?force=true`)
    expect((await house.shown(one.id)).state).toBe('destroying')
    expect((await again()).status).toBe(200)
  })
})

describe('secrets', () => {
  it('EA36 secrets are shown by digest, change the version, and reach a machine when it starts', async () => {
    const set = await house.call('POST', '/apps/a1/secrets', { values: { A: 'one', B: 'two' } })
    expect(set.json).toMatchObject({ version: 1, Version: 1 })
    expect(set.text).not.toContain('one')
    const one = await house.create({}, { env: { A: 'from config', C: '3' } })
    const env = (): Readonly<Record<string, string>> => house.runner.running.get(one.id)?.config.env ?? {}
    expect(env()).toMatchObject({ A: 'one', B: 'two', C: '3' })
    expect(JSON.stringify(await house.shown(one.id))).not.toContain('two')
    await house.call('POST', '/apps/a1/secrets', { values: { A: 'new', B: null } })
    expect(env()).toMatchObject({ A: 'one' })
    await house.call('POST', `/apps/a1/machines/${one.id}/restart`)
    await house.clock.advance(0)
    expect(env()).toMatchObject({ A: 'new' })
    expect(env()['B']).toBeUndefined()
    expect((await house.call('GET', '/apps/a1/secrets/A?show_secrets=true')).json).toMatchObject({ value: 'new' })
    expect((await house.call('POST', '/apps/a1/secrets', { values: { 'not a name': 'x' } })).status).toBe(400)
    expect((await house.call('DELETE', '/apps/a1/secrets/A')).json).toMatchObject({ version: 3 })
  })

  it('EA36 a machine can leave them out, or name those that it wants', async () => {
    await house.call('POST', '/apps/a1/secrets', { values: { A: 'one', B: 'two' } })
    const envOf = async (name: string, change: object, config: object): Promise<object> => {
      const { id } = await house.create({ name, ...change }, config)
      return house.runner.running.get(id)?.config.env ?? {}
    }
    expect(await envOf('none', { skip_secrets: true }, {})).toEqual({})
    const processes = [{ ignore_app_secrets: true, secrets: [{ env_var: 'X', name: 'B' }] }]
    expect(await envOf('some', {}, { processes })).toEqual({ X: 'two' })
  })

  it('EA36 a boot right after a change may miss it, unless it names the version; a version to come is refused', async () => {
    await reopen({ latency: { secretsLag: { min: 1_000, max: 1_000 } } })
    await house.call('POST', '/apps/a1/secrets', { values: { A: 'one' } })
    const envOf = async (name: string, change: object = {}): Promise<object> => {
      const { id } = await house.create({ name, ...change })
      return house.runner.running.get(id)?.config.env ?? {}
    }
    expect(await envOf('early')).toEqual({})
    expect(await envOf('sure', { min_secrets_version: 1 })).toEqual({ A: 'one' })
    const future = { name: 'future', min_secrets_version: 2, config: { image: 'x' } }
    expect((await house.call('POST', '/apps/a1/machines', future)).status).toBe(412)
    await house.clock.advance(1_000)
    expect(await envOf('late')).toEqual({ A: 'one' })
  })
})

describe('addresses, policies, volumes', () => {
  it('EA37 are kept, shown and removed; a volume that is mounted is not', async () => {
    await house.call('POST', '/apps/a1/ip_assignments', { type: 'private_v6', network: 'n' })
    const { ips }: { ips: { ip: string }[] } = (await house.call('GET', '/apps/a1/ip_assignments')).json
    expect(ips[0]?.ip).toMatch(/^fdaa:/)
    expect((await house.call('POST', '/apps/a1/ip_assignments', { type: 'v5' })).status).toBe(400)
    const policy = { name: 'p', selector: { all: true }, rules: [{ action: 'deny', direction: 'egress' }] }
    expect((await house.call('POST', '/apps/a1/network_policies', policy)).status).toBe(400)
    const rules = [{ action: 'allow', direction: 'egress', ports: [{ protocol: 'tcp', port: 443 }] }]
    expect((await house.call('POST', '/apps/a1/network_policies', { ...policy, rules })).status).toBe(201)
    expect((await house.call('POST', '/apps/a1/network_policies', { ...policy, rules: [] })).status).toBe(200)
    expect((await house.call('GET', '/apps/a1/network_policies')).json).toMatchObject([{ name: 'p', rules: [] }])
    const volume: { id: string } = (await house.call('POST', '/apps/a1/volumes', { name: 'v', region: 'iad' })).json
    await house.create({}, { mounts: [{ volume: volume.id, path: '/data' }] })
    expect((await house.call('DELETE', `/apps/a1/volumes/${volume.id}`)).status).toBe(412)
    expect((await house.call('GET', '/apps/a1')).json).toMatchObject({ volume_count: 1, machine_count: 1 })
  })
})

describe('machine identity', () => {
  it('EA38 a machine gets a signed token with the real claims; discovery and keys check it; nobody else gets one', async () => {
    await reopen({ oidcIssuer: 'https://oidc.test' })
    const one = await house.create({ region: 'iad' }, { image: 'registry.fly.io/x:1' })
    const inside = (method: string, path: string, body?: object): Promise<Response> =>
      house.emulator.machineRequest(
        one.id,
        new Request(`http://emulator/v1${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) }),
      )
    const token = await (await inside('POST', '/tokens/oidc', { aud: 'me' })).text()
    const discovery: { issuer: string; jwks_uri: string } = (
      await house.call('GET', '/oidc/personal/.well-known/openid-configuration')
    ).json
    expect(discovery).toMatchObject({
      issuer: 'https://oidc.test/personal',
      jwks_uri: 'https://oidc.test/personal/.well-known/jwks',
    })
    const keys: JSONWebKeySet = (await house.call('GET', '/oidc/personal/.well-known/jwks')).json
    expect(JSON.stringify(keys)).not.toContain('"d"')
    const { payload } = await jwtVerify(token, createLocalJWKSet(keys), {
      issuer: discovery.issuer,
      audience: 'me',
      currentDate: new Date(house.clock.now()),
    })
    expect(payload).toMatchObject({
      sub: 'personal:a1:m',
      app_name: 'a1',
      machine_id: one.id,
      machine_name: 'm',
      machine_version: one.instance_id,
      region: 'iad',
      org_name: 'personal',
      image: 'registry.fly.io/x:1',
      image_digest: expect.stringMatching(/^sha256:/) as string,
    })
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(600)
    expect((await house.call('POST', '/tokens/oidc', {})).status).toBe(403)
    expect(
      (await inside('PATCH', `/apps/a1/machines/${one.id}/metadata`, { metadata: { forged: 'yes' } })).status,
    ).toBe(204)
    expect((await inside('DELETE', `/apps/a1/machines/${one.id}?force=true`)).status).toBe(403)
    const other = await house.create({ name: 'other' })
    expect((await inside('GET', `/apps/a1/machines/${other.id}/metadata`)).status).toBe(403)
    expect((await house.shown(one.id)).config?.metadata).toEqual({ forged: 'yes' })
  })
})
