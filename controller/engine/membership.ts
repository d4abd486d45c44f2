/** One process's member lease: joined, renewed, proven, and known to be over when somebody fenced it (docs/spec/engine.md, EO). */
import { hasReason } from '../api/errors.ts'
import { assert } from '../../system/assert.ts'
import type { CancelTimer, Clock } from '../../system/clock.ts'
import { randomHex, type Entropy } from '../../system/entropy.ts'
import type { Log } from '../../system/log.ts'
import { microTimestamp } from '../../system/timestamp.ts'
import type { Lease, LeasesPort } from './lease.ts'
import { renewTimeOf } from './lease-decide.ts'
import { memberName, membersOf, type Life, type Member, type Sightings } from './shard-leases.ts'
import { decideJoin, memberSpec } from './shards-decide.ts'

/** The times of a member lease, in ms. */
export type MemberTimes = {
  /** After so long without a change others may take it for dead. */
  readonly leaseMs: number
  /** After so long without a renewal nothing is begun any more. */
  readonly renewDeadlineMs: number
  /** Between tries when one failed. */
  readonly retryMs: number
  /** Between renewals when all is well: each is a write that is paid for. */
  readonly renewMs: number
}

/** client-go's numbers, and a renewal each 5 s while all is well. */
export const MEMBER_TIMES: MemberTimes = {
  leaseMs: 15_000,
  renewDeadlineMs: 10_000,
  retryMs: 2_000,
  renewMs: 5_000,
}

/**
 * How much faster than ours another's clock may run: 1.5 against 0.5. The outside world is changed only within the
 * lease divided by this, so that even then nobody has taken the lease for over.
 */
export const CLOCK_RATIO = 3
/** Slots that are left out at once; then all are tried again. */
const REFUSED_MAX = 8
/** A proof younger than this is as good as a new one. */
const PROOF_MS = 1_000

/** How long one try may take: there must be time for a second one. */
export const tryMs = ({ renewDeadlineMs, renewMs }: MemberTimes): number => (renewDeadlineMs - renewMs) * 0.8

/** What a membership needs of the process, and whom it tells. */
export type MembershipOptions = {
  readonly port: LeasesPort
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly namespace: string
  readonly prefix: string
  readonly identity: string
  readonly times: MemberTimes
  readonly seen: () => Sightings
  readonly see: (lease: Lease) => void
  readonly isLeaving: () => boolean
  /** Not renewed in time: nothing may be begun until it is. */
  readonly onLapse: () => void
  /** Fenced, or gone: this life is over. */
  readonly onEnd: () => void
}

/** Whether somebody else was faster. */
export const isRace = (error: unknown): boolean => hasReason(error, 'Conflict', 'AlreadyExists', 'NotFound')

/** The life of a member, and the next one when it is over. */
export class Membership {
  readonly #options: MembershipOptions
  readonly #closed = new AbortController()
  #life: Life | undefined
  /** A join that was sent and not answered. */
  #attempt: { readonly identity: string; readonly sentMs: number } | undefined
  /** Slots that look free and refuse to be taken, by when they first did so, in monotonic ms. */
  readonly #refused = new Map<number, number>()
  #renewedAtMs = -Infinity
  #lookedAtMs = -Infinity
  #renewing: Promise<void> | undefined
  #cancelLapse: CancelTimer = () => {}
  #hasSaidSo = false

  constructor(options: MembershipOptions) {
    this.#options = options
    const { retryMs, renewMs, renewDeadlineMs, leaseMs } = options.times
    assert(
      Math.max(retryMs, renewMs) < renewDeadlineMs && renewDeadlineMs < leaseMs,
      'Give retryMs and renewMs < renewDeadlineMs < leaseMs',
    )
  }

  /** The life under way; undefined before the first and between two. */
  get life(): Life | undefined {
    return this.#life
  }

  /** Whether passes may begin. */
  get isCurrent(): boolean {
    return this.#life !== undefined && this.#elapsedMs() < this.#options.times.renewDeadlineMs
  }

  /** When the next renewal is due, in monotonic ms; at once where others are to know that it leaves. */
  get dueMs(): number {
    if (this.#life === undefined || (this.#options.isLeaving() && !this.#hasSaidSo)) return -Infinity
    return this.#renewedAtMs + this.#options.times.renewMs
  }

  /** Ms within which what begins now must be over. */
  actMs(): number {
    if (this.#life === undefined) return 0
    return Math.max(0, this.#options.times.leaseMs / CLOCK_RATIO - this.#elapsedMs())
  }

  /** Renews unless that was done a moment ago; never rejects, and waits no longer than the proof could serve. */
  async confirm(): Promise<void> {
    if (this.#life === undefined || this.#elapsedMs() <= PROOF_MS) return
    const { clock, times } = this.#options
    const timer = new AbortController()
    const tooLate = clock.sleep(times.leaseMs / CLOCK_RATIO, timer.signal)
    await Promise.race([this.renew(), tooLate]).catch(() => {})
    timer.abort()
    await tooLate.catch(() => {})
  }

  /** One renewal at a time. Throws ApiError; a life that is found to be over is ended. */
  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  /** The leases could be listed: who cannot see is not kept alive, so that others take over. */
  noteLook(): void {
    this.#lookedAtMs = this.#options.clock.monotonic()
  }

  /** Joins where there is no life, ends one that the leases say is over; whether there is one. */
  async ensure(signal: AbortSignal): Promise<boolean> {
    if (this.#life !== undefined && !this.#isNamed(this.#life)) this.#end()
    if (this.#life !== undefined) return true
    if (this.#adopt()) return true
    if (this.#options.isLeaving()) return false
    await this.#join(signal)
    return true
  }

  /** Gives the lease back; whether there is none any more. */
  async giveBack(): Promise<boolean> {
    const { port, clock, times } = this.#options
    const life = this.#life
    const lease = life === undefined ? undefined : this.#leaseOf(life)
    this.#end()
    if (life === undefined || lease === undefined) return true
    const timeout = new AbortController()
    const cancel = clock.after(times.retryMs, () => timeout.abort(new Error('The lease did not answer')))
    const spec = { ...lease.spec, holderIdentity: '', leaseTransitions: life.epoch + 1 }
    // Not given back, it ends by itself; nobody is harmed but by the wait.
    await port
      .update(lease, spec, timeout.signal)
      .catch((error: unknown) => this.#options.log.warn({ error: String(error) }, 'Cannot give the member lease back'))
    cancel()
    return true
  }

  /** Leaves no timer and no renewal under way. */
  close(): void {
    this.#closed.abort(new Error('Stopped'))
    this.#end()
  }

  #elapsedMs(): number {
    return this.#options.clock.monotonic() - this.#renewedAtMs
  }

  #leaseOf(life: Life): Lease | undefined {
    return this.#options.seen().get(memberName(this.#options.prefix, life.slot))?.lease
  }

  #member(slot: number): Member | undefined {
    return membersOf(this.#options.seen(), this.#options.prefix).find((member) => member.slot === slot)
  }

  #isNamed(life: Life): boolean {
    const member = this.#member(life.slot)
    return member?.identity === life.identity && member.epoch === life.epoch
  }

  async #renew(): Promise<void> {
    const { clock, times } = this.#options
    const life = this.#life
    // Who has not seen the others for so long neither shares nor gives up: it is better off dead.
    if (life === undefined || clock.monotonic() - this.#lookedAtMs >= times.leaseMs) return
    const timeout = new AbortController()
    const cancel = clock.after(tryMs(times), () => timeout.abort(new Error('The lease did not answer')))
    try {
      await this.#renewLife(life, AbortSignal.any([timeout.signal, this.#closed.signal]))
    } finally {
      cancel()
    }
  }

  async #renewLife(life: Life, signal: AbortSignal): Promise<void> {
    const { port, clock, namespace } = this.#options
    for (let attempt = 0; attempt < 2; attempt++) {
      const old = this.#leaseOf(life)
      if (old === undefined || !this.#isNamed(life)) return this.#end()
      const sentMs = clock.monotonic()
      try {
        const isLeaving = this.#options.isLeaving()
        this.#options.see(await port.update(old, this.#spec(life, { old, isLeaving }), signal))
        this.#hasSaidSo = isLeaving
        if (this.#life === life) this.#hold(sentMs)
        return
      } catch (error) {
        if (!isRace(error)) throw error
      }
      // Ours, when an answer was lost; somebody else's, when we were fenced.
      const found = await port.get(namespace, memberName(this.#options.prefix, life.slot), signal)
      if (found === undefined) return this.#end()
      this.#options.see(found)
    }
  }

  #spec(life: Life, write: { readonly old: Lease; readonly isLeaving: boolean }): ReturnType<typeof memberSpec> {
    const { clock, times } = this.#options
    return memberSpec({ ...write, life, now: renewTimeOf(clock.now(), write.old.spec), leaseMs: times.leaseMs })
  }

  async #join(signal: AbortSignal): Promise<void> {
    const { port, clock, entropy, namespace, prefix, times, seen, log } = this.#options
    const identity = this.#attempt?.identity ?? `${this.#options.identity}_${randomHex(entropy, 4)}`
    const join = decideJoin({
      prefix,
      sightings: seen(),
      identity,
      now: microTimestamp(clock.now()),
      leaseMs: times.leaseMs,
      unreadable: this.#unreadable(),
    })
    assert(join, 'Cannot join: every slot of a member is taken')
    const { old, name, spec, life } = join
    const sentMs = clock.monotonic()
    // Whichever try is the one that arrives, it was not sent before the first.
    this.#attempt ??= { identity, sentMs }
    const sent = old === undefined ? port.create(namespace, name, spec, signal) : port.update(old, spec, signal)
    const lease = await sent.catch((error: unknown) => {
      if (hasReason(error, 'InternalError', 'AlreadyExists')) this.#noteRefusal(life.slot)
      throw error
    })
    this.#refused.clear()
    this.#options.see(lease)
    this.#begin(life, sentMs)
    log.info({ lease: name, identity }, 'A member now')
  }

  #noteRefusal(slot: number): void {
    if (this.#refused.size >= REFUSED_MAX) this.#refused.clear()
    if (!this.#refused.has(slot)) this.#refused.set(slot, this.#options.clock.monotonic())
  }

  /** A lease that is there would have been listed by now: what lies there is none, and nobody can write it. */
  #unreadable(): ReadonlySet<number> {
    const { clock, times } = this.#options
    const sinceMs = clock.monotonic() - times.leaseMs / CLOCK_RATIO
    return new Set([...this.#refused].filter(([, atMs]) => atMs <= sinceMs).map(([slot]) => slot))
  }

  /** A join whose answer was lost is found in the list. */
  #adopt(): boolean {
    const { seen, prefix } = this.#options
    const { identity, sentMs } = this.#attempt ?? {}
    const member = membersOf(seen(), prefix).find((one) => one.identity === identity)
    if (member === undefined || identity === undefined || sentMs === undefined) return false
    this.#begin({ slot: member.slot, epoch: member.epoch, identity }, sentMs)
    return true
  }

  #begin(life: Life, sentMs: number): void {
    this.#attempt = undefined
    this.#life = life
    this.#renewedAtMs = -Infinity
    this.#hold(sentMs)
  }

  /** Counts from before the renewal was sent: others count from when they see it written, which is later. */
  #hold(sentMs: number): void {
    const { clock, times } = this.#options
    this.#renewedAtMs = Math.max(this.#renewedAtMs, sentMs)
    this.#cancelLapse()
    const leftMs = this.#renewedAtMs + times.renewDeadlineMs - clock.monotonic()
    this.#cancelLapse = clock.after(Math.max(0, leftMs), () => this.#options.onLapse())
  }

  #end(): void {
    if (this.#life === undefined) return
    const { log, onEnd } = this.#options
    log.info({ slot: this.#life.slot, identity: this.#life.identity }, 'No longer a member')
    this.#cancelLapse()
    this.#life = undefined
    this.#renewedAtMs = -Infinity
    onEnd()
  }
}
