/** Reads the bags of bytes and of text that Secret and ConfigMap hold as Go reads them, and judges keys and sizes. Pure. */
import type { Cause } from '../api/errors.ts'
import type { Json, JsonObject } from '../api/object.ts'
import { isJsonObject } from '../api/patches.ts'

/** What a bag's values may hold together, in bytes. */
export const BAG_BYTES_MAX = 1024 * 1024
const KEY_CHARS_MAX = 253

/** Members of a bag by key. */
export type Bag = ReadonlyMap<string, string>

/** What was wrong while a body was read, in Go's words; never with a value in it. */
export type Faults = string[]

/** A bag of base64 text in its canonical form, as Go writes it again; line breaks in it are dropped, null is empty. */
export const readBytes = (value: Json | undefined, field: string, faults: Faults): Bag =>
  readBag(value, { field, item: '[]uint8', faults }, (text) => {
    const joined = text.replaceAll(/[\r\n]/g, '')
    const fault = base64Fault(joined)
    if (fault === undefined) return Buffer.from(joined, 'base64').toString('base64')
    faults.push(`illegal base64 data at input byte ${fault}`)
    return ''
  })

/** A bag of text. */
export const readText = (value: Json | undefined, field: string, faults: Faults): Bag =>
  readBag(value, { field, item: 'string', faults }, (text) => text)

type Place = { readonly field: string; readonly item: string; readonly faults: Faults }

function readBag(value: Json | undefined, place: Place, read: (text: string) => string): Bag {
  if (value === undefined || value === null) return new Map()
  if (!isJsonObject(value)) {
    place.faults.push(mismatch(value, place.field, `map[string]${place.item}`))
    return new Map()
  }
  return new Map(
    Object.entries(value).map(([key, member]) => {
      if (typeof member !== 'string' && member !== null) place.faults.push(mismatch(member, place.field, place.item))
      return [key, typeof member === 'string' ? read(member) : '']
    }),
  )
}

/** A scalar of the type, or undefined when it is absent; notes one of another type. */
export function readScalar<T extends 'string' | 'boolean'>(
  value: Json | undefined,
  field: { readonly name: string; readonly type: T; readonly goType: string },
  faults: Faults,
): (T extends 'string' ? string : boolean) | undefined {
  if (value === undefined || value === null) return undefined
  // The type that was asked for has just been compared.
  if (typeof value === field.type) return value as T extends 'string' ? string : boolean
  faults.push(mismatch(value, field.name, field.goType))
  return undefined
}

const mismatch = (value: Json, field: string, goType: string): string => {
  const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  return `json: cannot unmarshal ${found} into Go struct field ${field} of type ${goType}`
}

/** Where base64 text goes wrong; undefined when it does not. */
function base64Fault(text: string): number | undefined {
  if (/^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0) return undefined
  const alien = /[^A-Za-z0-9+/]/.exec(text)
  return alien?.index ?? text.length - (text.length % 4)
}

/** The bag as a member of an object; nothing when it is empty, as Go leaves it out. */
export const bagMember = (name: string, bag: Bag): JsonObject =>
  bag.size === 0 ? {} : { [name]: Object.fromEntries(bag) }

/** The bag of a stored object. */
export const storedBag = (value: unknown): Bag =>
  // What is stored has been read by the readers above.
  new Map(isJsonObject(value) ? (Object.entries(value) as [string, string][]) : [])

/** Bytes of all values of a bag, decoded. */
export function bagBytes(bag: Bag, encoding: 'base64' | 'utf8'): number {
  let bytes = 0
  for (const value of bag.values()) bytes += Buffer.byteLength(value, encoding)
  return bytes
}

/** What is wrong with the keys of a bag, in kube-apiserver's words. */
export const keyCauses = (field: string, bag: Bag): readonly Cause[] =>
  [...bag.keys()].flatMap((key) =>
    keyFaults(key).map((fault) => invalidField(`${field}[${shortened(key)}]`, shortened(key), fault)),
  )

const KEY_FORM =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"

function keyFaults(key: string): readonly string[] {
  return [
    ...(key.length > KEY_CHARS_MAX ? [`must be no more than ${KEY_CHARS_MAX} characters`] : []),
    ...(/^[-._a-zA-Z0-9]+$/.test(key) ? [] : [KEY_FORM]),
    ...pathFaults(key),
  ]
}

/** A key becomes the name of a file where it is mounted. */
function pathFaults(key: string): readonly string[] {
  if (key === '.') return ["must not be '.'"]
  if (key === '..') return ["must not be '..'"]
  return key.startsWith('..') ? ["must not start with '..'"] : []
}

const shortened = (key: string): string => key.slice(0, KEY_CHARS_MAX + 3)

/** The cause of a field that has a wrong value. */
export const invalidField = (field: string, value: string, why: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
  field,
})

/** The cause of a field that is missing. */
export const requiredField = (field: string): Cause => ({
  reason: 'FieldValueRequired',
  message: 'Required value',
  field,
})

/** The cause of values that are too large together. */
export const tooLongField = (field: string): Cause => ({
  reason: 'FieldValueTooLong',
  message: `Too long: may not be more than ${BAG_BYTES_MAX} bytes`,
  field,
})

/** What is wrong with a change of what was made immutable; `fields` are those that may not differ. */
export function immutableCauses(
  live: JsonObject,
  object: JsonObject,
  isSame: (field: string) => boolean,
  fields: readonly string[],
): readonly Cause[] {
  if (live['immutable'] !== true) return []
  const locked = [...(object['immutable'] === true ? [] : ['immutable']), ...fields.filter((field) => !isSame(field))]
  const message = 'Forbidden: field is immutable when `immutable` is set'
  return locked.map((field) => ({ reason: 'FieldValueForbidden', message, field }))
}
