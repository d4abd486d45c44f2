/** The scale of tenants through the server. Rules: docs/spec/actions.md. */
import { beforeEach, expect, test } from 'vitest'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { resourceOf } from '../api/resource-of.ts'
import type { Json, KubeObject } from '../api/object.ts'
import { RESOURCES } from '../kinds/index.ts'
import { planKind } from '../kinds/plan/schema.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { CORE_RESOURCES } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { createMemoryStore } from '../store/memory.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { resourceFor } from './actions/act.ts'
import { servedScale } from './scale.ts'
import { testServer, type Answer, type TestServer } from './testing.ts'

const TENANT = '/apis/sprites.highera.com/v1alpha1/tenants/acme'
const PATH = `${TENANT}/scale`
const CONTROLLER = { actor: CONTROLLER_ACTOR, fieldManager: 'sprites-controller' }
const MERGE = 'application/merge-patch+json'
const GUEST = { cpuKind: 'shared', cpus: 1, memoryMb: 512 }

let server: TestServer
beforeEach(async () => {
  const clock = new TestClock()
  const registry = createRegistry({
    store: createMemoryStore(),
    resources: [...CORE_RESOURCES, ...RESOURCES],
    clock,
    entropy: seededEntropy(1),
    builtinAgentTypes: new Set(['copywriter']),
  })
  server = testServer({ registry, clock, subresources: [servedScale({ registry, clock })] })
  await create(planKind, 'team', {
    displayName: 'Team',
    concurrentSprites: 5,
    agentTypes: null,
    monthlyTokens: null,
    spriteIdleTimeoutSeconds: 60,
    priority: 1,
  })
  await create(tenantKind, 'acme', { displayName: 'Acme', plan: 'team' })
  await status({ limits: limits(5), sprites: { declared: 4, running: 2, queued: 1 } })
})

const limits = (concurrentSprites?: number) => ({
  ...(concurrentSprites === undefined ? {} : { concurrentSprites }),
  spriteIdleTimeoutSeconds: 60,
  priority: 1,
  priorityRouting: false,
  customPersonas: false,
  stoppedMachineRetentionSeconds: 0,
  guest: GUEST,
})

const create = (kind: typeof planKind | typeof tenantKind, name: string, spec: object): Promise<KubeObject> => {
  const body = { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { name }, spec }
  return server.registry.create(resourceFor(server.registry, kind), '', body, CONTROLLER)
}

const status = (of: object): Promise<KubeObject> =>
  server.registry.patch(
    resourceFor(server.registry, tenantKind),
    { namespace: '', name: 'acme' },
    { type: 'merge', body: { status: of } },
    { ...CONTROLLER, subresource: 'status' },
  )

const patch = (body: Json, type = MERGE): Promise<Answer> =>
  server.send('PATCH', PATH, { body, headers: { 'content-type': type } })
const own = async (): Promise<unknown> =>
  ((await server.send('GET', TENANT)).body as { spec: { config: object } }).spec.config
const messageOf = ({ body }: Answer): string => (body as { readonly message: string }).message

test('AC40 where the tenant says nothing, the limit in force is told; where it does, its own number', async () => {
  const { status: code, body } = await server.send('GET', PATH)
  expect([code, body]).toMatchObject([
    200,
    {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name: 'acme' },
      spec: { replicas: 5 },
      status: { replicas: 2 },
    },
  ])
  await patch({ spec: { replicas: 3 } })
  expect((await server.send('GET', PATH)).body).toMatchObject({ spec: { replicas: 3 } })
})

test('AC40 a plan without a limit tells none', async () => {
  await status({ limits: { concurrentSprites: null } })
  expect((await server.send('GET', PATH)).body).toMatchObject({ spec: {}, status: { replicas: 2 } })
  const labelled = await patch({ metadata: { labels: { a: 'b' } } })
  expect([labelled.status, await own()]).toEqual([200, {}])
})

test('AC40 as a table it has the columns of a genuine server', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
  const { body } = await server.send('GET', PATH, { headers: { accept } })
  expect(body).toMatchObject({ kind: 'Table', rows: [{ cells: ['acme', 5, 2, expect.any(String)] }] })
})

test('AC41 merge and JSON patches set the number; a patch that leaves it as it was sets none', async () => {
  expect((await patch({ metadata: { labels: { a: 'b' } } })).status).toBe(200)
  expect((await patch({ spec: { replicas: 5 } })).status).toBe(200)
  expect(await own()).toEqual({})
  const merged = await patch({ spec: { replicas: 3 } })
  expect([merged.status, merged.body]).toMatchObject([200, { spec: { replicas: 3 } }])
  const operations = [
    { op: 'test', path: '/spec/replicas', value: 3 },
    { op: 'replace', path: '/spec/replicas', value: 4 },
  ]
  expect((await patch(operations, 'application/json-patch+json')).status).toBe(200)
  expect(await own()).toEqual({ maxConcurrentSprites: 4 })
  expect((await patch(operations, 'application/json-patch+json')).status).toBe(422)
})

test('AC41 a replacement sets it, 0 where it has none, and heeds resourceVersion and uid', async () => {
  const { body } = await server.send('GET', PATH)
  const scale = body as { readonly metadata: object }
  const put = (metadata: object, spec: object = { replicas: 2 }) =>
    server.send('PUT', PATH, { body: { ...scale, metadata: { ...scale.metadata, ...metadata }, spec } })
  expect((await put({ resourceVersion: '1' })).status).toBe(409)
  expect((await put({ uid: 'other' })).status).toBe(409)
  expect((await put({})).status).toBe(200)
  expect((await put({ resourceVersion: '' }, {})).status).toBe(200)
  expect(await own()).toEqual({ maxConcurrentSprites: 0 })
})

test('AC42 more than the plan sells is Forbidden in the words of admission', async () => {
  const answer = await patch({ spec: { replicas: 9 } })
  expect([answer.status, messageOf(answer)]).toEqual([403, expect.stringContaining('plan "team" allows 5')])
  expect(await own()).toEqual({})
})

test.each<readonly [Json, string]>([
  [{ spec: { replicas: -1 } }, 'spec.replicas'],
  [{ spec: { replicas: 'many' } }, 'spec.replicas'],
  [{ spec: { replicas: 2.5 } }, 'spec.replicas'],
  [{ spec: { replicas: null } }, 'spec.replicas'],
])('AC41 a patch %j is refused by its field', async (body, field) => {
  expect((await patch(body)).body).toMatchObject({ code: 422, details: { causes: [{ field }] } })
})

test('AC41 another kind, name, media type or method is refused', async () => {
  expect((await patch({ kind: 'Tenant' })).status).toBe(400)
  expect((await patch({ metadata: { name: 'other' } })).status).toBe(400)
  expect((await patch({ spec: { replicas: 1 } }, 'application/apply-patch+yaml')).status).toBe(415)
  expect((await server.send('DELETE', PATH)).status).toBe(405)
  expect((await server.send('GET', PATH.replace('acme', 'nobody'))).status).toBe(404)
})

test('AC4 a cluster-scoped object cannot be reached by way of a namespace', async () => {
  expect((await server.send('GET', PATH.replace('/tenants', '/namespaces/acme/tenants'))).status).toBe(404)
})

test('AC43 a dry run writes nothing, and kinds without replicas have no scale', async () => {
  const headers = { 'content-type': MERGE }
  const dry = await server.send('PATCH', `${PATH}?dryRun=All`, { body: { spec: { replicas: 1 } }, headers })
  expect([dry.status, dry.body, await own()]).toMatchObject([200, { spec: { replicas: 1 } }, {}])
  expect((await server.send('GET', '/apis/sprites.highera.com/v1alpha1/plans/team/scale')).status).toBe(404)
  expect(resourceOf(planKind).scale).toBeUndefined()
})
