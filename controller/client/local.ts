/** The Client over the registry of this process: no wire between a reconciler and the write path. */
import type { Actor } from '../api/admission.ts'
import { resourceName, type KindDefinition, type ObjectOf } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Registry, RegistryEvent, WriteContext } from '../registry/registry.ts'
import type { Client, WatchEvent } from './client.ts'

/** For whom a local client speaks. */
export type LocalClientOptions = {
  readonly actor: Actor
  /** Who writes, for managedFields. */
  readonly fieldManager: string
}

/** Makes a client whose writes are the actor's. Unknown fields are refused: they are a bug of the caller. */
export function createLocalClient(registry: Registry, options: LocalClientOptions): Client {
  const byName = new Map(registry.resources.map((resource) => [resourceName(resource), resource]))
  const resourceOf = (kind: KindDefinition): ResourceDefinition => {
    const resource = byName.get(resourceName(kind))
    if (resource !== undefined) return resource
    throw new ApiError('NotFound', `Cannot find the resource "${resourceName(kind)}": it is not served`)
  }
  const context = (signal: AbortSignal | undefined): WriteContext => ({
    ...options,
    fieldValidation: 'Strict',
    ...(signal === undefined ? {} : { signal }),
  })
  return {
    get: async (kind, key, signal) => {
      signal?.throwIfAborted()
      return typed(kind, await registry.get(resourceOf(kind), key))
    },
    list: async (kind, { mayLag, ...query } = {}, signal) => {
      signal?.throwIfAborted()
      const asked = mayLag === true ? { ...query, resourceVersion: '0' } : query
      const { items, resourceVersion } = await registry.list(resourceOf(kind), asked)
      return { items: items.map((object) => typed(kind, object)), resourceVersion }
    },
    watch: (kind, query, signal) => watch(registry, resourceOf(kind), { kind, query, signal }),
    create: async (kind, object, signal) => {
      const body = asJson({ apiVersion: kind.apiVersion, kind: kind.kind, ...object })
      const namespace = kind.scope === 'Cluster' ? '' : (object.metadata.namespace ?? '')
      return typed(kind, await registry.create(resourceOf(kind), namespace, body, context(signal)))
    },
    update: async (kind, object, signal) =>
      typed(kind, await registry.update(resourceOf(kind), keyIn(kind, object), asJson(object), context(signal))),
    patchMetadata: async (kind, key, patch, { resourceVersion } = {}, signal) => {
      const body = asJson({ metadata: { ...patch, ...(resourceVersion === undefined ? {} : { resourceVersion }) } })
      return typed(kind, await registry.patch(resourceOf(kind), key, { type: 'merge', body }, context(signal)))
    },
    patchStatus: async (kind, key, status, { resourceVersion } = {}, signal) => {
      const body = asJson({ status, ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }) })
      const write = { ...context(signal), subresource: 'status' as const }
      return typed(kind, await registry.patch(resourceOf(kind), key, { type: 'merge', body }, write))
    },
    delete: async (kind, key, deleteOptions = {}, signal) => {
      await registry.delete(resourceOf(kind), key, deleteOptions, context(signal))
    },
  }
}

/** What the registry gives has passed the kind's schema. */
const typed = <K extends KindDefinition>(_kind: K, object: KubeObject): ObjectOf<K> => object as ObjectOf<K>

/** A copy as it would come off the wire: without undefined members, and nothing shared with the caller. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

const keyIn = (kind: KindDefinition, object: KubeObject): Key => ({
  namespace: kind.scope === 'Cluster' ? '' : (object.metadata.namespace ?? ''),
  name: object.metadata.name,
})

async function* watch<K extends KindDefinition>(
  registry: Registry,
  resource: ResourceDefinition,
  asked: {
    readonly kind: K
    readonly query: Parameters<Client['watch']>[1]
    readonly signal: AbortSignal
  },
): AsyncGenerator<WatchEvent<ObjectOf<K>>, void, undefined> {
  for await (const event of registry.watch(resource, { ...asked.query, allowBookmarks: true }, asked.signal))
    yield clientEvent(asked.kind, event)
}

function clientEvent<K extends KindDefinition>(kind: K, event: RegistryEvent): WatchEvent<ObjectOf<K>> {
  if (event.type === 'BOOKMARK') return { type: 'BOOKMARK', resourceVersion: event.object.metadata.resourceVersion }
  return { type: event.type, object: typed(kind, event.object) }
}
