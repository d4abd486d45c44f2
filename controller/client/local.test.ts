/** The local client keeps the Client contract, over the memory and the embedded store. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { hasReason } from '../api/errors.ts'
import { resourceOf } from '../api/resource-of.ts'
import { KINDS } from '../kinds/kinds.ts'
import { userKind } from '../kinds/user/schema.ts'
import { CORE_RESOURCES, namespaceResource } from '../registry/core.ts'
import { createRegistry } from '../registry/create-registry.ts'
import type { ForecastChange } from '../registry/forecast.ts'
import type { RegistryOptions } from '../registry/ports.ts'
import type { Registry } from '../registry/registry.ts'
import { widgetKind } from '../registry/testing.ts'
import { openDatabase } from '../store/database.ts'
import { openEmbeddedStore } from '../store/embedded.ts'
import { createMemoryStore } from '../store/memory.ts'
import type { Store } from '../store/store.ts'
import type { WindowLimits } from '../store/window.ts'
import type { Client } from './client.ts'
import { clientContract } from './contract.ts'
import { createLocalClient } from './local.ts'

const actor = { actor: CONTROLLER_ACTOR, fieldManager: 'test' }

const WINDOW: WindowLimits = { changesMax: 150, sizeBytesMax: 64 * 1024 * 1024 }

const clientOver = async (store: Store): Promise<Client> => createLocalClient(await registryOver(store), actor)

async function registryOver(store: Store, ports: Pick<RegistryOptions, 'forecast'> = {}): Promise<Registry> {
  const registry = createRegistry({
    ...ports,
    store,
    resources: [...KINDS.map((kind) => resourceOf(kind)), ...CORE_RESOURCES],
    clock: new TestClock(),
    entropy: seededEntropy(7),
    builtinAgentTypes: new Set(),
  })
  await registry.create(namespaceResource, '', { metadata: { name: 'acme' } }, actor)
  return registry
}

/** Changes the namespace until nothing else is in the window. */
const forgetIn = (registry: Registry) => async (): Promise<void> => {
  for (let count = 0; count <= WINDOW.changesMax; count += 1) {
    const patch = { type: 'merge' as const, body: { metadata: { annotations: { count: String(count) } } } }
    await registry.patch(namespaceResource, { namespace: '', name: 'acme' }, patch, actor)
  }
}

clientContract('local over memory', async () => {
  const store = createMemoryStore({ window: WINDOW })
  const registry = await registryOver(store)
  const client = createLocalClient(registry, actor)
  return { client, namespace: 'acme', forget: forgetIn(registry), dispose: () => store.close() }
})

clientContract('local over the embedded store', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'client-'))
  const database = openDatabase(join(folder, 'store.db'))
  const store = openEmbeddedStore({ database })
  return {
    client: await clientOver(store),
    namespace: 'acme',
    dispose: async () => {
      await store.close()
      database.close()
      rmSync(folder, { recursive: true })
    },
  }
})

const user = (name: string) => ({
  metadata: { name, namespace: 'acme' },
  spec: { email: 'a@b.c', role: 'admin' as const },
})

test('CL9 a watch from before the window is Expired', async () => {
  const window: WindowLimits = { changesMax: 3, sizeBytesMax: 1_000_000 }
  const client = await clientOver(createMemoryStore({ window }))
  const { resourceVersion } = await client.list(userKind)
  for (const name of ['a', 'b', 'c', 'd', 'e']) await client.create(userKind, user(name))
  const open = client.watch(userKind, { resourceVersion }, new AbortController().signal)[Symbol.asyncIterator]()
  await expect(open.next()).rejects.toSatisfy((error: unknown) => hasReason(error, 'Expired'))
})

test('CL10 objects are frozen, and nothing is shared with the caller', async () => {
  const client = await clientOver(createMemoryStore())
  const mine = user('ada')
  const made = await client.create(userKind, mine)
  expect(Object.isFrozen(made.spec)).toBe(true)
  expect(Object.isFrozen(mine.spec)).toBe(false)
  mine.spec.email = 'changed@b.c'
  expect((await client.get(userKind, { namespace: 'acme', name: 'ada' })).spec.email).toBe('a@b.c')
})

test('CL2 an undefined field is as if it were absent, an unknown one is refused', async () => {
  const client = await clientOver(createMemoryStore())
  const spec = { email: 'a@b.c', role: 'admin' as const }
  const made = await client.create(userKind, { ...user('ada'), spec: { ...spec, displayName: undefined } })
  expect('displayName' in made.spec).toBe(false)
  const odd = { ...user('bob'), spec: { ...spec, emial: 'x' } }
  await expect(client.create(userKind, odd)).rejects.toSatisfy((error: unknown) => hasReason(error, 'BadRequest'))
})

test('CL1 a kind that is not served is NotFound', async () => {
  const client = await clientOver(createMemoryStore())
  await expect(client.list(widgetKind)).rejects.toSatisfy((error: unknown) => hasReason(error, 'NotFound'))
})

test('FC16 what controllers write is not foretold, the same write of a person is', async () => {
  const foretold: string[] = []
  const forecast = ({ operation, object }: ForecastChange): readonly string[] => {
    foretold.push(`${operation} ${object.metadata.name}`)
    return ['It sets something off']
  }
  const registry = await registryOver(createMemoryStore(), { forecast })
  const client = createLocalClient(registry, actor)
  const key = { namespace: 'acme', name: 'ada' }
  const made = await client.create(userKind, user('ada'))
  await client.update(userKind, { ...made, spec: { ...made.spec, role: 'viewer' } })
  await client.patchMetadata(userKind, key, { labels: { a: 'b' } })
  await client.delete(userKind, key)
  expect(foretold).toEqual([])
  const warnings: string[] = []
  const person = { actor: { name: 'ada@acme.test', groups: [] }, warn: (text: string) => void warnings.push(text) }
  const { apiVersion, kind } = userKind
  await registry.create(resourceOf(userKind), 'acme', { apiVersion, kind, ...user('ada') }, person)
  await registry.delete(resourceOf(userKind), key, {}, person)
  expect(foretold).toEqual(['CREATE ada', 'DELETE ada'])
  expect(warnings).toEqual(['It sets something off', 'It sets something off'])
})
