/** Who owns whom, and what lies in which namespace: the collector's picture of the store, kept by its changes. Pure. */
import type { Key, KubeObject, OwnerReference } from '../api/object.ts'
import { keyOf } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { apiVersionOf } from './request.ts'

/** What the collector knows of an object. */
export type GraphNode = {
  readonly resource: ResourceDefinition
  readonly key: Key
  readonly uid: string
  readonly resourceVersion: string
  readonly owners: readonly OwnerReference[]
  readonly finalizers: readonly string[]
  readonly isDeleting: boolean
}

/** The node of an object. */
export const nodeOf = (resource: ResourceDefinition, { metadata }: KubeObject): GraphNode => ({
  resource,
  key: keyOf({ metadata }),
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
  owners: metadata.ownerReferences ?? [],
  finalizers: metadata.finalizers ?? [],
  isDeleting: metadata.deletionTimestamp !== undefined,
})

/** Namespaces that went, remembered at most: what was created in one at its last moment follows it. */
const GONE_NAMESPACES_MAX = 1_000

/** Objects by uid, with their dependents and the contents of namespaces. */
export class OwnerGraph {
  readonly #served: ReadonlyMap<string, ResourceDefinition>
  readonly #nodes = new Map<string, GraphNode>()
  readonly #dependents = new Map<string, Set<string>>()
  readonly #contents = new Map<string, Set<string>>()
  readonly #namespaces = new Map<string, string>()
  readonly #goneNamespaces = new Set<string>()

  constructor(resources: readonly ResourceDefinition[]) {
    this.#served = new Map(resources.map((resource) => [`${apiVersionOf(resource)}|${resource.kind}`, resource]))
  }

  node(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid)
  }

  nodes(): Iterable<GraphNode> {
    return this.#nodes.values()
  }

  /** Takes in an object as it is now. */
  put(node: GraphNode): void {
    const before = this.#nodes.get(node.uid)
    if (before !== undefined) this.#unlink(before)
    this.#nodes.set(node.uid, node)
    for (const owner of node.owners) addTo(this.#dependents, owner.uid, node.uid)
    if (node.resource.scope === 'Namespaced') addTo(this.#contents, node.key.namespace, node.uid)
    if (!isNamespace(node)) return
    this.#namespaces.set(node.key.name, node.uid)
    this.#goneNamespaces.delete(node.key.name)
  }

  /** Takes an object out that has gone. */
  remove(node: GraphNode): void {
    const known = this.#nodes.get(node.uid) ?? node
    this.#unlink(known)
    this.#nodes.delete(known.uid)
    if (!isNamespace(known) || this.#namespaces.get(known.key.name) !== known.uid) return
    this.#namespaces.delete(known.key.name)
    this.#goneNamespaces.add(known.key.name)
    const [oldest] = this.#goneNamespaces
    if (this.#goneNamespaces.size > GONE_NAMESPACES_MAX && oldest !== undefined) this.#goneNamespaces.delete(oldest)
  }

  /** Objects that name the uid as an owner. */
  dependentsOf(uid: string): readonly GraphNode[] {
    return this.#named(this.#dependents.get(uid))
  }

  /** Objects in a namespace. */
  contentsOf(namespace: string): readonly GraphNode[] {
    return this.#named(this.#contents.get(namespace))
  }

  hasContents(namespace: string): boolean {
    return this.#contents.has(namespace)
  }

  /** The namespace object of a name, if it exists. */
  namespaceNode(name: string): GraphNode | undefined {
    const uid = this.#namespaces.get(name)
    return uid === undefined ? undefined : this.#nodes.get(uid)
  }

  /** Whether a namespace of that name was seen to go, and none has come since. */
  isGoneNamespace(name: string): boolean {
    return this.#goneNamespaces.has(name)
  }

  /** The served resource of an owner reference, and the key where the owner must be; undefined: not ours to judge. */
  ownerAt(
    node: GraphNode,
    owner: OwnerReference,
  ): { readonly resource: ResourceDefinition; readonly key: Key } | undefined {
    const resource = this.#served.get(`${owner.apiVersion}|${owner.kind}`)
    if (resource === undefined) return undefined
    if (resource.scope === 'Cluster') return { resource, key: { namespace: '', name: owner.name } }
    // A cluster-scoped object cannot have a namespaced owner: nobody knows in which namespace to look.
    if (node.resource.scope === 'Cluster') return undefined
    return { resource, key: { namespace: node.key.namespace, name: owner.name } }
  }

  #named(uids: ReadonlySet<string> | undefined): readonly GraphNode[] {
    return [...(uids ?? [])].map((uid) => this.#nodes.get(uid)).filter((node) => node !== undefined)
  }

  #unlink(node: GraphNode): void {
    for (const owner of node.owners) removeFrom(this.#dependents, owner.uid, node.uid)
    removeFrom(this.#contents, node.key.namespace, node.uid)
  }
}

/** Whether a node is a core Namespace. */
export const isNamespace = (node: GraphNode): boolean =>
  node.resource.group === '' && node.resource.kind === 'Namespace'

function addTo(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key)
  if (values === undefined) map.set(key, new Set([value]))
  else values.add(value)
}

function removeFrom(map: Map<string, Set<string>>, key: string, value: string): void {
  const values = map.get(key)
  values?.delete(value)
  if (values?.size === 0) map.delete(key)
}
