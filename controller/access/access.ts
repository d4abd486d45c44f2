/** Who may come in by an AccessToken, and what everybody may do: an index that follows Users, AccessTokens and Tenants. */
import type { CancelTimer, Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import type { Actor } from '../api/admission.ts'
import type { KindDefinition } from '../api/define-kind.ts'
import { keyOf } from '../api/object.ts'
import { accessTokenKind, type AccessToken } from '../kinds/accesstoken/schema.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { userKind, type User } from '../kinds/user/schema.ts'
import type { Registry } from '../registry/registry.ts'
import { AccessIndex, type PresentedToken } from './access-index.ts'
import type { Authorizer } from './authorizer.ts'
import { tokenFactOf, userFactOf } from './facts.ts'
import { follow, type Follower } from './follow.ts'
import { roleAuthorizer, roleIn } from './role-authorizer.ts'
import type { TenantRole } from './roles.ts'

/** What access needs of the process. */
export type AccessPorts = {
  readonly registry: Pick<Registry, 'resources' | 'list' | 'watch'>
  readonly clock: Clock
  readonly log: Log
  /** Reads what a token says of itself; undefined when it is not of our form. */
  readonly readToken: (token: string) => PresentedToken | undefined
}

/** Rights, kept up to date while it runs. */
export type Access = {
  readonly authorizer: Authorizer
  /** Who holds an AccessToken; undefined when it is not accepted. */
  readonly authenticate: (token: string) => Actor | undefined
  /** The role of an actor in a tenant; undefined where the tenant does not exist for it. */
  readonly roleIn: (actor: Actor, tenant: string) => TenantRole | undefined
  /** Resolves when all that counts has been read once. Before, nobody but holders of other credentials comes in. */
  readonly start: () => Promise<void>
  readonly close: () => Promise<void>
}

/** A timer cannot be set for longer; it is set again then. */
const EXPIRY_MS_MAX = 24 * 3_600_000

/** Builds it; nothing runs before `start`. */
export function createAccess(ports: AccessPorts): Access {
  const { clock } = ports
  const index = new AccessIndex(() => clock.now())
  const ending = new AbortController()
  const running: Promise<void>[] = []
  const cancelExpiry = tellOfExpiry(index, clock, ending.signal)

  const start = async (): Promise<void> => {
    const synced = followersOf(index).map(({ kind, follower }) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const resource = resourceFor(ports.registry, kind)
      running.push(follow(ports, resource, { ...follower, onSynced: resolve }, ending.signal))
      ending.signal.addEventListener('abort', () => resolve(), { once: true })
      return promise
    })
    await Promise.all(synced)
  }

  return {
    authorizer: roleAuthorizer(index),
    authenticate: (token) => {
      const presented = ports.readToken(token)
      return presented && index.actorOf(presented)
    },
    roleIn: (actor, tenant) => roleIn(index, actor, tenant),
    start,
    close: async () => {
      ending.abort(new Error('Rights are no longer followed'))
      cancelExpiry()
      await Promise.all(running)
    },
  }
}

function resourceFor({ resources }: Pick<Registry, 'resources'>, kind: KindDefinition) {
  const found = resources.find(({ group, plural }) => group === kind.group && plural === kind.plural)
  if (found === undefined) throw new RangeError(`${kind.plural} are not served`)
  return found
}

// Objects of the registry are as the schema of their kind says: hence the types below.
const followersOf = (index: AccessIndex): readonly { kind: KindDefinition; follower: Follower }[] => [
  {
    kind: tenantKind,
    follower: {
      replace: (tenants) => index.setTenants(tenants.map(({ metadata }) => metadata.name)),
      put: ({ metadata }) => index.addTenant(metadata.name),
      remove: ({ metadata }) => index.removeTenant(metadata.name),
    },
  },
  {
    kind: userKind,
    follower: {
      replace: (users) => index.users.replace(users.map((user) => userFactOf(user as User))),
      put: (user) => index.users.put(userFactOf(user as User)),
      remove: (user) => index.users.remove(keyOf(user)),
    },
  },
  {
    kind: accessTokenKind,
    follower: {
      replace: (tokens) => index.tokens.replace(tokens.map((token) => tokenFactOf(token as AccessToken))),
      put: (token) => index.tokens.put(tokenFactOf(token as AccessToken)),
      remove: (token) => index.tokens.remove(keyOf(token)),
    },
  },
]

/** Tells of the end of tokens when it comes: what was allowed until then is asked for anew. */
function tellOfExpiry(index: AccessIndex, clock: Clock, ended: AbortSignal): CancelTimer {
  let cancel: CancelTimer | undefined
  const arm = (): void => {
    cancel?.()
    cancel = undefined
    const atMs = index.nextExpiryMs()
    if (atMs === Infinity || ended.aborted) return
    cancel = clock.after(Math.min(atMs - clock.now(), EXPIRY_MS_MAX), () => index.changed(), { background: true })
  }
  const forget = index.onChange(arm)
  return () => {
    forget()
    cancel?.()
  }
}
