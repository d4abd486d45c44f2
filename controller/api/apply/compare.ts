/** Compares two values field by field: which fields were added, changed or removed. Pure. */
import type { Json } from '../object.ts'
import { jsonEqual } from '../patches.ts'
import { isList, isObject, own } from '../schema/json.ts'
import { itemElement, knownAtom, memberAtom, type Atom, type KnownAtom, type ListAtom, type MapAtom } from './atom.ts'
import { memberElement } from './element.ts'
import { differenceBelow, insertPath, type FieldSet, type FieldSetDraft } from './field-set.ts'

/** The fields in which two values differ. */
export type Comparison = { readonly added: FieldSet; readonly changed: FieldSet; readonly removed: FieldSet }

type Walk = {
  readonly path: string[]
  readonly added: FieldSetDraft
  readonly changed: FieldSetDraft
  readonly removed: FieldSetDraft
  /** Set when an item of a list with parts has no key, so that nothing can be said of it. */
  isFailed: boolean
}

/** What differs between two values of a type; undefined when a list holds an item that has no key. */
export function compare(atom: Atom, before: Json, after: Json): Comparison | undefined {
  const walk: Walk = { path: [], added: {}, changed: {}, removed: {}, isFailed: false }
  visit(atom, { before, after }, walk)
  return walk.isFailed ? undefined : { added: walk.added, changed: walk.changed, removed: walk.removed }
}

/** A comparison without the fields below these paths. */
export const without = ({ added, changed, removed }: Comparison, ignored: FieldSet): Comparison => ({
  added: differenceBelow(added, ignored),
  changed: differenceBelow(changed, ignored),
  removed: differenceBelow(removed, ignored),
})

/** At most one of the two is absent. */
type Sides = { readonly before: Json | undefined; readonly after: Json | undefined }

function visit(atom: Atom, sides: Sides, walk: Walk): void {
  const { before, after } = sides
  // Unchanged parts are shared between a live object and what a patch makes of it.
  if (before === after) return
  const left = before === undefined ? undefined : knownAtom(atom, before)
  const right = after === undefined ? left : knownAtom(atom, after)
  if (right === undefined) return
  // Free JSON that changes its shape is looked at as both.
  if (left !== undefined && left.shape !== right.shape) visitAs(left, sides, walk)
  const isLeaf = visitAs(right, sides, walk)
  if (isLeaf || (before !== undefined && after !== undefined)) return
  insert(before === undefined ? walk.added : walk.removed, walk.path)
}

/** Looks at both sides as of one type; true when the field has no parts of its own. */
function visitAs(atom: KnownAtom, sides: Sides, walk: Walk): boolean {
  if (atom.shape === 'map' && !atom.isAtomic && (hasParts(sides.before, isObject) || hasParts(sides.after, isObject))) {
    visitMembers(atom, sides, walk)
    return false
  }
  if (
    atom.shape === 'list' &&
    atom.items !== 'atomic' &&
    (hasParts(sides.before, isList) || hasParts(sides.after, isList))
  ) {
    visitItems(atom, sides, walk)
    return false
  }
  visitLeaf(sides, walk)
  return true
}

const hasParts = (value: Json | undefined, isShape: (value: Json | undefined) => boolean): boolean =>
  isShape(value) && Object.keys(value as object).length > 0 // maps and lists are objects

function visitLeaf({ before, after }: Sides, { path, added, changed, removed }: Walk): void {
  if (before === undefined) insert(added, path)
  else if (after === undefined) insert(removed, path)
  else if (!jsonEqual(before, after)) insert(changed, path)
}

function visitMembers(atom: MapAtom, { before, after }: Sides, walk: Walk): void {
  const left = isObject(before) ? before : {}
  const right = isObject(after) ? after : {}
  const look = (name: string): void => {
    const child = memberAtom(atom, name)
    if (child === undefined) return
    walk.path.push(memberElement(name))
    visit(child, { before: own(left, name), after: own(right, name) }, walk)
    walk.path.pop()
  }
  for (const name of Object.keys(left)) look(name)
  for (const name of Object.keys(right)) if (!Object.hasOwn(left, name)) look(name)
}

function visitItems(atom: ListAtom, { before, after }: Sides, walk: Walk): void {
  const left = itemsOf(atom, isList(before) ? before : [], walk)
  const right = itemsOf(atom, isList(after) ? after : [], walk)
  const look = (element: string): void => {
    walk.path.push(element)
    visitRepeats(atom, { before: left.get(element) ?? [], after: right.get(element) ?? [] }, walk)
    walk.path.pop()
  }
  for (const element of left.keys()) look(element)
  for (const element of right.keys()) if (!left.has(element)) look(element)
}

/** Items of one element: as a rule one on each side; repeated ones are compared as a whole. */
function visitRepeats(
  atom: ListAtom,
  { before, after }: { readonly before: readonly Json[]; readonly after: readonly Json[] },
  walk: Walk,
): void {
  if (before.length <= 1 && after.length <= 1) return visit(atom.element, { before: before[0], after: after[0] }, walk)
  if (before.length > 1 && after.length > 1) {
    if (!jsonEqual(before, after)) insert(walk.changed, walk.path)
    return
  }
  // Repeats that came or went change the whole item.
  insert(before.length > 1 ? walk.removed : walk.added, walk.path)
  if (after.length > 0 && before.length > 1) insert(walk.added, walk.path)
}

function itemsOf(atom: ListAtom, items: readonly Json[], walk: Walk): ReadonlyMap<string, readonly Json[]> {
  const found = new Map<string, Json[]>()
  for (const item of items) {
    const element = itemElement(atom, item)
    if (element === undefined) {
      walk.isFailed = true
      continue
    }
    const same = found.get(element)
    if (same === undefined) found.set(element, [item])
    else same.push(item)
  }
  return found
}

/** The root itself is never a path. */
const insert = (draft: FieldSetDraft, path: readonly string[]): void => {
  if (path.length > 0) insertPath(draft, path)
}
