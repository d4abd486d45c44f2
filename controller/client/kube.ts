/** The Client over any Kubernetes API server: a cluster's, or our own from another process. */
import { backoffMs, type BackoffPolicy } from '../../system/backoff.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import { keyOf, type Key, type KubeObject } from '../api/object.ts'
import type { Client, ListQuery, WatchEvent } from './client.ts'
import { collectionPath, objectPath } from './kube-path.ts'
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

/** Objects a page. */
const PAGE_LIMIT = 500
/** Pages of one list: 5 million objects. */
const PAGES_MAX = 10_000
const MERGE_PATCH = 'application/merge-patch+json'

/** kube-apiserver gives up a patch that other writes overtook five times; we ask again so often. */
const PATCH_TRIES = 8
const PATCH_BACKOFF: BackoffPolicy = { baseMs: 10, maxMs: 500, jitter: 0.5 }

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
    get: async (kind, key, signal) => typed(kind, await read(wire, { path: objectPath(kind, key) }, signal)),
    list: async (kind, query = {}, signal) => {
      const { items, resourceVersion } = await list(wire, { kind, query }, signal)
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

const selectorsOf = ({ labelSelector, fieldSelector }: ListQuery): Record<string, string> => ({
  ...(labelSelector === undefined ? {} : { labelSelector }),
  ...(fieldSelector === undefined ? {} : { fieldSelector }),
})

/** A read is asked once more when its connection breaks: a server that has restarted closed those that were kept. */
async function read(
  wire: KubeWire,
  request: Pick<WireRequest, 'path' | 'query'>,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  try {
    return await wire.send({ method: 'GET', ...request }, signal)
  } catch (error) {
    if (!hasReason(error, 'ServiceUnavailable')) throw error
    return await wire.send({ method: 'GET', ...request }, signal)
  }
}

type Page = {
  readonly items?: readonly KubeObject[] | null
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}
type Listed = { readonly items: readonly KubeObject[]; readonly resourceVersion: string }

/** All pages of one snapshot; where that expires between pages, everything at once. */
async function list(
  wire: KubeWire,
  what: { readonly kind: KindDefinition; readonly query: ListQuery },
  signal: AbortSignal | undefined,
): Promise<Listed> {
  try {
    return await pages(wire, what, signal)
  } catch (error) {
    if (!hasReason(error, 'Expired')) throw error
    return listed(what.kind, [await page(wire, what, {}, signal)])
  }
}

async function pages(
  wire: KubeWire,
  what: { readonly kind: KindDefinition; readonly query: ListQuery },
  signal: AbortSignal | undefined,
): Promise<Listed> {
  const found: Page[] = []
  let token = ''
  do {
    const more: Record<string, string> = { limit: String(PAGE_LIMIT), ...(token === '' ? {} : { continue: token }) }
    const one = await page(wire, what, more, signal)
    found.push(one)
    token = one.metadata?.continue ?? ''
  } while (token !== '' && found.length < PAGES_MAX)
  return listed(what.kind, found)
}

async function page(
  wire: KubeWire,
  { kind, query }: { readonly kind: KindDefinition; readonly query: ListQuery },
  more: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<Page> {
  const path = collectionPath(kind, query.namespace ?? '')
  // A list of the API has this shape; what is absent is looked at as such.
  return (await read(wire, { path, query: { ...selectorsOf(query), ...more } }, signal)) as Page
}

/** Pages as one list. Items of built-in kinds come without kind and apiVersion. */
function listed(kind: KindDefinition, found: readonly Page[]): Listed {
  const identity = { apiVersion: kind.apiVersion, kind: kind.kind }
  const items = found.flatMap((one) => one.items ?? []).map((item) => ({ ...identity, ...item }))
  const resourceVersion = found.at(-1)?.metadata?.resourceVersion
  if (resourceVersion !== undefined && resourceVersion !== '') return { items, resourceVersion }
  throw new ApiError('InternalError', `The list of ${kind.plural} has no resourceVersion`)
}

/** A patch that names no version means whatever is current: a conflict is only that others were faster. */
async function overtaking(
  send: () => Promise<unknown>,
  at: {
    readonly resourceVersion: string | undefined
    readonly clock: Clock
    readonly entropy: Entropy
    readonly signal: AbortSignal | undefined
  },
): Promise<unknown> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send()
    } catch (error) {
      if (at.resourceVersion !== undefined || tries >= PATCH_TRIES || !hasReason(error, 'Conflict')) throw error
      await at.clock.sleep(backoffMs(PATCH_BACKOFF, tries, at.entropy.random()), at.signal)
    }
  }
}
