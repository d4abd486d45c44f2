/** Decides what every kind's admission has in common: when it looks at all, the tenant, its limits and agent types. Pure. */
import type { Admission, AdmissionRequest, Need, Operation, Related, Violation } from '../api/admission.ts'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { isDeleting, type KubeObject } from '../api/object.ts'
import { agentTypeMessage, agentTypesInUse, judgeAgentType, type AgentTypeWorld } from './agent-types.ts'
import { personaKind } from './persona/schema.ts'
import { planKind, type Plan } from './plan/schema.ts'
import { projectKind } from './project/schema.ts'
import { spriteKind } from './sprite/schema.ts'
import { sameJson } from './status.ts'
import { limitsInForce, type EffectiveLimits } from './tenant/limits.ts'
import { tenantKind, type Tenant } from './tenant/schema.ts'

/** A limit is reached or a right is missing: 403, as ResourceQuota refuses. */
export const forbidden = (field: string, message: string): Violation => ({ reason: 'Forbidden', field, message })

/** A field is wrong: 422. */
export const invalid = (field: string, message: string): Violation => ({ reason: 'Invalid', field, message })

/** Whether the control plane itself asks. */
export const isController = (request: Pick<AdmissionRequest, 'actor'>): boolean =>
  request.actor.name === CONTROLLER_ACTOR.name

/** The rules of one kind; each part is asked only where it applies. */
export type Rules<O extends KubeObject> = {
  /** What `write` has to see, for CREATE and for an UPDATE that changes spec. */
  readonly writeNeeds: (object: O, old: O | undefined) => readonly Need[]
  readonly write: (request: AdmissionRequest<O>, related: Related) => readonly Violation[]
  readonly deleteNeeds?: (object: O) => readonly Need[]
  readonly delete?: (request: AdmissionRequest<O>, related: Related) => readonly Violation[]
}

/** An update that leaves spec as it is (finalizers, annotations, status) is never refused: reconcilers must get through. */
const leavesSpec = (object: KubeObject, old: KubeObject | undefined, operation: Operation): boolean =>
  operation === 'UPDATE' && old !== undefined && sameJson(object.spec, old.spec)

/** The admission made of a kind's rules. */
export const admissionOf = <O extends KubeObject>(rules: Rules<O>): Admission<O> => ({
  needs: (object, old, operation) => {
    if (operation === 'DELETE') return rules.deleteNeeds?.(object) ?? []
    return leavesSpec(object, old, operation) ? [] : rules.writeNeeds(object, old)
  },
  admit: (request, related) => {
    if (request.operation === 'DELETE') return rules.delete?.(request, related) ?? []
    return leavesSpec(request.object, request.old, request.operation) ? [] : rules.write(request, related)
  },
})

/** The tenant of an object: its namespace has the tenant's name. */
export const tenantKeyOf = (object: KubeObject) => ({ namespace: '', name: object.metadata.namespace ?? '' })

/** The tenant and all plans: for limits, and to name the plan that would allow what this one does not. */
export const tenantNeeds = (object: KubeObject): readonly Need[] => [
  { kind: tenantKind, key: tenantKeyOf(object) },
  { kind: planKind, namespace: '' },
]

/** What the judgement of agent types has to see: everything of the tenant that names one. */
export const agentTypeNeeds = (object: KubeObject): readonly Need[] => {
  const namespace = object.metadata.namespace ?? ''
  return [personaKind, spriteKind, projectKind].map((kind) => ({ kind, namespace }))
}

/** The tenant of a write with its limits; `refusal` instead when there is none to write into. */
export type TenantView =
  | {
      readonly refusal: readonly Violation[]
      readonly tenant?: undefined
    }
  | {
      readonly refusal?: undefined
      readonly tenant: Tenant
      readonly limits: EffectiveLimits
      readonly plans: readonly Plan[]
    }

/** Reads the tenant of a namespaced object. On UPDATE a missing tenant refuses nothing: there is no limit to hold it to. */
export function viewTenant(request: AdmissionRequest, related: Related): TenantView {
  const { kind } = request.object
  const key = tenantKeyOf(request.object)
  const tenant = related.get(tenantKind, key)
  const creates = request.operation === 'CREATE'
  if (tenant === undefined) {
    const remedy =
      key.name === 'default'
        ? 'name its tenant in metadata.namespace, or with -n'
        : `no Tenant has this name; apply Tenant "${key.name}" first`
    const message = `Cannot create ${kind} in namespace "${key.name}": ${remedy}`
    return { refusal: creates ? [invalid('metadata.namespace', message)] : [] }
  }
  if (isDeleting(tenant)) {
    const message = `Cannot create ${kind} in namespace "${key.name}": its Tenant is being deleted; wait until it is gone and apply it anew`
    return { refusal: creates ? [forbidden('metadata.namespace', message)] : [] }
  }
  const plans = related.list(planKind, '')
  const plan = plans.find((one) => one.metadata.name === tenant.spec.plan)
  const limits = limitsInForce(tenant, plan)
  if (limits === undefined) {
    const message = `Cannot create ${kind} in namespace "${key.name}": plan "${tenant.spec.plan}" of its Tenant does not exist; apply the Plan first`
    return { refusal: creates ? [invalid('metadata.namespace', message)] : [] }
  }
  return { tenant, limits, plans }
}

type PresentTenant = Extract<TenantView, { readonly refusal?: undefined }>

/** Judges agent types named by an object, in order; each that is allowed counts against the plan for the next. */
export function checkAgentTypes(
  named: readonly { readonly agentType: string; readonly field: string }[],
  view: PresentTenant & { readonly alsoInUse?: readonly string[] },
  request: AdmissionRequest,
  related: Related,
): readonly Violation[] {
  const world = agentTypeWorldOf(view, request, related)
  const inUse = [...new Set([...agentTypesInUse(world), ...(view.alsoInUse ?? [])])]
  return named.flatMap(({ agentType, field }) => {
    const verdict = judgeAgentType(agentType, world, inUse)
    if (verdict === 'allowed') {
      if (!inUse.includes(agentType)) inUse.push(agentType)
      return []
    }
    const message = agentTypeMessage(agentType, verdict, { world, tenant: view.tenant, plans: view.plans, inUse })
    return [verdict === 'unknown' ? invalid(field, message) : forbidden(field, message)]
  })
}

/** The agent types around a write: the object itself, and what is being deleted, does not count. */
export function agentTypeWorldOf(view: PresentTenant, request: AdmissionRequest, related: Related): AgentTypeWorld {
  const namespace = request.object.metadata.namespace ?? ''
  const isOther = (object: KubeObject): boolean =>
    object.kind !== request.object.kind || object.metadata.name !== request.object.metadata.name
  return {
    builtinAgentTypes: request.builtinAgentTypes,
    personas: related.list(personaKind, namespace),
    sprites: related.list(spriteKind, namespace).filter(isOther),
    projects: related.list(projectKind, namespace).filter(isOther),
    agentTypesLimit: view.limits.agentTypes,
    customPersonas: view.limits.customPersonas,
    enabledAgents: view.tenant.spec.config.enabledAgents,
  }
}
