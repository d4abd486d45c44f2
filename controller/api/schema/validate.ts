/** Checks a value against a structural schema and says what is wrong as kube-apiserver would. Pure. */
import type { Cause } from '../errors.ts'
import type { Json, JsonObject } from '../object.ts'
import { isDateTime } from './date-time.ts'
import { duplicateCauses } from './duplicates.ts'
import { DEPTH_MAX, isDeeperThan, isList, isObject, itemPath, memberPath, own } from './json.ts'
import type { StructuralSchema } from './structural.ts'

/** The most causes that one refusal names. */
export const CAUSES_MAX = 20
/** The longest message of a cause, in characters. */
export const MESSAGE_CHARS_MAX = 1000

/**
 * Why a value does not fit its schema: empty when it fits. Fields are paths such as `spec.regions[0]`. At most
 * CAUSES_MAX causes, each message at most MESSAGE_CHARS_MAX long; a value deeper than DEPTH_MAX is refused unread.
 */
export function validate(schema: StructuralSchema, value: unknown): Cause[] {
  if (isDeeperThan(value, DEPTH_MAX)) {
    return [cause('FieldValueInvalid', '', `Invalid value: must be nested at most ${DEPTH_MAX} levels deep`)]
  }
  const causes: Cause[] = []
  // isDeeperThan has just walked the value: anything in it that is not JSON fails its type check.
  validateNode(schema, value as Json, { path: '', causes })
  return causes.slice(0, CAUSES_MAX)
}

type Place = { readonly path: string; readonly causes: Cause[] }

function validateNode(schema: StructuralSchema, value: Json, place: Place): void {
  if (place.causes.length >= CAUSES_MAX) return
  if (value === null && schema.nullable === true) return
  // Like Kubernetes, a value of the wrong type is also held against the enum and, a number, against the bounds.
  const fits = hasType(schema, value)
  if (!fits) place.causes.push(typeCause(schema, value, place.path))
  if (schema.enum !== undefined && !schema.enum.includes(value)) place.causes.push(enumCause(schema, value, place.path))
  if (typeof value === 'number') validateNumber(schema, value, place)
  else if (!fits) return
  else if (typeof value === 'string') validateString(schema, value, place)
  else if (isList(value)) validateList(schema, value, place)
  else if (isObject(value)) validateObject(schema, value, place)
}

function hasType(schema: StructuralSchema, value: Json): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) return typeof value === 'string' || Number.isInteger(value)
  switch (schema.type) {
    case undefined:
      return true
    case 'object':
      return isObject(value)
    case 'array':
      return isList(value)
    case 'integer':
      return Number.isSafeInteger(value)
    default:
      return typeof value === schema.type
  }
}

function validateString(schema: StructuralSchema, value: string, { path, causes }: Place): void {
  // Kubernetes counts code points; length counts UTF-16 units, of which there are never fewer.
  if (schema.maxLength !== undefined && value.length > schema.maxLength && codePoints(value) > schema.maxLength) {
    causes.push(cause('FieldValueTooLong', path, `Too long: may not be more than ${schema.maxLength} bytes`))
    return // A pattern is never run on a text that is too long.
  }
  if (schema.minLength !== undefined && value.length < schema.minLength * 2 && codePoints(value) < schema.minLength) {
    causes.push(invalid(path, value, `should be at least ${schema.minLength} chars long`))
    return
  }
  if (schema.pattern !== undefined && !patternOf(schema.pattern).test(value)) {
    causes.push(invalid(path, value, `should match '${schema.pattern}'`))
  }
  if (schema.format === 'date-time' && !isDateTime(value)) {
    causes.push(
      cause('FieldValueTypeInvalid', path, `Invalid value: ${shown(value)}: ${path} in body must be of type date-time`),
    )
  }
}

function validateNumber(schema: StructuralSchema, value: number, { path, causes }: Place): void {
  const { minimum, maximum, multipleOf } = schema
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    causes.push(invalid(path, value, `should be a multiple of ${multipleOf}`))
  }
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    causes.push(invalid(path, value, `should be less than ${orEqual(schema.exclusiveMaximum)}${maximum}`))
  }
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    causes.push(invalid(path, value, `should be greater than ${orEqual(schema.exclusiveMinimum)}${minimum}`))
  }
}

const orEqual = (isExclusive: boolean | undefined): string => (isExclusive === true ? '' : 'or equal to ')

function validateList(schema: StructuralSchema, value: readonly Json[], place: Place): void {
  const { path, causes } = place
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    causes.push(invalid(path, value.length, `should have at least ${schema.minItems} items`))
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    const message = `Too many: ${value.length}: must have at most ${schema.maxItems} items`
    causes.push(cause('FieldValueTooMany', path, message))
    return // The items of a list that is far too long are not worth the time.
  }
  const items = schema.items
  if (items === undefined) return
  value.forEach((item, index) => validateNode(items, item, { path: itemPath(path, index), causes }))
  causes.push(...duplicateCauses(schema, value, path))
}

function validateObject(schema: StructuralSchema, value: JsonObject, place: Place): void {
  const { path, causes } = place
  for (const name of schema.required ?? []) {
    if (Object.hasOwn(value, name)) continue
    causes.push(cause('FieldValueRequired', memberPath(path, name), 'Required value'))
  }
  const size = schema.minProperties === undefined && schema.maxProperties === undefined ? 0 : Object.keys(value).length
  if (schema.minProperties !== undefined && size < schema.minProperties) {
    causes.push(invalid(path, size, `should have at least ${schema.minProperties} properties`))
  }
  if (schema.maxProperties !== undefined && size > schema.maxProperties) {
    const message = `Too many: ${size}: must have at most ${schema.maxProperties} items`
    causes.push(cause('FieldValueTooMany', path, message))
    return
  }
  if (schema.properties === undefined && schema.additionalProperties === undefined) return
  for (const [name, child] of Object.entries(value)) {
    const childSchema = own(schema.properties, name) ?? schema.additionalProperties
    if (childSchema !== undefined) validateNode(childSchema, child, { path: memberPath(path, name), causes })
  }
}

const BLOCKING: ReadonlySet<string> = new Set([
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
  'FieldValueNotSupported',
])

/** Whether causes are such that Kubernetes does not run CEL rules any more: the rules could not rely on the shape. */
export const blocksRules = (causes: readonly Cause[]): boolean => causes.some(({ reason }) => BLOCKING.has(reason))

/** A cause whose message is cut to MESSAGE_CHARS_MAX. */
export const cause = (reason: string, field: string, message: string): Cause => ({
  reason,
  message: message.length <= MESSAGE_CHARS_MAX ? message : `${message.slice(0, MESSAGE_CHARS_MAX - 1)}…`,
  field,
})

const invalid = (path: string, value: Json, what: string): Cause =>
  cause('FieldValueInvalid', path, `Invalid value: ${shown(value)}: ${path} in body ${what}`)

function typeCause(schema: StructuralSchema, value: Json, path: string): Cause {
  const expected = schema['x-kubernetes-int-or-string'] === true ? 'integer,string' : schema.type
  const found = JSON.stringify(typeName(value))
  const message = `Invalid value: ${found}: ${path} in body must be of type ${expected}: ${found}`
  return cause('FieldValueTypeInvalid', path, message)
}

function enumCause(schema: StructuralSchema, value: Json, path: string): Cause {
  const supported = (schema.enum ?? []).map((one) => JSON.stringify(one)).join(', ')
  return cause('FieldValueNotSupported', path, `Unsupported value: ${shown(value)}: supported values: ${supported}`)
}

/** The JSON type of a value, in the words of a schema. */
export function typeName(value: Json): string {
  if (value === null) return 'null'
  if (isList(value)) return 'array'
  if (typeof value !== 'number') return typeof value
  return Number.isInteger(value) ? 'integer' : 'number'
}

/** A value in a message, cut before it is quoted so that a huge one costs nothing. */
export const shown = (value: Json): string => {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, MESSAGE_CHARS_MAX))
  return typeof value === 'object' && value !== null ? JSON.stringify(typeName(value)) : JSON.stringify(value)
}

const codePoints = (text: string): number => {
  let count = 0
  for (const _ of text) count += 1
  return count
}

/** Compiled patterns; they come from our own schemas, so that there are few. */
const patterns = new Map<string, RegExp>()

function patternOf(pattern: string): RegExp {
  const known = patterns.get(pattern)
  if (known !== undefined) return known
  const made = new RegExp(pattern, 'u')
  patterns.set(pattern, made)
  return made
}
