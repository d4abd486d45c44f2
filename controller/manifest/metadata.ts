/** Checks what a manifest says in its metadata: the name, and that every field is one that a user may write. Pure. */
import { nearestName } from '../api/schema/nearest.ts'
import { isObject } from '../api/schema/json.ts'
import type { Json, JsonObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { FieldPath } from './locate.ts'
import { shownValue } from './problem.ts'

/** A flaw of a field; `isKey` when the field's name is at fault rather than its value. */
export type Flaw = {
  readonly steps: FieldPath
  readonly message: string
  readonly received?: string
  readonly fix?: string
  readonly isKey?: boolean
}

/** What ObjectMeta knows. What the server alone sets is known too: `get -o yaml` prints it, and apply ignores it. */
const FIELDS: ReadonlySet<string> = new Set([
  'name',
  'generateName',
  'namespace',
  'labels',
  'annotations',
  'finalizers',
  'ownerReferences',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
])

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u
const NAME_CHARS_MAX = 253
const NAMESPACE_CHARS_MAX = 63
const LOWER_CASE = 'use lower-case letters, digits and dashes'

/** Everything wrong with an object's metadata. */
export function metadataFlaws(metadata: Json | undefined, resource: ResourceDefinition): Flaw[] {
  if (metadata === undefined || metadata === null) {
    return [{ steps: ['metadata'], message: 'Required value is missing', fix: 'add metadata.name' }]
  }
  if (!isObject(metadata)) {
    return [{ steps: ['metadata'], message: `Wrong type ${shownValue(metadata)}: expected object` }]
  }
  return [
    ...unknownFlaws(metadata),
    ...nameFlaws(metadata),
    ...namespaceFlaws(metadata, resource),
    ...textMapFlaws(metadata, 'labels'),
    ...textMapFlaws(metadata, 'annotations'),
  ]
}

const unknownFlaws = (metadata: JsonObject): Flaw[] =>
  Object.keys(metadata)
    .filter((name) => !FIELDS.has(name))
    .map((name) => unknownField(['metadata', name], metadata[name], FIELDS))

/** The flaw of a field that is not known; names the nearest of those that are. */
export function unknownField(steps: FieldPath, value: Json | undefined, known: Iterable<string>): Flaw {
  const name = String(steps.at(-1))
  const nearest = nearestName(name, known)
  return {
    steps,
    isKey: true,
    message: `Unknown field ${shownValue(name)}`,
    ...(value === undefined ? {} : { received: shownValue(value) }),
    fix: nearest === undefined ? 'remove it' : `did you mean ${nearest}?`,
  }
}

function nameFlaws(metadata: JsonObject): Flaw[] {
  const { name } = metadata
  if (name === undefined && typeof metadata['generateName'] === 'string') return []
  const steps = ['metadata', 'name']
  if (name === undefined || name === null) return [{ steps, message: 'Required value is missing', fix: 'add a name' }]
  if (typeof name === 'string' && name.length <= NAME_CHARS_MAX && SUBDOMAIN.test(name)) return []
  const message = `Invalid name ${shownValue(name)}`
  return [{ steps, message, received: shownValue(name), fix: `${LOWER_CASE}, at most ${NAME_CHARS_MAX} characters` }]
}

function namespaceFlaws(metadata: JsonObject, resource: ResourceDefinition): Flaw[] {
  const { namespace } = metadata
  if (namespace === undefined) return []
  const steps = ['metadata', 'namespace']
  const received = shownValue(namespace)
  if (resource.scope === 'Cluster') {
    return [{ steps, isKey: true, message: `${resource.kind} has no namespace`, received, fix: 'remove it' }]
  }
  if (typeof namespace === 'string' && namespace.length <= NAMESPACE_CHARS_MAX && LABEL.test(namespace)) return []
  return [{ steps, message: `Invalid namespace ${received}`, received, fix: LOWER_CASE }]
}

function textMapFlaws(metadata: JsonObject, field: 'labels' | 'annotations'): Flaw[] {
  const map = metadata[field]
  if (map === undefined || map === null) return []
  const wrong = (steps: FieldPath, value: Json, expected: string): Flaw => ({
    steps,
    message: `Wrong type ${shownValue(value)}: expected ${expected}`,
    received: shownValue(value),
  })
  if (!isObject(map)) return [wrong(['metadata', field], map, 'object')]
  return Object.entries(map)
    .filter(([, value]) => typeof value !== 'string')
    .map(([name, value]) => ({ ...wrong(['metadata', field, name], value, 'string'), fix: 'quote it' }))
}
