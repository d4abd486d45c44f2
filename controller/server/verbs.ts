/** Serves one request for a resource: reads its parameters and body, calls the registry, shapes the answer. */
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Authorizer } from '../access/authorizer.ts'
import type { Actor } from '../api/admission.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import { isJsonObject } from '../api/patches.ts'
import type { KubeObject } from '../api/object.ts'
import type { ResourceDefinition, SubresourceDefinition } from '../api/resource.ts'
import type { PatchType, Registry, RegistryDeleteOptions, WriteContext } from '../registry/registry.ts'
import { representationOf, type Representation } from './accept.ts'
import type { AnsweredObject } from './audit-event.ts'
import { APPLY_TYPE, applyParams, parseConfig } from './apply-patch.ts'
import { contentTypeOf, parseBody, parsePatch, readTyped, unsupportedMediaType } from './body.ts'
import { groupVersion } from './discovery.ts'
import { jsonResponse, methodNotAllowed, notServed, type ApiRequest, type ApiResponse } from './exchange.ts'
import { PATCH_TYPES } from './openapi-v3.ts'
import {
  dryRunOf,
  includeObjectOf,
  isWatch,
  listParams,
  optionsKindOf,
  propagationPolicyOf,
  refusedOption,
  selectors,
  watchParams,
  writeParams,
} from './params.ts'
import { guardPermission, permitName, type Permission } from './permit.ts'
import { present } from './present.ts'
import type { ResourcePath } from './route.ts'
import { listTextResponse, objectTextResponse } from './serialise.ts'
import { partialMetadata, tableRenderer } from './table.ts'
import { noSubresource, notOffered } from './unserved.ts'
import { endingSignal, eventEncoder, watchLines } from './watch.ts'

/** What the verbs need from the server. */
export type VerbPorts = {
  readonly registry: Registry
  readonly authorizer: Authorizer
  readonly clock: Clock
  readonly entropy: Entropy
  /** Aborts when the server stops: watches end then. */
  readonly closing: AbortSignal
  /** Counts a watch that opened (+1) or ended (-1). */
  readonly onWatch: (resource: ResourceDefinition, change: 1 | -1) => void
  /** Takes a failure inside a stream, whose status code is long sent. */
  readonly onStreamError: (error: unknown) => void
}

/** One request for a resource, after routing and authentication. */
export type Call = {
  readonly request: ApiRequest
  readonly resource: ResourceDefinition
  readonly path: ResourcePath
  readonly actor: Actor
  /** What it may do, and how much of it it may see. */
  readonly permission: Permission
  readonly warn: (text: string) => void
}

/** What a request does, in Kubernetes' words. */
export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** The verb of a method on a path; NotFound where the scopes differ, MethodNotAllowed where the path has no such method. */
export function verbOf(
  request: Pick<ApiRequest, 'method' | 'url'>,
  resource: ResourceDefinition,
  path: ResourcePath,
): Verb {
  if (path.subresource !== undefined && (path.subresource !== 'status' || !resource.hasStatus))
    throw noSubresource(resource, path.subresource)
  const isCollection = path.name === undefined
  const verb = isCollection ? collectionVerb(request) : objectVerb(request.method)
  const isNamespaced = resource.scope === 'Namespaced'
  if (!isNamespaced && path.namespace !== undefined) throw notServed()
  // Across all namespaces one can only look.
  if (isNamespaced && path.namespace === undefined && verb !== 'list' && verb !== 'watch') throw notServed()
  if (resource.verbs !== undefined && !resource.verbs.includes(verb)) throw notOffered(resource, resource.verbs)
  if (path.subresource !== undefined && verb === 'delete') throw methodNotAllowed()
  return verb
}

/** The verb of a method on a subresource besides status; NotFound where the scopes differ, MethodNotAllowed where it has no such method. */
export function subresourceVerb(
  method: string,
  path: ResourcePath,
  of: { readonly resource: Pick<ResourceDefinition, 'scope'>; readonly definition: SubresourceDefinition },
): Verb {
  // Rights are asked for in the namespace of the path: it must be the object's.
  if ((of.resource.scope === 'Namespaced') !== (path.namespace !== undefined)) throw notServed()
  const verb = method === 'POST' ? 'create' : objectVerb(method)
  if (path.name === undefined || !of.definition.verbs.includes(verb)) throw methodNotAllowed()
  return verb
}

function collectionVerb(request: Pick<ApiRequest, 'method' | 'url'>): Verb {
  if (request.method === 'GET') return isWatch(request.url.searchParams) ? 'watch' : 'list'
  if (request.method === 'POST') return 'create'
  if (request.method === 'DELETE') return 'deletecollection'
  throw methodNotAllowed()
}

function objectVerb(method: string): Verb {
  if (method === 'GET') return 'get'
  if (method === 'PUT') return 'update'
  if (method === 'PATCH') return 'patch'
  if (method === 'DELETE') return 'delete'
  throw methodNotAllowed()
}

/** Runs the verb. Failures are ApiError. */
export async function runVerb(ports: VerbPorts, verb: Verb, call: Call): Promise<ApiResponse> {
  // An answer that cannot be given is refused before anything is written.
  representationFor(call)
  return VERBS[verb](ports, call)
}

type VerbRunner = (ports: VerbPorts, call: Call) => Promise<ApiResponse>

const VERBS: Readonly<Record<Verb, VerbRunner>> = {
  get: async (ports, call) =>
    objectResponse(ports, call, 200, await ports.registry.get(call.resource, keyOfPath(call))),
  list,
  watch,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeCollection,
}

const keyOfPath = ({ path }: Call): { namespace: string; name: string } => ({
  namespace: path.namespace ?? '',
  name: path.name ?? '',
})

/** What of the collection is asked for and may be seen. */
const inNamespace = ({ path, permission }: Call) => present({ namespace: path.namespace, within: permission.within })

const representationFor = ({ request }: Call): Representation => representationOf(request.headers.get('accept'))

async function list(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const representation = representationFor(call)
  const query = call.request.url.searchParams
  const found = await ports.registry.list(call.resource, { ...inNamespace(call), ...listParams(query) })
  const metadata = present({
    resourceVersion: found.resourceVersion,
    continue: found.continue,
    remainingItemCount: found.remainingItemCount,
  })
  if (representation.as === 'Table') {
    const options = { version: representation.version, includeObject: includeObjectOf(query), nowMs: ports.clock.now() }
    return jsonResponse(200, tableRenderer(call.resource).table(found.items, metadata, options))
  }
  if (representation.as === 'PartialObjectMetadata') {
    const items = found.items.map((item) => partialMetadata(item, representation.version))
    const apiVersion = `meta.k8s.io/${representation.version}`
    return jsonResponse(200, { kind: 'PartialObjectMetadataList', apiVersion, metadata, items })
  }
  return listTextResponse(listHead(call.resource, metadata), found.items)
}

const listHead = (resource: ResourceDefinition, metadata: object): object => ({
  kind: `${resource.kind}List`,
  apiVersion: groupVersion(resource.group, resource.version),
  metadata,
})

/** The default length of a watch: 30 to 60 minutes, spread so that clients do not all come back at once. */
const WATCH_MS_MIN = 30 * 60_000

async function watch(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const { timeoutSeconds, ...options } = watchParams(call.request.url.searchParams)
  const representation = representationFor(call)
  const encode = eventEncoder(representation, {
    renderer: () => tableRenderer(call.resource),
    includeObject: includeObjectOf(call.request.url.searchParams),
    clock: ports.clock,
  })
  const timeoutMs = timeoutSeconds === undefined ? WATCH_MS_MIN * (1 + ports.entropy.random()) : timeoutSeconds * 1000
  const guard = guardPermission(ports.authorizer, call)
  const ending = endingSignal([call.request.signal, ports.closing, guard.signal], timeoutMs, ports.clock)
  const { signal } = ending
  const cancel = (): void => {
    guard.end()
    ending.cancel()
  }
  const events = watchOrCancel(
    () => ports.registry.watch(call.resource, { ...inNamespace(call), ...options }, signal),
    cancel,
  )
  ports.onWatch(call.resource, 1)
  const onEnd = (): void => {
    cancel()
    ports.onWatch(call.resource, -1)
  }
  return {
    status: 200,
    // A proxy that buffers would hold events back.
    headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache', 'X-Accel-Buffering': 'no' },
    body: watchLines(events, encode, { signal, lastWord: guard.verdict, onError: ports.onStreamError, onEnd }),
  }
}

/** What `open` gives; when it throws, as for a malformed selector, the timer goes with it. */
function watchOrCancel<T>(open: () => T, cancel: () => void): T {
  try {
    return open()
  } catch (error) {
    cancel()
    throw error
  }
}

async function create(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const { body, ...context } = await readObject(call)
  permitName(call, body)
  const made = await ports.registry.create(call.resource, call.path.namespace ?? '', body, context)
  return objectResponse(ports, call, 201, made)
}

async function update(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const { body, ...read } = await readObject(call)
  const context = { ...read, ...subresource(call) }
  return objectResponse(ports, call, 200, await ports.registry.update(call.resource, keyOfPath(call), body, context))
}

async function patch(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const contentType = contentTypeOf(call.request.headers.get('content-type'))
  if (contentType === APPLY_TYPE) return apply(ports, call)
  const type = patchTypeOf(contentType, call.resource)
  if (call.request.url.searchParams.has('force'))
    throw refusedOption('PatchOptions', {
      reason: 'FieldValueForbidden',
      message: 'Forbidden: may not be specified for non-apply patch',
      field: 'force',
    })
  const write = writeContext(call)
  const bytes = await call.request.readBody()
  const { value: body, duplicates } = parsePatch(bytes, write.fieldValidation ?? 'Warn', type === 'json')
  const context = { ...write, ...subresource(call), duplicates }
  const patched = await ports.registry.patch(call.resource, keyOfPath(call), { type, body }, context)
  return objectResponse(ports, call, 200, patched)
}

/** Server-side apply: 201 when it created the object. */
async function apply(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const context = { ...writeContext(call), ...applyParams(call.request.url.searchParams), ...subresource(call) }
  const { value: config, duplicates } = parseConfig(await call.request.readBody(), context.fieldValidation)
  if (context.fieldValidation !== 'Ignore') for (const text of duplicates) call.warn(text)
  const { object, created } = await ports.registry.apply(call.resource, keyOfPath(call), config, context)
  return objectResponse(ports, call, created ? 201 : 200, object)
}

/** The kind of patch of a media type; strategic merge is for kinds with Go types: those without a schema of ours. */
function patchTypeOf(contentType: string, resource: ResourceDefinition): PatchType {
  if (contentType === 'application/strategic-merge-patch+json' && resource.schema === undefined) return 'strategic'
  if (contentType === 'application/merge-patch+json') return 'merge'
  if (contentType === 'application/json-patch+json') return 'json'
  throw unsupportedMediaType(PATCH_TYPES)
}

async function remove(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const { options, dryRun } = await readDeleteOptions(call)
  const context = { ...writeContext(call), ...(dryRun ? { dryRun } : {}) }
  const { object, deleted } = await ports.registry.delete(call.resource, keyOfPath(call), options, context)
  if (!deleted) return marked(objectResponse(ports, call, 200, object), dryRun)
  const { name, uid } = object.metadata
  const group = call.resource.group === '' ? {} : { group: call.resource.group }
  const details = { name, ...group, kind: call.resource.plural, uid }
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
  return marked({ ...jsonResponse(200, status), about: aboutOf(object) }, dryRun)
}

/** A deletion's dry run may be asked for in its body: the audit log is told. */
const marked = (response: ApiResponse, isDryRun: boolean): ApiResponse =>
  isDryRun ? { ...response, about: { ...response.about, isDryRun } } : response

const aboutOf = ({ metadata: { name, uid, resourceVersion } }: KubeObject): AnsweredObject =>
  present({ name, uid, resourceVersion })

/** How many objects are deleted at once by deletecollection, page by page. */
const DELETE_PAGE = 500

async function removeCollection(ports: VerbPorts, call: Call): Promise<ApiResponse> {
  const { options, dryRun } = await readDeleteOptions(call)
  const context = { ...writeContext(call), ...(dryRun ? { dryRun } : {}) }
  const removed: KubeObject[] = []
  let page: string | undefined
  do {
    const found = await ports.registry.list(
      call.resource,
      present({
        ...inNamespace(call),
        ...selectors(call.request.url.searchParams),
        limit: DELETE_PAGE,
        continue: page,
      }),
    )
    for (const item of found.items) await removeOne(ports, call, { item, options, context })
    // As kube-apiserver: what was found, as it was found.
    removed.push(...found.items)
    page = found.continue
  } while (page !== undefined && !call.request.signal.aborted)
  return marked(listTextResponse(listHead(call.resource, {}), removed), dryRun)
}

async function removeOne(
  ports: VerbPorts,
  call: Call,
  of: { readonly item: KubeObject; readonly options: RegistryDeleteOptions; readonly context: WriteContext },
): Promise<void> {
  const { name, namespace = '', uid } = of.item.metadata
  const options = { ...of.options, preconditions: { ...of.options.preconditions, uid } }
  try {
    await ports.registry.delete(call.resource, { namespace, name }, options, of.context)
  } catch (error) {
    // Somebody else was faster: it is gone, or another has its name by now.
    if (!hasReason(error, 'NotFound', 'Conflict')) throw error
  }
}

function writeContext(call: Call): WriteContext {
  const { url, headers, method } = call.request
  const params = writeParams(url.searchParams, headers.get('user-agent'), optionsKindOf(method))
  return { actor: call.actor, ...params, warn: call.warn, signal: call.request.signal }
}

const subresource = ({ path }: Call): { readonly subresource?: 'status' } =>
  path.subresource === 'status' ? { subresource: 'status' } : {}

/** The object in the body, and what goes with its write. Typed clients send built-in kinds without apiVersion and kind. */
async function readObject(call: Call): Promise<WriteContext & { readonly body: unknown }> {
  const context = writeContext(call)
  const { value, duplicates } = readTyped(await call.request.readBody(), {
    contentType: contentTypeOf(call.request.headers.get('content-type')),
    isBuiltIn: call.resource.schema === undefined,
    validation: context.fieldValidation ?? 'Warn',
  })
  if (call.resource.schema !== undefined || !isJsonObject(value)) return { ...context, duplicates, body: value }
  const { group, version, kind } = call.resource
  return { ...context, duplicates, body: { apiVersion: groupVersion(group, version), kind, ...value } }
}

async function readDeleteOptions(
  call: Call,
): Promise<{ readonly options: RegistryDeleteOptions; readonly dryRun: boolean }> {
  const query = call.request.url.searchParams
  const bytes = await call.request.readBody()
  const contentType = contentTypeOf(call.request.headers.get('content-type'))
  const body = bytes.length === 0 ? {} : parseBody(bytes, contentType, true)
  // Its members are unknown and are checked one by one.
  const given: Readonly<Record<string, unknown>> = isJsonObject(body) ? body : {}
  if (!isJsonObject(body) || (given['kind'] ?? 'DeleteOptions') !== 'DeleteOptions')
    throw new ApiError('BadRequest', 'The body of a delete must be a DeleteOptions object')
  const dryRun = [...query.getAll('dryRun'), ...(Array.isArray(given['dryRun']) ? given['dryRun'].map(String) : [])]
  const propagationPolicy = propagationPolicyOf(given['propagationPolicy'] ?? query.get('propagationPolicy'), {
    orphanDependents: given['orphanDependents'] ?? query.get('orphanDependents'),
  })
  return {
    options: present({ propagationPolicy, preconditions: preconditionsOf(given['preconditions']) }),
    dryRun: dryRunOf(dryRun, 'DeleteOptions'),
  }
}

function preconditionsOf(given: unknown): RegistryDeleteOptions['preconditions'] {
  if (typeof given !== 'object' || given === null) return undefined
  // As above: members are checked before use.
  const { uid, resourceVersion } = given as Record<string, unknown>
  return present({
    uid: typeof uid === 'string' ? uid : undefined,
    resourceVersion: typeof resourceVersion === 'string' ? resourceVersion : undefined,
  })
}

function objectResponse(ports: VerbPorts, call: Call, status: number, object: KubeObject): ApiResponse {
  return { ...shownObject(ports, call, status, object), about: aboutOf(object) }
}

function shownObject(ports: VerbPorts, call: Call, status: number, object: KubeObject): ApiResponse {
  const representation = representationFor(call)
  if (representation.as === 'Object') return objectTextResponse(status, object)
  if (representation.as === 'PartialObjectMetadata')
    return jsonResponse(status, partialMetadata(object, representation.version))
  const metadata = { resourceVersion: object.metadata.resourceVersion }
  const includeObject = includeObjectOf(call.request.url.searchParams)
  const options = { version: representation.version, includeObject, nowMs: ports.clock.now() }
  return jsonResponse(status, tableRenderer(call.resource).table([object], metadata, options))
}
