/** Says what is wrong with an object that is about to be stored: metadata, then schema, then CEL rules. Pure. */
import type { Cause } from '../api/errors.ts'
import { metaCauses } from '../api/meta.ts'
import { nameCauses } from '../api/names.ts'
import type { KubeObject } from '../api/object.ts'
import { jsonEqual } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { compileRules, type RuleCheck } from '../api/schema/cel.ts'
import { scaleCauses } from '../api/schema/scale.ts'
import type { StructuralSchema } from '../api/schema/structural.ts'
import { blocksRules, validate } from '../api/schema/validate.ts'
import { contentDiffers } from './stamp.ts'
import { strategyOf } from './strategy.ts'

/** Rules are compiled once a schema. */
const compiled = new WeakMap<StructuralSchema, RuleCheck>()

function rulesOf(schema: StructuralSchema): RuleCheck {
  const known = compiled.get(schema)
  if (known !== undefined) return known
  const check = compileRules(schema)
  compiled.set(schema, check)
  return check
}

/** What is wrong with a new object. */
export const bornCauses = (resource: ResourceDefinition, object: KubeObject): readonly Cause[] => [
  ...nameCauses(object.metadata.name, resource.kind),
  ...metaCauses(object.metadata),
  ...schemaCauses(resource, object, undefined),
  ...strategyOf(resource).causes(object, undefined),
]

/**
 * What is wrong with a change. The part that did not change is not held against the write: an object that a newer
 * schema would refuse can still get a status, lose a finalizer and go.
 */
export function changeCauses(resource: ResourceDefinition, object: KubeObject, live: KubeObject): readonly Cause[] {
  const statusDiffers = !jsonEqual(live.status, object.status)
  const causes = contentDiffers(live, object) || statusDiffers ? contentCauses(resource, object, live) : []
  const isOfStatus = (cause: Cause): boolean => /^\.?status\b/.test(cause.field ?? '')
  const relevant = causes.filter((cause) => (isOfStatus(cause) ? statusDiffers : contentDiffers(live, object)))
  return [...newFinalizerCauses(object, live), ...metaCauses(object.metadata), ...relevant]
}

const contentCauses = (resource: ResourceDefinition, object: KubeObject, live: KubeObject): readonly Cause[] => [
  ...schemaCauses(resource, object, live),
  ...strategyOf(resource).causes(object, live),
]

function schemaCauses(
  resource: ResourceDefinition,
  object: KubeObject,
  live: KubeObject | undefined,
): readonly Cause[] {
  if (resource.schema === undefined) return []
  const causes = [
    ...validate(resource.schema, object),
    ...(resource.scale === undefined ? [] : scaleCauses(resource.scale, object)),
  ]
  // As in Kubernetes: a value out of bounds does not keep the rules from speaking, one of a wrong type does.
  return blocksRules(causes) ? causes : [...causes, ...rulesOf(resource.schema)(object, live)]
}

function newFinalizerCauses(object: KubeObject, live: KubeObject): readonly Cause[] {
  if (live.metadata.deletionTimestamp === undefined) return []
  const held = new Set(live.metadata.finalizers)
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !held.has(finalizer))
  if (added.length === 0) return []
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`
  return [{ reason: 'FieldValueForbidden', message, field: 'metadata.finalizers' }]
}
