/**
 * Applies a strategic merge patch to an object of a built-in kind, as kubectl sends it for Namespace and the like. Pure.
 *
 * Maps are merged; null removes. Lists are replaced as a whole but for lists of plain values named in
 * `$deleteFromPrimitiveList/…` and lists of maps that a merge key tells apart (ownerReferences by uid). The directives
 * `$patch`, `$retainKeys` and `$setElementOrder/…` are honoured or, where order alone is meant, dropped.
 */
import type { Json, JsonObject } from './object.ts'

/** Lists of built-in kinds' metadata that merge by a key instead of being replaced. */
const MERGE_KEYS: Readonly<Record<string, string>> = { ownerReferences: 'uid' }
/** Lists of plain values that merge as sets. */
const MERGED_SETS: ReadonlySet<string> = new Set(['finalizers'])

const isMap = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The patched value; neither argument is changed. Depth is bounded by the body's. */
export function strategicMergePatch(target: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch
  if (patch['$patch'] === 'delete') return null
  const kept = retained(isMap(target) && patch['$patch'] !== 'replace' ? target : {}, patch['$retainKeys'])
  const merged = new Map<string, Json>(Object.entries(kept))
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith('$deleteFromPrimitiveList/')) removeItems(merged, key.slice(key.indexOf('/') + 1), value)
    else if (!key.startsWith('$')) mergeMember(merged, key, value)
  }
  return Object.fromEntries(merged)
}

function mergeMember(merged: Map<string, Json>, key: string, value: Json): void {
  const next = mergedMember(key, merged.get(key), value)
  if (next === null) merged.delete(key)
  else merged.set(key, next)
}

function mergedMember(key: string, before: Json | undefined, value: Json): Json {
  if (!Array.isArray(value)) return isMap(value) ? strategicMergePatch(before, value) : value
  const items: readonly Json[] = Array.isArray(before) ? before : []
  if (MERGED_SETS.has(key)) return [...new Set([...items, ...value])]
  const mergeKey = Object.hasOwn(MERGE_KEYS, key) ? MERGE_KEYS[key] : undefined
  return mergeKey === undefined ? value : mergedByKey(items, value, mergeKey)
}

function mergedByKey(before: readonly Json[], patch: readonly Json[], mergeKey: string): Json {
  const byKey = new Map<Json | undefined, Json>(before.map((item) => [isMap(item) ? item[mergeKey] : item, item]))
  for (const item of patch) {
    const id = isMap(item) ? item[mergeKey] : item
    const next = strategicMergePatch(byKey.get(id), item)
    if (next === null) byKey.delete(id)
    else byKey.set(id, next)
  }
  return [...byKey.values()]
}

function retained(target: JsonObject, keys: Json | undefined): JsonObject {
  if (!Array.isArray(keys)) return target
  return Object.fromEntries(Object.entries(target).filter(([key]) => keys.includes(key)))
}

function removeItems(merged: Map<string, Json>, key: string, gone: Json): void {
  const before = merged.get(key)
  if (Array.isArray(before) && Array.isArray(gone))
    merged.set(
      key,
      before.filter((item) => !gone.includes(item)),
    )
}
