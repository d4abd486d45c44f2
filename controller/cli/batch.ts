/** Reads manifests into one batch in the order in which it is applied, or tells every problem. Pure but for its input. */
import { applyDefaults } from '../api/schema/defaults.ts'
import { formatKey, type Json, type JsonObject, type Key, type KubeObject } from '../api/object.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { resourceName } from '../api/define-kind.ts'
import { RESOURCES } from '../kinds/index.ts'
import type { Problem } from '../manifest/problem.ts'
import { readManifests, type ManifestDocument } from '../manifest/read.ts'
import { checkManifest, resourceOfManifest } from '../manifest/validate.ts'
import type { Source } from './sources.ts'

/** One object of a batch, with where it stands in its file. */
export type BatchItem = {
  readonly document: ManifestDocument
  readonly resource: ResourceDefinition
  readonly key: Key
  /** As written, with its namespace, without what the server alone sets. */
  readonly value: JsonObject
}

/** The objects of one apply. */
export type Batch = {
  /** In the order in which they are applied: by kind, then as written. */
  readonly items: readonly BatchItem[]
  readonly problems: readonly Problem[]
}

const ORDER: ReadonlyMap<string, number> = new Map(RESOURCES.map((resource, index) => [resource.kind, index]))

/** How a batch is read. */
export type BatchOptions = {
  /** For objects that name none. */
  readonly namespace?: string | undefined
}

/** Reads and checks all of them, without looking at the store. */
export function batchOf(sources: readonly Source[], options: BatchOptions = {}): Batch {
  const items: BatchItem[] = []
  const problems: Problem[] = []
  for (const { file, text } of sources) {
    const read = readManifests(text, { file })
    problems.push(...read.problems)
    for (const document of read.documents) {
      const found = [...checkManifest(document, RESOURCES), ...missingNamespace(document, options)]
      problems.push(...found)
      const item = found.length === 0 ? itemOf(document, options) : undefined
      if (item !== undefined) items.push(item)
    }
  }
  const ordered = items.toSorted((a, b) => (ORDER.get(a.resource.kind) ?? 0) - (ORDER.get(b.resource.kind) ?? 0))
  return { items: ordered, problems: [...problems, ...repeated(items)] }
}

function missingNamespace(document: ManifestDocument, { namespace }: BatchOptions): Problem[] {
  const resource = resourceOfManifest(document.value, RESOURCES)
  const metadata = metadataOf(document.value)
  if (resource?.scope !== 'Namespaced' || metadata['namespace'] !== undefined || namespace !== undefined) return []
  return [
    {
      file: document.file,
      ...document.locate(['metadata', 'namespace']),
      path: 'metadata.namespace',
      message: 'Required value is missing',
      fix: `a ${resource.kind} belongs to a tenant: write the tenant's name, or give it with -n`,
    },
  ]
}

/** What the server alone sets: `get -o yaml` prints it, apply ignores it. */
const SERVER_FIELDS = [
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'managedFields',
  'selfLink',
] as const

function itemOf(document: ManifestDocument, { namespace }: BatchOptions): BatchItem | undefined {
  const resource = resourceOfManifest(document.value, RESOURCES)
  if (resource === undefined) return undefined
  const given = metadataOf(document.value)
  const own = Object.entries(given).filter(([name]) => !(SERVER_FIELDS as readonly string[]).includes(name))
  const isNamespaced = resource.scope === 'Namespaced'
  const where = isNamespaced ? textOf(given['namespace'] ?? namespace) : ''
  const metadata = { ...Object.fromEntries(own), ...(isNamespaced ? { namespace: where } : {}) }
  const { status: _status, ...rest } = document.value
  return {
    document,
    resource,
    key: { namespace: where, name: textOf(given['name']) },
    value: { ...rest, metadata },
  }
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

/** The metadata of an object as it was written; an empty object when it has none. */
export const metadataOf = (value: JsonObject): JsonObject => {
  const { metadata } = value
  return isJsonObject(metadata) ? metadata : {}
}

/** `kind|namespace/name`: what makes two manifests the same object. */
export const identityOf = (item: Pick<BatchItem, 'resource' | 'key'>): string =>
  `${item.resource.kind}|${formatKey(item.key)}`

function repeated(items: readonly BatchItem[]): Problem[] {
  const first = new Map<string, BatchItem>()
  const problems: Problem[] = []
  for (const item of items) {
    if (item.key.name === '') continue
    const earlier = first.get(identityOf(item))
    if (earlier === undefined) first.set(identityOf(item), item)
    else {
      const { file, line } = earlier.document
      problems.push({
        file: item.document.file,
        ...item.document.locate(['metadata', 'name']),
        path: 'metadata.name',
        message: `${item.resource.kind} "${item.key.name}" is declared twice`,
        fix: `the other one is at ${file}:${line}; keep one of them`,
      })
    }
  }
  return problems
}

/** The name that kubectl gives an object in its messages, such as `sprite.sprites.highera.com/name`. */
export const printedName = (item: Pick<BatchItem, 'resource' | 'key'>): string =>
  `${resourceName({ group: item.resource.group, plural: item.resource.singular })}/${item.key.name}`

/** The object as the server would store it, as far as that can be known beforehand. */
export function storedForm(item: BatchItem, value: JsonObject = item.value): KubeObject {
  const { schema } = item.resource
  const full: Json = schema === undefined ? value : applyDefaults(schema, value)
  // Checked against the schema before; the metadata that only the server knows is made up.
  const object = full as unknown as KubeObject
  const made = { uid: '', resourceVersion: '', generation: 1, creationTimestamp: '1970-01-01T00:00:00Z' }
  return { ...object, metadata: { ...made, ...object.metadata } }
}
