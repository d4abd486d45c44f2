/** Applies configurations (server-side apply): creates the object or merges into it, and keeps who owns what. */
import { asJson, type JsonObject, type Key, type KubeObject, type ManagedFieldsEntry } from '../api/object.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { ApiError, hasReason, type Cause } from '../api/errors.ts'
import { applyConfig, type Applied } from '../api/apply/apply-config.ts'
import { objectAtom } from '../api/apply/atom.ts'
import { conflictCauses, conflictMessage } from '../api/apply/conflicts.ts'
import { entriesOf, ownersOf } from '../api/apply/managers.ts'
import { ignoredFields } from '../api/apply/ownership.ts'
import { createApplied } from './create.ts'
import { writerOf, withoutEntries } from './owners.ts'
import type { RegistryOptions } from './ports.ts'
import { badRequest, conflict, notFound } from './refusals.ts'
import type { ApplyContext } from './registry.ts'
import { apiVersionOf, checkDepth, checkPath, readContent, readRequest, type Request } from './request.ts'
import { isLostRace } from './store-errors.ts'
import { storeChange } from './update.ts'
import { checkSeen, readIfAny } from './write.ts'

/** Reads of one apply at most when writers of other processes keep coming between. */
const APPLY_TRIES_MAX = 10

/** The object, and whether the configuration created it. */
export type ApplyResult = { readonly object: KubeObject; readonly created: boolean }

type Write = { readonly key: Key; readonly body: unknown; readonly context: ApplyContext }

/** Applies a configuration; see the Registry port. The caller holds the key's lock. */
export async function apply(ports: RegistryOptions, resource: ResourceDefinition, write: Write): Promise<ApplyResult> {
  const config = readConfig(resource, write.body)
  for (let tries = 1; ; tries++) {
    write.context.signal?.throwIfAborted()
    try {
      return await applyOnce(ports, resource, { ...write, config })
    } catch (error) {
      const isRace = isLostRace(error) || (hasReason(error, 'AlreadyExists') && tries === 1)
      if (!isRace || namesVersion(config) || tries >= APPLY_TRIES_MAX) throw error
    }
  }
}

/** The configuration in a body; throws BadRequest when it is none of the resource. */
function readConfig(resource: ResourceDefinition, body: unknown): JsonObject {
  if (!isJsonObject(body)) throw badRequest('Cannot read the body: an object is expected')
  checkDepth(body)
  const apiVersion = apiVersionOf(resource)
  if (body['apiVersion'] !== apiVersion || body['kind'] !== resource.kind)
    throw badRequest(
      `Incorrect version specified in apply patch: got ${shown(body['apiVersion'])}, ${shown(body['kind'])}, expected "${apiVersion}", "${resource.kind}"`,
    )
  const metadata = body['metadata']
  if (isJsonObject(metadata) && (metadata['managedFields'] ?? null) !== null)
    throw badRequest('metadata.managedFields must be nil')
  // What is owned is what is stored: a Secret's stringData counts as the data that it becomes.
  return readContent(resource, body, { isPatch: false })
}

const shown = (value: unknown): string => JSON.stringify(value ?? '').slice(0, 200)

const namesVersion = (config: JsonObject): boolean => {
  const metadata = config['metadata']
  return isJsonObject(metadata) && typeof metadata['resourceVersion'] === 'string'
}

type Attempt = Write & { readonly config: JsonObject }

async function applyOnce(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  { key, context, config }: Attempt,
): Promise<ApplyResult> {
  const live = await readIfAny(ports, resource, key)
  if (live === undefined && context.subresource !== undefined) throw notFound(resource, key.name)
  const applied = applyConfig({
    atom: objectAtom(resource.schema ?? resource.shape),
    ...(live === undefined ? {} : { live: asJson(withoutEntries(live)) }),
    config,
    owners: ownersOf(live?.metadata.managedFields),
    writer: writerOf(ports, resource, context),
    ignored: ignoredFields({ hasStatus: resource.hasStatus, ...context }),
    force: context.force === true,
  })
  if (applied.outcome !== 'applied') throw refusalOf(resource, key, applied)
  const request = { ...readRequest(resource, applied.object), keepsNulls: true }
  checkPath(resource, key, request.meta)
  const managedFields = entriesOf(applied.owners)
  if (live === undefined) return create(ports, resource, { key, request, managedFields, context })
  const { uid, ...seen } = request.seen
  checkSeen(resource, live, seen)
  const flaws = uid === undefined || uid === live.metadata.uid ? [] : [uidCause(uid)]
  const object = await storeChange(ports, resource, { live, request, context, entries: { managedFields }, flaws })
  return { object, created: false }
}

const uidCause = (uid: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${shown(uid)}: field is immutable`,
  field: 'metadata.uid',
})

async function create(
  ports: RegistryOptions,
  resource: ResourceDefinition,
  made: {
    readonly key: Key
    readonly request: Request
    readonly managedFields: readonly ManagedFieldsEntry[] | undefined
    readonly context: ApplyContext
  },
): Promise<ApplyResult> {
  const { key, context, managedFields, request } = made
  if (request.seen.uid !== undefined)
    throw conflict(resource, key.name, {
      why: `uid mismatch: the provided object specified uid ${request.seen.uid}, and no existing object was found`,
    })
  if (request.meta.name === undefined)
    throw badRequest(`the name of the object (${key.name} based on URL) was undeterminable: name must be provided`)
  const { namespace } = key
  const object = await createApplied(ports, resource, { namespace, request, context, managedFields })
  return { object, created: true }
}

function refusalOf(
  resource: ResourceDefinition,
  key: Key,
  refused: Exclude<Applied, { outcome: 'applied' }>,
): ApiError {
  if (refused.outcome === 'conflicts') {
    const causes = conflictCauses(refused.conflicts)
    return new ApiError('Conflict', conflictMessage(refused.conflicts), { causes })
  }
  const subject = `${key.namespace}/${key.name}; ${apiVersionOf(resource)}, Kind=${resource.kind}`
  const [first = '', ...more] = refused.faults
  const told = more.length === 0 ? first : ['errors:', ...refused.faults.map((fault) => `  ${fault}`)].join('\n')
  return new ApiError('InternalError', `failed to create typed patch object (${subject}): ${told}`)
}
