/** Renders objects as the rows that kubectl prints. Pure. */
import type { Column } from '../api/define-kind.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { ageOf } from './age.ts'
import { compileJsonPath, type JsonPath } from './json-path.ts'
import type { IncludeObject } from './params.ts'
import { present } from './present.ts'

/** metav1.TableColumnDefinition. */
export type ColumnDefinition = {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
}

/** One cell of a table. */
export type Cell = string | number | boolean | null

/** What goes into a Table besides its rows. */
export type TableOptions = {
  readonly version: 'v1' | 'v1beta1'
  readonly includeObject: IncludeObject
  /** ms since 1970; ages are counted up to it. */
  readonly nowMs: number
}

/** Renders objects of one resource. */
export type TableRenderer = {
  readonly columns: readonly ColumnDefinition[]
  /** A metav1.Table; `withColumns: false` leaves the definitions out, as later events of a watch do. */
  table(
    objects: readonly KubeObject[],
    metadata: object,
    options: TableOptions & { readonly withColumns?: boolean },
  ): object
}

const NAME_COLUMN: ColumnDefinition = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace; it cannot be changed.',
  priority: 0,
}

/** The columns of a resource that declares none, as for a CustomResourceDefinition. */
const AGE_COLUMN: Column = {
  name: 'Age',
  type: 'date',
  jsonPath: '.metadata.creationTimestamp',
  description: 'Time since creation.',
}

/** Compiles the columns of a resource once; throws SyntaxError when a column's path cannot be read. */
export function tableRenderer(resource: Pick<ResourceDefinition, 'columns'>): TableRenderer {
  const declared = resource.columns.length === 0 ? [AGE_COLUMN] : resource.columns
  const compiled = declared.map((column) => ({ column, read: readerOf(column) }))
  const columns = [NAME_COLUMN, ...declared.map(definitionOf)]
  const row = (object: KubeObject, options: TableOptions): object => ({
    cells: [object.metadata.name ?? '', ...compiled.map((each) => cellOf(each, object, options.nowMs))],
    ...rowObject(object, options),
  })
  return {
    columns,
    table: (objects, metadata, options) =>
      present({
        kind: 'Table',
        apiVersion: `meta.k8s.io/${options.version}`,
        metadata,
        columnDefinitions: options.withColumns === false ? null : columns,
        rows: objects.map((object) => row(object, options)),
      }),
  }
}

const definitionOf = (column: Column): ColumnDefinition => ({
  name: column.name,
  type: column.type,
  format: '',
  description: column.description,
  priority: column.priority ?? 0,
})

function rowObject(object: KubeObject, options: TableOptions): { readonly object?: object } {
  if (options.includeObject === 'None') return {}
  if (options.includeObject === 'Object') return { object }
  return { object: partialMetadata(object, options.version) }
}

/** metav1.PartialObjectMetadata of an object: its metadata and nothing else. */
export const partialMetadata = (object: KubeObject, version: 'v1' | 'v1beta1'): object => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
})

/** What a column shows: what it makes of the object, a count, or the first value that its paths meet, if they meet one. */
function readerOf({ jsonPath, orPaths = [], counts, cell }: Column): (object: KubeObject) => unknown {
  if (cell !== undefined) return cell
  if (counts !== undefined) {
    const paths = counts.map(compileJsonPath)
    return (object) => paths.reduce((sum, path) => sum + membersOf(path(object)[0]), 0)
  }
  const paths = [jsonPath, ...orPaths].map(compileJsonPath)
  return (object) => firstOf(paths, object)
}

const membersOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? Object.keys(value).length : 0

function firstOf(paths: readonly JsonPath[], object: KubeObject): unknown {
  for (const path of paths) {
    const value = path(object)[0]
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

type Reading = { readonly column: Column; readonly read: (object: KubeObject) => unknown }

function cellOf(each: Reading, object: KubeObject, nowMs: number): Cell {
  const value = each.read(object)
  if (value === undefined || value === null) return null
  switch (each.column.type) {
    case 'string':
      return typeof value === 'string' ? value : JSON.stringify(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? ageOf(value, nowMs) : null
  }
}
