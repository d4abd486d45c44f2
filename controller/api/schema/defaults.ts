/** Fills in defaults and drops the nulls that a schema does not allow, as Kubernetes does on every write. Pure. */
import type { Json, JsonObject } from '../object.ts'
import { copyJson, isList, isObject, own } from './json.ts'
import type { StructuralSchema } from './structural.ts'

/**
 * The value with the defaults of its schema. A nested default applies only where its parent is there or has itself a
 * default. A null that is not allowed is replaced by the field's default, or dropped when there is none.
 * Unchanged parts are shared with the value that was given, which itself is never changed.
 */
export function applyDefaults<T>(schema: StructuralSchema, value: T, options: DefaultOptions = {}): T {
  // Defaults only add fields that the schema declares, so the value keeps its type.
  return defaultNode(schema, value as Json, options) as T
}

/** `keepsNulls`: a null that is not allowed and has no default stays, for `validate` to refuse. */
export type DefaultOptions = { readonly keepsNulls?: boolean }

function defaultNode(schema: StructuralSchema, value: Json, options: DefaultOptions): Json {
  if (isObject(value)) return defaultMembers(schema, value, options)
  if (isList(value) && schema.items !== undefined) return defaultItems(schema.items, value, options)
  return value
}

function defaultMembers(schema: StructuralSchema, value: JsonObject, options: DefaultOptions): JsonObject {
  if (schema.properties === undefined && schema.additionalProperties === undefined) return value
  let isChanged = false
  const members: [string, Json][] = []
  for (const [name, child] of Object.entries(value)) {
    const childSchema = own(schema.properties, name) ?? schema.additionalProperties
    const next = childSchema === undefined ? child : defaultMember(childSchema, child, options)
    if (next !== child) isChanged = true
    if (next !== undefined) members.push([name, next])
  }
  for (const [name, childSchema] of Object.entries(schema.properties ?? {})) {
    if (childSchema.default === undefined || Object.hasOwn(value, name)) continue
    isChanged = true
    members.push([name, defaultNode(childSchema, copyJson(childSchema.default), options)])
  }
  // fromEntries defines members, so that one named __proto__ stays a plain member.
  return isChanged ? Object.fromEntries(members) : value
}

/** A member with its defaults; undefined: it is dropped. */
function defaultMember(schema: StructuralSchema, value: Json, options: DefaultOptions): Json | undefined {
  if (!isForbiddenNull(schema, value)) return defaultNode(schema, value, options)
  if (schema.default !== undefined) return defaultNode(schema, copyJson(schema.default), options)
  return options.keepsNulls === true ? value : undefined
}

/** Items are never dropped: a null item without a default stays, for `validate` to refuse. */
function defaultItems(schema: StructuralSchema, items: readonly Json[], options: DefaultOptions): readonly Json[] {
  let copy: Json[] | undefined
  items.forEach((item, index) => {
    const next = defaultMember(schema, item, options) ?? item
    if (next === item) return
    copy ??= [...items]
    copy[index] = next
  })
  return copy ?? items
}

const isForbiddenNull = (schema: StructuralSchema, value: Json): boolean =>
  value === null && schema.nullable !== true && (schema.type !== undefined || schema.enum !== undefined)
