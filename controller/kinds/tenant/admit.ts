/** Decides whether a write of a Tenant may go on. Pure. */
import type { AdmissionRequest, Related, Violation } from '../../api/admission.ts'
import { admissionOf, forbidden, invalid } from '../admission.ts'
import { OWN_NAMESPACES } from '../../api/namespaces.ts'
import { orPlan } from '../agent-types.ts'
import { isProtected } from '../marks.ts'
import { nameList, suggestion } from '../names.ts'
import { sameJson } from '../status.ts'
import { planKind, type Plan, type PlanSpec } from '../plan/schema.ts'
import { isTerminal, workKind } from '../work/schema.ts'
import type { Tenant, TenantSpec } from './schema.ts'

type Config = TenantSpec['config']

/** A number in the config and the one of the plan that it may not pass. */
const CAPPED: readonly {
  readonly field: keyof Config
  readonly what: string
  readonly asked: (config: Config) => number | undefined
  readonly limit: (plan: PlanSpec) => number | null
}[] = [
  {
    field: 'maxConcurrentSprites',
    what: 'concurrent sprites',
    asked: (config) => config.maxConcurrentSprites,
    limit: (plan) => plan.concurrentSprites,
  },
  {
    field: 'monthlyTokenBudget',
    what: 'tokens a month',
    asked: (config) => config.monthlyTokenBudget,
    limit: (plan) => plan.monthlyTokens,
  },
  {
    field: 'spriteIdleTimeoutSeconds',
    what: 'seconds of idle time',
    asked: (config) => config.spriteIdleTimeoutSeconds,
    limit: (plan) => plan.spriteIdleTimeoutSeconds,
  },
  {
    field: 'enabledAgents',
    what: 'agent types',
    asked: (config) => config.enabledAgents?.length,
    limit: (plan) => plan.agentTypes,
  },
]

/** The fields of a config that ask for more than a plan has, as a reconciler reports them. */
export const fieldsAbovePlan = (config: Config, plan: PlanSpec): readonly (keyof Config)[] =>
  CAPPED.filter((capped) => isAbove(capped.asked(config), capped.limit(plan))).map((capped) => capped.field)

const isAbove = (asked: number | undefined, limit: number | null): boolean =>
  asked !== undefined && limit !== null && asked > limit

/** AD6 the name is free; AD1 the plan exists; AD2, AD3, AD5 the config is within the plan; AD4 a protected tenant is not deleted at work. */
export const tenantAdmission = admissionOf<Tenant>({
  writeNeeds: () => [{ kind: planKind, namespace: '' }],
  write: checkWrite,
  deleteNeeds: (tenant) => (isProtected(tenant) ? [{ kind: workKind, namespace: tenant.metadata.name }] : []),
  delete: checkProtection,
})

/** Namespaces that every cluster has (events of cluster-scoped objects lie in `default`), and that of the platform. */
const RESERVED_NAMES: ReadonlySet<string> = new Set([
  ...OWN_NAMESPACES,
  'kube-system',
  'kube-public',
  'kube-node-lease',
])

function checkWrite(request: AdmissionRequest<Tenant>, related: Related): readonly Violation[] {
  const { name } = request.object.metadata
  if (!RESERVED_NAMES.has(name)) return checkPlan(request, related)
  return [
    invalid(
      'metadata.name',
      `Cannot name a tenant "${name}": a namespace of the control plane has this name; choose another`,
    ),
  ]
}

function checkPlan({ object, old }: AdmissionRequest<Tenant>, related: Related): readonly Violation[] {
  const plans = related.list(planKind, '')
  const plan = plans.find((one) => one.metadata.name === object.spec.plan)
  const movesPlan = old === undefined || old.spec.plan !== object.spec.plan
  if (plan === undefined) {
    if (!movesPlan) return []
    const names = plans.map((one) => one.metadata.name)
    const message = `Cannot use plan "${object.spec.plan}": no Plan has this name; ${suggestion(object.spec.plan, names)}`
    return [invalid('spec.plan', message)]
  }
  const ref = object.spec.config.anthropicKeySecretRef
  const numbers = CAPPED.flatMap((capped) => {
    const asked = capped.asked(object.spec.config)
    const isNew = movesPlan || asked !== capped.asked(old.spec.config)
    return isNew && isAbove(asked, capped.limit(plan.spec)) ? [refuse(capped, asked ?? 0, plan, plans)] : []
  })
  const bringsKey = movesPlan || !sameJson(ref, old.spec.config.anthropicKeySecretRef)
  return [...numbers, ...(bringsKey && isKeyAbovePlan(object.spec.config, plan.spec) ? [refuseKey(plan, plans)] : [])]
}

/** Whether a config brings an Anthropic key that the plan does not allow. */
export const isKeyAbovePlan = (config: Config, plan: PlanSpec): boolean =>
  config.anthropicKeySecretRef !== undefined && !plan.perTenantAnthropicKey

function refuseKey(plan: Plan, plans: readonly Plan[]): Violation {
  const remedy = orPlan('leave it out', plans, (one) => one.spec.perTenantAnthropicKey)
  const message = `Cannot set anthropicKeySecretRef: plan "${plan.metadata.name}" has no Anthropic key of the tenant’s own; ${remedy}`
  return forbidden('spec.config.anthropicKeySecretRef', message)
}

function refuse(capped: (typeof CAPPED)[number], asked: number, plan: Plan, plans: readonly Plan[]): Violation {
  const limit = capped.limit(plan.spec)
  const remedy = orPlan(`ask for at most ${limit}`, plans, (one) => !isAbove(asked, capped.limit(one.spec)))
  const message = `Cannot set ${capped.field} to "${asked}": plan "${plan.metadata.name}" allows ${limit} ${capped.what}; ${remedy}`
  return forbidden(`spec.config.${capped.field}`, message)
}

function checkProtection({ object }: AdmissionRequest<Tenant>, related: Related): readonly Violation[] {
  if (!isProtected(object)) return []
  const { name } = object.metadata
  const going = related
    .list(workKind, name)
    .filter((work) => isAtWork(work.status?.phase))
    .map((work) => work.metadata.name)
  if (going.length === 0) return []
  const message = `Cannot delete tenant "${name}": it is protected and work is in progress (${nameList(going)}); wait, cancel the work, or remove annotation sprites.highera.com/protected`
  return [forbidden('metadata.annotations', message)]
}

const isAtWork = (phase: Parameters<typeof isTerminal>[0]): boolean =>
  phase !== undefined && phase !== 'Pending' && !isTerminal(phase)
