/** The writes of the fake client: what a server does to create, update, patch and delete, without schemas. */
import { ApiError } from '../api/errors.ts'
import type { KindDefinition } from '../api/define-kind.ts'
import { formatKey, isDeleting, keyOf, type Json, type Key, type KubeObject, type NewObject } from '../api/object.ts'
import { mergePatch } from '../api/patches.ts'
import type { DeleteOptions } from '../client/client.ts'
import type { Clock } from '../../system/clock.ts'
import { timestamp } from '../../system/timestamp.ts'
import type { FakeObjects } from './fake-objects.ts'

export type SeedObject = {
  readonly apiVersion?: string
  readonly kind: string
  readonly metadata: Partial<KubeObject['metadata']> & { readonly name: string }
  readonly spec: unknown
  readonly status?: unknown
}

/** A stale resourceVersion is a Conflict; absent is any. */
export type AtRevision = { readonly resourceVersion?: string }

/** The writes, each as a function that gives the stored object or throws ApiError. */
export type FakeWrites = {
  current(kind: KindDefinition, key: Key): KubeObject
  create(kind: KindDefinition, object: NewObject): KubeObject
  update(kind: KindDefinition, object: KubeObject): KubeObject
  patchMetadata(kind: KindDefinition, key: Key, write: AtRevision & { readonly patch: object }): KubeObject
  patchStatus(kind: KindDefinition, key: Key, write: AtRevision & { readonly status: object }): KubeObject
  remove(kind: KindDefinition, key: Key, options: DeleteOptions): void
  seed(object: SeedObject): KubeObject
}

/** Builds the writes over the objects; uids and generated names count up. */
export function createFakeWrites(objects: FakeObjects, clock: Clock): FakeWrites {
  let serial = 0
  const current = (kind: KindDefinition, key: Key): KubeObject => {
    const object = objects.get(kind.kind, key)
    if (object !== undefined) return object
    throw new ApiError('NotFound', `${kind.plural} "${formatKey(key)}" not found`, { kind: kind.kind, name: key.name })
  }
  const expectAbsent = (kind: KindDefinition, key: Key): void => {
    if (objects.get(kind.kind, key) === undefined) return
    const details = { kind: kind.kind, name: key.name }
    throw new ApiError('AlreadyExists', `${kind.plural} "${formatKey(key)}" already exists`, details)
  }
  const seed = (object: SeedObject): KubeObject =>
    objects.put(object.kind, stamped(object, { serial: ++serial, createdAt: timestamp(clock.now()) }))

  return {
    current,
    seed,
    create: (kind, { metadata, spec }) => {
      const name = metadata.name ?? `${metadata.generateName ?? ''}${(serial + 1).toString(36).padStart(5, '0')}`
      expectAbsent(kind, keyOf({ metadata: { ...metadata, name } }))
      // A status that is sent along is dropped, and system fields of metadata are the server's.
      const { uid: _uid, generation: _generation, resourceVersion: _revision, ...wanted } = metadata
      return seed({ apiVersion: kind.apiVersion, kind: kind.kind, metadata: { ...wanted, name }, spec })
    },
    update: (kind, next) => {
      const old = current(kind, keyOf(next))
      expectRevision(old, next.metadata.resourceVersion)
      expectUid(old, next.metadata.uid)
      expectNoNewFinalizer(old, next.metadata.finalizers)
      return objects.put(kind.kind, updated(old, asOnTheWire(next)))
    },
    patchMetadata: (kind, key, { patch, resourceVersion }) => {
      const old = current(kind, key)
      expectRevision(old, resourceVersion)
      const metadata = merged(old.metadata, patch)
      expectNoNewFinalizer(old, metadata.finalizers)
      return objects.put(kind.kind, { ...old, metadata })
    },
    patchStatus: (kind, key, { status, resourceVersion }) => {
      const old = current(kind, key)
      expectRevision(old, resourceVersion)
      return objects.put(kind.kind, { ...old, status: merged(old.status ?? {}, status) })
    },
    remove: (kind, key, { preconditions = {} }) => {
      const old = current(kind, key)
      expectUid(old, preconditions.uid)
      expectRevision(old, preconditions.resourceVersion)
      if ((old.metadata.finalizers ?? []).length === 0) {
        objects.remove(kind.kind, old)
      } else if (!isDeleting(old)) {
        objects.put(kind.kind, { ...old, metadata: { ...old.metadata, deletionTimestamp: timestamp(clock.now()) } })
      }
    },
  }
}

function stamped(object: SeedObject, stamp: { readonly serial: number; readonly createdAt: string }): KubeObject {
  const sent = asOnTheWire(object)
  return {
    apiVersion: '',
    ...sent,
    metadata: {
      uid: `00000000-0000-4000-8000-${String(stamp.serial).padStart(12, '0')}`,
      generation: 1,
      creationTimestamp: stamp.createdAt,
      ...sent.metadata,
      resourceVersion: '0',
    },
  }
}

/** Spec and what the user owns of metadata come from `next`, the rest stays. */
function updated(old: KubeObject, next: KubeObject): KubeObject {
  const { uid, resourceVersion, creationTimestamp, generation, deletionTimestamp } = old.metadata
  const { deletionTimestamp: _sent, ...metadata } = next.metadata
  const { status: _status, ...rest } = next
  return {
    ...rest,
    metadata: {
      ...metadata,
      uid,
      resourceVersion,
      creationTimestamp,
      generation,
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
    ...(old.status === undefined ? {} : { status: old.status }),
  }
}

/** Objects are JSON: what is undefined is not sent, and the server keeps a copy of its own. */
const asOnTheWire = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

/** RFC 7396 over what is JSON by contract; the result keeps the type of what was patched. */
const merged = <T>(target: T, patch: object): T => mergePatch(target as Json, asOnTheWire(patch) as Json) as T

function expectRevision(old: KubeObject, wanted: string | undefined): void {
  const { name, resourceVersion } = old.metadata
  if (wanted === undefined || wanted === '' || wanted === resourceVersion) return
  throw new ApiError('Conflict', `Cannot write "${name}" at version "${wanted}": it is at "${resourceVersion}" now`)
}

function expectNoNewFinalizer(old: KubeObject, wanted: readonly string[] = []): void {
  const added = wanted.find((finalizer) => !(old.metadata.finalizers ?? []).includes(finalizer))
  if (!isDeleting(old) || added === undefined) return
  throw new ApiError('Invalid', `Cannot add finalizer "${added}" to "${old.metadata.name}": it is being deleted`)
}

function expectUid(old: KubeObject, wanted: string | undefined): void {
  const { name, uid } = old.metadata
  if (wanted === undefined || wanted === '' || wanted === uid) return
  throw new ApiError('Conflict', `Cannot write "${name}" of uid "${wanted}": its uid is "${uid}"`)
}
