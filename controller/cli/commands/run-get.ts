/** Runs `spritectl get`. */
import type { ResourceDefinition } from '../../api/resource.ts'
import { hasReason } from '../../api/errors.ts'
import type { KubeObject } from '../../api/object.ts'
import { connectionFrom } from '../api/connection.ts'
import { createObjectClient, pathOf, type ObjectClient } from '../api/objects.ts'
import { readTable, TABLE_ACCEPT, tableCells, tableLines, type ServerTable } from '../api/tables.ts'
import { watchEvents, type WatchEvent } from '../api/watch.ts'
import type { CliContext } from '../context.ts'
import { CliFailure } from '../failure.ts'
import { kindsOf, namedObject, namespaceFor } from '../kinds.ts'
import { nameText, objectsText } from '../output.ts'
import { pad } from '../text.ts'
import type { GetFlags } from './get.ts'

type Question = {
  readonly client: ObjectClient
  readonly flags: GetFlags
  readonly resources: readonly ResourceDefinition[]
  readonly name: string | undefined
  readonly write: (text: string) => void
  readonly writeError: (text: string) => void
}

/** Runs `spritectl get`. */
export async function runGet(context: CliContext, flags: GetFlags, kinds: string, name?: string): Promise<void> {
  const asked = kinds.includes('/') ? namedObject(kinds, name) : undefined
  const resources = asked === undefined ? kindsOf(kinds) : [asked.resource]
  const connection = await connectionFrom(flags)
  const namespace = flags.namespace ?? connection.namespace
  const client = createObjectClient(connection)
  const { stdout, stderr } = context.process
  const question = {
    client,
    flags: namespace === undefined ? flags : { ...flags, namespace },
    resources,
    name: asked?.name ?? name,
    write: (text: string) => stdout.write(text),
    writeError: (text: string) => stderr.write(text),
  }
  try {
    if (question.name !== undefined && flags.allNamespaces)
      throw new CliFailure('Usage', 'Name the tenant with -n: a name is of one tenant')
    if (flags.watch) await watch(question, context)
    else await show(question)
  } finally {
    client.close()
  }
}

const namespaceOf = ({ flags }: Question, resource: ResourceDefinition): string =>
  namespaceFor(resource, { namespace: flags.namespace, isAll: flags.allNamespaces })

const selectorsOf = ({ flags }: Question) => ({
  labelSelector: flags.selector,
  fieldSelector: flags.fieldSelector,
})

async function show(question: Question): Promise<void> {
  const { output } = question.flags
  if (output === 'json' || output === 'yaml') {
    const objects = (await Promise.all(question.resources.map((resource) => objectsOf(question, resource)))).flat()
    question.write(objectsText(objects, output, question.name !== undefined))
  } else await showTables(question)
}

async function objectsOf(question: Question, resource: ResourceDefinition): Promise<readonly KubeObject[]> {
  const { client, name } = question
  const namespace = namespaceOf(question, resource)
  if (name === undefined) return client.list(resource, { namespace, ...selectorsOf(question) })
  // `find` hides NotFound, which is what is to be said here.
  return [(await client.http.json(pathOf(resource, { namespace, name }))) as KubeObject]
}

async function showTables(question: Question): Promise<void> {
  const { client, flags, resources, write } = question
  let isFirst = true
  for (const resource of resources) {
    const table = await readTable(client.http, resource, tableQuery(question, resource))
    if (flags.output === 'name') {
      for (const row of table.rows) write(`${nameText(resource, String(row.cells[0]))}\n`)
      continue
    }
    if (table.rows.length === 0) continue
    if (!isFirst) write('\n')
    isFirst = false
    const prefix = resources.length > 1 ? nameText(resource, '') : ''
    for (const line of tableLines(table, layoutOf(question, resource, prefix))) write(`${line}\n`)
  }
  if (isFirst && flags.output !== 'name') question.writeError(nothingFound(question))
}

const layoutOf = ({ flags }: Question, resource: ResourceDefinition, prefix = '') => ({
  isWide: flags.output === 'wide',
  withNamespace: flags.allNamespaces && resource.scope === 'Namespaced',
  prefix,
})

const nothingFound = ({ flags }: Question): string =>
  flags.allNamespaces || flags.namespace === undefined
    ? 'Nothing found\n'
    : `Nothing found in the namespace of tenant "${flags.namespace}"\n`

/** Between the end of a watch and the next. */
const RECONNECT_MS = 500

/** Shows what is there and every change after, until it is stopped; a watch that the server ends is taken up again. */
async function watch(question: Question, context: CliContext): Promise<void> {
  const [resource, ...more] = question.resources
  if (resource === undefined || more.length > 0) throw new CliFailure('Usage', 'Watch one kind at a time')
  const controller = new AbortController()
  const stopListening = context.onStop(() => controller.abort())
  const printer = eventPrinter(question, resource)
  try {
    if (isTabular(question))
      printer.start(await readTable(question.client.http, resource, tableQuery(question, resource)))
    while (!controller.signal.aborted) {
      try {
        const from = printer.resourceVersion()
        await follow(question, resource, { signal: controller.signal, from, print: printer.print })
        await context.clock.sleep(RECONNECT_MS, controller.signal).catch(() => {})
      } catch (error) {
        if (!hasReason(error, 'Expired')) throw error
        // Changes were missed: what is now is shown anew.
        printer.restart()
      }
    }
  } finally {
    stopListening()
  }
}

const isTabular = ({ flags }: Question): boolean => flags.output === undefined || flags.output === 'wide'

const tableQuery = (question: Question, resource: ResourceDefinition) => ({
  namespace: namespaceOf(question, resource),
  name: question.name,
  ...selectorsOf(question),
})

type Following = {
  readonly signal: AbortSignal
  readonly from: string | undefined
  readonly print: (event: WatchEvent) => void
}

async function follow(question: Question, resource: ResourceDefinition, following: Following): Promise<void> {
  const { name } = question
  const namespace = namespaceOf(question, resource)
  const selectors = selectorsOf(question)
  const fieldSelector = [name === undefined ? undefined : `metadata.name=${name}`, selectors.fieldSelector]
    .filter((part) => part !== undefined)
    .join(',')
  const query = {
    labelSelector: selectors.labelSelector,
    fieldSelector: fieldSelector === '' ? undefined : fieldSelector,
    resourceVersion: following.from,
  }
  const accept = isTabular(question) ? { accept: TABLE_ACCEPT } : {}
  const request = { path: pathOf(resource, { namespace }), query, signal: following.signal, ...accept }
  for await (const event of watchEvents(question.client.http, request)) following.print(event)
}

/** Prints events, columns kept as wide as they were; remembers how far it came. */
function eventPrinter(question: Question, resource: ResourceDefinition) {
  const { flags, write } = question
  let version: string | undefined
  let widths: readonly number[] = []
  let columns: ServerTable['columnDefinitions']
  const printTable = (table: ServerTable): void => {
    const withHeader = columns === undefined
    columns ??= table.columnDefinitions
    const whole = { ...table, ...(columns === undefined ? {} : { columnDefinitions: columns }) }
    const rows = tableCells(whole, { ...layoutOf(question, resource), withHeader })
    for (const cells of rows) widths = cells.map((cell, index) => Math.max(Array.from(cell).length, widths[index] ?? 0))
    for (const cells of rows) {
      write(
        `${cells
          .map((cell, index) => pad(cell, widths[index] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
      )
    }
  }
  return {
    resourceVersion: () => version,
    start: (table: ServerTable): void => {
      version = table.metadata?.resourceVersion
      printTable(table)
    },
    restart: () => {
      version = undefined
    },
    print: ({ type, object }: WatchEvent): void => {
      version = versionOf(object) ?? version
      if (type === 'BOOKMARK') return
      if (isTabular(question)) return printTable(object as ServerTable)
      const shown = object as unknown as KubeObject
      if (flags.output === 'name') write(`${nameText(resource, shown.metadata.name)}\n`)
      else
        write(
          flags.output === 'json' ? objectsText([shown], 'json', true) : `---\n${objectsText([shown], 'yaml', true)}`,
        )
    },
  }
}

/** Of an object, or of the row of a Table. */
function versionOf(object: WatchEvent['object']): string | undefined {
  type Versioned = { readonly metadata?: { readonly resourceVersion?: string } }
  const rows = object['rows'] as readonly { readonly object?: Versioned }[] | undefined
  const own = (object as Versioned).metadata?.resourceVersion
  return own !== undefined && own !== '' ? own : rows?.at(-1)?.object?.metadata?.resourceVersion
}
