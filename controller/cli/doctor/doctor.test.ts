/** Tests of spritectl doctor: a line for each check, exit 1 where one fails, before the first start and beside a running one. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { dataPaths } from '../../assembly/data-folder.ts'
import { ensureCertificates } from '../../server/certificates.ts'
import { openDatabase } from '../../store/database.ts'
import { GROWTH_LIMITS, tenantOf } from '../objects-for-tests.ts'
import { cliWorld, runLine } from '../testing.ts'
import { addressChecks } from './address-checks.ts'
import { controlPlaneCheck, documentsCheck } from './control-plane-check.ts'
import { folderChecks } from './folder-checks.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doctor-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const clock = new TestClock()
const levels = async (): Promise<Record<string, string>> =>
  Object.fromEntries((await folderChecks(folder, clock)).map(({ name, level, text }) => [name, `${level} ${text}`]))

describe('data folder', () => {
  it('DR1 before the first start all is well: what is missing is made', async () => {
    await rm(folder, { recursive: true })
    expect(Object.values(await levels()).every((line) => line.startsWith('ok'))).toBe(true)
  })

  it('DR2 a whole store, and one that a control plane holds, are well', async () => {
    const database = openDatabase(dataPaths(folder).store)
    expect((await levels())['store']).toBe('ok is in use by a control plane')
    database.close()
    expect((await levels())['store']).toMatch(/^ok .* is whole$/)
  })

  it('DR2 a store that is no store, or that is gone, fails', async () => {
    await writeFile(dataPaths(folder).identity, '{}')
    expect((await levels())['store']).toMatch(/^fail .* is gone/)
    await writeFile(dataPaths(folder).store, 'junk'.repeat(1_000))
    expect((await levels())['store']).toMatch(/^fail /)
  })

  it('DR3 certificates are told by the days that they have left', async () => {
    const { certificates } = dataPaths(folder)
    await ensureCertificates({ folder: certificates, clock, entropy: seededEntropy(1) })
    expect((await levels())['certificates']).toMatch(/^ok 36[45] days left$/)
    const later = new TestClock(clock.now() + 355 * 86_400_000)
    expect((await folderChecks(folder, later)).at(-1)).toMatchObject({ level: 'warn' })
    const tooLate = new TestClock(clock.now() + 400 * 86_400_000)
    expect((await folderChecks(folder, tooLate)).at(-1)).toMatchObject({ level: 'fail' })
    const brought = join(certificates, 'tls.crt')
    expect((await folderChecks(join(folder, 'empty'), later, { TLS_CERT_FILE: brought })).at(-1)).toMatchObject({
      level: 'warn',
    })
    await writeFile(join(certificates, 'tls.crt'), 'junk')
    expect((await levels())['certificates']).toMatch(/^fail cannot be read/)
  })

  it.skipIf(process.getuid?.() === 0)('DR4 a folder that cannot be written fails', async () => {
    await mkdir(join(folder, 'closed'))
    await chmod(join(folder, 'closed'), 0o500)
    expect((await folderChecks(join(folder, 'closed', 'data'), clock))[0]).toMatchObject({ level: 'fail' })
  })
})

describe('spritectl doctor', () => {
  it('DR5 prints a line a check; exit 0 where none fails', async () => {
    const { code, out } = await runLine(['doctor', '--data', folder])
    expect(code).toBe(0)
    expect(
      out
        .split('\n')
        .filter(Boolean)
        .map((line) => line.slice(0, 21)),
    ).toEqual([
      'ok    settings       ',
      'ok    data folder    ',
      'ok    store          ',
      'ok    audit log      ',
      'ok    certificates   ',
      'ok    control plane  ',
      'ok    fly            ',
    ])
  })

  it('DR5 exits with 1 where one fails, and says it to scripts', async () => {
    await writeFile(dataPaths(folder).store, 'junk'.repeat(1_000))
    const { code, out, err } = await runLine(['doctor', '--data', folder, '-o', 'json'])
    expect(code).toBe(1)
    expect(err).toContain('1 check failed')
    // What the command prints for scripts is JSON of this shape.
    const { checks } = JSON.parse(out) as { checks: { name: string; level: string }[] }
    expect(checks.filter(({ level }) => level === 'fail').map(({ name }) => name)).toEqual(['store'])
  })

  it('DR6 beside a running control plane it adds up what the tenants may run', async () => {
    const world = await cliWorld()
    try {
      await world.put(tenantOf('acme', { limits: GROWTH_LIMITS }))
      await world.put(tenantOf('other', { limits: GROWTH_LIMITS }))
      const { checks, plannedSprites } = await controlPlaneCheck({
        data: folder,
        server: world.url,
        token: world.token,
      })
      expect(checks).toMatchObject([{ level: 'ok', text: 'answers, and its store has 2 tenants' }])
      expect(plannedSprites).toBe(2 * (GROWTH_LIMITS.concurrentSprites ?? 0))
    } finally {
      await world.close()
    }
    const gone = await controlPlaneCheck({ data: folder, server: 'https://127.0.0.1:1', token: 't' })
    expect(gone.checks.map(({ level }) => level)).toEqual(['warn'])
  })

  it('DR12 addresses that machines at Fly.io cannot reach are told, where machines are there', () => {
    const named = (more: object) =>
      addressChecks({
        FLY_API_TOKEN: 't',
        FLY_FLAPS_BASE_URL: 'https://api.machines.dev',
        COORDINATOR_URL: 'http://localhost:8787',
        REDIS_URL: 'redis://:hunter2@127.0.0.1:6379',
        ...more,
      }).map(({ level, name }) => `${level} ${name}`)
    expect(named({})).toEqual(['fail coordinator', 'warn redis address'])
    expect(named({ COORDINATOR_URL: 'http://[::1]:1', REDIS_URL: undefined })).toEqual(['fail coordinator'])
    expect(named({ COORDINATOR_URL: 'https://sprites.example.com', REDIS_URL: 'rediss://r.example.com' })).toEqual([])
    expect(named({ FLY_FLAPS_BASE_URL: 'http://127.0.0.1:4280' })).toEqual([])
    expect(named({ FLY_API_TOKEN: undefined })).toEqual([])
  })

  it('DR10 names what the store holds and cannot be read, and counts what is more', () => {
    const documents = Array.from({ length: 22 }, (_, index) => ({ path: `plans/${index}`, fault: 'kind must be …' }))
    const checks = documentsCheck({ documents, more: 3 })
    expect(checks[0]).toMatchObject({ level: 'warn', text: 'plans/0 is left out: kind must be …' })
    expect(checks).toHaveLength(21)
    expect(checks.at(-1)?.text).toBe('5 more documents left out')
    expect(documentsCheck({ documents: [{ path: 'leases/sprites-shard-04', fault: 'kind' }] })).toMatchObject([
      { level: 'fail', text: 'leases/sprites-shard-04 can be held by nobody, and tenants stand still: kind' },
    ])
    for (const nothing of [undefined, {}, { documents: [] }, { documents: 'x', more: 'y' }])
      expect(documentsCheck(nothing)).toEqual([])
  })
})
