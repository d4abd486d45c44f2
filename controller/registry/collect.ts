/** Decides what garbage collection does about one object: delete it, cut it from owners, or let it go. Pure. */
import type { OwnerReference } from '../api/object.ts'
import { isNamespace, type GraphNode, type OwnerGraph } from './owner-graph.ts'

/** The finalizer of an object that waits for its dependents to go. */
export const FOREGROUND = 'foregroundDeletion'
/** The finalizer of an object whose dependents are to stay. */
export const ORPHAN = 'orphan'

/** What garbage collection does with an object. */
export type CollectAction =
  /** Delete it; `absent` owners must be confirmed to be gone first. */
  | {
      readonly do: 'delete'
      readonly node: GraphNode
      readonly absent: readonly OwnerReference[]
      readonly isForeground: boolean
    }
  /** Take these owners out of its references; `absent` ones must be confirmed to be gone first. */
  | {
      readonly do: 'disown'
      readonly node: GraphNode
      readonly owners: readonly OwnerReference[]
      readonly absent: readonly OwnerReference[]
    }
  /** Nothing is left to wait for: take our finalizer off. */
  | { readonly do: 'release'; readonly node: GraphNode; readonly finalizer: string }
  /** The namespace is empty: let it go. */
  | { readonly do: 'releaseNamespace'; readonly node: GraphNode }

/** What there is to do about an object now; undefined when nothing is, or when something must go first. */
export function collect(graph: OwnerGraph, node: GraphNode): CollectAction | undefined {
  if (node.isDeleting) return collectDeleting(graph, node)
  const { namespace } = node.key
  const isHomeGoing = graph.isGoneNamespace(namespace) || graph.namespaceNode(namespace)?.isDeleting === true
  if (isHomeGoing && node.resource.scope === 'Namespaced')
    return { do: 'delete', node, absent: [], isForeground: false }
  return collectOwned(graph, node)
}

function collectDeleting(graph: OwnerGraph, node: GraphNode): CollectAction | undefined {
  if (isNamespace(node)) return graph.hasContents(node.key.name) ? undefined : { do: 'releaseNamespace', node }
  // Who names its uid from elsewhere is none of its dependents.
  const dependents = graph.dependentsOf(node.uid).filter((dependent) => leadsTo(graph, dependent, node))
  // Dependents cut themselves off from an owner that orphans them; what goes anyway need not.
  if (node.finalizers.includes(ORPHAN))
    return dependents.every(({ isDeleting }) => isDeleting) ? { do: 'release', node, finalizer: ORPHAN } : undefined
  if (!node.finalizers.includes(FOREGROUND)) return undefined
  const isBlocked = dependents.some((dependent) => mayHold(dependent, node) && blocks(graph, dependent, node))
  return isBlocked ? undefined : { do: 'release', node, finalizer: FOREGROUND }
}

/** Whether a reference of the dependent names this very owner, where it is. */
const leadsTo = (graph: OwnerGraph, dependent: GraphNode, owner: GraphNode): boolean =>
  dependent.owners.some((reference) => {
    const place = reference.uid === owner.uid ? graph.ownerAt(dependent, reference) : undefined
    return (
      place?.resource === owner.resource &&
      place.key.name === owner.key.name &&
      place.key.namespace === owner.key.namespace
    )
  })

/**
 * Whether a dependent can make an owner wait for it. Of owners that are no namespace's, as plans are, everybody may know
 * the uid: from a namespace only what stands for it, by its name, is held back.
 */
const mayHold = (dependent: GraphNode, owner: GraphNode): boolean =>
  dependent.resource.scope === 'Cluster' ||
  owner.resource.scope === 'Namespaced' ||
  owner.key.name === dependent.key.namespace

/** Whether an owner has to wait for a dependent: it asked for that, and is not itself what the dependent waits for. */
const blocks = (graph: OwnerGraph, dependent: GraphNode, owner: GraphNode): boolean =>
  dependent.owners.some((reference) => reference.uid === owner.uid && reference.blockOwnerDeletion === true) &&
  !owns(graph, dependent, owner)

/** Whether one object owns another, directly or through others. Each object is looked at once. */
function owns(graph: OwnerGraph, from: GraphNode, sought: GraphNode): boolean {
  const seen = new Set<string>()
  const open = [from]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node.uid === sought.uid) return true
    if (seen.has(node.uid)) continue
    seen.add(node.uid)
    open.push(...graph.dependentsOf(node.uid))
  }
  return false
}

type OwnerState = 'absent' | 'waiting' | 'orphaning' | 'solid'

function collectOwned(graph: OwnerGraph, node: GraphNode): CollectAction | undefined {
  const states = node.owners.map((owner) => ({ owner, state: ownerState(graph, node, owner) }))
  const inState = (...sought: readonly OwnerState[]): readonly OwnerReference[] =>
    states.filter(({ state }) => sought.includes(state)).map(({ owner }) => owner)
  const absent = inState('absent')
  const owners = inState('absent', 'waiting', 'orphaning')
  if (owners.length === 0) return undefined
  // One owner that stays, or that sets it free, is enough to keep it.
  if (inState('solid', 'orphaning').length > 0) return { do: 'disown', node, owners, absent }
  const isForeground = inState('waiting').length > 0 && graph.dependentsOf(node.uid).length > 0
  return { do: 'delete', node, absent, isForeground }
}

function ownerState(graph: OwnerGraph, node: GraphNode, owner: OwnerReference): OwnerState {
  const place = graph.ownerAt(node, owner)
  if (place === undefined) return 'solid'
  const found = graph.node(owner.uid)
  const isIt =
    found !== undefined &&
    found.resource === place.resource &&
    found.key.name === place.key.name &&
    found.key.namespace === place.key.namespace
  if (!isIt) return 'absent'
  if (!found.isDeleting) return 'solid'
  if (found.finalizers.includes(ORPHAN)) return 'orphaning'
  return found.finalizers.includes(FOREGROUND) ? 'waiting' : 'solid'
}

/** The objects that a change of one may concern: itself, owners that wait, dependents that lose it, its namespace. */
export function concerned(graph: OwnerGraph, node: GraphNode, isGone: boolean): readonly string[] {
  const owners = node.owners.filter((owner) => graph.node(owner.uid)?.isDeleting === true).map((owner) => owner.uid)
  const dependents = isGone || node.isDeleting ? graph.dependentsOf(node.uid).map((dependent) => dependent.uid) : []
  const namespace = graph.namespaceNode(node.key.namespace)
  const home = namespace?.isDeleting === true ? [namespace.uid] : []
  const contents =
    isNamespace(node) && (isGone || node.isDeleting)
      ? graph.contentsOf(node.key.name).map((content) => content.uid)
      : []
  return [...(isGone ? [] : [node.uid]), ...owners, ...dependents, ...home, ...contents]
}
