/** Writes the engine's Events and Lease straight to a registry: the ports for the embedded control plane. */
import { CONTROLLER_ACTOR, type Actor } from '../api/admission.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Lease, LeasePort, LeaseSpec } from './lease.ts'
import type { EventSink } from './recorder.ts'

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

/** A Lease as an object of a registry; throws ApiError NotFound when it does not serve them. */
export function createRegistryLeasePort(registry: RegistryWriter): LeasePort {
  const resource = resourceOf(registry, { group: LEASE_GROUP, kind: 'Lease' })
  const type = { apiVersion: `${LEASE_GROUP}/v1`, kind: 'Lease' }
  // Leases are written by electors only, so the spec is that of a Lease.
  const asLease = (object: KubeObject): Lease => object as Lease
  return {
    get: async (namespace, name, signal) => {
      signal.throwIfAborted()
      try {
        return asLease(await registry.get(resource, { namespace, name }))
      } catch (error) {
        if (hasReason(error, 'NotFound')) return undefined
        throw error
      }
    },
    create: async (namespace, name, spec, signal) =>
      asLease(
        await registry.create(
          resource,
          namespace,
          { ...type, metadata: { name, namespace }, spec },
          { ...context, signal },
        ),
      ),
    update: async (old, spec: LeaseSpec, signal) => {
      const key = { namespace: old.metadata.namespace ?? '', name: old.metadata.name }
      return asLease(await registry.update(resource, key, { ...old, spec }, { ...context, signal }))
    },
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
