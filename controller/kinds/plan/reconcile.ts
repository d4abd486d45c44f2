/** The shell of the Plan: counts the tenants that have it. */
import type { Key } from '../../api/object.ts'
import { DONE, watchOf, type ControllerOptions } from '../../engine/types.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { moved } from '../changes.ts'
import { publishStatus, SMALL_KIND, type KindPorts } from '../publish.ts'
import { tenantKind, type Tenant } from '../tenant/schema.ts'
import { decidePlan, type PlanWorld } from './decide.ts'
import { planKind } from './schema.ts'

const planKey = (name: string): Key => ({ namespace: '', name })

/** The controller `plan`. */
export function planController(ports: KindPorts): ControllerOptions {
  return {
    name: 'plan',
    kind: planKind,
    watches: [watchOf(tenantKind, plansTouchedBy)],
    reconcile: async (key, signal) => {
      const world = observePlan(ports, key)
      if (world === undefined) return DONE
      await publishStatus(ports, planKind, world.plan, { ...decidePlan(world), signal })
      return DONE
    },
    ...SMALL_KIND,
  }
}

/** A tenant that comes, goes or changes its plan. */
const plansTouchedBy = (tenant: Tenant, previous: Tenant | undefined): readonly Key[] =>
  moved(tenant, previous, (one) => one.spec.plan)
    ? [...new Set([tenant.spec.plan, previous?.spec.plan ?? tenant.spec.plan])].map(planKey)
    : []

function observePlan(ports: KindPorts, key: Key): PlanWorld | undefined {
  const plan = ports.cache.get(planKind, key)
  if (plan === undefined) return undefined
  const tenants = ports.cache.list(tenantKind).filter((tenant) => tenant.spec.plan === key.name).length
  return { plan, now: timestamp(ports.clock.now()), tenants }
}
