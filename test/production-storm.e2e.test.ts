/**
 * A storm over several control planes: kill -9, SIGSTOP, cuts, wrong clocks and Redis' faults at random, while work goes on; run by hand.
 *
 * PRODUCTION_STORM_MINUTES=N runs it for so long with two and again with three processes; PRODUCTION_STORM_SEED=N (default
 * 1) draws other faults; PRODUCTION_STORM_PLANES=N takes that number of processes alone;
 * PRODUCTION_STORM_VERBOSE=1 tells each fault as it begins.
 */
import { afterEach, describe, expect, test } from 'vitest'
import type { Tenant } from '../controller/kinds/tenant/schema.ts'
import type { Work } from '../controller/kinds/work/schema.ts'
import { realClock } from '../system/clock.ts'
import { seededEntropy } from '../system/entropy.ts'
import { anyPlane } from './e2e/any-plane.ts'
import { Fleet } from './e2e/fleet.ts'
import { mostAtOnce, spriteOf, tenantOf } from './e2e/machines-at-once.ts'
import type { Plane } from './e2e/plane.ts'
import { troublesIn } from './e2e/troubles.ts'
import { fill, isOver, judgeWork, LIMIT } from './e2e/workload.ts'

const MINUTES = Number(process.env['PRODUCTION_STORM_MINUTES'] ?? 0)
const SEED = Number(process.env['PRODUCTION_STORM_SEED'] ?? 1)
const VERBOSE = process.env['PRODUCTION_STORM_VERBOSE'] !== undefined
const ONLY = process.env['PRODUCTION_STORM_PLANES']
const TASKS = 3
const TENANTS = 4
const SETTLED_MS = 300_000
/** A control plane that is stopped or cut off for longer than its lease has been replaced; both sides of that are met. */
const OUTAGE_MS = { min: 1_000, max: 25_000 }

const storm = describe.skipIf(MINUTES === 0)
if (MINUTES === 0) test.skip('the storm: set PRODUCTION_STORM_MINUTES')

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.destroy()
  fleet = undefined
}, 60_000)

type Fault = { readonly name: string; readonly run: (it: Fleet, victim: Plane, ms: number) => Promise<void> }

const cut = (which: 'store' | 'redis' | 'fly', name: string): Fault => ({
  name,
  run: async (it, victim, ms) => {
    const wire = it.wires(victim)[which]
    wire.silence()
    await realClock.sleep(ms)
    wire.restore()
  },
})

const FAULTS: readonly Fault[] = [
  {
    name: 'kill',
    run: async (it, victim, ms) => {
      await it.kill(victim)
      await realClock.sleep(ms)
      await it.start(victim)
    },
  },
  {
    name: 'terminate',
    run: async (it, victim, ms) => {
      const { tookMs, code } = await it.stop(victim)
      expect(tookMs, `a stop that ends with ${code}`).toBeLessThan(16_000)
      await realClock.sleep(Math.min(ms, 5_000))
      await it.start(victim)
    },
  },
  {
    name: 'pause',
    run: async (_it, victim, ms) => {
      victim.signal('SIGSTOP')
      await realClock.sleep(ms)
      victim.signal('SIGCONT')
    },
  },
  cut('store', 'cutStore'),
  cut('redis', 'cutRedis'),
  cut('fly', 'cutFly'),
  {
    name: 'resetStore',
    run: async (it, victim) => it.wires(victim).store.cut(),
  },
  { name: 'redisLost', run: (it) => it.redis.restartEmpty() },
  { name: 'redisFlushed', run: (it) => it.redis.flush() },
  {
    name: 'redisFrozen',
    run: async (it, _victim, ms) => {
      it.redis.freeze()
      await realClock.sleep(ms)
      it.redis.resume()
    },
  },
  {
    name: 'clockWrong',
    run: async (it, victim, ms) => {
      // Another one each time, as long as the outage: within two hours on either side.
      it.setClock(victim, Math.round((ms - (OUTAGE_MS.max + OUTAGE_MS.min) / 2) * 0.6))
      await realClock.sleep(ms)
      it.setClock(victim, 0)
    },
  },
  { name: 'machinesCrash', run: async (it) => void (await it.crashMachines()) },
]

type Weather = { faults: Map<string, number>; isOver: boolean; failure?: unknown }

/** Draws a fault and its victim, again and again, until it is over; faults end before the next begins. */
async function blow(it: Fleet, weather: Weather, random: () => number): Promise<void> {
  const pick = <T>(all: readonly T[]): T => {
    const one = all[Math.floor(random() * all.length)]
    if (one === undefined) throw new Error('Nothing to pick from')
    return one
  }
  while (!weather.isOver) {
    const fault = pick(FAULTS)
    const victim = pick(it.planes)
    const ms = OUTAGE_MS.min + random() * (OUTAGE_MS.max - OUTAGE_MS.min)
    if (VERBOSE)
      console.log(new Date(realClock.now()).toISOString(), fault.name, it.planes.indexOf(victim), Math.round(ms))
    await fault.run(it, victim, ms)
    weather.faults.set(fault.name, (weather.faults.get(fault.name) ?? 0) + 1)
    await realClock.sleep(random() * 4_000)
  }
}

/** Work of some tenants until all of it is over, judged, and removed again with its tenants. Gives the tasks done. */
async function round(it: Fleet, names: readonly string[]): Promise<number> {
  const api = anyPlane(it)
  for (const name of names) await fill(api, name, TASKS)
  const asked = names.length * TASKS
  await until('all work to be over', async () => isOver(await api.list<Work>('work'), asked))
  await judgeWork(api)
  const transitions = await it.transitions()
  expect(mostAtOnce(transitions, tenantOf), 'S1 machines of a tenant at once').toBeLessThanOrEqual(LIMIT)
  expect(mostAtOnce(transitions, spriteOf), 'S2 machines of a sprite at once').toBe(1)
  for (const { metadata, status } of await api.list<Tenant>('tenants')) {
    const { tokensUsed = 0, tokensReserved = 0 } = status?.usage ?? {}
    const limit = status?.limits?.monthlyTokens ?? Infinity
    expect(tokensUsed + tokensReserved, `S7 tokens of ${metadata.name}`).toBeLessThanOrEqual(limit)
  }
  const done = (await api.list<Work>('work')).length
  for (const name of names) await api.remove(`/apis/sprites.highera.com/v1alpha1/tenants/${name}`)
  await until('the tenants to be gone', async () => (await api.list<Tenant>('tenants')).length === 0)
  return done
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadlineMs = realClock.monotonic() + SETTLED_MS
  while (!(await holds())) {
    if (realClock.monotonic() > deadlineMs) throw new Error(`Waited in vain for ${what}`)
    await realClock.sleep(500)
  }
}

storm('a storm', { timeout: (MINUTES + 12) * 60_000 }, () => {
  test.each(ONLY === undefined ? [2, 3] : [Number(ONLY)])(
    'P9 over %i processes: nothing lost, nothing twice',
    async (count) => {
      const it = (fleet = await Fleet.create())
      await Promise.all(Array.from({ length: count }, () => it.add()))
      const entropy = seededEntropy(SEED)
      const weather: Weather = { faults: new Map(), isOver: false }
      const endMs = realClock.monotonic() + MINUTES * 60_000
      const blowing = blow(it, weather, () => entropy.random()).catch((error: unknown) => (weather.failure = error))
      let [rounds, tasks] = [0, 0]
      try {
        while (realClock.monotonic() < endMs && weather.failure === undefined) {
          tasks += await round(
            it,
            Array.from({ length: TENANTS }, (_, index) => `r${rounds}-t${index}`),
          )
          rounds++
        }
      } finally {
        weather.isOver = true
        await blowing
        const machines = new Set((await it.transitions()).map(({ id }) => id)).size
        console.log(
          'P9',
          JSON.stringify({ count, rounds, tasks, machines, faults: Object.fromEntries(weather.faults) }),
        )
        for (const { level, count: times, message, line } of troublesIn(
          it.planes.map(({ output }) => output).join('\n'),
        ))
          console.log(`${times} × ${level} ${message}\n    ${line}`)
      }
      if (weather.failure !== undefined) throw weather.failure
    },
  )
})
