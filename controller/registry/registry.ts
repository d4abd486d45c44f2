/**
 * The registry: the only write path. It does to a write what kube-apiserver does: default, validate, admit, stamp,
 * check for a no-op, commit with the revision that was read; and it serves reads and watches at a revision.
 * Failures are ApiError.
 */
import type { Actor } from '../api/admission.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import type { PropagationPolicy } from '../client/client.ts'

/** What becomes of fields that the schema does not know. */
export type FieldValidation = 'Strict' | 'Warn' | 'Ignore'

/** What goes with every write. */
export type WriteContext = {
  readonly actor: Actor
  /** Runs everything but the commit; a created object then has no resourceVersion. */
  readonly dryRun?: boolean
  readonly fieldManager?: string
  /** Unknown fields: Strict refuses with BadRequest naming them, Warn keeps going and warns, Ignore is silent. Default Warn. */
  readonly fieldValidation?: FieldValidation
  /** Sentences of what the body says twice; told before unknown fields and judged with them. */
  readonly duplicates?: readonly string[]
  /** Takes a warning for the caller; one header each on the wire. */
  readonly warn?: (text: string) => void
  readonly signal?: AbortSignal
}

/** What goes with an apply: `fieldManager` is who applies; `force` takes what others own. */
export type ApplyContext = WriteContext & {
  readonly fieldManager: string
  readonly force?: boolean
  readonly subresource?: 'status'
}

/** How a patch is read. */
/** `strategic` is for built-in kinds alone: kubectl sends it for Namespace and the like. */
export type PatchType = 'merge' | 'json' | 'strategic'

/** `status`: only status is taken. `finalize` (Namespace alone): only spec.finalizers is taken. */
export type Subresource = 'status' | 'finalize'

/** How an object is deleted. */
export type RegistryDeleteOptions = {
  readonly propagationPolicy?: PropagationPolicy
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
}

/** What of a collection is listed, and as of when. */
export type RegistryListOptions = {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly limit?: number
  /** Token of an earlier page; malformed: BadRequest, too old: Expired. */
  readonly continue?: string
  readonly resourceVersion?: string
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan'
  /** Only objects of these namespaces; of cluster-scoped kinds only those of these names. The count is then left out. */
  readonly within?: ReadonlySet<string>
}

/** One page of a collection. */
export type RegistryList = {
  readonly items: readonly KubeObject[]
  readonly resourceVersion: string
  readonly continue?: string
  /** Absent when a selector is in play. */
  readonly remainingItemCount?: number
}

/** What of a collection is watched, and from when. */
export type RegistryWatchOptions = {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** '' or '0' or absent: first every current object as ADDED. Older than the window: throws Expired. */
  readonly resourceVersion?: string
  /** With it, current objects come as ADDED and then a bookmark with annotation k8s.io/initial-events-end. */
  readonly sendInitialEvents?: boolean
  readonly allowBookmarks?: boolean
  /** As of a list. */
  readonly within?: ReadonlySet<string>
}

/** One change that a watch tells, or a bookmark. */
export type RegistryEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  /** A bookmark's object has only kind, apiVersion and metadata.resourceVersion (and annotations). */
  readonly object: KubeObject
  /** Of MODIFIED: the object before the change, so that who tells of another thing by it needs no memory. */
  readonly previous?: KubeObject
}

/** The port of the only write path; its rules stand above. */
export interface Registry {
  /** Every resource that is served, in order of discovery. */
  readonly resources: readonly ResourceDefinition[]
  get(resource: ResourceDefinition, key: Key): Promise<KubeObject>
  list(resource: ResourceDefinition, options?: RegistryListOptions): Promise<RegistryList>
  /** Events in order until the signal aborts. Bounded buffer: a reader too slow for it gets ApiError Expired. */
  watch(resource: ResourceDefinition, options: RegistryWatchOptions, signal: AbortSignal): AsyncIterable<RegistryEvent>
  /** `body` is the parsed request; it is not trusted. `namespace` comes from the path and fills or must equal the body's. */
  create(resource: ResourceDefinition, namespace: string, body: unknown, context: WriteContext): Promise<KubeObject>
  update(
    resource: ResourceDefinition,
    key: Key,
    body: unknown,
    context: WriteContext & { readonly subresource?: Subresource },
  ): Promise<KubeObject>
  /** Read, patch and commit, tried again inside when another write came between and the patch names no resourceVersion. */
  patch(
    resource: ResourceDefinition,
    key: Key,
    patch: { readonly type: PatchType; readonly body: unknown },
    context: WriteContext & { readonly subresource?: Subresource },
  ): Promise<KubeObject>
  /**
   * Applies a configuration (server-side apply): creates the object or merges into it, and claims its fields for the
   * manager. Fields that others own are Conflict with one cause each, unless forced; the same apply again writes
   * nothing; a configuration that does not fit the schema is InternalError, as kube-apiserver has it.
   */
  apply(
    resource: ResourceDefinition,
    key: Key,
    body: unknown,
    context: ApplyContext,
  ): Promise<{ readonly object: KubeObject; readonly created: boolean }>
  /** The object with deletionTimestamp when finalizers hold it (`deleted: false`), else as it was when it went. */
  delete(
    resource: ResourceDefinition,
    key: Key,
    options: RegistryDeleteOptions,
    context: WriteContext,
  ): Promise<{ readonly object: KubeObject; readonly deleted: boolean }>
}
