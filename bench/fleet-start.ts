/** 200 sprites of 50 tenants from nothing to started, against the emulator at Fly's latency and rates, beside what those alone allow. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spriteKind } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { createFlyEmulator, type FlyEmulator } from '../controller/providers/fly-emulator/fly-emulator.ts'
import { createIdleRunner } from '../controller/providers/fly-emulator/idle-runner.ts'
import { FLY_RATES } from '../controller/providers/fly-emulator/rate-limits.ts'
import { createFlyProvider } from '../controller/providers/fly/fly-provider.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import type { Row } from './table.ts'
import { CONTROL_PLANE, openWorld } from './world.ts'

const TENANTS = 50
const SPRITES_EACH = 4
const TOKEN = 'fm2_bench'
/** Nobody waits longer for a start that does not come. */
const PATIENCE_MS = 120_000

/** Two starts of 200: of tenants that are new, whose apps are made first, and of 200 more in the same apps. */
export async function benchFleetStart(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-fleet-'))
  const emulator = createFlyEmulator({
    clock: realClock,
    entropy: realEntropy,
    runner: createIdleRunner(),
    latency: 'fly',
    rateLimits: FLY_RATES,
    tokens: [TOKEN],
  })
  const starts = watchStarts(emulator)
  const baseUrl = await emulator.listen()
  const options = { orgSlug: 'personal', appTemplate: 'highera-{tenant}', controlPlaneId: CONTROL_PLANE }
  const openMachines = () => createFlyProvider({ baseUrl, token: TOKEN, clock: realClock, ...options })
  const world = await openWorld(join(folder, 'store.db'), openMachines, true)
  const names = Array.from({ length: TENANTS }, (_, index) => `tenant-${index}`)
  const addSprites = (prefix: string): Promise<unknown> =>
    Promise.all(
      names.flatMap((namespace) =>
        Array.from({ length: SPRITES_EACH }, (_, index) =>
          world.client.create(spriteKind, {
            metadata: { name: `${prefix}${index}`, namespace },
            spec: { agentType: 'copywriter', runPolicy: 'Always' },
          }),
        ),
      ),
    )
  try {
    for (const name of names)
      await world.client.create(tenantKind, {
        metadata: { name },
        spec: { displayName: name, plan: 'enterprise', config: {}, brand: {}, suspend: false },
      })
    await world.manager.whenIdle()
    const fresh = await timed(starts, () => addSprites('s'), { hasApps: false })
    const more = await timed(starts, () => addSprites('t'), { hasApps: true })
    const refused = emulator.journal.filter((entry) => entry.status === 429).length
    return [
      startRow('200 sprites, 50 new tenants, to started', fresh),
      startRow('200 sprites more, apps there, to started', more),
      {
        what: 'requests that Fly’s rates refused, of all',
        ours: String(refused),
        divisor: `${emulator.journal.length} requests`,
        ratio: refused / emulator.journal.length,
      },
    ]
  } finally {
    await world.close()
    await emulator.close()
    await rm(folder, { recursive: true, force: true })
  }
}

/** Machines by app, each with the ms that its launch and boot were drawn to take. */
type Starts = {
  /** Forgets what was, and resolves when so many have started. */
  readonly next: (count: number) => Promise<ReadonlyMap<string, readonly number[]>>
}

function watchStarts(emulator: FlyEmulator): Starts {
  const drawnMs = new Map<string, { readonly app: string; readonly ms: number }>()
  const started = new Set<string>()
  let check = (): void => {}
  emulator.onChange((id, machine) => {
    if (machine === undefined) return
    const { state, due } = machine
    if ((state === 'created' || state === 'starting') && due !== undefined)
      drawnMs.set(id, { app: machine.app, ms: (drawnMs.get(id)?.ms ?? 0) + due.atMs - realClock.now() })
    if (state === 'started') started.add(id)
    check()
  })
  return {
    next: (count) => {
      drawnMs.clear()
      started.clear()
      return new Promise((resolve, reject) => {
        const giveUp = realClock.after(PATIENCE_MS, () => reject(new Error(`${started.size} of ${count} have started`)))
        check = () => {
          if (started.size < count) return
          giveUp()
          const byApp = Map.groupBy(drawnMs.values(), ({ app }) => app)
          resolve(new Map([...byApp].map(([app, all]) => [app, all.map(({ ms }) => ms)])))
        }
      })
    },
  }
}

type Timed = { readonly tookMs: number; readonly boundMs: number; readonly hasApps: boolean }

async function timed(
  starts: Starts,
  begin: () => Promise<unknown>,
  { hasApps }: { readonly hasApps: boolean },
): Promise<Timed> {
  const all = starts.next(TENANTS * SPRITES_EACH)
  const startedMs = realClock.monotonic()
  await begin()
  const byApp = await all
  const tookMs = realClock.monotonic() - startedMs
  return { tookMs, boundMs: lowerBoundMs([...byApp.values()], { hasApps }), hasApps }
}

/**
 * The least time that the limits and the drawn latencies allow whoever knows them all beforehand. Requests of one bucket
 * go out at 0 while its burst lasts, then one a second. An app needs the latest of its machines, the slowest created
 * first; apps are created in the order of what they need, the neediest first.
 */
function lowerBoundMs(apps: readonly (readonly number[])[], { hasApps }: { readonly hasApps: boolean }): number {
  const needsMs = apps.map((drawn) => latestMs(drawn))
  return hasApps ? Math.max(...needsMs) : latestMs(needsMs)
}

/** When the last of these ends, if they begin as one bucket lets them, the longest first. */
function latestMs(durationsMs: readonly number[]): number {
  const { perSecond, burst } = FLY_RATES.default
  const slowestFirst = durationsMs.toSorted((a, b) => b - a)
  return Math.max(...slowestFirst.map((ms, at) => Math.max(0, ((at + 1 - burst) / perSecond) * 1_000) + ms))
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

const startRow = (what: string, { tookMs, boundMs, hasApps }: Timed): Row => ({
  what,
  ours: seconds(tookMs),
  divisor: `bound ${seconds(boundMs)}: max(${hasApps ? '' : 'app’s turn + '}create’s turn + launch + boot), ${FLY_RATES.default.perSecond}/s burst ${FLY_RATES.default.burst}`,
  ratio: tookMs / boundMs,
  aim: { ratio: 1.15, atMost: true },
})
