/** The authorizer over roles: verb by resource, and that nobody's rights reach into a foreign tenant. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PLATFORM_ADMINS, type Actor } from '../api/admission.ts'
import { GROUP } from '../api/define-kind.ts'
import { KINDS } from '../kinds/kinds.ts'
import { objectLimits } from '../kinds/object-limits.ts'
import type { AccessRequest } from './authorizer.ts'
import { roleAuthorizer } from './role-authorizer.ts'
import { RULES_OF_ROLE, type TenantRole } from './roles.ts'

const rolesOf = new Map<string, ReadonlyMap<string, TenantRole>>([
  ['admin', new Map([['acme', 'admin']])],
  ['member', new Map([['acme', 'member']])],
  ['viewer', new Map([['acme', 'viewer']])],
  [
    'both',
    new Map<string, TenantRole>([
      ['acme', 'admin'],
      ['beta', 'viewer'],
    ]),
  ],
])
const authorizer = roleAuthorizer({
  standingOf: ({ name, groups }) => ({
    isPlatformAdmin: groups.includes(PLATFORM_ADMINS),
    roles: rolesOf.get(name) ?? new Map<string, TenantRole>(),
  }),
  onChange: () => () => undefined,
})
const actorOf = (name: string): Actor => ({ name, groups: name === 'platform' ? [PLATFORM_ADMINS] : [] })
const EVERYONE = ['platform', 'admin', 'member', 'viewer', 'nobody']

type Asked = Partial<Omit<AccessRequest, 'actor'>>
const request = (name: string, asked: Asked): AccessRequest => ({
  actor: actorOf(name),
  verb: 'get',
  group: GROUP,
  resource: 'sprites',
  scope: 'Namespaced',
  namespace: 'acme',
  ...asked,
})
const mayDo = (asked: Asked): string =>
  EVERYONE.filter((name) => authorizer.decide(request(name, asked)).isAllowed).join(' ')
const cluster = (asked: Asked): string => {
  const { namespace: _none, ...rest } = request('x', asked)
  return EVERYONE.filter(
    (name) => authorizer.decide({ ...rest, scope: 'Cluster', actor: actorOf(name) }).isAllowed,
  ).join(' ')
}

const ALL = 'platform admin member viewer'
const rows: Record<string, [string, string]> = {
  'reads sprites': [mayDo({ verb: 'list' }), ALL],
  'reads a status': [mayDo({ subresource: 'status' }), ALL],
  'reads users': [mayDo({ resource: 'users' }), ALL],
  'reads the slot ledger': [mayDo({ resource: 'slotledgers', verb: 'watch' }), ALL],
  'reads config maps': [mayDo({ group: '', resource: 'configmaps' }), ALL],
  'reads logs': [mayDo({ group: '', resource: 'pods', subresource: 'log' }), ALL],
  'reads events': [mayDo({ group: 'events.k8s.io', resource: 'events', verb: 'watch' }), ALL],
  'reads leases': [mayDo({ group: 'coordination.k8s.io', resource: 'leases' }), ALL],
  'reads secrets': [mayDo({ group: '', resource: 'secrets' }), 'platform admin'],
  'reads access tokens': [mayDo({ resource: 'accesstokens', verb: 'list' }), 'platform admin'],
  'writes sprites': [mayDo({ verb: 'create' }), 'platform admin member'],
  'deletes all work': [mayDo({ resource: 'work', verb: 'deletecollection' }), 'platform admin member'],
  'scales its tenant': [
    cluster({ resource: 'tenants', name: 'acme', verb: 'patch', subresource: 'scale' }),
    'platform',
  ],
  'reads the scale of its tenant': [cluster({ resource: 'tenants', name: 'acme', subresource: 'scale' }), ALL],
  'writes config maps': [mayDo({ group: '', resource: 'configmaps', verb: 'update' }), 'platform admin member'],
  'wakes, as the server asks': [mayDo({ verb: 'create', subresource: 'wake' }), 'platform admin member'],
  'wakes, as people ask': [mayDo({ verb: 'wake' }), 'platform admin member'],
  'retries work': [mayDo({ resource: 'work', verb: 'create', subresource: 'retry' }), 'platform admin member'],
  'answers reviews': [mayDo({ resource: 'reviews', verb: 'answer' }), 'platform admin member'],
  'wakes work, which has no such action': [mayDo({ resource: 'work', verb: 'wake' }), 'platform'],
  'writes users': [mayDo({ resource: 'users', verb: 'create' }), 'platform admin'],
  'writes secrets': [mayDo({ group: '', resource: 'secrets', verb: 'delete' }), 'platform admin'],
  'writes access tokens': [mayDo({ resource: 'accesstokens', verb: 'create' }), 'platform admin'],
  'writes a status': [mayDo({ subresource: 'status', verb: 'update' }), 'platform'],
  'writes the slot ledger': [mayDo({ resource: 'slotledgers', verb: 'update' }), 'platform'],
  'writes leases': [mayDo({ group: 'coordination.k8s.io', resource: 'leases', verb: 'create' }), 'platform'],
  'writes events': [mayDo({ group: '', resource: 'events', verb: 'create' }), 'platform'],
  'writes pods': [mayDo({ group: '', resource: 'pods', verb: 'delete' }), 'platform'],
  'impersonates in its own namespace': [
    mayDo({ group: '', resource: 'serviceaccounts', verb: 'impersonate' }),
    'platform',
  ],
  'does everything': [mayDo({ group: '*', resource: '*', verb: '*' }), 'platform'],
  'reads another namespace': [mayDo({ namespace: 'beta' }), 'platform'],
  'reads the platform’s namespace': [mayDo({ namespace: 'sprites-system', resource: 'accesstokens' }), 'platform'],
  'reads default': [mayDo({ namespace: 'default', group: '', resource: 'events', verb: 'list' }), 'platform'],
  'reads plans': [cluster({ resource: 'plans', verb: 'list' }), `${ALL} nobody`],
  'reads definitions': [
    cluster({ group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions' }),
    `${ALL} nobody`,
  ],
  'writes plans': [cluster({ resource: 'plans', verb: 'create' }), 'platform'],
  'lists tenants': [cluster({ resource: 'tenants', verb: 'list' }), ALL],
  'reads its tenant': [cluster({ resource: 'tenants', name: 'acme' }), ALL],
  'reads another tenant': [cluster({ resource: 'tenants', name: 'beta' }), 'platform'],
  'writes its tenant': [cluster({ resource: 'tenants', name: 'acme', verb: 'patch' }), 'platform'],
  'makes tenants': [cluster({ resource: 'tenants', verb: 'create' }), 'platform'],
  'deletes its namespace': [cluster({ group: '', resource: 'namespaces', name: 'acme', verb: 'delete' }), 'platform'],
  'impersonates people': [cluster({ group: '', resource: 'users', name: 'admin', verb: 'impersonate' }), 'platform'],
  'impersonates groups': [
    cluster({ group: '', resource: 'groups', name: PLATFORM_ADMINS, verb: 'impersonate' }),
    'platform',
  ],
  'deletes all namespaces': [cluster({ group: '', resource: 'namespaces', verb: 'deletecollection' }), 'platform'],
}

describe('who may', () => {
  test.each(Object.entries(rows))('AZ4 who %s', (_, [may, expected]) => {
    expect(may).toBe(expected)
  })

  test('AZ2 a foreign namespace is hidden, an own one is not', () => {
    const of = (asked: Asked) => authorizer.decide(request('viewer', asked))
    expect(of({ namespace: 'beta' })).toMatchObject({ isAllowed: false, isHidden: true })
    expect(of({ namespace: 'nowhere' })).toEqual({ ...of({ namespace: 'beta' }), reason: 'no role in tenant nowhere' })
    expect(of({ group: '', resource: 'secrets' })).toMatchObject({ isAllowed: false, isHidden: false })
    const tenant = (name: string, verb = 'get') =>
      authorizer.decide({ actor: actorOf('viewer'), verb, group: GROUP, resource: 'tenants', scope: 'Cluster', name })
    expect(tenant('beta')).toMatchObject({ isAllowed: false, isHidden: true })
    expect(tenant('beta', 'delete')).toMatchObject({ isAllowed: false, isHidden: true })
    expect(tenant('acme', 'delete')).toMatchObject({ isAllowed: false, isHidden: false })
  })

  test('AZ3 a look across namespaces is narrowed to where the role allows it', () => {
    const across = (name: string, asked: Asked) => {
      const { namespace: _none, ...rest } = request(name, { verb: 'list', ...asked })
      return authorizer.decide(rest)
    }
    expect(across('both', {})).toMatchObject({ within: new Set(['acme', 'beta']) })
    expect(across('both', { group: '', resource: 'secrets' })).toMatchObject({ within: new Set(['acme']) })
    expect(across('viewer', { group: '', resource: 'secrets' })).toMatchObject({ isAllowed: false, isHidden: false })
    expect(across('both', { resource: 'tenants', scope: 'Cluster' })).toMatchObject({
      within: new Set(['acme', 'beta']),
    })
    expect(across('nobody', {})).toMatchObject({ isAllowed: false, isHidden: false })
    expect(across('platform', {})).not.toHaveProperty('within')
    expect(across('admin', { verb: 'deletecollection' })).toMatchObject({ isAllowed: false })
  })

  test('AZ2 whatever is asked, no right reaches into a namespace without a role, and nothing is allowed there unseen', () => {
    const plurals = [...KINDS.map((kind) => kind.plural), 'secrets', 'configmaps', 'pods', 'namespaces', '*', 'users']
    const asked = fc.record({
      verb: fc.constantFrom(
        'get',
        'list',
        'watch',
        'create',
        'update',
        'patch',
        'delete',
        'deletecollection',
        'wake',
        '*',
      ),
      group: fc.constantFrom(GROUP, '', '*', 'coordination.k8s.io'),
      resource: fc.constantFrom(...plurals),
      scope: fc.constantFrom('Namespaced', 'Cluster'),
      subresource: fc.constantFrom(undefined, 'status', 'wake', 'log', 'scale', '*'),
      namespace: fc.constantFrom(undefined, 'acme', 'beta', 'zeta', ''),
      name: fc.constantFrom(undefined, 'acme', 'beta', 'zeta'),
      who: fc.constantFrom('admin', 'member', 'viewer', 'nobody', 'both'),
    })
    fc.assert(
      fc.property(asked, ({ who, subresource, namespace, name, ...rest }) => {
        const roles = rolesOf.get(who) ?? new Map<string, TenantRole>()
        const decision = authorizer.decide({
          ...rest,
          actor: actorOf(who),
          ...(subresource === undefined ? {} : { subresource }),
          ...(namespace === undefined ? {} : { namespace }),
          ...(name === undefined ? {} : { name }),
        })
        if (!decision.isAllowed) return
        for (const tenant of decision.within ?? []) expect([...roles.keys()]).toContain(tenant)
        if (rest.scope === 'Namespaced' && namespace !== undefined) expect([...roles.keys()]).toContain(namespace)
        if (rest.scope === 'Namespaced' && namespace === undefined) expect(decision.within?.size).toBeGreaterThan(0)
        const isOfTenant = rest.scope === 'Cluster' && ['tenants', 'namespaces'].includes(rest.resource)
        if (isOfTenant && name !== undefined) expect([...roles.keys()]).toContain(name)
        if (isOfTenant && name === undefined) expect(decision.within).toBeDefined()
      }),
      { numRuns: 3_000 },
    )
  })
})

describe('services', () => {
  const services = (verb: string, namespace?: string): AccessRequest => ({
    actor: { name: 'nobody@x.test', groups: [] },
    verb,
    group: '',
    resource: 'services',
    scope: 'Namespaced',
    ...(namespace === undefined ? {} : { namespace }),
  })

  test('AX36 are looked for by everybody everywhere, since there are none; nothing else is done with them', () => {
    for (const namespace of [undefined, 'kube-system', 'acme', 'ghosts'])
      for (const verb of ['get', 'list', 'watch'])
        expect(authorizer.decide(services(verb, namespace))).toEqual({ isAllowed: true, reason: 'everybody may' })
    for (const verb of ['create', 'update', 'patch', 'delete', 'deletecollection'])
      expect(authorizer.decide(services(verb, 'kube-system'))).toMatchObject({ isAllowed: false, isHidden: true })
    for (const subresource of ['proxy', 'status'])
      expect(authorizer.decide({ ...services('get', 'kube-system'), subresource }).isAllowed).toBe(false)
    for (const group of ['apps', 'sprites.highera.com'])
      expect(authorizer.decide({ ...services('get', 'kube-system'), group }).isAllowed).toBe(false)
  })
})

describe('paths', () => {
  const paths = ['/', '/api', '/apis/x', '/openapi/v2', '/version', '/healthz', '/metrics', '/logs', '*', '/*', 'api']
  test('AX29 everybody reads discovery, OpenAPI, version and health; the rest is for platform admins', () => {
    const may = (name: string, verb = 'get') =>
      paths.filter((path) => authorizer.decidePath(actorOf(name), verb, path).isAllowed)
    expect(may('nobody')).toEqual(['/', '/api', '/apis/x', '/openapi/v2', '/version', '/healthz'])
    expect(may('admin')).toEqual(may('nobody'))
    expect(may('admin', 'post')).toEqual([])
    expect(may('platform', '*')).toEqual(paths)
  })
})

describe('limits', () => {
  test('QT6 whatever an admin of a tenant may create has a limit on how many', () => {
    const limits = objectLimits()
    if (!limits.ok) throw new Error(limits.error)
    const creatable = RULES_OF_ROLE.admin
      .filter(({ verbs }) => verbs.includes('create'))
      .flatMap(({ apiGroups: [group = ''], resources }) =>
        resources.filter((one) => !one.includes('/')).map((plural) => (group === '' ? plural : `${plural}.${group}`)),
      )
    expect([...limits.value.counts.keys()].toSorted()).toEqual([...new Set(creatable)].toSorted())
    for (const limit of limits.value.counts.values()) expect(limit).toBeGreaterThanOrEqual(500)
  })
})
