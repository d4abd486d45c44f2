/**
 * Turns the JSON text of an object into the map that Firestore stores, readable in the console, and back. Pure.
 *
 *  FDC1 What is decoded equals what was encoded, but for metadata.resourceVersion, which is the document's revision.
 *  FDC2 Everything that is encoded is within Firestore's limits, but for the size: what Firestore has no form for stands
 *      as `{$json: "<JSON text>"}` in its place, and so does a map of the user's that looks like that.
 *  FDC3 A text that is no object of the API, or whose fields would meet the adapter's own, stands whole in `_text`.
 *      Decoded, it stays as written, but for the metadata.resourceVersion of a JSON object with metadata.
 *  FDC4 A document that is no object of ours decodes to a fault that says where and what would do. Nothing throws, and
 *      no more is read than DEPTH_MAX levels and TEXT_CHARS_MAX characters.
 *  FDC5 Top-level fields that begin with `_`, and `expireAt`, are the adapter's: they are no part of the object.
 *  FDC6 What has the shape of an object is held against its kind, where somebody can judge that: a document that is not of
 *      the kind is a fault too, and one that a person wrote without the kind's defaults is read with them.
 */
import type { Json, JsonObject } from '../../api/object.ts'
import { isDeeperThan, isList, isObject, own } from '../../api/schema/json.ts'
import { isFieldName, PATH_BYTES_MAX, pathBytes } from './limits.ts'
import { hasObjectsOnly, REMEDY, shapeFault, shown, type Expected } from './shape.ts'

/** What a document decodes to: the JSON text, or what is wrong with it. */
export type Decoded = { readonly ok: true; readonly value: string } | { readonly ok: false; readonly fault: string }

/** The field of a document at which Firestore deletes it by itself. */
export const EXPIRE_FIELD = 'expireAt'

/** Levels of maps and arrays that are read of a document: twice what the API takes. */
const DEPTH_MAX = 128
/** Containers deeper than this stand as text; Firestore takes 20, and a text in them may need one more. */
const MAP_DEPTH_MAX = 18
/** Characters of one text at most: more than a document of 1 MiB can hold, however it is escaped. */
const TEXT_CHARS_MAX = 8 * 1024 * 1024
const JSON_MARK = '$json'
/** A mark in a map must have room in the path too. */
const MAP_PATH_BYTES_MAX = PATH_BYTES_MAX - pathBytes(JSON_MARK)
const TEXT_MARK = '_text'

/** Whether a top-level field is the adapter's and not the object's. */
export const isAdapterField = (name: string): boolean => name.startsWith('_') || name === EXPIRE_FIELD

/** The fields of the document that stores this text; the adapter may add fields of its own (FDC5). */
export function encodeDocument(text: string): Readonly<Record<string, unknown>> {
  const object = parsed(text)
  if (!isObject(object) || !isMappable(object)) return { [TEXT_MARK]: encodeValue(text, { depth: 1, path: 0 }) }
  const { metadata, ...rest } = object
  return encodeMembers(
    { ...rest, ...(metadata === undefined ? {} : { metadata: unversioned(metadata) }) },
    { depth: 1, path: 0 },
  )
}

const isMappable = (object: JsonObject): boolean =>
  !isDeeperThan(object, DEPTH_MAX) &&
  Object.keys(object).every((name) => isTopName(name) && !isAdapterField(name)) &&
  shapeFault(object) === undefined

const isTopName = (name: string): boolean => isFieldName(name) && pathBytes(name) <= MAP_PATH_BYTES_MAX

const unversioned = (metadata: Json): Json =>
  isObject(metadata)
    ? Object.fromEntries(Object.entries(metadata).filter(([name]) => name !== 'resourceVersion'))
    : metadata

/** How many containers a value lies in, and the bytes of the path to it; in an array there can be no other. */
type Depth = { readonly depth: number; readonly path: number; readonly isInArray?: boolean }

function encodeValue(value: Json, { depth, path, isInArray = false }: Depth): unknown {
  if (typeof value === 'string') return value.isWellFormed() ? value : escaped(value)
  if (isList(value)) {
    if (isInArray || depth > MAP_DEPTH_MAX) return escaped(value)
    return value.map((item) => encodeValue(item, { depth: depth + 1, path, isInArray: true }))
  }
  if (!isObject(value)) return value
  const names = Object.keys(value)
  const isNamed = names.every((name) => isFieldName(name) && path + pathBytes(name) <= MAP_PATH_BYTES_MAX)
  if (depth > MAP_DEPTH_MAX || isMark(names) || !isNamed) return escaped(value)
  return encodeMembers(value, { depth: depth + 1, path })
}

const encodeMembers = (map: JsonObject, { depth, path }: Depth): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(map).map(([name, child]) => [name, encodeValue(child, { depth, path: path + pathBytes(name) })]),
  )

const isMark = (names: readonly string[]): boolean => names.length === 1 && names[0] === JSON_MARK
const escaped = (value: Json): Readonly<Record<string, string>> => ({ [JSON_MARK]: exactText(value) })

/** The value of a JSON text; undefined when it is none. */
function parsed(text: string): Json | undefined {
  try {
    // Whatever JSON.parse returns is JSON.
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}

// TypeScript's library does not know it yet; V8 has had it since Node 22.
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => object }

/** JSON text that also tells -0 from 0, and numbers beyond the range of doubles from null. */
const exactText = (value: unknown): string =>
  JSON.stringify(value, (_name, member: unknown) => (isOdd(member) ? rawJSON(oddText(member)) : member))

const isOdd = (value: unknown): value is number => Object.is(value, -0) || value === Infinity || value === -Infinity
const oddText = (value: number): string => (value === 0 ? '-0' : value > 0 ? '1e999' : '-1e999')

/** Why a document cannot be read; never leaves this file. */
class Malformed extends Error {
  override readonly name = 'Malformed'
}

/**
 * The JSON text of a document, with the revision as metadata.resourceVersion. What is `expected` at its place is held
 * against it. Never throws.
 */
export function decodeDocument(fields: unknown, revision: number, expected?: Expected): Decoded {
  try {
    if (!isPlain(fields)) throw new Malformed(`the document must be a map, not ${foreign(fields)}`)
    const at = { revision, ...(expected === undefined ? {} : { expected }) }
    const value = Object.hasOwn(fields, TEXT_MARK) ? decodedText(fields, at) : decodedObject(fields, at)
    return { ok: true, value }
  } catch (error) {
    if (error instanceof Malformed) return { ok: false, fault: error.message }
    // Getters and proxies can throw anything, and a stack has an end.
    return { ok: false, fault: 'the document cannot be read; delete it' }
  }
}

type Decoding = { readonly revision: number; readonly expected?: Expected }

function decodedObject(fields: Readonly<Record<string, unknown>>, { revision, expected }: Decoding): string {
  const reading: Reading = { charsLeft: TEXT_CHARS_MAX, hasOdd: false }
  const object = Object.fromEntries(
    Object.keys(fields)
      .filter((name) => !isAdapterField(name))
      .map((name) => [name, revive(fields[name], { reading, path: [name] })]),
  )
  const fault = shapeFault(object, expected)
  if (fault !== undefined) throw new Malformed(fault)
  return versionedText(judged(object, expected), revision, reading.hasOdd)
}

function judged(object: JsonObject, { collection, judge }: Partial<Expected> = {}): JsonObject {
  if (judge === undefined || collection === undefined) return object
  const judgement = judge(collection, object)
  if (!judgement.ok) throw new Malformed(`${judgement.fault}; ${REMEDY}`)
  return judgement.object
}

function decodedText(fields: Readonly<Record<string, unknown>>, { revision, expected }: Decoding): string {
  const stray = Object.keys(fields).find((name) => !isAdapterField(name))
  if (stray !== undefined) throw new Malformed(`${shown(stray)} stands beside "${TEXT_MARK}"; delete one of them`)
  const reading: Reading = { charsLeft: TEXT_CHARS_MAX, hasOdd: false }
  const text = revive(fields[TEXT_MARK], { reading, path: [TEXT_MARK] })
  if (typeof text !== 'string') throw new Malformed(`"${TEXT_MARK}" must be a text, not ${foreign(text)}`)
  const object = text.startsWith('{') ? parsed(text) : undefined
  const isObjectExpected = expected?.collection !== undefined && hasObjectsOnly(expected.collection)
  if (isObjectExpected) {
    const fault = isObject(object) ? shapeFault(object, expected) : 'it is no JSON object; delete the document'
    if (fault !== undefined) throw new Malformed(`in "${TEXT_MARK}", ${fault}`)
  }
  if (!isObject(object) || !isObject(own(object, 'metadata'))) return text
  if (isDeeperThan(object, DEPTH_MAX)) throw new Malformed(`"${TEXT_MARK}" nests deeper than ${DEPTH_MAX} levels`)
  return versionedText(isObjectExpected ? judged(object, expected) : object, revision, true)
}

/** The object's text in the order in which the API prints objects; Firestore keeps none. */
function versionedText(object: JsonObject, revision: number, isOddPossible: boolean): string {
  const { apiVersion, kind, metadata, spec, status, ...rest } = object
  const versioned = { ...(isObject(metadata) ? metadata : {}), resourceVersion: String(revision) }
  const ordered = { apiVersion, kind, metadata: versioned, spec, ...rest, status }
  return isOddPossible ? exactText(ordered) : JSON.stringify(ordered)
}

type Reading = { charsLeft: number; hasOdd: boolean }
type Place = {
  readonly reading: Reading
  readonly path: readonly string[]
  /** Whether it came out of a JSON text, where nothing is marked. */
  readonly isRaw?: boolean
}

/** The JSON value of what Firestore's client returns; throws Malformed for what has no JSON form. */
function revive(value: unknown, at: Place): Json {
  if (at.path.length > DEPTH_MAX) throw new Malformed(`${say(at)} nests deeper than ${DEPTH_MAX} levels; delete it`)
  spend(at, 1)
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') {
    spend(at, value.length)
    return value
  }
  if (typeof value === 'number' && !Number.isNaN(value)) {
    if (isOdd(value)) at.reading.hasOdd = true
    return value
  }
  if (Array.isArray(value)) return value.map((item: unknown, index) => revive(item, under(at, String(index))))
  if (isPlain(value)) return revivedMap(value, at)
  throw new Malformed(`${say(at)} must have a JSON form, not ${foreign(value)}; write it as text or a number`)
}

function revivedMap(map: Readonly<Record<string, unknown>>, at: Place): Json {
  const names = Object.keys(map)
  if (at.isRaw !== true && isMark(names)) return revivedJson(map[JSON_MARK], at)
  return Object.fromEntries(
    names.map((name) => {
      spend(at, name.length)
      return [name, revive(map[name], under(at, name))]
    }),
  )
}

function revivedJson(text: unknown, at: Place): Json {
  const value = typeof text === 'string' ? parsed(text) : undefined
  if (value === undefined) throw new Malformed(`${say(at)} must hold JSON text in "${JSON_MARK}"; correct or delete it`)
  return revive(value, { ...at, isRaw: true })
}

const under = (at: Place, name: string): Place => ({ ...at, path: [...at.path, name] })

function spend({ reading }: Place, chars: number): void {
  reading.charsLeft -= chars
  if (reading.charsLeft < 0) throw new Malformed(`the document is longer than ${TEXT_CHARS_MAX} characters; delete it`)
}

const PATH_PARTS_SHOWN = 12
const say = ({ path }: Place): string => shown(path.slice(0, PATH_PARTS_SHOWN).join('.'))

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** What a value is that is not JSON, such as `a Timestamp`. */
function foreign(value: unknown): string {
  if (value instanceof Uint8Array) return 'bytes'
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : `a value of type ${typeof value}`
  const prototype: unknown = Object.getPrototypeOf(value)
  const maker: unknown =
    typeof prototype === 'object' && prototype !== null && 'constructor' in prototype
      ? prototype.constructor
      : undefined
  return typeof maker === 'function' && /^\w{1,40}$/.test(maker.name) ? `a ${maker.name}` : 'an object of a class'
}
