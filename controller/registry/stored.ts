/** Judges objects that came into the store by another way than the registry: whether they are of their kind. Pure. */
import { resourceName } from '../api/define-kind.ts'
import type { Cause } from '../api/errors.ts'
import type { JsonObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { applyDefaults } from '../api/schema/defaults.ts'
import type { StructuralSchema } from '../api/schema/structural.ts'
import { CAUSES_MAX, validate } from '../api/schema/validate.ts'

/** The object with its kind's defaults, or why it is none of that kind. */
export type Judgement =
  | { readonly ok: true; readonly object: JsonObject }
  | { readonly ok: false; readonly fault: string }

/**
 * What code that reads an object may not meet: a value of another type, none where one must be, a word that it does not
 * know. Bounds are not held against it: what an older version let in must stay readable.
 */
const BREAKING: ReadonlySet<string> = new Set(['FieldValueTypeInvalid', 'FieldValueRequired', 'FieldValueNotSupported'])
const FAULT_CHARS_MAX = 200

/** A judge of objects by the collection in which they lie; kinds without a schema are taken as they are. */
export function storedJudge(
  resources: readonly ResourceDefinition[],
): (collection: string, object: JsonObject) => Judgement {
  const schemas = new Map(resources.map((resource) => [resourceName(resource), resource.schema]))
  return (collection, object) => {
    const schema = schemas.get(collection)
    return schema === undefined ? { ok: true, object } : judge(schema, object)
  }
}

function judge(schema: StructuralSchema, stored: JsonObject): Judgement {
  const object = applyDefaults(schema, stored)
  const causes = validate(schema, object)
  const breaking = causes.find(({ reason }) => BREAKING.has(reason))
  // Where so much is wrong, not all has been looked at.
  const worst = breaking ?? (causes.length >= CAUSES_MAX ? causes[0] : undefined)
  return worst === undefined ? { ok: true, object } : { ok: false, fault: faultOf(worst) }
}

function faultOf({ field, message }: Cause): string {
  const text = `${field ?? 'it'}: ${message}`
  return text.length > FAULT_CHARS_MAX ? `${text.slice(0, FAULT_CHARS_MAX)}…` : text
}
