/** Decides whether a write of a Sprite may go on. Pure. */
import type { AdmissionRequest, Related, Violation } from '../../api/admission.ts'
import { isDeleting } from '../../api/object.ts'
import {
  admissionOf,
  agentTypeNeeds,
  checkAgentTypes,
  forbidden,
  invalid,
  tenantKeyOf,
  tenantNeeds,
  viewTenant,
} from '../admission.ts'
import type { Guest } from '../fields.ts'
import { isProtected } from '../marks.ts'
import { suggestion } from '../names.ts'
import { projectKind, type Project } from '../project/schema.ts'
import { sameJson } from '../status.ts'
import { tenantKind } from '../tenant/schema.ts'
import type { EffectiveLimits } from '../tenant/limits.ts'
import type { Sprite } from './schema.ts'

/** AD68 a protected sprite is not deleted at work; AD50 agent type known and allowed; AD51 project exists; AD52 guest, AD53 idle timeout within the tenant's limits. */
export const spriteAdmission = admissionOf<Sprite>({
  writeNeeds: (object) => [...tenantNeeds(object), ...agentTypeNeeds(object)],
  write: (request, related) => {
    const view = viewTenant(request, related)
    if (view.tenant === undefined) return view.refusal
    const bounds = [...checkGuest(request, view.limits), ...checkIdleTimeout(request, view.limits)]
    // agentType and project are immutable: an update cannot bring in new ones.
    if (request.operation === 'UPDATE') return bounds
    const { agentType, project } = request.object.spec
    const projects = related.list(projectKind, request.object.metadata.namespace ?? '').map((one) => one.metadata.name)
    return [
      ...checkAgentTypes([{ agentType, field: 'spec.agentType' }], view, request, related),
      ...(project === undefined || projects.includes(project) ? [] : [unknownProject(project, projects)]),
      ...bounds,
    ]
  },
  deleteNeeds: (object) =>
    isProtected(object) && object.status?.currentTask !== undefined
      ? [
          { kind: tenantKind, key: tenantKeyOf(object) },
          { kind: projectKind, namespace: object.metadata.namespace ?? '' },
        ]
      : [],
  delete: (request, related) => checkProtection(request, related),
})

function checkProtection({ object }: AdmissionRequest<Sprite>, related: Related): readonly Violation[] {
  const { name, namespace = '' } = object.metadata
  const task = object.status?.currentTask
  if (!isProtected(object) || task === undefined) return []
  const tenant = related.get(tenantKind, tenantKeyOf(object))
  const { project } = object.spec
  const owner = related.list(projectKind, namespace).find((one) => one.metadata.name === project)
  // The deletion of its tenant or project was admitted; nothing of it may hold it up.
  const goesWith = tenant === undefined || isDeleting(tenant) || (project !== undefined && !isThere(owner))
  if (goesWith) return []
  const message = `Cannot delete sprite "${name}": it is protected and works on ${task}; wait, cancel the work, or remove annotation sprites.highera.com/protected`
  return [forbidden('metadata.annotations', message)]
}

const isThere = (object: Project | undefined): boolean => object !== undefined && !isDeleting(object)

/** The refusal of a project that is not there. */
export const unknownProject = (project: string, projects: readonly string[]): Violation =>
  invalid('spec.project', `Cannot use project "${project}": no Project has this name; ${suggestion(project, projects)}`)

const CPU_RANK: Readonly<Record<Guest['cpuKind'], number>> = { shared: 0, performance: 1 }

function checkGuest({ object, old }: AdmissionRequest<Sprite>, limits: EffectiveLimits): readonly Violation[] {
  const { guest } = object.spec
  if (guest === undefined || sameJson(guest, old?.spec.guest)) return []
  const most = limits.guest
  const refusals: readonly (readonly [boolean, keyof Guest])[] = [
    [CPU_RANK[guest.cpuKind] > CPU_RANK[most.cpuKind], 'cpuKind'],
    [guest.cpus > most.cpus, 'cpus'],
    [guest.memoryMb > most.memoryMb, 'memoryMb'],
  ]
  return refusals.flatMap(([isAbove, field]) => {
    if (!isAbove) return []
    const message = `Cannot set guest.${field} to "${guest[field]}": the tenant's plan sells "${most[field]}"; ask for at most that, or take a larger plan`
    return [forbidden(`spec.guest.${field}`, message)]
  })
}

function checkIdleTimeout({ object, old }: AdmissionRequest<Sprite>, limits: EffectiveLimits): readonly Violation[] {
  const asked = object.spec.idleTimeoutSeconds
  const most = limits.spriteIdleTimeoutSeconds
  if (asked === undefined || asked === old?.spec.idleTimeoutSeconds || asked <= most) return []
  const message = `Cannot set idleTimeoutSeconds to "${asked}": the tenant's limit is ${most}; ask for at most ${most}, or take a larger plan`
  return [forbidden('spec.idleTimeoutSeconds', message)]
}
