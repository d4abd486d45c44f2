/** Tests of the start over a cluster: what is refused at once, what stands by, and what is looked at again and again. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { realClock } from '../../system/clock.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { readEnvironment } from '../config.ts'
import { pollChanges, type Touched } from './change-source.ts'
import { startClusterControllers } from './cluster.ts'
import { clusterSource } from './cluster-source.ts'
import { whileLeading } from './standby.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** A cluster that refuses everything with this code. */
async function refusing(code: number, reason: string): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(code, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => new Promise<unknown>((resolve) => server.close(resolve)))
  // A TCP listener's address is always of this form.
  const { port } = server.address() as AddressInfo
  return `http://127.0.0.1:${port}`
}

async function starting(server: string, variables: Readonly<Record<string, string>> = {}): Promise<unknown> {
  const folder = await mkdtemp(path.join(tmpdir(), 'cluster-'))
  closing.push(() => rm(folder, { recursive: true, force: true }))
  const kubeconfig = path.join(folder, 'cluster.kubeconfig')
  const cluster = { server, 'insecure-skip-tls-verify': true }
  const config = {
    'current-context': 'c',
    clusters: [{ name: 'c', cluster }],
    users: [{ name: 'c', user: {} }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: 'c' } }],
  }
  await writeFile(kubeconfig, JSON.stringify(config))
  return await startClusterControllers({
    environment: { ...readEnvironment({}), STORE: 'cluster', KUBECONFIG: kubeconfig, ...variables },
    dataFolder: folder,
    personasFolder: path.resolve(import.meta.dirname, '../../personas'),
    host: '127.0.0.1',
    httpsPort: 0,
    httpPort: 0,
    clock: realClock,
    entropy: seededEntropy(1),
    log: silentLog,
    onLost: () => {},
  }).catch((error: unknown) => error)
}

describe('a start over a cluster', () => {
  test.each([
    [404, 'NotFound', 'Install crds/ first'],
    [403, 'Forbidden', 'Grant the rights of docs/cluster.md first'],
  ])('KC7 says what to do where our kinds are refused with %s', async (code, reason, message) => {
    expect(await starting(await refusing(code, reason))).toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining(message),
    })
  })

  test('KC5 the role api alone is refused', async () => {
    const error = await starting(await refusing(404, 'NotFound'), { ROLES: 'api' })
    expect(error).toMatchObject({ name: 'ConfigError', message: expect.stringContaining('ROLES') })
  })

  test('KC1 the cluster is that of KUBECONFIG, else that of the pod', () => {
    const of = (variables: Readonly<Record<string, string>>) => clusterSource(readEnvironment(variables), 'why')
    const path = import.meta.filename
    expect(of({ KUBECONFIG: path, KUBERNETES_SERVICE_HOST: 'b' })).toEqual({ from: 'File', path })
    expect(() => of({ KUBECONFIG: '/nope' })).toThrow('Check KUBECONFIG: cannot read "/nope" (ENOENT)')
    expect(of({ KUBERNETES_SERVICE_HOST: 'b' })).toEqual({ from: 'Cluster' })
    expect(() => of({})).toThrow('Set KUBECONFIG')
  })
})

test('KC5 what is not watched is named again and again, until it is closed', async () => {
  const clock = new TestClock()
  const one: Touched = { record: { collection: 'secrets', namespace: 'acme', name: 'key' } }
  let touched: readonly Touched[] = [one]
  const source = pollChanges({ clock, intervalMs: 1_000, touched: () => touched })
  const told: (readonly Touched[])[] = []
  const forget = source.subscribe((changes) => void told.push(changes))
  const second = async (): Promise<void> => {
    await clock.advance(1_000)
    await settle()
  }
  await second()
  await second()
  expect(told).toEqual([[one], [one]])
  touched = []
  await second()
  touched = [one]
  forget()
  await second()
  expect(told).toHaveLength(2)
  source.close()
  await settle()
  expect(clock.pendingTimers).toBe(0)
})

test('KC3 sprites are sent on while another process leads; other paths are not ours to refuse', async () => {
  const routed: string[] = []
  let isLeader = false
  const coordinator = whileLeading(
    {
      route: (_request, _response, url) => {
        routed.push(url.pathname)
        return Promise.resolve(url.pathname.startsWith('/sprite/'))
      },
      close: () => Promise.resolve(),
    },
    {
      get isLeader() {
        return isLeader
      },
    },
  )
  const ask = async (pathname: string): Promise<{ isOurs: boolean; code: number | undefined; retry: unknown }> => {
    let code: number | undefined
    const headers = new Map<string, unknown>()
    const response = {
      setHeader: (name: string, value: unknown) => headers.set(name, value),
      writeHead: (given: number) => void (code = given),
      end: () => {},
    } as unknown as ServerResponse
    const isOurs = await coordinator.route({} as IncomingMessage, response, new URL(pathname, 'http://server.invalid'))
    return { isOurs, code, retry: headers.get('retry-after') }
  }
  expect(await ask('/sprite/v1/claim')).toEqual({ isOurs: true, code: 503, retry: 5 })
  expect(await ask('/gateway/v1/messages')).toMatchObject({ isOurs: true, code: 503 })
  expect(await ask('/v1/tenants/acme/work')).toMatchObject({ isOurs: false, code: undefined })
  isLeader = true
  expect(await ask('/sprite/v1/claim')).toMatchObject({ isOurs: true, code: undefined })
  expect(routed).toEqual(['/v1/tenants/acme/work', '/sprite/v1/claim'])
})
