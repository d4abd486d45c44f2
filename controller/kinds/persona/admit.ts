/** Decides whether a write of a Persona may go on. Pure. */
import type { AdmissionRequest, Related, Violation } from '../../api/admission.ts'
import { admissionOf, forbidden, invalid, tenantNeeds, viewTenant } from '../admission.ts'
import { orPlan } from '../agent-types.ts'
import { suggestion } from '../names.ts'
import { personaKind, type PersonaObject } from './schema.ts'

/** AD30 the plan has custom personas; AD31 hand-offs go to agent types that exist. */
export const personaAdmission = admissionOf<PersonaObject>({
  writeNeeds: (object) => [...tenantNeeds(object), { kind: personaKind, namespace: object.metadata.namespace ?? '' }],
  write: (request, related) => {
    const view = viewTenant(request, related)
    if (view.tenant === undefined) return view.refusal
    if (!view.limits.customPersonas) {
      const remedy = orPlan('use a built-in agent type', view.plans, (plan) => plan.spec.customPersonas)
      const message = `Cannot declare persona "${request.object.metadata.name}": plan "${view.tenant.spec.plan}" has no custom personas; ${remedy}`
      return [forbidden('spec', message)]
    }
    return checkHandOffs(request, related)
  },
})

function checkHandOffs(
  { object, old, builtinAgentTypes }: AdmissionRequest<PersonaObject>,
  related: Related,
): readonly Violation[] {
  const personas = related.list(personaKind, object.metadata.namespace ?? '').map((one) => one.metadata.name)
  const known = new Set([...builtinAgentTypes, ...personas, object.metadata.name])
  return object.spec.mayHandOffTo.flatMap((target, index) => {
    if (known.has(target) || old?.spec.mayHandOffTo.includes(target)) return []
    const message = `Cannot hand off to agent type "${target}": no persona has this name; ${suggestion(target, known)}`
    return [invalid(`spec.mayHandOffTo[${index}]`, message)]
  })
}
