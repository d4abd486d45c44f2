/** Small tools over JSON values that the schema engine shares: kinds, copies, canonical text, depth, paths. Pure. */
import type { Json, JsonObject } from '../object.ts'

/** How deep a value may be nested before it is refused: far more than any kind needs, far less than the stack bears. */
export const DEPTH_MAX = 64

/** Whether a value is a JSON object: not null, not a list. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a value is a list; narrows readonly arrays, which Array.isArray does not. */
export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value)

/** Own property of an object by a name that a user chose: `constructor` and the like are never found by accident. */
export const own = <T>(record: { readonly [name: string]: T } | undefined, name: string): T | undefined =>
  record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined

/** A deep copy, for defaults that must not be shared between objects. */
export function copyJson(value: Json): Json {
  if (isList(value)) return value.map(copyJson)
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, child]) => [name, copyJson(child)]))
  return value
}

/** Text that is equal for equal values: object keys sorted. For values no deeper than DEPTH_MAX. */
export function canonicalJson(value: Json): string {
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(own(value, name) ?? null)}`)
  return `{${members.join(',')}}`
}

/** Whether a value is nested deeper than `levels`; looks no deeper than that. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  return Object.values(value).some((child) => isDeeperThan(child, levels - 1))
}

/** The path of a member, as Kubernetes writes it: `spec.work`. */
export const memberPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`)

/** The path of a list item, as Kubernetes writes it: `spec.work[0]`. */
export const itemPath = (path: string, index: number): string => `${path}[${index}]`
