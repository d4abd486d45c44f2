/** The Namespaces port of the Tenant controller, over the registry. */
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { API_VERSION } from '../api/define-kind.ts'
import { hasReason } from '../api/errors.ts'
import type { Client } from '../client/client.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import type { Namespaces, NamespaceStanding } from '../kinds/tenant/observe.ts'
import { namespaceResource } from '../registry/core.ts'
import type { Registry } from '../registry/registry.ts'

/** One core Namespace per tenant, owned by it. Throws ApiError. */
export function createNamespaces(registry: Registry): Namespaces & {
  ensure(name: string, tenantUid?: string): Promise<void>
} {
  const context = { actor: CONTROLLER_ACTOR, fieldManager: 'tenant-controller' }
  const keyOf = (name: string) => ({ namespace: '', name })
  const standing = async (name: string): Promise<NamespaceStanding> => {
    try {
      await registry.get(namespaceResource, keyOf(name))
      // Nobody makes one here but for a tenant.
      return 'Own'
    } catch (error) {
      if (hasReason(error, 'NotFound')) return 'Absent'
      throw error
    }
  }
  return {
    standing,
    ensure: async (name: string, tenantUid?: string) => {
      const owner = { apiVersion: API_VERSION, kind: 'Tenant', name, uid: tenantUid }
      const metadata = { name, ...(tenantUid === undefined ? {} : { ownerReferences: [owner] }) }
      try {
        await registry.create(namespaceResource, '', { apiVersion: 'v1', kind: 'Namespace', metadata }, context)
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error
      }
    },
    remove: async (name) => {
      try {
        await registry.delete(namespaceResource, keyOf(name), {}, context)
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error
      }
    },
  }
}

/** Makes the namespace of a tenant that exists, before its own controller has; false when there is no such tenant. */
export async function makeTenantNamespace(
  client: Client,
  namespaces: Pick<Namespaces, 'ensure'>,
  name: string,
): Promise<boolean> {
  try {
    const tenant = await client.get(tenantKind, { namespace: '', name })
    if (tenant.metadata.deletionTimestamp !== undefined) return false
    await namespaces.ensure(name, tenant.metadata.uid)
    return true
  } catch (error) {
    if (hasReason(error, 'NotFound')) return false
    throw error
  }
}
