/** Takes out of a merged object what its applier claimed before and no longer does, unless another owns it. Pure. */
import type { Json, JsonObject } from '../object.ts'
import { isList, isObject } from '../schema/json.ts'
import { DEDUCED, itemElement, knownAtom, memberAtom, type Atom, type ListAtom, type MapAtom } from './atom.ts'
import { memberElement, memberName } from './element.ts'
import {
  below,
  difference,
  elementsOf,
  hasPathsBelow,
  intersection,
  isEmptySet,
  isPath,
  nodeOf,
  union,
  type FieldSet,
} from './field-set.ts'
import { setOf } from './set-of.ts'

/**
 * The merged object without the fields of `last` (what the manager claimed before) that are in no set of `claimed`
 * (what everybody, this manager included, owns now). Fields that were not in `last` stay, whoever set them.
 */
export function prune(
  atom: Atom,
  merged: Json,
  { last, claimed }: { readonly last: FieldSet; readonly claimed: readonly FieldSet[] },
): Json {
  if (isEmptySet(last)) return merged
  const named = (set: FieldSet): FieldSet => withNamed(atom, set)
  const all = named(setOf(atom, merged))
  const bare = removeFields(atom, merged, named(last))
  const kept = union(named(setOf(atom, bare)), named(claimed.reduce(union, {})))
  // What somebody owns comes back, and then what this one had not owned.
  const restored = removeFields(atom, merged, difference(all, kept))
  const gone = difference(all, named(setOf(atom, restored)))
  return removeFields(atom, merged, intersection(gone, named(last)))
}

/** A value without these fields; a map or list that loses its last one becomes null. */
export function removeFields(atom: Atom, value: Json, fields: FieldSet): Json {
  if (!hasPathsBelow(fields)) return value
  const known = knownAtom(atom, value)
  if (known.shape === 'scalar') return value
  if (known.shape === 'map') return isObject(value) && !known.isAtomic ? removeMembers(known, value, fields) : null
  return isList(value) && known.items !== 'atomic' ? removeItems(known, value, fields) : null
}

function removeMembers(atom: MapAtom, value: JsonObject, fields: FieldSet): Json {
  const kept: [string, Json][] = []
  for (const [name, child] of Object.entries(value)) {
    const node = below(fields, memberElement(name))
    if (node === undefined) kept.push([name, child])
    else if (!isPath(node)) kept.push([name, removeFields(memberAtom(atom, name) ?? DEDUCED, child, node)])
  }
  // fromEntries defines members, so that one named __proto__ stays a plain member.
  return kept.length === 0 ? null : Object.fromEntries(kept)
}

function removeItems(atom: ListAtom, items: readonly Json[], fields: FieldSet): Json {
  const kept: Json[] = []
  for (const item of items) {
    const element = itemElement(atom, item)
    const node = element === undefined ? undefined : below(fields, element)
    if (node === undefined) kept.push(item)
    else if (!isPath(node)) kept.push(removeFields(atom.element, item, node))
  }
  return kept.length === 0 ? null : kept
}

/** The set with every declared field that has paths below it: or a parent would be left behind by its last child. */
function withNamed(atom: Atom | undefined, set: FieldSet): FieldSet {
  const members: [string, FieldSet][] = []
  for (const element of elementsOf(set)) {
    const node = below(set, element)
    if (node === undefined) continue
    const name = memberName(element)
    const isNamed = name !== undefined && atom?.shape === 'map' && atom.fields.has(name) && hasPathsBelow(node)
    const inner = nodeOf(isPath(node) || isNamed, hasPathsBelow(node) ? withNamed(childAtom(atom, name), node) : {})
    if (inner !== undefined) members.push([element, inner])
  }
  return Object.fromEntries(members)
}

function childAtom(atom: Atom | undefined, name: string | undefined): Atom | undefined {
  if (atom?.shape === 'map' && name !== undefined) return memberAtom(atom, name)
  if (atom?.shape === 'list' && name === undefined) return atom.element
  return undefined
}
