/**
 * The whole fleet at Fly under every fault, one by one and mixed (promises.md S1 to S4, L1, L5, L6): the real
 * controllers, feed and adapter over the real emulator.
 *
 * One plan of FLY_FAULT_EVERY runs (default 13; 1 is all of them); FLY_FAULT_DEPTH=N (default 1) also lets each fault
 * happen at the first … Nth call only; FLY_FAULT_SEEDS=N mixes; FLY_FAULT_ONLY=text takes the plans of that name alone;
 * FLY_FAULT_TRACE=file keeps the last one's trace.
 */
import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { mixedPlan, ROUTES, routePlans, sharedPlans, storePlans, worldPlans } from './simulation/fly-plans.ts'
import { runPlan, type FlyPlan } from './simulation/fly-story.ts'

const DEPTH = Number(process.env['FLY_FAULT_DEPTH'] ?? 1)
const EVERY = Number(process.env['FLY_FAULT_EVERY'] ?? 13)
const SEEDS = Number(process.env['FLY_FAULT_SEEDS'] ?? 8)
const ONLY = process.env['FLY_FAULT_ONLY']
const TRACE = process.env['FLY_FAULT_TRACE']
const MINUTES_MS = 1_800_000

const figures = { plans: 0, unmet: 0, violations: 0, slowestSeconds: 0 }

/** Runs the plans; what they broke, by the plan's name. */
async function broken(plans: readonly FlyPlan[]): Promise<readonly string[]> {
  const found: string[] = []
  for (const plan of plans.filter(({ name }) => ONLY === undefined || name.includes(ONLY))) {
    const end = await runPlan(plan, TRACE !== undefined)
    if (TRACE !== undefined) writeFileSync(TRACE, end.trace)
    figures.plans++
    if (!end.isMet) figures.unmet++
    figures.violations += end.violations.length
    figures.slowestSeconds = Math.max(figures.slowestSeconds, end.settledAfterSeconds)
    found.push(...end.violations.map((violation) => `${plan.name}: ${violation}`))
  }
  return found
}

const sample = (plans: readonly FlyPlan[]): readonly FlyPlan[] =>
  ONLY === undefined ? plans.filter((_, at) => at % EVERY === 0) : plans

afterAll(() => {
  const { plans, unmet, violations, slowestSeconds } = figures
  const told = `fly faults: ${plans} plans run (${unmet} did not come by their fault), violations ${violations}`
  process.stdout.write(`${told}, slowest to settle ${slowestSeconds} s after the faults\n`)
})

test.each(ROUTES)(
  'S1 S2 S3 S4 L1 L5 L6 %s meets each fault, and all converges when it is lifted',
  async (action) => {
    expect(await broken(sample(routePlans(action, DEPTH)))).toEqual([])
  },
  MINUTES_MS,
)

test(
  'S1 S2 S3 S4 L1 L5 L6 whatever befalls machines, hosts, regions and the feed, all converges when it is over',
  async () => {
    expect(await broken(sample(worldPlans()))).toEqual([])
  },
  MINUTES_MS,
)

test(
  'S1 S2 S3 S4 L1 L5 L6 in an app that others use nothing of theirs is touched, whatever goes wrong',
  async () => {
    expect(await broken(sample(sharedPlans()))).toEqual([])
  },
  MINUTES_MS,
)

test(
  'S1 S2 S3 S4 L1 L5 L6 writes to the store that are lost, refused, late or slow leave no machine unknown',
  async () => {
    expect(await broken(sample(storePlans()))).toEqual([])
  },
  MINUTES_MS,
)

test(
  'S1 S2 S3 S4 L1 L5 L6 mixes of all faults, drawn from seeds, end converged',
  async () => {
    expect(await broken(Array.from({ length: SEEDS }, (_, at) => mixedPlan(at + 1)))).toEqual([])
  },
  MINUTES_MS,
)
