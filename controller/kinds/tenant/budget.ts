/** Decides whether a tenant's tokens of the month let anybody call the model, and says so. Pure. */
import { findCondition, isTrue } from '../../api/conditions.ts'
import type { Blocker } from '../../api/blocker.ts'
import type { EffectiveLimits } from './limits.ts'
import type { Tenant } from './schema.ts'
import { BUDGET_CALL_TOKENS_MIN, isExhausted, type Usage } from './usage.ts'

/** The condition of a tenant whose work waits for tokens, whatever its reason. */
export const BUDGET_CONDITION = 'BudgetExhausted'

const REASONS: ReadonlySet<string> = new Set(['BudgetExhausted', 'BudgetTooSmall'])

/** Why no call is granted, and what would help; undefined when calls are. */
export function budgetProblem(
  usage: Usage,
  budgetTokens: number | null,
): { readonly message: string; readonly blocker: Blocker } | undefined {
  if (budgetTokens === null || !isExhausted(usage, budgetTokens)) return undefined
  const counts = { limit: budgetTokens, used: usage.tokensUsed }
  if (budgetTokens < BUDGET_CALL_TOKENS_MIN) {
    const fix = `Raise the monthly token budget to at least ${BUDGET_CALL_TOKENS_MIN}, which the smallest call takes`
    const message = `Work waits: a budget of ${budgetTokens} tokens a month lets no call be made. ${fix}`
    return { message, blocker: { reason: 'BudgetTooSmall', ...counts, fix } }
  }
  const fix = 'Raise the monthly token budget or take a larger plan; otherwise work goes on next month'
  const message = `The month's ${budgetTokens} tokens are used up: work waits. ${fix}`
  return { message, blocker: { reason: 'BudgetExhausted', ...counts, fix } }
}

/** Why the tenant's work waits for tokens, as its status has it, and what would help; undefined when it does not wait. */
export function budgetWaitText(tenant: Pick<Tenant, 'status'>): string | undefined {
  const { conditions, blockers } = tenant.status ?? {}
  const blocker = blockers?.find(({ reason }) => REASONS.has(reason))
  if (!isTrue(conditions, BUDGET_CONDITION) && blocker === undefined) return undefined
  const reason = blocker?.reason ?? findCondition(conditions, BUDGET_CONDITION)?.reason
  return reason === 'BudgetTooSmall'
    ? `The tenant’s monthly token budget is less than the smallest call takes: raise its monthlyTokenBudget to ${BUDGET_CALL_TOKENS_MIN} or more`
    : 'The tenant’s tokens of this month are used up: raise its monthlyTokenBudget or plan, or wait for next month'
}

/** The tenant as its status will be under these limits: whether work waits for tokens follows from them. */
export function asBudgeted(tenant: Tenant, limits: EffectiveLimits): Tenant {
  const { status } = tenant
  if (status?.usage === undefined) return tenant
  const problem = budgetProblem(status.usage, limits.monthlyTokens)
  const blockers = (status.blockers ?? []).filter(({ reason }) => !REASONS.has(reason))
  return {
    ...tenant,
    status: {
      ...status,
      blockers: problem === undefined ? blockers : [problem.blocker, ...blockers],
      conditions: (status.conditions ?? []).filter(({ type }) => type !== BUDGET_CONDITION),
    },
  }
}
