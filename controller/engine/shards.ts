/** Shares the tenants among several processes: member and shard leases, held, handed over and taken over (docs/spec/engine.md, EO). */
import { assert } from '../../system/assert.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { microTimestamp } from '../../system/timestamp.ts'
import { Doorbell } from './doorbell.ts'
import type { Lease, LeasesPort } from './lease.ts'
import { CLOCK_RATIO, isRace, Membership, MEMBER_TIMES, tryMs, type MemberTimes } from './membership.ts'
import { OwnershipListeners } from './ownership-listeners.ts'
import type { Ownership, OwnershipListener } from './ownership.ts'
import { SHARD_COUNT, shardOf } from './rendezvous.ts'
import { takeIn, takeInOne, type Life, type Sightings } from './shard-leases.ts'
import {
  decideShards,
  isWrite,
  type LeaseWrite,
  type ShardDecision,
  type ShardPhase,
  type ShardStep,
} from './shards-decide.ts'
import { untilAborted } from './until-aborted.ts'

/** What sharing needs of the process. */
export type ShardsOptions = {
  readonly port: LeasesPort
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  /** Namespace of the leases: the system's. */
  readonly namespace: string
  /** What people know this process by: a host's or pod's name; each life adds something of its own. */
  readonly identity: string
  /** Stands before the leases' names; default `sprites`. */
  readonly prefix?: string
  /** The same in all processes and for good; default 32. */
  readonly shardCount?: number
  /** Default: lease 15 s, deadline 10 s, retry 2 s, renewed every 5 s. */
  readonly times?: MemberTimes
  /** Ms that passes get to end when a shard is handed over, before they are cut off; default 60,000. */
  readonly leaveMs?: number
  /** Ms that `stop` takes at most; default 10,000. */
  readonly stopMs?: number
}

/** A process's share of the tenants, and its life as a member. */
export interface Shards extends Ownership {
  /** Joins; shards come as they fall to this process. */
  start(): void
  /** Gives everything back, so that others go on at once. Passes must have ended before, or are waited for. */
  stop(): Promise<void>
  /** Resolves when every shard that falls to this process is held; rejects with the signal's reason. */
  whenReady(signal?: AbortSignal): Promise<void>
  /** The shards that are held now, in order. */
  readonly held: readonly number[]
}

/** Leases hold a 32-bit number. */
const EPOCH_MAX = 2 ** 31 - 2
const LEAVE_MS = 60_000
const STOP_MS = 10_000
/** Hints of changes come in bursts: between two looks there is so much at least. */
const LOOK_GAP_MS = 200
/** Writes under way at once; no more shards wait for theirs, so that each is without an owner for a short time. */
const WRITES_MAX = 8

/** Builds a member; nothing runs before `start`. */
export const createShards = (options: ShardsOptions): Shards => new SharedShards(options)

type Local = { epoch: number; phase: ShardPhase; isClosed: boolean }

class SharedShards implements Shards {
  readonly #options: Required<ShardsOptions>
  readonly #membership: Membership
  readonly #listeners: OwnershipListeners
  readonly #local = new Map<number, Local>()
  readonly #surrendered = new Map<number, number>()
  readonly #floors = new Map<number, number>()
  readonly #ended = new AbortController()
  readonly #bell: Doorbell
  readonly #ready = Promise.withResolvers<void>()
  #sightings: Sightings = new Map()
  #strays: ReadonlyMap<number, number> = new Map()
  #listDueMs = -Infinity
  #isStopping = false
  #isOutageTold = false
  #unwatch: () => void = () => {}
  #running: Promise<void> | undefined

  constructor(options: ShardsOptions) {
    const defaults = {
      prefix: 'sprites',
      shardCount: SHARD_COUNT,
      times: MEMBER_TIMES,
      leaveMs: LEAVE_MS,
      stopMs: STOP_MS,
    }
    this.#options = { ...defaults, ...options }
    assert(this.#options.shardCount >= 1 && this.#options.shardCount <= 1_000, 'Give 1 to 1,000 shards')
    this.#listeners = new OwnershipListeners((tenant) => this.#shardOf(tenant), options.log)
    this.#bell = new Doorbell(options.clock, LOOK_GAP_MS)
    this.#membership = new Membership({
      ...this.#options,
      seen: () => this.#sightings,
      see: (lease) => this.#see(lease),
      isLeaving: () => this.#isStopping,
      onLapse: () => this.#dropAll(false),
      onEnd: () => this.#dropAll(true),
    })
  }

  get held(): readonly number[] {
    if (!this.#membership.isCurrent) return []
    return [...this.#local].flatMap(([shard, { phase }]) => (phase === 'held' ? [shard] : [])).sort((a, b) => a - b)
  }

  owns(tenant: string): boolean {
    return this.#membership.isCurrent && this.#of(tenant)?.phase === 'held'
  }

  remainingMs(tenant: string | undefined): number {
    if (tenant === undefined) return Infinity
    const local = this.#of(tenant)
    return local === undefined || local.isClosed ? 0 : this.#membership.actMs()
  }

  confirm(tenant: string | undefined): Promise<void> {
    return tenant === undefined || this.#of(tenant) === undefined ? Promise.resolve() : this.#membership.confirm()
  }

  epoch(tenant: string): number | undefined {
    return this.#membership.isCurrent ? this.#of(tenant)?.epoch : undefined
  }

  outgrow(tenant: string, epoch: number): void {
    const shard = this.#shardOf(tenant)
    const local = this.#local.get(shard)
    if (local === undefined || local.phase !== 'held' || local.epoch > epoch || epoch >= EPOCH_MAX) return
    this.#options.log.warn(
      { shard, epoch: local.epoch, recorded: epoch },
      'A newer epoch of the shard is recorded: taking it anew',
    )
    this.#floors.set(shard, epoch)
    this.#surrendered.set(shard, local.epoch)
    this.#lose([shard])
    this.#bell.ring()
  }

  onChange(listener: OwnershipListener): () => void {
    return this.#listeners.add(listener)
  }

  start(): void {
    if (this.#running !== undefined) return
    this.#unwatch = this.#options.port.watch(this.#options.namespace, (lease) => this.#hear(lease))
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    const { clock, stopMs } = this.#options
    this.#isStopping = true
    this.#bell.ring()
    const cancel = clock.after(stopMs, () => this.#ended.abort(new Error('Stopped')))
    if (this.#running === undefined) this.#ended.abort(new Error('Stopped'))
    await this.#running
    cancel()
    this.#unwatch()
    this.#dropAll(true)
    this.#membership.close()
  }

  whenReady(signal?: AbortSignal): Promise<void> {
    return signal === undefined ? this.#ready.promise : untilAborted(this.#ready.promise, signal)
  }

  #shardOf(tenant: string): number {
    return shardOf(tenant, this.#options.shardCount)
  }

  #of(tenant: string): Local | undefined {
    return this.#local.get(this.#shardOf(tenant))
  }

  #see(lease: Lease): void {
    this.#sightings = takeInOne(this.#sightings, lease, this.#options.clock.monotonic())
  }

  /** Renewals of others are noted; what changes who has what is acted on. */
  #hear(lease: Lease | undefined): void {
    if (lease === undefined) {
      this.#listDueMs = -Infinity
      this.#bell.ring()
      return
    }
    if (!lease.metadata.name.startsWith(`${this.#options.prefix}-`)) return
    const before = this.#sightings.get(lease.metadata.name)?.lease.spec
    this.#see(lease)
    const { holderIdentity, leaseTransitions } = lease.spec
    if (before?.holderIdentity !== holderIdentity || before?.leaseTransitions !== leaseTransitions) this.#bell.ring()
  }

  async #run(): Promise<void> {
    const { clock, log, times } = this.#options
    while (!this.#ended.signal.aborted) {
      this.#bell.reset()
      const startedMs = clock.monotonic()
      let waitMs = 0
      try {
        const dueMs = Math.min(await this.#look(), this.#listDueMs, this.#membership.dueMs)
        if (this.#isStopping && this.#local.size === 0 && (await this.#membership.giveBack())) return
        waitMs = dueMs - clock.monotonic()
        if (this.#isOutageTold) log.info({}, 'The leases answer again')
        this.#isOutageTold = false
      } catch (error) {
        this.#listDueMs = -Infinity
        if (!isRace(error)) waitMs = startedMs + times.retryMs - clock.monotonic()
        if (!isRace(error) && !this.#ended.signal.aborted) this.#tellOutage(error)
      }
      await this.#bell.rest(waitMs, this.#ended.signal)
    }
  }

  /** Once, however long it lasts: what follows from it is told by itself. */
  #tellOutage(error: unknown): void {
    const level = this.#isOutageTold ? 'debug' : 'warn'
    this.#isOutageTold = true
    this.#options.log[level]({ error: String(error) }, 'Cannot renew or share the leases, trying on: look at the store')
  }

  /** One look at all leases and what follows from it; when to look again at the latest, in monotonic ms. */
  async #look(): Promise<number> {
    const { clock, times, prefix } = this.#options
    const timeout = new AbortController()
    const cancel = clock.after(tryMs(times), () => timeout.abort(new Error('The leases did not answer')))
    const signal = AbortSignal.any([timeout.signal, this.#ended.signal])
    try {
      if (clock.monotonic() >= this.#membership.dueMs) await this.#membership.renew()
      if (clock.monotonic() >= this.#listDueMs) {
        const list = await this.#options.port.list(this.#options.namespace, signal)
        this.#sightings = takeIn(this.#sightings, list, { prefix, nowMs: clock.monotonic() })
        this.#listDueMs = clock.monotonic() + times.renewMs
        this.#membership.noteLook()
      }
      if (!(await this.#membership.ensure(signal))) return 0
      return await this.#act(signal)
    } finally {
      cancel()
    }
  }

  /** Does what is decided; twice where a member was fenced, whose shards are then free. */
  async #act(signal: AbortSignal): Promise<number> {
    for (let turn = 0; ; turn++) {
      const { life } = this.#membership
      if (life === undefined || !this.#membership.isCurrent) return 0
      const decision = this.#decide(life)
      this.#strays = decision.strays
      this.#note(decision.steps)
      // A part at a time: between two, the member lease is renewed when that is due.
      const writes = decision.steps.filter(isWrite).slice(0, WRITES_MAX)
      await this.#write(writes, { life, signal })
      if (writes.some((write) => write.do === 'fence') && turn < 2) continue
      if (writes.every((write) => write.do !== 'take')) this.#ready.resolve()
      return writes.length > 0 ? 0 : decision.dueMs
    }
  }

  #decide(self: Life): ShardDecision {
    const { clock, times, prefix, shardCount } = this.#options
    return decideShards({
      prefix,
      shardCount,
      sightings: this.#sightings,
      self,
      isStopping: this.#isStopping,
      local: this.#local,
      surrendered: this.#surrendered,
      floors: this.#floors,
      strays: this.#strays,
      nowMs: clock.monotonic(),
      now: microTimestamp(clock.now()),
      leaseMs: times.leaseMs,
    })
  }

  /** What needs no write. */
  #note(steps: readonly ShardStep[]): void {
    const gained: number[] = []
    for (const step of steps) {
      if (step.do === 'lose') this.#lose([step.shard])
      if (step.do === 'leave' && this.#leaving < WRITES_MAX) void this.#leave(step.shard, step.epoch)
      if (step.do !== 'gain' && step.do !== 'resume') continue
      const epoch = step.do === 'gain' ? step.epoch : this.#local.get(step.shard)?.epoch
      if (epoch === undefined) continue
      this.#local.set(step.shard, { epoch, phase: 'held', isClosed: false })
      gained.push(step.shard)
    }
    this.#gain(gained)
  }

  async #write(steps: readonly ShardStep[], at: { readonly life: Life; readonly signal: AbortSignal }): Promise<void> {
    const gained: number[] = []
    const failures: unknown[] = []
    const writeOne = async (step: ShardStep): Promise<void> => {
      try {
        if (step.do === 'fence') await this.#fence(step, at.signal)
        if (step.do === 'release') await this.#release(step, at.signal)
        if (step.do === 'take' && (await this.#take(step, at))) gained.push(step.shard)
      } catch (error) {
        // Somebody was faster: the next look shows who.
        if (!isRace(error)) failures.push(error)
      }
    }
    await Promise.all(steps.map(writeOne))
    this.#gain(gained)
    if (failures.length > 0) throw failures[0]
  }

  async #fence(step: LeaseWrite, signal: AbortSignal): Promise<void> {
    const { port, log } = this.#options
    const { name: lease, old, spec } = step
    if (old === undefined) return
    this.#see(await port.update(old, spec, signal))
    log.warn({ lease, holder: old.spec.holderIdentity }, 'A member fell silent: its shards go to others')
  }

  /** Whether the shard is ours: the answer may come when this life is over. */
  async #take(
    step: LeaseWrite & { readonly shard: number },
    { life, signal }: { readonly life: Life; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { port, namespace } = this.#options
    const { old, name, spec } = step
    this.#see(
      old === undefined ? await port.create(namespace, name, spec, signal) : await port.update(old, spec, signal),
    )
    if (this.#membership.life !== life || !this.#membership.isCurrent) return false
    this.#local.set(step.shard, { epoch: spec.leaseTransitions, phase: 'held', isClosed: false })
    return true
  }

  /** Never ours again under this epoch, whatever becomes of the write: it may arrive late. */
  async #release(step: LeaseWrite & { readonly shard: number }, signal: AbortSignal): Promise<void> {
    if (step.old === undefined) return
    this.#surrendered.set(step.shard, step.spec.leaseTransitions)
    this.#local.delete(step.shard)
    this.#see(await this.#options.port.update(step.old, step.spec, signal))
  }

  /** Lets what runs end, cuts it off when that takes too long, and then lets the shard go. */
  async #leave(shard: number, epoch: number): Promise<void> {
    const { clock, log, leaveMs, times } = this.#options
    const local: Local = { epoch, phase: 'leaving', isClosed: false }
    this.#local.set(shard, local)
    const isStill = (): boolean => this.#local.get(shard) === local
    const timer = new AbortController()
    let isLate = false
    const late = clock.sleep(leaveMs, AbortSignal.any([timer.signal, this.#ended.signal])).then(
      () => (isLate = true),
      () => {},
    )
    await Promise.race([this.#listeners.tell('leaving', [shard]), late])
    timer.abort()
    if (isLate && isStill()) {
      log.warn({ shard, leaveMs }, 'Passes of a shard that is given up do not end: cutting them off')
      local.isClosed = true
      void this.#listeners.tell('lost', [shard])
      await clock.sleep(times.leaseMs / CLOCK_RATIO, this.#ended.signal).catch(() => {})
    }
    if (!isStill()) return
    local.phase = 'drained'
    this.#bell.ring()
  }

  #gain(shards: readonly number[]): void {
    if (shards.length === 0) return
    this.#options.log.info({ shards, held: this.held.length }, 'Shards gained')
    void this.#listeners.tell('gained', shards)
  }

  get #leaving(): number {
    return [...this.#local.values()].filter(({ phase }) => phase !== 'held').length
  }

  #lose(shards: readonly number[]): void {
    const lost = shards.filter((shard) => this.#local.delete(shard))
    if (lost.length === 0) return
    this.#options.log.warn({ shards: lost, held: this.held.length }, 'Shards lost')
    void this.#listeners.tell('lost', lost)
  }

  #dropAll(isLifeOver: boolean): void {
    this.#lose([...this.#local.keys()])
    // The next life has another name, so what the leases say of this one cannot be taken for it.
    if (isLifeOver) this.#surrendered.clear()
  }
}
