/** Holds calls back to Fly's documented rates, one lane per action and app or machine; the heavier plan goes first, nobody starves. */
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import { ProviderError } from '../machines.ts'
import type { FlyAction } from './classify.ts'
import {
  drain,
  FLY_DELETE_APP_RATE,
  FLY_GET_RATE,
  FLY_RATE,
  fullBucket,
  refill,
  take,
  TRIP_MS,
  untilToken,
  type Bucket,
  type BucketRate,
} from './token-bucket.ts'

/** Who asks for a turn. */
export type TurnAsk = {
  readonly action: FlyAction
  /** What it is counted by: the app, or the app and the machine, or the organization. */
  readonly subject: string
  /** Who comes back under the same name keeps its place in time; default: everybody is new. */
  readonly claimant?: string | undefined
  /** Weight of the plan; default 1. */
  readonly priority?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Whose turn it is: asked before every request. */
export interface Pace {
  /** Resolves when the call may be sent; RateLimited (with retryAfterMs) when that is further off than the limit. */
  turn(ask: TurnAsk): Promise<void>
  /** The provider has answered 429: nothing of this kind is sent for so long (default 2 s), then at half the rate for a minute. */
  slowDown(ask: Pick<TurnAsk, 'action' | 'subject'>, forMs?: number): void
}

/** Nobody waits longer, which is for two others at one a second: a mutation must not leave long after its caller's lease was checked. */
const WAIT_MS_MAX = 2_000 + TRIP_MS
const LANES_MAX = 20_000
const SLOW_DOWN_MS = 2_000
const HALVED_MS = 60_000
/** So much earlier than it came does a call count for each point of its priority; this also bounds how long a light one is passed by. */
const HEAD_START_MS = 1_000
const CLAIMS_MAX = 1_000
const CLAIM_MS = 60_000

/** Those that have a rate of their own. */
const RATES: Partial<Readonly<Record<FlyAction, BucketRate>>> = { get: FLY_GET_RATE, deleteApp: FLY_DELETE_APP_RATE }

/** A pace that never waits: for the emulator, which has no limit. */
export const unpaced: Pace = { turn: async () => {}, slowDown: () => {} }

/** Fly's own pace. */
export const createPace = (clock: Clock): Pace => {
  const lanes = new Map<string, Lane>()
  const laneOf = ({ action, subject }: Pick<TurnAsk, 'action' | 'subject'>): Lane => {
    const key = `${action} ${subject}`
    const known = lanes.get(key)
    if (known !== undefined) return known
    // A lane at rest says nothing that its absence does not.
    if (lanes.size >= LANES_MAX) for (const [other, lane] of lanes) if (lane.isAtRest()) lanes.delete(other)
    const lane = new Lane(clock, {
      rate: RATES[action] ?? FLY_RATE,
      what: `${action} of "${subject}"`,
    })
    lanes.set(key, lane)
    return lane
  }
  return {
    turn: (ask) => laneOf(ask).turn(ask),
    slowDown: (ask, forMs = SLOW_DOWN_MS) => laneOf(ask).slowDown(forMs),
  }
}

type Waiter = {
  readonly sinceMs: number
  /** The smaller goes first. */
  readonly rank: number
  readonly claimant: string | undefined
  readonly go: () => void
  readonly giveUp: (error: ProviderError) => void
}

type Claim = { readonly sinceMs: number; readonly seenMs: number }

/** One bucket and those who wait for its next token. */
class Lane {
  readonly #clock: Clock
  readonly #fullRate: BucketRate
  readonly #what: string
  /** Since when those who have had no turn yet ask for one; the longest unseen stands first. */
  readonly #claims = new Map<string, Claim>()
  #bucket: Bucket
  #halvedUntilMs = -Infinity
  #waiting: readonly Waiter[] = []
  #cancel: CancelTimer | undefined

  constructor(clock: Clock, { rate, what }: { readonly rate: BucketRate; readonly what: string }) {
    this.#clock = clock
    this.#fullRate = rate
    this.#what = what
    this.#bucket = fullBucket(rate, clock.monotonic())
  }

  isAtRest(): boolean {
    this.#refill()
    this.#forgetClaims()
    return this.#waiting.length === 0 && this.#claims.size === 0 && this.#bucket.tokens >= this.#fullRate.burst
  }

  turn({ claimant, priority = 1, signal }: TurnAsk): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    if (this.#waiting.length === 0 && this.#take()) {
      if (claimant !== undefined) this.#claims.delete(claimant)
      return Promise.resolve()
    }
    const nowMs = this.#clock.monotonic()
    const rank = this.#claimedMs(claimant, nowMs) - priority * HEAD_START_MS
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiter)
        reject(signal?.reason as Error)
        this.#arrange()
      }
      const settled = (settle: () => void) => (): void => {
        signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const giveUp = (error: ProviderError): void => settled(() => reject(error))()
      const waiter: Waiter = { sinceMs: nowMs, rank, claimant, go: settled(resolve), giveUp }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting = [...this.#waiting, waiter].toSorted((a, b) => a.rank - b.rank)
      this.#arrange()
    })
  }

  slowDown(forMs: number): void {
    this.#refill()
    const nowMs = this.#clock.monotonic()
    this.#halvedUntilMs = nowMs + HALVED_MS
    this.#bucket = drain(this.#bucket, this.#rate(), { atMs: nowMs, forMs })
    this.#arrange()
  }

  #rate(): BucketRate {
    const { perSecond, burst } = this.#fullRate
    const isHalved = this.#clock.monotonic() < this.#halvedUntilMs
    return isHalved ? { perSecond: perSecond / 2, burst: Math.max(1, burst / 2) } : this.#fullRate
  }

  /** Time that has passed at half the rate counts half. */
  #refill(): void {
    const nowMs = this.#clock.monotonic()
    const { perSecond, burst } = this.#fullRate
    const half = { perSecond: perSecond / 2, burst: Math.max(1, burst / 2) }
    const halvedMs = Math.min(nowMs, this.#halvedUntilMs)
    if (halvedMs > this.#bucket.atMs) this.#bucket = refill(this.#bucket, half, halvedMs)
    if (nowMs > this.#halvedUntilMs) this.#bucket = refill(this.#bucket, this.#fullRate, nowMs)
  }

  #take(): boolean {
    this.#refill()
    const next = take(this.#bucket, this.#rate(), { atMs: this.#clock.monotonic(), maxWaitMs: 0 })
    this.#bucket = next.bucket
    return next.taken
  }

  /** Sends away whoever would wait for too long, and sets the timer for the next token. */
  #arrange(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#refill()
    const nowMs = this.#clock.monotonic()
    const { perSecond } = this.#rate()
    const firstMs = untilToken(this.#bucket, this.#rate(), nowMs)
    const kept: Waiter[] = []
    for (const waiter of this.#waiting) {
      const leftMs = firstMs + Math.ceil((kept.length / perSecond) * 1_000)
      if (nowMs - waiter.sinceMs + leftMs <= WAIT_MS_MAX) kept.push(waiter)
      else this.#sendAway(waiter, leftMs)
    }
    this.#waiting = kept
    if (kept.length > 0) this.#cancel = this.#clock.after(firstMs, () => this.#serve(), { background: true })
  }

  #serve(): void {
    this.#cancel = undefined
    const [first, ...rest] = this.#waiting
    if (first !== undefined && this.#take()) {
      this.#waiting = rest
      if (first.claimant !== undefined) this.#claims.delete(first.claimant)
      first.go()
    }
    this.#arrange()
  }

  #sendAway(waiter: Waiter, retryAfterMs: number): void {
    waiter.giveUp(
      new ProviderError('RateLimited', `Held back ${this.#what}: our own rate is reached`, { retryAfterMs }),
    )
  }

  /** When the claimant first asked for the turn that it has not had yet. */
  #claimedMs(claimant: string | undefined, nowMs: number): number {
    if (claimant === undefined) return nowMs
    this.#forgetClaims()
    const sinceMs = this.#claims.get(claimant)?.sinceMs ?? nowMs
    this.#claims.delete(claimant)
    this.#claims.set(claimant, { sinceMs, seenMs: nowMs })
    return sinceMs
  }

  #forgetClaims(): void {
    const nowMs = this.#clock.monotonic()
    for (const [claimant, { seenMs }] of this.#claims) {
      if (nowMs - seenMs <= CLAIM_MS && this.#claims.size < CLAIMS_MAX) return
      this.#claims.delete(claimant)
    }
  }
}
