/** kubectl reaches our API through an aggregator, with the users and groups of its cluster and the roles of ours. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAccess, type Access } from '../controller/access/access.ts'
import type { AuditEvent } from '../controller/server/audit.ts'
import { testAuthority } from '../controller/server/test-certificates.ts'
import { makeNamespace, memoryRegistry, testServer, type TestServer } from '../controller/server/testing.ts'
import { presentedToken } from '../controller/server/tokens.ts'
import { realClock } from '../system/clock.ts'
import { silentLog } from '../system/log.ts'
import { TestClock } from '../system/test-clock.ts'
import { openAggregator, type Aggregator } from './cluster/aggregator.ts'
import { nameOf, oldestAndNewest, runWith, type Run } from './e2e/kubectl.ts'

const API = 'sprites.highera.com/v1alpha1'
const USERS = new Map([
  ['root', { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }],
  ['ada', { name: 'ada@example.com', groups: ['system:authenticated'] }],
  ['eve', { name: 'eve@example.com', groups: ['system:authenticated'] }],
])
const audited: AuditEvent[] = []
let folder: string
let api: TestServer
let access: Access
let aggregator: Aggregator

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'aggregated-'))
  const nowMs = realClock.now()
  const [proxyCa, ca] = [await testAuthority('front-proxy-ca', nowMs), await testAuthority('serving-ca', nowMs)]
  const clock = new TestClock()
  const registry = memoryRegistry(clock)
  access = createAccess({ registry, clock, log: silentLog, readToken: presentedToken })
  await access.start()
  const audit = { write: (event: AuditEvent) => void audited.push(event) }
  api = testServer({ registry, clock, audit, authorizer: access.authorizer })
  await makeNamespace(api)
  const trust = { ca: proxyCa.caCert, allowedNames: new Set(['front-proxy-client']) }
  const frontProxy = { current: () => trust, onChange: () => () => {} }
  const serving = await ca.sign('CN=api', { usage: 'server' })
  const { httpsPort = 0 } = await api.server.listen({ https: { host: '127.0.0.1', port: 0, ...serving, frontProxy } })
  const client = await proxyCa.sign('CN=front-proxy-client')
  const own = await ca.sign('CN=kube-apiserver', { usage: 'server' })
  aggregator = await openAggregator({ serving: own, client, apiPort: httpsPort, apiCa: ca.caCert, users: USERS })
  for (const token of [...USERS.keys(), 'nobody'])
    await writeFile(path.join(folder, token), kubeconfigOf(aggregator.url, ca.caCert, token))
})

afterAll(async () => {
  await aggregator?.stop()
  await api?.server.close({ graceMs: 0 })
  await access?.close()
  await rm(folder, { recursive: true, force: true })
})

function kubeconfigOf(server: string, ca: string, token: string): string {
  const cluster = { server, 'certificate-authority-data': Buffer.from(ca).toString('base64') }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'c', user: { token } }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'c', namespace: 'acme' } }],
  })
}

const kubectls = oldestAndNewest()

describe.skipIf(kubectls.length === 0)('kubectl through an aggregator (skipped where there is no kubectl)', () => {
  test.each(kubectls.map((file) => [nameOf(file), file] as const))(
    'KF5 %s',
    { timeout: 90_000 },
    async (name, file) => {
      const as = (token: string, args: readonly string[], input?: string): Promise<Run> =>
        runWith(file, args, {
          kubeconfig: path.join(folder, token),
          home: folder,
          ...(input === undefined ? {} : { input }),
        })
      const sprite = `copy-${name.replaceAll(/[^a-z0-9]/g, '')}`
      const manifests = [
        { apiVersion: API, kind: 'Tenant', metadata: { name: 'acme' }, spec: { displayName: 'Acme', plan: 'starter' } },
        {
          apiVersion: API,
          kind: 'User',
          metadata: { name: 'ada' },
          spec: { email: 'ada@example.com', role: 'member' },
        },
      ]
      const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests })
      expect(await as('root', ['apply', '--server-side', '-f', '-'], list)).toMatchObject({ code: 0 })
      const made = { apiVersion: API, kind: 'Sprite', metadata: { name: sprite }, spec: { agentType: 'copywriter' } }
      expect(await as('ada', ['apply', '-f', '-'], JSON.stringify(made))).toMatchObject({ code: 0 })
      expect((await as('ada', ['get', 'sprites'])).out).toContain(sprite)
      expect((await as('ada', ['explain', 'sprite.spec.agentType'])).out).toContain('agentType')
      expect((await as('ada', ['delete', 'tenant', 'acme'])).err).toMatch(/forbidden/i)
      expect((await as('ada', ['auth', 'can-i', 'create', 'sprites'])).out).toContain('yes')
      expect((await as('eve', ['get', 'sprites'])).err).toMatch(/not found|NotFound/)
      expect((await as('nobody', ['get', 'sprites'])).code).not.toBe(0)
      expect(await as('ada', ['delete', 'sprite', sprite])).toMatchObject({ code: 0 })
      const writes = audited.filter(({ objectRef }) => objectRef?.name === sprite)
      expect(new Set(writes.map(({ user }) => user.username))).toEqual(new Set(['ada@example.com']))
    },
  )
})
