/** A served resource: what the registry, the server and the CRD generator need to know of a kind. Pure: types only. */
import type { Admission } from './admission.ts'
import type { Column, Scope } from './define-kind.ts'
import type { StructuralSchema } from './schema/structural.ts'

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
  /** Whether there is a status subresource: then the main endpoint ignores status and /status ignores the rest. */
  readonly hasStatus: boolean
  readonly columns: readonly Column[]
  readonly selectableFields: readonly string[]
  readonly admission?: Admission
}
