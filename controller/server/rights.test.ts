/** What callers of one tenant see and may do through the whole API, and that nothing of another ever reaches them. */
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { settle } from '../../system/test-clock.ts'
import { createAccess, type Access } from '../access/access.ts'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import type { Actor } from '../api/admission.ts'
import { mintToken as mintSpriteToken } from '../coordinator/tokens.ts'
import { ADMIN, memoryRegistry, testServer, type Answer, type SendOptions } from './testing.ts'
import { withViews } from '../registry/views.ts'
import { eventView } from '../views/events.ts'
import { podView } from '../views/pods.ts'
import { isStream } from './exchange.ts'

const GROUP = '/apis/sprites.highera.com/v1alpha1'
const running: Access[] = []
afterEach(async () => {
  for (const access of running.splice(0)) await access.close()
})

/** A server with rights. A token is the name of who holds it; `ADMIN` holds the platform. */
async function rightsServer() {
  const clock = new TestClock()
  const stored = memoryRegistry(clock)
  const registry = withViews(stored, [podView(stored), eventView(stored)])
  const access = createAccess({
    registry,
    clock,
    log: silentLog,
    readToken: (token) => ({ keyId: hash(token).slice(0, 16), sha256: hash(token) }),
  })
  running.push(access)
  await access.start()
  const people = (token: string): Actor | undefined =>
    token === 'root' ? ADMIN : token.includes('@') ? { name: token, groups: ['system:authenticated'] } : undefined
  const authenticate = (token: string) => people(token) ?? access.authenticate(token)
  const server = testServer({ registry, authenticate, authorizer: access.authorizer })
  const as = async (token: string, method: string, path: string, options: SendOptions = {}): Promise<Answer> => {
    const headers = { ...options.headers, authorization: `Bearer ${token}` }
    const answer = await server.send(method, path, { ...options, headers })
    await settle()
    return answer
  }
  const make = async (path: string, name: string, rest: object = {}) => {
    const answer = await as('root', 'POST', path, { body: { ...typeOf(path), metadata: { name }, ...rest } })
    expect(answer.status).toBe(201)
  }
  const tenant = async (name: string) => {
    await make('/api/v1/namespaces', name)
    await make(`${GROUP}/tenants`, name, { spec: { displayName: name, plan: 'growth' } })
  }
  const user = (at: string, name: string, role: string) =>
    make(`${GROUP}/namespaces/${at}/users`, `${name.split('@')[0]}`, { spec: { email: name, role } })
  /** Gives a sprite a machine, so that it has a pod. */
  const run = async (namespace: string, name: string) => {
    const at = '2026-01-15T11:00:00Z'
    const names = { id: 'm1', name: `m-${namespace}`, specHash: 'x', region: 'fra' }
    const machine = { ...names, state: 'started', incarnation: 1, since: at, readyTime: at, intent: 'Run' }
    const { status } = await as('root', 'PATCH', `${GROUP}/namespaces/${namespace}/sprites/${name}/status`, {
      headers: { 'content-type': 'application/merge-patch+json' },
      body: { status: { incarnation: 1, lastMachineId: 'm1', machine } },
    })
    expect(status).toBe(200)
  }
  return { ...server, clock, access, as, make, tenant, user, run }
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

const KIND_OF: Readonly<Record<string, string>> = {
  tenants: 'Tenant',
  users: 'User',
  accesstokens: 'AccessToken',
  sprites: 'Sprite',
  work: 'Work',
}
const typeOf = (path: string): object => {
  const kind = KIND_OF[path.split('/').at(-1) ?? '']
  return kind === undefined ? {} : { apiVersion: 'sprites.highera.com/v1alpha1', kind }
}

const SPRITE = { spec: { agentType: 'copywriter' } }

async function twoTenants() {
  const server = await rightsServer()
  for (const name of ['acme', 'beta']) {
    await server.tenant(name)
    await server.make(`${GROUP}/namespaces/${name}/sprites`, `${name}-s`, SPRITE)
    await server.make(`/api/v1/namespaces/${name}/secrets`, `${name}-secret`)
  }
  await server.user('acme', 'admin@x.test', 'admin')
  await server.user('acme', 'member@x.test', 'member')
  await server.user('acme', 'viewer@x.test', 'viewer')
  await server.user('beta', 'stranger@x.test', 'admin')
  return server
}

const namesOf = ({ body }: Answer): string[] =>
  (body as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name)
const messageOf = ({ body }: Answer): string => (body as { message: string }).message

describe('a caller of one tenant', () => {
  it('AX30 lists across namespaces what is its own, by its role', async () => {
    const { as } = await twoTenants()
    const list = async (who: string, path: string) => {
      const answer = await as(who, 'GET', path)
      return answer.status === 200 ? namesOf(answer).join(' ') : answer.status
    }
    expect(await list('viewer@x.test', `${GROUP}/sprites`)).toBe('acme-s')
    expect(await list('stranger@x.test', `${GROUP}/sprites`)).toBe('beta-s')
    expect(await list('root', `${GROUP}/sprites`)).toBe('acme-s beta-s')
    expect(await list('viewer@x.test', '/api/v1/namespaces')).toBe('acme')
    expect(await list('viewer@x.test', `${GROUP}/tenants`)).toBe('acme')
    expect(await list('viewer@x.test', '/api/v1/secrets')).toBe(403)
    expect(await list('admin@x.test', '/api/v1/secrets')).toBe('acme-secret')
    expect(await list('nobody@x.test', '/api/v1/namespaces')).toBe(403)
  })

  const asked: readonly (readonly [string, string, string])[] = [
    ['GET', `${GROUP}/namespaces/NS/sprites`, ''],
    ['GET', `${GROUP}/namespaces/NS/sprites/beta-s`, ''],
    ['GET', `${GROUP}/namespaces/NS/sprites?watch=true`, ''],
    ['POST', `${GROUP}/namespaces/NS/sprites`, '{"metadata":{"name":"x"}}'],
    ['POST', `${GROUP}/namespaces/NS/sprites`, 'no json'],
    ['PUT', `${GROUP}/namespaces/NS/sprites/beta-s`, '{}'],
    ['PATCH', `${GROUP}/namespaces/NS/sprites/beta-s/status`, '{}'],
    ['DELETE', `${GROUP}/namespaces/NS/sprites/beta-s`, ''],
    ['DELETE', `${GROUP}/namespaces/NS/sprites`, ''],
    ['GET', '/api/v1/namespaces/NS/events', ''],
    ['GET', '/api/v1/namespaces/NS/secrets/beta-secret', ''],
    ['GET', '/api/v1/namespaces/NS', ''],
    ['DELETE', '/api/v1/namespaces/NS', ''],
    ['PATCH', `${GROUP}/tenants/NS`, '{}'],
    ['GET', `${GROUP}/tenants/NS`, ''],
    ['POST', '/apis/authorization.k8s.io/v1/namespaces/NS/localsubjectaccessreviews', '{}'],
  ]
  it.each(asked)(
    'AZ2 %s %s %s answers for a foreign tenant as for one that does not exist',
    async (method, path, body) => {
      const { as } = await twoTenants()
      const answerFor = async (namespace: string) => {
        const {
          status,
          body: answer,
          response,
        } = await as('admin@x.test', method, path.replace('NS', namespace), { body })
        const { 'Audit-Id': _id, ...headers } = response.headers
        return JSON.stringify({ status, answer, headers }).replaceAll(namespace, 'NS')
      }
      const foreign = await answerFor('beta')
      expect(foreign).toBe(await answerFor('nowhere'))
      expect(foreign).toContain('"status":404')
      for (const system of ['sprites-system', 'default', 'kube-system']) expect(await answerFor(system)).toBe(foreign)
    },
  )

  it('AX31 creates its own namespace as one that is there, and no other', async () => {
    const { as } = await twoTenants()
    const create = (name: string) => as('member@x.test', 'POST', '/api/v1/namespaces', { body: { metadata: { name } } })
    expect((await create('acme')).status).toBe(409)
    const refusals = [await create('beta'), await create('fresh')]
    expect(refusals.map(({ status }) => status)).toEqual([403, 403])
    const generated = await as('member@x.test', 'POST', '/api/v1/namespaces', {
      body: { metadata: { generateName: 'acme' } },
    })
    expect(generated.status).toBe(403)
  })

  it('AX32 has its watch ended with 410 when what it may see changes, and not before', async () => {
    const { as } = await twoTenants()
    const watch = await as('viewer@x.test', 'GET', `${GROUP}/sprites?watch=true&resourceVersion=0`)
    const lines: string[] = []
    const { body } = watch.response
    if (!isStream(body)) throw new TypeError('a watch is a stream')
    const ended = (async () => {
      for await (const line of body) lines.push(String(line))
    })()
    await settle()
    expect(lines.join('')).toContain('acme-s')
    await as('root', 'DELETE', `${GROUP}/namespaces/acme/users/member`)
    expect(lines.join('')).not.toContain('"code":410')
    await as('root', 'DELETE', `${GROUP}/namespaces/acme/users/viewer`)
    await ended
    expect(lines.join('')).toContain('"code":410')
    expect(lines.join('')).not.toContain('beta')
    expect((await as('viewer@x.test', 'GET', `${GROUP}/sprites`)).status).toBe(403)
  })

  it('AX33 reads metrics as a platform admin alone; discovery is for everybody with a name', async () => {
    const { as } = await twoTenants()
    const status = async (who: string, path: string) => (await as(who, 'GET', path)).status
    expect(await status('root', '/metrics')).toBe(200)
    expect(await status('admin@x.test', '/metrics')).toBe(403)
    expect(await status('nobody@x.test', '/apis')).toBe(200)
    expect(await status('nobody@x.test', '/openapi/v2')).toBe(200)
    expect(await status('', '/apis')).toBe(401)
  })

  it('AX34 comes in by no token of a sprite', async () => {
    const { as } = await twoTenants()
    const identity = { tenant: 'acme', sprite: 'acme-s', uid: 'u', incarnation: 1 }
    const token = mintSpriteToken(Buffer.alloc(32, 7), identity)
    expect((await as(token, 'GET', `${GROUP}/namespaces/acme/sprites`)).status).toBe(401)
  })
})

describe('impersonation', () => {
  const AS_VIEWER = { 'impersonate-user': 'viewer@x.test' }
  it('AX40 acts with the rights of another, for platform admins', async () => {
    const { as } = await twoTenants()
    expect(namesOf(await as('root', 'GET', `${GROUP}/sprites`, { headers: AS_VIEWER }))).toEqual(['acme-s'])
    expect((await as('root', 'GET', '/api/v1/secrets', { headers: AS_VIEWER })).status).toBe(403)
    const masters = { ...AS_VIEWER, 'impersonate-group': 'system:masters' }
    expect(namesOf(await as('root', 'GET', `${GROUP}/sprites`, { headers: masters }))).toHaveLength(2)
  })

  it.each([
    AS_VIEWER,
    { 'impersonate-user': 'admin@x.test' },
    { ...AS_VIEWER, 'impersonate-group': 'system:masters' },
    { ...AS_VIEWER, 'impersonate-extra-a%2fb': 'c' },
    { ...AS_VIEWER, 'impersonate-uid': '7' },
  ])('AX40 is Forbidden to everybody else: %j', async (headers) => {
    const { as } = await twoTenants()
    const answer = await as('admin@x.test', 'GET', `${GROUP}/namespaces/acme/sprites`, { headers })
    expect(answer.status).toBe(403)
    expect(messageOf(answer)).toContain('User "admin@x.test" cannot impersonate resource "users" in API group ""')
  })

  it('AX40 nobody is the control plane itself', async () => {
    const { as } = await twoTenants()
    const headers = { 'impersonate-user': 'system:controller', 'impersonate-group': 'system:masters' }
    expect((await as('root', 'GET', `${GROUP}/sprites`, { headers })).status).toBe(403)
  })

  it('AX41 takes groups that repeat, uid and extras; everybody who has a name is authenticated', async () => {
    const { as } = await twoTenants()
    const whoami = async (headers: Record<string, string>) => {
      const path = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
      const { status, body } = await as('root', 'POST', path, { headers, body: {} })
      return status === 201 ? (body as { status: { userInfo: object } }).status.userInfo : messageOf({ body } as Answer)
    }
    const headers = {
      'impersonate-user': 'eve',
      'impersonate-group': 'CN=a,OU=b\nc',
      'impersonate-uid': '7',
      'impersonate-extra-acme.com%2fscope': 'one\ntwo',
    }
    expect(await whoami(headers)).toEqual({
      username: 'eve',
      groups: ['CN=a,OU=b', 'c', 'system:authenticated'],
      uid: '7',
      extra: { 'acme.com/scope': ['one', 'two'] },
    })
    expect(await whoami({ 'impersonate-user': 'system:anonymous' })).toMatchObject({
      groups: ['system:unauthenticated'],
    })
    expect(await whoami({ 'impersonate-user': 'system:serviceaccount:acme:bot' })).toMatchObject({
      groups: ['system:serviceaccounts', 'system:serviceaccounts:acme', 'system:authenticated'],
    })
    expect(await whoami({ 'impersonate-group': 'x' })).toContain('Name an Impersonate-User')
  })
})

describe('reviews', () => {
  const AUTHZ = '/apis/authorization.k8s.io/v1'
  const may = async (server: Awaited<ReturnType<typeof twoTenants>>, who: string, attributes: object) => {
    const spec = 'path' in attributes ? { nonResourceAttributes: attributes } : { resourceAttributes: attributes }
    const { status, body } = await server.as(who, 'POST', `${AUTHZ}/selfsubjectaccessreviews`, { body: { spec } })
    return status === 201 ? (body as { status: { allowed: boolean } }).status.allowed : status
  }
  const group = 'sprites.highera.com'
  const rows: readonly (readonly [object, string])[] = [
    [{ verb: 'list', group, resource: 'sprites', namespace: 'acme' }, 'root admin member viewer'],
    [{ verb: 'list', group, resource: 'sprites' }, 'root admin member viewer'],
    [{ verb: 'create', group, resource: 'sprites', namespace: 'acme' }, 'root admin member'],
    [{ verb: 'create', group, resource: 'sprites' }, 'root'],
    [{ verb: 'wake', group, resource: 'sprites', namespace: 'acme' }, 'root admin member'],
    [{ verb: 'create', group, resource: 'work', subresource: 'cancel', namespace: 'acme' }, 'root admin member'],
    [{ verb: 'get', group: '', resource: 'secrets', namespace: 'acme' }, 'root admin'],
    [{ verb: 'get', group, resource: 'sprites', namespace: 'beta' }, 'root'],
    [{ verb: 'get', group, resource: 'tenants', namespace: 'acme' }, 'root admin member viewer'],
    [{ verb: 'get', group, resource: 'tenants', name: 'beta' }, 'root'],
    [{ verb: 'create', group: '', resource: 'namespaces' }, 'root'],
    [{ verb: 'create', group: '', resource: 'namespaces', name: 'acme' }, 'root admin member viewer'],
    [{ verb: '*', group: '*', resource: '*' }, 'root'],
    [{ verb: '*', group: '*', resource: '*', namespace: 'acme' }, 'root'],
    [{ verb: 'list', group: 'apps', resource: 'deployments', namespace: 'acme' }, 'root'],
    [{ verb: 'get', path: '/metrics' }, 'root'],
    [{ verb: 'get', path: '/version' }, 'root admin member viewer'],
    [
      { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' },
      'root admin member viewer',
    ],
    [{ verb: 'impersonate', group: '', resource: 'users', name: 'x' }, 'root'],
  ]
  it.each(rows)('AX42 %j is allowed to %s', async (attributes, expected) => {
    const server = await twoTenants()
    const allowed: string[] = []
    for (const who of ['root', 'admin', 'member', 'viewer'])
      if ((await may(server, who === 'root' ? who : `${who}@x.test`, attributes)) === true) allowed.push(who)
    expect(allowed.join(' ')).toBe(expected)
  })

  it('AX43 rules are those of the namespace that is asked for', async () => {
    const { as } = await twoTenants()
    const rules = async (who: string, namespace: string) => {
      const { body } = await as(who, 'POST', `${AUTHZ}/selfsubjectrulesreviews`, { body: { spec: { namespace } } })
      return (body as { status: { resourceRules: { resources: string[] }[]; nonResourceRules: object[] } }).status
    }
    expect(await rules('root', 'acme')).toEqual({
      resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
      incomplete: false,
    })
    const own = await rules('admin@x.test', 'acme')
    expect(own.resourceRules.flatMap(({ resources }) => resources)).toContain('secrets')
    expect(own.nonResourceRules).toEqual([
      { verbs: ['get'], nonResourceURLs: expect.not.arrayContaining(['/metrics']) as unknown },
    ])
    expect(JSON.stringify(await rules('admin@x.test', 'beta'))).toBe(
      JSON.stringify(await rules('admin@x.test', 'none')),
    )
    const missing = await as('root', 'POST', `${AUTHZ}/selfsubjectrulesreviews`, { body: {} })
    expect([missing.status, messageOf(missing)]).toEqual([400, 'no namespace on request'])
  })

  it('AX44 of others are for platform admins', async () => {
    const { as } = await twoTenants()
    const resourceAttributes = { verb: 'list', group, resource: 'sprites', namespace: 'acme' }
    const ask = async (who: string, path: string, spec: object) => {
      const { status, body } = await as(who, 'POST', path, { body: { spec } })
      return status === 201 ? (body as { status: { allowed: boolean } }).status.allowed : status
    }
    const sar = `${AUTHZ}/subjectaccessreviews`
    expect(await ask('root', sar, { user: 'viewer@x.test', resourceAttributes })).toBe(true)
    expect(await ask('root', sar, { user: 'stranger@x.test', resourceAttributes })).toBe(false)
    expect(await ask('root', sar, { groups: ['system:masters'], resourceAttributes })).toBe(true)
    expect(await ask('root', sar, { resourceAttributes })).toBe(422)
    expect(await ask('root', sar, { user: 'x' })).toBe(422)
    expect(await ask('root', sar, { user: 7, resourceAttributes })).toBe(400)
    expect(await ask('admin@x.test', sar, { user: 'x', resourceAttributes })).toBe(403)
    const local = `${AUTHZ}/namespaces/acme/localsubjectaccessreviews`
    expect(await ask('root', local, { user: 'viewer@x.test', resourceAttributes })).toBe(true)
    expect(
      await ask('root', local, { user: 'x', resourceAttributes: { ...resourceAttributes, namespace: 'beta' } }),
    ).toBe(400)
    expect(await ask('admin@x.test', local, { user: 'x', resourceAttributes })).toBe(403)
    expect(await ask('root', `${AUTHZ}/localsubjectaccessreviews`, {})).toBe(404)
  })
})

describe('whatever there is', () => {
  const TENANTS = ['t-aa', 't-bb', 't-cc'] as const
  const PEOPLE = ['p1@x.test', 'p2@x.test'] as const
  const PLURALS = ['sprites', 'work', 'users', 'accesstokens'] as const
  const ACCEPTS = [
    'application/json',
    'application/json;as=Table;v=v1;g=meta.k8s.io',
    'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  ]
  const VIEWED = ['/api/v1/pods', '/api/v1/events', '/apis/events.k8s.io/v1/events']
  /** Everything of a tenant has its mark in its bytes. */
  const markOf = (tenant: string): string => `mark-of-${tenant}`
  const specOf = (plural: string, name: string, mark: string): object => {
    if (plural === 'sprites') return { agentType: 'copywriter', region: undefined, role: mark }
    if (plural === 'work') return { type: 'write_copy', description: mark, agentType: 'copywriter' }
    if (plural === 'users') return { email: `${mark}.${name}@z.test`, role: 'admin' }
    return { keyId: hash(name + mark).slice(0, 16), sha256: hash(name + mark), role: 'viewer', description: mark }
  }

  const memberships = fc.uniqueArray(
    fc.record({
      person: fc.constantFrom(...PEOPLE),
      tenant: fc.constantFrom(...TENANTS),
      role: fc.constantFrom('admin', 'member', 'viewer'),
    }),
    { selector: ({ person, tenant }) => `${person} ${tenant}`, maxLength: 4 },
  )
  const objects = fc.array(fc.record({ tenant: fc.constantFrom(...TENANTS), plural: fc.constantFrom(...PLURALS) }), {
    minLength: 3,
    maxLength: 12,
  })

  const eventOf = (tenant: string, name: string): object => ({
    involvedObject: { kind: 'Sprite', namespace: tenant, name },
    reason: 'Told',
    message: markOf(tenant),
    type: 'Normal',
  })

  async function readAll(server: Awaited<ReturnType<typeof rightsServer>>, who: string): Promise<string> {
    const said: string[] = []
    const paths = [...PLURALS, 'tenants', 'sprites?limit=1', 'work?limit=2'].map((plural) => `${GROUP}/${plural}`)
    for (const path of [...paths, '/api/v1/namespaces', '/api/v1/secrets', ...VIEWED])
      for (const accept of ACCEPTS) {
        let token: string | undefined
        do {
          const glue = path.includes('?') ? '&' : '?'
          const at = token === undefined ? path : `${path}${glue}continue=${encodeURIComponent(token)}`
          const { body } = await server.as(who, 'GET', at, { headers: { accept } })
          said.push(JSON.stringify(body))
          token = (body as { metadata: { continue?: string } }).metadata.continue
        } while (token !== undefined)
      }
    return said.join('\n')
  }

  it('AX45 nothing of a foreign tenant is in any page, table or event that somebody gets', async () => {
    await fc.assert(
      fc.asyncProperty(memberships, objects, async (members, made) => {
        const server = await rightsServer()
        for (const tenant of TENANTS) {
          await server.make('/api/v1/namespaces', tenant, {
            metadata: { name: tenant, labels: { mark: markOf(tenant) } },
          })
          const metadata = { name: tenant, labels: { mark: markOf(tenant) } }
          await server.make(`${GROUP}/tenants`, tenant, { metadata, spec: { displayName: tenant, plan: 'growth' } })
        }
        for (const { person, tenant, role } of members) await server.user(tenant, person, role)
        const watches = await Promise.all(
          PEOPLE.flatMap((who) =>
            [...['sprites', 'work', 'tenants', 'users'].map((plural) => `${GROUP}/${plural}`), ...VIEWED].flatMap(
              (path) => ACCEPTS.map(async (accept) => ({ who, ...(await watching(server, who, { path, accept })) })),
            ),
          ),
        )
        for (const [index, { tenant, plural }] of made.entries()) {
          const metadata = { name: `o${index}`, labels: { mark: markOf(tenant) } }
          const spec = specOf(plural, `o${index}`, markOf(tenant))
          await server.make(`${GROUP}/namespaces/${tenant}/${plural}`, `o${index}`, { metadata, spec })
          if (plural === 'sprites') await server.run(tenant, `o${index}`)
          await server.make(`/api/v1/namespaces/${tenant}/events`, `e${index}`, eventOf(tenant, `o${index}`))
        }
        await server.make('/api/v1/namespaces/t-aa/secrets', 'o', {
          metadata: { name: 'o', labels: { mark: markOf('t-aa') } },
        })
        await settle()
        const own = (who: string) => members.filter(({ person }) => person === who).map(({ tenant }) => tenant)
        const all = [
          ...(await Promise.all(PEOPLE.map(async (who) => ({ who, said: await readAll(server, who) })))),
          ...watches.map(({ who, lines }) => ({ who, said: lines.join('') })),
        ]
        for (const watch of watches) await watch.stop()
        await server.access.close()
        for (const { who, said } of all)
          for (const tenant of TENANTS)
            if (!own(who).includes(tenant)) {
              expect(said).not.toContain(markOf(tenant))
              expect(said).not.toContain(tenant)
            }
        // What is one's own is there: an API that says nothing would pass.
        for (const who of PEOPLE)
          for (const tenant of own(who)) expect(all.find((one) => one.who === who)?.said).toContain(markOf(tenant))
      }),
      { numRuns: 25 },
    )
  })

  async function watching(
    server: Awaited<ReturnType<typeof rightsServer>>,
    who: string,
    { path: collection, accept }: { readonly path: string; readonly accept: string },
  ) {
    const gone = new AbortController()
    const path = `${collection}?watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`
    const { response } = await server.as(who, 'GET', path, { headers: { accept }, over: { signal: gone.signal } })
    const lines: string[] = []
    const { body } = response
    if (!isStream(body)) return { lines: [JSON.stringify(body)], stop: () => Promise.resolve() }
    const ended = (async () => {
      for await (const line of body) lines.push(String(line))
    })()
    return { lines, stop: () => (gone.abort(), ended) }
  }
})
