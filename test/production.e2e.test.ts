/** Several control planes on Firestore, Redis and Fly (emulated): killed, stopped, cut off, they do everything once. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Tenant } from '../controller/kinds/tenant/schema.ts'
import type { Work } from '../controller/kinds/work/schema.ts'
import { realClock } from '../system/clock.ts'
import { emulatorAbsence } from './e2e/firestore-emulator.ts'
import { Fleet } from './e2e/fleet.ts'
import { mostAtOnce, spriteOf, tenantOf } from './e2e/machines-at-once.ts'
import type { Plane } from './e2e/plane.ts'
import { hasRedisServer } from './e2e/redis-server.ts'
import { completed, fill, isOver, judgeWork, LIMIT } from './e2e/workload.ts'

const absence = emulatorAbsence() ?? (hasRedisServer ? undefined : 'no redis-server')
if (absence !== undefined) test.skip(`the production shape: ${absence}`)

/** Tasks of a tenant: few, since the emulator of Firestore sends every listener all documents at each change. */
const TASKS = 3
const SETTLED_MS = 120_000

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

describe.skipIf(absence !== undefined)('two control planes', { timeout: 180_000 }, () => {
  beforeAll(async () => {
    fleet = await Fleet.create()
    first = await fleet.add()
    second = await fleet.add()
  }, 90_000)
  afterAll(() => fleet.destroy(), 60_000)

  test('P1 one is killed with -9: the other takes over, every task is done once', async () => {
    await moreWork(first, 'alpha', 'beta')
    await progress(second, 2)
    await fleet.kill(first)
    await settled(second)
  })

  test('P3 one is stopped for longer than its lease and goes on: it has been replaced and harms nothing', async () => {
    await fleet.start(first)
    await moreWork(second, 'gamma', 'delta')
    first.signal('SIGSTOP')
    await realClock.sleep(17_000)
    first.signal('SIGCONT')
    await settled(first)
  })

  test('P5 one is cut off from the store: it changes no machine past its lease, and comes back', async () => {
    await moreWork(first, 'epsilon', 'zeta')
    await progress(first, 1)
    const { store, fly } = fleet.wires(first)
    store.silence()
    const cutMs = realClock.now()
    // Something to do for whoever believes that it is his.
    const crashed = await fleet.crashMachines()
    await realClock.sleep(20_000)
    store.restore()
    const changes = fly.asked.filter(({ atMs, method }) => method !== 'GET' && atMs > cutMs && atMs < cutMs + 20_000)
    const lastMs = Math.max(0, ...changes.map(({ atMs }) => atMs - cutMs))
    tell('P5 cut off from the store', { crashed, changes: changes.length, lastChangeAfterMs: lastMs })
    expect(lastMs, 'S10 the last change after the cut').toBeLessThan(10_000)
    await settled(first)
  })

  test('P6 Redis is killed, frozen and flushed: nothing is lost, no budget is overdrawn, all goes on', async () => {
    await moreWork(second, 'eta', 'theta')
    await progress(second, 1)
    await fleet.redis.restartEmpty()
    await progress(second, 1)
    fleet.redis.freeze()
    await realClock.sleep(8_000)
    fleet.redis.resume()
    await progress(second, 1)
    await fleet.redis.flush()
    await settled(second)
    for (const { metadata, status } of await second.list<Tenant>('tenants')) {
      const { tokensUsed = 0, tokensReserved = 0 } = status?.usage ?? {}
      const work = (await workOf(second)).filter((one) => one.metadata.namespace === metadata.name)
      const spent = work.reduce((sum, one) => sum + (one.status?.tokensTotal ?? 0), 0)
      tell('P6 tokens', { tenant: metadata.name, spent, tokensUsed, tokensReserved, limits: status?.limits })
    }
  })
})
