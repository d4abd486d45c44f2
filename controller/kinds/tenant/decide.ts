/** Decides what a pass does for a Tenant and what its status says. Pure. */
import type { Blocker } from '../../api/blocker.ts'
import { mergeConditions, ready, stalled, type ConditionPatch } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { TENANT_FINALIZER } from '../marks.ts'
import { nameList } from '../names.ts'
import { withStandingRequestId } from '../sprite/provider-reasons.ts'
import { fieldsAbovePlan, isKeyAbovePlan } from './admit.ts'
import { keyFaultText } from './anthropic-key.ts'
import { BUDGET_CONDITION, budgetProblem } from './budget.ts'
import { ledgerAway, ledgerConditions } from './ledger-away.ts'
import { limitsInForce, type EffectiveLimits } from './limits.ts'
import { frozenText, placeConditions, placeProblems, type PlaceProblem } from './place-conditions.ts'
import type { TenantStatus } from './schema.ts'
import { NAMESPACE_LOOK_MS, namespaceProblems } from './namespace-taken.ts'
import { areStrangersUnsure, STRANGERS_LOOK_MS, strangersCondition } from './strangers.ts'
import { decideTeardown } from './teardown.ts'
import { nextLook, runningText, tokensText, usageOf, type Usage } from './usage.ts'
import type { TenantDecision, TenantWorld } from './world.ts'

/** One pass: first the finalizer alone, then namespace, limits and usage; the teardown once deletion has begun. */
export function decideTenant(world: TenantWorld): TenantDecision {
  if (isDeleting(world.tenant)) return decideTeardown(world)
  if (!world.tenant.metadata.finalizers?.includes(TENANT_FINALIZER)) {
    return { actions: [{ do: 'holdFinalizer' }], isUsageFresh: false }
  }
  // Who has a namespace of that name has not asked for machines: nothing new is allowed there.
  const limits = limitsInForce(world.tenant, world.isNamespaceTaken === true ? undefined : world.plan)
  const view = usageOf(world, limits?.monthlyTokens ?? null)
  return {
    actions: [
      ...(world.hasNamespace || world.isNamespaceTaken === true ? [] : [{ do: 'ensureNamespace' } as const]),
      ...(isAppDue(world) ? [{ do: 'ensureApp' } as const] : []),
    ],
    status: statusOf(world, limits, view.usage),
    isUsageFresh: view.isFresh,
    ...soonest(nextLook(world, view), world),
  }
}

const isAppDue = ({ app, frozenBy, isNamespaceTaken }: TenantWorld): boolean =>
  app?.isDue === true && frozenBy === undefined && isNamespaceTaken !== true

/** A failed app is tried again when its time has come; nothing tells that somebody gave his namespace away. */
function soonest(look: ReturnType<typeof nextLook>, world: TenantWorld): ReturnType<typeof nextLook> {
  const { app } = world
  if (world.isNamespaceTaken === true) return { requeueAfterMs: NAMESPACE_LOOK_MS, requeueReason: 'namespace' }
  const retryInMs = app?.retryInMs ?? Infinity
  if (areStrangersUnsure(world) && STRANGERS_LOOK_MS < Math.min(retryInMs, look.requeueAfterMs))
    return { requeueAfterMs: STRANGERS_LOOK_MS, requeueReason: 'strangers' }
  return retryInMs < look.requeueAfterMs ? { requeueAfterMs: retryInMs, requeueReason: 'app' } : look
}

function statusOf(world: TenantWorld, limits: EffectiveLimits | undefined, usage: Usage): TenantStatus {
  const { tenant, slots, now } = world
  const { generation } = tenant.metadata
  const problems = problemsOf(world, limits, usage)
  const running = slots.holders?.length ?? 0
  const queued = slots.queue?.length ?? 0
  const away = ledgerAway(world)
  const blockers = [...[...problems, ...away].map((problem) => problem.blocker), ...queueBlocker(world, limits)]
  return {
    observedGeneration: generation,
    ...(world.isNamespaceTaken === true ? {} : { namespace: tenant.metadata.name }),
    ...(limits === undefined ? {} : { limits }),
    usage,
    // Recorded for the ledger, by whoever reserves (assembly/recount.ts): only passed on here.
    ...(tenant.status?.tokenCeilings === undefined ? {} : { tokenCeilings: tenant.status.tokenCeilings }),
    sprites: { declared: world.spritesDeclared, running, queued },
    ...(limits === undefined
      ? {}
      : {
          runningText: runningText(running, limits.concurrentSprites),
          tokensText: tokensText(usage, limits.monthlyTokens),
        }),
    ...(blockers.length === 0 ? {} : { blockers }),
    conditions: mergeConditions(tenant.status?.conditions, conditionsOf(world, limits, problems), { generation, now }),
  }
}

type Problem = PlaceProblem

/** What stands in the way, the gravest first: it is the one that Ready speaks of. */
function problemsOf(world: TenantWorld, limits: EffectiveLimits | undefined, usage: Usage): readonly Problem[] {
  return [
    ...planIsMissing(world),
    ...namespaceProblems(world),
    ...placeProblems(world),
    ...[budgetProblem(usage, limits?.monthlyTokens ?? null)].filter((found) => found !== undefined),
    ...anthropicKeyIsMissing(world),
    ...configIsAbovePlan(world),
    ...anthropicKeyIsAbovePlan(world),
  ]
}

function planIsMissing({ tenant, plan }: TenantWorld): readonly Problem[] {
  if (plan !== undefined) return []
  const fix = `Apply Plan ${tenant.spec.plan}, or set spec.plan to one that exists; the last known limits hold until then`
  const message = `Plan ${tenant.spec.plan} does not exist; the last known limits hold. Apply it or change spec.plan`
  return [{ message, blocker: { reason: 'PlanNotFound', fix } }]
}

function anthropicKeyIsMissing({ tenant, anthropicKeyFault: fault }: TenantWorld): readonly Problem[] {
  const ref = tenant.spec.config.anthropicKeySecretRef
  if (ref === undefined || fault === undefined) return []
  const fix = keyFaultText(tenant.metadata.name, ref, fault)
  return [{ message: `No call to the model is made. ${fix}`, blocker: { reason: 'AnthropicKeyMissing', fix } }]
}

/** A plan that was lowered: the tenant goes on paying for itself rather than with the key of the control plane. */
function anthropicKeyIsAbovePlan({ tenant, plan }: TenantWorld): readonly Problem[] {
  if (plan === undefined || !isKeyAbovePlan(tenant.spec.config, plan.spec)) return []
  const fix = 'Remove spec.config.anthropicKeySecretRef or take a plan with perTenantAnthropicKey'
  const message = `The tenant brings an Anthropic key of its own, which plan ${plan.metadata.name} does not sell; it goes on being used. ${fix}`
  return [{ message, blocker: { reason: 'LimitAbovePlan', fix } }]
}

function configIsAbovePlan({ tenant, plan }: TenantWorld): readonly Problem[] {
  if (plan === undefined) return []
  const { config } = tenant.spec
  const above = fieldsAbovePlan(config, plan.spec)
  const numbers = above.filter((field) => field !== 'enabledAgents')
  const ask = `asks for more than plan ${plan.metadata.name} sells`
  const fix = `Lower it in spec.config or take a larger plan; the plan's limit holds until then`
  const limitProblem = {
    message: `${nameList(numbers)} ${ask}; the plan's limit holds. Lower it or take a larger plan`,
    blocker: { reason: 'LimitAbovePlan', fix: `${nameList(numbers)} ${ask}. ${fix}` },
  }
  const enabled = config.enabledAgents?.length ?? 0
  const limit = plan.spec.agentTypes ?? 0
  const agentFix = `Enable at most ${limit} agent types in spec.config.enabledAgents or take a larger plan`
  const agentProblem = {
    message: `${enabled} agent types are enabled, plan ${plan.metadata.name} allows ${limit}. ${agentFix}`,
    blocker: { reason: 'AgentTypesAbovePlan', limit, requested: enabled, fix: agentFix },
  }
  return [...(above.includes('enabledAgents') ? [agentProblem] : []), ...(numbers.length > 0 ? [limitProblem] : [])]
}

function conditionsOf(
  world: TenantWorld,
  limits: EffectiveLimits | undefined,
  problems: readonly Problem[],
): readonly ConditionPatch[] {
  const budget = problems.find(({ blocker: { reason } }) => reason === 'BudgetExhausted' || reason === 'BudgetTooSmall')
  const own: readonly ConditionPatch[] =
    budget === undefined
      ? []
      : [{ type: BUDGET_CONDITION, status: 'True', reason: budget.blocker.reason, message: budget.message }]
  const gravest = withStandingRequestId(world.tenant.status?.conditions, summaryOf(world, limits, problems[0]))
  return [
    ...gravest,
    ...own,
    ...ledgerConditions(ledgerAway(world)),
    ...placeConditions(world),
    ...strangersCondition(world),
  ]
}

function summaryOf(
  { tenant, plan, slots, frozenBy }: TenantWorld,
  limits: EffectiveLimits | undefined,
  gravest: Problem | undefined,
): readonly ConditionPatch[] {
  if (plan !== undefined && frozenBy !== undefined) return ready('Frozen', frozenText(frozenBy))
  if (plan !== undefined && tenant.spec.suspend) {
    return ready('Suspended', 'Machines are stopped and no work starts: set spec.suspend to false to go on')
  }
  if (gravest !== undefined) return stalled(gravest.blocker.reason, gravest.message)
  const running = slots.holders?.length ?? 0
  const limit = limits?.concurrentSprites ?? null
  if (limit === null || running <= limit) return ready('Active', 'Sprites run within the limits in status.limits')
  return ready('Active', `${running} sprites run and ${limit} may: the others finish what they do, then stop`)
}

/** Sprites that wait for a slot, so that the tenant too answers why they do not run; it stays ready. */
function queueBlocker({ tenant, slots }: TenantWorld, limits: EffectiveLimits | undefined): readonly Blocker[] {
  const waiting = slots.queue ?? []
  const limit = limits?.concurrentSprites ?? null
  if (waiting.length === 0 || limit === null) return []
  const holders = (slots.holders ?? []).map((holder) => holder.sprite).sort()
  const isOwnLimit = tenant.spec.config.maxConcurrentSprites === limit
  const raise = isOwnLimit ? 'raise spec.config.maxConcurrentSprites' : 'take a plan with more concurrent sprites'
  return [
    {
      reason: 'LimitReached',
      limit,
      used: holders.length,
      requested: holders.length + waiting.length,
      holders: holders.slice(0, 50),
      fix: `Wait until a sprite goes idle, stop one, or ${raise}`,
    },
  ]
}
