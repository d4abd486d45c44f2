/** Patches of JSON: RFC 7396 merge patch, RFC 6902 JSON patch within bounds, and equality. Pure. */
import { applyPatch, Pointer, type Operation } from 'rfc6902'
import { err, ok, type Result } from '../../system/result.ts'
import type { Json, JsonObject } from './object.ts'

/** Operations of one JSON patch at most: each may copy, so that patches are bombs without a bound. */
export const JSON_PATCH_OPERATIONS_MAX = 1_000
/** JSON that the `copy` operations of one patch may add up to, in UTF-16 units. */
const COPIED_CHARS_MAX = 3 * 1024 * 1024

/** Why a patch cannot be applied. */
export type PatchError = {
  /** BadRequest: not a patch at all. Invalid: it does not fit the object. RequestEntityTooLarge: past a bound. */
  readonly reason: 'BadRequest' | 'Invalid' | 'RequestEntityTooLarge'
  readonly message: string
}

/** Whether a value is a JSON object: not null, not a list. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** RFC 7396: maps merge, null removes, everything else replaces. Parts that the patch does not touch are shared. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isJsonObject(patch)) return patch
  const merged = new Map(isJsonObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key), value))
  }
  // fromEntries defines own properties, so that a key such as __proto__ stays a key.
  return Object.fromEntries(merged)
}

const OPERATIONS: ReadonlySet<unknown> = new Set(['add', 'remove', 'replace', 'move', 'copy', 'test'])
const UNSAFE_TOKENS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype'])

/** RFC 6902. The target is not changed; an operation that fails, a `test` among them, fails the whole patch. */
export function jsonPatch(target: Json, patch: unknown): Result<Json, PatchError> {
  if (!Array.isArray(patch)) return badRequest(`Cannot apply the JSON patch: got ${typeOf(patch)}, a list is expected`)
  if (patch.length > JSON_PATCH_OPERATIONS_MAX) {
    const message = `Cannot apply the JSON patch: got "${patch.length}" operations, at most ${JSON_PATCH_OPERATIONS_MAX} are allowed`
    return err({ reason: 'RequestEntityTooLarge', message })
  }
  const root: { value: Json } = { value: structuredClone(target) }
  let copiedChars = 0
  for (const [index, raw] of patch.entries()) {
    const operation = operationOf(raw)
    if (operation === undefined) return badRequest(`Cannot apply the JSON patch: operation ${index} is malformed`)
    if (operation.op === 'copy') copiedChars += sizeOfCopy(root.value, operation.from)
    if (copiedChars > COPIED_CHARS_MAX)
      return err({ reason: 'RequestEntityTooLarge', message: 'Cannot apply the JSON patch: it copies too much' })
    const failure = applyOne(root, operation)
    if (failure !== undefined)
      return err({ reason: 'Invalid', message: `Cannot apply operation ${index} of the JSON patch: ${failure}` })
  }
  return ok(root.value)
}

/** Deep equality of JSON; the order of keys does not matter, and an undefined member counts as absent. */
export function jsonEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (Array.isArray(left))
    return Array.isArray(right) && left.length === right.length && left.every((item, i) => jsonEqual(item, right[i]))
  if (!isJsonObject(left) || !isJsonObject(right)) return false
  let count = 0
  for (const key of Object.keys(left)) {
    const value = left[key]
    if (value === undefined) continue
    count += 1
    if (!Object.hasOwn(right, key) || !jsonEqual(value, right[key])) return false
  }
  for (const key of Object.keys(right)) if (right[key] !== undefined) count -= 1
  return count === 0
}

const badRequest = (message: string): Result<never, PatchError> => err({ reason: 'BadRequest', message })
const typeOf = (value: unknown): string => (value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value)

function operationOf(raw: unknown): Operation | undefined {
  if (!isJsonObject(raw) || !OPERATIONS.has(raw['op']) || !isPointer(raw['path'])) return undefined
  const needsFrom = raw['op'] === 'move' || raw['op'] === 'copy'
  if (needsFrom && !isPointer(raw['from'])) return undefined
  const needsValue = raw['op'] === 'add' || raw['op'] === 'replace' || raw['op'] === 'test'
  if (needsValue && !Object.hasOwn(raw, 'value')) return undefined
  // Every member that the operation needs has been checked above.
  return raw as unknown as Operation
}

const isPointer = (value: unknown): value is string =>
  typeof value === 'string' &&
  (value === '' || value.startsWith('/')) &&
  !value.split('/').some((token) => UNSAFE_TOKENS.has(token))

/** Infinite for what is nested too deep to be written down. */
function sizeOfCopy(root: Json, from: string): number {
  try {
    return JSON.stringify(Pointer.fromJSON(from).get(root) ?? null).length
  } catch {
    return Infinity
  }
}

/** Applies one operation in place under `root.value`; returns why it failed. */
function applyOne(root: { value: Json }, operation: Operation): string | undefined {
  // Below a wrapper, an operation on the whole document ('') is one on a member.
  const within = <T extends string>(pointer: T): string => `/value${pointer}`
  const moved = { ...operation, path: within(operation.path) }
  const wrapped = 'from' in operation ? { ...moved, from: within(operation.from) } : moved
  try {
    // The spread keeps the union's members together: only the pointers differ.
    const [failure] = applyPatch(root, [wrapped as Operation])
    return failure === null || failure === undefined ? undefined : `${operation.op} "${operation.path}" does not fit`
  } catch {
    return `${operation.op} "${operation.path}" does not fit`
  }
}
