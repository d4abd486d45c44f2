/** Asks a resource's admission about a write: reads what it needs to see, then refuses with the first sort of violation. */
import type { Need, Operation, Violation } from '../api/admission.ts'
import { relatedFrom } from '../api/admission.ts'
import { resourceName } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import { jsonEqual } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Actor } from '../api/admission.ts'
import type { RegistryOptions } from './ports.ts'
import { conflict, forbidden, invalid } from './refusals.ts'
import { objectOf } from './records.ts'
import { contentDiffers } from './stamp.ts'

/** A write that has been validated and is to be admitted. */
export type AdmitRequest = {
  readonly operation: Operation
  readonly object: KubeObject
  readonly old?: KubeObject
  readonly actor: Actor
}

/** Throws ApiError Forbidden, Invalid or Conflict when admission refuses. */
export async function admit(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  request: AdmitRequest,
): Promise<void> {
  const { admission } = resource
  if (admission === undefined || !(admission.judgesStatus === true || concernsAdmission(request))) return
  const needs = admission.needs(request.object, request.old, request.operation)
  const related = (await Promise.all(needs.map((need) => readNeed(ports, need)))).flat()
  const violations = admission.admit(
    { ...request, nowMs: ports.clock.now(), builtinAgentTypes: ports.builtinAgentTypes },
    relatedFrom(related),
  )
  if (violations.length > 0) throw refusalOf(resource, request.object.metadata.name, violations)
}

/**
 * An update that leaves spec, labels and annotations alone, or of an object that is going, cannot break a limit;
 * asking would only hold finalizers up.
 */
function concernsAdmission({ operation, object, old }: AdmitRequest): boolean {
  if (operation !== 'UPDATE' || old === undefined) return true
  if (old.metadata.deletionTimestamp !== undefined) return false
  return (
    contentDiffers(old, object) ||
    !jsonEqual(old.metadata.labels, object.metadata.labels) ||
    !jsonEqual(old.metadata.annotations, object.metadata.annotations)
  )
}

async function readNeed(ports: RegistryOptions, need: Need): Promise<readonly KubeObject[]> {
  const collection = resourceName(need.kind)
  if ('key' in need) {
    const record = await ports.store.read({ collection, ...need.key })
    return record === undefined ? [] : [objectOf(record)]
  }
  const { records } = await ports.store.list(collection, { namespace: need.namespace, mayLag: true })
  return records.map(objectOf)
}

const CAUSE_REASONS = { Forbidden: 'FieldValueForbidden', Invalid: 'FieldValueInvalid', Conflict: 'Conflict' } as const

function refusalOf(resource: ResourceDefinition, name: string, violations: readonly Violation[]): Error {
  const causes = violations.map(({ reason, field, message }) => ({ reason: CAUSE_REASONS[reason], message, field }))
  // A limit speaks louder than a conflict, and that louder than a bad field: fixing the field would not help.
  if (violations.some((violation) => violation.reason === 'Forbidden')) return forbidden(resource, name, causes)
  if (violations.some((violation) => violation.reason === 'Conflict'))
    return conflict(resource, name, { why: causes.map((cause) => cause.message).join('; ') })
  return invalid(resource, name, causes)
}
