/** Decides as whom a request is done, by its Impersonate-* headers. Pure. */
import type { Authorizer } from '../access/authorizer.ts'
import { CONTROLLER_ACTOR, type Actor } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import type { ApiRequest } from './exchange.ts'
import { permit } from './permit.ts'

const PREFIX = 'impersonate-'
const EXTRA_PREFIX = 'impersonate-extra-'
const AUTHENTICATED = 'system:authenticated'
const ANONYMOUS = 'system:anonymous'
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/

/** Names, groups and extras that one request may name. */
const VALUES_MAX = 200

/** Whether a request asks to be done as somebody else. */
export function isImpersonation({ headers }: Pick<ApiRequest, 'headers'>): boolean {
  for (const name of headers.keys()) if (name.startsWith(PREFIX)) return true
  return false
}

/**
 * Who is to act instead of the caller; undefined when it is the caller. Throws Forbidden where the caller may not be
 * that, and BadRequest where the headers name nobody.
 */
export function impersonated(
  authorizer: Authorizer,
  caller: Actor,
  request: Pick<ApiRequest, 'headers'>,
): Actor | undefined {
  if (!isImpersonation(request)) return undefined
  const asked = readHeaders(request.headers)
  // Admission lets the control plane do what nobody else may: that is not a right of anybody.
  if (asked.user === CONTROLLER_ACTOR.name)
    throw new ApiError('Forbidden', `Cannot impersonate "${asked.user}": it is the control plane itself`)
  for (const { group, resource, name } of claimsOf(asked))
    permit(authorizer, { actor: caller, verb: 'impersonate', group, resource, scope: 'Cluster', name })
  return {
    name: asked.user,
    groups: groupsOf(asked),
    ...(asked.uid === undefined ? {} : { uid: asked.uid }),
    ...(asked.extra.size === 0 ? {} : { extra: Object.fromEntries(asked.extra) }),
  }
}

type Asked = {
  readonly user: string
  readonly groups: readonly string[]
  readonly uid: string | undefined
  readonly extra: ReadonlyMap<string, readonly string[]>
}

function readHeaders(headers: ApiRequest['headers']): Asked {
  const valuesOf = (name: string): readonly string[] =>
    (headers.get(name) ?? '').split('\n').filter((value) => value !== '')
  const [user] = valuesOf('impersonate-user')
  if (user === undefined) throw new ApiError('BadRequest', 'Name an Impersonate-User: the other headers need one')
  const extra = new Map<string, readonly string[]>()
  for (const name of headers.keys())
    if (name.startsWith(EXTRA_PREFIX)) extra.set(keyOf(name.slice(EXTRA_PREFIX.length)), valuesOf(name))
  const asked = { user, groups: valuesOf('impersonate-group'), uid: valuesOf('impersonate-uid')[0], extra }
  if (asked.groups.length + [...extra.values()].flat().length > VALUES_MAX)
    throw new ApiError('BadRequest', `Impersonate with at most ${VALUES_MAX} groups and extras`)
  return asked
}

/** Keys travel percent-encoded, since a header's name has fewer characters; what is not encoded is meant as it is. */
function keyOf(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Everything that the caller wants to be, as Kubernetes asks for it. */
function claimsOf({ user, groups, uid, extra }: Asked) {
  const api = 'authentication.k8s.io'
  return [
    { group: '', resource: 'users', name: user },
    ...groups.map((name) => ({ group: '', resource: 'groups', name })),
    ...(uid === undefined ? [] : [{ group: api, resource: 'uids', name: uid }]),
    ...[...extra].flatMap(([key, values]) =>
      values.map((name) => ({ group: api, resource: `userextras/${key}`, name })),
    ),
  ]
}

/** The groups that were named, and those that everybody of that sort is in. */
function groupsOf({ user, groups }: Asked): readonly string[] {
  if (user === ANONYMOUS) return [...new Set([...groups, 'system:unauthenticated'])]
  const [, namespace] = SERVICE_ACCOUNT.exec(user) ?? []
  const own =
    namespace === undefined || groups.length > 0
      ? []
      : ['system:serviceaccounts', `system:serviceaccounts:${namespace}`]
  return [...new Set([...groups, ...own, AUTHENTICATED])]
}
