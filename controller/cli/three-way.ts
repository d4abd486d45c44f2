/** Decides what apply sends: a merge patch from what was last applied, what is there, and what is wanted. Pure. */
import type { Json, JsonObject } from '../api/object.ts'
import { isJsonObject, jsonEqual } from '../api/patches.ts'

/** The annotation in which kubectl and spritectl keep what they applied last. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'

/** The text that the annotation holds of an object: keys sorted, without the annotation itself, as kubectl writes it. */
export function lastAppliedText(object: JsonObject): string {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {}
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {}
  const rest = Object.fromEntries(Object.entries(annotations).filter(([name]) => name !== LAST_APPLIED))
  const text = JSON.stringify(sorted({ ...object, metadata: { ...metadata, annotations: rest } }))
  return `${text.replace(/[<>&\u2028\u2029]/g, escaped)}\n`
}

/** As Go writes these, so that kubectl finds nothing to change in what we applied, and we in what it did. */
const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`

function sorted(value: Json): Json {
  if (isJsonObject(value)) {
    const entries = Object.entries(value).map(([name, child]) => [name, sorted(child)] as const)
    return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
  }
  return Array.isArray(value) ? value.map((item: Json) => sorted(item)) : value
}

/** The object with the annotation that says what was applied. */
export function withLastApplied(object: JsonObject): JsonObject {
  const metadata = isJsonObject(object['metadata']) ? object['metadata'] : {}
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {}
  const all = { ...annotations, [LAST_APPLIED]: lastAppliedText(object) }
  return { ...object, metadata: { ...metadata, annotations: all } }
}

/** What was last applied to an object; undefined when that is unknown. */
export function lastAppliedOf(current: JsonObject): JsonObject | undefined {
  const metadata = isJsonObject(current['metadata']) ? current['metadata'] : {}
  const annotations = isJsonObject(metadata['annotations']) ? metadata['annotations'] : {}
  const text = annotations[LAST_APPLIED]
  if (typeof text !== 'string') return undefined
  try {
    const read: unknown = JSON.parse(text)
    return isJsonObject(read) ? read : undefined
  } catch {
    return undefined
  }
}

/**
 * The merge patch that makes `current` what is wanted: what differs is set, what was applied before and is wanted no
 * more is removed (null), what others have set stays. Lists are replaced whole. Empty when nothing is to do.
 */
export function threeWayPatch(previous: JsonObject | undefined, current: JsonObject, wanted: JsonObject): JsonObject {
  const patch: [string, Json][] = []
  for (const [name, value] of Object.entries(wanted)) {
    const there = Object.hasOwn(current, name) ? current[name] : undefined
    const before = previous !== undefined && Object.hasOwn(previous, name) ? previous[name] : undefined
    if (isJsonObject(value) && isJsonObject(there)) {
      const inner = threeWayPatch(isJsonObject(before) ? before : undefined, there, value)
      if (Object.keys(inner).length > 0) patch.push([name, inner])
    } else if (!isSame(value, there)) patch.push([name, value])
  }
  for (const name of Object.keys(previous ?? {}))
    if (!Object.hasOwn(wanted, name) && Object.hasOwn(current, name)) patch.push([name, null])
  return Object.fromEntries(patch)
}

/** A wanted null says that the field is not to be there, or to be null. */
const isSame = (wanted: Json, there: Json | undefined): boolean =>
  there === undefined ? wanted === null : jsonEqual(wanted, there)

/** Whether the wanted object says null anywhere: a merge patch cannot say that, it removes. */
export const saysNull = (value: Json): boolean =>
  value === null ||
  (Array.isArray(value) && value.some((item: Json) => saysNull(item))) ||
  (isJsonObject(value) && Object.values(value).some((child) => saysNull(child)))
