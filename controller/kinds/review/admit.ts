/** Decides whether a write of a Review may go on. Pure. */
import { admissionOf, agentTypeNeeds, checkAgentTypes, invalid, tenantNeeds, viewTenant } from '../admission.ts'
import { suggestion } from '../names.ts'
import { workKind } from '../work/schema.ts'
import { PERSON, type Review } from './schema.ts'

/** AD70 the work exists; AD71 the reviewer is a person or an agent type that is known and allowed. At CREATE only: both are immutable. */
export const reviewAdmission = admissionOf<Review>({
  writeNeeds: (object, old) =>
    old === undefined
      ? [
          ...tenantNeeds(object),
          ...agentTypeNeeds(object),
          { kind: workKind, namespace: object.metadata.namespace ?? '' },
        ]
      : [],
  write: (request, related) => {
    if (request.operation === 'UPDATE') return []
    const view = viewTenant(request, related)
    if (view.tenant === undefined) return view.refusal
    const { work, reviewer } = request.object.spec
    const works = related.list(workKind, request.object.metadata.namespace ?? '').map((one) => one.metadata.name)
    const named = reviewer === PERSON ? [] : [{ agentType: reviewer, field: 'spec.reviewer' }]
    const missing = `Cannot review work "${work}": no Work has this name; ${suggestion(work, works)}`
    return [
      ...(works.includes(work) ? [] : [invalid('spec.work', missing)]),
      ...checkAgentTypes(named, view, request, related),
    ]
  },
})
