/**
 * Serves tenants/scale (autoscaling/v1): replicas are the machines that may run at once, and those that do.
 *
 * Where the tenant says no number of its own, the limit in force is told; a plan without a limit tells none.
 */
import { SCALE } from '../api/actions.ts'
import { ApiError } from '../api/errors.ts'
import { isJsonObject, jsonPatch, mergePatch } from '../api/patches.ts'
import type { Json, JsonObject, KubeObject } from '../api/object.ts'
import type { ResourceDefinition, SubresourceDefinition } from '../api/resource.ts'
import { validate } from '../api/schema/validate.ts'
import type { StructuralSchema } from '../api/schema/structural.ts'
import { limitsOf } from '../kinds/tenant/limits.ts'
import { tenantKind, type Tenant } from '../kinds/tenant/schema.ts'
import { stale } from '../registry/refusals.ts'
import { representationOf } from './accept.ts'
import { changeAsSeen, resourceFor, writeContextOf, type ActionPorts } from './actions/act.ts'
import { readJsonBody } from './actions/body.ts'
import { contentTypeOf, parseJson, unsupportedMediaType } from './body.ts'
import { jsonResponse, type ApiResponse } from './exchange.ts'
import { includeObjectOf } from './params.ts'
import type { ServedSubresource } from './subresources.ts'
import { partialMetadata, tableRenderer } from './table.ts'
import type { Call, Verb } from './verbs.ts'

/** As a genuine API server prints the scale of a custom resource. */
const COLUMNS: ResourceDefinition['columns'] = [
  { name: 'Desired', type: 'integer', jsonPath: '.spec.replicas', description: 'Machines that may run at once.' },
  { name: 'Available', type: 'integer', jsonPath: '.status.replicas', description: 'Machines that run.' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
]
const RENDERER = tableRenderer({ columns: COLUMNS })

const PATCHES = ['application/json-patch+json', 'application/merge-patch+json'] as const

const SCHEMA: StructuralSchema = SCALE.schema ?? {}

/** The scale of tenants, over the registry. */
export function servedScale(ports: ActionPorts): ServedSubresource {
  const resource = resourceFor(ports.registry, tenantKind)
  const definition: SubresourceDefinition = SCALE
  const key = (call: Call) => ({ namespace: '', name: call.path.name ?? '' })
  const serve = async (verb: Verb, call: Call): Promise<ApiResponse> => {
    representationOf(call.request.headers.get('accept'))
    if (verb === 'get') return answer(ports, call, await ports.registry.get(resource, key(call)))
    const wish = verb === 'update' ? await replacement(call) : await patching(call)
    const target = { resource, key: key(call), context: writeContextOf(call) }
    const changed = await changeAsSeen(ports.registry, target, (object) => {
      // The resource is the tenants'.
      const tenant = object as Tenant
      return tenantPatch(resource, tenant, wish(scaleOf(tenant)))
    })
    return answer(ports, call, changed)
  }
  return { resource, definition, serve }
}

/** The Scale of a tenant. Pure. */
export function scaleOf(tenant: Tenant): JsonObject & { readonly metadata: JsonObject } {
  const { name, uid, resourceVersion, creationTimestamp } = tenant.metadata
  const replicas = tenant.spec.config.maxConcurrentSprites ?? limitsOf(tenant)?.concurrentSprites
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, uid, resourceVersion, creationTimestamp },
    spec: typeof replicas === 'number' ? { replicas } : {},
    status: { replicas: tenant.status?.sprites?.running ?? 0 },
  }
}

/** What a call makes of the Scale as it is. */
type Wish = (scale: JsonObject) => { readonly scale: JsonObject; readonly replicas: number | undefined }

/** Typed clients leave a 0 out: in a replacement no number is 0. */
async function replacement(call: Call): Promise<Wish> {
  const scale = checked(await readJsonBody(call), call)
  return () => ({ scale, replicas: replicasOf(scale) ?? 0 })
}

async function patching(call: Call): Promise<Wish> {
  const contentType = contentTypeOf(call.request.headers.get('content-type'))
  if (!PATCHES.some((type) => type === contentType)) throw unsupportedMediaType(PATCHES, contentType)
  const patch = parseJson(await call.request.readBody())
  return (seen) => {
    const scale = checked(contentType === PATCHES[0] ? patched(seen, patch) : mergePatch(seen, patch as Json), call)
    const replicas = replicasOf(scale)
    if (replicas === undefined && replicasOf(seen) !== undefined) throw invalid(call, 'spec.replicas', 'Required value')
    // What a patch left as it was is not asked for: else a label would make the plan's limit the tenant's own.
    return { scale, replicas: replicas === replicasOf(seen) ? undefined : replicas }
  }
}

function patched(seen: JsonObject, patch: unknown): Json {
  const result = jsonPatch(seen, patch)
  if (result.ok) return result.value
  throw new ApiError(result.error.reason, result.error.message)
}

/** A Scale of this tenant. Throws BadRequest for another kind or name, Invalid for a number that is none. */
function checked(value: unknown, call: Call): JsonObject {
  if (!isJsonObject(value)) throw new ApiError('BadRequest', 'The body must be a Scale object')
  const { apiVersion, kind, metadata } = value
  if ((apiVersion ?? 'autoscaling/v1') !== 'autoscaling/v1' || (kind ?? 'Scale') !== 'Scale')
    throw new ApiError('BadRequest', `Send a Scale of autoscaling/v1, not "${text(kind)}" of "${text(apiVersion)}"`)
  const named = isJsonObject(metadata) ? metadata['name'] : undefined
  if (named !== undefined && named !== call.path.name)
    throw new ApiError(
      'BadRequest',
      `the name of the object (${text(named)}) does not match the name on the URL (${call.path.name ?? ''})`,
    )
  const [cause] = validate(SCHEMA, value)
  if (cause !== undefined) throw invalid(call, cause.field ?? '', cause.message)
  return value
}

const text = (value: Json | undefined): string =>
  (typeof value === 'string' ? value : JSON.stringify(value ?? '')).slice(0, 80)

function replicasOf(scale: JsonObject): number | undefined {
  const spec = scale['spec']
  const replicas = isJsonObject(spec) ? spec['replicas'] : undefined
  return typeof replicas === 'number' ? replicas : undefined
}

/** What is written for a wish; undefined for nothing. Throws Conflict when the tenant is not the one that was seen. */
function tenantPatch(
  resource: ResourceDefinition,
  tenant: Tenant,
  { scale, replicas }: ReturnType<Wish>,
): JsonObject | undefined {
  const { name, uid, resourceVersion } = tenant.metadata
  const seen = isJsonObject(scale['metadata']) ? scale['metadata'] : {}
  const differs = (field: string, now: string): boolean => (seen[field] ?? '') !== '' && seen[field] !== now
  if (differs('resourceVersion', resourceVersion) || differs('uid', uid)) throw stale(resource, name)
  return replicas === undefined ? undefined : { spec: { config: { maxConcurrentSprites: replicas } } }
}

const invalid = (call: Call, field: string, message: string): ApiError =>
  new ApiError('Invalid', `Scale.autoscaling "${call.path.name ?? ''}" is invalid: ${field}: ${message}`, {
    name: call.path.name ?? '',
    group: 'autoscaling',
    kind: 'Scale',
    causes: [{ reason: 'FieldValueInvalid', message, field }],
  })

function answer(ports: ActionPorts, call: Call, object: KubeObject): ApiResponse {
  // The resource is the tenants'; a Scale is an object like any other, of a group that the registry does not keep.
  const scale = scaleOf(object as Tenant) as JsonObject & KubeObject
  const representation = representationOf(call.request.headers.get('accept'))
  if (representation.as === 'PartialObjectMetadata')
    return jsonResponse(200, partialMetadata(scale, representation.version))
  if (representation.as === 'Object') return jsonResponse(200, scale)
  const includeObject = includeObjectOf(call.request.url.searchParams)
  const options = { version: representation.version, includeObject, nowMs: ports.clock.now() }
  const metadata = { resourceVersion: object.metadata.resourceVersion }
  return jsonResponse(200, RENDERER.table([scale], metadata, options))
}
