/**
 * A set of field paths, kept as the JSON that goes over the wire: metav1.FieldsV1. Pure.
 *
 *   { "f:spec": { ".": {}, "f:model": {} } }     holds .spec and .spec.model, not the root
 *
 * A node without members is a path of the set; a node with members is one only when it has the mark ".". The root is
 * never a path, so that `{}` at the root is the empty set. Sets are never changed, and share what they have in common.
 */

/** A set of paths: elements such as `f:spec` to what lies below them. */
export type FieldSet = { readonly [element: string]: FieldSet }

/** A set that is being built. */
export type FieldSetDraft = { [element: string]: FieldSetDraft }

/** The elements from the root to a field. */
export type FieldPath = readonly string[]

const SELF = '.'
const LEAF: FieldSet = Object.freeze({})

/** The set without paths. */
export const NO_FIELDS: FieldSet = LEAF

/** Whether a set has no path. */
export const isEmptySet = (set: FieldSet): boolean => !hasMembers(set)

/** Adds a path, not empty, to a draft. */
export function insertPath(draft: FieldSetDraft, path: FieldPath): void {
  let node = draft
  path.forEach((element, index) => {
    const isLast = index === path.length - 1
    const known = childOf(node, element)
    if (known === undefined) {
      node[element] = {}
      node = node[element]
      return
    }
    // A path that is there and gets others below it keeps its place by the mark; so does one that joins them.
    if (isLast ? isInhabited(known) : !isInhabited(known)) known[SELF] = {}
    node = known
  })
}

/** Drafts that are known to have members: they never lose them. */
const inhabited = new WeakSet<FieldSet>()

/** hasMembers of a draft that is asked once a path: looking at one member costs as much as looking at all. */
function isInhabited(node: FieldSet): boolean {
  if (inhabited.has(node)) return true
  if (!hasMembers(node)) return false
  inhabited.add(node)
  return true
}

/** The paths of both; `left` itself when it has them all. */
export const union = (left: FieldSet, right: FieldSet): FieldSet =>
  isEmptySet(left) ? right : (edited(left, right, unionNode) ?? NO_FIELDS)

/** The paths of `left` that are not in `right`; what lies below a path of `right` stays. `left` itself when it has none. */
export const difference = (left: FieldSet, right: FieldSet): FieldSet =>
  edited(left, right, differenceNode) ?? NO_FIELDS

/** The paths of `left` that are neither in `right` nor below a path of `right`. */
export const differenceBelow = (left: FieldSet, right: FieldSet): FieldSet =>
  edited(left, right, differenceBelowNode) ?? NO_FIELDS

/** The paths that are in both. */
export const intersection = (left: FieldSet, right: FieldSet): FieldSet => commonMembers(left, right)

/** Whether the set has this path. */
export function hasPath(set: FieldSet, path: FieldPath): boolean {
  let node: FieldSet | undefined = set
  for (const element of path) node = node === undefined ? undefined : childOf(node, element)
  return node !== undefined && path.length > 0 && isPath(node)
}

/** Every path of a set, parents first. */
export function pathsOf(set: FieldSet, prefix: FieldPath = []): readonly FieldPath[] {
  return Object.entries(set).flatMap(([element, node]) => {
    if (element === SELF) return []
    const path = [...prefix, element]
    return [...(isPath(node) ? [path] : []), ...pathsOf(node, path)]
  })
}

/** What lies below an element; undefined when nothing does and the element itself is not in the set. */
export const below = (set: FieldSet, element: string): FieldSet | undefined => childOf(set, element)

/** Whether a node stands for a path of its own, rather than only for those below it. */
export const isPath = (node: FieldSet): boolean => Object.hasOwn(node, SELF) || !hasMembers(node)

/** Whether paths lie below a node. */
export const hasPathsBelow = (node: FieldSet): boolean => elementsOf(node).length > 0

/** The elements below a node, its mark aside. */
export const elementsOf = (node: FieldSet): readonly string[] => Object.keys(node).filter((element) => element !== SELF)

/** A node of its paths below and of whether it is a path itself; undefined when it is neither. */
export function nodeOf(isOwn: boolean, members: FieldSet): FieldSet | undefined {
  if (!hasMembers(members)) return isOwn ? LEAF : undefined
  return isOwn ? { [SELF]: LEAF, ...members } : members
}

/** The same set in one order: fields, then keys, values and indices, as Kubernetes writes them. */
export function sortedSet(set: FieldSet): FieldSet {
  if (isSorted(set)) return set
  const sorted: FieldSetDraft = {}
  for (const element of Object.keys(set).sort(byElement))
    sorted[element] = sortedSet(childOf(set, element) ?? LEAF) as FieldSetDraft
  return sorted
}

function isSorted(set: FieldSet): boolean {
  let last: string | undefined
  for (const element in set) {
    if (last !== undefined && byElement(last, element) > 0) return false
    last = element
    const node = childOf(set, element)
    if (node !== undefined && !isSorted(node)) return false
  }
  return true
}

const ORDER = ['.', 'f', 'k', 'v', 'i']

function byElement(left: string, right: string): number {
  const order = left.charCodeAt(0) === right.charCodeAt(0) ? 0 : rank(left) - rank(right)
  return order === 0 ? (left < right ? -1 : 1) : order
}

const rank = (element: string): number => ORDER.indexOf(element.charAt(0))

const childOf = <T>(node: { readonly [element: string]: T }, element: string): T | undefined =>
  Object.hasOwn(node, element) ? node[element] : undefined

function hasMembers(node: FieldSet): boolean {
  for (const _ in node) return true
  return false
}

type Edit = (left: FieldSet | undefined, right: FieldSet) => FieldSet | undefined

/** Edits the members of a node that `right` has too, the marks aside; undefined when none is left. Shares what stays. */
function edited(left: FieldSet, right: FieldSet, edit: Edit): FieldSet | undefined {
  let changed: Map<string, FieldSet | undefined> | undefined
  for (const element in right) {
    const other = childOf(right, element)
    if (element === SELF || other === undefined) continue
    const before = childOf(left, element)
    const after = edit(before, other)
    if (after === before) continue
    changed ??= new Map()
    changed.set(element, after)
  }
  if (changed === undefined) return left
  const members: FieldSetDraft = {}
  // A draft may hold finished nodes: it is not written below them.
  const put = (element: string, node: FieldSet | undefined): void => {
    if (node !== undefined) members[element] = node as FieldSetDraft
  }
  for (const element in left) if (!changed.has(element)) put(element, childOf(left, element))
  for (const [element, node] of changed) put(element, node)
  return hasMembers(members) ? members : undefined
}

/** A node with edited members: a path of its own, or only a way to others. */
function renewed(left: FieldSet, members: FieldSet | undefined, isOwn: boolean): FieldSet | undefined {
  if (members === left && isOwn === isPath(left)) return left
  if (members === undefined || !hasPathsBelow(members)) return isOwn ? LEAF : undefined
  const { [SELF]: _mark, ...rest } = members
  return nodeOf(isOwn, rest)
}

const unionNode: Edit = (left, right) => {
  if (left === undefined || left === right) return right
  return renewed(left, edited(left, right, unionNode), isPath(left) || isPath(right))
}

const differenceNode: Edit = (left, right) => {
  if (left === undefined) return undefined
  return renewed(left, edited(left, right, differenceNode), isPath(left) && !isPath(right))
}

const differenceBelowNode: Edit = (left, right) => {
  if (left === undefined || isPath(right)) return undefined
  return renewed(left, edited(left, right, differenceBelowNode), isPath(left))
}

function commonMembers(left: FieldSet, right: FieldSet): FieldSet {
  const members: FieldSetDraft = {}
  for (const element in left) {
    const one = childOf(left, element)
    const other = childOf(right, element)
    if (element === SELF || one === undefined || other === undefined) continue
    const node = nodeOf(isPath(one) && isPath(other), commonMembers(one, other))
    // As above: a draft may hold finished nodes.
    if (node !== undefined) members[element] = node as FieldSetDraft
  }
  return members
}
