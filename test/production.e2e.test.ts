/** Several control planes on Firestore, Redis and Fly (emulated): killed, stopped, cut off, they do everything once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SHARD_COUNT } from '../controller/engine/rendezvous.ts'
import { FROZEN_ANNOTATION } from '../controller/kinds/marks.ts'
import type { Sprite } from '../controller/kinds/sprite/schema.ts'
import type { Tenant } from '../controller/kinds/tenant/schema.ts'
import type { Work } from '../controller/kinds/work/schema.ts'
import { mintToken } from '../controller/server/tokens.ts'
import { SPRITE_API } from '../protocol/coordinator.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { emulatorAbsence } from './e2e/firestore-emulator.ts'
import { Fleet } from './e2e/fleet.ts'
import { mostAtOnce, spriteOf, tenantOf } from './e2e/machines-at-once.ts'
import type { Plane } from './e2e/plane.ts'
import { hasRedisServer } from './e2e/redis-server.ts'
import { canSetClocks } from './e2e/wall-clock.ts'
import { completed, fill, isOver, judgeWork, LIMIT } from './e2e/workload.ts'

const absence = emulatorAbsence() ?? (hasRedisServer ? undefined : 'no redis-server')
if (absence !== undefined) test.skip(`the production shape: ${absence}`)

const GROUP = '/apis/sprites.highera.com/v1alpha1'
const MERGE_PATCH = 'application/merge-patch+json'
/** Tasks of a tenant: few, since the emulator of Firestore sends every listener all documents at each change. */
const TASKS = 2
const SETTLED_MS = 120_000
const HOUR_SECONDS = 3_600

let fleet: Fleet
let first: Plane
let second: Plane
let asked = 0

const workOf = (plane: Plane): Promise<readonly Work[]> => plane.list<Work>('work')

/** More work for new tenants; what is done of it in the end is asked of all. */
async function moreWork(plane: Plane, ...tenants: readonly string[]): Promise<void> {
  for (const tenant of tenants) await fill(plane, tenant, TASKS)
  asked += tenants.length * TASKS
}

/** Waits until so many more tasks are done than at the call. */
async function progress(plane: Plane, count: number): Promise<void> {
  const before = completed(await workOf(plane))
  await plane.until(`${count} more tasks to be done`, async () => completed(await workOf(plane)) >= before + count)
}

/** Waits until all work is over, as one of them sees it, and judges. */
async function settled(plane: Plane): Promise<void> {
  await plane.until('all work to be over', async () => isOver(await workOf(plane), asked), SETTLED_MS)
  await judgeWork(plane)
  const transitions = await fleet.transitions()
  expect(mostAtOnce(transitions, tenantOf), 'S1 machines of a tenant at once').toBeLessThanOrEqual(LIMIT)
  expect(mostAtOnce(transitions, spriteOf), 'S2 machines of a sprite at once').toBe(1)
}

const tell = (what: string, figures: object): void => console.log(`${what}:`, JSON.stringify(figures))

/** Tokens are counted by what each call could cost at most where Redis lost what they did cost: more than spent, never less. */
async function judgeTokens(plane: Plane): Promise<void> {
  const work = await workOf(plane)
  const spentOf = ({ metadata }: Tenant): number =>
    work
      .filter((one) => one.metadata.namespace === metadata.name)
      .reduce((sum, one) => sum + (one.status?.tokensTotal ?? 0), 0)
  // What a tenant has used is published some seconds after it moved.
  await plane.until('all that was spent to be counted (S7)', async () =>
    (await plane.list<Tenant>('tenants')).every((tenant) => (tenant.status?.usage?.tokensUsed ?? 0) >= spentOf(tenant)),
  )
  for (const { metadata, status } of await plane.list<Tenant>('tenants')) {
    const { tokensUsed = 0, tokensReserved = 0 } = status?.usage ?? {}
    expect(tokensUsed + tokensReserved, `S7 tokens of ${metadata.name}`).toBeLessThanOrEqual(
      status?.limits?.monthlyTokens ?? 0,
    )
  }
}

/** The value of a metric of a control plane. */
async function metric(plane: Plane, name: string): Promise<number> {
  const { text } = await plane.ask('GET', '/metrics')
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1])
}

describe.skipIf(absence !== undefined)('several control planes', { timeout: 180_000 }, () => {
  let third: Plane

  beforeAll(async () => {
    fleet = await Fleet.create()
    await Promise.all([fleet.add().then((plane) => (first = plane)), fleet.add().then((plane) => (second = plane))])
  }, 90_000)
  afterAll(() => fleet.destroy(), 60_000)

  test('P1 one of two is killed with -9: the other takes over, every task is done once', async () => {
    await moreWork(first, 'alpha', 'beta')
    await progress(second, 2)
    await fleet.kill(first)
    await settled(second)
    expect(await metric(second, 'sprites_shards_held')).toBe(SHARD_COUNT)
  })

  test('P3 P5 of three, one is stopped and one cut off from the store for longer than their lease: neither does harm', async () => {
    await Promise.all([fleet.start(first), fleet.add().then((plane) => (third = plane))])
    await moreWork(second, 'gamma', 'delta')
    await progress(second, 1)
    first.signal('SIGSTOP')
    const { store, fly } = fleet.wires(third)
    store.silence()
    const cutMs = realClock.now()
    // Something to do for whoever believes that it is his.
    const crashed = await fleet.crashMachines()
    await realClock.sleep(18_000)
    first.signal('SIGCONT')
    store.restore()
    const changes = fly.asked.filter(({ atMs, method }) => method !== 'GET' && atMs > cutMs && atMs < cutMs + 18_000)
    const lastChangeAfterMs = Math.max(0, ...changes.map(({ atMs }) => atMs - cutMs))
    tell('P5 cut off from the store', { crashed, changes: changes.length, lastChangeAfterMs })
    expect(lastChangeAfterMs, 'S10 the last change after the cut').toBeLessThan(10_000)
    await settled(third)
    await third.until('all of them to share again', async () => {
      const held = await Promise.all([first, second, third].map((plane) => metric(plane, 'sprites_shards_held')))
      return held.every((count) => count > 0) && held.reduce((sum, count) => sum + count) === SHARD_COUNT
    })
  })

  test('P6 Redis is killed, frozen and flushed: nothing is lost, no budget is overdrawn, all goes on', async () => {
    await moreWork(second, 'epsilon', 'zeta')
    await progress(second, 1)
    await fleet.redis.restartEmpty()
    await progress(second, 1)
    fleet.redis.freeze()
    await realClock.sleep(7_000)
    fleet.redis.resume()
    await progress(second, 1)
    await fleet.redis.flush()
    await settled(second)
    await judgeTokens(second)
    await second.until('the bus to stand again', async () => (await metric(second, 'sprites_bus_up')) === 1)
  })

  test.skipIf(!canSetClocks)(
    'P7 clocks jump, an hour ahead and a day back: nothing is done twice, nothing stands still',
    async () => {
      await moreWork(second, 'eta', 'theta')
      await progress(second, 1)
      fleet.setClock(first, HOUR_SECONDS)
      fleet.setClock(third, -24 * HOUR_SECONDS)
      await progress(second, 2)
      for (const plane of [first, third]) fleet.setClock(plane, 0)
      await settled(second)
      await judgeTokens(second)
    },
  )

  test('P8 SIGTERM: what is held goes to the others at once, and nothing that is silent holds it up', async () => {
    const { store, redis, fly } = fleet.wires(first)
    for (const wire of [store, redis, fly]) wire.silence()
    const [cut, calm] = await Promise.all([fleet.stop(first), fleet.stop(third)])
    tell('P8 ms that a stop takes', { cut: cut.tookMs, calm: calm.tookMs })
    expect(cut.tookMs, 'with everything cut').toBeLessThan(16_000)
    expect([calm.tookMs < 8_000, calm.code]).toEqual([true, 0])
    for (const wire of [store, redis, fly]) wire.restore()
    // The one that left in peace has not let anybody wait for the end of a lease; the other one could not help it.
    await second.until('the rest', async () => (await metric(second, 'sprites_shards_held')) === SHARD_COUNT, 20_000)
  })

  test('P4 roles apart: api, coordinator and two controllers do together what one process does', async () => {
    await fleet.stop(second)
    const roles = ['api', 'coordinator', 'controller', 'controller']
    const [api, coordinator, controller] = await Promise.all(roles.map((role) => fleet.add(['--roles', role])))
    if (api === undefined || coordinator === undefined || controller === undefined) throw new Error('Four were started')
    await moreWork(api, 'roles')
    // Made at one, good at the other.
    const { token, record } = mintToken({ name: 'app', groups: [] }, realEntropy)
    const spec = { keyId: record.keyId, sha256: record.sha256, role: 'member' }
    const metadata = { name: 'app', namespace: 'roles' }
    const made = { apiVersion: 'sprites.highera.com/v1alpha1', kind: 'AccessToken', metadata, spec }
    await api.post(`${GROUP}/namespaces/roles/accesstokens`, made)
    const asApp = async (plane: Plane): Promise<Response> =>
      await fetch(`${fleet.httpUrl(plane)}/v1/tenants/roles/sprites`, { headers: { authorization: `Bearer ${token}` } })
    await coordinator.until('the token to be known', async () => (await asApp(coordinator)).status === 200)
    // Who has something else says who has it.
    const elsewhere = await coordinator.ask('GET', `${GROUP}/tenants`)
    expect([elsewhere.status, elsewhere.text]).toEqual([404, expect.stringContaining('whose ROLES have \\"api\\"')])
    const misled = await fetch(`${fleet.httpUrl(api)}${SPRITE_API.claim}`, { method: 'POST' })
    expect([misled.status, await misled.text()]).toEqual([503, expect.stringContaining('has no Coordinator')])
    await settled(api)
    // Forecasts and actions in the api, freeze and machines in the controllers, presence from the Coordinator.
    const copywriters = ['c1', 'c2'].map((name) => `${GROUP}/namespaces/roles/sprites/${name}`)
    for (const sprite of copywriters) await api.ask('POST', `${sprite}/drain`, {})
    const phases = (): Promise<readonly (string | undefined)[]> =>
      Promise.all(copywriters.map(async (sprite) => (await api.get<Sprite>(sprite)).status?.phase))
    await api.until('both to rest', async () => (await phases()).every((phase) => phase === 'Stopped'))
    const [sleeper = ''] = copywriters
    const system = '/api/v1/namespaces/sprites-system'
    const freeze = (value: string | null): Promise<{ status: number }> =>
      api.ask('PATCH', system, { metadata: { annotations: { [FROZEN_ANNOTATION]: value } } }, MERGE_PATCH)
    expect((await freeze('true')).status).toBe(200)
    const refused = await api.ask('POST', `${sleeper}/wake`, {})
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('frozen by')])
    expect((await freeze(null)).status).toBe(200)
    expect((await api.ask('POST', `${sleeper}/wake`, {})).status).toBe(201)
    await api.until('the sprite to be up', async () => (await phases())[0] === 'Idle')
    const log = await api.ask('GET', '/api/v1/namespaces/roles/pods/c1/log')
    expect([log.status, log.text]).toEqual([404, expect.stringContaining('fly logs')])
    const stops = await Promise.all([api, coordinator, controller].map((plane) => fleet.stop(plane)))
    expect(stops.map(({ code }) => code)).toEqual([0, 0, 0])
  })
})
