/** What each role may do, as data: verbs by resource. Pure. */
import { GROUP } from '../api/define-kind.ts'
import { KINDS } from '../kinds/kinds.ts'
import type { AccessRequest, AccessRule } from './authorizer.ts'

/** A role within a tenant. */
export type TenantRole = 'admin' | 'member' | 'viewer'

const READ = ['get', 'list', 'watch'] as const
const WRITE = ['create', 'update', 'patch', 'delete', 'deletecollection'] as const

/** Verbs that look and change nothing. */
export const READ_VERBS: ReadonlySet<string> = new Set(READ)

/** What opens doors: only admins of a tenant see it. */
const GUARDED: ReadonlySet<string> = new Set(['accesstokens'])

const READABLE = KINDS.filter((kind) => kind.scope === 'Namespaced' && !GUARDED.has(kind.plural)).map(
  (kind) => kind.plural,
)
const WRITABLE = ['personas', 'projects', 'reviews', 'sprites', 'work']

/** Actions by resource: a `create` on the subresource, and a verb of its own when somebody asks whether they may. */
const ACTIONS: readonly (readonly [resource: string, actions: readonly string[]])[] = [
  ['sprites', ['wake', 'drain']],
  ['work', ['cancel', 'retry']],
  ['reviews', ['answer']],
]

const rule = (apiGroup: string, resources: readonly string[], verbs: readonly string[]): AccessRule => ({
  verbs,
  apiGroups: [apiGroup],
  resources,
})

const VIEWER: readonly AccessRule[] = [
  rule(GROUP, READABLE, READ),
  rule(GROUP, ['*/status'], ['get']),
  rule('', ['configmaps', 'events', 'pods', 'services'], READ),
  rule('', ['pods/log', 'pods/status'], ['get']),
  rule('events.k8s.io', ['events'], READ),
  rule('coordination.k8s.io', ['leases'], READ),
]

const MEMBER: readonly AccessRule[] = [
  ...VIEWER,
  rule(GROUP, WRITABLE, WRITE),
  rule('', ['configmaps'], WRITE),
  ...ACTIONS.flatMap(([resource, actions]) => [
    rule(GROUP, [resource], actions),
    rule(
      GROUP,
      actions.map((action) => `${resource}/${action}`),
      ['create'],
    ),
  ]),
]

const ADMIN: readonly AccessRule[] = [
  ...MEMBER,
  rule(GROUP, ['users'], WRITE),
  rule(GROUP, ['accesstokens'], [...READ, ...WRITE]),
  rule('', ['secrets'], [...READ, ...WRITE]),
]

/** What a role may do in the namespace of its tenant. */
export const RULES_OF_ROLE: Readonly<Record<TenantRole, readonly AccessRule[]>> = {
  viewer: VIEWER,
  member: MEMBER,
  admin: ADMIN,
}

/** What everybody may do who has proved who they are. */
export const EVERYBODY: readonly AccessRule[] = [
  rule(GROUP, ['plans'], READ),
  rule(GROUP, ['plans/status'], ['get']),
  rule('apiextensions.k8s.io', ['customresourcedefinitions'], READ),
  rule('apiextensions.k8s.io', ['customresourcedefinitions/status'], ['get']),
  // There never is one; kubectl cluster-info looks for some in kube-system.
  rule('', ['services'], READ),
  rule('authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
  rule('authentication.k8s.io', ['selfsubjectreviews'], ['create']),
]

/** What whoever has a role in a tenant may do with the cluster-scoped objects that stand for it. */
export const OWN: readonly AccessRule[] = [
  rule('', ['namespaces'], READ),
  rule('', ['namespaces/status'], ['get']),
  rule(GROUP, ['tenants'], READ),
  rule(GROUP, ['tenants/scale', 'tenants/status'], ['get']),
  // Helm and GitOps tools create the namespace first, and take AlreadyExists for an answer.
  rule('', ['namespaces'], ['create']),
]

/** Everything. */
export const PLATFORM_ADMIN: readonly AccessRule[] = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }]

/** Whether objects of a cluster-scoped resource stand for tenants, so that they are seen by their members alone. */
export const standsForTenant = ({ group, resource }: Pick<AccessRequest, 'group' | 'resource'>): boolean =>
  (group === '' && resource === 'namespaces') || (group === GROUP && resource === 'tenants')

/** Whether one of the rules allows the verb on the resource. */
export function allows(
  rules: readonly AccessRule[],
  request: Pick<AccessRequest, 'verb' | 'group' | 'resource' | 'subresource'>,
): boolean {
  const { verb, group, resource, subresource } = request
  const whole = subresource === undefined ? resource : `${resource}/${subresource}`
  const hasOne = (given: readonly string[], ...wanted: readonly string[]): boolean =>
    given.includes('*') || wanted.some((one) => given.includes(one))
  return rules.some(
    (one) =>
      hasOne(one.verbs, verb) &&
      hasOne(one.apiGroups, group) &&
      hasOne(one.resources, whole, ...(subresource === undefined ? [] : [`*/${subresource}`])),
  )
}

const PUBLIC_ROOTS: ReadonlySet<string | undefined> = new Set([
  '',
  'api',
  'apis',
  'healthz',
  'livez',
  'openapi',
  'readyz',
  'version',
])

/** Whether everybody who has proved who they are may read a path: discovery, OpenAPI, version and health. */
export const isPublicPath = (path: string): boolean => PUBLIC_ROOTS.has(path.split('/')[1])
