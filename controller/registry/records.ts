/** Stored text to frozen objects, parsed once a record, and objects to the text that is stored. Pure. */
import type { KubeObject } from '../api/object.ts'
import type { StoreRecord } from '../store/store.ts'

const parsed = new WeakMap<StoreRecord, KubeObject>()
const texts = new WeakMap<object, string>()

/** The text that an object of `objectOf` was read from: it need not be serialised again to be sent. */
export const storedTextOf = (object: KubeObject): string | undefined => texts.get(object)

const asciiTexts = new WeakMap<object, boolean>()

/** Whether the stored text of an object is ASCII alone, and so as many bytes as characters; found once an object. */
export function isAsciiText(object: KubeObject, text: string): boolean {
  const known = asciiTexts.get(object)
  if (known !== undefined) return known
  const isAscii = Buffer.byteLength(text) === text.length
  asciiTexts.set(object, isAscii)
  return isAscii
}

/** The object of a record: the same frozen value for the same record, so that reads and watches share it. */
export function objectOf(record: StoreRecord): KubeObject {
  const known = parsed.get(record)
  if (known !== undefined) return known
  // The registry is the only writer: what is stored has been validated.
  const object = frozen(JSON.parse(record.value)) as KubeObject
  parsed.set(record, object)
  texts.set(object, record.value)
  return object
}

/** Freezes a JSON value and everything in it. Its depth is bounded where requests are read. */
export function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}

/** The same for a value that was parsed just now: nothing in it is frozen or shared, and nobody need ask. */
function frozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) for (const item of value) frozen(item)
  // JSON's maps have no prototype of their own: what is enumerable is theirs.
  else for (const name in value) frozen((value as Readonly<Record<string, unknown>>)[name])
  return Object.freeze(value)
}

/** The text of an object for each revision that it may get: it is serialised once, the revision is put in. */
export function textOf(object: KubeObject): { readonly sizeBytes: number; readonly at: (revision: number) => string } {
  const { apiVersion, kind, metadata, ...rest } = object
  const { resourceVersion: _old, ...meta } = metadata
  const head = `${JSON.stringify({ apiVersion, kind }).slice(0, -1)},"metadata":${JSON.stringify(meta).slice(0, -1)}`
  const body = JSON.stringify(rest)
  const tail = body === '{}' ? '}}' : `},${body.slice(1)}`
  return {
    sizeBytes: Buffer.byteLength(head) + Buffer.byteLength(tail) + 40,
    at: (revision) => `${head},"resourceVersion":"${revision}"${tail}`,
  }
}
