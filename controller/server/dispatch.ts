/** Answers one request: route, authenticate, run, count, log. Sockets are somebody else's. */
import type { Log } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import type { Actor } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import { createCatalog } from './catalog.ts'
import { CHALLENGES, credentialOf, refuseUntrusted, unauthorized } from './credentials.ts'
import { errorResponse, notServed, textResponse, toApiError, type ApiRequest, type ApiResponse } from './exchange.ts'
import { namesRemoteUser, remoteActorOf } from './front-proxy.ts'
import { impersonated } from './impersonate.ts'
import { pathKey, routeOf, type ResourcePath, type Route } from './route.ts'
import type { Authenticate } from './tokens.ts'
import type { AuditSink } from './audit.ts'
import { auditEventOf, isAudited, type AnsweredObject, type AuditedRequest } from './audit-event.ts'
import { accessRequestOf, heldToRights, permit, permitPath, type Permission } from './permit.ts'
import { seated, standing, type Run } from './seating.ts'
import type { Seats } from './seats.ts'
import { subresourceKey, type ServedSubresource } from './subresources.ts'
import { createVirtual, VIRTUAL_RESOURCES } from './virtual.ts'
import { runVerb, subresourceVerb, verbOf, type Call, type Verb, type VerbPorts } from './verbs.ts'

/** What answering a request needs of the process. */
export type DispatchPorts = Omit<VerbPorts, 'onWatch' | 'onStreamError'> & {
  readonly authenticate: Authenticate
  readonly audit: AuditSink
  readonly seats: Seats
  /** Subresources besides status. */
  readonly subresources: readonly ServedSubresource[]
  readonly log: Log
  readonly metrics: Metrics
  /** What keeps the process from being ready, one line each; empty when it is. Default: always ready. */
  readonly readiness?: () => Promise<readonly string[]>
  /** False: another process serves the API. */
  readonly hasApi?: boolean
}

/** Answers a request; never rejects. */
export type Dispatch = (request: ApiRequest) => Promise<ApiResponse>

/** What is known of a request when it is counted and logged. */
type Trace = {
  readonly requestId: string
  readonly startedAtMs: number
  readonly warnings: string[]
  /** As whom it is done; `impersonator` is who did it, where that is somebody else. */
  actor?: Actor
  impersonator?: Actor
  verb?: Verb
  path?: ResourcePath
  permission?: Permission
}

const apiElsewhere = (): ApiError =>
  new ApiError('NotFound', 'This process does not serve the API: ask one whose ROLES have "api"')

/** Builds the dispatch over its ports. */
export function createDispatch(ports: DispatchPorts): Dispatch {
  const catalog = createCatalog(ports.registry.resources, VIRTUAL_RESOURCES)
  const virtual = createVirtual(ports.authorizer, ports.registry.resources)
  const resources = new Map(ports.registry.resources.map((resource) => [pathKey(resource), resource]))
  const subresources = new Map(
    ports.subresources.map((served) => [subresourceKey(served.resource, served.definition.name), served]),
  )
  const account = accountWith(ports)
  const verbs: VerbPorts = { ...ports, onWatch: watchGauge(ports.metrics), onStreamError: streamErrorLog(ports.log) }

  async function answer(request: ApiRequest, trace: Trace): Promise<ApiResponse> {
    const route = routeOf(request.url.pathname)
    if (route.at === 'health') return health(route.check, ports.readiness)
    if (route.at === 'version' && request.method === 'GET') return catalog(route, request)
    if (ports.hasApi === false && route.at !== 'metrics') throw apiElsewhere()
    // Known before the caller is, so that a denial's log line says what was asked for.
    if (route.at === 'resource') trace.path = route.path
    trace.actor = await authenticated(request, ports.authenticate)
    const actedAs = impersonated(ports.authorizer, trace.actor, request)
    if (actedAs !== undefined) [trace.impersonator, trace.actor] = [trace.actor, actedAs]
    if (route.at === 'resource') return serveResource(request, route.path, trace)
    if (route.at === 'nothing' || route.at === 'elsewhere') throw notServed()
    if (request.method !== 'GET') throw new ApiError('MethodNotAllowed', `Use GET here, not "${request.method}"`)
    permitPath(ports.authorizer, trace.actor, { verb: 'get', path: request.url.pathname })
    if (route.at === 'metrics')
      return textResponse(200, await ports.metrics.expose(), 'text/plain; version=0.0.4; charset=utf-8')
    return catalog(route, request)
  }

  async function serveResource(request: ApiRequest, path: ResourcePath, trace: Trace): Promise<ApiResponse> {
    // authenticated() has set it.
    const actor = trace.actor ?? ANONYMOUS
    const served = virtual(path)
    if (served !== undefined) return served(request, path, actor)
    const resource = resources.get(pathKey(path))
    if (resource === undefined) throw notServed()
    const subresource = subresources.get(subresourceKey(resource, path.subresource ?? ''))
    const verb =
      subresource === undefined ? verbOf(request, resource, path) : subresourceVerb(request.method, path, subresource)
    trace.verb = verb
    const permission = permit(ports.authorizer, accessRequestOf(actor, verb, { resource, path }))
    trace.permission = permission
    const warn = (text: string): void => addWarning(trace.warnings, text)
    const allowed: Call = { request, resource, path, actor, permission, warn }
    // A watch has a word of its own for rights that are lost.
    const call = path.subresource === 'log' ? heldToRights(ports.authorizer, verb, allowed) : allowed
    const run: Run = (its) => (subresource === undefined ? runVerb(verbs, verb, its) : subresource.serve(verb, its))
    return isLong(verb, path) ? standing(ports.seats, call, run) : seated(ports.seats, call, run)
  }

  return async (request) => {
    const requestId = ports.entropy.uuid()
    const trace: Trace = { requestId, startedAtMs: ports.clock.monotonic(), warnings: [] }
    let response: ApiResponse
    let failure: ApiError | undefined
    try {
      response = await answer(request, trace)
    } catch (error) {
      failure = toApiError(error)
      response = refusal(failure)
    }
    account(request, trace, { status: response.status, failure, about: response.about })
    return { ...response, headers: { ...response.headers, ...traceHeaders(trace) } }
  }
}

const isLong = (verb: Verb, path: ResourcePath): boolean => verb === 'watch' || path.subresource === 'log'

const ANONYMOUS: Actor = { name: 'system:anonymous', groups: [] }

/** The longest list of warnings that is sent; headers have a limit of their own. */
const WARNINGS_MAX = 20
const WARNING_CHARS_MAX = 400

function addWarning(warnings: string[], text: string): void {
  const short = text.slice(0, WARNING_CHARS_MAX)
  if (warnings.length < WARNINGS_MAX && !warnings.includes(short)) warnings.push(short)
}

function traceHeaders(trace: Trace): Record<string, string | readonly string[]> {
  const headers = { 'Audit-Id': trace.requestId, 'Cache-Control': 'no-cache, private' }
  return trace.warnings.length === 0 ? headers : { ...headers, Warning: trace.warnings.map(warningHeader) }
}

/** RFC 7234 §5.5: code, agent, quoted text; bytes above ASCII travel as UTF-8. */
function warningHeader(text: string): string {
  const quoted = text.replaceAll(/\p{Cc}/gu, ' ').replaceAll(/["\\]/g, '\\$&')
  return `299 - "${Buffer.from(quoted, 'utf8').toString('latin1')}"`
}

async function authenticated(request: ApiRequest, authenticate: Authenticate): Promise<Actor> {
  const remote = request.isFrontProxy === true ? remoteActorOf(request.headers) : undefined
  if (remote !== undefined) return remote
  const credential = credentialOf(request.headers.get('authorization'))
  refuseUntrusted(request, credential)
  const actor = credential && (await authenticate(credential.token))
  if (actor === undefined) throw unauthorized()
  return actor
}

function refusal(error: ApiError): ApiResponse {
  const response = errorResponse(error)
  if (error.reason !== 'Unauthorized') return response
  return { ...response, headers: { ...response.headers, 'WWW-Authenticate': CHALLENGES } }
}

async function health(
  check: Extract<Route, { at: 'health' }>['check'],
  readiness: DispatchPorts['readiness'],
): Promise<ApiResponse> {
  if (check !== 'readyz' || readiness === undefined) return textResponse(200, 'ok')
  const reasons = await readiness()
  if (reasons.length === 0) return textResponse(200, 'ok')
  return textResponse(503, `${reasons.map((reason) => `[-]${reason}`).join('\n')}\nreadyz check failed\n`)
}

const MUTATIONS: ReadonlySet<Verb> = new Set<Verb>(['create', 'update', 'patch', 'delete', 'deletecollection'])

/** How a request ended. */
type Answered = {
  readonly status: number
  readonly failure: ApiError | undefined
  readonly about: AnsweredObject | undefined
}

const auditedOf = (
  request: ApiRequest,
  trace: Trace,
  end: Answered & { readonly durationMs: number; readonly endedAtMs: number },
): AuditedRequest => ({
  auditId: trace.requestId,
  method: request.method,
  url: request.url,
  userAgent: request.headers.get('user-agent'),
  source: request.source,
  actor: trace.actor,
  impersonator: trace.impersonator,
  verb: trace.verb,
  path: trace.path,
  allowedBecause: trace.permission?.reason,
  about: end.about,
  code: end.status,
  reason: end.failure?.reason,
  message: end.failure?.message,
  isForged: request.isFrontProxy !== true && namesRemoteUser(request.headers),
  endedAtMs: end.endedAtMs,
  durationMs: end.durationMs,
})

/** Counts every request; logs each mutation and each denial with who, what and how it ended, never with a body. */
function accountWith(
  ports: Pick<DispatchPorts, 'log' | 'metrics' | 'clock' | 'audit'>,
): (request: ApiRequest, trace: Trace, end: Answered) => void {
  const labels = ['verb', 'resource', 'code'] as const
  const requests = ports.metrics.counter(
    'apiserver_requests_total',
    'Requests answered, by verb, resource and code.',
    labels,
  )
  const durations = ports.metrics.histogram(
    'apiserver_request_seconds',
    'Time to answer a request; for a watch, to open it.',
    ['verb'],
  )
  return (request, trace, end) => {
    const { status, failure } = end
    const durationMs = ports.clock.monotonic() - trace.startedAtMs
    const audited = auditedOf(request, trace, { ...end, durationMs, endedAtMs: ports.clock.now() })
    if (isAudited(audited)) ports.audit.write(auditEventOf(audited))
    const verb = trace.verb ?? 'other'
    requests.add({ verb, resource: trace.verb ? (trace.path?.plural ?? '') : '', code: String(status) })
    durations.observe(durationMs / 1000, { verb })
    if (status === 500) logFailure(ports.log, trace, failure)
    const isDenied = status === 401 || status === 403
    if (!isDenied && !(trace.verb && MUTATIONS.has(trace.verb))) return
    const fields = { ...accessFields(request, trace), code: status, durationMs: Math.round(durationMs) }
    if (isDenied) ports.log.warn(fields, 'API request denied')
    else ports.log.info(fields, 'API write')
  }
}

function accessFields(request: ApiRequest, trace: Trace): Record<string, unknown> {
  return {
    requestId: trace.requestId,
    actor: trace.actor?.name,
    impersonator: trace.impersonator?.name,
    source: request.source,
    verb: trace.verb ?? request.method,
    resource: trace.path?.plural,
    subresource: trace.path?.subresource,
    namespace: trace.path?.namespace,
    name: trace.path?.name,
    isDryRun: request.url.searchParams.has('dryRun') || undefined,
  }
}

function logFailure(log: Log, trace: Trace, failure: ApiError | undefined): void {
  const cause = failure?.cause ?? failure
  const error = cause instanceof Error ? { name: cause.name, message: cause.message, stack: cause.stack } : undefined
  log.error({ requestId: trace.requestId, resource: trace.path?.plural, error }, 'API request failed')
}

function watchGauge(metrics: Metrics): VerbPorts['onWatch'] {
  const gauge = metrics.gauge('apiserver_watches', 'Watches that are open, by resource.', ['resource'])
  const open = new Map<string, number>()
  return (resource, change) => {
    const count = (open.get(resource.plural) ?? 0) + change
    open.set(resource.plural, count)
    gauge.set(count, { resource: resource.plural })
  }
}

const streamErrorLog =
  (log: Log): VerbPorts['onStreamError'] =>
  (error) => {
    const { reason, message, cause } = toApiError(error)
    const why = cause instanceof Error ? cause.message : message
    if (reason === 'InternalError') log.error({ reason, why }, 'Watch failed')
    else log.debug({ reason }, 'Watch ended')
  }
