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
    if (isLast ? hasMembers(known) : !hasMembers(known)) known[SELF] = {}
    node = known
  })
}

/** The paths of both. */
export function union(left: FieldSet, right: FieldSet): FieldSet {
  if (left === right || isEmptySet(right)) return left
  if (isEmptySet(left)) return right
  return membersOf(left, right, unionNode)
}

/** The paths of `left` that are not in `right`; what lies below a path of `right` stays. */
export const difference = (left: FieldSet, right: FieldSet): FieldSet =>
  isEmptySet(left) || isEmptySet(right) ? left : membersOf(left, right, differenceNode)

/** The paths of `left` that are neither in `right` nor below a path of `right`. */
export const differenceBelow = (left: FieldSet, right: FieldSet): FieldSet =>
  isEmptySet(left) || isEmptySet(right) ? left : membersOf(left, right, differenceBelowNode)

/** The paths that are in both. */
export const intersection = (left: FieldSet, right: FieldSet): FieldSet => membersOf(left, right, bothNode)

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
  const sorted: FieldSetDraft = {}
  for (const element of Object.keys(set).sort(byElement))
    sorted[element] = sortedSet(childOf(set, element) ?? LEAF) as FieldSetDraft
  return sorted
}

const ORDER = ['.', 'f', 'k', 'v', 'i']

function byElement(left: string, right: string): number {
  const order = ORDER.indexOf(left.charAt(0)) - ORDER.indexOf(right.charAt(0))
  return order === 0 ? (left < right ? -1 : 1) : order
}

const childOf = <T>(node: { readonly [element: string]: T }, element: string): T | undefined =>
  Object.hasOwn(node, element) ? node[element] : undefined

function hasMembers(node: FieldSet): boolean {
  for (const _ in node) return true
  return false
}

type Combine = (left: FieldSet | undefined, right: FieldSet | undefined) => FieldSet | undefined

/** Combines the members of two nodes, their marks aside. */
function membersOf(left: FieldSet, right: FieldSet, combine: Combine): FieldSet {
  const members: FieldSetDraft = {}
  const take = (element: string): void => {
    if (element === SELF) return
    const node = combine(childOf(left, element), childOf(right, element))
    // As above: a draft may hold finished nodes.
    if (node !== undefined) members[element] = node as FieldSetDraft
  }
  for (const element of Object.keys(left)) take(element)
  for (const element of Object.keys(right)) if (!Object.hasOwn(left, element)) take(element)
  return members
}

const unionNode: Combine = (left, right) => {
  if (left === undefined || right === undefined || left === right) return left ?? right
  return nodeOf(isPath(left) || isPath(right), membersOf(left, right, unionNode))
}

const differenceNode: Combine = (left, right) => {
  if (left === undefined || right === undefined) return left
  return nodeOf(isPath(left) && !isPath(right), membersOf(left, right, differenceNode))
}

const differenceBelowNode: Combine = (left, right) => {
  if (left === undefined || right === undefined) return left
  return isPath(right) ? undefined : nodeOf(isPath(left), membersOf(left, right, differenceBelowNode))
}

const intersectionNode = (left: FieldSet, right: FieldSet): FieldSet | undefined =>
  nodeOf(isPath(left) && isPath(right), membersOf(left, right, bothNode))

const bothNode: Combine = (left, right) =>
  left === undefined || right === undefined ? undefined : intersectionNode(left, right)
