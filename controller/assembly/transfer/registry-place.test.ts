/** Tests of a move into a cluster and back, over a registry: new uids, owners that follow, what stops it. */
import { describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { CONTROLLER_ACTOR } from '../../api/admission.ts'
import type { ResourceDefinition } from '../../api/resource.ts'
import { createMemoryLedger } from '../../ledger/memory.ts'
import { RESOURCES } from '../../kinds/index.ts'
import { CORE_RESOURCES } from '../../registry/core.ts'
import { createRegistry } from '../../registry/create-registry.ts'
import type { Registry } from '../../registry/registry.ts'
import { createMemoryStore } from '../../store/memory.ts'
import type { Store } from '../../store/store.ts'
import type { Target } from './carried.ts'
import { registryPlace } from './registry-place.ts'
import { storePlace } from './store-place.ts'
import { transfer } from './transfer.ts'

const context = { actor: CONTROLLER_ACTOR, fieldManager: 'test' }

type World = { readonly registry: Registry; readonly store: Store; readonly place: Target; readonly asStore: Target }

function world(seed: number): World {
  const clock = new TestClock()
  const store = createMemoryStore()
  const registry = createRegistry({
    store,
    // Without admission: a cluster has none of ours.
    resources: [...CORE_RESOURCES, ...RESOURCES].map(
      ({ admission: _admission, ...resource }) => resource as ResourceDefinition,
    ),
    clock,
    entropy: seededEntropy(seed),
    builtinAgentTypes: new Set(['copywriter', 'editor']),
  })
  const common = { ledger: createMemoryLedger({ clock }), clock, close: async () => {} }
  return {
    registry,
    store,
    place: registryPlace({ ...common, name: 'the cluster', registry }),
    asStore: storePlace({ ...common, name: 'the file', store, storeAtRest: store }),
  }
}

const resourceIn = ({ registry }: World, kind: string): ResourceDefinition => {
  const found = registry.resources.find((resource) => resource.kind === kind)
  if (found === undefined) throw new Error(kind)
  return found
}

const create = async (it: World, kind: string, name: string, rest: object = {}, namespace = 'acme') => {
  const resource = resourceIn(it, kind)
  const apiVersion = resource.group === '' ? resource.version : `${resource.group}/${resource.version}`
  const { metadata = {}, ...body } = rest as { metadata?: object }
  const place = resource.scope === 'Cluster' ? '' : namespace
  return await it.registry.create(
    resource,
    place,
    { apiVersion, kind, metadata: { name, ...metadata }, ...body },
    context,
  )
}

const get = (it: World, kind: string, name: string, namespace = 'acme') =>
  it.registry.get(resourceIn(it, kind), { namespace, name })

async function filled(): Promise<World> {
  const it = world(1)
  await create(it, 'Namespace', 'acme')
  await create(it, 'Tenant', 'acme', { spec: { displayName: 'Acme', plan: 'growth' } })
  const work = { type: 'write_copy', description: 'Write', agentType: 'copywriter' }
  const parent = await create(it, 'Work', 'z-parent', { spec: work })
  const ownerReferences = [
    { apiVersion: parent.apiVersion, kind: 'Work', name: 'z-parent', uid: parent.metadata.uid, controller: true },
  ]
  await create(it, 'Work', 'a-child', { spec: work, metadata: { ownerReferences, labels: { tier: 'a' } } })
  await create(it, 'Secret', 'key', { data: { key: 'c2VjcmV0' }, type: 'Opaque' })
  await create(it, 'SlotLedger', 'slots', { spec: {} })
  const key = { namespace: 'acme', name: 'z-parent' }
  const status = {
    phase: 'Completed',
    observedGeneration: 1,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'Completed',
        message: 'Done',
        observedGeneration: 1,
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
  }
  await it.registry.patch(
    resourceIn(it, 'Work'),
    key,
    { type: 'merge', body: { status } },
    { ...context, subresource: 'status' },
  )
  return it
}

const run = (source: Target, target: Target) =>
  transfer(source, target, { mayReplace: false, signal: new AbortController().signal })

describe('a move into a cluster', () => {
  it('TF7 gives new uids, and owner references follow them even to owners that come later', async () => {
    const [from, to] = [await filled(), world(2)]
    expect(await run(from.asStore, to.place)).toMatchObject({ findings: [], compared: 5 })
    const [before, parent, child] = [
      await get(from, 'Work', 'z-parent'),
      await get(to, 'Work', 'z-parent'),
      await get(to, 'Work', 'a-child'),
    ]
    expect(parent.metadata.uid).not.toBe(before.metadata.uid)
    expect(child.metadata.ownerReferences?.[0]?.uid).toBe(parent.metadata.uid)
    expect(child.metadata.labels).toEqual({ tier: 'a' })
    expect(parent.status).toMatchObject({ phase: 'Completed', observedGeneration: parent.metadata.generation })
    expect((await get(to, 'Namespace', 'acme', '')).metadata.labels).toMatchObject({
      'sprites.highera.com/tenant': 'acme',
    })
    await expect(get(to, 'SlotLedger', 'slots')).rejects.toMatchObject({ reason: 'NotFound' })
  })

  it('TF2 a second run writes nothing, and the way back is the same', async () => {
    const [from, to, back] = [await filled(), world(2), world(3)]
    await run(from.asStore, to.place)
    const before = await to.store.revision()
    expect((await run(from.asStore, to.place)).findings).toEqual([])
    expect(await to.store.revision()).toBe(before)
    expect((await run(to.place, back.asStore)).findings).toEqual([])
    expect((await get(back, 'Work', 'a-child')).metadata.uid).toBe((await get(to, 'Work', 'a-child')).metadata.uid)
  })

  it('TF7 out of a cluster come no objects of others, and none of them is in the way', async () => {
    const [cluster, to] = [await filled(), world(4)]
    await create(cluster, 'Namespace', 'kube-system')
    await create(cluster, 'Namespace', 'sprites-system')
    const secret = { type: 'Opaque', data: { a: 'YQ==' } }
    await create(cluster, 'Secret', 'theirs', secret, 'kube-system')
    await create(cluster, 'Secret', 'sprites-settings', secret, 'sprites-system')
    await create(cluster, 'Secret', 'fly-app-acme', secret, 'sprites-system')
    await create(cluster, 'Secret', 'anthropic', secret)
    await create(cluster, 'Secret', 'sh.helm.release.v1.x', { ...secret, type: 'helm.sh/release.v1' })
    await create(cluster, 'ConfigMap', 'kube-root-ca.crt', { data: { 'ca.crt': 'x' } })
    const { collections } = await run(cluster.place, to.asStore)
    // With the one that was there before.
    expect(collections.get('secrets')).toEqual({ written: 3, same: 0 })
    expect(collections.get('namespaces')).toEqual({ written: 2, same: 0 })
    expect(collections.has('configmaps')).toBe(false)
    // And back into a cluster that has all of that.
    await create(cluster, 'Secret', 'more', secret)
    expect((await run(to.asStore, cluster.place)).findings).toEqual([])
  })

  it('TF7 a sprite with a machine, and what is being deleted, stop the move', async () => {
    const from = await filled()
    await create(from, 'Sprite', 'c1', { spec: { agentType: 'copywriter' } })
    const key = { namespace: 'acme', name: 'c1' }
    const machine = {
      id: 'm1',
      name: 'c1-x-1',
      app: 'a',
      region: 'iad',
      state: 'started',
      incarnation: 1,
      specHash: 'h',
      since: '2026-01-01T00:00:00Z',
      intent: 'Create',
    }
    const status = { machine }
    await from.registry.patch(
      resourceIn(from, 'Sprite'),
      key,
      { type: 'merge', body: { status } },
      { ...context, subresource: 'status' },
    )
    const refusing = world(2)
    await expect(run(from.asStore, refusing.place)).rejects.toThrow('Cannot put sprites acme/c1: it has a machine')
    expect((await refusing.registry.list(resourceIn(refusing, 'Tenant'), {})).items, 'nothing is written').toEqual([])
    const stopped = { status: { phase: 'Stopped', machine: { ...machine, state: 'stopped', intent: 'Stop' } } }
    const onStatus = { ...context, subresource: 'status' } as const
    await from.registry.patch(resourceIn(from, 'Sprite'), key, { type: 'merge', body: stopped }, onStatus)
    const to = world(2)
    expect((await run(from.asStore, to.place)).findings).toEqual([])
    expect((await get(to, 'Sprite', 'c1')).status).not.toHaveProperty('machine')
    await from.registry.patch(
      resourceIn(from, 'Sprite'),
      key,
      { type: 'merge', body: { status: { machine: null } } },
      { ...context, subresource: 'status' },
    )
    await from.registry.patch(
      resourceIn(from, 'Sprite'),
      key,
      { type: 'merge', body: { metadata: { finalizers: ['a.example/b'] } } },
      context,
    )
    await from.registry.delete(resourceIn(from, 'Sprite'), key, {}, context)
    await expect(run(from.asStore, world(2).place)).rejects.toThrow('it is being deleted')
  })
})
