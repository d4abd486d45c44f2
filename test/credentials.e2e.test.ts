/** A real control plane, an OIDC issuer and real kubectl: who comes in by which credential, and what the audit log knows of it. */
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { fakeIssuer, makeKey, signed, type FakeIssuer, type IssuerKey } from '../controller/access/fake-issuer.ts'
import { readKubeconfig } from '../controller/server/kubeconfig.ts'
import { realClock } from '../system/clock.ts'
import { nameOf, oldestAndNewest, runWith, type Run } from './e2e/kubectl.ts'
import { Plane } from './e2e/plane.ts'

const GROUP = '/apis/sprites.highera.com/v1alpha1'
const API_VERSION = 'sprites.highera.com/v1alpha1'

const found = oldestAndNewest()
if (found.length === 0) it.skip('kubectl is not installed: nothing to test with')

let issuer: FakeIssuer
let key: IssuerKey
let plane: Plane
let environment: Readonly<Record<string, string>>

beforeAll(async () => {
  key = await makeKey('k1')
  issuer = await fakeIssuer([key])
  environment = { OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: 'sprites', OIDC_ADMIN_GROUPS: 'platform' }
  plane = await Plane.create()
  await plane.start([], environment)
  const tenant = { displayName: 'Acme', plan: 'growth' }
  await plane.post(`${GROUP}/tenants`, {
    apiVersion: API_VERSION,
    kind: 'Tenant',
    metadata: { name: 'acme' },
    spec: tenant,
  })
  const user = { email: 'Ann@acme.example', role: 'member' }
  await plane.post(`${GROUP}/namespaces/acme/users`, {
    apiVersion: API_VERSION,
    kind: 'User',
    metadata: { name: 'ann' },
    spec: user,
  })
}, 120_000)
afterAll(async () => {
  await plane.destroy()
  await issuer.close()
}, 30_000)

const jwt = (claims: Readonly<Record<string, unknown>> = {}): Promise<string> => {
  const nowSeconds = Math.floor(realClock.now() / 1_000)
  const base = { iss: issuer.url, aud: 'sprites', sub: 'u-1', email: 'ann@acme.example', exp: nowSeconds + 600 }
  return signed(key, { ...base, ...claims })
}

/** A kubeconfig whose user is as given. */
async function configOf(name: string, user: object): Promise<string> {
  const { server, caCert = '' } = await readKubeconfig(join(plane.folder, 'kubeconfig'))
  const file = join(plane.folder, `kubeconfig-${name}`)
  const cluster = { server, 'certificate-authority-data': Buffer.from(caCert).toString('base64') }
  const contexts = [{ name: 'c', context: { cluster: 'c', user: 'u', namespace: 'acme' } }]
  const clusters = [{ name: 'c', cluster }]
  const config = { 'current-context': 'c', clusters, contexts, users: [{ name: 'u', user }] }
  await writeFile(file, stringify({ apiVersion: 'v1', kind: 'Config', ...config }))
  return file
}

const cli = (...args: readonly string[]): Promise<Run> =>
  runWith(process.execPath, [join(import.meta.dirname, '../controller/cli/main.ts'), ...args], {
    kubeconfig: '',
    home: plane.folder,
  })

type Event = {
  readonly verb: string
  readonly user: { readonly username: string; readonly groups: readonly string[] }
  readonly objectRef?: { readonly resource: string; readonly name?: string; readonly uid?: string }
  readonly responseStatus: { readonly code: number }
  readonly annotations: Readonly<Record<string, string>>
}

const auditPath = (): string => join(plane.folder, 'audit.log')
const auditEvents = async (): Promise<Event[]> =>
  (await readFile(auditPath(), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Event) // what the log wrote

describe.each(found.map((kubectl) => [nameOf(kubectl), kubectl]))('%s', (name, kubectl) => {
  const k = (kubeconfig: string, ...args: readonly string[]): Promise<Run> =>
    runWith(kubectl, args, { kubeconfig, home: plane.folder })

  it('OI12 a person comes in by an ID token, as the User of that address', async () => {
    const config = await configOf('jwt', { token: await jwt({ groups: ['writers', 'system:masters'] }) })
    const whoami = await k(config, 'auth', 'whoami', '-o', 'json')
    expect(JSON.parse(whoami.out)).toMatchObject({
      status: {
        userInfo: {
          username: 'ann@acme.example',
          groups: expect.arrayContaining(['oidc:writers', 'oidc:system:masters']) as string[],
        },
      },
    })
    expect((await k(config, 'get', 'sprites')).code).toBe(0)
    expect((await k(config, 'auth', 'can-i', 'create', 'work')).out.trim()).toBe('yes')
    expect((await k(config, 'auth', 'can-i', 'delete', 'tenants')).out).toMatch(/^no\b/)
    expect((await k(config, 'get', 'sprites', '-n', 'elsewhere')).err).toContain('"elsewhere" not found')
  })

  it('OI12 or by a credential plugin, or as a member of a group of platform admins', async () => {
    const credential = join(plane.folder, 'credential.json')
    const token = await jwt({ email: 'root@platform.example', groups: ['platform'] })
    const kind = { apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' }
    await writeFile(credential, JSON.stringify({ ...kind, status: { token } }))
    const exec = { apiVersion: kind.apiVersion, command: 'cat', args: [credential], interactiveMode: 'Never' }
    const config = await configOf('exec', { exec })
    expect((await k(config, 'auth', 'can-i', '*', '*', '-A')).out.trim()).toBe('yes')
    const label = await k(config, 'label', 'tenant', 'acme', `by=${name}`, '--overwrite')
    expect(label).toMatchObject({ code: 0 })
  })

  it('OI12 others do not', async () => {
    const wrong = await configOf('wrong', { token: await jwt({ aud: 'other' }) })
    expect(await k(wrong, 'get', 'sprites')).toMatchObject({ code: 1 })
    const stranger = await configOf('stranger', { token: await jwt({ email: 'eve@evil.example' }) })
    expect((await k(stranger, 'get', 'sprites')).err).toContain('namespaces "acme" not found')
  })

  it('CLI26 a token of spritectl lets in until it is revoked', async () => {
    const token = `t-${name.replaceAll('.', '-')}`
    const at = ['--tenant', 'acme', '--data', plane.folder]
    const made = await cli('token', 'create', token, ...at, '--role', 'member', '--expires', '1h', '-o', 'kubeconfig')
    expect(made).toMatchObject({ code: 0 })
    const config = join(plane.folder, 'kubeconfig-token')
    await writeFile(config, made.out)
    await plane.until('the token to count', async () => (await k(config, 'get', 'sprites')).code === 0)
    const list = await cli('token', 'list', '-n', 'acme', '--data', plane.folder)
    expect(list.out).toContain(token)
    expect(await cli('token', 'revoke', token, ...at)).toMatchObject({ code: 0 })
    await plane.until('the token to be refused', async () => (await k(config, 'get', 'sprites')).code === 1)
    expect((await k(config, 'get', 'sprites')).err).toContain('You must be logged in to the server')
  })

  it('AU14 the audit log knows all of it, and no token', async () => {
    const events = await auditEvents()
    const byCode = (code: number): Event[] => events.filter(({ responseStatus }) => responseStatus.code === code)
    expect(byCode(401).length).toBeGreaterThan(0)
    expect(events).toContainEqual(
      expect.objectContaining({
        verb: 'patch',
        user: expect.objectContaining({ username: 'root@platform.example' }) as Event['user'],
        objectRef: expect.objectContaining({ resource: 'tenants', name: 'acme' }) as Event['objectRef'],
        annotations: expect.objectContaining({
          'authorization.k8s.io/decision': 'allow',
          'authorization.k8s.io/reason': 'platform admin',
        }) as Event['annotations'],
      }),
    )
    const hidden = byCode(404).find(({ user }) => user.username === 'eve@evil.example')
    expect(hidden?.annotations).toMatchObject({ 'authorization.k8s.io/decision': 'forbid' })
    expect(await readFile(auditPath(), 'utf8')).not.toMatch(/sprt_[0-9a-f]{16}_|eyJ[\w-]{20,}\./)
    expect(await cli('audit', 'verify', '--data', plane.folder)).toMatchObject({ code: 0 })
  })
})

it('AU14 the audit log is whole after kill -9, and a changed line is found', async () => {
  await plane.kill()
  await appendFile(auditPath(), '{"kind":"Event","apiVersion":"audit.k8s.io/v1","lev')
  await plane.start([], environment)
  const whole = await cli('audit', 'verify', '--data', plane.folder)
  expect(whole.out).toContain('1 line cut off by a crash, and recorded as such')
  expect(whole.code).toBe(0)
  const text = await readFile(auditPath(), 'utf8')
  const copy = join(plane.folder, 'copy.log')
  await writeFile(copy, text.replace('"code":401', '"code":200'))
  const changed = await cli('audit', 'verify', copy)
  expect(changed.code).toBe(1)
  expect(changed.err).toMatch(/copy\.log:\d+: it was changed/)
}, 60_000)
