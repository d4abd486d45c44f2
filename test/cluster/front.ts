/** One address for a cluster in two parts: custom resources of the oracle, built-in kinds (which it has not) of our own server. */
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGarbageCollector } from '../../controller/registry/collector.ts'
import { CORE_RESOURCES } from '../../controller/registry/core.ts'
import { createRegistry } from '../../controller/registry/create-registry.ts'
import type { Registry } from '../../controller/registry/registry.ts'
import { createApiServer } from '../../controller/server/server.ts'
import { createTokenSet, mintToken } from '../../controller/server/tokens.ts'
import { createMemoryStore } from '../../controller/store/memory.ts'
import { realClock } from '../../system/clock.ts'
import { realEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { passOn } from './pass-on.ts'

/** The front of a cluster. */
export type ClusterFront = {
  readonly url: string
  /** A kubeconfig of it, as text. */
  readonly kubeconfig: string
  /** The built-in kinds. */
  readonly core: Registry
  /** What was asked for, as `METHOD path`, newest last. */
  readonly asked: readonly string[]
  readonly stop: () => Promise<void>
}

const ASKED_MAX = 100_000

/** Serves `oracleUrl` and the built-in kinds on one port. */
export async function openClusterFront(oracleUrl: string): Promise<ClusterFront> {
  const [clock, entropy, log] = [realClock, realEntropy, silentLog]
  const store = createMemoryStore()
  const builtinAgentTypes = new Set<string>()
  const core = createRegistry({ store, resources: CORE_RESOURCES, clock, entropy, builtinAgentTypes })
  const collector = createGarbageCollector({ registry: core, store, clock, log })
  await collector.start()
  const { token, record } = mintToken({ name: 'controllers', groups: ['system:masters'] }, entropy)
  const { authenticate } = createTokenSet([record])
  const server = createApiServer({ registry: core, authenticate, log, metrics: createMetrics(), clock, entropy })
  const asked: string[] = []
  const front = createServer((request, response) => {
    if (asked.length < ASKED_MAX) asked.push(`${request.method} ${request.url}`)
    const { method, headers, url: path = '/' } = request
    if (!isBuiltIn(path))
      return passOn(request, response, (onAnswer) =>
        httpRequest(new URL(path, oracleUrl), { method, headers }, onAnswer),
      )
    request.headers.authorization = `Bearer ${token}`
    server.handler(request, response)
  })
  await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
  // A TCP listener's address is always of this form.
  const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}`
  return {
    url,
    kubeconfig: plainKubeconfig(url),
    core,
    asked,
    stop: async () => {
      front.closeAllConnections()
      await new Promise<void>((resolve) => front.close(() => resolve()))
      await server.close({ graceMs: 0 })
      await collector.stop()
      await store.close()
    },
  }
}

const isBuiltIn = (path: string): boolean => path.startsWith('/api/') || path.startsWith('/apis/coordination.k8s.io/')

/** A kubeconfig of a server that asks for no credentials, over plain http. JSON is YAML too. */
const plainKubeconfig = (server: string): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'c', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'c' } }],
  })
