/** Tests of the backup that a running control plane makes of itself: one instant, whole or seen to be broken, admins alone. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import * as http from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { TestClock } from '../../system/test-clock.ts'
import { allowAll } from '../access/authorizer.ts'
import type { Actor } from '../api/admission.ts'
import { readEnvironment } from '../config.ts'
import { createMemoryLedger } from '../ledger/memory.ts'
import { createMemoryStore } from '../store/memory.ts'
import type { Store, StoreKey } from '../store/store.ts'
import { BACKUP_PATH, openBackupRoute, type BackupRoute } from './backup-route.ts'
import { encryptSecrets, sealingKeysOf } from './secrets-at-rest.ts'
import { backupSource, checkWhole } from './transfer/backup-file.ts'

const clock = new TestClock()
const masterKey = new Uint8Array(32).fill(7)
const environment = readEnvironment({})
const ports = { environment, masterKey, clock, entropy: seededEntropy(1), log: silentLog }
const controlPlaneId = 'cp-0123456789ab'

let server: http.Server
let store: Store
let admins: Actor[]
let folder: string
let closing: AbortController

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'backup-route-'))
  closing = new AbortController()
  admins = []
  const storeAtRest = createMemoryStore()
  store = encryptSecrets(storeAtRest, ports)
  const route: BackupRoute = openBackupRoute({
    ...ports,
    store,
    storeAtRest,
    ledger: createMemoryLedger({ clock }),
    identity: { controlPlaneId },
    noteAdmin: (_request, actor) => void admins.push(actor),
    authenticate: (token) => (['admin', 'member'].includes(token) ? { name: token, groups: [] } : undefined),
    authorizer: {
      decidePath: (actor, verb, path) =>
        actor.name === 'admin'
          ? allowAll.decidePath(actor, verb, path)
          : { isAllowed: false, reason: 'only platform admins may', isHidden: false },
    },
  })
  server = http.createServer((request, response) => {
    const url = new URL(`http://server.invalid${request.url ?? '/'}`)
    void route(request, response, { url, closing: closing.signal }).then((isOurs) => isOurs || response.end('other'))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
})
afterEach(async () => {
  await new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })
  rmSync(folder, { recursive: true, force: true })
})

const put = async (collection: string, name: string, content: object): Promise<void> => {
  const key: StoreKey = { collection, namespace: 'acme', name }
  const value = (revision: number): string =>
    JSON.stringify({ ...content, metadata: { name, namespace: 'acme', resourceVersion: String(revision) } })
  await store.commit([{ type: 'Put', key, expectedRevision: (await store.read(key))?.revision ?? 0, value }])
}

const ask = (token?: string, method = 'GET', path = BACKUP_PATH): Promise<Response> => {
  // It listens on a port.
  const { port } = server.address() as AddressInfo
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return fetch(`http://127.0.0.1:${port}${path}`, { method, headers })
}

describe('GET /v1/backup', () => {
  it('TF10 is a backup like any other, with Secrets that only the key opens', async () => {
    await put('sprites.sprites.highera.com', 'writer', { kind: 'Sprite' })
    await put('secrets', 'key', { kind: 'Secret', data: { key: 'c2VjcmV0LXRleHQ=' } })
    const response = await ask('admin')
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'no-store'])
    const text = await response.text()
    expect(text).not.toContain('c2VjcmV0LXRleHQ=')
    const path = join(folder, 'fleet.backup')
    writeFileSync(path, text)
    expect(await checkWhole(path)).toEqual({ lines: 2 })
    const found = []
    const keys = sealingKeysOf(environment, masterKey)
    for await (const { name, object } of backupSource({ ...ports, path, keys, controlPlaneId }).objects())
      found.push([name, object['data']])
    expect(found).toEqual([
      ['writer', undefined],
      ['key', { key: 'c2VjcmV0LXRleHQ=' }],
    ])
  })

  it('TF10 is of one instant, though somebody writes meanwhile', async () => {
    await put('sprites.sprites.highera.com', 'writer', { kind: 'Sprite', status: { n: 1 } })
    await put('configmaps', 'words', { kind: 'ConfigMap', data: { n: '1' } })
    const list = store.list.bind(store)
    store.list = async (...args) => {
      const page = await list(...args)
      if (args[0] === 'sprites.sprites.highera.com')
        await put('configmaps', 'words', { kind: 'ConfigMap', data: { n: '2' } })
      return page
    }
    const text = await (await ask('admin')).text()
    expect(text).toContain('"data":{"n":"1"}')
    expect(text).not.toContain('"data":{"n":"2"}')
  })

  it.each([
    [undefined, 'GET', 401],
    ['stranger', 'GET', 401],
    ['member', 'GET', 403],
    ['admin', 'POST', 405],
  ])('TF10 with token %s, %s is answered %i', async (token, method, code) => {
    expect((await ask(token, method)).status).toBe(code)
    expect(admins).toEqual([])
  })

  it('TF10 one at a time; one that breaks off has no last line, and the next may begin', async () => {
    for (let n = 0; n < 3; n++)
      await put('configmaps', `big-${n}`, { kind: 'ConfigMap', data: { x: 'x'.repeat(80_000) } })
    let go = (): void => {}
    const list = store.list.bind(store)
    const waiting = new Promise<void>((begun) => {
      store.list = async (...args) => {
        if (args[0] === 'configmaps') {
          begun()
          await new Promise<void>((resolve) => (go = resolve))
        }
        return await list(...args)
      }
    })
    const first = ask('admin')
    await waiting
    expect((await ask('admin')).status).toBe(429)
    closing.abort()
    go()
    await expect(first.then((response) => response.text().then((text) => text.includes('"end"')))).resolves.toBe(false)
  })

  it('TF10 is noted with who asked, and leaves other paths alone', async () => {
    await (await ask('admin')).text()
    expect(admins.map(({ name }) => name)).toEqual(['admin'])
    expect(await (await ask('admin', 'GET', '/v1/other')).text()).toBe('other')
  })
})
