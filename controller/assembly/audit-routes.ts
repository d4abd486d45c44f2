/** Tells the audit log of what our own APIs answer beside the Kubernetes API: writes of apps, and whoever was sent away. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SPRITE_API } from '../../protocol/coordinator.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Actor } from '../api/admission.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { workKind } from '../kinds/work/schema.ts'
import type { ProductNote } from '../coordinator/product.ts'
import type { AuditSink } from '../server/audit.ts'
import { auditEventOf, isAudited, type AuditedRequest } from '../server/audit-event.ts'
import type { ResourcePath } from '../server/route.ts'
import { BACKUP_PATH } from './backup-route.ts'

/** What auditing needs of the process. */
export type AuditRoutePorts = { readonly audit: AuditSink; readonly clock: Clock; readonly entropy: Entropy }

/** Serves a request on a path beside the Kubernetes API; false when it has no such path. */
export type Route = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<boolean>

/** What is known of requests that are being answered. */
export type AuditNotes = {
  readonly note: (request: IncomingMessage, known: ProductNote) => void
  /** Who was let in to a path for platform admins. */
  readonly noteAdmin: (request: IncomingMessage, admin: Actor) => void
}

/** Wraps the routes beside the Kubernetes API, so that each answer to be audited is. */
export function auditRoutes(ports: AuditRoutePorts): AuditNotes & { readonly audited: (route: Route) => Route } {
  const notes = new WeakMap<IncomingMessage, ProductNote>()
  const admins = new WeakMap<IncomingMessage, Actor>()

  function tell(request: IncomingMessage, response: ServerResponse, of: { url: URL; startedAtMs: number }): void {
    const durationMs = ports.clock.monotonic() - of.startedAtMs
    const base = { auditId: ports.entropy.uuid(), endedAtMs: ports.clock.now(), durationMs, url: of.url }
    const known = { ...factsOf(notes.get(request), of.url), ...adminOf(admins.get(request)) }
    const answered = { ...base, ...answeredOf(request, response, of.url), ...known }
    if (isToTell(answered)) ports.audit.write(auditEventOf(answered))
  }

  return {
    noteAdmin: (request, admin) => void admins.set(request, admin),
    note: (request, known) => void notes.set(request, { ...notes.get(request), ...known }),
    audited: (route) => async (request, response, url) => {
      const startedAtMs = ports.clock.monotonic()
      const onClose = (): void => tell(request, response, { url, startedAtMs })
      response.once('close', onClose)
      const isOurs = await route(request, response, url)
      // The Kubernetes API answers, and tells, what is nobody's.
      if (!isOurs) response.off('close', onClose)
      return isOurs
    },
  }
}

/** Sprites are told 403 and 429 when a budget is spent, again and again: that is no refusal of a caller. */
const isToTell = (request: AuditedRequest): boolean =>
  Object.values(SPRITE_API).some((path) => request.url.pathname.startsWith(path))
    ? request.code === 401
    : isAudited(request)

const answeredOf = (
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Pick<AuditedRequest, 'method' | 'userAgent' | 'source' | 'code' | 'verb' | 'path'> => {
  const { method = 'GET' } = request
  return {
    method,
    userAgent: request.headers['user-agent'],
    source: request.socket.remoteAddress,
    code: response.statusCode,
    ...productOf(method, url.pathname),
  }
}

const ALL_SECRETS: ResourcePath = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  namespace: undefined,
  name: undefined,
  subresource: undefined,
}

/** What a path of the product API is about, in the API's words. */
function productOf(method: string, pathname: string): Pick<AuditedRequest, 'verb' | 'path'> {
  // A backup holds every Secret.
  if (pathname === BACKUP_PATH) return { verb: 'list', path: ALL_SECRETS }
  const [, namespace, what, name, subresource] =
    /^\/v1\/tenants\/([^/]+)\/(work|sprites)(?:\/([^/]+)(?:\/(log))?)?$/.exec(pathname) ?? []
  if (namespace === undefined) return {}
  const { group, version, plural } = what === 'work' ? workKind : spriteKind
  const path: ResourcePath = { group, version, namespace, plural, name, subresource }
  // Who reads a log is not noted, so whether it may not know of it or there is none is not told either.
  if (subresource !== undefined) return { path }
  if (method === 'POST') return { verb: 'create', path }
  return { verb: name === undefined ? 'list' : 'get', path }
}

/** What was noted of a request, as the audit log has it. */
function factsOf(known: ProductNote | undefined, { pathname }: URL): Partial<AuditedRequest> {
  const { caller, work, fault } = known ?? {}
  // A tenant in which it has no role does not exist for a caller.
  const role = caller?.roleIn(pathname.split('/')[3] ?? '')
  return {
    ...(caller === undefined ? {} : { actor: actorOf(caller) }),
    ...(role !== undefined && fault?.reason !== 'Forbidden' ? { allowedBecause: `role ${role}` } : {}),
    ...(work === undefined ? {} : { about: aboutOf(work) }),
    ...(fault === undefined ? {} : { reason: fault.reason, message: fault.message }),
  }
}

const adminOf = (actor: Actor | undefined): Partial<AuditedRequest> =>
  actor === undefined ? {} : { actor, allowedBecause: 'platform admin' }

const actorOf = ({ name }: NonNullable<ProductNote['caller']>): Actor => ({ name, groups: [] })

const aboutOf = ({ metadata: { name, uid, resourceVersion } }: NonNullable<ProductNote['work']>) => ({
  name,
  uid,
  resourceVersion,
})
