/** Reads a request body: what it asks for, what it has seen, and what no schema knows. Pure. */
import { resourceName } from '../api/define-kind.ts'
import type { Cause } from '../api/errors.ts'
import { goQuoted } from '../api/go-quote.ts'
import type { JsonObject, Key } from '../api/object.ts'
import { readMeta, type RequestedMeta, type SeenMeta } from '../api/meta.ts'
import { isJsonObject } from '../api/patches.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { prune } from '../api/schema/prune.ts'
import type { Faults } from './bags.ts'
import { badRequest, invalid, invalidPatch, unreadable } from './refusals.ts'
import { strategyOf } from './strategy.ts'

/** Levels of nesting at most, so that recursion over an object is bounded. */
const DEPTH_MAX = 64

/** A write that was read, before it is compared with what is stored. */
export type Request = {
  readonly meta: RequestedMeta
  readonly seen: SeenMeta
  /** Everything but apiVersion, kind and metadata, pruned. */
  readonly content: JsonObject
  /** Paths of fields that the schema does not know. */
  readonly unknown: readonly string[]
  /** Nulls that are not allowed are refused rather than dropped, as in an applied configuration. */
  readonly keepsNulls?: boolean
}

/** Group and version, as objects of the resource carry it. */
export const apiVersionOf = (resource: ResourceDefinition): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`

/** Reads a body of the resource, or what a patch makes of an object; throws BadRequest when it cannot be one, of a patch Invalid. */
export function readRequest(
  resource: ResourceDefinition,
  body: unknown,
  { isPatch = false }: { readonly isPatch?: boolean } = {},
): Request {
  if (!isJsonObject(body)) throw badRequest('Cannot read the body: a JSON object is expected')
  checkDepth(body)
  checkType(resource, body, isPatch)
  const { requested, seen, unknown, wrong } = readMeta(body['metadata'])
  if (wrong.length > 0) {
    const why = wrong.slice(0, 20).join(', ')
    throw isPatch ? invalidPatch(why) : unreadable(resource, why)
  }
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...content } = body
  const schema = resource.schema ?? resource.shape
  const given = resource.schema === undefined ? withoutNulls(content) : content
  if (schema === undefined) return { meta: requested, seen, content: given, unknown }
  const pruned = prune(schema, given)
  // An object stays one under pruning.
  const value = readContent(resource, isJsonObject(pruned.value) ? pruned.value : {}, { isPatch })
  return { meta: requested, seen, content: value, unknown: [...unknown, ...pruned.unknown] }
}

/** The content as the kind's Go type would have it; throws BadRequest, of a patch Invalid, when it has another type. */
export function readContent(
  resource: ResourceDefinition,
  content: JsonObject,
  { isPatch }: { readonly isPatch: boolean },
): JsonObject {
  const faults: Faults = []
  const read = strategyOf(resource).read(content, faults)
  const [fault] = faults
  if (fault === undefined) return read
  // As in Kubernetes; but the patch itself is not repeated: it may hold a secret.
  if (isPatch)
    throw invalid(resource, '', [{ reason: 'FieldValueInvalid', message: `Invalid value: ${fault}`, field: 'patch' }])
  throw badRequest(
    `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: ${fault}`,
  )
}

/** Throws BadRequest for a body that recursion must not walk. */
export function checkDepth(body: unknown): void {
  if (!isDeeperThan(body, DEPTH_MAX)) return
  throw badRequest(`Cannot read the body: it is nested deeper than ${DEPTH_MAX} levels`)
}

/** Built-in kinds may come without apiVersion and kind, as typed clients send them; our own may not. */
function checkType(resource: ResourceDefinition, body: JsonObject, isPatch: boolean): void {
  const expected = { apiVersion: apiVersionOf(resource), kind: resource.kind }
  for (const [key, value] of Object.entries(expected)) {
    const given = body[key] ?? ''
    if (given === value || (given === '' && resource.schema === undefined)) continue
    // As a genuine server of custom kinds refuses it.
    const isOther = typeof given === 'string' && given !== '' && (isPatch || key === 'kind')
    if (resource.schema !== undefined && isOther) throw invalid(resource, nameIn(body), [otherType(key, given, value)])
    if (isPatch) throw invalidPatch(`${key} is ${JSON.stringify(given).slice(0, 100)}, "${value}" is expected`)
    throw badRequest(
      `Cannot read the body as ${resource.kind}: got ${key} ${JSON.stringify(given)}, "${value}" is expected`,
    )
  }
}

const otherType = (field: string, given: string, expected: string): Cause => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${goQuoted(given.slice(0, 100))}: must be ${expected}`,
  field,
})

function nameIn({ metadata }: JsonObject): string {
  const name = isJsonObject(metadata) ? metadata['name'] : undefined
  return typeof name === 'string' ? name.slice(0, 300) : ''
}

function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(member, levels - 1))
}

/** Go drops a null on reading a typed object; so do we at the top, where built-in kinds have their fields. */
const withoutNulls = (content: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(content).filter(([, value]) => value !== null))

/** Checks that the body speaks of the object that the path names; an absent name or namespace is filled from the path. */
export function checkPath(resource: ResourceDefinition, path: Key, meta: RequestedMeta): void {
  checkNamespacePath(resource, path.namespace, meta)
  if (meta.name === undefined || meta.name === path.name) return
  throw badRequest(`the name of the object (${meta.name}) does not match the name on the URL (${path.name})`)
}

/** Checks the namespace of the path against the resource's scope and against the body. */
export function checkNamespacePath(resource: ResourceDefinition, namespace: string, meta: RequestedMeta): void {
  if (resource.scope === 'Cluster' && (namespace !== '' || meta.namespace !== undefined))
    throw badRequest(`Cannot take a namespace: ${resourceName(resource)} are cluster-scoped`)
  if (resource.scope === 'Namespaced' && namespace === '')
    throw badRequest(`Cannot do without a namespace: ${resourceName(resource)} are namespaced`)
  if (meta.namespace === undefined || meta.namespace === namespace) return
  throw badRequest(
    `the namespace of the provided object (${meta.namespace}) does not match the namespace sent on the request (${namespace})`,
  )
}
