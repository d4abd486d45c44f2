/** Fair queuing: a bounded number of seats, given in turns to the flows that wait, so that none can crowd out another. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CancelTimer, Clock } from '../../system/clock.ts'
import type { Metrics } from '../../system/metrics.ts'
import { TOKEN_EXTRA } from '../access/authorizer.ts'
import { PLATFORM_ADMINS, type Actor } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import type { Flow, Leave, Seats } from './seats.ts'

/** What fair seats are made from. Every bound is ≥ 1. */
export type FairSeatsOptions = {
  readonly clock: Clock
  readonly metrics: Metrics
  /** Requests that run at once. Default 100. */
  readonly seats?: number
  /** Of them, those that only platform admins and controllers may take. Default a tenth. */
  readonly reserved?: number
  /** Requests of one flow that wait. Default 500. */
  readonly queueLength?: number
  /** Requests of all flows that wait. Default 5,000; platform admins have as many of their own. */
  readonly queueTotal?: number
  /** Bytes of bodies of one flow that wait. Default 32 MiB. */
  readonly queueBytes?: number
  /** Bytes of bodies of all flows that wait. Default 256 MiB. */
  readonly queueBytesTotal?: number
  /** A request waits so long at most. Default 15 s. */
  readonly waitMs?: number
  /**
   * Long answers, such as watches, that one actor has open. Default 1,000; platform admins ten times as many, and all of
   * one tenant together four times.
   */
  readonly standing?: number
}

const DEFAULTS = {
  seats: 100,
  queueLength: 500,
  queueTotal: 5_000,
  queueBytes: 32 * 1024 * 1024,
  queueBytesTotal: 256 * 1024 * 1024,
  waitMs: 15_000,
  standing: 1_000,
} as const

/** Clients that are refused come back after so long. */
const RETRY_AFTER_SECONDS = 1
const PRIVILEGED_STANDING_FACTOR = 10
/** Of everybody in one tenant together: its admin makes as many tokens as it likes. */
const TENANT_STANDING_FACTOR = 4

type Waiter = {
  readonly flow: string
  readonly isPrivileged: boolean
  readonly sizeBytes: number
  readonly dueAtMs: number
  readonly settle: (leave: Leave | ApiError) => void
}

/** The flows of one class that wait, each with its waiters in order; the first flow of the map has the next turn. */
type Ring = { readonly flows: Map<string, Set<Waiter>>; count: number; sizeBytes: number }

/** Why a request was refused, for the metric. */
type Refusal = 'QueueFull' | 'WaitedTooLong' | 'TooManyOpen'

/** Whose seat it is: the tenant that the request is about, else whoever asks. Platform admins have flows of their own. */
const flowNameOf = ({ actor, namespace }: Flow): string =>
  `${isPrivileged(actor) ? 'admin' : 'any'}/${namespace === undefined ? `user/${callerOf(actor)}` : `ns/${namespace}`}`

/** By name and uid: the admin of a tenant may name a User, and so the holder of a token, as anybody is called. */
const callerOf = ({ name, uid = '' }: Actor): string => JSON.stringify([name, uid])

/** The tenant that a token is of, or else that the request is about. */
const crowdOf = ({ actor, namespace }: Flow): string | undefined =>
  actor.extra?.[TOKEN_EXTRA]?.[0]?.split('/')[0] ?? namespace

const isPrivileged = (actor: Actor): boolean => actor.groups.includes(PLATFORM_ADMINS)

/** A body of so many bytes may take long to work on, and while it is worked on nobody else is answered. */
const LARGE_BYTES = 64 * 1024

/** Builds the seats; it holds one timer while somebody waits, and none otherwise. */
export function createFairSeats(options: FairSeatsOptions): Seats {
  const hall = new Hall(options, 'apiserver_seats')
  const { clock, metrics } = options
  // One for everybody, and one for platform admins.
  const bench = new Hall({ clock, metrics, seats: 2, reserved: 1 }, 'apiserver_large_seats')

  async function enterLarge(...[flow, client]: Parameters<Seats['enter']>): Promise<Leave> {
    const rise = await bench.enter(flow, client)
    try {
      // Whoever has come while the one before was worked on goes first.
      await nextTurn()
      const leave = await hall.enter(flow, client)
      return () => {
        leave()
        rise()
      }
    } catch (error) {
      rise()
      throw error
    }
  }

  return {
    enter: (flow, client) =>
      (flow.sizeBytes ?? 0) > LARGE_BYTES ? enterLarge(flow, client) : hall.enter(flow, client),
    stand: (flow) => hall.stand(flow),
  }
}

class Hall {
  readonly #clock: Clock
  readonly #limits: Required<Omit<FairSeatsOptions, 'clock' | 'metrics'>>
  readonly #gauges: ReturnType<typeof instruments>
  readonly #rings: Readonly<Record<'privileged' | 'others', Ring>> = {
    privileged: { flows: new Map(), count: 0, sizeBytes: 0 },
    others: { flows: new Map(), count: 0, sizeBytes: 0 },
  }
  /** Everybody who waits, the longest first: all wait equally long, so it is the first whose time is up. */
  readonly #waiters = new Set<Waiter>()
  readonly #standing = new Map<string, number>()
  #inUse = 0
  /** Whether the privileged had the last turn when both classes waited. */
  #wasPrivilegedTurn = false
  #cancelTimer: CancelTimer | undefined

  constructor({ clock, metrics, ...given }: FairSeatsOptions, metricsPrefix: string) {
    const seats = given.seats ?? DEFAULTS.seats
    const reserved = Math.min(given.reserved ?? Math.floor(seats / 10), seats - 1)
    this.#clock = clock
    this.#limits = { ...DEFAULTS, ...given, seats, reserved }
    this.#gauges = instruments(metrics, metricsPrefix)
  }

  async enter(flow: Flow, client: { readonly signal: AbortSignal }): Promise<Leave> {
    const privileged = isPrivileged(flow.actor)
    const ring = this.#ringOf(privileged)
    // Whoever comes while others of its class wait goes behind them.
    if (ring.count === 0 && this.#hasSeat(privileged)) return this.#seat()
    const { signal } = client
    if (signal.aborted) throw goneError()
    const name = flowNameOf(flow)
    const sizeBytes = flow.sizeBytes ?? 0
    this.#refuseFull(ring, { name, sizeBytes })
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#remove(waiter)
        reject(goneError())
      }
      const waiter: Waiter = {
        flow: name,
        isPrivileged: privileged,
        sizeBytes,
        dueAtMs: this.#clock.monotonic() + this.#limits.waitMs,
        settle: (outcome) => {
          signal.removeEventListener('abort', onAbort)
          if (outcome instanceof ApiError) reject(outcome)
          else resolve(outcome)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#add(waiter)
    })
  }

  stand(flow: Flow): Leave {
    const { actor } = flow
    const crowd = isPrivileged(actor) ? undefined : crowdOf(flow)
    const { standing } = this.#limits
    const own = { key: callerOf(actor), max: standing * (isPrivileged(actor) ? PRIVILEGED_STANDING_FACTOR : 1) }
    const counts = [
      { ...own, who: `"${actor.name}"` },
      ...(crowd === undefined
        ? []
        : [{ key: `tenant/${crowd}`, max: standing * TENANT_STANDING_FACTOR, who: `everybody in "${crowd}"` }]),
    ]
    for (const { key, max, who } of counts) {
      const open = this.#standing.get(key) ?? 0
      if (open >= max)
        throw this.#refusal('TooManyOpen', `Close some watches: ${who} has ${open} open, ${max} are allowed`)
    }
    for (const { key } of counts) this.#standing.set(key, (this.#standing.get(key) ?? 0) + 1)
    return once(() => {
      for (const { key } of counts) {
        const left = (this.#standing.get(key) ?? 1) - 1
        if (left === 0) this.#standing.delete(key)
        else this.#standing.set(key, left)
      }
    })
  }

  #ringOf = (privileged: boolean): Ring => (privileged ? this.#rings.privileged : this.#rings.others)

  #hasSeat = (privileged: boolean): boolean =>
    this.#inUse < this.#limits.seats - (privileged ? 0 : this.#limits.reserved)

  #seat(): Leave {
    this.#inUse += 1
    this.#gauges.inUse.set(this.#inUse)
    return once(() => {
      this.#inUse -= 1
      this.#gauges.inUse.set(this.#inUse)
      this.#seatNext()
    })
  }

  #seatNext(): void {
    for (let waiter = this.#next(); waiter !== undefined; waiter = this.#next()) {
      this.#remove(waiter)
      waiter.settle(this.#seat())
    }
  }

  /** Whose turn it is: the classes in turns where both may sit, the flows of a class in turns, a flow's own in order. */
  #next(): Waiter | undefined {
    const { privileged, others } = this.#rings
    const maySit = {
      privileged: privileged.count > 0 && this.#hasSeat(true),
      others: others.count > 0 && this.#hasSeat(false),
    }
    if (!maySit.privileged && !maySit.others) return undefined
    const isPrivilegedTurn = maySit.privileged && !(maySit.others && this.#wasPrivilegedTurn)
    this.#wasPrivilegedTurn = isPrivilegedTurn
    const { flows } = isPrivilegedTurn ? privileged : others
    for (const [name, waiters] of flows) {
      // To the end of the round; a flow whose last waiter this is leaves it in #remove.
      flows.delete(name)
      flows.set(name, waiters)
      for (const waiter of waiters) return waiter
    }
    return undefined
  }

  #refuseFull(ring: Ring, asking: { readonly name: string; readonly sizeBytes: number }): void {
    const { queueLength, queueTotal, queueBytes, queueBytesTotal } = this.#limits
    const own = ring.flows.get(asking.name)
    let ownBytes = asking.sizeBytes
    if (asking.sizeBytes > 0) for (const waiter of own ?? []) ownBytes += waiter.sizeBytes
    const isFull =
      (own?.size ?? 0) >= queueLength ||
      ring.count >= queueTotal ||
      ownBytes > queueBytes ||
      ring.sizeBytes + asking.sizeBytes > queueBytesTotal
    if (isFull) throw this.#refusal('QueueFull', 'Too many requests wait already, please try again later')
  }

  #add(waiter: Waiter): void {
    const ring = this.#ringOf(waiter.isPrivileged)
    const own = ring.flows.get(waiter.flow) ?? new Set()
    ring.flows.set(waiter.flow, own.add(waiter))
    ring.count += 1
    ring.sizeBytes += waiter.sizeBytes
    this.#waiters.add(waiter)
    this.#gauges.waiting.set(this.#waiters.size)
    this.#cancelTimer ??= this.#clock.after(this.#limits.waitMs, () => this.#expire(), { background: true })
  }

  #remove(waiter: Waiter): void {
    if (!this.#waiters.delete(waiter)) return
    const ring = this.#ringOf(waiter.isPrivileged)
    const own = ring.flows.get(waiter.flow)
    own?.delete(waiter)
    if (own?.size === 0) ring.flows.delete(waiter.flow)
    ring.count -= 1
    ring.sizeBytes -= waiter.sizeBytes
    this.#gauges.waiting.set(this.#waiters.size)
    if (this.#waiters.size > 0) return
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Sends away those whose time is up, and waits for the next one's. */
  #expire(): void {
    this.#cancelTimer = undefined
    const nowMs = this.#clock.monotonic()
    for (const waiter of this.#waiters) {
      if (waiter.dueAtMs > nowMs) {
        this.#cancelTimer = this.#clock.after(waiter.dueAtMs - nowMs, () => this.#expire(), { background: true })
        return
      }
      this.#remove(waiter)
      waiter.settle(this.#refusal('WaitedTooLong', 'The request waited too long for its turn, please try again later'))
    }
  }

  #refusal(reason: Refusal, message: string): ApiError {
    this.#gauges.rejected.add({ reason })
    return new ApiError('TooManyRequests', message, { retryAfterSeconds: RETRY_AFTER_SECONDS })
  }
}

/** Nobody hears it: the client that it answers has gone. */
const goneError = (): ApiError => new ApiError('Timeout', 'The client went while the request waited for its turn')

function instruments(metrics: Metrics, prefix: string) {
  return {
    inUse: metrics.gauge(`${prefix}_in_use`, 'Requests that run now.'),
    waiting: metrics.gauge(`${prefix}_waiting`, 'Requests that wait for a seat.'),
    rejected: metrics.counter(`${prefix}_rejected_total`, 'Requests refused with 429, by reason.', ['reason']),
  }
}

function once(run: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    run()
  }
}
