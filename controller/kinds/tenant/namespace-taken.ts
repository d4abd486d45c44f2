/** Says what stands in the way when the namespace of a tenant's name is somebody else's. Pure. */
import { GROUP } from '../../api/define-kind.ts'
import type { PlaceProblem } from './place-conditions.ts'
import type { TenantWorld } from './world.ts'

/** Label of a namespace in a cluster: the tenant whose it is. Who sets it on a namespace that is there gives it away. */
export const TENANT_LABEL = `${GROUP}/tenant`
/** Until the namespace is looked at again, ms. */
export const NAMESPACE_LOOK_MS = 30_000

/** The problem, where there is one: for Ready and blockers. */
export function namespaceProblems({ tenant, isNamespaceTaken }: TenantWorld): readonly PlaceProblem[] {
  if (isNamespaceTaken !== true) return []
  const { name } = tenant.metadata
  const fix = `Label namespace "${name}" with ${TENANT_LABEL}=${name} to give it to the tenant, or name the tenant otherwise`
  const message = `${fix}: the namespace was there before and is left alone, and no machine is started`
  return [{ message, blocker: { reason: 'NamespaceTaken', fix } }]
}
