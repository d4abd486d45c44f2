/** The garbage collector: background, foreground, orphan, cycles, namespaces, and what it leaves alone. */
import { afterEach, expect, test } from 'vitest'
import { silentLog } from '../../system/log.ts'
import { settle } from '../../system/test-clock.ts'
import { hasReason } from '../api/errors.ts'
import type { KubeObject, OwnerReference } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { PropagationPolicy } from '../client/client.ts'
import { createGarbageCollector, type GarbageCollector } from './collector.ts'
import { eventResource, namespaceResource } from './core.ts'
import { CONTEXT, planets, testRegistry, widgetBody, widgets, type TestRegistry } from './testing.ts'

const running: GarbageCollector[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map((collector) => collector.stop()))
})

type World = TestRegistry & {
  make: (name: string, owners?: readonly OwnerReference[], metadata?: object) => Promise<KubeObject>
  planet: (name: string, owners?: readonly OwnerReference[]) => Promise<KubeObject>
  names: () => Promise<string[]>
  remove: (name: string, policy?: PropagationPolicy, resource?: ResourceDefinition) => Promise<void>
  collect: () => Promise<GarbageCollector>
}

async function world(): Promise<World> {
  const made = await testRegistry()
  const { registry } = made
  return {
    ...made,
    make: (name, ownerReferences = [], metadata = {}) =>
      registry.create(widgets, 'acme', widgetBody(name, {}, { ownerReferences, ...metadata }), CONTEXT),
    planet: (name, ownerReferences = []) =>
      registry.create(planets, '', { ...widgetBody(name, {}, { ownerReferences }), kind: 'Planet' }, CONTEXT),
    names: async () => (await registry.list(widgets)).items.map(({ metadata }) => metadata.name),
    remove: async (name, propagationPolicy, resource = widgets) => {
      const namespace = resource.scope === 'Cluster' ? '' : 'acme'
      const options = propagationPolicy === undefined ? {} : { propagationPolicy }
      await registry.delete(resource, { namespace, name }, options, CONTEXT)
    },
    collect: async () => {
      const collector = createGarbageCollector({ ...made, log: silentLog })
      running.push(collector)
      await collector.start()
      await settle(20)
      return collector
    },
  }
}

const ownedBy = ({ apiVersion, kind, metadata }: KubeObject, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  ...more,
})
const BLOCKING = { blockOwnerDeletion: true }

test('GC1 background: dependents of an owner that has gone are deleted, in depth', async () => {
  const { make, names, remove, collect } = await world()
  await collect()
  const root = await make('root')
  const child = await make('child', [ownedBy(root)])
  await make('grandchild', [ownedBy(child)])
  await make('other')
  await remove('root')
  await settle(30)
  expect(await names()).toEqual(['other'])
})

test('GC1 an owner that went while nobody looked is noticed at the start', async () => {
  const { make, names, remove, collect } = await world()
  const root = await make('root')
  await make('child', [ownedBy(root)])
  await remove('root')
  expect(await names()).toEqual(['child'])
  await collect()
  expect(await names()).toEqual([])
})

test('GC1 a reference to the right name with a wrong uid is to an owner that has gone', async () => {
  const { make, names, collect } = await world()
  const root = await make('root')
  await make('child', [ownedBy(root, { uid: 'another' })])
  await collect()
  expect(await names()).toEqual(['root'])
})

test('GC2 one owner that is left keeps the dependent, which loses the other reference', async () => {
  const { make, names, remove, collect, registry } = await world()
  await collect()
  const one = await make('one')
  const two = await make('two')
  await make('child', [ownedBy(one), ownedBy(two)])
  await remove('one')
  await settle(30)
  expect(await names()).toEqual(['child', 'two'])
  const child = await registry.get(widgets, { namespace: 'acme', name: 'child' })
  expect(child.metadata.ownerReferences).toEqual([ownedBy(two)])
})

test('GC3 foreground: the owner waits for dependents that block it, and only for those', async () => {
  const { make, names, remove, collect, registry } = await world()
  await collect()
  const root = await make('root')
  await make('held', [ownedBy(root, BLOCKING)], { finalizers: ['example.com/hold'] })
  await make('loose', [ownedBy(root)], { finalizers: ['example.com/hold'] })
  await remove('root', 'Foreground')
  await settle(30)
  expect(await names()).toEqual(['held', 'loose', 'root'])
  const free = { type: 'merge' as const, body: { metadata: { finalizers: null } } }
  await registry.patch(widgets, { namespace: 'acme', name: 'held' }, free, CONTEXT)
  await settle(30)
  expect(await names()).toEqual(['loose'])
})

test('GC3 foreground goes down the tree from the leaves', async () => {
  const { make, names, remove, collect, store } = await world()
  await collect()
  const root = await make('root')
  const child = await make('child', [ownedBy(root, BLOCKING)])
  await make('grandchild', [ownedBy(child, BLOCKING)])
  const start = await store.revision()
  await remove('root', 'Foreground')
  await settle(40)
  expect(await names()).toEqual([])
  const gone = (await store.changesSince(start)).changes.filter(({ type }) => type === 'Deleted')
  expect(gone.map(({ record }) => record.name)).toEqual(['grandchild', 'child', 'root'])
})

test('GC4 orphan: dependents lose the reference and stay', async () => {
  const { make, names, remove, collect, registry } = await world()
  await collect()
  const root = await make('root')
  await make('child', [ownedBy(root, BLOCKING)])
  await remove('root', 'Orphan')
  await settle(30)
  expect(await names()).toEqual(['child'])
  const child = await registry.get(widgets, { namespace: 'acme', name: 'child' })
  expect(child.metadata.ownerReferences).toBeUndefined()
})

test.each(['Background', 'Foreground', 'Orphan'] as const)('GC5 a cycle of owners ends under %s', async (policy) => {
  const { make, names, remove, collect, registry } = await world()
  await collect()
  const a = await make('a')
  const b = await make('b', [ownedBy(a, BLOCKING)])
  const body = { metadata: { ownerReferences: [ownedBy(b, BLOCKING)] } }
  await registry.patch(widgets, { namespace: 'acme', name: 'a' }, { type: 'merge', body }, CONTEXT)
  await remove('a', policy)
  await settle(40)
  expect(await names()).toEqual(policy === 'Orphan' ? ['b'] : [])
})

test('GC6 a cluster-scoped owner owns across namespaces', async () => {
  const { make, planet, names, remove, collect } = await world()
  await collect()
  const earth = await planet('earth')
  await planet('moon', [ownedBy(earth)])
  await make('child', [ownedBy(earth)])
  await settle(10)
  expect(await names()).toEqual(['child'])
  await remove('earth', undefined, planets)
  await settle(30)
  expect(await names()).toEqual([])
})

test('GC7 owners of kinds that are not served, and namespaced owners of cluster-scoped objects, are left alone', async () => {
  const { make, planet, names, collect, registry } = await world()
  const foreign = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'u1' }
  await make('child', [foreign])
  const root = await make('root')
  await planet('odd', [ownedBy(root, { uid: 'another' })])
  await collect()
  expect(await names()).toEqual(['child', 'root'])
  expect(await registry.get(planets, { namespace: '', name: 'odd' })).toBeDefined()
})

test('GC8 a deleted namespace takes its contents along, then goes', async () => {
  const { make, names, remove, collect, registry } = await world()
  await collect()
  for (let n = 0; n < 100; n++) await make(`w${n}`)
  await make('held', [], { finalizers: ['example.com/hold'] })
  await registry.create(eventResource, 'acme', { metadata: { name: 'e' } }, CONTEXT)
  await remove('acme', undefined, namespaceResource)
  await settle(60)
  expect(await names()).toEqual(['held'])
  const acme = await registry.get(namespaceResource, { namespace: '', name: 'acme' })
  expect(acme).toMatchObject({ status: { phase: 'Terminating' } })
  const free = { type: 'merge' as const, body: { metadata: { finalizers: [] } } }
  await registry.patch(widgets, { namespace: 'acme', name: 'held' }, free, CONTEXT)
  await settle(30)
  await expect(registry.get(namespaceResource, { namespace: '', name: 'acme' })).rejects.toSatisfy((error: unknown) =>
    hasReason(error, 'NotFound'),
  )
})

test('GC9 what fails is tried again at the next sweep', async () => {
  const { make, names, remove, collect, registry, clock } = await world()
  const root = await make('root')
  await make('child', [ownedBy(root)])
  const original: typeof registry.delete = (...parameters) => unchanged.delete(...parameters)
  const unchanged = { ...registry }
  let refusals = 0
  Object.assign(registry, {
    delete: async (...parameters: Parameters<typeof original>) => {
      if (parameters[1].name !== 'child' || refusals++ > 0) return original(...parameters)
      throw new Error('refused once')
    },
  })
  await remove('root')
  await collect()
  expect(await names()).toEqual(['child'])
  await clock.advance(30_000)
  await settle(20)
  expect(await names()).toEqual([])
})

test('GC9 stop leaves no timer and no subscription', async () => {
  const { make, names, remove, collect, clock } = await world()
  const collector = await collect()
  await collector.stop()
  expect(clock.pendingTimers).toBe(0)
  const root = await make('root')
  await make('child', [ownedBy(root)])
  await remove('root')
  await settle(20)
  expect(await names()).toEqual(['child'])
})

test('GC10 a sweep of what is in order writes nothing', async () => {
  const { make, collect, clock, commits } = await world()
  const root = await make('root')
  for (let n = 0; n < 50; n++) await make(`w${n}`, [ownedBy(root)])
  await collect()
  const before = commits()
  await clock.advance(120_000)
  expect(commits()).toBe(before)
})

const HELD = { finalizers: ['example.com/held'] }

async function withStrangers(policy: PropagationPolicy) {
  const { registry, make, collect } = await world()
  await registry.create(namespaceResource, '', { metadata: { name: 'beta' } }, CONTEXT)
  await collect()
  const owner = await make('owner')
  const ownerReferences = [ownedBy(owner, BLOCKING)]
  await registry.create(widgets, 'beta', widgetBody('stranger', {}, { ownerReferences, ...HELD }), CONTEXT)
  await settle(30)
  await registry.delete(widgets, { namespace: 'acme', name: 'owner' }, { propagationPolicy: policy }, CONTEXT)
  await settle(30)
  return (await registry.list(widgets, { namespace: 'acme' })).items
}

test.each(['Foreground', 'Orphan', 'Background'] as const)(
  'GC11 nobody holds an object of another namespace back by naming its uid, under %s',
  async (policy) => {
    expect(await withStrangers(policy)).toEqual([])
  },
)

test('GC12 from a namespace only the cluster-scoped owner of its name is held back', async () => {
  const { registry, make, planet, remove, collect } = await world()
  await collect()
  const [plan, acme] = [await planet('plan'), await planet('acme')]
  await make('a', [ownedBy(plan, BLOCKING)], HELD)
  await make('b', [ownedBy(acme, BLOCKING)], HELD)
  for (const name of ['plan', 'acme']) await remove(name, 'Foreground', planets)
  await settle(30)
  const left = async () => (await registry.list(planets)).items.map(({ metadata }) => metadata.name)
  expect(await left()).toEqual(['acme'])
  const key = { namespace: 'acme', name: 'b' }
  await registry.patch(widgets, key, { type: 'merge', body: { metadata: { finalizers: null } } }, CONTEXT)
  await settle(30)
  expect(await left()).toEqual([])
})

test('GC12 an owner that orphans does not wait for what is going anyway', async () => {
  const { registry, make, planet, remove, collect } = await world()
  await collect()
  const plan = await planet('plan')
  await make('a', [ownedBy(plan, BLOCKING)], HELD)
  await remove('a')
  await remove('plan', 'Orphan', planets)
  await settle(30)
  expect((await registry.list(planets)).items).toEqual([])
})
