/** Writes the engine's Events and Lease straight to a registry: the ports for the embedded control plane. */
import { CONTROLLER_ACTOR, type Actor } from '../api/admission.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import type { Lease, LeaseList, LeasePort, LeasesPort, LeaseSpec } from './lease.ts'
import type { EventSink } from './recorder.ts'
import { untilAborted } from './until-aborted.ts'

/** What is asked of a registry here; the registry of controller/registry fits. */
export interface RegistryWriter {
  readonly resources: readonly ResourceDefinition[]
  get(resource: ResourceDefinition, key: Key): Promise<KubeObject>
  create(resource: ResourceDefinition, namespace: string, body: unknown, context: WriterContext): Promise<KubeObject>
  update(resource: ResourceDefinition, key: Key, body: unknown, context: WriterContext): Promise<KubeObject>
  patch(
    resource: ResourceDefinition,
    key: Key,
    patch: { readonly type: 'merge'; readonly body: unknown },
    context: WriterContext,
  ): Promise<KubeObject>
}
/** What is asked of a registry besides, where leases are watched. */
export interface RegistryReader {
  list(
    resource: ResourceDefinition,
    options: { readonly namespace: string; readonly resourceVersion: string },
  ): Promise<{ readonly items: readonly KubeObject[]; readonly resourceVersion: string }>
  watch(
    resource: ResourceDefinition,
    options: { readonly namespace: string; readonly resourceVersion: string; readonly allowBookmarks: boolean },
    signal: AbortSignal,
  ): AsyncIterable<RegistryNews>
}
/** One event of a watch, as far as leases go. */
export type RegistryNews = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  readonly object: KubeObject
}
type WriterContext = { readonly actor: Actor; readonly signal?: AbortSignal }

const LEASE_GROUP = 'coordination.k8s.io'
const context: WriterContext = { actor: CONTROLLER_ACTOR }

/** Events as core/v1 objects of a registry; throws ApiError NotFound when it does not serve them. */
export function createRegistryEventSink(registry: RegistryWriter): EventSink {
  const resource = resourceOf(registry, { group: '', kind: 'Event' })
  return {
    create: async (namespace, event) => {
      await registry.create(resource, namespace, event, context)
    },
    patch: async (namespace, name, body) => {
      await registry.patch(resource, { namespace, name }, { type: 'merge', body }, context)
    },
  }
}

/**
 * A Lease as an object of a registry; throws ApiError NotFound when it does not serve them. A call is waited for no
 * longer than its signal allows: what was sent may arrive all the same.
 */
export function createRegistryLeasePort(registry: RegistryWriter): LeasePort {
  const resource = resourceOf(registry, { group: LEASE_GROUP, kind: 'Lease' })
  const type = { apiVersion: `${LEASE_GROUP}/v1`, kind: 'Lease' }
  // Leases are written by electors only, so the spec is that of a Lease.
  const asLease = (object: KubeObject): Lease => object as Lease
  return {
    get: async (namespace, name, signal) => {
      signal.throwIfAborted()
      try {
        return asLease(await untilAborted(registry.get(resource, { namespace, name }), signal))
      } catch (error) {
        if (hasReason(error, 'NotFound')) return undefined
        throw error
      }
    },
    create: async (namespace, name, spec, signal) => {
      const lease = { ...type, metadata: { name, namespace }, spec }
      return asLease(await untilAborted(registry.create(resource, namespace, lease, { ...context, signal }), signal))
    },
    update: async (old, spec: LeaseSpec, signal) => {
      const key = { namespace: old.metadata.namespace ?? '', name: old.metadata.name }
      const written = registry.update(resource, key, { ...old, spec }, { ...context, signal })
      return asLease(await untilAborted(written, signal))
    },
  }
}

/** Ms between two watches, when one has ended. */
const WATCH_AGAIN_MS = 2_000

/** The leases of a registry, listed and watched; throws ApiError NotFound when it does not serve them. */
export function createRegistryLeasesPort(
  registry: RegistryWriter & RegistryReader,
  ports: { readonly clock: Clock; readonly log: Log },
): LeasesPort {
  const resource = resourceOf(registry, { group: LEASE_GROUP, kind: 'Lease' })
  return {
    ...createRegistryLeasePort(registry),
    list: async (namespace, signal) => {
      signal.throwIfAborted()
      const list = registry.list(resource, { namespace, resourceVersion: '0' })
      // Leases are written by electors and members only, so the spec is that of a Lease.
      return (await untilAborted(list, signal)) as LeaseList
    },
    watch: (namespace, onChange) => {
      const ended = new AbortController()
      void watchLeases({ ...ports, registry, resource, namespace, onChange, signal: ended.signal })
      return () => ended.abort(new Error('Nobody listens any more'))
    },
  }
}

type LeaseWatch = {
  readonly registry: RegistryReader
  readonly resource: ResourceDefinition
  readonly namespace: string
  readonly onChange: (lease?: Lease) => void
  readonly clock: Clock
  readonly log: Log
  readonly signal: AbortSignal
}

/** Watches until the signal aborts, again and again: what was missed between two watches comes first in the next. */
async function watchLeases({ registry, resource, namespace, onChange, clock, log, signal }: LeaseWatch): Promise<void> {
  while (!signal.aborted) {
    try {
      const news = registry.watch(resource, { namespace, resourceVersion: '', allowBookmarks: false }, signal)
      for await (const { type, object } of news) {
        if (type === 'DELETED') onChange()
        // As above.
        else if (type !== 'BOOKMARK') onChange(object as Lease)
      }
    } catch (error) {
      if (!signal.aborted) log.debug({ error: String(error) }, 'The watch of the leases ended: watching again')
    }
    await clock.sleep(WATCH_AGAIN_MS, signal).catch(() => {})
  }
}

function resourceOf(
  registry: RegistryWriter,
  wanted: { readonly group: string; readonly kind: string },
): ResourceDefinition {
  const found = registry.resources.find(({ group, kind }) => group === wanted.group && kind === wanted.kind)
  if (found !== undefined) return found
  throw new ApiError('NotFound', `Cannot find "${wanted.kind}" among the registry's resources: serve it`)
}
