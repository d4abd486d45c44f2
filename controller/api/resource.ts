/** A served resource: what the registry, the server and the CRD generator need to know of a kind. Pure: types only. */
import type { Admission } from './admission.ts'
import type { Column, Scope } from './define-kind.ts'
import type { StructuralSchema } from './schema/structural.ts'

/** What may be done with a collection, in Kubernetes' words. */
export type ResourceVerb = 'create' | 'delete' | 'deletecollection' | 'get' | 'list' | 'patch' | 'update' | 'watch'

/** A subresource besides status, as discovery and OpenAPI tell it: scale, log, or an action such as wake. */
export type SubresourceDefinition = {
  readonly name: string
  /** The kind that it takes and, unless `gives` says otherwise, gives. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  /** `object`: it gives the object under which it lies. */
  readonly gives?: 'object'
  /** Schema of the kind, where it is not that of a served resource. */
  readonly schema?: StructuralSchema
  readonly verbs: readonly ResourceVerb[]
  /** What it does, for OpenAPI. */
  readonly description: string
}

/** Where a kind keeps what the scale subresource reads, as in a CustomResourceDefinition. */
export type ScalePaths = { readonly specReplicasPath: string; readonly statusReplicasPath: string }

/** A served collection: its names, scope, schema, columns and admission. */
export type ResourceDefinition = {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly scope: Scope
  readonly description: string
  /** Schema of the whole object; absent for core kinds without one (Namespace, Event): kept as sent. */
  readonly schema?: StructuralSchema
  /**
   * What the type of a built-in kind declares besides metadata: other fields are dropped, OpenAPI shows it. Absent beside
   * an absent schema: kept as sent. What its values mean is the registry's strategy to know.
   */
  readonly shape?: StructuralSchema
  /** Whether there is a status subresource: then the main endpoint ignores status and /status ignores the rest. */
  readonly hasStatus: boolean
  readonly columns: readonly Column[]
  readonly selectableFields: readonly string[]
  readonly admission?: Admission
  /** What may be done with it; absent is everything. */
  readonly verbs?: readonly ResourceVerb[]
  /** What whoever asks for a verb or subresource that is not served could do instead, as the end of a sentence. */
  readonly instead?: string
  /** Where its number of replicas stands; absent where it has none. */
  readonly scale?: ScalePaths
  /** Subresources besides status. */
  readonly subresources?: readonly SubresourceDefinition[]
}
