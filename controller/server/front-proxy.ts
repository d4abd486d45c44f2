/** Reads whom a front proxy (kube-apiserver's aggregator) says that a request comes from; rules in docs/spec/cluster.md. Pure. */
import { CONTROLLER_ACTOR, type Actor } from '../api/admission.ts'
import { GROUP } from '../api/define-kind.ts'
import { ApiError } from '../api/errors.ts'
import type { RequestHeaders } from './exchange.ts'

const USER = 'x-remote-user'
const UID = 'x-remote-uid'
const GROUPS = 'x-remote-group'
const EXTRA_PREFIX = 'x-remote-extra-'

/** Begins every header by which a front proxy names a caller; of those that come more than once none may be lost. */
export const REMOTE_PREFIX = 'x-remote-'

/** Groups and values of extras that one request may name. */
const VALUES_MAX = 500
const ANONYMOUS = 'system:anonymous'
const UNAUTHENTICATED = 'system:unauthenticated'

/** Whether a request names a caller as only a front proxy may. */
export function namesRemoteUser(headers: RequestHeaders): boolean {
  for (const name of headers.keys()) if (name.startsWith(REMOTE_PREFIX)) return true
  return false
}

/**
 * The caller whom the front proxy names; undefined when it names none. Groups are the cluster's own, so that
 * system:masters are platform admins here too. Throws Unauthorized for nobody in particular, and Forbidden for whom
 * only the control plane itself may be.
 */
export function remoteActorOf(headers: RequestHeaders): Actor | undefined {
  const [name] = valuesOf(headers, USER)
  if (name === undefined) return undefined
  const groups = valuesOf(headers, GROUPS)
  if (name === ANONYMOUS || groups.includes(UNAUTHENTICATED)) throw new ApiError('Unauthorized', 'Unauthorized')
  // Admission lets the control plane do what nobody else may: that is not a right of anybody.
  if (name === CONTROLLER_ACTOR.name)
    throw new ApiError('Forbidden', `Cannot act as "${name}": it is the control plane itself`)
  const extra = extraOf(headers)
  const [uid] = valuesOf(headers, UID)
  return {
    name,
    groups: [...new Set(groups)].slice(0, VALUES_MAX),
    ...(uid === undefined ? {} : { uid }),
    ...(extra.size === 0 ? {} : { extra: Object.fromEntries(extra) }),
  }
}

const valuesOf = (headers: RequestHeaders, name: string): readonly string[] =>
  (headers.get(name) ?? '').split('\n').filter((value) => value !== '')

function extraOf(headers: RequestHeaders): ReadonlyMap<string, readonly string[]> {
  const extra = new Map<string, readonly string[]>()
  let room = VALUES_MAX
  for (const header of headers.keys()) {
    if (!header.startsWith(EXTRA_PREFIX) || room <= 0) continue
    const key = decoded(header.slice(EXTRA_PREFIX.length))
    // What we say of our own tokens nobody else says.
    if (key.startsWith(`${GROUP}/`)) continue
    const values = valuesOf(headers, header).slice(0, room)
    room -= values.length
    extra.set(key, values)
  }
  return extra
}

/** Keys travel percent-encoded, since a header's name has fewer characters; what is not encoded is meant as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
