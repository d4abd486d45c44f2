/** What a fleet costs in Firestore: operations per sprite-hour, idle and busy, and the month's price at 10,000 sprites. */
import { readFileSync } from 'node:fs'
import { spriteKind, type Sprite } from '../controller/kinds/sprite/schema.ts'
import { tenantKind } from '../controller/kinds/tenant/schema.ts'
import { workKind } from '../controller/kinds/work/schema.ts'
import type { Billed } from './firestore-in-memory.ts'
import { openFirestoreWorld } from './firestore-world.ts'
import type { Row } from './table.ts'

const SPRITES_EACH = 10
const START_SECONDS = 300
const HOUR_SECONDS = 3600
/** How long before the end of the hour the last task is given. */
const LAST_TASK_SECONDS = 300
const HOURS_A_MONTH = 730
const PRICED_SPRITES = 10_000
/** What the naive design costs: a write and a read for each heartbeat, one each 10 s, at the same prices. */
const HEARTBEATS_USD = 6221
/** What an hour of an idle sprite may cost. */
const IDLE_AIM = { writes: 6, reads: 12 }

/** How the fleet spends the hour; a busy sprite does one task, which moves it to Working and back. */
const PROFILES = ['asleep', 'idle', 'busy'] as const
type Profile = (typeof PROFILES)[number]

type Prices = { readonly per: number; readonly reads: number; readonly writes: number; readonly deletes: number }

/** Operations that Firestore bills in one hour of a fleet, for one process. */
export async function hourOf(profile: Profile, sprites: number): Promise<Billed> {
  const world = await openFirestoreWorld()
  try {
    const tenants = Array.from({ length: sprites / SPRITES_EACH }, (_, index) => `tenant-${index}`)
    for (const name of tenants) {
      const spec = { displayName: name, plan: 'enterprise', config: {}, brand: {}, suspend: false }
      await world.settled(world.client.create(tenantKind, { metadata: { name }, spec }))
    }
    await world.run(10)
    const runPolicy: Sprite['spec']['runPolicy'] = profile === 'asleep' ? 'OnDemand' : 'Always'
    for (const namespace of tenants)
      for (let at = 0; at < SPRITES_EACH; at++) {
        const metadata = { name: `s${at}`, namespace }
        await world.settled(world.client.create(spriteKind, { metadata, spec: { agentType: 'copywriter', runPolicy } }))
      }
    await world.run(START_SECONDS)
    const wanted = profile === 'asleep' ? 'Stopped' : 'Idle'
    const found = world.manager.cache.list(spriteKind).filter(({ status }) => status?.phase === wanted).length
    if (found !== sprites) throw new Error(`Only ${found} sprites are ${wanted}`)
    const hour = (round: number): Promise<void> =>
      profile === 'busy' ? work(world, { tenants, round }) : world.run(HOUR_SECONDS)
    // In the hour after the first one, what happened in it expires: as it is in every hour that follows.
    await hour(1)
    const before = { ...world.billed }
    await hour(2)
    const { reads, writes, deletes } = world.billed
    return { reads: reads - before.reads, writes: writes - before.writes, deletes: deletes - before.deletes }
  } finally {
    await world.close()
  }
}

type World = Awaited<ReturnType<typeof openFirestoreWorld>>

/** One task a sprite, each tenant's at another time of the hour. */
async function work(
  world: World,
  { tenants, round }: { readonly tenants: readonly string[]; readonly round: number },
): Promise<void> {
  const endMs = world.clock.monotonic() + HOUR_SECONDS * 1000
  for (const [index, namespace] of tenants.entries()) {
    for (let at = 0; at < SPRITES_EACH; at++) {
      const metadata = { name: `w${round}-${at}`, namespace }
      const task = { type: 'write_copy', description: 'Write', priority: 0, maxAttempts: 3, cancelled: false }
      await world.settled(world.client.create(workKind, { metadata, spec: { ...task, sprite: `s${at}` } }))
    }
    const leftSeconds = (endMs - world.clock.monotonic()) / 1000 - LAST_TASK_SECONDS
    await world.run(Math.floor(leftSeconds / (tenants.length - index)))
  }
  await world.run((endMs - world.clock.monotonic()) / 1000)
  const done = world.manager.cache.list(workKind).filter(({ status }) => status?.phase === 'Completed').length
  if (done !== round * tenants.length * SPRITES_EACH) throw new Error(`Only ${done} tasks are completed`)
}

/** The price of operations, in the file's currency. */
export const priceOf = (billed: Billed, prices: Prices): number =>
  (billed.reads * prices.reads + billed.writes * prices.writes + billed.deletes * prices.deletes) / prices.per

/** What a fleet of another size costs: what two sizes have in common is the process's own, the rest is by sprite. */
export function extrapolated(
  small: Billed,
  large: Billed,
  sizes: { small: number; large: number; wanted: number },
): Billed {
  const of = (field: keyof Billed): number => {
    const each = (large[field] - small[field]) / (sizes.large - sizes.small)
    return large[field] + each * (sizes.wanted - sizes.large)
  }
  return { reads: of('reads'), writes: of('writes'), deletes: of('deletes') }
}

/** How many sprites are run: what is held to an aim as many as the promise names, the rest as few as tell. */
const SIZES: Readonly<Record<Profile, { readonly small: number; readonly large: number }>> = {
  asleep: { small: 100, large: 1_000 },
  idle: { small: 100, large: 1_000 },
  busy: { small: 50, large: 150 },
}

/** Rows for each profile: writes and reads per sprite-hour against their aims, and the price of a month. */
export async function benchFirestoreCost(): Promise<Row[]> {
  const prices: Prices = JSON.parse(readFileSync(new URL('firestore-prices.json', import.meta.url), 'utf8'))
  const rows: Row[] = []
  for (const profile of PROFILES) {
    const { small, large } = SIZES[profile]
    const [fewer, billed] = [await hourOf(profile, small), await hourOf(profile, large)]
    const perHour = extrapolated(fewer, billed, { small, large, wanted: PRICED_SPRITES })
    const dollars = priceOf(perHour, prices) * HOURS_A_MONTH
    const aims = profile === 'busy' ? undefined : IDLE_AIM
    for (const field of ['writes', 'reads'] as const)
      rows.push({
        what: `firestore ${field}, ${profile}, 1 h`,
        ours: `${billed[field]} (${billed.deletes} deletes)`,
        divisor: `${large} sprites`,
        ratio: billed[field] / large,
        ...(aims === undefined ? {} : { aim: { ratio: aims[field], atMost: true } }),
      })
    rows.push({
      what: `firestore, ${profile}, a month of ${PRICED_SPRITES} sprites`,
      ours: `${dollars.toFixed(0)} USD`,
      divisor: `heartbeats in it ${HEARTBEATS_USD} USD`,
      ratio: dollars / HEARTBEATS_USD,
    })
  }
  return rows
}
