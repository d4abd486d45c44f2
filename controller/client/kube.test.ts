/** The kube client keeps the Client contract over our own API server, on https and through a network that fails. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { realClock } from '../../system/clock.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { hasReason } from '../api/errors.ts'
import { userKind } from '../kinds/user/schema.ts'
import type { ServerCertificates } from '../server/certificates.ts'
import { clientContract } from './contract.ts'
import { createKubeClient, kubeClientOver, type KubeClient } from './kube.ts'
import { createKubeWire, type KubeWire } from './kube-wire.ts'
import { startNetworkServer, testCertificates, type NetworkServer } from './test-api-server.ts'

let certificates: ServerCertificates
beforeAll(async () => {
  certificates = await testCertificates()
  // client-node takes a second to load, and more where others work.
  await import('@kubernetes/client-node')
})

const clientTo = (server: NetworkServer): KubeClient =>
  createKubeClient({
    config: { from: 'Text', text: server.kubeconfig },
    fieldManager: 'test',
    clock: realClock,
    entropy: seededEntropy(7),
  })

clientContract('kube over our own server', async () => {
  const server = await startNetworkServer(certificates)
  const client = clientTo(server)
  return {
    client,
    namespace: 'acme',
    interrupt: server.wire.cut,
    forget: server.forget,
    dispose: async () => {
      await client.close()
      await server.stop()
    },
  }
})

const open: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of open) await close()
})

async function setUp(): Promise<{ server: NetworkServer; client: KubeClient }> {
  const server = await startNetworkServer(certificates)
  const client = clientTo(server)
  open.push(async () => {
    await client.close()
    await server.stop()
  })
  return { server, client }
}

const user = (name: string) => ({
  metadata: { name, namespace: 'acme' },
  spec: { email: 'a@b.c', role: 'admin' as const },
})

/** A client whose pages hold seven objects; `between` runs before each page but the first. */
function inSmallPages(server: NetworkServer, between: () => Promise<void>): { client: KubeClient; pages: number[] } {
  const wire = createKubeWire({ from: 'Text', text: server.kubeconfig }, realClock)
  const pages: number[] = []
  const send: KubeWire['send'] = async (request, signal) => {
    const { limit, ...query } = request.query ?? {}
    if (query['continue'] !== undefined) await between()
    if (request.method === 'GET') pages.push(limit === undefined ? 0 : 7)
    return wire.send({ ...request, query: limit === undefined ? query : { ...query, limit: '7' } }, signal)
  }
  const client = kubeClientOver(
    { ...wire, send },
    { fieldManager: 'test', clock: realClock, entropy: seededEntropy(8) },
  )
  open.push(() => client.close())
  return { client, pages }
}

test('CL8 a list of several pages is one snapshot while others write', async () => {
  const { server, client } = await setUp()
  await Promise.all(Array.from({ length: 30 }, (_, n) => client.create(userKind, user(`u${100 + n}`))))
  const before = await client.list(userKind)
  let round = 0
  const small = inSmallPages(server, async () => {
    round += 1
    await client.delete(userKind, { namespace: 'acme', name: `u${130 - round}` })
    await client.create(userKind, user(`u2${round}`))
  })
  expect(await small.client.list(userKind)).toEqual(before)
  expect(small.pages).toEqual([7, 7, 7, 7, 7])
})

test('CL8 where the snapshot expires between pages, everything is listed at once', async () => {
  const { server, client } = await setUp()
  for (let n = 0; n < 10; n += 1) await client.create(userKind, user(`u${n}`))
  const small = inSmallPages(server, server.forget)
  expect((await small.client.list(userKind)).items).toHaveLength(10)
  expect(small.pages).toEqual([7, 7, 0])
})

test('CL16 requests share connections', async () => {
  const { server, client } = await setUp()
  for (let count = 0; count < 20; count += 1) await client.create(userKind, user(`u${count}`))
  await client.list(userKind)
  expect(server.wire.opened).toBeLessThanOrEqual(2)
})

test('CL16 a read outlives a restart of the server', async () => {
  const { server, client } = await setUp()
  await client.create(userKind, user('ada'))
  await server.restart()
  expect((await client.get(userKind, { namespace: 'acme', name: 'ada' })).spec.role).toBe('admin')
})

test('CL16 a server that is not there is ServiceUnavailable, a wrong token Unauthorized, a kubeconfig of nothing BadRequest', async () => {
  const { server, client } = await setUp()
  const key = { namespace: 'acme', name: 'ada' }
  const failing = async (config: string, reason: 'Unauthorized' | 'BadRequest'): Promise<void> => {
    const other = clientTo({ ...server, kubeconfig: config })
    await expect(other.get(userKind, key)).rejects.toSatisfy((error: unknown) => hasReason(error, reason))
    await other.close()
  }
  await failing(server.kubeconfig.replace(server.token, 'sprt_wrong'), 'Unauthorized')
  await failing('{}', 'BadRequest')
  await server.stop()
  await expect(client.get(userKind, key)).rejects.toSatisfy((error: unknown) => hasReason(error, 'ServiceUnavailable'))
})

test('CL16 a closed client ends its watches and refuses calls', async () => {
  const { client } = await setUp()
  const { resourceVersion } = await client.list(userKind)
  const watching = client.watch(userKind, { resourceVersion }, new AbortController().signal)[Symbol.asyncIterator]()
  const next = expect(watching.next()).rejects.toSatisfy((error: unknown) => hasReason(error, 'ServiceUnavailable'))
  await client.close()
  await next
  await expect(client.list(userKind)).rejects.toSatisfy((error: unknown) => hasReason(error, 'ServiceUnavailable'))
})
