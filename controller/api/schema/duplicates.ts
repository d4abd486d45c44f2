/** Finds repeated items of lists that are sets or maps, as Kubernetes' list types demand. Pure. */
import type { Cause } from '../errors.ts'
import type { Json } from '../object.ts'
import { canonicalJson, isObject, own } from './json.ts'
import type { StructuralSchema } from './structural.ts'

/** The longest item that a message shows, in characters. */
const SHOWN_CHARS_MAX = 200

/** One cause for each item that stood in the list before; none for atomic lists. */
export function duplicateCauses(schema: StructuralSchema, items: readonly Json[], path: string): Cause[] {
  const type = schema['x-kubernetes-list-type']
  if (type !== 'set' && type !== 'map') return []
  // Type checks refuse such a list; Kubernetes then looks for no duplicates in it.
  if (type === 'map' && !items.every((item) => item === null || isObject(item))) return []
  const seen = new Map<string, number>()
  const causes: Cause[] = []
  items.forEach((item, index) => {
    const identity = type === 'set' ? canonicalJson(item) : keysText(schema, item)
    if (identity === undefined) return
    const before = seen.get(identity) ?? 0
    seen.set(identity, before + 1)
    // Once a value: its third occurrence adds nothing to what its second says.
    if (before !== 1) return
    const message = `Duplicate value: ${identity.slice(0, SHOWN_CHARS_MAX)}`
    causes.push({ reason: 'FieldValueDuplicate', message, field: `${path}[${index}]` })
  })
  return causes
}

/** The keys of an item of a map list as text; undefined when it is no object, which its type check refuses. */
export function keysText(schema: StructuralSchema, item: Json): string | undefined {
  if (!isObject(item)) return undefined
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  return canonicalJson(
    Object.fromEntries(keys.map((key) => [key, own(item, key) ?? own(schema.items?.properties, key)?.default ?? null])),
  )
}
