/** Decides whether a write of a Work may go on. Pure. */
import type { AdmissionRequest, Related, Violation } from '../../api/admission.ts'
import { isDeleting } from '../../api/object.ts'
import { parseTimestamp } from '../../../system/timestamp.ts'
import {
  admissionOf,
  agentTypeNeeds,
  checkAgentTypes,
  forbidden,
  invalid,
  isController,
  tenantKeyOf,
  tenantNeeds,
  viewTenant,
} from '../admission.ts'
import { orPlan } from '../agent-types.ts'
import { isProtected } from '../marks.ts'
import { suggestion } from '../names.ts'
import { projectKind } from '../project/schema.ts'
import { unknownProject } from '../sprite/admit.ts'
import { spriteKind } from '../sprite/schema.ts'
import { tenantKind } from '../tenant/schema.ts'
import type { Work } from './schema.ts'

type Request = AdmissionRequest<Work>

/** AD60 to AD66: references, priority, deadline; AD67 a protected work in progress is not deleted. */
export const workAdmission = admissionOf<Work>({
  writeNeeds: (object) => [...tenantNeeds(object), ...agentTypeNeeds(object)],
  write: (request, related) => {
    const view = viewTenant(request, related)
    if (view.tenant === undefined) return [...view.refusal, ...checkSelf(request)]
    const { agentType } = request.object.spec
    const isNewType = agentType !== undefined && agentType !== request.old?.spec.agentType
    const named = isNewType ? [{ agentType, field: 'spec.agentType' }] : []
    return [
      ...checkAgentTypes(named, view, request, related),
      ...checkSprite(request, related),
      ...checkProject(request, related),
      ...checkSelf(request),
      ...(view.limits.priorityRouting ? [] : checkPriority(request, view.tenant.spec.plan, view.plans)),
    ]
  },
  deleteNeeds: (object) => (isProtected(object) ? [{ kind: tenantKind, key: tenantKeyOf(object) }] : []),
  delete: (request, related) => checkProtection(request, related),
})

function checkSprite({ object, old }: Request, related: Related): readonly Violation[] {
  const { sprite: name, agentType } = object.spec
  if (name === undefined || (name === old?.spec.sprite && agentType === old.spec.agentType)) return []
  const sprites = related.list(spriteKind, object.metadata.namespace ?? '')
  const sprite = sprites.find((one) => one.metadata.name === name)
  if (sprite === undefined) {
    const names = sprites.map((one) => one.metadata.name)
    return [invalid('spec.sprite', `Cannot use sprite "${name}": no Sprite has this name; ${suggestion(name, names)}`)]
  }
  if (agentType === undefined || agentType === sprite.spec.agentType) return []
  const message = `Cannot use sprite "${name}": it is of agent type "${sprite.spec.agentType}" and spec.agentType is "${agentType}"; name one of the two, or a sprite of that type`
  return [invalid('spec.sprite', message)]
}

function checkProject({ object, old }: Request, related: Related): readonly Violation[] {
  const { project } = object.spec
  if (project === undefined || project === old?.spec.project) return []
  const names = related.list(projectKind, object.metadata.namespace ?? '').map((one) => one.metadata.name)
  return names.includes(project) ? [] : [unknownProject(project, names)]
}

/** A hand-off inherits deadline and priority; refused for them it would vanish instead of failing where all can see. */
const inherits = (request: Request): boolean => isController(request) && request.object.spec.parent !== undefined

/** What can be seen on the work alone. */
function checkSelf(request: Request): readonly Violation[] {
  const { object, operation, nowMs } = request
  const place = (object.spec.dependsOn ?? []).indexOf(object.metadata.name)
  const self = `Cannot depend on work "${object.metadata.name}": it is this work itself; name others`
  const deadlineAt = parseTimestamp(object.spec.deadline)
  const isPast = operation === 'CREATE' && deadlineAt !== undefined && deadlineAt <= nowMs && !inherits(request)
  const past = `Cannot set deadline to "${object.spec.deadline}": it is in the past; name a later time or leave it out`
  return [
    ...(place < 0 ? [] : [invalid(`spec.dependsOn[${place}]`, self)]),
    ...(isPast ? [invalid('spec.deadline', past)] : []),
  ]
}

function checkPriority(request: Request, plan: string, plans: Parameters<typeof orPlan>[1]): readonly Violation[] {
  const { priority } = request.object.spec
  if (priority === 0 || priority === request.old?.spec.priority || inherits(request)) return []
  const remedy = orPlan('leave it out', plans, (one) => one.spec.priorityRouting)
  const message = `Cannot set priority to "${priority}": plan "${plan}" has no priority routing; ${remedy}`
  return [forbidden('spec.priority', message)]
}

function checkProtection({ object }: Request, related: Related): readonly Violation[] {
  if (!isProtected(object) || object.status?.phase !== 'InProgress') return []
  const tenant = related.get(tenantKind, tenantKeyOf(object))
  // The deletion of the tenant was admitted; nothing of it may hold it up.
  if (tenant === undefined || isDeleting(tenant)) return []
  const message = `Cannot delete work "${object.metadata.name}": it is protected and in progress; wait, set spec.cancelled, or remove annotation sprites.highera.com/protected`
  return [forbidden('metadata.annotations', message)]
}
