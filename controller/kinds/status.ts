/** Decides the one status patch of a pass: what to send so that the stored status becomes the one decided. Pure. */

type JsonMap = Readonly<Record<string, unknown>>

const isMap = (value: unknown): value is JsonMap => typeof value === 'object' && value !== null && !Array.isArray(value)

/** RFC 7396 cannot store null: null, undefined and absent are one and the same in a map. */
const isAbsent = (value: unknown): value is null | undefined => value === undefined || value === null

/**
 * The merge patch (RFC 7396: null removes) that turns `current` into `next`; undefined when nothing changes, and then
 * nothing is to be written. Lists are compared as a whole and replaced as a whole. A key of `next` that is null or
 * undefined counts as absent.
 */
export function statusPatch(current: object | undefined, next: object): object | undefined {
  const patch = mapPatch((current ?? {}) as JsonMap, next as JsonMap) // every JSON object is a map of its keys
  return Object.keys(patch).length === 0 ? undefined : patch
}

/** Recursion is bounded by the depth of the status schema. */
function mapPatch(current: JsonMap, next: JsonMap): JsonMap {
  const removed = Object.keys(current)
    .filter((key) => !isAbsent(current[key]) && isAbsent(own(next, key)))
    .map((key): [string, unknown] => [key, null])
  const changed = Object.keys(next).flatMap((key): [string, unknown][] => {
    const value = next[key]
    if (isAbsent(value)) return []
    const before = own(current, key)
    if (sameJson(before, value)) return []
    return [[key, isMap(value) && isMap(before) ? mapPatch(before, value) : value]]
  })
  return Object.fromEntries([...removed, ...changed])
}

const own = (map: JsonMap, key: string): unknown => (Object.hasOwn(map, key) ? map[key] : undefined)

/** Whether two JSON values say the same; the order of keys and absent keys do not count, the order of lists does. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b || (isAbsent(a) && isAbsent(b))) return true
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameJson(item, b[index]))
  }
  if (!isMap(a) || !isMap(b)) return false
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => sameJson(own(a, key), own(b, key)))
}
