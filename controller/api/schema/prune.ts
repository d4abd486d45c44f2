/** Drops the fields that a schema does not know, as Kubernetes does to every write, and says which. Pure. */
import type { Json } from '../object.ts'
import { isList, isObject, itemPath, memberPath, own } from './json.ts'
import type { StructuralSchema } from './structural.ts'

/** `value` is the very object that was given when nothing was dropped. */
export type Pruned<T> = { readonly value: T; readonly unknown: readonly string[] }

/** The longest list of unknown fields that is kept; all are dropped however many there are. */
export const UNKNOWN_FIELDS_MAX = 100

const ALWAYS_KNOWN: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

/**
 * An object without the fields that its kind's schema does not know, and their paths, such as `spec.work[0].foo`.
 * metadata is left alone: it has no schema of ours. Values of the wrong type are left for `validate` to refuse.
 */
export function prune<T>(schema: StructuralSchema, object: T): Pruned<T> {
  const unknown: string[] = []
  if (!isObject(object)) return { value: object, unknown }
  // Dropping fields keeps an object what it is for its type: unknown fields were never part of that.
  const value = pruneMembers(schema, object, { path: '', isRoot: true, unknown }) as T
  return { value, unknown }
}

type Place = { readonly path: string; readonly isRoot: boolean; readonly unknown: string[] }

function pruneNode(schema: StructuralSchema, value: Json, place: Place): Json {
  if (isObject(value)) return pruneMembers(schema, value, place)
  if (!isList(value) || schema.items === undefined) return value
  const items = schema.items
  let copy: Json[] | undefined
  value.forEach((item, index) => {
    const next = pruneNode(items, item, { ...place, path: itemPath(place.path, index) })
    if (next === item) return
    copy ??= [...value]
    copy[index] = next
  })
  return copy ?? value
}

function pruneMembers(schema: StructuralSchema, value: { readonly [name: string]: Json }, place: Place): Json {
  const isFree = schema['x-kubernetes-preserve-unknown-fields'] === true
  let isChanged = false
  const members: [string, Json][] = []
  for (const [name, child] of Object.entries(value)) {
    if (place.isRoot && ALWAYS_KNOWN.has(name)) {
      members.push([name, child])
      continue
    }
    const path = memberPath(place.path, name)
    const childSchema = own(schema.properties, name) ?? schema.additionalProperties
    if (childSchema === undefined && !isFree) {
      isChanged = true
      if (place.unknown.length < UNKNOWN_FIELDS_MAX) place.unknown.push(path)
      continue
    }
    const next = childSchema === undefined ? child : pruneNode(childSchema, child, { ...place, isRoot: false, path })
    if (next !== child) isChanged = true
    members.push([name, next])
  }
  // fromEntries defines members, so that one named __proto__ stays a plain member.
  return isChanged ? Object.fromEntries(members) : value
}
