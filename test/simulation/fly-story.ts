/** A story of some sprites over two tenants, told while something goes wrong at Fly, and what must be so in the end. */
import { spriteKind, type Sprite } from '../../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../../controller/kinds/tenant/schema.ts'
import { workKind } from '../../controller/kinds/work/schema.ts'
import type { EmulatorScriptInput } from '../../controller/providers/fly-emulator/emulator-script.ts'
import type { LatencyProfile } from '../../controller/providers/fly-emulator/latency.ts'
import type { StoreFaults } from './store-faults.ts'
import { FlyWorld, LIMIT, type FlyWorldOptions } from './fly-world.ts'

/** What goes wrong, for how long, in which world. */
export type FlyPlan = {
  readonly name: string
  readonly seed: number
  readonly world?: Omit<FlyWorldOptions, 'seed' | 'isTraced'>
  readonly faults?: Omit<EmulatorScriptInput, 'seed' | 'rates' | 'quirks'>
  /** What befalls writes to the store. */
  readonly store?: StoreFaults
  /** Times while the faults last. */
  readonly slow?: object
  /** The route that the faults are about: a story that never comes by has not met them. */
  readonly action?: string
  /** What else happens in a second of it. */
  readonly happens?: (world: FlyWorld, second: number) => Promise<void>
}

/** How a plan went. */
export type PlanEnd = {
  readonly violations: readonly string[]
  /** Whether the story came by its fault at all. */
  readonly isMet: boolean
  /** From the end of the faults until all was as it shall be and nothing moved any more. */
  readonly settledAfterSeconds: number
  readonly trace: string
}

/** So long do the faults last. */
const FAULTS_SECONDS = 150
/** So long may it take after them: a circuit may have opened for five minutes, a machine be stuck for three. */
const SETTLE_SECONDS_MAX = 900
const CHUNK_SECONDS = 50
const QUIET_SECONDS = 30

/** Tells the story under the plan. */
export async function runPlan(plan: FlyPlan, isTraced = false): Promise<PlanEnd> {
  const world = new FlyWorld({ ...plan.world, seed: plan.seed, isTraced })
  try {
    await world.plant()
    await world.raw('POST', '/_emulator/faults', plan.faults ?? {})
    if (plan.slow !== undefined) await world.raw('PUT', '/_emulator/latency', plan.slow)
    await world.start()
    world.storeFaults = plan.store
    const journalStart = world.emulator.journal.length
    for (let second = 0; second < FAULTS_SECONDS; second++) {
      await tell(world, second)
      await plan.happens?.(world, second)
      await world.tick()
    }
    const met = world.emulator.journal.slice(journalStart).some(({ action }) => action === plan.action)
    await lift(world, plan)
    const settledAfterSeconds = await settled(world)
    const isGone = await world.isAppGone()
    const left = await quiet(world)
    const violations = [...world.violations(), ...left, ...(isGone ? [] : ['the app of a tenant that is gone stays'])]
    const isMet = (plan.action === undefined || met) && (plan.store === undefined || world.storeFaultsMet > 0)
    return { violations, isMet, settledAfterSeconds, trace: world.trace() }
  } finally {
    await world.close()
  }
}

/** The faults end; a destroy that is stuck goes on when its host comes back. */
async function lift(world: FlyWorld, plan: FlyPlan): Promise<void> {
  world.storeFaults = undefined
  await world.raw('DELETE', '/_emulator/faults')
  const latency: LatencyProfile | object = plan.world?.latency ?? 'fly'
  await world.raw('PUT', '/_emulator/latency', typeof latency === 'string' ? { extends: latency } : latency)
  const stuck = world.emulator.machines().filter(({ state }) => state === 'destroying')
  for (const { host } of stuck) await world.raw('POST', `/_emulator/hosts/${host}/lose`, { processes: 'live' })
  for (const { host, status } of world.emulator.hosts.list())
    if (status === 'lost') await world.raw('POST', `/_emulator/hosts/${host}/return`, {})
}

/** Seconds until nothing is left to do; those allowed and more when that was not enough. */
async function settled(world: FlyWorld): Promise<number> {
  for (let seconds = 0; seconds < SETTLE_SECONDS_MAX; seconds += CHUNK_SECONDS) {
    const [commits, calls] = [world.client.commits, world.calls]
    await world.run(CHUNK_SECONDS)
    const isStill = world.client.commits === commits && world.calls === calls
    if (isStill && world.unsettled().length === 0) return seconds
  }
  return SETTLE_SECONDS_MAX
}

/** What is wrong in the end: not as it shall be, or not at rest (L1, L5). */
async function quiet(world: FlyWorld): Promise<readonly string[]> {
  const [commits, calls] = [world.client.commits, world.calls]
  await world.run(QUIET_SECONDS)
  const [writes, asked] = [world.client.commits - commits, world.calls - calls]
  const noise = writes + asked === 0 ? [] : [`L5: ${writes} writes and ${asked} calls while all is as it shall be`]
  return [...world.unsettled().map((what) => `L1: ${what}`), ...noise]
}

/** What people do, by the second. */
async function tell(world: FlyWorld, second: number): Promise<void> {
  switch (second) {
    // Uids count up here, so that their beginning is the same: in a shared app the names must differ.
    case 0:
      await addSprite(world, 'acme/a', { agentType: 'copywriter', runPolicy: 'Always' })
      await addSprite(world, 'acme/b', { agentType: 'editor' })
      await addSprite(world, 'acme/c', { agentType: 'director' })
      await addSprite(world, 'beta/d', { agentType: 'director', runPolicy: 'Always' })
      await addSprite(world, 'beta/e', { agentType: 'editor' })
      await addSprite(world, 'gone/f', { agentType: 'editor', runPolicy: 'Always' })
      await addSprite(world, 'gone/g', { agentType: 'director' })
      return
    case 1:
      for (const work of ['acme/1 copywriter', 'acme/2 editor', 'acme/3 director', 'beta/1 editor', 'gone/1 director'])
        await addWork(world, work)
      return
    case 25:
      return await changeGuest(world, 'acme', 'a')
    case 40:
      return await world.client.delete(spriteKind, { namespace: 'beta', name: 'd' })
    case 45:
      return await setLimit(world, 'acme', LIMIT - 1)
    case 60:
      return await world.client.delete(tenantKind, { namespace: '', name: 'gone' })
    case 90:
    case 120:
      for (const work of ['acme editor', 'acme copywriter', 'beta editor']) {
        const [tenant, agentType] = work.split(' ')
        await addWork(world, `${tenant}/${agentType}-${second} ${agentType}`)
      }
      return
    default:
  }
}

async function addSprite(world: FlyWorld, at: string, spec: Partial<Sprite['spec']>): Promise<void> {
  const [namespace = '', name = ''] = at.split('/')
  await world.client.create(spriteKind, {
    metadata: { name, namespace },
    spec: { agentType: 'copywriter', runPolicy: 'OnDemand', ...spec },
  })
}

async function addWork(world: FlyWorld, what: string): Promise<void> {
  const [namespace = '', name = '', agentType = ''] = what.split(/[/ ]/)
  await world.client.create(workKind, {
    metadata: { name: `w-${name}`, namespace },
    // An attempt is lost with its machine: how many machines a fault takes is not what this is about.
    spec: { type: 'do', description: 'Do', agentType, priority: 0, maxAttempts: 50, cancelled: false },
  })
}

async function changeGuest(world: FlyWorld, namespace: string, name: string): Promise<void> {
  const before = world.client.peek(spriteKind, { namespace, name })
  if (before === undefined) throw new Error(`Sprite ${namespace}/${name} is gone`)
  const guest = { cpuKind: 'shared' as const, cpus: 2, memoryMb: 1024 }
  await world.client.update(spriteKind, { ...before, spec: { ...before.spec, guest } })
}

async function setLimit(world: FlyWorld, tenant: string, limit: number): Promise<void> {
  await world.client.patchStatus(tenantKind, { namespace: '', name: tenant }, { limits: { concurrentSprites: limit } })
}
