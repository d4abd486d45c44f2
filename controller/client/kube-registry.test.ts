/** Tests of a cluster as a registry, over our own API server on https: reads, writes, watches, and the ports that stand on it. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLog } from '../../system/log.ts'
import { realClock } from '../../system/clock.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { createAccess } from '../access/access.ts'
import type { KindDefinition } from '../api/define-kind.ts'
import { appCallers } from '../assembly/access.ts'
import { createClusterNamespaces } from '../assembly/cluster-namespaces.ts'
import { TENANT_LABEL } from '../kinds/tenant/namespace-taken.ts'
import { createAnthropicKeys } from '../assembly/anthropic-keys.ts'
import { appTokenSecrets } from '../assembly/app-token-secrets.ts'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { createRegistryEventSink, createRegistryLeasePort } from '../engine/registry-ports.ts'
import { accessTokenKind } from '../kinds/accesstoken/schema.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { userKind } from '../kinds/user/schema.ts'
import { KINDS } from '../kinds/kinds.ts'
import { resourceOf } from '../api/resource-of.ts'
import { configMapResource } from '../registry/config-maps.ts'
import { CORE_RESOURCES, eventResource, namespaceResource } from '../registry/core.ts'
import type { Registry, RegistryEvent } from '../registry/registry.ts'
import { secretResource } from '../registry/secrets.ts'
import type { ServerCertificates } from '../server/certificates.ts'
import { mintToken, presentedToken } from '../server/tokens.ts'
import { createKubeRegistry } from './kube-registry.ts'
import { createKubeWire, type WireRequest } from './kube-wire.ts'
import { startNetworkServer, testCertificates } from './test-api-server.ts'

let certificates: ServerCertificates
const open: (() => Promise<void>)[] = []
beforeAll(async () => {
  certificates = await testCertificates()
  // client-node takes a second to load, and more where others work.
  await import('@kubernetes/client-node')
})
afterAll(async () => {
  for (const close of open) await close()
})

const CONTEXT = { actor: CONTROLLER_ACTOR, fieldManager: 'test' }
const { signal } = new AbortController()

async function setUp(): Promise<{ registry: Registry; own: Registry; sent: WireRequest[]; clusterToken: string }> {
  const server = await startNetworkServer(certificates)
  const wire = createKubeWire({ from: 'Text', text: server.kubeconfig }, realClock)
  const sent: WireRequest[] = []
  const send: typeof wire.send = (request, ...rest) => {
    sent.push(request)
    return wire.send(request, ...rest)
  }
  open.push(async () => {
    await wire.close()
    await server.stop()
  })
  const registry = createKubeRegistry({
    wire: { ...wire, send },
    resources: [...CORE_RESOURCES, ...KINDS.map((kind) => resourceOf(kind))],
    fieldManager: 'test',
    clock: realClock,
    entropy: seededEntropy(3),
  })
  return { registry, own: server.registry, sent, clusterToken: server.token }
}

const bag = (name: string, data: object) => ({ metadata: { name }, data })
const key = (name: string, namespace = 'acme') => ({ namespace, name })

test('KC1 built-in objects are created, read, patched, replaced, listed and deleted', async () => {
  const { registry, own } = await setUp()
  const made = await registry.create(configMapResource, 'acme', bag('a', { x: '1' }), CONTEXT)
  expect(await own.get(configMapResource, key('a'))).toEqual(made)
  const patched = await registry.patch(
    configMapResource,
    key('a'),
    { type: 'merge', body: { data: { y: '2' } } },
    CONTEXT,
  )
  expect(patched).toMatchObject({ data: { x: '1', y: '2' } })
  await expect(registry.update(configMapResource, key('a'), { ...made, data: {} }, CONTEXT)).rejects.toMatchObject({
    reason: 'Conflict',
  })
  await registry.update(configMapResource, key('a'), { ...patched, data: {} }, CONTEXT)
  await registry.create(configMapResource, 'acme', bag('b', {}), CONTEXT)
  const page = await registry.list(configMapResource, { namespace: 'acme', limit: 1 })
  expect(page.items).toMatchObject([{ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'a' } }])
  expect(page.continue).toBeDefined()
  expect((await registry.list(configMapResource, { within: new Set(['other']) })).items).toEqual([])
  const { object, deleted } = await registry.delete(configMapResource, key('a'), {}, CONTEXT)
  expect([object.metadata.name, deleted]).toEqual(['a', true])
  expect((await registry.list(configMapResource)).items).toHaveLength(1)
  await expect(registry.get(configMapResource, key('a'))).rejects.toMatchObject({ reason: 'NotFound' })
})

test('KC1 an apply says whether it made the object, and what finalizers hold is not deleted', async () => {
  const { registry } = await setUp()
  const body = { metadata: { name: 'a', finalizers: ['example.com/hold'] }, data: { x: '1' } }
  expect((await registry.apply(configMapResource, key('a'), body, CONTEXT)).created).toBe(true)
  expect((await registry.apply(configMapResource, key('a'), body, CONTEXT)).created).toBe(false)
  const { object, deleted } = await registry.delete(configMapResource, key('a'), {}, CONTEXT)
  expect([object.metadata.deletionTimestamp === undefined, deleted]).toEqual([false, false])
})

test('KC1 a dry run stores nothing', async () => {
  const { registry } = await setUp()
  await registry.create(configMapResource, 'acme', bag('a', {}), { ...CONTEXT, dryRun: true })
  await expect(registry.get(configMapResource, key('a'))).rejects.toMatchObject({ reason: 'NotFound' })
  await registry.create(configMapResource, 'acme', bag('a', {}), CONTEXT)
  await registry.delete(configMapResource, key('a'), {}, { ...CONTEXT, dryRun: true })
  expect((await registry.get(configMapResource, key('a'))).metadata.name).toBe('a')
})

test('KC1 patches that name no version overtake each other and all apply', async () => {
  const { registry } = await setUp()
  await registry.create(configMapResource, 'acme', bag('a', {}), CONTEXT)
  const names = Array.from({ length: 12 }, (_, index) => `k${index}`)
  const patch = (name: string) => ({ type: 'merge', body: { data: { [name]: '1' } } }) as const
  await Promise.all(names.map((name) => registry.patch(configMapResource, key('a'), patch(name), CONTEXT)))
  const read: object = await registry.get(configMapResource, key('a'))
  expect(Object.keys('data' in read ? (read.data ?? {}) : {})).toHaveLength(12)
})

test('KC1 a watch tells what comes after a version, of the namespaces that are asked for', async () => {
  const { registry } = await setUp()
  const { resourceVersion } = await registry.list(configMapResource)
  await registry.create(configMapResource, 'acme', bag('a', {}), CONTEXT)
  await registry.delete(configMapResource, key('a'), {}, CONTEXT)
  const ending = new AbortController()
  const told: RegistryEvent[] = []
  for await (const event of registry.watch(configMapResource, { resourceVersion }, ending.signal)) {
    told.push(event)
    if (told.length === 2) break
  }
  ending.abort()
  expect(told.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(['ADDED a', 'DELETED a'])
})

test('KC2 the event sink writes core/v1 Events, and tells of one that is gone', async () => {
  const { registry, own } = await setUp()
  const sink = createRegistryEventSink(registry)
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'x.1', namespace: 'acme' },
    involvedObject: { apiVersion: 'v1', kind: 'Sprite', name: 'x', namespace: 'acme', uid: 'u', resourceVersion: '1' },
    type: 'Normal',
    reason: 'Ready',
    message: 'It runs',
    count: 1,
    firstTimestamp: '2026-01-01T00:00:00Z',
    lastTimestamp: '2026-01-01T00:00:00Z',
    source: { component: 'sprites-controller' },
    reportingComponent: 'sprites-controller',
    reportingInstance: '',
  } as const
  await sink.create('acme', event)
  await expect(sink.create('acme', event)).rejects.toMatchObject({ reason: 'AlreadyExists' })
  await sink.patch('acme', 'x.1', { count: 2, lastTimestamp: '2026-01-01T00:01:00Z' })
  expect(await own.get(eventResource, key('x.1'))).toMatchObject({ count: 2, reason: 'Ready' })
  const again = sink.patch('acme', 'gone.1', { count: 2, lastTimestamp: '2026-01-01T00:01:00Z' })
  await expect(again).rejects.toMatchObject({ reason: 'NotFound' })
})

test('KC3 of two that write the lease at one version, one is told Conflict', async () => {
  const { registry } = await setUp()
  const port = createRegistryLeasePort(registry)
  expect(await port.get('acme', 'leader', signal)).toBeUndefined()
  const spec = { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z' }
  const made = await port.create('acme', 'leader', spec, signal)
  await expect(port.create('acme', 'leader', spec, signal)).rejects.toMatchObject({ reason: 'AlreadyExists' })
  const held = await port.update(made, { ...spec, holderIdentity: 'b' }, signal)
  expect(held.spec).toMatchObject({ holderIdentity: 'b', renewTime: '2026-01-01T00:00:00.000000Z' })
  await expect(port.update(made, spec, signal)).rejects.toMatchObject({ reason: 'Conflict' })
})

test('KC4 a namespace is made for its tenant, owned by it, and deleted with it', async () => {
  const { registry, own } = await setUp()
  const namespaces = createClusterNamespaces(registry)
  expect(await namespaces.standing('globex')).toBe('Absent')
  await namespaces.ensure('globex', '11111111-1111-4111-8111-111111111111')
  await namespaces.ensure('globex', '11111111-1111-4111-8111-111111111111')
  expect(await namespaces.standing('globex')).toBe('Own')
  const { metadata } = await own.get(namespaceResource, key('globex', ''))
  expect(metadata.labels).toMatchObject({ [TENANT_LABEL]: 'globex' })
  expect(metadata.ownerReferences).toMatchObject([{ kind: 'Tenant', name: 'globex' }])
  await namespaces.remove('globex')
  await namespaces.remove('none')
  const left = await own.get(namespaceResource, key('globex', '')).catch(() => undefined)
  expect(left === undefined || left.metadata.deletionTimestamp !== undefined).toBe(true)
})

test('KC4 a namespace that was there is not the tenant’s, unless it carries the tenant’s label; then it is given back', async () => {
  const { registry, own } = await setUp()
  const namespaces = createClusterNamespaces(registry)
  expect(await namespaces.standing('acme')).toBe('Taken')
  await expect(namespaces.ensure('acme', 'u')).rejects.toMatchObject({ reason: 'Forbidden' })
  await namespaces.ensure('acme')
  await namespaces.remove('acme')
  const label = (value: string) =>
    ({ type: 'merge', body: { metadata: { labels: { [TENANT_LABEL]: value } } } }) as const
  await own.patch(namespaceResource, key('acme', ''), label('other'), CONTEXT)
  await expect(namespaces.ensure('acme', 'u')).rejects.toMatchObject({ reason: 'Forbidden' })
  await own.patch(namespaceResource, key('acme', ''), label('acme'), CONTEXT)
  await namespaces.ensure('acme', 'u')
  expect(await namespaces.standing('acme')).toBe('Own')
  await namespaces.remove('acme')
  expect(await namespaces.standing('acme')).toBe('Taken')
  expect((await own.get(namespaceResource, key('acme', ''))).metadata.deletionTimestamp).toBeUndefined()
})

test('KC5 Secrets are read one by one: tokens of apps in our own namespace, keys in the tenants’', async () => {
  const { registry, own, sent } = await setUp()
  await own.create(namespaceResource, '', { metadata: { name: SYSTEM_NAMESPACE } }, CONTEXT)
  const tokens = appTokenSecrets(registry)
  await tokens.write('highera-acme', { token: 'fm2_one', expiresAtMs: Date.UTC(2026, 1, 1) })
  await tokens.write('highera-acme', { token: 'fm2_two', expiresAtMs: Date.UTC(2026, 1, 8) })
  expect(await tokens.read('highera-acme')).toEqual({ token: 'fm2_two', expiresAtMs: Date.UTC(2026, 1, 8) })
  await tokens.remove('highera-acme')
  expect(await tokens.read('highera-acme')).toBeUndefined()
  const keys = createAnthropicKeys(registry, () => () => Promise.reject(new Error('Nobody is asked')))
  const ref = { name: 'anthropic', key: 'apiKey' }
  expect(await keys.look('acme', ref)).toBe('SecretMissing')
  const secret = { metadata: { name: 'anthropic' }, stringData: { apiKey: 'sk-ant-1' } }
  await own.create(secretResource, 'acme', secret, CONTEXT)
  expect(await keys.look('acme', ref)).toBeUndefined()
  expect(sent.filter(({ method, path }) => method === 'GET' && path.endsWith('/secrets'))).toEqual([])
})

test('KC8 apps come in by AccessTokens of the cluster, with the roles that these and Users give, and by nothing else', async () => {
  const { registry, own, sent, clusterToken } = await setUp()
  for (const name of ['beta', SYSTEM_NAMESPACE])
    await own.create(namespaceResource, '', { metadata: { name } }, CONTEXT)
  const put = (kind: KindDefinition, namespace: string, name: string, spec: object) =>
    own.create(
      resourceOf(kind),
      namespace,
      { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name }, spec },
      CONTEXT,
    )
  for (const name of ['acme', 'beta']) await put(tenantKind, '', name, { displayName: name, plan: 'growth' })
  await put(userKind, 'acme', 'ada', { email: 'ada@acme.test', role: 'viewer' })
  const entropy = seededEntropy(8)
  const give = async (namespace: string, name: string, spec: object): Promise<string> => {
    const { token, record } = mintToken(CONTROLLER_ACTOR, entropy)
    await put(accessTokenKind, namespace, name, { keyId: record.keyId, sha256: record.sha256, ...spec })
    return token
  }
  const [app, person] = [await give('acme', 'app', { role: 'member' }), await give('acme', 'ada', { user: 'ada' })]
  const admin = await give(SYSTEM_NAMESPACE, 'op', { role: 'platform-admin' })
  // Whoever may create tokens in a tenant's namespace could write this one: nothing of ours admits it there.
  const forged = await give('acme', 'false', { role: 'platform-admin' })
  const access = createAccess({ registry, clock: realClock, log: silentLog, readToken: presentedToken })
  open.push(() => access.close())
  await access.start()
  const callers = appCallers(access, access.authenticate)
  const rolesOf = async (token: string) => {
    const caller = await callers(token)
    return caller && ['acme', 'beta'].map((tenant) => caller.roleIn(tenant))
  }
  expect(await rolesOf(app)).toEqual(['member', undefined])
  expect(await rolesOf(person)).toEqual(['viewer', undefined])
  expect(await rolesOf(admin)).toEqual(['admin', 'admin'])
  expect(await rolesOf(forged)).toBeUndefined()
  // The cluster itself takes this one, for an administrator's.
  expect(await rolesOf(clusterToken)).toBeUndefined()
  const later = await give('beta', 'later', { role: 'viewer' })
  await expect.poll(() => rolesOf(later)).toEqual([undefined, 'viewer'])
  await own.delete(resourceOf(accessTokenKind), key('app'), {}, CONTEXT)
  await expect.poll(() => rolesOf(app)).toBeUndefined()
  expect(sent.filter(({ path }) => /reviews/.test(path))).toEqual([])
})
