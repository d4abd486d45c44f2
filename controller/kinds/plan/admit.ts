/** Decides whether a write of a Plan may go on. Pure. */
import { admissionOf, forbidden } from '../admission.ts'
import { quoteList } from '../names.ts'
import { tenantKind } from '../tenant/schema.ts'
import type { Plan } from './schema.ts'

/** AD10: a plan is not deleted while tenants have it. Lowering its limits is allowed; tenants above then say so. */
export const planAdmission = admissionOf<Plan>({
  writeNeeds: () => [],
  write: () => [],
  deleteNeeds: () => [{ kind: tenantKind, namespace: '' }],
  delete: ({ object }, related) => {
    const { name } = object.metadata
    const tenants = related
      .list(tenantKind, '')
      .filter((tenant) => tenant.spec.plan === name)
      .map((tenant) => tenant.metadata.name)
      .sort()
    if (tenants.length === 0) return []
    const message = `Cannot delete plan "${name}": tenants have it (${quoteList(tenants)}); move them to another plan first`
    return [forbidden('metadata.name', message)]
  },
})
