/** The black-box run of real kubectl, oldest and newest, against the API without controllers: every check passes. */
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONTROLLER_ACTOR } from '../controller/api/admission.ts'
import { createLocalClient } from '../controller/client/local.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { ensureBuiltinPlans } from '../controller/kinds/plan/builtin.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { createGarbageCollector } from '../controller/registry/collector.ts'
import { CORE_RESOURCES, namespaceResource } from '../controller/registry/core.ts'
import { createRegistry } from '../controller/registry/create-registry.ts'
import { withViews } from '../controller/registry/views.ts'
import { ensureCertificates } from '../controller/server/certificates.ts'
import { writeKubeconfig } from '../controller/server/kubeconfig.ts'
import { createApiServer } from '../controller/server/server.ts'
import { createTokenSet, mintToken } from '../controller/server/tokens.ts'
import { createMemoryStore } from '../controller/store/memory.ts'
import { crdView } from '../controller/views/crds.ts'
import { eventView } from '../controller/views/events.ts'
import { serviceView } from '../controller/views/no-services.ts'
import { podView } from '../controller/views/pods.ts'
import { realClock as clock } from '../system/clock.ts'
import { realEntropy as entropy } from '../system/entropy.ts'
import { silentLog as log } from '../system/log.ts'
import { createMetrics } from '../system/metrics.ts'
import { nameOf, oldestAndNewest, runWith, type Run } from './e2e/kubectl.ts'

const SCRIPT = path.resolve(
  process.env['ACCEPTANCE_DIR'] ?? path.join(import.meta.dirname, '../../shared/acceptance'),
  'kubectl.sh',
)
const TENANT = 'conformance'
const RUN_MS_MAX = 280_000

type World = {
  readonly server: string
  readonly token: string
  readonly folder: string
  readonly close: () => Promise<void>
}

async function start(): Promise<World> {
  const folder = await mkdtemp(path.join(tmpdir(), 'acceptance-'))
  const store = createMemoryStore()
  const builtinAgentTypes = new Set(['copywriter', 'editor'])
  const resources = [...CORE_RESOURCES, ...RESOURCES]
  const registry = createRegistry({ store, resources, clock, entropy, builtinAgentTypes })
  const client = createLocalClient(registry, { actor: CONTROLLER_ACTOR, fieldManager: 'acceptance' })
  await ensureBuiltinPlans(client)
  const collector = createGarbageCollector({ registry, store, clock, log })
  await collector.start()
  for (const name of ['default', 'kube-system']) await makeNamespace(registry, name)
  await makeNamespace(registry, TENANT)
  await client.create(tenantKind, {
    metadata: { name: TENANT },
    spec: { displayName: 'C', plan: 'enterprise', config: {}, brand: {}, suspend: false },
  })
  const { token, record } = mintToken({ name: 'admin', groups: ['system:masters'] }, entropy)
  const views = [podView(registry), eventView(registry), serviceView(clock), crdView(KINDS, clock)]
  const authenticate = createTokenSet([record]).authenticate
  const api = createApiServer({
    registry: withViews(registry, views),
    authenticate,
    log,
    metrics: createMetrics(),
    clock,
    entropy,
  })
  const { caCert, cert, key } = await ensureCertificates({ folder, clock, entropy })
  const { httpsPort } = await api.listen({ https: { host: '127.0.0.1', port: 0, cert, key } })
  const server = `https://127.0.0.1:${httpsPort}`
  await writeKubeconfig(path.join(folder, 'kubeconfig'), { server, caCert, token })
  const close = async (): Promise<void> => {
    await api.close({ graceMs: 100 })
    await collector.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return { server, token, folder, close }
}

const makeNamespace = (registry: ReturnType<typeof createRegistry>, name: string) =>
  registry.create(namespaceResource, '', { metadata: { name } }, { actor: CONTROLLER_ACTOR })

async function accept(kubectl: string): Promise<Run> {
  const world = await start()
  try {
    return await runWith('bash', [SCRIPT], {
      kubeconfig: path.join(world.folder, 'kubeconfig'),
      home: world.folder,
      timeoutMs: RUN_MS_MAX,
      env: {
        SERVER: world.server,
        KUBECTL: kubectl,
        KUBECTL_ARGS: `--insecure-skip-tls-verify=true --token=${world.token}`,
      },
    })
  } finally {
    await world.close()
  }
}

const found = existsSync(SCRIPT) ? oldestAndNewest() : []
if (found.length === 0) test.skip('the acceptance run or kubectl is not there: nothing to run')

describe.runIf(found.length > 0)('acceptance', () => {
  const runs = new Map<string, Run>()
  // Both at once, each on a server of its own: most of the time they wait.
  beforeAll(async () => {
    await Promise.all(found.map(async (kubectl) => void runs.set(kubectl, await accept(kubectl))))
  }, RUN_MS_MAX + 20_000)
  afterAll(() => runs.clear())

  test.each(found.map((kubectl) => [nameOf(kubectl), kubectl] as const))('SV50 %s passes every check', (_, kubectl) => {
    const { out = '', err = '' } = runs.get(kubectl) ?? {}
    expect(out.split('\n').filter((line) => line.startsWith('not ok'))).toEqual([])
    const [, passed = '0'] = /^(\d+) passed, 0 failed$/m.exec(out) ?? []
    expect(Number(passed), err).toBeGreaterThan(120)
  })
})
