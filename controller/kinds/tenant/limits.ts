/** Decides the limits that hold for a tenant: the smaller of its plan's and its own config's. Pure. */
import type { Plan, PlanSpec } from '../plan/schema.ts'
import type { Tenant, TenantSpec } from './schema.ts'

/** The limits in force, with null for unlimited and no key absent: what reconcilers and the gateway reckon with. */
export type EffectiveLimits = {
  /** Machines at once; null is unlimited. */
  readonly concurrentSprites: number | null
  /** Different agent types; null is all. */
  readonly agentTypes: number | null
  /** Tokens in a calendar month (UTC); null is unlimited. */
  readonly monthlyTokens: number | null
  readonly spriteIdleTimeoutSeconds: number
  /** Weight in every queue. */
  readonly priority: number
  readonly priorityRouting: boolean
  readonly customPersonas: boolean
  readonly stoppedMachineRetentionSeconds: number
  readonly guest: PlanSpec['guest']
}

/** The limits as the tenant's status publishes them; undefined until they were first published. */
export function limitsOf(tenant: Pick<Tenant, 'status'>): EffectiveLimits | undefined {
  const limits = tenant.status?.limits
  if (limits === undefined) return undefined
  return {
    ...limits,
    concurrentSprites: limits.concurrentSprites ?? null,
    agentTypes: limits.agentTypes ?? null,
    monthlyTokens: limits.monthlyTokens ?? null,
  }
}

/** The limits of a tenant with this config under this plan: min of both, null (unlimited) being the largest. */
export function effectiveLimits(plan: PlanSpec, config: TenantSpec['config']): EffectiveLimits {
  return {
    concurrentSprites: smaller(plan.concurrentSprites, config.maxConcurrentSprites),
    agentTypes: plan.agentTypes,
    monthlyTokens: smaller(plan.monthlyTokens, config.monthlyTokenBudget),
    spriteIdleTimeoutSeconds: Math.min(
      plan.spriteIdleTimeoutSeconds,
      config.spriteIdleTimeoutSeconds ?? plan.spriteIdleTimeoutSeconds,
    ),
    priority: plan.priority,
    priorityRouting: plan.priorityRouting,
    customPersonas: plan.customPersonas,
    stoppedMachineRetentionSeconds: plan.stoppedMachineRetentionSeconds,
    guest: plan.guest,
  }
}

const smaller = (plan: number | null, config: number | undefined): number | null => {
  if (config === undefined) return plan
  return plan === null ? config : Math.min(plan, config)
}

/** The limits by plan and config as they are now, or, without the plan, those last published; undefined without either. */
export const limitsInForce = (tenant: Tenant, plan: Pick<Plan, 'spec'> | undefined): EffectiveLimits | undefined =>
  plan === undefined ? limitsOf(tenant) : effectiveLimits(plan.spec, tenant.spec.config)
