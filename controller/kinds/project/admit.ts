/** Decides whether a write of a Project may go on. Pure. */
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
import { agentTypesOf } from '../agent-types.ts'
import { isProtected } from '../marks.ts'
import { nameList, suggestion } from '../names.ts'
import { tenantKind } from '../tenant/schema.ts'
import { workKind } from '../work/schema.ts'
import type { Project, ProjectSpec } from './schema.ts'

/** AD40 agent types are known and allowed; AD41 dependsOn names tasks of the project; AD42 without a cycle; AD69 protected, it is not deleted at work. */
export const projectAdmission = admissionOf<Project>({
  writeNeeds: (object) => [...tenantNeeds(object), ...agentTypeNeeds(object)],
  write: (request, related) => {
    const { object, old } = request
    const dependencies = checkDependencies(object.spec.work)
    const view = viewTenant(request, related)
    if (view.tenant === undefined) return [...view.refusal, ...dependencies]
    const before = old === undefined ? [] : agentTypesOf(old)
    // What was admitted before is not judged again: a smaller plan does not block a new brief.
    const kept = before.filter((agentType) => agentTypesOf(object).includes(agentType))
    const named = namedAgentTypes(object.spec).filter(({ agentType }) => !before.includes(agentType))
    return [...checkAgentTypes(named, { ...view, alsoInUse: kept }, request, related), ...dependencies]
  },
  deleteNeeds: (object) =>
    isProtected(object)
      ? [
          { kind: tenantKind, key: tenantKeyOf(object) },
          { kind: workKind, namespace: object.metadata.namespace ?? '' },
        ]
      : [],
  delete: (request, related) => checkProtection(request, related),
})

function checkProtection({ object }: AdmissionRequest<Project>, related: Related): readonly Violation[] {
  const { name, namespace = '' } = object.metadata
  const tenant = related.get(tenantKind, tenantKeyOf(object))
  if (!isProtected(object) || tenant === undefined || isDeleting(tenant)) return []
  const atWork = related
    .list(workKind, namespace)
    .filter((work) => work.spec.project === name && work.status?.phase === 'InProgress')
    .map((work) => work.metadata.name)
  if (atWork.length === 0) return []
  const message = `Cannot delete project "${name}": it is protected and work is in progress (${nameList(atWork)}); wait, cancel the work, or remove annotation sprites.highera.com/protected`
  return [forbidden('metadata.annotations', message)]
}

/** Each agent type once, with the first field that names it. */
function namedAgentTypes(spec: ProjectSpec): readonly { readonly agentType: string; readonly field: string }[] {
  const fields = [
    ...spec.agentsNeeded.map((agentType, index) => ({ agentType, field: `spec.agentsNeeded[${index}]` })),
    ...spec.work.map(({ agentType }, index) => ({ agentType, field: `spec.work[${index}].agentType` })),
  ]
  return fields.filter((one, index) => fields.findIndex(({ agentType }) => agentType === one.agentType) === index)
}

function checkDependencies(items: ProjectSpec['work']): readonly Violation[] {
  const names = items.map((item) => item.name)
  const unknown = items.flatMap((item, index) =>
    (item.dependsOn ?? []).flatMap((name, place) => {
      if (names.includes(name)) return []
      const message = `Cannot depend on task "${name}": the project declares no such task; ${suggestion(name, names)}`
      return [invalid(`spec.work[${index}].dependsOn[${place}]`, message)]
    }),
  )
  return unknown.length > 0 ? unknown : checkCycle(items)
}

/** Takes away tasks whose dependencies are all taken away, until none is left or the rest goes in a circle. */
function checkCycle(items: ProjectSpec['work']): readonly Violation[] {
  let rest = items
  for (let round = 0; round <= items.length; round++) {
    const waiting = new Set(rest.map((item) => item.name))
    const next = rest.filter((item) => (item.dependsOn ?? []).some((name) => waiting.has(name)))
    if (next.length === rest.length) break
    rest = next
  }
  if (rest.length === 0) return []
  const circle = circleOf(rest)
  const index = items.findIndex((item) => item.name === circle[0])
  const message = `Cannot order tasks "${circle.join(' → ')}": each waits for the next; remove one dependsOn`
  return [invalid(`spec.work[${index}].dependsOn`, message)]
}

/** One circle among tasks that all wait for one another; the walk ends because the tasks are finite. */
function circleOf(rest: ProjectSpec['work']): readonly string[] {
  const byName = new Map(rest.map((item) => [item.name, item]))
  const path: string[] = []
  let name = rest[0]?.name
  while (name !== undefined && !path.includes(name)) {
    path.push(name)
    name = byName.get(name)?.dependsOn?.find((dependency) => byName.has(dependency))
  }
  const start = name === undefined ? 0 : path.indexOf(name)
  return [...path.slice(start), ...(name === undefined ? [] : [name])].slice(0, 10)
}
