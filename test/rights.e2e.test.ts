/** Real kubectl in the hands of a platform admin and of an admin, member and viewer of a tenant, and of another tenant's admin. */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintToken as mintSpriteToken } from '../controller/coordinator/tokens.ts'
import { readKubeconfig, writeKubeconfig } from '../controller/server/kubeconfig.ts'
import { mintToken } from '../controller/server/tokens.ts'
import { realEntropy } from '../system/entropy.ts'
import { nameOf, oldestAndNewest, runWith, type Run } from './e2e/kubectl.ts'
import { Plane } from './e2e/plane.ts'

const GROUP = '/apis/sprites.highera.com/v1alpha1'
const API_VERSION = 'sprites.highera.com/v1alpha1'
const WHO = ['admin', 'member', 'viewer', 'stranger'] as const
type Who = (typeof WHO)[number] | 'root' | 'leaver'

const found = oldestAndNewest()
if (found.length === 0) it.skip('kubectl is not installed: nothing to test with')

let plane: Plane
beforeAll(async () => {
  plane = await Plane.create()
  await plane.start()
  for (const name of ['acme', 'beta']) {
    const spec = { displayName: name, plan: 'growth' }
    await plane.post(`${GROUP}/tenants`, { apiVersion: API_VERSION, kind: 'Tenant', metadata: { name }, spec })
    await make(name, 'sprites', 'Sprite', { name: `${name}-sprite`, spec: { agentType: 'copywriter' } })
    await plane.post(`/api/v1/namespaces/${name}/secrets`, {
      metadata: { name: `${name}-key` },
      stringData: { a: 'b' },
    })
  }
  for (const who of WHO) await admit(who, who === 'stranger' ? 'beta' : 'acme', who === 'stranger' ? 'admin' : who)
}, 120_000)
afterAll(() => plane.destroy(), 30_000)

const make = (
  namespace: string,
  plural: string,
  kind: string,
  { name, spec }: { readonly name: string; readonly spec: object },
): Promise<void> =>
  plane.post(`${GROUP}/namespaces/${namespace}/${plural}`, {
    apiVersion: API_VERSION,
    kind,
    metadata: { name },
    spec,
  })

const kubeconfigOf = (who: Who): string => join(plane.folder, who === 'root' ? 'kubeconfig' : `kubeconfig-${who}`)

/** A User with a token and a kubeconfig. */
async function admit(who: Who, tenant: string, role: string): Promise<void> {
  await make(tenant, 'users', 'User', { name: who, spec: { email: `${who}@x.test`, role } })
  const { token, record } = mintToken({ name: who, groups: [] }, realEntropy)
  const { keyId, sha256 } = record
  await make(tenant, 'accesstokens', 'AccessToken', { name: who, spec: { keyId, sha256, user: who } })
  await writeConfig(who, token, tenant)
}

async function writeConfig(who: Who, token: string, namespace: string): Promise<void> {
  const { server, caCert } = await readKubeconfig(kubeconfigOf('root'))
  await writeKubeconfig(kubeconfigOf(who), { server, ...(caCert === undefined ? {} : { caCert }), token, namespace })
}

describe.each(found.map((kubectl) => [nameOf(kubectl), kubectl]))('%s', (name, kubectl) => {
  const k = (who: Who, command: string, options: { input?: string; timeoutMs?: number } = {}): Promise<Run> =>
    runWith(kubectl, command.split(' '), { kubeconfig: kubeconfigOf(who), home: plane.folder, ...options })
  const out = async (who: Who, command: string): Promise<string> => {
    const { code, out: text, err } = await k(who, command)
    expect({ code, err }).toEqual({ code: 0, err: expect.any(String) as string })
    return text.trim()
  }

  it('AX30 get -A, get ns and get tenants show what is one’s own', async () => {
    expect(await out('root', 'get sprites -A -o name')).toMatch(/acme-sprite\n.*beta-sprite/)
    for (const who of WHO) {
      const own = who === 'stranger' ? 'beta' : 'acme'
      expect(await out(who, 'get sprites -A -o name')).toBe(`sprite.sprites.highera.com/${own}-sprite`)
      expect(await out(who, 'get ns -o name')).toBe(`namespace/${own}`)
      expect(await out(who, 'get tenants -o name')).toBe(`tenant.sprites.highera.com/${own}`)
      expect(await out(who, 'get sprites -A')).toContain(`${own}-sprite`)
    }
    expect(await out('admin', 'get secrets -A -o name')).toBe('secret/acme-key')
    expect((await k('viewer', 'get secrets')).err).toContain('Error from server (Forbidden): secrets is forbidden')
    expect(await out('viewer', 'describe sprite acme-sprite')).toContain('copywriter')
    expect(await out('viewer', 'get plans -o name')).toContain('growth')
  })

  it('AX30 a role writes what it may', async () => {
    const label = (who: Who) => k(who, `label --overwrite sprite acme-sprite touched=${name}-${who}`)
    expect((await label('viewer')).err).toContain('User "viewer@x.test" cannot patch resource "sprites"')
    expect((await label('member')).code).toBe(0)
    expect((await k('member', 'delete user viewer --dry-run=server')).err).toContain('Forbidden')
    expect((await k('admin', 'delete user viewer --dry-run=server')).code).toBe(0)
    expect((await k('admin', 'delete tenant acme')).err).toContain('Forbidden')
    expect((await k('admin', 'delete ns acme')).err).toContain('Forbidden')
    const plan = '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"fresh"}}'
    expect((await k('admin', 'create -f -', { input: plan })).err).toContain('Forbidden')
    expect((await k('member', 'create ns acme')).err).toContain('Error from server (AlreadyExists)')
  })

  const commands = [
    'get sprites',
    'get sprite beta-sprite',
    'delete sprite beta-sprite',
    'get events',
    'get secrets',
    'get secret beta-key',
    'create configmap x',
    'label sprite beta-sprite a=b',
    'logs beta-sprite',
  ]
  it('AZ2 a foreign namespace answers as one that does not exist', async () => {
    for (const command of commands) {
      const answer = async (namespace: string): Promise<Run> => {
        const { code, out: text, err } = await k('admin', `-n ${namespace} ${command}`)
        return { code, out: text, err: err.replaceAll(namespace, 'NS') }
      }
      const foreign = await answer('beta')
      expect(foreign).toEqual(await answer('nowhere'))
      expect(foreign.err).toContain('namespaces "NS" not found')
      expect(foreign).toEqual(await answer('sprites-system'))
    }
    const tenant = async (of: string) => (await k('admin', `get tenant ${of}`)).err.replaceAll(of, 'NS')
    expect(await tenant('beta')).toBe(await tenant('nowhere'))
  })

  it('AX32 a watch leaks nothing of others, and ends with 410 when its User is deleted', async () => {
    await admit('leaver', 'acme', 'viewer')
    const watching = k('leaver', 'get sprites -A -w --output-watch-events', { timeoutMs: 60_000 })
    const raw = k('leaver', `get --raw ${GROUP}/sprites?watch=true&allowWatchBookmarks=true`, { timeoutMs: 60_000 })
    await plane.until('both watches to stand', async () => {
      const { text } = await plane.ask('GET', '/metrics')
      return Number(/^apiserver_watches\{resource="sprites"\} (\d+)$/m.exec(text)?.[1]) >= 2
    })
    const spec = { agentType: 'copywriter' }
    await make('beta', 'sprites', 'Sprite', { name: `beta-${name.replaceAll('.', '-')}`, spec })
    await out('root', `-n beta label --overwrite sprite beta-sprite touched=${name}`)
    await out('root', `-n acme label --overwrite sprite acme-sprite touched=${name}-seen`)
    await out('root', `-n beta delete sprite beta-${name.replaceAll('.', '-')} --wait=false`)
    await out('root', '-n acme delete user leaver')
    const [ended, streamed] = await Promise.all([watching, raw])
    expect(ended.out).toContain('acme-sprite')
    expect(streamed.out).toContain(`${name}-seen`)
    expect(streamed.out).toMatch(/"type":"ERROR".*"code":410/)
    expect(ended.code + ended.out + ended.err + streamed.out + streamed.err).not.toContain('beta')
    expect((await k('leaver', 'get sprites')).err).toContain('You must be logged in to the server')
    await out('root', '-n acme delete accesstoken leaver')
  }, 120_000)

  it('AX40 --as is for the platform admin', async () => {
    expect(await out('root', 'get ns -o name --as viewer@x.test')).toBe('namespace/acme')
    expect((await k('root', '-n acme get secrets --as viewer@x.test')).err).toContain('Forbidden')
    expect(await out('root', 'get ns -o name --as nobody --as-group a,b --as-group system:masters')).toContain('beta')
    for (const who of WHO) {
      expect((await k(who, 'get sprites --as admin@x.test')).err).toContain('cannot impersonate resource "users"')
      expect((await k(who, 'get sprites --as x --as-group system:masters')).code).toBe(1)
    }
  })

  it('AX42 auth can-i, can-i --list and whoami answer for each role', async () => {
    const can = async (question: string): Promise<string> => {
      const asked = (['root', 'admin', 'member', 'viewer', 'stranger'] as const).map(async (who) =>
        (await k(who, `-n acme auth can-i ${question}`)).out.trim() === 'yes' ? who : '',
      )
      return (await Promise.all(asked)).filter((who) => who !== '').join(' ')
    }
    expect(await can('list sprites')).toBe('root admin member viewer')
    expect(await can('create sprites')).toBe('root admin member')
    expect(await can('wake sprites')).toBe('root admin member')
    expect(await can('create work --subresource=cancel')).toBe('root admin member')
    expect(await can('get secrets')).toBe('root admin')
    expect(await can('* *')).toBe('root')
    expect(await can('get /metrics')).toBe('root')
    expect(await can('get plans')).toBe('root admin member viewer stranger')
    expect(await can('get tenants')).toBe('root admin member viewer stranger')
    expect(await can('get tenants/acme')).toBe('root admin member viewer')
    const list = await out('member', 'auth can-i --list')
    expect(list).toMatch(
      /sprites\.sprites\.highera\.com .*\[get list watch create update patch delete deletecollection wake drain\]/,
    )
    expect(list).toMatch(/tenants\.sprites\.highera\.com +\[\] +\[acme\]/)
    expect(list).not.toContain('secrets')
    expect(await out('root', 'auth can-i --list')).toContain('*.*')
    expect(await out('viewer', 'auth whoami -o yaml')).toContain('username: viewer@x.test')
  })

  it('AX34 a sprite’s token is nobody’s; a token that is revoked counts no more', async () => {
    const identity = { tenant: 'acme', sprite: 'acme-sprite', uid: 'u', incarnation: 1 }
    await writeConfig('leaver', mintSpriteToken(Buffer.alloc(32, 1), identity), 'acme')
    expect((await k('leaver', 'get sprites')).err).toContain('You must be logged in to the server')
    const { token, record } = mintToken({ name: 'x', groups: [] }, realEntropy)
    const { keyId, sha256 } = record
    await make('acme', 'accesstokens', 'AccessToken', { name: 'ci', spec: { keyId, sha256, role: 'viewer' } })
    await writeConfig('leaver', token, 'acme')
    expect(await out('leaver', 'get sprites -o name')).toContain('acme-sprite')
    expect((await k('leaver', 'get accesstokens')).err).toContain('Forbidden')
    expect(await out('admin', 'get tok')).toMatch(/ci +viewer/)
    await out('admin', 'delete accesstoken ci')
    expect((await k('leaver', 'get sprites')).err).toContain('You must be logged in to the server')
  })
})
