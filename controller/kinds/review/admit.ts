/** Decides whether a write of a Review may go on. Pure. */
import type { AdmissionRequest, Violation } from '../../api/admission.ts'
import {
  admissionOf,
  agentTypeNeeds,
  checkAgentTypes,
  forbidden,
  invalid,
  isController,
  tenantNeeds,
  viewTenant,
} from '../admission.ts'
import { suggestion } from '../names.ts'
import { sameJson } from '../status.ts'
import { workKind } from '../work/schema.ts'
import { PERSON, type Review } from './schema.ts'

/** The schema takes no longer name. */
const BY_CHARS_MAX = 254

/**
 * AD70 the work exists; AD71 the reviewer is a person or an agent type that is known and allowed. At CREATE only: both
 * are immutable. AD72 nobody answers in the name of somebody else.
 */
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
    const forgery = checkBy(request)
    if (request.operation === 'UPDATE') return forgery
    const view = viewTenant(request, related)
    if (view.tenant === undefined) return view.refusal
    const { work, reviewer } = request.object.spec
    const works = related.list(workKind, request.object.metadata.namespace ?? '').map((one) => one.metadata.name)
    const named = reviewer === PERSON ? [] : [{ agentType: reviewer, field: 'spec.reviewer' }]
    const missing = `Cannot review work "${work}": no Work has this name; ${suggestion(work, works)}`
    return [
      ...forgery,
      ...(works.includes(work) ? [] : [invalid('spec.work', missing)]),
      ...checkAgentTypes(named, view, request, related),
    ]
  },
})

/** An answer that stands may be written again as it is, as GitOps tools do; a new one is its writer's. */
function checkBy(request: AdmissionRequest<Review>): readonly Violation[] {
  const { object, old, actor } = request
  const { answer } = object.spec
  const own = actor.name.slice(0, BY_CHARS_MAX)
  if (answer?.by === undefined || answer.by === own || isController(request)) return []
  if (sameJson(answer, old?.spec.answer)) return []
  const message = `Cannot answer as "${answer.by}": you are "${own}"; write your own name, or leave answer.by out`
  return [forbidden('spec.answer.by', message)]
}
