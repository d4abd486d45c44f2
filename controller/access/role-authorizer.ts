/** Decides who may do what by the roles of an index; its rules are those of the port (AZ). */
import type { Actor } from '../api/admission.ts'
import type { AccessIndex, Standing } from './access-index.ts'
import type { AccessDecision, AccessRequest, Authorizer } from './authorizer.ts'
import {
  allows,
  EVERYBODY,
  isPublicPath,
  OWN,
  PLATFORM_ADMIN,
  READ_VERBS,
  RULES_OF_ROLE,
  standsForTenant,
  type TenantRole,
} from './roles.ts'

/** The authorizer over an index; it holds nothing of its own. */
export function roleAuthorizer(index: Pick<AccessIndex, 'standingOf' | 'onChange'>): Authorizer {
  return {
    decide: (request) => {
      const standing = index.standingOf(request.actor)
      if (standing.isPlatformAdmin) return allowed('platform admin')
      if (allows(EVERYBODY, request)) return allowed('everybody may')
      if (request.scope === 'Cluster') return decideCluster(standing, request)
      return request.namespace === undefined
        ? decideAcross(standing, request)
        : decideIn(standing, request, request.namespace)
    },
    decidePath: (actor, verb, path) => {
      if (index.standingOf(actor).isPlatformAdmin) return allowed('platform admin')
      return verb === 'get' && isPublicPath(path) ? allowed('everybody may') : refused('only platform admins may')
    },
    rulesFor: (actor, namespace) => rulesFor(index.standingOf(actor), namespace),
    onChange: (listener) => index.onChange(listener),
  }
}

function decideIn({ roles }: Standing, request: AccessRequest, namespace: string): AccessDecision {
  const role = roles.get(namespace)
  if (role === undefined) return hidden(`no role in tenant ${namespace}`)
  const reason = `role ${role} in tenant ${namespace}`
  return allows(RULES_OF_ROLE[role], request) ? allowed(reason) : refused(reason)
}

/** Across namespaces one can only look, and only into those where one may. */
function decideAcross({ roles }: Standing, request: AccessRequest): AccessDecision {
  if (!READ_VERBS.has(request.verb)) return refused('only platform admins may across namespaces')
  const within = new Set([...roles].flatMap(([tenant, role]) => (mayIn(role, request) ? [tenant] : [])))
  return within.size === 0 ? refused(reasonOf(roles)) : allowed(reasonOf(roles), within)
}

const mayIn = (role: TenantRole, request: AccessRequest): boolean => allows(RULES_OF_ROLE[role], request)

function decideCluster({ roles }: Standing, request: AccessRequest): AccessDecision {
  if (!standsForTenant(request)) return refused('only platform admins may')
  const { name } = request
  if (name !== undefined && !roles.has(name)) return hidden(`no role in tenant ${name}`)
  if (roles.size === 0 || !allows(OWN, request)) return refused(reasonOf(roles))
  return name === undefined ? allowed(reasonOf(roles), new Set(roles.keys())) : allowed(reasonOf(roles))
}

/** How many roles a reason names at most. */
const ROLES_NAMED_MAX = 5

function reasonOf(roles: Standing['roles']): string {
  if (roles.size === 0) return 'no User and no AccessToken gives a role'
  const named = [...roles].slice(0, ROLES_NAMED_MAX).map(([tenant, role]) => `role ${role} in tenant ${tenant}`)
  return roles.size > ROLES_NAMED_MAX
    ? `${named.join(', ')} and ${roles.size - ROLES_NAMED_MAX} more`
    : named.join(', ')
}

function rulesFor(standing: Standing, namespace: string): ReturnType<Authorizer['rulesFor']> {
  if (standing.isPlatformAdmin) return PLATFORM_ADMIN
  const { roles } = standing
  const role = roles.get(namespace)
  const own = OWN.map((rule) => ({ ...rule, resourceNames: [...roles.keys()] }))
  return [...EVERYBODY, ...(roles.size === 0 ? [] : own), ...(role === undefined ? [] : RULES_OF_ROLE[role])]
}

const allowed = (reason: string, within?: ReadonlySet<string>): AccessDecision => ({
  isAllowed: true,
  reason,
  ...(within === undefined ? {} : { within }),
})
const refused = (reason: string): AccessDecision => ({ isAllowed: false, reason, isHidden: false })
const hidden = (reason: string): AccessDecision => ({ isAllowed: false, reason, isHidden: true })

/** The role of an actor in a tenant, for APIs that know no verbs; undefined where the tenant does not exist for it. */
export function roleIn(index: Pick<AccessIndex, 'standingOf'>, actor: Actor, tenant: string): TenantRole | undefined {
  const { isPlatformAdmin, roles } = index.standingOf(actor)
  return isPlatformAdmin ? 'admin' : roles.get(tenant)
}
