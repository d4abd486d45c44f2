/** Tests of moves and backups: everything arrives, twice is once, nothing is half, and what differs is named. */
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { createMemoryLedger } from '../../ledger/memory.ts'
import type { Ledger } from '../../ledger/ledger.ts'
import { createEncryptedStore } from '../../store/encrypted.ts'
import type { SealingKey } from '../../store/envelope.ts'
import { createMemoryStore } from '../../store/memory.ts'
import type { Store, StoreKey } from '../../store/store.ts'
import { backupHeader, backupSource, backupTarget, type BackupPorts } from './backup-file.ts'
import type { Target } from './carried.ts'
import { storePlace } from './store-place.ts'
import { transfer } from './transfer.ts'

const SPRITES = 'sprites.sprites.highera.com'
const TENANTS = 'tenants.sprites.highera.com'
const LEASES = 'leases.coordination.k8s.io'
const keyNamed = (id: string, byte: number): SealingKey => ({ id, bytes: new Uint8Array(32).fill(byte) })

type World = { readonly store: Store; readonly atRest: Store; readonly ledger: Ledger; readonly place: Target }

let folder: string
const clock = new TestClock()
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'transfer-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function world(name: string, key = keyNamed('derived', 1)): World {
  const atRest = createMemoryStore()
  const store = createEncryptedStore(atRest, {
    collections: new Set(['secrets']),
    keys: [key],
    entropy: seededEntropy(7),
  })
  const ledger = createMemoryLedger({ clock })
  const place = storePlace({ name, store, storeAtRest: atRest, ledger, clock, close: async () => {} })
  return { store, atRest, ledger, place }
}

async function put(store: Store, key: StoreKey, object: object): Promise<void> {
  const { name, namespace } = key
  const value = (revision: number): string =>
    JSON.stringify({ ...object, metadata: { name, namespace, uid: `u-${name}`, resourceVersion: String(revision) } })
  await store.commit([{ type: 'Put', key, expectedRevision: (await store.read(key))?.revision ?? 0, value }])
}

const at = (collection: string, name: string, namespace = 'acme'): StoreKey => ({ collection, namespace, name })

async function filled(): Promise<World> {
  const from = world('the source')
  await put(from.store, at('namespaces', 'acme', ''), { kind: 'Namespace' })
  await put(from.store, at(TENANTS, 'acme', ''), { kind: 'Tenant', spec: { plan: 'growth' } })
  for (const name of ['a', 'b', 'c']) await put(from.store, at(SPRITES, name), { kind: 'Sprite', status: { n: 1 } })
  await put(from.store, at('secrets', 'key'), { kind: 'Secret', data: { key: 'c2VjcmV0LXRleHQ=' } })
  await put(from.store, at('events', 'e'), { kind: 'Event' })
  await put(from.store, at(LEASES, 'leader', 'sprites-system'), { kind: 'Lease' })
  const period = new Date(clock.now()).toISOString().slice(0, 7)
  await from.ledger.reserve({ tenant: 'acme', period, id: '1', tokens: 500, limit: null, expiresAfterMs: 60_000 })
  await from.ledger.settle('acme', '1', 420)
  await from.ledger.reserve({ tenant: 'acme', period, id: '2', tokens: 80, limit: null, expiresAfterMs: 60_000 })
  return from
}

const run = (from: Pick<World, 'place'>, to: Pick<World, 'place'>, mayReplace = false) =>
  transfer(from.place, to.place, { mayReplace, signal: new AbortController().signal })

const written = (report: Awaited<ReturnType<typeof transfer>>): number =>
  [...report.collections.values()].reduce((sum, count) => sum + count.written, 0)

const backup = (path: string, key = keyNamed('derived', 1)): BackupPorts => ({
  path,
  keys: [key],
  controlPlaneId: 'cp-0123456789ab',
  clock,
  entropy: seededEntropy(3),
})

describe('transfer', () => {
  it('TF1 moves all kinds as they are and what was spent, but no lease', async () => {
    const [from, to] = [await filled(), world('the target', keyNamed('other', 2))]
    const report = await run(from, to)
    expect(report.findings).toEqual([])
    expect(report.compared).toBe(7)
    expect(written(report)).toBe(7)
    const a = await to.store.read(at(SPRITES, 'a'))
    expect(JSON.parse(a?.value ?? '{}')).toMatchObject({ status: { n: 1 }, metadata: { uid: 'u-a' } })
    expect(JSON.parse(a?.value ?? '{}').metadata.resourceVersion).toBe(String(a?.revision))
    expect(await to.store.read(at(LEASES, 'leader', 'sprites-system'))).toBeUndefined()
    const period = new Date(clock.now()).toISOString().slice(0, 7)
    expect(await to.ledger.read('acme', period)).toEqual({ spent: 500, reserved: 0 })
    // TF5: readable there, and under the key of that place.
    expect((await to.store.read(at('secrets', 'key')))?.value).toContain('c2VjcmV0LXRleHQ=')
    expect((await to.atRest.read(at('secrets', 'key')))?.value).toMatch(/^aes256gcm\.v1:other:/)
  })

  it('TF2 a second run writes nothing, and one that broke off goes on', async () => {
    const [from, to] = [await filled(), world('the target')]
    const stop = new AbortController()
    let seen = 0
    const broken = transfer(from.place, to.place, {
      mayReplace: false,
      signal: stop.signal,
      onProgress: () => {
        if (++seen === 3) stop.abort(new Error('killed'))
      },
    })
    await expect(broken).rejects.toThrow('killed')
    const report = await run(from, to)
    expect(report.findings).toEqual([])
    expect(written(report)).toBeLessThan(7)
    const before = await to.store.revision()
    expect(written(await run(from, to))).toBe(0)
    expect(await to.store.revision()).toBe(before)
  })

  it('TF3 another form at the target stops the move, unless it is to be replaced', async () => {
    const [from, to] = [await filled(), world('the target')]
    await put(to.store, at(SPRITES, 'b'), { kind: 'Sprite', status: { n: 2 } })
    await expect(run(from, to)).rejects.toThrow('Cannot put sprites acme/b: the target has it in another form')
    const report = await run(from, to, true)
    expect(report.findings).toEqual([])
    expect(JSON.parse((await to.store.read(at(SPRITES, 'b')))?.value ?? '{}')).toMatchObject({ status: { n: 1 } })
  })

  it('TF3 nothing is written while something is in the way, be it different or there alone; events never are', async () => {
    const [from, to] = [await filled(), world('the target')]
    await put(to.store, at('events', 'old', 'acme'), { kind: 'Event' })
    await put(to.store, at('events', 'e', 'acme'), { kind: 'Event', count: 2 })
    await put(to.store, at(SPRITES, 'zombie'), { kind: 'Sprite' })
    const before = await to.store.revision()
    await expect(run(from, to)).rejects.toThrow('Cannot begin: sprites acme/zombie is in the target alone')
    expect(await to.store.revision()).toBe(before)
    expect((await run(from, to, true)).findings).toEqual([])
    expect(await to.store.read(at(SPRITES, 'zombie'))).toBeUndefined()
    expect(await to.store.read(at('events', 'old'))).toBeDefined()
  })

  it('TF4 what came to the target meanwhile is named', async () => {
    const [from, to] = [await filled(), world('the target')]
    const seal = async (): Promise<void> => put(to.store, at(SPRITES, 'new'), { kind: 'Sprite' })
    const { findings } = await run(from, { place: { ...to.place, seal } })
    expect(findings).toEqual(['sprites acme/new is in the target alone'])
  })

  it('TF4 a place in which somebody writes meanwhile is read, not taken for unreadable', async () => {
    const from = await filled()
    const { atRest, ledger } = from
    const list = from.store.list.bind(from.store)
    let more = 0
    const store: Store = {
      ...from.store,
      list: async (...args) => {
        await put(from.store, at(args[0], `between-${++more}`), { kind: 'Other' })
        return await list(...args)
      },
    }
    const place = storePlace({ name: 'the source', store, storeAtRest: atRest, ledger, clock, close: async () => {} })
    const names = []
    for await (const { name } of place.objects()) names.push(name)
    expect(names).toEqual(['acme', 'acme', 'a', 'b', 'c', 'e', 'key'])
  })

  it('TF2 two moves of the same at once end with the same, and spend nothing twice', async () => {
    const [from, to] = [await filled(), world('the target')]
    const reports = await Promise.all([run(from, to), run(from, to), run(from, to)])
    for (const report of reports) expect(report.findings).toEqual([])
    const period = new Date(clock.now()).toISOString().slice(0, 7)
    expect(await to.ledger.read('acme', period)).toEqual({ spent: 500, reserved: 0 })
  })

  it('TF10 a file is of the instant at which reading began', async () => {
    const from = await filled()
    const { store, atRest, ledger } = from
    const ports = { name: 'the source', store, storeAtRest: atRest, ledger, clock, close: async () => {} }
    const place = storePlace({ ...ports, isSnapshot: true })
    const target = backupTarget(backup(join(folder, 'fleet.backup')))
    let puts = 0
    const busy: Target = {
      ...target,
      put: async (...args) => {
        if (++puts === 1) {
          await put(from.store, at('events', 'late'), { kind: 'Event' })
          await put(from.store, at(SPRITES, 'c'), { kind: 'Sprite', status: { n: 2 } })
        }
        return await target.put(...args)
      },
    }
    const report = await run({ place }, { place: busy })
    expect([report.findings, report.compared]).toEqual([[], 7])
    expect(readFileSync(join(folder, 'fleet.backup'), 'utf8')).not.toContain('late')
  })

  it('TF4 what changed or went missing at the target meanwhile is named', async () => {
    const [from, to] = [await filled(), world('the target')]
    const sabotaged: Target = {
      ...to.place,
      seal: async () => {
        await put(to.store, at(SPRITES, 'a'), { kind: 'Sprite', status: { n: 9 } })
        const gone = at(SPRITES, 'c')
        const expectedRevision = (await to.store.read(gone))?.revision ?? 0
        await to.store.commit([{ type: 'Delete', key: gone, expectedRevision, value: () => '{}' }])
      },
    }
    const { findings } = await run(from, { place: sabotaged })
    expect(findings).toEqual([
      'sprites acme/a is not the same in the target',
      'sprites acme/c is missing in the target',
    ])
  })

  it('TF5 a Secret that cannot be read stops the move before the first write', async () => {
    const [from, to] = [await filled(), world('the target')]
    const blind = createEncryptedStore(from.atRest, {
      collections: new Set(['secrets']),
      keys: [keyNamed('derived', 9)],
      entropy: seededEntropy(1),
    })
    const place = storePlace({
      ...from,
      name: 'the source',
      store: blind,
      storeAtRest: from.atRest,
      clock,
      close: async () => {},
    })
    await expect(run({ place }, to)).rejects.toThrow('Cannot read secrets acme/key in the source')
    expect(await to.store.read(at(TENANTS, 'acme', ''))).toBeUndefined()
  })
})

describe('backup files', () => {
  it('TF6 a backup restores to what was backed up, and shows no secret', async () => {
    const [from, to] = [await filled(), world('the target', keyNamed('other', 2))]
    const ports = backup(join(folder, 'fleet.backup'))
    expect(await run(from, { place: backupTarget(ports) })).toMatchObject({ findings: [], compared: 7, balances: 1 })
    expect(readdirSync(folder)).toEqual(['fleet.backup'])
    expect(readFileSync(ports.path, 'utf8')).not.toContain('c2VjcmV0')
    expect(await backupHeader(ports.path)).toMatchObject({ controlPlaneId: ports.controlPlaneId })
    const restored = await transfer(backupSource(ports), to.place, {
      mayReplace: false,
      signal: new AbortController().signal,
    })
    expect(restored).toMatchObject({ findings: [], compared: 7, balances: 1 })
    expect((await to.store.read(at('secrets', 'key')))?.value).toContain('c2VjcmV0LXRleHQ=')
  })

  it('TF6 a file that was cut or changed anywhere is refused before anything is written', async () => {
    const from = await filled()
    const ports = backup(join(folder, 'fleet.backup'))
    await run(from, { place: backupTarget(ports) })
    const text = readFileSync(ports.path, 'utf8')
    const damages = fc.oneof(
      fc.nat(text.length - 2).map((length) => text.slice(0, length)),
      fc.nat(text.length - 1).map((index) => `${text.slice(0, index)}~${text.slice(index + 1)}`),
    )
    await fc.assert(
      fc.asyncProperty(damages, async (damaged) => {
        fc.pre(damaged !== text)
        writeFileSync(ports.path, damaged)
        const to = world('the target')
        const before = await to.store.revision()
        const moving = transfer(backupSource(ports), to.place, {
          mayReplace: false,
          signal: new AbortController().signal,
        })
        await expect(moving).rejects.toThrow(/Cannot (use|read) /)
        expect(await to.store.revision()).toBe(before)
      }),
      { numRuns: 60 },
    )
  })

  it('TF6 a backup that broke off leaves no file, and lines after the end are a change', async () => {
    const from = await filled()
    const ports = backup(join(folder, 'fleet.backup'))
    const target = backupTarget(ports)
    const stop = new AbortController()
    const moving = transfer(from.place, target, {
      mayReplace: false,
      signal: stop.signal,
      onProgress: () => stop.abort(new Error('stopped')),
    })
    await expect(moving).rejects.toThrow('stopped')
    await target.close()
    expect(readdirSync(folder)).toEqual([])
    await run(from, { place: backupTarget(ports) })
    appendFileSync(ports.path, '{"tenant":"acme","period":"2026-11","spent":0}\n')
    await expect(backupSource(ports).objects()[Symbol.asyncIterator]().next()).rejects.toThrow('cut off or was changed')
  })

  it('TF5 the wrong key is told by name, and a file of something else as such', async () => {
    const ports = backup(join(folder, 'fleet.backup'))
    await run(await filled(), { place: backupTarget(ports) })
    const to = world('the target')
    const source = backupSource({ ...ports, keys: [keyNamed('derived', 5)] })
    const moving = transfer(source, to.place, { mayReplace: false, signal: new AbortController().signal })
    await expect(moving).rejects.toThrow('set MASTER_KEY or SECRETS_ENCRYPTION_KEYS as they were')
    writeFileSync(ports.path, 'kind: Tenant\n')
    await expect(backupHeader(ports.path)).rejects.toThrow('is not JSON')
    await expect(backupHeader(join(folder, 'none'))).rejects.toThrow('ENOENT')
  })
})
