/** The Namespaces port over a cluster: makes tenants' namespaces, and touches none that is somebody else's. */
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { API_VERSION, GROUP } from '../api/define-kind.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import { TENANT_LABEL } from '../kinds/tenant/namespace-taken.ts'
import type { Namespaces } from '../kinds/tenant/observe.ts'
import { namespaceResource } from '../registry/core.ts'
import type { Registry } from '../registry/registry.ts'

const CONTEXT = { actor: CONTROLLER_ACTOR, fieldManager: 'tenant-controller' }

/**
 * One namespace per tenant, labelled and owned by it. One that was there before is taken only where it carries the
 * label of the tenant, and is then given back, not deleted. `ensure` throws ApiError Forbidden for somebody else's.
 */
export function createClusterNamespaces(registry: Pick<Registry, 'get' | 'create' | 'patch' | 'delete'>): Namespaces & {
  ensure(name: string, tenantUid?: string): Promise<void>
} {
  const find = async (name: string): Promise<KubeObject | undefined> => {
    try {
      return await registry.get(namespaceResource, keyOf(name))
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined
      throw error
    }
  }
  return {
    standing: async (name) => {
      const found = await find(name)
      if (found === undefined) return 'Absent'
      return isOf(found, name) ? 'Own' : 'Taken'
    },
    ensure: async (name, tenantUid) => {
      const found = await find(name)
      if (found !== undefined && (tenantUid === undefined || isOf(found, name))) return
      if (found !== undefined) throw taken(name)
      await registry.create(namespaceResource, '', bodyOf(name, tenantUid), CONTEXT)
    },
    remove: async (name) => {
      const found = await find(name)
      if (found === undefined || !isOf(found, name)) return
      const { uid, resourceVersion, deletionTimestamp } = found.metadata
      if (deletionTimestamp !== undefined) return
      if (isOwned(found, name)) {
        await registry.delete(namespaceResource, keyOf(name), { preconditions: { uid } }, CONTEXT)
        return
      }
      const body = { metadata: { labels: { [TENANT_LABEL]: null }, resourceVersion } }
      await registry.patch(namespaceResource, keyOf(name), { type: 'merge', body }, CONTEXT)
    },
  }
}

const keyOf = (name: string) => ({ namespace: '', name })

const taken = (name: string): ApiError =>
  new ApiError(
    'Forbidden',
    `Label namespace "${name}" with ${TENANT_LABEL}=${name} to give it to the tenant, or name the tenant otherwise: it was there before`,
  )

function bodyOf(name: string, tenantUid: string | undefined): object {
  const metadata =
    tenantUid === undefined
      ? { name }
      : {
          name,
          labels: { [TENANT_LABEL]: name },
          ownerReferences: [{ apiVersion: API_VERSION, kind: 'Tenant', name, uid: tenantUid }],
        }
  return { apiVersion: 'v1', kind: 'Namespace', metadata }
}

/** Whether we made the namespace for the tenant of that name. */
const isOwned = ({ metadata }: KubeObject, name: string): boolean =>
  (metadata.ownerReferences ?? []).some(
    (owner) => owner.apiVersion.startsWith(`${GROUP}/`) && owner.kind === 'Tenant' && owner.name === name,
  )

/** Whether the namespace is the tenant's: made for it, or given to it by whoever labelled it. */
const isOf = (namespace: KubeObject, name: string): boolean =>
  namespace.metadata.labels?.[TENANT_LABEL] === name || isOwned(namespace, name)
