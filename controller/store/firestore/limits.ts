/**
 * Firestore's documented limits on what a document holds, and its documented measure of size. Pure.
 *
 *  FDL1 The size of a document is counted as Firestore's documentation counts it.
 *  FDL2 What Firestore would refuse is named before it is sent.
 *  FDL3 Of an encoded document only the size can be refused.
 */

/** Bytes of one document at most, by Firestore's own measure. */
export const DOCUMENT_BYTES_MAX = 1_048_576
/** Bytes of one field's value at most: 1 MiB less 89 bytes. */
export const VALUE_BYTES_MAX = 1_048_487
/** Levels of maps and arrays at most. */
export const NESTING_MAX = 20
/** Bytes of the name of a field, and of one part of a path, at most. */
export const NAME_BYTES_MAX = 1500

/** Bytes of the path of a field at most, as it is written with dots and quotes. */
export const PATH_BYTES_MAX = 1500

const NAME_OVERHEAD_BYTES = 16
const DOCUMENT_OVERHEAD_BYTES = 32
const NUMBER_BYTES = 8

/** Whether Firestore takes a text as the name of a field or as a part of a path. */
export const isFieldName = (name: string): boolean =>
  name !== '' && !/^__.*__$/s.test(name) && name.isWellFormed() && Buffer.byteLength(name) <= NAME_BYTES_MAX

/** Bytes that a name adds to the path of a field, at worst all of it is escaped. */
export const pathBytes = (name: string): number =>
  /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name.length + 1 : 2 * Buffer.byteLength(name) + 3

/** Bytes of a text: its UTF-8 and one more. */
const textBytes = (text: string): number => Buffer.byteLength(text) + 1

/** Bytes of a value; what is neither JSON nor bytes counts as a timestamp does. */
function valueBytes(value: unknown): number {
  if (typeof value === 'string') return textBytes(value)
  if (value === null || typeof value === 'boolean') return 1
  if (value instanceof Uint8Array) return value.byteLength
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + valueBytes(item), 0)
  return isMap(value) ? mapBytes(value) + DOCUMENT_OVERHEAD_BYTES : NUMBER_BYTES
}

const mapBytes = (map: Readonly<Record<string, unknown>>): number =>
  Object.entries(map).reduce((sum, [name, value]) => sum + textBytes(name) + valueBytes(value), 0)

/** Bytes of a document as Firestore counts them: its path (`a/b/c/d`), its fields and what each document costs. */
export const sizeOf = (fields: Readonly<Record<string, unknown>>, path = ''): number =>
  path.split('/').reduce((sum, part) => sum + textBytes(part), NAME_OVERHEAD_BYTES) +
  mapBytes(fields) +
  DOCUMENT_OVERHEAD_BYTES

/** Why Firestore would refuse the document; undefined when it would take it. */
export function limitFault(fields: Readonly<Record<string, unknown>>, path = ''): string | undefined {
  const fault = valueFault(fields, { depth: 0, path: 0 })
  if (fault !== undefined) return fault
  const tooLong = Object.entries(fields).find(([, value]) => valueBytes(value) > VALUE_BYTES_MAX)
  if (tooLong !== undefined) return `the field "${tooLong[0]}" is larger than ${VALUE_BYTES_MAX} bytes`
  const sizeBytes = sizeOf(fields, path)
  if (sizeBytes <= DOCUMENT_BYTES_MAX) return undefined
  return `the document has ${sizeBytes} bytes, more than ${DOCUMENT_BYTES_MAX}`
}

/** Whether the document is within Firestore's measure: the only limit that encoding cannot keep. */
export const isTooLarge = (fields: Readonly<Record<string, unknown>>, path = ''): boolean =>
  sizeOf(fields, path) > DOCUMENT_BYTES_MAX ||
  Object.values(fields).some((value) => valueBytes(value) > VALUE_BYTES_MAX)

/** How many containers a value lies in, and the bytes of the path to it. */
type Place = { readonly depth: number; readonly path: number }

function valueFault(value: unknown, { depth, path }: Place): string | undefined {
  if (typeof value === 'string') return value.isWellFormed() ? undefined : 'a text is not valid Unicode'
  if (value === undefined) return 'a value is undefined'
  const isArray = Array.isArray(value)
  if (!isArray && !isMap(value)) return undefined
  if (depth >= NESTING_MAX) return `it nests deeper than ${NESTING_MAX} levels`
  if (isArray && value.some((item) => Array.isArray(item))) return 'an array lies in an array'
  for (const [name, member] of Object.entries(value)) {
    const memberPath = isArray ? path : path + pathBytes(name)
    const fault =
      (isArray ? undefined : nameFault(name, memberPath)) ?? valueFault(member, { depth: depth + 1, path: memberPath })
    if (fault !== undefined) return fault
  }
  return undefined
}

function nameFault(name: string, path: number): string | undefined {
  if (!isFieldName(name)) return `a field has the name ${JSON.stringify(name.slice(0, 80))}`
  return path > PATH_BYTES_MAX ? `the path of a field has ${path} bytes, more than ${PATH_BYTES_MAX}` : undefined
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))
