/** Asks the server for its Tables, the columns that kubectl shows, and lays them out. */
import type { ResourceDefinition } from '../../api/resource.ts'
import { clean, table as aligned } from '../text.ts'
import type { HttpClient } from './http.ts'
import { pathOf } from './objects.ts'

/** What we read of a Table that the server made. */
export type ServerTable = {
  readonly columnDefinitions?: readonly { readonly name: string; readonly type: string; readonly priority: number }[]
  readonly rows: readonly {
    readonly cells: readonly (string | number | boolean | null)[]
    readonly object?: { readonly metadata?: { readonly name?: string; readonly namespace?: string } }
  }[]
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
}

/** The Accept header of who wants rows, or objects where there are none. */
export const TABLE_ACCEPT = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

const PAGES_MAX = 1_000

/** Which objects a table shows. */
export type TableQuery = {
  readonly namespace: string
  readonly name?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

/** All rows of a collection, or the one of an object. */
export async function readTable(
  http: HttpClient,
  resource: ResourceDefinition,
  { namespace, name, ...selectors }: TableQuery,
): Promise<ServerTable> {
  const path = pathOf(resource, { namespace, ...(name === undefined ? {} : { name }) })
  let whole: ServerTable = { rows: [] }
  let next: string | undefined
  for (let page = 0; page < PAGES_MAX; page++) {
    const query = name === undefined ? { limit: '500', continue: next, ...selectors } : {}
    // As every server that answers this Accept header writes it.
    const read = (await http.json(path, { accept: TABLE_ACCEPT, query })) as ServerTable
    whole = { ...read, ...columnsOf(whole, read), rows: [...whole.rows, ...read.rows] }
    next = read.metadata?.continue
    if (next === undefined || next === '') break
  }
  return whole
}

const columnsOf = (before: ServerTable, now: ServerTable): Pick<ServerTable, 'columnDefinitions'> => {
  const columnDefinitions = before.columnDefinitions ?? now.columnDefinitions
  return columnDefinitions === undefined ? {} : { columnDefinitions }
}

/** How a table is printed. */
export type TableLayout = {
  readonly isWide: boolean
  readonly withNamespace: boolean
  /** Written before the name, such as `sprite.sprites.highera.com/`. */
  readonly prefix?: string
  readonly withHeader?: boolean
}

/** The rows as cells, header first. Pure. */
export function tableCells(table: ServerTable, layout: TableLayout): string[][] {
  const columns = (table.columnDefinitions ?? []).map((column, index) => ({ ...column, index }))
  const shown = columns.filter(({ priority }) => layout.isWide || priority === 0)
  const header = shown.map(({ name }) => name.toUpperCase())
  const rows = table.rows.map(({ cells, object }) => [
    ...(layout.withNamespace ? [object?.metadata?.namespace ?? ''] : []),
    ...shown.map(({ index }) => `${index === 0 ? (layout.prefix ?? '') : ''}${cellText(cells[index])}`),
  ])
  if (layout.withHeader === false) return rows
  return [[...(layout.withNamespace ? ['NAMESPACE'] : []), ...header], ...rows]
}

const cellText = (cell: string | number | boolean | null | undefined): string =>
  cell === null || cell === undefined || cell === '' ? '<none>' : clean(String(cell))

/** The rows as lines. Pure. */
export const tableLines = (table: ServerTable, layout: TableLayout): string[] => aligned(tableCells(table, layout))
