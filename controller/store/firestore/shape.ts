/** Says what keeps a JSON value from being an object of the API whose metadata can be trusted. Pure. */
import { parseTimestamp } from '../../../system/timestamp.ts'
import { API_VERSION, GROUP } from '../../api/define-kind.ts'
import { isList, isObject, own } from '../../api/schema/json.ts'
import type { Json, JsonObject } from '../../api/object.ts'

/** What an object must be, as far as the place where it lies tells. */
export type Expected = {
  /** '' for cluster-scoped kinds. */
  readonly namespace: string
  readonly name: string
  /** The collection of the store, `plural.group`; absent where it is not known. */
  readonly collection?: string
  /** Holds the object against its kind. */
  readonly judge?: Judge
}

/** The object as it is to be read, with its kind's defaults say; or what keeps it from being one of the collection's kind. */
export type Judge = (
  collection: string,
  object: JsonObject,
) => { readonly ok: true; readonly object: JsonObject } | { readonly ok: false; readonly fault: string }

const GROUP_VERSION = /^([a-z0-9][-a-z0-9.]{0,252}\/)?v[a-z0-9]{1,31}$/
const KIND = /^[A-Z][A-Za-z0-9]{0,62}$/
const SHOWN_CHARS_MAX = 80
/** What would do about a document that is no object. */
export const REMEDY = 'delete the document, or put back what the API wrote'

type Check = readonly [path: string, isRight: boolean, must: string]

const isText = (value: Json | undefined): value is string => typeof value === 'string' && value !== ''
const isInstant = (value: Json | undefined): boolean => typeof value === 'string' && parseTimestamp(value) !== undefined
const optional = (value: Json | undefined, is: (value: Json) => boolean): boolean => value === undefined || is(value)
const isTexts = (value: Json): boolean => isList(value) && value.every((item) => typeof item === 'string')
const isTextMap = (value: Json): boolean =>
  isObject(value) && Object.values(value).every((item) => typeof item === 'string')
const isInteger = (value: Json): boolean => Number.isSafeInteger(value)
const isOwner = (value: Json): boolean =>
  isObject(value) && ['apiVersion', 'kind', 'name', 'uid'].every((field) => isText(own(value, field)))

/** A value as a fault repeats it: short, on one line. */
export function shown(value: unknown): string {
  if (typeof value !== 'string') return value === undefined ? 'nothing' : `a value of type ${typeOf(value)}`
  const text = value.length > SHOWN_CHARS_MAX ? `${value.slice(0, SHOWN_CHARS_MAX)}…` : value
  return JSON.stringify(text)
}

const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)

/** Why the value is no object of the API; undefined when it is one. Looks at what every kind shares, not at a schema. */
export function shapeFault(object: JsonObject, expected?: Expected): string | undefined {
  const metadata = own(object, 'metadata')
  const checks = isObject(metadata)
    ? [...typeChecks(object), ...metadataChecks(metadata), ...contentChecks(object)]
    : [...typeChecks(object), ['metadata', false, 'must be a map'] as const]
  const wrong = checks.find(([, isRight]) => !isRight)
  if (wrong === undefined) return expected === undefined ? undefined : placeFault(object, expected)
  const [path, , must] = wrong
  return `${path} ${must}, not ${shown(valueAt(object, path))}; ${REMEDY}`
}

const typeChecks = (object: JsonObject): readonly Check[] => {
  const [apiVersion, kind] = [own(object, 'apiVersion'), own(object, 'kind')]
  return [
    ['apiVersion', isText(apiVersion) && GROUP_VERSION.test(apiVersion), 'must be a group and version'],
    ['kind', isText(kind) && KIND.test(kind), 'must be the name of a kind'],
  ]
}

function metadataChecks(metadata: JsonObject): readonly Check[] {
  const at = (field: string): Json | undefined => own(metadata, field)
  const isString = (value: Json): boolean => typeof value === 'string'
  return [
    ['metadata.name', isText(at('name')), 'must be a text'],
    ['metadata.namespace', optional(at('namespace'), isText), 'must be a text'],
    ['metadata.uid', isText(at('uid')), 'must be a text'],
    ['metadata.creationTimestamp', isInstant(at('creationTimestamp')), 'must be an RFC 3339 time as text'],
    ['metadata.deletionTimestamp', optional(at('deletionTimestamp'), isInstant), 'must be an RFC 3339 time as text'],
    ['metadata.generation', optional(at('generation'), isInteger), 'must be an integer'],
    ['metadata.generateName', optional(at('generateName'), isString), 'must be a text'],
    ['metadata.labels', optional(at('labels'), isTextMap), 'must be a map of texts'],
    ['metadata.annotations', optional(at('annotations'), isTextMap), 'must be a map of texts'],
    ['metadata.finalizers', optional(at('finalizers'), isTexts), 'must be an array of texts'],
    [
      'metadata.ownerReferences',
      optional(at('ownerReferences'), (value) => isList(value) && value.every(isOwner)),
      'must be an array of maps with apiVersion, kind, name and uid',
    ],
    [
      'metadata.managedFields',
      optional(at('managedFields'), (value) => isList(value) && value.every(isObject)),
      'must be an array of maps',
    ],
  ]
}

/** Kinds of our own always have a spec: whoever reads one counts on it. */
const contentChecks = (object: JsonObject): readonly Check[] => {
  const [spec, status] = [own(object, 'spec'), own(object, 'status')]
  const isOurs = own(object, 'apiVersion') === API_VERSION
  return [
    ['spec', isOurs ? isObject(spec) : optional(spec, isObject), 'must be a map'],
    ['status', optional(status, isObject), 'must be a map'],
  ]
}

function valueAt(object: JsonObject, path: string): Json | undefined {
  const [head = '', tail] = path.split('.')
  const value = own(object, head)
  return tail === undefined || !isObject(value) ? value : own(value, tail)
}

/** A document that says it is another one than its place says would be acted on under the wrong name. */
function placeFault(object: JsonObject, { namespace, name, collection }: Expected): string | undefined {
  const wanted: readonly (readonly [path: string, isRight: (text: string) => boolean, right: string])[] = [
    ['metadata.name', (text) => text === name, JSON.stringify(name)],
    ['metadata.namespace', (text) => text === namespace, JSON.stringify(namespace)],
    ...(collection === undefined ? [] : typesOf(collection)),
  ]
  for (const [path, isRight, right] of wanted) {
    const value = valueAt(object, path) ?? ''
    if (typeof value !== 'string' || !isRight(value))
      return `${path} must be ${right} at this path, not ${shown(value)}; ${REMEDY}`
  }
  return undefined
}

/** Built-in kinds that are stored as they are sent: by collection, what stands in apiVersion. */
const BUILT_IN: ReadonlyMap<string, string> = new Map([
  ['namespaces', 'v1'],
  ['events', 'v1'],
  ['configmaps', 'v1'],
  ['leases.coordination.k8s.io', 'coordination.k8s.io/v1'],
])

/** Whether every text in a collection is that of an object; others may be sealed, and say nothing to whoever lacks the key. */
export const hasObjectsOnly = (collection: string): boolean => typesOf(collection).length > 0

/** What apiVersion and kind are in a collection that we know; a plural is the kind in small letters, most with an s. */
function typesOf(collection: string): readonly (readonly [string, (text: string) => boolean, string])[] {
  const [plural = ''] = collection.split('.')
  const apiVersion = collection === `${plural}.${GROUP}` ? API_VERSION : BUILT_IN.get(collection)
  if (apiVersion === undefined) return []
  return [
    ['apiVersion', (text) => text === apiVersion, JSON.stringify(apiVersion)],
    ['kind', (text) => [text, `${text}s`].some((one) => one.toLowerCase() === plural), `that of "${plural}"`],
  ]
}
