/** A control plane moves between its stores with everything that it has: real processes, Firestore and Redis, real sprites. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeObject } from '../controller/api/object.ts'
import { KINDS } from '../controller/kinds/kinds.ts'
import type { Tenant } from '../controller/kinds/tenant/schema.ts'
import type { Work } from '../controller/kinds/work/schema.ts'
import { sealingKeysOf } from '../controller/assembly/secrets-at-rest.ts'
import { backupTarget } from '../controller/assembly/transfer/backup-file.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { exampleOf } from './cluster/fleet.ts'
import { beginSpritectl, spritectl, type Ran } from './e2e/cli-run.ts'
import { emulatorAbsence, startFirestoreEmulator } from './e2e/firestore-emulator.ts'
import { Plane } from './e2e/plane.ts'
import { hasRedisServer, RedisServer } from './e2e/redis-server.ts'
import { completed, isOver, judgeWork } from './e2e/workload.ts'

const absence = emulatorAbsence() ?? (hasRedisServer ? undefined : 'no redis-server')
if (absence !== undefined) test.skip(`moves between stores: ${absence}`)

let mover: Mover | undefined
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'migrate-'))
})
afterEach(async () => {
  await mover?.destroy()
  mover = undefined
  await rm(folder, { recursive: true, force: true })
})

const TENANTS = ['acme-corp', 'startup-xyz']
const GROUP = '/apis/sprites.highera.com/v1alpha1'

async function applyExamples(plane: Plane): Promise<void> {
  for (const tenant of TENANTS)
    for (const manifest of await exampleOf(tenant)) {
      const { namespace } = manifest.metadata
      const plural = KINDS.find(({ kind }) => kind === manifest.kind)?.plural
      await plane.post(`${GROUP}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plural}`, manifest)
    }
}

/** The lines of a backup by what they are about, without what its place gave each object. */
async function linesOf(path: string): Promise<ReadonlyMap<string, string>> {
  const lines = (await readFile(path, 'utf8')).trim().split('\n').slice(1, -1)
  return new Map(lines.map(formOfLine))
}

function formOfLine(line: string): [string, string] {
  const { object, sealed, ...place } = JSON.parse(line) as { object?: KubeObject; sealed?: string } & object
  const { resourceVersion: _version, ...metadata } = { ...object?.metadata }
  // What is sealed is another text each time.
  const content = sealed === undefined ? { ...object, metadata } : 'sealed'
  return [JSON.stringify(place), JSON.stringify(content)]
}

/** What each tenant has spent, by the keys of a backup's lines. */
const spentIn = (lines: ReadonlyMap<string, string>): ReadonlyMap<string, number> =>
  new Map(
    [...lines.keys()].flatMap((key): [string, number][] => {
      const { tenant, spent } = JSON.parse(key) as { tenant?: string; spent?: number }
      return tenant === undefined || spent === undefined ? [] : [[tenant, spent]]
    }),
  )

const uidsOf = (objects: readonly KubeObject[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    objects.map(({ kind, metadata }) => [`${kind} ${metadata.namespace}/${metadata.name}`, metadata.uid]),
  )

const usedBy = async (plane: Plane): Promise<readonly (readonly [string, number])[]> =>
  (await plane.list<Tenant>('tenants')).map(
    ({ metadata, status }) => [metadata.name, status?.usage?.tokensUsed ?? 0] as const,
  )

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // A TCP listener's address is always of this form.
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const expectDone = (ran: Ran): void => expect([ran.code, ran.stderr]).toEqual([0, ''])

const IDENTITY = { CONTROL_PLANE_ID: 'cp-0123456789ab', MASTER_KEY: '5a'.repeat(32) }

/** Servers that outlive control planes, and one of these at a time at the address that sprites know. */
class Mover {
  readonly shared: Readonly<Record<string, string>>
  readonly embedded: Readonly<Record<string, string>>
  readonly #planes: Plane[] = []
  readonly #ends: (() => Promise<void>)[]
  readonly #port: number

  private constructor(parts: {
    shared: Readonly<Record<string, string>>
    port: number
    ends: (() => Promise<void>)[]
  }) {
    this.shared = parts.shared
    this.embedded = { ...parts.shared, STORE: 'embedded', REDIS_URL: '' }
    this.#port = parts.port
    this.#ends = parts.ends
  }

  static async create(): Promise<Mover> {
    const [firestore, redis, fly, port] = await Promise.all([
      startFirestoreEmulator(),
      RedisServer.start(),
      startFly(join(folder, 'fly')),
      freePort(),
    ])
    const shared = {
      ...IDENTITY,
      STORE: 'firestore',
      FIRESTORE_PROJECT: firestore.project(),
      FIRESTORE_EMULATOR_HOST: firestore.host,
      METADATA_SERVER_DETECTION: 'none',
      REDIS_URL: redis.url,
      FLY_API_TOKEN: fly.token,
      FLY_FLAPS_BASE_URL: fly.url,
      COORDINATOR_URL: `http://127.0.0.1:${port}`,
    }
    mover = new Mover({ shared, port, ends: [fly.stop, () => redis.destroy(), () => firestore.stop()] })
    return mover
  }

  /** Starts a control plane; `data`: in the folder of another one. */
  async start(env: Readonly<Record<string, string>>): Promise<Plane> {
    const plane = await Plane.create('serve')
    this.#planes.push(plane)
    await this.startAgain(plane, env)
    return plane
  }

  async startAgain(plane: Plane, env: Readonly<Record<string, string>>): Promise<void> {
    await plane.start(['--port', '0', '--http-port', String(this.#port)], env)
  }

  migrate(from: string, to: string, ...more: readonly string[]): Promise<Ran> {
    return spritectl(['migrate', '--from', from, '--to', to, ...more], this.shared)
  }

  backup(path: string, ...place: readonly string[]): Promise<Ran> {
    return spritectl(['backup', path, ...place], this.shared)
  }

  async destroy(): Promise<void> {
    await Promise.all(this.#planes.map((plane) => plane.destroy()))
    await Promise.all(this.#ends.map((end) => end()))
  }
}

type FlyProcess = { readonly url: string; readonly token: string; readonly stop: () => Promise<void> }

/** The emulator of Fly in a process of its own, whose machines are real sprites. */
async function startFly(data: string): Promise<FlyProcess> {
  const sprite = `exec ${process.execPath} --disable-warning=ExperimentalWarning sprite/main.ts`
  const { child, ended } = beginSpritectl(
    ['fly-emulator', '--port', '0', '--data', data, '--run', sprite, '--no-rate-limits', '-o', 'json'],
    { HOME: folder },
  )
  // The streams are pipes.
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, 'data')) as [Buffer]
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
  }
  return { ...(JSON.parse(line.toString()) as { url: string; token: string }), stop }
}

describe.skipIf(absence !== undefined)('moves', { timeout: 280_000 }, () => {
  test('TF1 half-way through its work a control plane goes to Firestore, ends it there, and comes back', async () => {
    const it = await Mover.create()
    const first = await it.start(it.embedded)
    await applyExamples(first)
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'note' }, data: { text: 'aGVsbG8=' } }
    await first.post('/api/v1/namespaces/acme-corp/secrets', secret)
    await first.until('some work to be done', async () => completed(await first.list<Work>('work')) >= 2)
    const running = join(folder, 'running')
    expectDone(await it.backup(running, '--running', '--data', first.folder))
    const [uids, used] = [uidsOf(await first.list('sprites')), await usedBy(first)]
    const doneBefore = (await first.list<Work>('work')).filter(({ status }) => status?.phase === 'Completed')
    expect(await first.stop()).toBe(0)
    const [before, there, ended, back] = ['before', 'there', 'ended', 'back'].map((name) => join(folder, name))
    expectDone(await it.backup(before ?? '', '--data', first.folder))
    expectDone(await it.migrate(`embedded:${first.folder}`, 'firestore'))
    expectDone(await it.backup(there ?? '', '--place', 'firestore'))
    expect(await linesOf(there ?? '')).toEqual(await linesOf(before ?? ''))

    const second = await it.start(it.shared)
    // What was taken while it ran holds the same objects, and is a backup like any other.
    expect([...(await linesOf(running)).keys()].filter((key) => /"sprites\./.test(key))).toEqual(
      [...(await linesOf(before ?? '')).keys()].filter((key) => /"sprites\./.test(key)),
    )
    expect(uidsOf(await second.list('sprites'))).toEqual(uids)
    const asked = (await second.list<Work>('work')).length
    await second.until('all work to be over', async () => isOver(await second.list<Work>('work'), asked), 150_000)
    await judgeWork(second)
    const after = new Map((await second.list<Work>('work')).map((one) => [one.metadata.uid, one]))
    for (const one of doneBefore) expect(after.get(one.metadata.uid)?.status?.attempts).toEqual(one.status?.attempts)
    for (const [tenant, tokens] of await usedBy(second))
      expect(tokens, tenant).toBeGreaterThanOrEqual(used.find(([name]) => name === tenant)?.[1] ?? 0)
    expect(await second.get('/api/v1/namespaces/acme-corp/secrets/note')).toMatchObject({ data: secret.data })
    expect(await second.stop()).toBe(0)

    // The old folder has what has changed since: it is named, and a folder of its own is taken.
    const refused = await it.migrate('firestore', `embedded:${first.folder}`)
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('--replace')])
    expectDone(await it.migrate('firestore', `embedded:${first.folder}`, '--replace'))
    expectDone(await it.backup(ended ?? '', '--place', 'firestore'))
    expectDone(await it.backup(back ?? '', '--data', first.folder))
    expect(await linesOf(back ?? '')).toEqual(await linesOf(ended ?? ''))
    await it.startAgain(first, it.embedded)
    expect(uidsOf(await first.list('sprites'))).toEqual(uids)
    await judgeWork(first)
    const spent = spentIn(await linesOf(back ?? ''))
    expect(spent.size).toBe(TENANTS.length)
    await first.until('usage to be told', async () =>
      (await usedBy(first)).every(([tenant, tokens]) => tokens === spent.get(tenant)),
    )
  })

  test('TF2 killed with -9 in the middle, twice at once, then once more: everything is there once', async () => {
    const it = await Mover.create()
    const file = join(folder, 'many.backup')
    await writeMany(file)
    const restore = ['restore', file, '--place', 'firestore', '-o', 'json']
    const killed = beginSpritectl(restore, it.shared)
    await untilSome(it.shared)
    killed.child.kill('SIGKILL')
    await killed.ended
    const both = await Promise.all([spritectl(restore, it.shared), spritectl(restore, it.shared)])
    for (const ran of both) expectDone(ran)
    const last = JSON.parse((await spritectl(restore, it.shared)).stdout) as Report
    expect(last.findings).toEqual([])
    expect(writtenBy(last)).toBe(0)
    const first = both.map(({ stdout }) => writtenBy(JSON.parse(stdout) as Report))
    expect(first[0]).toBeLessThan(last.compared)
    const again = join(folder, 'again.backup')
    expectDone(await it.backup(again, '--place', 'firestore'))
    expect(await linesOf(again)).toEqual(await linesOf(file))
  })

  test('TF5 TF6 TF9 wrong keys, strangers, a disk that is full and Ctrl-C are told, and leave nothing half', async () => {
    const it = await Mover.create()
    const file = join(folder, 'many.backup')
    await writeMany(file)
    const plane = await it.start(it.embedded)
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'note' }, data: { text: 'aGVsbG8=' } }
    await plane.post('/api/v1/namespaces/default/secrets', secret)
    const busy = await it.backup(join(folder, 'busy'), '--data', plane.folder)
    expect([busy.code, busy.stderr]).toEqual([1, expect.stringMatching(/another process uses it.*--running/)])
    expect(await plane.stop()).toBe(0)

    const full = await it.backup('/dev/full/x', '--data', plane.folder)
    expect([full.code, full.stderr]).toEqual([1, expect.stringContaining('Cannot write "/dev/full/x" (ENOTDIR)')])
    const stranger = { ...it.shared, CONTROL_PLANE_ID: 'cp-ffffffffffff' }
    const strange = await spritectl(['restore', file, '--place', 'firestore'], stranger)
    expect([strange.code, strange.stderr]).toEqual([1, expect.stringContaining('whose machines would be strangers')])
    const own = join(folder, 'own.backup')
    expectDone(await it.backup(own, '--data', plane.folder))
    const otherKey = { ...it.shared, MASTER_KEY: 'b1'.repeat(32) }
    const wrong = await spritectl(['restore', own, '--place', 'firestore'], otherKey)
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('set MASTER_KEY')])

    const stopped = beginSpritectl(['restore', file, '--place', 'firestore'], it.shared)
    await untilSome(it.shared)
    stopped.child.kill('SIGINT')
    const ran = await stopped.ended
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining('start it again to go on')])
    const other = await it.migrate(`embedded:${plane.folder}`, 'firestore')
    expect([other.code, other.stderr]).toEqual([1, expect.stringMatching(/Cannot begin: .* is in Firestore alone/)])
    expectDone(await spritectl(['restore', file, '--place', 'firestore'], it.shared))
  })
})

type Report = {
  readonly collections: Readonly<Record<string, { readonly written: number }>>
  readonly findings: readonly string[]
  readonly compared: number
}

const writtenBy = ({ collections }: Report): number =>
  Object.values(collections).reduce((sum, { written }) => sum + written, 0)

const MANY = 120

/** A backup with many objects, as a control plane with the identity of the tests makes it. */
async function writeMany(path: string): Promise<void> {
  const ports = {
    path,
    keys: sealingKeysOf({}, Buffer.from(IDENTITY.MASTER_KEY, 'hex')),
    controlPlaneId: IDENTITY.CONTROL_PLANE_ID,
    clock: realClock,
    entropy: realEntropy,
  }
  const target = backupTarget(ports)
  for (let n = 0; n < MANY; n++) {
    const [name, namespace] = [`words-${n}`, 'default']
    const creationTimestamp = '2026-01-01T00:00:00Z'
    const metadata = { name, namespace, uid: realEntropy.uuid(), resourceVersion: '7', creationTimestamp }
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { n: String(n) } }
    await target.put({ collection: 'configmaps', namespace, name, object }, { mayReplace: false })
  }
  await target.seal()
  await target.close()
}

/** Waits until some documents are in the database. */
async function untilSome(shared: Readonly<Record<string, string>>): Promise<void> {
  const { FIRESTORE_EMULATOR_HOST: host, FIRESTORE_PROJECT: project } = shared
  const url = `http://${host}/v1/projects/${project}/databases/(default)/documents:runQuery`
  const structuredQuery = { from: [{ collectionId: 'configmaps', allDescendants: true }], limit: 20 }
  for (;;) {
    const headers = { authorization: 'Bearer owner' }
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ structuredQuery }) })
    const found = (await response.json()) as { document?: object }[]
    if (found.filter(({ document }) => document !== undefined).length >= 20) return
    await realClock.sleep(20)
  }
}
