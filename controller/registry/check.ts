/** Says what is wrong with an object that is about to be stored: metadata, then schema, then CEL rules. Pure. */
import type { Cause } from '../api/errors.ts'
import { metaCauses } from '../api/meta.ts'
import { goQuoted } from '../api/go-quote.ts'
import { generateNameCauses, isPlainFinalizer, nameCauses } from '../api/names.ts'
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
export function bornCauses(resource: ResourceDefinition, object: KubeObject): readonly Cause[] {
  const { name, generateName } = object.metadata
  const before = [
    ...generateNameCauses(generateName, resource.kind),
    ...nameCauses(name, resource.kind),
    ...objectMetaCauses(resource, object),
  ]
  return [...schemaCauses(resource, { object, before }), ...strategyOf(resource).causes(object, undefined)]
}

/** Custom kinds may have finalizers without a domain: whoever writes them is warned. */
const objectMetaCauses = ({ schema }: ResourceDefinition, { metadata }: KubeObject): readonly Cause[] => [
  ...metaCauses(metadata),
  ...(metadata.finalizers ?? []).flatMap((finalizer) =>
    schema === undefined && isPlainFinalizer(finalizer) ? [plainFinalizer(finalizer)] : [],
  ),
]

const plainFinalizer = (finalizer: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${goQuoted(finalizer.slice(0, 100))}: name is neither a standard finalizer name nor is it fully qualified`,
  field: 'metadata.finalizers',
})

/**
 * What is wrong with a change. The part that did not change is not held against the write: an object that a newer
 * schema would refuse can still get a status, lose a finalizer and go.
 */
export function changeCauses(resource: ResourceDefinition, object: KubeObject, live: KubeObject): readonly Cause[] {
  const statusDiffers = !jsonEqual(live.status, object.status)
  const causes = contentDiffers(live, object) || statusDiffers ? contentCauses(resource, object, live) : []
  const isOfStatus = (cause: Cause): boolean => /^\.?status\b/.test(cause.field ?? '')
  const judged = causes.filter((cause) => cause !== UNCHECKED)
  const relevant = judged.filter((cause) => (isOfStatus(cause) ? statusDiffers : contentDiffers(live, object)))
  const all = [...newFinalizerCauses(object, live), ...objectMetaCauses(resource, object), ...relevant]
  return resource.schema !== undefined && blocksRules(relevant) ? [...all, UNCHECKED] : all
}

const contentCauses = (resource: ResourceDefinition, object: KubeObject, live: KubeObject): readonly Cause[] => [
  ...schemaCauses(resource, { object, live }),
  ...strategyOf(resource).causes(object, live),
]

type Judged = { readonly object: KubeObject; readonly live?: KubeObject; readonly before?: readonly Cause[] }

/** `before` is what was found already, and speaks first. */
function schemaCauses({ schema, scale }: ResourceDefinition, { object, live, before = [] }: Judged): readonly Cause[] {
  if (schema === undefined) return before
  const causes = [...before, ...validate(schema, object), ...(scale === undefined ? [] : scaleCauses(scale, object))]
  // As in Kubernetes: a value out of bounds does not keep the rules from speaking, one of a wrong type does.
  return blocksRules(causes) ? [...causes, UNCHECKED] : [...causes, ...rulesOf(schema)(object, live)]
}

/** Said, in Kubernetes' words and under its name for no field, where the rules were not asked. */
const UNCHECKED: Cause = {
  reason: 'FieldValueInvalid',
  message:
    'Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
  field: '<nil>',
}

function newFinalizerCauses(object: KubeObject, live: KubeObject): readonly Cause[] {
  if (live.metadata.deletionTimestamp === undefined) return []
  const held = new Set(live.metadata.finalizers)
  const added = (object.metadata.finalizers ?? []).filter((finalizer) => !held.has(finalizer))
  if (added.length === 0) return []
  const message = `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`
  return [{ reason: 'FieldValueForbidden', message, field: 'metadata.finalizers' }]
}
