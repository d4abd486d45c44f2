/** Decides the status of a Plan. Pure. */
import { mergeConditions, ready } from '../../api/conditions.ts'
import type { StatusOf } from '../../api/define-kind.ts'
import type { Plan, planKind } from './schema.ts'

/** What a Plan's status is decided from. */
export type PlanWorld = {
  readonly plan: Plan
  /** Timestamp of now. */
  readonly now: string
  /** How many tenants name the plan. */
  readonly tenants: number
}

/** A plan is always in force; its status says how many have it. */
export function decidePlan({ plan, now, tenants }: PlanWorld): { readonly status: StatusOf<typeof planKind> } {
  const { generation } = plan.metadata
  const patches = ready('InForce', 'The plan can be used')
  const conditions = mergeConditions(plan.status?.conditions, patches, { generation, now })
  return { status: { observedGeneration: generation, tenants, conditions } }
}
