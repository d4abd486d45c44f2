/** What of Users and AccessTokens counts for rights, and who of several holds. Pure. */
import { isDeleting } from '../api/object.ts'
import type { AccessToken } from '../kinds/accesstoken/schema.ts'
import { SYSTEM_NAMESPACE } from '../api/namespaces.ts'
import { PLATFORM_ADMIN_ROLE } from '../kinds/accesstoken/schema.ts'
import type { User } from '../kinds/user/schema.ts'
import { parseTimestamp } from '../../system/timestamp.ts'
import type { TenantRole } from './roles.ts'

/** What every fact begins with. */
type Fact = {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** Sorts by age; of two that were made in the same second the names decide. */
  readonly age: string
  readonly isDeleting: boolean
}

/** What counts of a User. */
export type UserFact = Fact & { readonly email: string; readonly role: TenantRole }

/** What counts of an AccessToken. */
export type TokenFact = Fact & {
  readonly keyId: string
  readonly sha256: string
  readonly role?: TenantRole | typeof PLATFORM_ADMIN_ROLE
  readonly user?: string
  /** ms since 1970; Infinity for never. */
  readonly expiresAtMs: number
}

const factOf = (object: User | AccessToken): Fact => {
  const { namespace = '', name, uid, creationTimestamp } = object.metadata
  return { namespace, name, uid, age: `${creationTimestamp} ${namespace}/${name}`, isDeleting: isDeleting(object) }
}

/** The fact of a User. */
export const userFactOf = (user: User): UserFact => ({
  ...factOf(user),
  email: user.spec.email,
  role: user.spec.role,
})

/** The fact of an AccessToken; one whose end cannot be read has ended. */
export function tokenFactOf(token: AccessToken): TokenFact {
  const { keyId, sha256, role, user, expireTime } = token.spec
  return {
    ...factOf(token),
    keyId,
    sha256,
    ...(role === undefined ? {} : { role }),
    ...(user === undefined ? {} : { user }),
    expiresAtMs: expireTime === undefined ? Infinity : (parseTimestamp(expireTime) ?? 0),
  }
}

/** E-mail addresses are compared without regard to case. */
export const emailKey = (email: string): string => email.toLowerCase()

/** The oldest, which is the one that holds. */
export const eldest = <F extends Fact>(facts: Iterable<F>): F | undefined => {
  let found: F | undefined
  for (const fact of facts) if (found === undefined || fact.age < found.age) found = fact
  return found
}

/** The roles that Users with one e-mail address give, by tenant: the oldest of a tenant holds, or nobody while it goes. */
export function rolesOfUsers(users: Iterable<UserFact>): ReadonlyMap<string, TenantRole> {
  const byTenant = Map.groupBy(users, (user) => user.namespace)
  const roles = new Map<string, TenantRole>()
  for (const [tenant, namesakes] of byTenant) {
    const holder = eldest(namesakes)
    if (holder !== undefined && !holder.isDeleting) roles.set(tenant, holder.role)
  }
  return roles
}

/** Whether a token is as it may lie there: admission holds to it, and nothing else is believed. */
export const isInPlace = ({ namespace, role, user }: TokenFact): boolean =>
  (role === undefined) !== (user === undefined) && (namespace === SYSTEM_NAMESPACE) === (role === PLATFORM_ADMIN_ROLE)

/** Whether a token is accepted at an instant, for all that it says itself. */
export const isAccepted = (token: TokenFact, nowMs: number): boolean =>
  !token.isDeleting && isInPlace(token) && nowMs < token.expiresAtMs
