/** Our own API server on https with the local CA, behind a wire, for tests of clients that come over the network. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { realClock } from '../../system/clock.ts'
import { realEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { ensureCertificates, type ServerCertificates } from '../server/certificates.ts'
import { makeNamespace, memoryRegistry, testServer, type TestServer } from '../server/testing.ts'
import { createMemoryStore } from '../store/memory.ts'
import { layWire, type Wire } from '../../test/e2e/wire.ts'

/** Certificates are dear to make: one set a file of tests. */
export async function testCertificates(): Promise<ServerCertificates> {
  const folder = await mkdtemp(join(tmpdir(), 'client-ca-'))
  try {
    return await ensureCertificates({ folder, clock: realClock, entropy: realEntropy })
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A running server. */
export type NetworkServer = TestServer & {
  readonly wire: Wire
  /** A kubeconfig of the wire's address, as text. */
  readonly kubeconfig: string
  /** Stops the server and starts another over the same objects, at the same address. */
  readonly restart: () => Promise<void>
  /** Makes every change up to now too old to watch from. */
  readonly forget: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Changes that the store remembers. */
const WINDOW_CHANGES = 150

/** Starts a server with the namespace acme. */
export async function startNetworkServer({ cert, key, caCert }: ServerCertificates): Promise<NetworkServer> {
  const clock = new TestClock()
  const store = createMemoryStore({ window: { changesMax: WINDOW_CHANGES, sizeBytesMax: 64 * 1024 * 1024 } })
  const registry = memoryRegistry(clock, store)
  let current = testServer({ registry, clock })
  await makeNamespace(current)
  const listen = async (): Promise<number> => {
    const { httpsPort } = await current.server.listen({ https: { host: '127.0.0.1', port: 0, cert, key } })
    return httpsPort ?? 0
  }
  const wire = await layWire(await listen())
  return {
    ...current,
    wire,
    kubeconfig: kubeconfigOf({ port: wire.port, caCert, token: current.token }),
    restart: async () => {
      await current.server.close({ graceMs: 0 })
      await wire.cut()
      current = testServer({ registry, clock })
      wire.aim(await listen())
    },
    forget: async () => {
      for (let count = 0; count <= WINDOW_CHANGES; count += 1)
        await current.send('PATCH', '/api/v1/namespaces/acme', {
          headers: { 'content-type': 'application/merge-patch+json' },
          body: { metadata: { annotations: { count: String(count) } } },
        })
    },
    stop: async () => {
      await wire.close()
      await current.server.close({ graceMs: 0 })
      await store.close()
    },
  }
}

function kubeconfigOf(of: { readonly port: number; readonly caCert: string; readonly token: string }): string {
  const cluster = {
    server: `https://127.0.0.1:${of.port}`,
    'certificate-authority-data': Buffer.from(of.caCert).toString('base64'),
  }
  // JSON is YAML too.
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: { token: of.token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test', namespace: 'acme' } }],
  })
}
