/** Says what keeps a JSON value from being an object of the API whose metadata can be trusted. Pure. */
import { parseTimestamp } from '../../../system/timestamp.ts'
import { isList, isObject, own } from '../../api/schema/json.ts'
import type { Json, JsonObject } from '../../api/object.ts'

/** What an object must be, as far as the place where it lies tells. */
export type Expected = {
  /** '' for cluster-scoped kinds. */
  readonly namespace: string
  readonly name: string
  /** Absent where the collection's kind is not known. */
  readonly type?: { readonly apiVersion: string; readonly kind: string }
}

const API_VERSION = /^([a-z0-9][-a-z0-9.]{0,252}\/)?v[a-z0-9]{1,31}$/
const KIND = /^[A-Z][A-Za-z0-9]{0,62}$/
const SHOWN_CHARS_MAX = 80
const REMEDY = 'delete the document, or put back what the API wrote'

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
    ['apiVersion', isText(apiVersion) && API_VERSION.test(apiVersion), 'must be a group and version'],
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

const contentChecks = (object: JsonObject): readonly Check[] =>
  ['spec', 'status'].map((field) => [field, optional(own(object, field), isObject), 'must be a map'])

function valueAt(object: JsonObject, path: string): Json | undefined {
  const [head = '', tail] = path.split('.')
  const value = own(object, head)
  return tail === undefined || !isObject(value) ? value : own(value, tail)
}

/** A document that says it is another one than its place says would be acted on under the wrong name. */
function placeFault(object: JsonObject, { namespace, name, type }: Expected): string | undefined {
  const wanted: readonly (readonly [string, string])[] = [
    ['metadata.name', name],
    ['metadata.namespace', namespace],
    ...(type === undefined ? [] : [['apiVersion', type.apiVersion] as const, ['kind', type.kind] as const]),
  ]
  for (const [path, right] of wanted) {
    const value = valueAt(object, path) ?? ''
    if (value !== right) return `${path} must be ${JSON.stringify(right)} at this path, not ${shown(value)}; ${REMEDY}`
  }
  return undefined
}
