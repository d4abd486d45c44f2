/** The controllers and admissions on the real registry: schemas, status patches and refusals as a server makes them. */
import { afterEach, expect, test } from 'vitest'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import { createLocalClient } from '../client/local.ts'
import { createManager } from '../engine/manager.ts'
import { createGarbageCollector } from '../registry/collector.ts'
import { CORE_RESOURCES, namespaceResource } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import { createMemoryStore } from '../store/memory.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { TestClock } from '../../system/test-clock.ts'
import { RESOURCES } from './index.ts'
import { PERSON_ACTOR, TEST_AGENT_TYPES, TEST_TENANT } from './object-builders.ts'
import { ensureBuiltinPlans } from './plan/builtin.ts'
import { planController } from './plan/reconcile.ts'
import { planKind } from './plan/schema.ts'
import { projectController } from './project/reconcile.ts'
import { projectKind } from './project/schema.ts'
import { spriteKind } from './sprite/schema.ts'
import { limitsOf } from './tenant/limits.ts'
import { tenantController } from './tenant/reconcile.ts'
import { tenantKind } from './tenant/schema.ts'
import { workKind } from './work/schema.ts'

const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const part of running.splice(0)) await part.stop()
})

async function startServer() {
  const clock = new TestClock()
  const store = createMemoryStore()
  const entropy = seededEntropy(7)
  const resources = [...RESOURCES, ...CORE_RESOURCES]
  const registry = createRegistry({ store, resources, clock, entropy, builtinAgentTypes: TEST_AGENT_TYPES })
  const client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'controller' })
  const person = createLocalClient(registry, { actor: PERSON_ACTOR, fieldManager: 'person' })
  const context = { actor: CONTROLLER_ACTOR, fieldManager: 'controller' }
  const manager = createManager({ client, clock, entropy, log: silentLog, metrics: createMetrics() })
  const key = (name: string) => ({ namespace: '', name })
  const ports = {
    client,
    clock,
    cache: manager.cache,
    builtinAgentTypes: TEST_AGENT_TYPES,
    ledger: { read: () => Promise.resolve({ spent: 0, reserved: 0 }) },
    spawnCount: () => 0,
    lookForAnthropicKey: () => Promise.resolve(undefined),
    wakeTenant: (name: string) => manager.trigger('tenant', { namespace: '', name }),
    namespaces: {
      ensure: async (name: string) => {
        await registry.create(namespaceResource, '', { metadata: { name } }, context)
      },
      remove: async (name: string) => {
        await registry.delete(namespaceResource, key(name), {}, context)
      },
      standing: async (name: string) =>
        await registry.get(namespaceResource, key(name)).then(
          () => 'Own' as const,
          () => 'Absent' as const,
        ),
    },
    provider: { removeTenant: () => Promise.resolve(undefined) },
  }
  for (const controller of [planController(ports), tenantController(ports), projectController(ports)]) {
    manager.add(controller)
  }
  const collector = createGarbageCollector({ registry, store, clock, log: silentLog })
  running.push(manager, collector)
  await ensureBuiltinPlans(client)
  await collector.start()
  await manager.start()
  const settle = async (): Promise<void> => {
    await manager.whenIdle()
    await clock.advance(100)
    await manager.whenIdle()
  }
  const createTenant = async (plan: string): Promise<void> => {
    const spec = { displayName: 'Acme', plan, config: {}, brand: {}, suspend: false }
    await person.create(tenantKind, { metadata: { name: TEST_TENANT }, spec })
    await settle()
  }
  return { client, person, clock, settle, createTenant, tenantKey: key(TEST_TENANT) }
}

const inTenant = (name: string) => ({ namespace: TEST_TENANT, name })

test('RG1 unlimited limits are stored by a merge patch and read back as null', async () => {
  const { client, createTenant, tenantKey, settle } = await startServer()
  await createTenant('enterprise')
  const tenant = await client.get(tenantKind, tenantKey)
  expect(limitsOf(tenant)).toMatchObject({ concurrentSprites: 10, monthlyTokens: null, agentTypes: null })
  expect(tenant.status).toMatchObject({ namespace: TEST_TENANT, tokensText: '∞', observedGeneration: 1 })
  const before = tenant.metadata.resourceVersion
  await settle()
  expect((await client.get(tenantKind, tenantKey)).metadata.resourceVersion).toBe(before)
})

test('RG2 a project makes its sprites and tasks, all of which the server admits', async () => {
  const { client, person, createTenant, settle } = await startServer()
  await createTenant('growth')
  const task = (name: string, dependsOn: string[]) => ({
    name,
    type: 'write_copy',
    agentType: 'copywriter',
    description: 'Write',
    input: { words: 100 },
    dependsOn,
  })
  const spec = {
    displayName: 'Q1',
    brief: 'Launch',
    agentsNeeded: ['director', 'copywriter'],
    runPolicy: 'OnDemand' as const,
    suspend: false,
    work: [task('draft', []), task('edit', ['draft'])],
  }
  await person.create(projectKind, { metadata: { ...inTenant('q1') }, spec })
  await settle()
  const project = await client.get(projectKind, inTenant('q1'))
  expect(project.status).toMatchObject({
    phase: 'Active',
    spritesAssigned: ['q1-copywriter', 'q1-director'],
    workCreated: ['draft', 'edit'],
    workText: '0/2',
  })
  expect((await client.get(workKind, inTenant('q1-edit'))).spec.dependsOn).toEqual(['q1-draft'])
  const before = (await client.list(spriteKind)).resourceVersion
  await settle()
  expect((await client.list(spriteKind)).resourceVersion).toBe(before)
})

test('RG3 the server refuses with the words of admission, and a tenant that is deleted goes', async () => {
  const { client, person, clock, createTenant, tenantKey, settle } = await startServer()
  await createTenant('starter')
  const spec = { agentType: 'copywritr', runPolicy: 'OnDemand' as const }
  const refused = person.create(spriteKind, { metadata: inTenant('s1'), spec })
  await expect(refused).rejects.toMatchObject({ reason: 'Invalid', message: expect.stringContaining('"copywriter"') })
  await expect(refused).rejects.toBeInstanceOf(ApiError)
  await expect(person.delete(planKind, { namespace: '', name: 'starter' })).rejects.toMatchObject({
    reason: 'Forbidden',
  })
  await person.create(spriteKind, { metadata: inTenant('s1'), spec: { ...spec, agentType: 'copywriter' } })
  await person.delete(tenantKind, tenantKey)
  await settle()
  await clock.advance(30_000)
  await settle()
  expect((await client.list(spriteKind)).items).toEqual([])
  await expect(client.get(tenantKind, tenantKey)).rejects.toMatchObject({ reason: 'NotFound' })
})
