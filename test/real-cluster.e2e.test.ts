/** On any kube-apiserver that KUBECONFIG names: CRDs are installed, the client contract and an example tenant run, all is removed. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { isAllOver, stateOf } from '../controller/assembly/fleet-state.ts'
import { crdOf, resourceOf } from '../controller/api/resource-of.ts'
import { hasReason } from '../controller/api/errors.ts'
import { SYSTEM_NAMESPACE } from '../controller/api/namespaces.ts'
import { clientContract } from '../controller/client/contract.ts'
import { createKubeClient } from '../controller/client/kube.ts'
import { createKubeRegistry } from '../controller/client/kube-registry.ts'
import { createKubeWire, type KubeWire } from '../controller/client/kube-wire.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { planKind } from '../controller/kinds/plan/schema.ts'
import { projectKind } from '../controller/kinds/project/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { workKind } from '../controller/kinds/work/schema.ts'
import { CORE_RESOURCES, eventResource, namespaceResource } from '../controller/registry/core.ts'
import type { Registry } from '../controller/registry/registry.ts'
import { realClock } from '../system/clock.ts'
import { randomHex, realEntropy } from '../system/entropy.ts'
import { exampleOf, startFleet, type Fleet } from './cluster/fleet.ts'

const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const PLANS = resourceOf(planKind)
const CONTEXT = { actor: { name: 'test', groups: [] }, fieldManager: 'test' }
const RUN_MS_MAX = 100_000

const file = process.env['KUBECONFIG'] ?? ''
const absence =
  process.env['CLUSTER_TEST_WRITES'] !== 'yes'
    ? 'it writes to the cluster of KUBECONFIG: set CLUSTER_TEST_WRITES=yes'
    : file === ''
      ? 'set KUBECONFIG to a file of one cluster'
      : undefined

describe.skipIf(absence !== undefined)(`a real cluster${absence === undefined ? '' : ` (skipped: ${absence})`}`, () => {
  const run = `sprites-test-${randomHex(realEntropy, 4)}`
  const made = { namespaces: new Set<string>(), crds: new Set<string>(), count: 0 }
  const plansBefore = new Set<string>()
  let wire: KubeWire
  let registry: Registry
  let fleet: Fleet | undefined

  const ask = async <T>(
    asking: Promise<T>,
    ...tolerated: Parameters<typeof hasReason>[1][]
  ): Promise<T | undefined> => {
    try {
      return await asking
    } catch (error) {
      if (hasReason(error, ...tolerated)) return undefined
      throw error
    }
  }
  const addNamespace = async (name: string): Promise<void> => {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
    if (await ask(registry.create(namespaceResource, '', body, CONTEXT), 'AlreadyExists')) made.namespaces.add(name)
  }
  const removeNamespace = (name: string) =>
    ask(registry.delete(namespaceResource, { namespace: '', name }, {}, CONTEXT), 'NotFound', 'Conflict', 'Forbidden')
  const connect = () => {
    const ports = { clock: realClock, entropy: realEntropy, fieldManager: 'test' }
    return createKubeClient({ config: { from: 'File', path: file }, ...ports })
  }

  beforeAll(async () => {
    wire = createKubeWire({ from: 'File', path: file }, realClock)
    const resources = [...CORE_RESOURCES, ...KINDS.map((kind) => resourceOf(kind))]
    registry = createKubeRegistry({ wire, resources, fieldManager: 'test', clock: realClock, entropy: realEntropy })
    for (const kind of KINDS) {
      const crd = crdOf(resourceOf(kind), kind.reasons)
      const created = await ask(wire.send({ method: 'POST', path: CRDS, body: crd }), 'AlreadyExists')
      if (created !== undefined) made.crds.add(crd.metadata.name)
    }
    for (const kind of KINDS)
      await vi.waitFor(() => registry.list(resourceOf(kind), { limit: 1 }), { timeout: 30_000, interval: 200 })
    for (const { metadata } of (await registry.list(PLANS)).items) plansBefore.add(metadata.name)
    await addNamespace(SYSTEM_NAMESPACE)
  }, 120_000)

  afterAll(async () => {
    await fleet?.stop()
    for (const { metadata } of (await registry.list(PLANS)).items)
      if (!plansBefore.has(metadata.name))
        await ask(registry.delete(PLANS, { namespace: '', name: metadata.name }, {}, CONTEXT), 'NotFound')
    // Our own server, where a test stands it in for a cluster, never lets sprites-system go.
    for (const name of made.namespaces) await removeNamespace(name)
    for (const name of made.crds) await ask(wire.send({ method: 'DELETE', path: `${CRDS}/${name}` }), 'NotFound')
    await wire.close()
  }, 120_000)

  clientContract('kube over the cluster of KUBECONFIG', async () => {
    const client = connect()
    const namespace = `${run}-${(made.count += 1)}`
    await addNamespace(namespace)
    return {
      client,
      namespace,
      dispose: async () => {
        await client.close()
        await removeNamespace(namespace)
      },
    }
  })

  test('KC9 an example tenant runs to the end in a namespace of its own, and goes', { timeout: 240_000 }, async () => {
    fleet = await startFleet({ kubeconfig: await readFile(file, 'utf8') })
    const { client, manager } = fleet.plane
    const kindOf = (name: string) => KINDS.find(({ kind }) => kind === name) ?? projectKind
    for (const manifest of await exampleOf('acme-corp')) {
      const { metadata, kind } = manifest
      const own = metadata.namespace === undefined ? { ...metadata, name: run } : { ...metadata, namespace: run }
      if (metadata.namespace !== undefined)
        await vi.waitFor(() => registry.get(namespaceResource, { namespace: '', name: run }), { timeout: 20_000 })
      const body = { ...manifest, metadata: own }
      await registry.create(resourceOf(kindOf(kind)), own.namespace ?? '', body, CONTEXT)
    }
    await vi.waitFor(
      () => {
        const state = stateOf(manager.cache)
        const ours = state.work.filter(({ metadata }) => metadata.namespace === run)
        expect(ours.length).toBeGreaterThan(1)
        expect(isAllOver(state)).toBe(true)
      },
      { timeout: RUN_MS_MAX, interval: 200 },
    )
    const { items } = await client.list(workKind, { namespace: run })
    expect(items.map(({ status }) => status?.phase).filter((phase) => phase !== 'Completed')).toEqual([])
    expect((await registry.list(eventResource, { namespace: run })).items.length).toBeGreaterThan(2)
    await client.delete(tenantKind, { namespace: '', name: run })
    await vi.waitFor(
      () => expect(client.get(tenantKind, { namespace: '', name: run })).rejects.toMatchObject({ reason: 'NotFound' }),
      { timeout: RUN_MS_MAX, interval: 500 },
    )
  })
})
