/** Applies manifests: all of them are read, checked and admitted first; nothing is written when any is bad. */
import { resourceOf } from '../api/resource-of.ts'
import { hasReason } from '../api/errors.ts'
import { asJson, type JsonObject } from '../api/object.ts'
import { mergePatch } from '../api/patches.ts'
import { tenantKind, type Tenant } from '../kinds/tenant/schema.ts'
import type { Problem } from '../manifest/problem.ts'
import { loadPersonas } from '../persona-folder.ts'
import { readKubeconfig } from '../server/kubeconfig.ts'
import { namespaceResource } from '../registry/core.ts'
import type { Clock } from '../../system/clock.ts'
import { admitBatch, type Candidate } from './admit-batch.ts'
import type { Connection } from './api/connection.ts'
import { createObjectClient, type ObjectClient } from './api/objects.ts'
import { applySetLabels, pruneSet } from './apply-set.ts'
import { batchOf, metadataOf, printedName, type BatchItem } from './batch.ts'
import { candidateFrom, type PatchCandidate } from './candidate.ts'
import { CliFailure } from './failure.ts'
import { mapLimited } from './map-limited.ts'
import { readSources } from './sources.ts'
import { saysNull, withLastApplied } from './three-way.ts'
import { builtinPersonasFolder } from './version.ts'
import { problemLine } from './text.ts'

/** What is applied, where and how. */
export type ApplyOptions = {
  /** Files, folders or `-`. */
  readonly paths: readonly string[]
  readonly write: (text: string) => void
  /** Problems go here; to `write` when absent. */
  readonly writeError?: ((text: string) => void) | undefined
  /** Takes what the server says of the writes; nobody when absent. */
  readonly onWarning?: (text: string) => void
  readonly clock: Clock
  /** Where the API is; or `connection`. */
  readonly kubeconfig?: string
  readonly connection?: Connection
  readonly readStdin?: () => Promise<string>
  /** For objects that name none. */
  readonly namespace?: string | undefined
  readonly dryRun?: 'none' | 'client' | 'server'
  /** Name of the apply set that the objects are made part of. */
  readonly applySet?: string | undefined
  /** Whether objects of the apply set that are not in the batch are deleted. */
  readonly prune?: boolean
  readonly personasFolder?: string | undefined
  readonly signal?: AbortSignal
}

/** How long an object waits for the tenant that is applied with it, in ms. */
const TENANT_WAIT_MS_MAX = 30_000
const TENANT_LOOK_EVERY_MS = 100
/** Objects that are read at once. */
const READS_AT_ONCE = 8

/** Applies the paths; gives the exit code, 1 when a manifest is bad. Throws ApiError and CliFailure. */
export async function applyManifests(options: ApplyOptions): Promise<number> {
  const connection = options.connection ?? (await readKubeconfig(options.kubeconfig ?? ''))
  const client = createObjectClient(connection, options.onWarning)
  try {
    const { readStdin, namespace = connection.namespace } = options
    const batch = batchOf(await readSources(options.paths, { readStdin }), { namespace })
    const labels = applySetLabels(options.applySet)
    const candidates = await mapLimited(batch.items, READS_AT_ONCE, (item) =>
      candidateOf(client, labelled(item, labels)),
    )
    const problems = [...batch.problems, ...(await admitted(client, candidates, options))]
    if (problems.length > 0) return refuse(problems, options)
    await writeAll({ client, options, candidates })
    if (options.prune === true && options.applySet !== undefined)
      await pruneSet({ ...options, client, kept: candidates.map(({ item }) => item), applySet: options.applySet })
    return 0
  } finally {
    client.close()
  }
}

function refuse(problems: readonly Problem[], { write, writeError = write }: ApplyOptions): number {
  for (const problem of problems) writeError(problemLine(problem))
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  writeError(`Nothing was applied: ${count}\n`)
  return 1
}

function labelled(item: BatchItem, labels: JsonObject): BatchItem {
  if (Object.keys(labels).length === 0) return item
  const metadata = metadataOf(item.value)
  const own = metadata['labels']
  const all = { ...(typeof own === 'object' && own !== null ? (own as JsonObject) : {}), ...labels }
  return { ...item, value: { ...item.value, metadata: { ...metadata, labels: all } } }
}

/** Looks at what is there, and at what would be. */
const candidateOf = async (client: ObjectClient, item: BatchItem): Promise<PatchCandidate> =>
  candidateFrom(item, item.key.name === '' ? undefined : await client.find(item.resource, item.key))

async function admitted(
  client: ObjectClient,
  candidates: readonly Candidate[],
  options: ApplyOptions,
): Promise<Problem[]> {
  const personas = await loadPersonas(options.personasFolder ?? builtinPersonasFolder)
  return admitBatch(candidates, {
    builtinAgentTypes: new Set(personas.keys()),
    nowMs: options.clock.now(),
    current: {
      get: (kind, key) => client.find(resourceOf(kind), key),
      list: (kind, namespace) => client.list(resourceOf(kind), { namespace }),
    },
  })
}

type Writing = {
  readonly client: ObjectClient
  readonly options: ApplyOptions
  readonly candidates: readonly PatchCandidate[]
}

async function writeAll({ client, options, candidates }: Writing): Promise<void> {
  const { dryRun = 'none', write } = options
  const newTenants = new Set(
    candidates.filter(({ item }) => item.resource.kind === tenantKind.kind).map(({ item }) => item.key.name),
  )
  const suffix = dryRun === 'none' ? '' : ` (${dryRun === 'client' ? 'dry run' : 'server dry run'})`
  for (const candidate of candidates) {
    const { item } = candidate
    if (dryRun === 'none' && newTenants.delete(item.key.namespace)) await untilTenantIsThere(client, item, options)
    const name = await writeOne(client, candidate, dryRun)
    write(`${printedName({ ...item, key: { ...item.key, name } })} ${verbOf(candidate)}${suffix}\n`)
  }
}

function verbOf({ patch }: PatchCandidate): 'created' | 'configured' | 'unchanged' {
  if (patch === undefined) return 'created'
  return Object.keys(patch).length === 0 ? 'unchanged' : 'configured'
}

/** Writes one object; gives its name. */
async function writeOne(
  client: ObjectClient,
  candidate: PatchCandidate,
  dryRun: 'none' | 'client' | 'server',
): Promise<string> {
  const { item, patch } = candidate
  if (dryRun === 'client' || (patch !== undefined && Object.keys(patch).length === 0)) return item.key.name
  const options = { isDryRun: dryRun === 'server' }
  try {
    if (patch === undefined)
      return (await client.create(item.resource, withLastApplied(item.value), options)).metadata.name
    if (saysNull(item.value)) await client.replace(item.resource, item.key, replacementOf(candidate), options)
    else await client.patch(item.resource, item.key, patch, options)
    return item.key.name
  } catch (error) {
    // A dry run stores no tenant: what lies in its namespace cannot be tried at the server.
    if (dryRun === 'server' && patch === undefined && hasReason(error, 'NotFound')) return item.key.name
    throw error
  }
}

/** The whole object, for one that says null: the nulls that a merge patch would take for removals are laid on top. */
function replacementOf({ item, old, patch }: PatchCandidate): JsonObject {
  const merged = mergePatch(old === undefined ? {} : asJson(old), patch ?? {}) as JsonObject
  return overlay(merged, item.value)
}

function overlay(under: JsonObject, over: JsonObject): JsonObject {
  const entries = Object.entries(over).map(([name, value]) => {
    const below = under[name]
    const isDeep = isObject(value) && isObject(below)
    return [name, isDeep ? overlay(below as JsonObject, value as JsonObject) : value] as const
  })
  return { ...under, ...Object.fromEntries(entries) }
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The tenant's own controller makes its namespace and publishes its limits: what lies in it is admitted after that. */
async function untilTenantIsThere(client: ObjectClient, item: BatchItem, options: ApplyOptions): Promise<void> {
  const { clock, signal } = options
  const name = item.key.namespace
  const key = { namespace: '', name }
  const deadline = clock.monotonic() + TENANT_WAIT_MS_MAX
  const tenants = resourceOf(tenantKind)
  while (true) {
    // The kind asked for makes the type right.
    const tenant = (await client.find(tenants, key)) as Tenant | undefined
    if (tenant?.status?.limits !== undefined && (await client.find(namespaceResource, key)) !== undefined) return
    if (clock.monotonic() >= deadline)
      throw new CliFailure(
        'TimedOut',
        `Tenant "${name}" was applied but is not ready after ${TENANT_WAIT_MS_MAX / 1000} s: see "spritectl describe tenant ${name}", then apply again`,
      )
    await clock.sleep(TENANT_LOOK_EVERY_MS, signal)
  }
}
