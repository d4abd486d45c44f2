/**
 * A Kubernetes cluster as a registry: built-in and custom resources alike, over one wire, so that whatever writes Events,
 * Leases, Namespaces and Secrets to our own registry writes them to a cluster too (docs/spec/cluster.md, KC1 to KC5).
 */
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import { hasReason } from '../api/errors.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type {
  PatchType,
  Registry,
  RegistryEvent,
  RegistryList,
  RegistryListOptions,
  RegistryWatchOptions,
  Subresource,
  WriteContext,
} from '../registry/registry.ts'
import { collectionPath, objectPath } from './kube-path.ts'
import { apiVersionOf, listKube, overtaking, pageOfKube, readKube, selectorsOf } from './kube-verbs.ts'
import { watchKube } from './kube-watch.ts'
import type { KubeWire } from './kube-wire.ts'

/** What a cluster's registry is made from. */
export type KubeRegistryOptions = {
  readonly wire: KubeWire
  /** What is asked for by name of its kind, such as Lease. */
  readonly resources: readonly ResourceDefinition[]
  /** Who writes where a write does not say, for managedFields. */
  readonly fieldManager: string
  readonly clock: Clock
  readonly entropy: Entropy
}

const CONTENT_TYPES: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
}
const APPLY = 'application/apply-patch+yaml'

/** The registry over a wire. Who writes is whom the cluster takes the wire's credentials for: the actor of a write is not sent. */
export function createKubeRegistry(options: KubeRegistryOptions): Registry {
  const { wire, clock, entropy } = options
  const queryOf = (context: WriteContext) => writeQuery(context, options.fieldManager)
  return {
    resources: options.resources,
    get: async (resource, key) => asObject(await readKube(wire, { path: objectPath(resource, key) }, undefined)),
    list: async (resource, asked = {}) => await listOf(wire, resource, asked),
    watch: (resource, asked, signal) => watchOf(options, { resource, asked }, signal),
    create: async (resource, namespace, body, context) => {
      const path = collectionPath(resource, namespace)
      const query = queryOf(context)
      return asObject(await wire.send({ method: 'POST', path, query, body: stamped(resource, body) }, context.signal))
    },
    update: async (resource, key, body, context) => {
      const path = pathOf(resource, key, context.subresource)
      const query = queryOf(context)
      return asObject(await wire.send({ method: 'PUT', path, query, body: stamped(resource, body) }, context.signal))
    },
    patch: async (resource, key, { type, body }, context) => {
      const path = pathOf(resource, key, context.subresource)
      const request = {
        method: 'PATCH',
        path,
        query: queryOf(context),
        contentType: CONTENT_TYPES[type],
        body,
      } as const
      const send = async () => asObject(await wire.send(request, context.signal))
      const resourceVersion = versionIn(body)
      return await overtaking(send, { resourceVersion, clock, entropy, signal: context.signal })
    },
    apply: async (resource, key, body, context) => {
      const path = pathOf(resource, key, context.subresource)
      const query = { ...queryOf(context), ...(context.force === true ? { force: 'true' } : {}) }
      const before = await orNothing(readKube(wire, { path: objectPath(resource, key) }, context.signal))
      const request = { method: 'PATCH', path, query, contentType: APPLY, body: stamped(resource, body) } as const
      return { object: asObject(await wire.send(request, context.signal)), created: before === undefined }
    },
    delete: async (resource, key, deleteOptions, context) => {
      const path = objectPath(resource, key)
      const before = asObject(await readKube(wire, { path }, context.signal))
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...deleteOptions }
      const query: Readonly<Record<string, string>> = context.dryRun === true ? { dryRun: 'All' } : {}
      const answer = asObject(await wire.send({ method: 'DELETE', path, query, body }, context.signal))
      // What finalizers hold comes back as it is now; of what has gone comes a Status, or the object as it was.
      const isHeld = answer.kind === resource.kind && answer.metadata.deletionTimestamp !== undefined
      return { object: isHeld ? answer : before, deleted: !isHeld }
    },
  }
}

/** What an API server answers a request for an object with. */
const asObject = (answer: unknown): KubeObject => answer as KubeObject

/** A built-in kind comes in without its type where the caller left it out. */
function stamped(resource: ResourceDefinition, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body
  return { apiVersion: apiVersionOf(resource), kind: resource.kind, ...body }
}

function writeQuery(context: WriteContext, fieldManager: string): Record<string, string> {
  return {
    fieldManager: context.fieldManager ?? fieldManager,
    fieldValidation: context.fieldValidation ?? 'Strict',
    ...(context.dryRun === true ? { dryRun: 'All' } : {}),
  }
}

const pathOf = (resource: ResourceDefinition, key: Key, subresource: Subresource | undefined): string =>
  subresource === undefined ? objectPath(resource, key) : `${objectPath(resource, key)}/${subresource}`

/** The version that a merge patch compares with; other patches have a say of their own about that. */
function versionIn(body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) return undefined
  const { metadata } = body
  if (typeof metadata !== 'object' || metadata === null || !('resourceVersion' in metadata)) return undefined
  return typeof metadata.resourceVersion === 'string' ? metadata.resourceVersion : undefined
}

async function listOf(wire: KubeWire, resource: ResourceDefinition, asked: RegistryListOptions): Promise<RegistryList> {
  const what = { resource, query: asked }
  const isWhole = asked.limit === undefined && asked.continue === undefined && asked.resourceVersionMatch === undefined
  const found = isWhole
    ? await listKube(wire, what, undefined)
    : await pageOfKube(wire, what, pageQuery(asked), undefined)
  return { ...found, items: found.items.filter((object) => isWithin(resource, object, asked.within)) }
}

function pageQuery(asked: RegistryListOptions): Record<string, string> {
  const { limit, continue: token, resourceVersion, resourceVersionMatch } = asked
  return {
    ...(limit === undefined ? {} : { limit: String(limit) }),
    ...(token === undefined ? {} : { continue: token }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(resourceVersionMatch === undefined ? {} : { resourceVersionMatch }),
  }
}

const isWithin = (
  { scope }: ResourceDefinition,
  { metadata }: KubeObject,
  within: ReadonlySet<string> | undefined,
): boolean => within === undefined || within.has((scope === 'Cluster' ? metadata.name : metadata.namespace) ?? '')

async function* watchOf(
  { wire, clock, entropy }: KubeRegistryOptions,
  { resource, asked }: { readonly resource: ResourceDefinition; readonly asked: RegistryWatchOptions },
  signal: AbortSignal,
): AsyncGenerator<RegistryEvent, void, undefined> {
  const { namespace = '', resourceVersion = '', within } = asked
  const path = collectionPath(resource, namespace)
  const identity = { apiVersion: apiVersionOf(resource), kind: resource.kind }
  for await (const event of watchKube(
    { wire, clock, entropy, path, query: selectorsOf(asked), resourceVersion },
    signal,
  )) {
    if (event.type !== 'BOOKMARK') {
      if (isWithin(resource, event.object, within)) yield event
    } else if (asked.allowBookmarks === true)
      yield { type: 'BOOKMARK', object: bookmark(identity, event.resourceVersion) }
  }
}

function bookmark(
  identity: { readonly apiVersion: string; readonly kind: string },
  resourceVersion: string,
): KubeObject {
  // Of a bookmark only the version is looked at.
  return { ...identity, metadata: { resourceVersion } } as KubeObject
}

async function orNothing(reading: Promise<unknown>): Promise<unknown> {
  try {
    return await reading
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  }
}
