/** Keeps what rights are decided from: who has which role where, and which tokens are accepted. */
import { timingSafeEqual } from 'node:crypto'
import { PLATFORM_ADMINS, type Actor } from '../api/admission.ts'
import { PLATFORM_ADMIN_ROLE } from '../kinds/accesstoken/schema.ts'
import { TOKEN_EXTRA } from './authorizer.ts'
import { eldest, emailKey, isAccepted, rolesOfUsers, type TokenFact, type UserFact } from './facts.ts'
import { FactTable } from './fact-table.ts'
import { AUTHENTICATED } from './oidc-claims.ts'
import type { TenantRole } from './roles.ts'

/** Of an actor that came by an AccessToken: under this key of `extra` is the uid of it. */
export const TOKEN_UID_EXTRA = 'sprites.highera.com/access-token-uid'

/** What an actor is: everything to the platform, or somebody in some tenants. */
export type Standing = { readonly isPlatformAdmin: boolean; readonly roles: ReadonlyMap<string, TenantRole> }

const NOBODY: Standing = { isPlatformAdmin: false, roles: new Map() }
const PLATFORM: Standing = { isPlatformAdmin: true, roles: new Map() }

/** A token as somebody presents it: its key id, and the SHA-256 of it in lower-case hex. */
export type PresentedToken = { readonly keyId: string; readonly sha256: string }

/** The facts and what they give; `now` is ms since 1970. */
export class AccessIndex {
  readonly users: FactTable<UserFact>
  readonly tokens: FactTable<TokenFact>
  readonly #tenants = new Set<string>()
  readonly #listeners = new Set<() => void>()
  readonly #now: () => number
  /** Roles by e-mail address, as long as no fact changes. */
  readonly #roles = new Map<string, ReadonlyMap<string, TenantRole>>()

  constructor(now: () => number) {
    this.#now = now
    const onChange = (): void => this.changed()
    this.users = new FactTable({ onChange, groupOf: (user) => emailKey(user.email) })
    this.tokens = new FactTable({ onChange, groupOf: (token) => token.keyId })
  }

  /** Tenants that exist, those that are being deleted included. */
  setTenants(names: readonly string[]): void {
    const isSame = names.length === this.#tenants.size && names.every((name) => this.#tenants.has(name))
    if (isSame) return
    this.#tenants.clear()
    for (const name of names) this.#tenants.add(name)
    this.changed()
  }

  addTenant(name: string): void {
    if (this.#tenants.has(name)) return
    this.#tenants.add(name)
    this.changed()
  }

  removeTenant(name: string): void {
    if (this.#tenants.delete(name)) this.changed()
  }

  /** Calls back when anybody's rights may have changed; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Tells the listeners; also when time alone has changed something, as at the end of a token. */
  changed(): void {
    this.#roles.clear()
    for (const listener of this.#listeners) listener()
  }

  /** Who holds a token; undefined when it is unknown, has ended, is being deleted, or its User gives nothing. */
  actorOf(presented: PresentedToken): Actor | undefined {
    const alike = this.tokens.group(presented.keyId).filter((one) => isSameHash(one.sha256, presented.sha256))
    const token = eldest(alike)
    if (token === undefined || !isAccepted(token, this.#now())) return undefined
    const extra = { [TOKEN_EXTRA]: [`${token.namespace}/${token.name}`], [TOKEN_UID_EXTRA]: [token.uid] }
    if (token.role !== undefined) {
      const groups = token.role === PLATFORM_ADMIN_ROLE ? [PLATFORM_ADMINS, AUTHENTICATED] : [AUTHENTICATED]
      return { name: `system:accesstoken:${token.namespace}:${token.name}`, groups, uid: token.uid, extra }
    }
    const user = this.#userOf(token)
    return user && { name: user.email, groups: [AUTHENTICATED], uid: user.uid, extra }
  }

  /** What an actor may be taken for now. One that came by a token is held to it, and is nobody once it is gone. */
  standingOf(actor: Actor): Standing {
    const tokenUid = actor.extra?.[TOKEN_UID_EXTRA]?.[0]
    if (tokenUid !== undefined) return this.#standingOfToken(this.tokens.byUid(tokenUid))
    if (actor.groups.includes(PLATFORM_ADMINS)) return PLATFORM
    return { isPlatformAdmin: false, roles: this.#rolesOf(actor.name) }
  }

  /** The instant at which the next token ends, in ms since 1970; Infinity for never. */
  nextExpiryMs(): number {
    const nowMs = this.#now()
    let next = Infinity
    for (const { expiresAtMs } of this.tokens.all()) if (expiresAtMs > nowMs) next = Math.min(next, expiresAtMs)
    return next
  }

  #standingOfToken(token: TokenFact | undefined): Standing {
    if (token === undefined || !isAccepted(token, this.#now())) return NOBODY
    if (token.role === PLATFORM_ADMIN_ROLE) return PLATFORM
    const role = token.role ?? this.#userOf(token)?.role
    if (role === undefined || !this.#tenants.has(token.namespace)) return NOBODY
    return { isPlatformAdmin: false, roles: new Map([[token.namespace, role]]) }
  }

  /** The User of a token, when its role is in force: another with the same address may be older. */
  #userOf({ namespace, user: name }: TokenFact): UserFact | undefined {
    const user = name === undefined ? undefined : this.users.get({ namespace, name })
    if (user === undefined || user.isDeleting) return undefined
    const namesakes = this.users.group(emailKey(user.email)).filter((one) => one.namespace === namespace)
    return eldest(namesakes)?.uid === user.uid ? user : undefined
  }

  #rolesOf(name: string): ReadonlyMap<string, TenantRole> {
    const email = emailKey(name)
    const known = this.#roles.get(email)
    if (known !== undefined) return known
    const users = this.users.group(email).filter((user) => this.#tenants.has(user.namespace))
    if (users.length === 0) return NOBODY.roles
    const roles = rolesOfUsers(users)
    this.#roles.set(email, roles)
    return roles
  }
}

function isSameHash(stored: string, presented: string): boolean {
  const [a, b] = [Buffer.from(stored, 'hex'), Buffer.from(presented, 'hex')]
  // timingSafeEqual throws on unequal lengths.
  return a.length === b.length && timingSafeEqual(a, b)
}
