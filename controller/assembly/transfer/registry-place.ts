/**
 * A cluster as a place to move from and to: its API gives every object a new uid and version, so that owner references
 * follow, and what speaks of versions is told anew by the controllers.
 */
import { CONTROLLER_ACTOR } from '../../api/admission.ts'
import { canonicalJson } from '../../api/digest.ts'
import { GROUP, resourceName } from '../../api/define-kind.ts'
import { ApiError, hasReason } from '../../api/errors.ts'
import { DEFAULT_NAMESPACE, OWN_NAMESPACES, SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import type { Json, JsonObject, Key, KubeObject } from '../../api/object.ts'
import type { ResourceDefinition } from '../../api/resource.ts'
import { slotLedgerKind } from '../../kinds/slotledger/schema.ts'
import { spriteKind } from '../../kinds/sprite/schema.ts'
import { TENANT_LABEL } from '../../kinds/tenant/namespace-taken.ts'
import { tenantKind } from '../../kinds/tenant/schema.ts'
import { type Ledger } from '../../ledger/ledger.ts'
import { CORE_RESOURCES, eventResource, namespaceResource } from '../../registry/core.ts'
import type { Registry, WriteContext } from '../../registry/registry.ts'
import type { Clock } from '../../../system/clock.ts'
import {
  differs,
  metadataOf,
  titleOf,
  TransferError,
  type Carried,
  type PutOutcome,
  type Spent,
  type Target,
} from './carried.ts'
import { MOVED_COLLECTIONS, setSpentIn, spentOf } from './store-place.ts'

/** What a cluster's place is made from. */
export type RegistryPlacePorts = {
  readonly name: string
  readonly registry: Registry
  readonly ledger: Ledger
  readonly clock: Clock
  readonly close: () => Promise<void>
}

const PAGE_OBJECTS = 500
const CONTEXT: WriteContext = { actor: CONTROLLER_ACTOR, fieldManager: 'spritectl-migrate', fieldValidation: 'Ignore' }
/** What a cluster makes by itself, or the controllers make anew of what is there. */
const NOT_MOVED = new Set([eventResource, slotLedgerKind].map(resourceName))
/** Others' objects lie there, too. */
const SHARED = new Set(CORE_RESOURCES.map(resourceName))
const NAMESPACES = resourceName(namespaceResource)
const SPRITES = resourceName(spriteKind)
const EVENTS = resourceName(eventResource)
/** What the control plane keeps in its own namespace: tokens of tenants' apps, digests of images. */
const OWN_NAMES = /^(?:fly-app-.+|sprite-images)$/
/** The ConfigMap that a cluster puts into every namespace. */
const CLUSTER_CA = 'kube-root-ca.crt'
/** Metadata that is the object's own wherever it lies. */
const OWN_METADATA = ['name', 'namespace', 'labels', 'annotations', 'finalizers'] as const

/** The place of a cluster. */
export function registryPlace(ports: RegistryPlacePorts): Target {
  const { name, registry, ledger, clock } = ports
  const served = new Map(registry.resources.map((resource) => [resourceName(resource), resource]))
  /** The uid here of what had another one there. */
  const uids = new Map<string, string>()
  /** What was put, by its title: it belongs here, whatever it is. */
  const here = new Map<string, Carried>()
  /** What waits for an owner of a kind that comes later. */
  let waiting: { readonly carried: Carried; readonly mayReplace: boolean }[] = []

  const hasOwners = ({ object }: Carried): boolean => ownersOf(object).every((uid) => uids.has(uid))

  async function put(carried: Carried, mayReplace: boolean): Promise<PutOutcome> {
    const resource = served.get(carried.collection)
    if (resource === undefined) throw new TransferError(`Cannot put ${titleOf(carried)}: ${name} does not serve it`)
    refuseUnmovable(carried)
    const key = { namespace: carried.namespace, name: carried.name }
    const present = await readIfAny(registry, resource, key)
    const moved = withUids(withoutMachine(carried.object), uids)
    const wanted = carried.collection === NAMESPACES ? givenAway(moved) : moved
    if (present === undefined) {
      note(await made(registry, resource, { key, wanted, source: carried.object }))
      return 'Written'
    }
    note(present)
    if (formHere(carried.collection, present) === formHere(carried.collection, wanted)) return 'Same'
    if (!mayReplace) return 'Differs'
    await replaced(registry, resource, { key, wanted, present, source: carried.object })
    return 'Written'

    function note(object: KubeObject): void {
      const before = metadataOf(carried.object)['uid']
      if (typeof before === 'string') uids.set(before, object.metadata.uid)
    }
  }

  return {
    name,
    skipped: NOT_MOVED,
    comparable: (object) => comparable(object),
    shared: SHARED,
    objects: () => objectsIn(ports, served, here),
    spent: () => spentOf(ledger, clock, tenantsIn(ports, served)),
    refuse: refuseUnmovable,
    put: (carried, { mayReplace }) => {
      here.set(titleOf(carried), { ...carried, object: {} })
      if (hasOwners(carried)) return inWords(() => put(carried, mayReplace), carried)
      waiting.push({ carried, mayReplace })
      return Promise.resolve('Written')
    },
    setSpent: (spent: Spent) => setSpentIn(ledger, spent),
    seal: async () => {
      // Each turn puts those whose owner came in the last one; what is left has none, and goes without.
      for (let before = 0; waiting.length > 0;) {
        const turn = waiting
        waiting = []
        const isStuck = turn.length === before
        before = turn.length
        for (const one of turn)
          if (!isStuck && !hasOwners(one.carried)) waiting.push(one)
          else if ((await inWords(() => put(one.carried, one.mayReplace), one.carried)) === 'Differs')
            throw differs(one.carried, name)
      }
    },
    close: ports.close,
  }
}

/** Uids of the owners that an object names. */
function ownersOf(object: JsonObject): readonly string[] {
  const { ownerReferences } = metadataOf(object)
  if (!Array.isArray(ownerReferences)) return []
  return ownerReferences.flatMap((owner) => {
    const { uid } = mapOf(owner)
    return typeof uid === 'string' ? [uid] : []
  })
}

/** A machine bears its sprite's uid, and what is being deleted would come to life again. */
function refuseUnmovable(carried: Carried): void {
  const { object } = carried
  if (metadataOf(object)['deletionTimestamp'] !== undefined)
    throw new TransferError(`Cannot put ${titleOf(carried)}: it is being deleted; wait until it is gone`)
  if (carried.collection === SPRITES && machineOf(object) !== undefined && !isStopped(object))
    throw new TransferError(
      `Cannot put ${titleOf(carried)}: it has a machine, which would be a stranger there; suspend its tenant and wait until kubectl get sprites says Stopped`,
    )
}

const machineOf = (object: JsonObject): Json | undefined => mapOf(object['status'])['machine']

/** A machine that is stopped does nothing any more; where its sprite has another uid it is a stray, and is destroyed. */
function isStopped(sprite: JsonObject): boolean {
  const { state, intent, attemptTime, unansweredTime } = mapOf(machineOf(sprite))
  // A start that is on its way may still take effect.
  return state === 'stopped' && intent === 'Stop' && attemptTime === undefined && unansweredTime === undefined
}

/** A sprite without the machine that it leaves behind. */
function withoutMachine(sprite: JsonObject): JsonObject {
  if (sprite['kind'] !== spriteKind.kind || !isStopped(sprite)) return sprite
  const { machine: _left, ...status } = mapOf(sprite['status'])
  return { ...sprite, status }
}

async function readIfAny(registry: Registry, resource: ResourceDefinition, key: Key): Promise<KubeObject | undefined> {
  try {
    return await registry.get(resource, key)
  } catch (error) {
    if (hasReason(error, 'NotFound')) return undefined
    throw error
  }
}

type Making = { readonly key: Key; readonly wanted: JsonObject; readonly source: JsonObject }

/** Created, and its status put where it belongs. */
async function made(registry: Registry, resource: ResourceDefinition, { key, wanted, source }: Making) {
  const { status: _status, ...body } = wanted
  const created = await registry.create(resource, key.namespace, body, CONTEXT)
  return await withStatus(registry, resource, { key, wanted, source, present: created })
}

async function replaced(
  registry: Registry,
  resource: ResourceDefinition,
  { key, wanted, present, source }: Making & { readonly present: KubeObject },
) {
  const { status: _status, ...body } = wanted
  const { uid, resourceVersion } = present.metadata
  const metadata = { ...metadataOf(body), uid, resourceVersion }
  const updated = await registry.update(resource, key, { ...body, metadata }, CONTEXT)
  return await withStatus(registry, resource, { key, wanted, source, present: updated })
}

async function withStatus(
  registry: Registry,
  resource: ResourceDefinition,
  { key, wanted, present, source }: Making & { readonly present: KubeObject },
): Promise<KubeObject> {
  const status = wanted['status']
  if (status === undefined || resource === namespaceResource) return present
  // What was observed before is observed here: the spec is the same under another number.
  const before = metadataOf(source)['generation']
  const told = renumbered(status, (seen) => (seen === before ? (present.metadata.generation ?? 1) : -1))
  const { resourceVersion } = present.metadata
  const metadata = { name: key.name, namespace: key.namespace, resourceVersion }
  const body = { ...present, status: told, metadata: { ...present.metadata, ...metadata } }
  return await registry.update(resource, key, body, { ...CONTEXT, subresource: 'status' })
}

/** The same with each observedGeneration given another number. */
function renumbered(value: Json, numberOf: (seen: Json) => number): Json {
  if (Array.isArray(value)) return value.map((item: Json) => renumbered(item, numberOf))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]: [string, Json]) => [
      name,
      name === 'observedGeneration' ? numberOf(item) : renumbered(item, numberOf),
    ]),
  )
}

/** As it is to be written: owners by their uid here, nothing that only the other place knew. */
function withUids(object: JsonObject, uids: ReadonlyMap<string, string>): JsonObject {
  const { ownerReferences } = metadataOf(object)
  const owners = Array.isArray(ownerReferences) ? ownerReferences.map((owner) => mapOf(owner)) : []
  // An owner that is not there would take the object with it: the reference goes, and the comparison tells.
  const followed = owners.flatMap((owner) => {
    const uid = typeof owner['uid'] === 'string' ? uids.get(owner['uid']) : undefined
    return uid === undefined ? [] : [{ ...owner, uid }]
  })
  const metadata = { ...ownMetadata(object), ...(followed.length === 0 ? {} : { ownerReferences: followed }) }
  return { ...object, metadata }
}

/** A namespace that is made here is its tenant's: in a cluster only the label tells it from somebody else's. */
function givenAway(namespace: JsonObject): JsonObject {
  const metadata = metadataOf(namespace)
  const { name } = metadata
  if (typeof name !== 'string' || OWN_NAMESPACES.has(name)) return namespace
  return { ...namespace, metadata: { ...metadata, labels: { ...mapOf(metadata['labels']), [TENANT_LABEL]: name } } }
}

const ownMetadata = (object: JsonObject): JsonObject => {
  const metadata = metadataOf(object)
  return Object.fromEntries(
    OWN_METADATA.flatMap((field) => {
      const value = metadata[field]
      return value === undefined ? [] : [[field, value]]
    }),
  )
}

/** What must be the same in both places: of a namespace that it is there, of all else spec, status and what is its own. */
function comparable(object: JsonObject): JsonObject {
  if (object['kind'] === 'Namespace') return { metadata: { name: metadataOf(object)['name'] ?? '' } }
  const { ownerReferences } = metadataOf(object)
  const owners = Array.isArray(ownerReferences) ? ownerReferences.map((owner) => mapOf(owner)) : []
  const metadata = {
    ...ownMetadata(object),
    owners: owners.map(({ kind, name }) => ({ kind: kind ?? '', name: name ?? '' })),
  }
  return { ...mapOf(renumbered(withoutMachine(object), () => 0)), metadata }
}

const formHere = (collection: string, object: unknown): string => {
  // Stored and carried objects are JSON.
  const json = object as JsonObject
  return collection === NAMESPACES ? '' : canonicalJson(comparable(json))
}

async function* objectsIn(
  ports: RegistryPlacePorts,
  served: ReadonlyMap<string, ResourceDefinition>,
  put: ReadonlyMap<string, Carried>,
): AsyncGenerator<Carried, void, undefined> {
  const rooms = new Set<string>([DEFAULT_NAMESPACE, SYSTEM_NAMESPACE])
  for await (const tenant of tenantsIn(ports, served)) rooms.add(tenant)
  for (const { collection, namespace, name } of put.values()) rooms.add(collection === NAMESPACES ? name : namespace)
  rooms.delete('')
  for (const collection of MOVED_COLLECTIONS) {
    const resource = served.get(collection)
    if (resource === undefined || collection === EVENTS) continue
    for await (const object of objectsOf(ports.registry, resource, rooms)) {
      const { name, namespace = '' } = object.metadata
      // What an API answers is JSON.
      const carried = { collection, namespace, name, object: object as unknown as JsonObject }
      if (resource.group === GROUP || isMovable(object) || put.has(titleOf(carried))) yield carried
    }
  }
}

/** All of a kind of ours; of the cluster's own kinds what lies in the rooms, and those themselves. */
async function* objectsOf(
  registry: Registry,
  resource: ResourceDefinition,
  rooms: ReadonlySet<string>,
): AsyncGenerator<KubeObject, void, undefined> {
  if (resource.group === GROUP) yield* pagesOf(registry, resource)
  else if (resource.scope === 'Namespaced') for (const namespace of rooms) yield* pagesOf(registry, resource, namespace)
  else
    for (const name of rooms) {
      const found = await readIfAny(registry, resource, { namespace: '', name })
      if (found !== undefined) yield found
    }
}

/** Not what the cluster, Helm or the chart put there for themselves. */
function isMovable({ metadata, ...content }: KubeObject): boolean {
  if (metadata.namespace === DEFAULT_NAMESPACE) return false
  if (metadata.namespace === SYSTEM_NAMESPACE) return OWN_NAMES.test(metadata.name)
  const type = 'type' in content ? content.type : undefined
  return metadata.name !== CLUSTER_CA && (type === undefined || type === 'Opaque')
}

async function* pagesOf(
  registry: Registry,
  resource: ResourceDefinition,
  namespace?: string,
): AsyncGenerator<KubeObject, void, undefined> {
  let next: string | undefined
  do {
    const page = await registry.list(resource, {
      limit: PAGE_OBJECTS,
      ...(namespace === undefined ? {} : { namespace }),
      ...(next === undefined ? {} : { continue: next }),
    })
    yield* page.items
    next = page.continue
  } while (next !== undefined && next !== '')
}

async function* tenantsIn(
  { registry }: RegistryPlacePorts,
  served: ReadonlyMap<string, ResourceDefinition>,
): AsyncGenerator<string, void, undefined> {
  const resource = served.get(resourceName(tenantKind))
  if (resource !== undefined) for await (const { metadata } of pagesOf(registry, resource)) yield metadata.name
}

/** An empty map for anything else. */
const mapOf = (value: Json | undefined): JsonObject =>
  // A map is neither an array nor null.
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}

async function inWords<T>(run: () => Promise<T>, carried: Carried): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    throw new TransferError(`Cannot put ${titleOf(carried)}: ${error.message}`, { cause: error })
  }
}
