/** The Client over any Kubernetes API server: a cluster's, or our own from another process. */
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import { keyOf, type Key, type KubeObject } from '../api/object.ts'
import type { Client, WatchEvent } from './client.ts'
import { collectionPath, objectPath } from './kube-path.ts'
import { listKube, overtaking, readKube, selectorsOf } from './kube-verbs.ts'
import { watchKube } from './kube-watch.ts'
import { createKubeWire, type KubeConfigSource, type KubeWire, type WireRequest } from './kube-wire.ts'

/** Where a kube client speaks to, and for whom. */
export type KubeClientOptions = {
  readonly config: KubeConfigSource
  /** Who writes, for managedFields. */
  readonly fieldManager: string
  readonly clock: Clock
  readonly entropy: Entropy
}

/** A client that holds connections. */
export type KubeClient = Client & {
  /** Ends watches and requests (ServiceUnavailable) and closes every connection; no timer is left. */
  readonly close: () => Promise<void>
}

const MERGE_PATCH = 'application/merge-patch+json'

/** Makes a client; the kubeconfig is read at the first request. Unknown fields are refused: they are a caller's bug. */
export function createKubeClient(options: KubeClientOptions): KubeClient {
  return kubeClientOver(createKubeWire(options.config, options.clock), options)
}

/** The client over a wire of one's own. */
export function kubeClientOver(wire: KubeWire, options: Omit<KubeClientOptions, 'config'>): KubeClient {
  const { clock, entropy } = options
  const written = { fieldManager: options.fieldManager, fieldValidation: 'Strict' }
  const patch = async (request: Omit<WireRequest, 'method' | 'query' | 'contentType'>, signal?: AbortSignal) =>
    wire.send({ ...request, method: 'PATCH', query: written, contentType: MERGE_PATCH }, signal)
  return {
    get: async (kind, key, signal) => typed(kind, await readKube(wire, { path: objectPath(kind, key) }, signal)),
    list: async (kind, query = {}, signal) => {
      const { items, resourceVersion } = await listKube(wire, { resource: kind, query }, signal)
      return { items: items.map((item) => typed(kind, item)), resourceVersion }
    },
    watch: (kind, { resourceVersion, ...query }, signal) => {
      const path = collectionPath(kind, query.namespace ?? '')
      const events = watchKube({ wire, clock, entropy, path, query: selectorsOf(query), resourceVersion }, signal)
      // The server checks what it stores against the kind's schema.
      return events as AsyncIterable<WatchEvent<ObjectOf<typeof kind>>>
    },
    create: async (kind, object, signal) => {
      const path = collectionPath(kind, namespaceOf(kind, object.metadata.namespace))
      const body = { apiVersion: kind.apiVersion, kind: kind.kind, ...object }
      return typed(kind, await wire.send({ method: 'POST', path, query: written, body }, signal))
    },
    update: async (kind, object, signal) => {
      const path = objectPath(kind, keyIn(kind, object))
      return typed(kind, await wire.send({ method: 'PUT', path, query: written, body: object }, signal))
    },
    patchMetadata: async (kind, key, change, { resourceVersion } = {}, signal) => {
      const body = { metadata: { ...change, ...versionOf(resourceVersion) } }
      const send = () => patch({ path: objectPath(kind, key), body }, signal)
      return typed(kind, await overtaking(send, { resourceVersion, clock, entropy, signal }))
    },
    patchStatus: async (kind, key, status, { resourceVersion } = {}, signal) => {
      const body = { status, ...(resourceVersion === undefined ? {} : { metadata: versionOf(resourceVersion) }) }
      const send = () => patch({ path: objectPath(kind, key, 'status'), body }, signal)
      return typed(kind, await overtaking(send, { resourceVersion, clock, entropy, signal }))
    },
    delete: async (kind, key, deleteOptions = {}, signal) => {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...deleteOptions }
      await wire.send({ method: 'DELETE', path: objectPath(kind, key), body }, signal)
    },
    close: () => wire.close(),
  }
}

/** What the server gives has passed the kind's schema there. */
const typed = <K extends KindDefinition>(_kind: K, object: unknown): ObjectOf<K> => object as ObjectOf<K>

const versionOf = (resourceVersion: string | undefined): { readonly resourceVersion?: string } =>
  resourceVersion === undefined ? {} : { resourceVersion }

const keyIn = (kind: KindDefinition, object: KubeObject): Key => ({
  ...keyOf(object),
  namespace: namespaceOf(kind, object.metadata.namespace),
})

/** The namespace of a write; without one a namespaced kind has no place. */
function namespaceOf(kind: KindDefinition, namespace: string | undefined): string {
  if (kind.scope === 'Cluster') return ''
  if (namespace !== undefined && namespace !== '') return namespace
  throw new ApiError('BadRequest', `Name the namespace of the ${kind.kind}: it has metadata.namespace ""`)
}
