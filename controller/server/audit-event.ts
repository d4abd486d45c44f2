/** Decides which requests are audited, and what the audit log is told of them; rules in docs/spec/audit.md. Pure. */
import { microTimestamp } from '../../system/timestamp.ts'
import type { Actor } from '../api/admission.ts'
import type { AuditEvent, AuditUser } from './audit.ts'
import { present } from './present.ts'
import type { ResourcePath } from './route.ts'

/** What an answer is about, where whoever answers knows it. */
export type AnsweredObject = {
  readonly name?: string
  readonly uid?: string
  readonly resourceVersion?: string
  /** Nothing was stored. */
  readonly isDryRun?: boolean
}

/** One request that has been answered, on whichever API of ours. */
export type AuditedRequest = {
  readonly auditId: string
  readonly method: string
  readonly url: Pick<URL, 'pathname' | 'search' | 'searchParams'>
  readonly userAgent?: string | undefined
  readonly source?: string | undefined
  /** Absent: nobody has proved who they are. */
  readonly actor?: Actor | undefined
  /** Who acts as `actor`, where somebody does. */
  readonly impersonator?: Actor | undefined
  /** In the API's words; absent where the request did not come so far. */
  readonly verb?: string | undefined
  readonly path?: ResourcePath | undefined
  /** Why it was allowed; absent where it was not, or where nobody asked. */
  readonly allowedBecause?: string | undefined
  readonly about?: AnsweredObject | undefined
  readonly code: number
  readonly reason?: string | undefined
  readonly message?: string | undefined
  /** It named a caller as only a front proxy may, and was not believed. */
  readonly isForged?: boolean
  /** ms since 1970. */
  readonly endedAtMs: number
  readonly durationMs: number
}

/** Verbs that only look; every other changes something, or tries to, an action such as wake included. */
const READS: ReadonlySet<string> = new Set(['get', 'list', 'watch'])
const REFUSALS: ReadonlySet<number> = new Set([401, 403, 429])

/** Whether the audit log is told: every mutation, refusal and forged identity, whoever looks at secrets or as somebody else. */
export function isAudited(request: AuditedRequest): boolean {
  const { verb, path, code } = request
  if (REFUSALS.has(code)) return true
  // Health is asked by anybody: what nobody has signed must not fill the log.
  if (request.isForged === true && request.actor !== undefined) return true
  if (verb === undefined) return false
  if (!READS.has(verb)) return true
  if (request.impersonator !== undefined) return true
  return isHidden(request) || (path?.plural === 'secrets' && path.group === '')
}

/** A caller was told that something does not exist, since it may not know of it. */
const isHidden = ({ verb, code, allowedBecause }: AuditedRequest): boolean =>
  verb !== undefined && code === 404 && allowedBecause === undefined

/** Longest texts that come from a caller, in characters. */
const URI_CHARS_MAX = 2_048
const TEXT_CHARS_MAX = 256
const MESSAGE_CHARS_MAX = 1_024
const GROUPS_MAX = 64

const cut = (text: string, charsMax = TEXT_CHARS_MAX): string =>
  text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`

/** The event of a request. Texts of callers are cut, and nothing of a body or token is in it. */
export function auditEventOf(request: AuditedRequest): AuditEvent {
  const { actor, impersonator, source, userAgent, code, reason, message } = request
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID: request.auditId,
    stage: 'ResponseComplete',
    requestURI: uriOf(request.url),
    verb: cut(request.verb ?? verbOfMethod(request)),
    user: userOf(impersonator ?? actor ?? ANONYMOUS),
    ...(impersonator === undefined || actor === undefined ? {} : { impersonatedUser: userOf(actor) }),
    sourceIPs: source === undefined ? [] : [cut(source)],
    ...(userAgent === undefined ? {} : { userAgent: cut(userAgent) }),
    ...(request.path === undefined ? {} : { objectRef: objectRefOf(request.path, request.about) }),
    responseStatus: {
      code,
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message: cut(message, MESSAGE_CHARS_MAX) }),
    },
    requestReceivedTimestamp: microTimestamp(request.endedAtMs - request.durationMs),
    stageTimestamp: microTimestamp(request.endedAtMs),
    ...annotationsOf(request),
  }
}

const ANONYMOUS: Actor = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** Keys and values of `extra` at most: one who impersonates chooses them. */
const EXTRAS_MAX = 16

const userOf = ({ name, groups, uid, extra }: Actor): AuditUser => ({
  username: cut(name),
  groups: groups.slice(0, GROUPS_MAX).map((group) => cut(group)),
  ...(uid === undefined ? {} : { uid: cut(uid) }),
  ...(extra === undefined ? {} : { extra: extraOf(extra) }),
})

const extraOf = (extra: NonNullable<Actor['extra']>): NonNullable<AuditUser['extra']> =>
  Object.fromEntries(
    Object.entries(extra)
      .slice(0, EXTRAS_MAX)
      .map(([key, values]) => [cut(key), values.slice(0, EXTRAS_MAX).map((value) => cut(value))]),
  )

/** Parameters by which some clients send credentials: we take none, but they must not be kept either. */
const SECRET_PARAMETERS = /^(?:.*token|.*password|.*secret|authorization|api[-_]?key)$/i

function uriOf({ pathname, search, searchParams }: AuditedRequest['url']): string {
  if (![...searchParams.keys()].some((name) => SECRET_PARAMETERS.test(name)))
    return cut(pathname + search, URI_CHARS_MAX)
  const safe = new URLSearchParams(searchParams)
  for (const name of searchParams.keys()) if (SECRET_PARAMETERS.test(name)) safe.set(name, 'redacted')
  return cut(`${pathname}?${safe.toString()}`, URI_CHARS_MAX)
}

const METHOD_VERBS: ReadonlyMap<string, string> = new Map([
  ['GET', 'get'],
  ['POST', 'create'],
  ['PUT', 'update'],
  ['PATCH', 'patch'],
  ['DELETE', 'delete'],
])

/** What the request would have been, where it did not come so far. */
const verbOfMethod = ({ method, path }: AuditedRequest): string =>
  (path === undefined ? undefined : METHOD_VERBS.get(method)) ?? method.toLowerCase()

function objectRefOf(path: ResourcePath, about: AnsweredObject = {}): NonNullable<AuditEvent['objectRef']> {
  const { group, version, namespace, plural, subresource } = path
  const name = path.name ?? about.name
  const ref = present({ namespace, name, subresource, uid: about.uid, resourceVersion: about.resourceVersion })
  const bounded = Object.fromEntries(Object.entries(ref).map(([key, value]) => [key, cut(value)]))
  return {
    resource: cut(plural),
    ...(group === '' ? {} : { apiGroup: cut(group) }),
    apiVersion: cut(version),
    ...bounded,
  }
}

/** Annotations of kube-apiserver where it has one, ours otherwise. */
const DECISION = 'authorization.k8s.io/decision'
const REASON = 'authorization.k8s.io/reason'
const DRY_RUN = 'audit.sprites.highera.com/dry-run'
const FORGED = 'audit.sprites.highera.com/ignored-identity'

function annotationsOf(request: AuditedRequest): Pick<AuditEvent, 'annotations'> {
  const { verb, code, message = '', allowedBecause, about, url } = request
  const isForbidden = allowedBecause === undefined && (code === 403 || isHidden(request))
  const annotations = {
    ...(verb !== undefined && allowedBecause !== undefined
      ? { [DECISION]: 'allow', [REASON]: cut(allowedBecause) }
      : {}),
    ...(isForbidden ? { [DECISION]: 'forbid', [REASON]: cut(message) } : {}),
    ...(about?.isDryRun === true || url.searchParams.getAll('dryRun').includes('All') ? { [DRY_RUN]: 'true' } : {}),
    ...(request.isForged === true ? { [FORGED]: 'X-Remote-* headers without a front proxy’s certificate' } : {}),
  }
  return Object.keys(annotations).length === 0 ? {} : { annotations }
}
