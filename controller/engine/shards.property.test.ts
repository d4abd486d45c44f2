/** Many histories of processes that share tenants, under every fault at once: no two ever act for one, and calm brings order. */
import { expect, test } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { preferredSlot } from './rendezvous.ts'
import { createShardWorld, SHARDS, type SimProcess } from './test-shards.ts'

/** In CI a taste; SHARD_HISTORIES=20000 for a night. */
const HISTORIES = Number(process.env['SHARD_HISTORIES'] ?? 40)
const FIRST_SEED = Number(process.env['SHARD_SEED'] ?? 1)
const TROUBLE_MS = 60_000
/** A call that is on its way may arrive so late. */
const STRAGGLERS_MS = 7_000

type Figures = { histories: number; calls: number; kills: number; pauses: number; cuts: number; slowestCalmMs: number }

async function history(seed: number, figures: Figures): Promise<void> {
  const entropy = seededEntropy(seed)
  const luck = (): number => entropy.random()
  let chance = 0.15
  // Half of the histories have clocks that run at 50 % to 150 %, the others true ones.
  const isSkewed = luck() < 0.5
  const world = createShardWorld(luck, { chance: () => chance })
  const { time, between, processes } = world
  const rate = (): number => (isSkewed ? between(0.5, 1.5) : 1)
  const check = (): void => {
    for (const tenant of world.tenants) {
      const acting = world.mayAct(tenant)
      if (acting.length > 1) throw new Error(`EO4 seed ${seed}: ${acting.map(({ id }) => id).join()} act for ${tenant}`)
    }
  }
  const count = 2 + Math.floor(luck() * 3)
  for (let index = 0; index < count; index++) {
    world.spawn(rate(), between(-4e9, 4e9))
    await time.advance(between(0, 3_000), check)
  }
  for (let elapsedMs = 0; elapsedMs < TROUBLE_MS;) {
    disturb(world, { luck, rate, figures })
    const stepMs = between(100, 6_000)
    elapsedMs += stepMs
    await time.advance(stepMs, check)
  }
  chance = 0
  for (const one of processes) Object.assign(one, { isCut: false, isPaused: false })
  world.wake()
  await time.advance(STRAGGLERS_MS, check)
  const alive = processes.filter(({ isKilled, isStopping }) => !isKilled && !isStopping)
  if (alive.length === 0) alive.push(world.spawn(1))
  figures.slowestCalmMs = Math.max(figures.slowestCalmMs, await calm(world, alive, { seed, check }))
  judge(world, seed)
  figures.histories++
  figures.calls += world.journal.length
}

type World = ReturnType<typeof createShardWorld>

function disturb(
  world: World,
  at: { readonly luck: () => number; readonly rate: () => number; readonly figures: Figures },
): void {
  const { luck, figures } = at
  const up = world.processes.filter(({ isKilled }) => !isKilled)
  const one = up[Math.floor(luck() * up.length)]
  const what = luck()
  if (one === undefined || what < 0.1) {
    if (up.length < 5) world.spawn(at.rate(), world.between(-4e9, 4e9))
  } else if (what < 0.2) {
    one.isKilled = true
    figures.kills++
  } else if (what < 0.45) {
    one.isPaused = !one.isPaused
    figures.pauses++
    world.wake()
  } else if (what < 0.7) {
    one.isCut = !one.isCut
    figures.cuts++
  } else if (what < 0.8) {
    one.wallMs += world.between(-4e9, 4e9)
  } else if (what < 0.85) {
    one.isStopping = true
    void one.shards.stop().then(() => (one.isKilled = true))
  }
}

/** True ms until every shard has its one owner, and the one that rendezvous hashing names; 25 s of the slowest clock at most. */
async function calm(
  world: World,
  alive: readonly SimProcess[],
  { seed, check }: { readonly seed: number; readonly check: () => void },
): Promise<number> {
  const startedMs = world.time.monotonic()
  const maxMs = 25_000 / Math.min(...alive.map(({ rate }) => rate), 1)
  let ownedAtMs: number | undefined
  for (let elapsedMs = 0; elapsedMs < maxMs; elapsedMs += 250) {
    await world.time.advance(250, check)
    const isWhole = world.owners().every((owners) => owners === 1)
    ownedAtMs = isWhole ? (ownedAtMs ?? world.time.monotonic()) : undefined
  }
  expect(world.owners(), `seed ${seed}: every shard is owned`).toEqual(Array.from({ length: SHARDS }, () => 1))
  return (ownedAtMs ?? Infinity) - startedMs
}

/** No call overlaps with another process's for the same shard, and epochs never go back. */
function judge({ journal }: World, seed: number): void {
  for (let shard = 0; shard < SHARDS; shard++) {
    const calls = journal.filter((call) => call.shard === shard)
    for (const [index, call] of calls.entries()) {
      const before = calls.slice(0, index).filter(({ process }) => process !== call.process)
      const overlapping = before.find(({ endsMs }) => endsMs > call.beganMs)
      if (overlapping !== undefined)
        throw new Error(`EO4 seed ${seed}: ${JSON.stringify(call)} began within ${JSON.stringify(overlapping)}`)
      if (before.some(({ epoch }) => epoch >= call.epoch))
        throw new Error(`EO8 seed ${seed}: epoch ${call.epoch} of shard ${shard} does not grow`)
    }
  }
}

test(
  'EO3 EO4 EO8 property: whatever fails, no call begins while another may still run; calm brings one owner within 25 s',
  { timeout: HISTORIES * 1_000 + 10_000 },
  async () => {
    const figures: Figures = { histories: 0, calls: 0, kills: 0, pauses: 0, cuts: 0, slowestCalmMs: 0 }
    for (let index = 0; index < HISTORIES; index++) await history(FIRST_SEED + index, figures)
    console.log(
      'sharing under faults:',
      JSON.stringify({ ...figures, slowestCalmMs: Math.round(figures.slowestCalmMs) }),
    )
    expect(figures.calls).toBeGreaterThan(HISTORIES * 10)
  },
)

test('EO10 property: who joins or leaves moves only its own shards, and each gets about its part', () => {
  const shards = Array.from({ length: 320 }, (_, shard) => shard)
  for (let members = 1; members <= 12; members++) {
    const slots = Array.from({ length: members }, (_, slot) => slot)
    const before = shards.map((shard) => preferredSlot(shard, slots))
    const after = shards.map((shard) => preferredSlot(shard, [...slots, members]))
    for (const shard of shards) expect([before[shard], members]).toContain(after[shard])
    const moved = shards.filter((shard) => after[shard] === members).length
    expect(moved).toBeGreaterThan((shards.length / (members + 1)) * 0.5)
    expect(moved).toBeLessThan((shards.length / (members + 1)) * 1.6)
  }
})
