/**
 * The Client port: what every reconciler, the Coordinator and the command line use to read and write objects.
 * On our own server it runs over the registry (client/local); on a cluster over kube-apiserver (client/kube).
 *
 * Contract (client/contract.ts runs it on every adapter); failures are ApiError, told apart by `reason`:
 *  CL1 get gives the object or throws NotFound.
 *  CL2 create fills uid, creationTimestamp, generation 1, resourceVersion; throws AlreadyExists, Invalid, Forbidden.
 *  CL3 update replaces spec and metadata, ignores status; throws Conflict when resourceVersion is stale, NotFound.
 *  CL4 patchStatus merges into status only (RFC 7396: null removes), ignores spec; with `resourceVersion` it throws
 *      Conflict when that is stale; without, it applies to whatever is current.
 *  CL5 A write that changes nothing returns the object as it is and does not move resourceVersion.
 *  CL6 generation moves on changes outside metadata and status, and when deletionTimestamp is set; on nothing else.
 *  CL7 delete with finalizers sets deletionTimestamp; the object goes when the last finalizer is removed.
 *  CL8 list returns all pages as one list with the resourceVersion of its snapshot.
 *  CL9 watch yields every change after the given resourceVersion in order; it ends with ApiError Expired when that is
 *      too old, and may end at any time without error; then list anew or go on from the last resourceVersion seen.
 *  CL10 Objects are frozen or must be treated so: nobody changes what a client returned.
 *  CL11 A name that names nothing ('', '.', one with a slash) is NotFound; no call touches more than its one object.
 *  CL12 A call whose signal is aborted rejects with the signal's reason; aborted before it began, it writes nothing.
 *  CL13 Instants are text, as they are stored.
 *  CL14 Of creates of one name at once, or updates of one version, one succeeds: the others are AlreadyExists, Conflict.
 *  CL15 Versions of events rise. What a list holds and a watch from its version tells is everything once, over broken
 *      connections too: who goes on from the last version seen misses nothing and sees nothing twice.
 *  CL16 (client/kube) Requests share connections; a read is tried again once when its connection breaks, a write never.
 *      No connection is ServiceUnavailable, no answer Timeout. close() ends everything and leaves no timer.
 *  CL17 (client/kube) A watch goes on by itself over resets, silence, 429 and 5xx, waiting by the clock's back-off, and
 *      tells of them when they come six times in a row.
 */
import type { KindDefinition, ObjectOf } from '../api/define-kind.ts'
import type { Key, NewObject } from '../api/object.ts'

/** What of a kind is listed or watched. */
export type ListQuery = {
  /** Only this namespace; absent is all. */
  readonly namespace?: string
  /** Kubernetes label selector syntax. */
  readonly labelSelector?: string
  /** Kubernetes field selector syntax, over metadata.name, metadata.namespace and the kind's selectable fields. */
  readonly fieldSelector?: string
  /** What the server has at hand is enough: others' newest writes may be missing. For lists that a watch follows. */
  readonly mayLag?: boolean
}

/** One page or all of a list; the version is that of its snapshot. */
export type ObjectList<T> = { readonly items: readonly T[]; readonly resourceVersion: string }

/** One change that a watch tells, or a bookmark. */
export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Nothing changed, but the watch has come up to this resourceVersion. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

/** What becomes of the dependents of a deleted object. */
export type PropagationPolicy = 'Background' | 'Foreground' | 'Orphan'

/** How an object is deleted. */
export type DeleteOptions = {
  readonly propagationPolicy?: PropagationPolicy
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

/** Merge patch of metadata: labels, annotations, finalizers (replaced as a whole). */
export type MetadataPatch = {
  readonly labels?: Readonly<Record<string, string | null>>
  readonly annotations?: Readonly<Record<string, string | null>>
  readonly finalizers?: readonly string[]
}

/** The reading half of the port. */
export interface Reader {
  get<K extends KindDefinition>(kind: K, key: Key, signal?: AbortSignal): Promise<ObjectOf<K>>
  list<K extends KindDefinition>(kind: K, query?: ListQuery, signal?: AbortSignal): Promise<ObjectList<ObjectOf<K>>>
  watch<K extends KindDefinition>(
    kind: K,
    query: ListQuery & { readonly resourceVersion: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<ObjectOf<K>>>
}

/** The writing half of the port. */
export interface Writer {
  create<K extends KindDefinition>(
    kind: K,
    object: NewObject<ObjectOf<K>['spec']>,
    signal?: AbortSignal,
  ): Promise<ObjectOf<K>>
  update<K extends KindDefinition>(kind: K, object: ObjectOf<K>, signal?: AbortSignal): Promise<ObjectOf<K>>
  /** Merge patch of metadata only; with `resourceVersion` it is a compare-and-swap. */
  patchMetadata<K extends KindDefinition>(
    kind: K,
    key: Key,
    patch: MetadataPatch,
    options?: { readonly resourceVersion?: string },
    signal?: AbortSignal,
  ): Promise<ObjectOf<K>>
  patchStatus<K extends KindDefinition>(
    kind: K,
    key: Key,
    status: object,
    options?: { readonly resourceVersion?: string },
    signal?: AbortSignal,
  ): Promise<ObjectOf<K>>
  delete<K extends KindDefinition>(kind: K, key: Key, options?: DeleteOptions, signal?: AbortSignal): Promise<void>
}

/** The port that every reconciler uses; its rules stand above. */
export interface Client extends Reader, Writer {}
