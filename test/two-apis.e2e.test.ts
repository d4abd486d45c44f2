/** Two control planes on one Firestore: who is shut out at one is shut out at the other, a freeze counts at both, and neither says a secret. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import type { Tenant } from '../controller/kinds/tenant/schema.ts'
import { mintToken } from '../controller/server/tokens.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { emulatorAbsence, startFirestoreEmulator } from './e2e/firestore-emulator.ts'
import { Plane } from './e2e/plane.ts'
import { hasRedisServer, RedisServer } from './e2e/redis-server.ts'

const absence = emulatorAbsence() ?? (hasRedisServer ? undefined : 'no redis-server')
if (absence !== undefined) test.skip(`two APIs: ${absence}`)

const GROUP = '/apis/sprites.highera.com/v1alpha1'
/** What promises say, whatever the store: a credential that was taken back is refused everywhere after a minute. */
const REVOKED_WITHIN_MS = 60_000
const SECRETS = {
  MASTER_KEY: 'c5'.repeat(32),
  FLY_API_TOKEN: 'FlyV1-canary-2a7f',
  ANTHROPIC_API_KEY: 'sk-ant-canary-91bd',
  SECRETS_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
}
const REDIS_PASSWORD = 'redis-canary-77e0'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** Two that share everything, Redis behind a password. */
async function start(): Promise<readonly [Plane, Plane]> {
  const [firestore, redis] = await Promise.all([startFirestoreEmulator(), RedisServer.start()])
  closing.push(
    () => firestore.stop(),
    () => redis.destroy(),
  )
  await redis.admin.acl('SETUSER', 'plane', 'on', `>${REDIS_PASSWORD}`, '+@all', '&*', '~*')
  const environment = {
    ...SECRETS,
    STORE: 'firestore',
    CONTROL_PLANE_ID: 'cp-0123456789ab',
    FIRESTORE_PROJECT: firestore.project(),
    FIRESTORE_EMULATOR_HOST: firestore.host,
    METADATA_SERVER_DETECTION: 'none',
    REDIS_URL: redis.url.replace('://', `://plane:${REDIS_PASSWORD}@`),
    FLY_FLAPS_BASE_URL: 'http://127.0.0.1:1',
    ANTHROPIC_BASE_URL: 'http://127.0.0.1:1',
    COORDINATOR_URL: 'http://127.0.0.1:2',
  }
  const planes = [await Plane.create('serve'), await Plane.create('serve')] as const
  closing.push(...planes.map((plane) => () => plane.destroy()))
  for (const plane of planes) await plane.start(['--log-level', 'debug'], environment)
  return planes
}

const object = (kind: string, name: string, spec: object, namespace?: string): object => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind,
  metadata: namespace === undefined ? { name } : { name, namespace },
  spec,
})

/** Where apps reach it. */
const httpUrlOf = ({ output }: Plane): string => /"httpUrl":"([^"]+)"/.exec(output)?.[1] ?? ''

/** How long until it holds, ms. */
async function took(holds: () => Promise<boolean>, withinMs = REVOKED_WITHIN_MS): Promise<number> {
  const startedMs = realClock.monotonic()
  while (!(await holds())) {
    if (realClock.monotonic() - startedMs > withinMs) throw new Error(`Not within ${withinMs} ms`)
    await realClock.sleep(20)
  }
  return Math.round(realClock.monotonic() - startedMs)
}

describe.skipIf(absence !== undefined)('two control planes on one Firestore', { timeout: 200_000 }, () => {
  test('AX20 AX21 S8 S9 a token, a role and a freeze that one API takes away count at the other; no secret is told', async () => {
    const [first, second] = await start()
    await first.post(`${GROUP}/tenants`, object('Tenant', 'acme', { displayName: 'Acme', plan: 'starter' }))
    await first.post(
      `${GROUP}/namespaces/acme/users`,
      object('User', 'ada', { email: 'ada@acme.test', role: 'member' }, 'acme'),
    )
    const tokens = Object.fromEntries(
      ['ci', 'ada'].map((name) => [name, mintToken({ name, groups: [] }, realEntropy)] as const),
    )
    for (const [name, spec] of [
      ['ci', { role: 'member' }],
      ['ada', { user: 'ada' }],
    ] as const) {
      const { keyId = '', sha256 = '' } = tokens[name]?.record ?? {}
      await first.post(
        `${GROUP}/namespaces/acme/accesstokens`,
        object('AccessToken', name, { keyId, sha256, ...spec }, 'acme'),
      )
    }
    const comesIn = async (plane: Plane, name: string): Promise<boolean> => {
      const headers = { authorization: `Bearer ${tokens[name]?.token}` }
      const { status } = await fetch(`${httpUrlOf(plane)}/v1/tenants/acme/sprites`, { headers })
      return status === 200
    }
    const figures: Record<string, number> = {}
    for (const name of ['ci', 'ada']) figures[`${name} in`] = await took(() => comesIn(second, name))

    await first.ask('DELETE', `${GROUP}/namespaces/acme/accesstokens/ci`)
    expect(await comesIn(first, 'ci')).toBe(false)
    figures['ci out'] = await took(async () => !(await comesIn(second, 'ci')))
    await second.ask('DELETE', `${GROUP}/namespaces/acme/users/ada`)
    figures['ada out'] = await took(async () => !(await comesIn(first, 'ada')))

    const freeze = { metadata: { annotations: { 'sprites.highera.com/frozen': 'true' } } }
    await second.ask('PATCH', '/api/v1/namespaces/sprites-system', freeze, 'application/merge-patch+json')
    const isFrozen = async (plane: Plane): Promise<boolean> =>
      (await plane.list<Tenant>('tenants')).some(({ status }) =>
        status?.conditions?.some(({ type, status: is }) => type === 'Frozen' && is === 'True'),
      )
    figures['frozen'] = await took(() => isFrozen(first))
    console.log(`across two APIs, ms: ${JSON.stringify(figures)}`)

    // Each writes down what it was asked, so that together they have all of it.
    const audits = await Promise.all([first, second].map((plane) => readFile(join(plane.folder, 'audit.log'), 'utf8')))
    expect(audits.map((text) => /"verb":"delete".{0,400}"resource":"accesstokens"/.test(text))).toEqual([true, false])
    expect(audits.map((text) => /"verb":"delete".{0,400}"resource":"users"/.test(text))).toEqual([false, true])

    const canaries = [...Object.values(SECRETS), REDIS_PASSWORD, ...Object.values(tokens).map(({ token }) => token)]
    for (const plane of [first, second]) {
      await plane.stop()
      expect(plane.output).toContain('control plane is up')
    }
    const told = [first.output, second.output, ...audits].join('\n')
    expect(canaries.map((canary) => told.includes(canary.replace(/^k1:/, '')))).toEqual(canaries.map(() => false))
  })
})
