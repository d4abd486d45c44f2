/** @kubernetes/client-node against our own API server, used as its own README does: objects, typed APIs, informers. */
import * as k8s from '@kubernetes/client-node'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startNetworkServer, testCertificates, type NetworkServer } from '../controller/client/test-api-server.ts'
import { API_VERSION, GROUP, VERSION } from '../controller/api/define-kind.ts'

type Sprite = k8s.KubernetesObject & { spec?: { agentType?: string; idleTimeoutSeconds?: number }; status?: object }

let server: NetworkServer
let config: k8s.KubeConfig
let objects: k8s.KubernetesObjectApi

beforeAll(async () => {
  server = await startNetworkServer(await testCertificates())
  config = new k8s.KubeConfig()
  config.loadFromString(server.kubeconfig)
  objects = k8s.KubernetesObjectApi.makeApiClient(config)
})

afterAll(() => server.stop())

const sprite = (name: string, spec: Sprite['spec'] = {}, labels?: Record<string, string>): Sprite => ({
  apiVersion: API_VERSION,
  kind: 'Sprite',
  metadata: { name, namespace: 'acme', ...(labels === undefined ? {} : { labels }) },
  spec: { agentType: 'copywriter', ...spec },
})
const headerOf = (name: string) => ({
  apiVersion: API_VERSION,
  kind: 'Sprite',
  metadata: { name, namespace: 'acme' },
})
const COLLECTION = { group: GROUP, version: VERSION, namespace: 'acme', plural: 'sprites' }
const LIST_PATH = `/apis/${API_VERSION}/namespaces/acme/sprites`

/** The code and reason that a call fails with. */
async function refusal(call: Promise<unknown>): Promise<{ code: number; reason: unknown }> {
  const error: unknown = await call.then(
    () => new Error('It succeeded'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(k8s.ApiException)
  // The line above has just held it.
  const { code, body } = error as k8s.ApiException<string>
  return { code, reason: (JSON.parse(body) as { reason?: unknown }).reason }
}

test('SV2 KubernetesObjectApi creates, reads, lists, patches, replaces and deletes', async () => {
  const made = await objects.create(sprite('o1', {}, { app: 'x' }))
  expect(made.metadata?.uid).not.toBe('')
  // client-node makes dates of instants; written back they have milliseconds.
  expect(made.metadata?.creationTimestamp).toBeInstanceOf(Date)
  const read = await objects.read<Sprite>(headerOf('o1'))
  expect(read.spec).toMatchObject({ agentType: 'copywriter' })
  const listed = await objects.list(API_VERSION, 'Sprite', 'acme', undefined, undefined, undefined, undefined, 'app=x')
  expect(listed.items.map(({ metadata }) => metadata?.name)).toEqual(['o1'])
  const patch = { ...headerOf('o1'), spec: { idleTimeoutSeconds: 20 } }
  const merged = await objects.patch<Sprite>(patch, undefined, undefined, 'me', undefined, k8s.PatchStrategy.MergePatch)
  expect(merged.spec?.idleTimeoutSeconds).toBe(20)
  const replaced = await objects.replace<Sprite>({ ...merged, spec: { ...merged.spec, idleTimeoutSeconds: 30 } })
  expect(replaced.spec?.idleTimeoutSeconds).toBe(30)
  expect(await refusal(objects.replace({ ...merged }))).toEqual({ code: 409, reason: 'Conflict' })
  expect(await objects.delete(headerOf('o1'))).toMatchObject({ status: 'Success' })
  expect(await refusal(objects.read(headerOf('o1')))).toEqual({ code: 404, reason: 'NotFound' })
})

test('AP6 AP8 KubernetesObjectApi applies on the server, again, in conflict, by force, and dry', async () => {
  const apply = (object: Sprite, manager: string, { force = false, dryRun = '' } = {}): Promise<Sprite> =>
    objects.patch<Sprite>(
      object,
      undefined,
      dryRun === '' ? undefined : dryRun,
      manager,
      force,
      k8s.PatchStrategy.ServerSideApply,
    )
  const dry = await apply(sprite('s1'), 'one', { dryRun: 'All' })
  expect(dry.metadata?.resourceVersion).toBeUndefined()
  expect(await refusal(objects.read(headerOf('s1')))).toMatchObject({ code: 404 })
  const made = await apply(sprite('s1', { idleTimeoutSeconds: 5 }), 'one')
  const again = await apply(sprite('s1', { idleTimeoutSeconds: 5 }), 'one')
  expect(again).toEqual(made)
  expect(await refusal(apply(sprite('s1', { idleTimeoutSeconds: 6 }), 'two'))).toEqual({
    code: 409,
    reason: 'Conflict',
  })
  const forced = await apply(sprite('s1', { idleTimeoutSeconds: 6 }), 'two', { force: true })
  expect(forced.spec?.idleTimeoutSeconds).toBe(6)
  expect(forced.metadata?.managedFields?.map(({ manager }) => manager).toSorted()).toEqual(['one', 'two'])
})

test('SV5 the default patch of client-node is refused for our kinds, with the types that there are', async () => {
  await objects.create(sprite('p1'))
  const { code, reason } = await refusal(objects.patch({ ...headerOf('p1'), spec: {} }))
  expect([code, reason]).toEqual([415, 'UnsupportedMediaType'])
})

test('SV6 errors are an ApiException with code and reason', async () => {
  await objects.create(sprite('e1'))
  expect(await refusal(objects.create(sprite('e1')))).toEqual({ code: 409, reason: 'AlreadyExists' })
  expect(await refusal(objects.create({ ...sprite('e2'), spec: { agentType: 7 } } as object))).toEqual({
    code: 422,
    reason: 'Invalid',
  })
  const stranger = new k8s.KubeConfig()
  stranger.loadFromString(server.kubeconfig.replace(server.token, 'sprt_wrong'))
  const other = stranger.makeApiClient(k8s.CustomObjectsApi)
  // CustomObjectsApi keeps no body of a 401.
  await expect(other.listNamespacedCustomObject(COLLECTION)).rejects.toMatchObject({ code: 401 })
})

test('SV2 CustomObjectsApi creates, reads, lists in pages, patches, writes status and deletes', async () => {
  const custom = config.makeApiClient(k8s.CustomObjectsApi)
  for (const name of ['c1', 'c2', 'c3'])
    await custom.createNamespacedCustomObject({ ...COLLECTION, body: sprite(name, {}, { set: 'custom' }) })
  const labelSelector = 'set=custom'
  const first = await custom.listNamespacedCustomObject({ ...COLLECTION, labelSelector, limit: 2 })
  const rest = await custom.listNamespacedCustomObject({
    ...COLLECTION,
    labelSelector,
    limit: 2,
    _continue: first.metadata._continue ?? first.metadata.continue,
  })
  expect([first.items.length, rest.items.length]).toEqual([2, 1])
  const merge = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch)
  const body = { spec: { idleTimeoutSeconds: 9 } }
  const patched = await custom.patchNamespacedCustomObject({ ...COLLECTION, name: 'c1', body }, merge)
  expect(patched.spec.idleTimeoutSeconds).toBe(9)
  const status = { status: { observedGeneration: 1, phase: 'Pending' } }
  const told = await custom.patchNamespacedCustomObjectStatus({ ...COLLECTION, name: 'c1', body: status }, merge)
  expect([told.status.phase, told.metadata.generation]).toEqual(['Pending', 2])
  const ssa = k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.ServerSideApply)
  const applied = await custom.patchNamespacedCustomObject(
    { ...COLLECTION, name: 'c4', body: sprite('c4'), fieldManager: 'me', force: true },
    ssa,
  )
  expect(applied.metadata.managedFields).toHaveLength(1)
  await custom.deleteNamespacedCustomObject({ ...COLLECTION, name: 'c1' })
  await custom.deleteCollectionNamespacedCustomObject({ ...COLLECTION, labelSelector })
  expect((await custom.listNamespacedCustomObject({ ...COLLECTION, labelSelector })).items).toEqual([])
})

test('SV5 typed APIs make namespaces and events, and ask for rights', async () => {
  const core = config.makeApiClient(k8s.CoreV1Api)
  const made = await core.createNamespace({ body: { metadata: { name: 'globex' } } })
  expect([made.status?.phase, made.metadata?.labels?.['kubernetes.io/metadata.name']]).toEqual(['Active', 'globex'])
  expect((await core.listNamespace()).items.map(({ metadata }) => metadata?.name)).toContain('globex')
  const annotated = await core.patchNamespace(
    { name: 'globex', body: { metadata: { annotations: { a: 'b' } } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
  )
  expect(annotated.metadata?.annotations).toMatchObject({ a: 'b' })
  const involvedObject = { apiVersion: API_VERSION, kind: 'Sprite', name: 'e1', namespace: 'acme' }
  await core.createNamespacedEvent({
    namespace: 'acme',
    body: {
      metadata: { name: 'e1.1' },
      involvedObject,
      reason: 'Tested',
      message: 'm',
      type: 'Normal',
      firstTimestamp: new Date(0),
      eventTime: new k8s.V1MicroTime(0),
    },
  })
  const events = await core.listNamespacedEvent({ namespace: 'acme', fieldSelector: 'involvedObject.name=e1' })
  expect(events.items.map(({ reason }) => reason)).toEqual(['Tested'])
  const rights = config.makeApiClient(k8s.AuthorizationV1Api)
  const resourceAttributes = { group: GROUP, resource: 'sprites', verb: 'create', namespace: 'acme' }
  const review = await rights.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } })
  expect(review.status?.allowed).toBe(true)
})

test('SV5 typed APIs keep Secrets and ConfigMaps, patch them strategically and list them by label', async () => {
  const core = config.makeApiClient(k8s.CoreV1Api)
  const metadata = { name: 'release.v1', labels: { owner: 'helm' } }
  const made = await core.createNamespacedSecret({
    namespace: 'acme',
    body: { metadata, type: 'helm.sh/release.v1', stringData: { release: 'text' } },
  })
  expect([made.type, made.data?.['release']]).toEqual(['helm.sh/release.v1', 'dGV4dA=='])
  const found = await core.listNamespacedSecret({ namespace: 'acme', labelSelector: 'owner=helm' })
  expect(found.items.map((item) => item.metadata?.name)).toEqual(['release.v1'])
  await core.createNamespacedConfigMap({
    namespace: 'acme',
    body: { metadata: { name: 'settings' }, data: { a: '1' } },
  })
  const patched = await core.patchNamespacedConfigMap(
    { name: 'settings', namespace: 'acme', body: { data: { b: '2' } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
  )
  expect(patched.data).toEqual({ a: '1', b: '2' })
  await core.deleteNamespacedSecret({ name: 'release.v1', namespace: 'acme' })
  expect(
    await refusal(objects.read({ apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, namespace: 'acme' } })),
  ).toEqual({
    code: 404,
    reason: 'NotFound',
  })
})

/** What an informer tells, as `verb name`. */
function informerOf(labelSelector: string) {
  const list = (): Promise<k8s.KubernetesListObject<Sprite>> =>
    objects.list<Sprite>(API_VERSION, 'Sprite', 'acme', undefined, undefined, undefined, undefined, labelSelector)
  const informer = k8s.makeInformer<Sprite>(config, LIST_PATH, list, labelSelector)
  const told: string[] = []
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, (object) => void told.push(`${verb} ${object.metadata?.name}`))
  const errors: unknown[] = []
  informer.on('error', (error) => void errors.push(error))
  const until = (expected: readonly string[]) =>
    vi.waitFor(() => expect(told).toEqual(expected), { timeout: 10_000, interval: 20 })
  return { informer, told, errors, until }
}

test('SV7 an informer is told of what is added, updated and deleted, and of what leaves its selector', async () => {
  await objects.create(sprite('i0', {}, { set: 'i' }))
  const { informer, until } = informerOf('set=i')
  await informer.start()
  await until(['add i0'])
  await objects.create(sprite('other'))
  await objects.create(sprite('i1', {}, { set: 'i' }))
  const patch = (name: string, labels: object, strategy: k8s.PatchStrategy = k8s.PatchStrategy.MergePatch) =>
    objects.patch(
      { ...headerOf(name), metadata: { name, namespace: 'acme', labels } } as Sprite,
      undefined,
      undefined,
      'me',
      undefined,
      strategy,
    )
  await patch('i0', { more: 'x' })
  await patch('i1', { set: 'j' })
  await objects.delete(headerOf('i0'))
  await until(['add i0', 'add i1', 'update i0', 'delete i1', 'delete i0'])
  await informer.stop()
})

test('SV7 an informer outlives a restart of the server, and lists anew when its version is too old', async () => {
  await objects.create(sprite('r0', {}, { set: 'r' }))
  await objects.create(sprite('r1', {}, { set: 'r' }))
  const { informer, errors, until } = informerOf('set=r')
  await informer.start()
  await until(['add r0', 'add r1'])
  await server.restart()
  // client-node stops for good at a broken connection: its users start it again when it says so.
  await vi.waitFor(() => expect(errors.length).toBeGreaterThan(0), { timeout: 10_000, interval: 20 }).catch(() => {})
  await objects.delete(headerOf('r0'))
  await objects.create(sprite('r2', {}, { set: 'r' }))
  await server.forget()
  await informer.start()
  await until(['add r0', 'add r1', 'delete r0', 'add r2'])
  await informer.stop()
})

test('SV7 Watch gives events, and a 410 for a version that is too old', async () => {
  const { resourceVersion } = (await objects.list(API_VERSION, 'Sprite', 'acme')).metadata ?? {}
  const watch = new k8s.Watch(config)
  const events: string[] = []
  const note = (type: string, object: Sprite & { code?: number }): void =>
    void events.push(`${type} ${object.code ?? object.metadata?.name}`)
  const running = await watch.watch(LIST_PATH, { resourceVersion }, note, () => {})
  await objects.create(sprite('w1'))
  await vi.waitFor(() => expect(events).toEqual(['ADDED w1']), { timeout: 10_000, interval: 20 })
  running.abort()
  await server.forget()
  const ended = Promise.withResolvers<unknown>()
  await watch.watch(LIST_PATH, { resourceVersion }, note, ended.resolve)
  await ended.promise
  expect(events.at(-1)).toBe('ERROR 410')
})
