/** The garbage collector: what kube-controller-manager does about owner references and the contents of namespaces. */
import type { CancelTimer, Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import { CONTROLLER_ACTOR } from '../api/admission.ts'
import { resourceName } from '../api/define-kind.ts'
import { hasReason } from '../api/errors.ts'
import { formatKey, type OwnerReference } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { Change, Store } from '../store/store.ts'
import { collect, concerned, type CollectAction } from './collect.ts'
import { nodeOf, OwnerGraph, type GraphNode } from './owner-graph.ts'
import { objectOf } from './records.ts'
import type { Registry, WriteContext } from './registry.ts'

/** Everything is looked at again that often, in memory: what failed is tried again then. */
const SWEEP_INTERVAL_MS = 30_000
/** Objects worked on at once: enough for the store to group their commits. */
const BATCH_OBJECTS = 32

const CONTEXT: WriteContext = { actor: CONTROLLER_ACTOR, fieldManager: 'garbage-collector' }

/** What garbage collection needs of the process. */
export type GarbageCollectorPorts = {
  readonly registry: Registry
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
}

/** Deletes what lost its owners. */
export type GarbageCollector = {
  /** Reads the store and begins; call it once. */
  start(): Promise<void>
  /** Ends it and waits for what is being done. */
  stop(): Promise<void>
}

/** Makes the collector. Only one may run over a store: the leader's. Owners of kinds that we do not serve are left alone. */
export function createGarbageCollector(ports: GarbageCollectorPorts): GarbageCollector {
  return new Collector(ports)
}

class Collector implements GarbageCollector {
  readonly #ports: GarbageCollectorPorts
  readonly #graph: OwnerGraph
  readonly #served: ReadonlyMap<string, ResourceDefinition>
  /** Uids to look at. */
  readonly #dirty = new Set<string>()
  #working: Promise<void> | undefined
  #unsubscribe: (() => void) | undefined
  #cancelSweep: CancelTimer | undefined
  #isStopped = false

  constructor(ports: GarbageCollectorPorts) {
    this.#ports = ports
    this.#graph = new OwnerGraph(ports.registry.resources)
    this.#served = new Map(ports.registry.resources.map((resource) => [resourceName(resource), resource]))
  }

  async start(): Promise<void> {
    // Changes that come while the lists are read are kept and taken in afterwards, in order.
    let early: Change[] | undefined = []
    this.#unsubscribe = this.#ports.store.subscribe((changes) => {
      if (early === undefined) this.#takeIn(changes)
      else early.push(...changes)
    })
    for (const [collection, resource] of this.#served) {
      const { records } = await this.#ports.store.list(collection, { mayLag: true })
      for (const record of records) this.#graph.put(nodeOf(resource, objectOf(record)))
    }
    const missed = early
    early = undefined
    this.#takeIn(missed)
    this.#sweep()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#unsubscribe?.()
    this.#cancelSweep?.()
    this.#dirty.clear()
    await this.#working
  }

  #takeIn(changes: readonly Change[]): void {
    for (const { type, record } of changes) {
      const resource = this.#served.get(record.collection)
      if (resource === undefined) continue
      const node = nodeOf(resource, objectOf(record))
      const before = this.#graph.node(node.uid)
      // A list that was read after the change already has what is newer.
      if (before !== undefined && Number(before.resourceVersion) > record.revision) continue
      if (before !== undefined) this.#mark(concerned(this.#graph, before, false))
      if (type === 'Deleted') this.#graph.remove(node)
      else this.#graph.put(node)
      this.#mark(concerned(this.#graph, node, type === 'Deleted'))
    }
    this.#work()
  }

  #mark(uids: readonly string[]): void {
    for (const uid of uids) this.#dirty.add(uid)
  }

  #sweep(): void {
    for (const node of this.#graph.nodes()) this.#dirty.add(node.uid)
    this.#work()
    if (this.#isStopped) return
    this.#cancelSweep = this.#ports.clock.after(SWEEP_INTERVAL_MS, () => this.#sweep(), { background: true })
  }

  /** Works the dirty objects off, one run at a time; an object that fails waits for a change of it or for the sweep. */
  #work(): void {
    if (this.#working !== undefined || this.#isStopped) return
    this.#working = this.#drain().finally(() => {
      this.#working = undefined
      if (this.#dirty.size > 0) this.#work()
    })
  }

  async #drain(): Promise<void> {
    let actions = this.#decide()
    while (actions.length > 0 && !this.#isStopped) {
      await Promise.all(actions.map((action) => this.#try(action)))
      actions = this.#decide()
    }
  }

  /** The next actions: at most a batch, one an object. */
  #decide(): readonly CollectAction[] {
    const actions: CollectAction[] = []
    for (const uid of this.#dirty) {
      if (actions.length >= BATCH_OBJECTS) break
      this.#dirty.delete(uid)
      const node = this.#graph.node(uid)
      const action = node === undefined ? undefined : collect(this.#graph, node)
      if (action !== undefined) actions.push(action)
    }
    return actions
  }

  async #try(action: CollectAction): Promise<void> {
    try {
      await this.#act(action)
    } catch (error) {
      // The change that came between, or took the object away, is on its way to us.
      if (hasReason(error, 'NotFound', 'Conflict')) return
      const { resource, key } = action.node
      const fields = { kind: resource.kind, key: formatKey(key), action: action.do, err: error }
      this.#ports.log.warn(fields, 'garbage collection failed, trying again later')
    }
  }

  async #act(action: CollectAction): Promise<void> {
    const { registry } = this.#ports
    const { resource, key, uid, resourceVersion } = action.node
    switch (action.do) {
      case 'delete': {
        if (!(await this.#areAbsent(action.node, action.absent))) return
        const policy = action.isForeground ? { propagationPolicy: 'Foreground' as const } : {}
        await registry.delete(resource, key, { ...policy, preconditions: { uid, resourceVersion } }, CONTEXT)
        return
      }
      case 'disown': {
        if (!(await this.#areAbsent(action.node, action.absent))) return
        const cut = new Set(action.owners.map((owner) => owner.uid))
        const ownerReferences = action.node.owners.filter((owner) => !cut.has(owner.uid))
        return this.#patchMetadata(action.node, { ownerReferences })
      }
      case 'release': {
        const finalizers = action.node.finalizers.filter((finalizer) => finalizer !== action.finalizer)
        return this.#patchMetadata(action.node, { finalizers })
      }
      case 'releaseNamespace': {
        const live = await registry.get(resource, key)
        if (live.metadata.uid !== uid || this.#graph.hasContents(key.name)) return
        await registry.update(resource, key, { ...live, spec: {} }, { ...CONTEXT, subresource: 'finalize' })
        return
      }
    }
  }

  async #patchMetadata(node: GraphNode, patch: object): Promise<void> {
    const { uid, resourceVersion } = node
    const body = { metadata: { ...patch, uid, resourceVersion } }
    await this.#ports.registry.patch(node.resource, node.key, { type: 'merge', body }, CONTEXT)
  }

  /** Whether these owners are really not there: asked of the registry, so that a gap in our picture deletes nothing. */
  async #areAbsent(node: GraphNode, owners: readonly OwnerReference[]): Promise<boolean> {
    for (const owner of owners) {
      const place = this.#graph.ownerAt(node, owner)
      if (place === undefined) return false
      try {
        const live = await this.#ports.registry.get(place.resource, place.key)
        if (live.metadata.uid === owner.uid) return false
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error
      }
    }
    return true
  }
}
