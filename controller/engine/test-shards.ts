/** A small world of processes that share tenants: clocks of their own, pauses, cuts, kills, and a journal of what each did. */
import type { Clock } from '../../system/clock.ts'
import { sleepWith } from '../../system/clock.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { fakeLeases, type LeaseFault } from './fake-leases.ts'
import type { LeasesPort } from './lease.ts'
import { shardOf } from './rendezvous.ts'
import { createShards, type Shards } from './shards.ts'

/** The time that nobody in the world can see; promises settle between two instants. */
export class TrueTime implements Clock {
  #nowMs = 0
  #order = 0
  readonly #timers = new Map<number, { readonly dueMs: number; readonly fire: () => void }>()
  readonly sleep: Clock['sleep'] = sleepWith((delayMs, fire) => this.after(delayMs, fire))

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#nowMs
  }

  after(delayMs: number, fire: () => void): () => void {
    const id = ++this.#order
    this.#timers.set(id, { dueMs: this.#nowMs + Math.max(0, delayMs), fire })
    return () => this.#timers.delete(id)
  }

  /** Fires what is due until then, `onInstant` after each instant. */
  async advance(ms: number, onInstant: () => void): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      let first: number | undefined
      let firstMs = Infinity
      for (const [id, { dueMs }] of this.#timers) if (dueMs < firstMs) [first, firstMs] = [id, dueMs]
      if (first === undefined || firstMs > untilMs) break
      const timer = this.#timers.get(first)
      this.#timers.delete(first)
      this.#nowMs = Math.max(this.#nowMs, firstMs)
      timer?.fire()
      // Longer than any chain of promises between two timers here; if not, a process is just slow.
      for (let turn = 0; turn < 40; turn++) await Promise.resolve()
      onInstant()
    }
    this.#nowMs = untilMs
    onInstant()
  }
}

/** A machine call, in true time: what the provider saw. */
export type JournalEntry = {
  readonly process: number
  readonly shard: number
  readonly epoch: number
  readonly beganMs: number
  endsMs: number
}

export const SHARDS = 10
const TENANTS = Array.from({ length: SHARDS }, (_, shard) => {
  for (let index = 0; ; index++) if (shardOf(`t${index}`, SHARDS) === shard) return `t${index}`
})

/** One process of the world. */
export type SimProcess = {
  readonly id: number
  readonly rate: number
  readonly shards: Shards
  isPaused: boolean
  isKilled: boolean
  isStopping: boolean
  isCut: boolean
  /** Its wall clock is off by so much. */
  wallMs: number
}

/** What the world draws its luck from: numbers from 0 to 1. */
export type Luck = () => number

/** A world; `chance` is how likely a call of the store goes wrong. */
export function createShardWorld(
  luck: Luck,
  options: { readonly chance: () => number; readonly tellFault?: () => LeaseFault },
) {
  const time = new TrueTime()
  const store = fakeLeases(time)
  const journal: JournalEntry[] = []
  const processes: SimProcess[] = []
  const resumed = new Set<() => void>()
  const between = (from: number, to: number): number => from + luck() * (to - from)
  const randomFault = (): LeaseFault =>
    [
      { type: 'refused' },
      { type: 'lost' },
      { type: 'late', ms: between(50, 6_000) },
      { type: 'slow', ms: between(100, 5_000) },
    ][Math.floor(luck() * 4)] as LeaseFault // one of the four

  const spawn = (rate: number, wallMs = 0): SimProcess => {
    const id = processes.length
    const whenAwake = async (): Promise<void> => {
      while (sim.isPaused || sim.isKilled) await new Promise<void>((resolve) => resumed.add(resolve))
    }
    const clock = clockOf(time, {
      rate,
      offsetMs: between(0, 1e6),
      wallMs: () => sim.wallMs,
      isWallFrozen: luck() < 0.2,
      whenAwake,
    })
    const wire = store.portFor({
      clock: time,
      fault: () => (sim.isCut ? { type: 'refused' } : luck() < options.chance() ? randomFault() : undefined),
      lagMs: () => (luck() < 0.1 ? between(0, 4_000) : 0),
      latencyMs: () => between(1, 40),
      hints: () => !sim.isCut && !sim.isKilled && !sim.isPaused && luck() < 0.8,
    })
    const shards = createShards({
      port: awake(wire, whenAwake),
      clock,
      entropy: seededEntropy(id + 1 + Math.floor(luck() * 1e6)),
      log: silentLog,
      namespace: 'sprites-system',
      identity: `p${id}`,
      shardCount: SHARDS,
      leaveMs: 20_000,
    })
    const sim: SimProcess = {
      id,
      rate,
      shards,
      isPaused: false,
      isKilled: false,
      isStopping: false,
      isCut: false,
      wallMs,
    }
    processes.push(sim)
    for (const [shard, tenant] of TENANTS.entries()) void work({ sim, clock, shard, tenant, whenAwake })
    shards.start()
    return sim
  }

  /** Passes for one tenant, one after another; each asks, proves, and makes one call that its lease lets it. */
  const work = async (at: {
    readonly sim: SimProcess
    readonly clock: Clock
    readonly shard: number
    readonly tenant: string
    readonly whenAwake: () => Promise<void>
  }): Promise<void> => {
    const { sim, clock, shard, tenant } = at
    let pass: Promise<void> | undefined
    let abort = new AbortController()
    sim.shards.onChange(({ type, has }) => {
      if (!has(tenant)) return undefined
      if (type === 'lost') abort.abort(new Error('lost'))
      return type === 'leaving' ? pass : undefined
    })
    const once = async (): Promise<void> => {
      await clock.sleep(between(0, 3_000), abort.signal)
      await sim.shards.confirm(tenant)
      await at.whenAwake()
      const leftMs = sim.shards.remainingMs(tenant)
      if (abort.signal.aborted || leftMs < 500) return
      const lastsMs = luck() < 0.2 ? Math.min(4_000, leftMs) : between(50, Math.min(4_000, leftMs))
      const beganMs = time.monotonic()
      const entry = {
        process: sim.id,
        shard,
        epoch: sim.shards.epoch(tenant) ?? -1,
        beganMs,
        endsMs: beganMs + lastsMs / sim.rate,
      }
      journal.push(entry)
      await clock.sleep(lastsMs, abort.signal)
    }
    for (;;) {
      await clock.sleep(between(100, 4_000))
      await at.whenAwake()
      if (!sim.shards.owns(tenant)) continue
      abort = new AbortController()
      pass = once().catch(() => {})
      await pass
      pass = undefined
    }
  }

  const wake = (): void => {
    for (const resume of resumed) resume()
    resumed.clear()
  }
  const owners = (): number[] =>
    TENANTS.map((tenant) => processes.filter((one) => isUp(one) && one.shards.owns(tenant)).length)
  /** Processes that may begin a machine call for a tenant at this instant. */
  const mayAct = (tenant: string): readonly SimProcess[] =>
    processes.filter((one) => isUp(one) && one.shards.remainingMs(tenant) > 0)
  return { time, store, journal, processes, spawn, wake, owners, mayAct, tenants: TENANTS, between }
}

const isUp = ({ isPaused, isKilled }: SimProcess): boolean => !isPaused && !isKilled

/** A process's own clocks: monotonic at its own rate, wall off by whatever; nothing fires while it is stopped. */
function clockOf(
  time: TrueTime,
  own: {
    readonly rate: number
    readonly offsetMs: number
    readonly wallMs: () => number
    readonly isWallFrozen: boolean
    readonly whenAwake: () => Promise<void>
  },
): Clock {
  const after: Clock['after'] = (delayMs, fire) => {
    let isCancelled = false
    const cancel = time.after(delayMs / own.rate, () => {
      void own.whenAwake().then(() => {
        if (!isCancelled) fire()
      })
    })
    return () => {
      isCancelled = true
      cancel()
    }
  }
  return {
    now: () => own.wallMs() + (own.isWallFrozen ? 0 : time.monotonic() * own.rate),
    monotonic: () => own.offsetMs + time.monotonic() * own.rate,
    after,
    sleep: sleepWith(after),
  }
}

/** Answers reach a process only while it runs. */
function awake(port: LeasesPort, whenAwake: () => Promise<void>): LeasesPort {
  const whenBack = async <T>(answer: Promise<T>): Promise<T> => {
    try {
      return await answer
    } finally {
      await whenAwake()
    }
  }
  return {
    get: (...args) => whenBack(port.get(...args)),
    create: (...args) => whenBack(port.create(...args)),
    update: (...args) => whenBack(port.update(...args)),
    list: (...args) => whenBack(port.list(...args)),
    watch: (...args) => port.watch(...args),
  }
}
