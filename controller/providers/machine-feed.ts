/** Keeps the last picture of every tenant's machines: by the fleet's feed where the provider has one, else by a list for each. */
import PQueue from 'p-queue'
import type { CancelTimer, Clock } from '../../system/clock.ts'
import { momentOf, setAheadMs, wallTimeOf, type Moment } from '../../system/moment.ts'
import type { Log, LogFields } from '../../system/log.ts'
import { lookAtFleet, type FleetLook } from './fleet-look.ts'
import { MachinePictures, type MachineListener, type MachinePicture } from './machine-pictures.ts'
import { ProviderError, type MachineProvider } from './machines.ts'

export type { MachinePicture } from './machine-pictures.ts'

/** What a feed looks at, how often, and whom it tells. */
export type MachineFeedOptions = {
  readonly provider: Pick<MachineProvider, 'list' | 'listFleet' | 'fleetIsOneList'>
  readonly clock: Clock
  readonly log: Log
  /** Tenants to look at; asked anew at every round. */
  readonly tenants: () => readonly string[]
  /** Ms from the end of one round to the start of the next. */
  readonly intervalMs: number
  /** A machine is new, other than before, or (undefined) not in a complete picture any more. */
  readonly onChange: MachineListener
  /** Lists under way at once, over all tenants; default 8. */
  readonly concurrency?: number
  /** Ms between two looks at the whole fleet, where a round else asks for what has changed; default 3 min, of one list 1 min. */
  readonly wholeEveryMs?: number
  /** Ms between two lists of a tenant that nobody waits for, where the fleet cannot be read; default 1 min. */
  readonly listEveryMs?: number
}

/** The last picture of every tenant, kept fresh by polling. */
export interface MachineFeed {
  /** The last picture; undefined before the first answer of any kind. */
  read(tenant: string): MachinePicture | undefined
  /** Looks now; joins a look that waits to start. Never rejects: failures are in read. */
  refresh(tenant: string): Promise<void>
  /** Lists the tenant by itself in every round for a minute: somebody waits for a complete list of it. */
  follow(tenant: string): void
  start(): void
  /** Resolves when no list is under way. */
  stop(): Promise<void>
}

/** A feed that does nothing until it is started or refreshed. */
export const createMachineFeed = (options: MachineFeedOptions): MachineFeed => new PolledFeed(options)

const WHOLE_EVERY_MS = 180_000
/** Between two lists of one app in which nothing is under way (promises.md L5). */
const LIST_EVERY_MS = 60_000
/** After a look at the whole fleet, or a list, that failed or showed only a part. */
const WHOLE_AGAIN_MS = 30_000
const LIST_AGAIN_MS = 15_000
/** Where the token may not read the fleet, it is asked again after so long. */
const FLEET_AGAIN_MS = 600_000
const FOLLOW_MS = 60_000

/** How the fleet as a whole is known; undefined while each tenant is listed by itself. */
type FleetState = {
  /** Wall time of the last complete look at all of it; 0: none yet. */
  readonly atMs: number
  /** Wall time at which the last complete look began, at all of it or at what has changed. */
  readonly seenAtMs: number
  /** Whether the last look at all of it had every region. */
  readonly complete: boolean
  /** Whether the last look at what has changed missed a region. */
  readonly isLagging: boolean
  readonly error?: ProviderError
  /** The latest change seen, by the provider's clock. */
  readonly changedAtMs?: number
  /** Monotonic; the next look is at all of it from then on. */
  readonly wholeDueMs: number
}

const UNSEEN: FleetState = { atMs: 0, seenAtMs: 0, complete: false, isLagging: false, wholeDueMs: -Infinity }

class PolledFeed implements MachineFeed {
  readonly #options: MachineFeedOptions
  readonly #queue: PQueue
  readonly #pictures: MachinePictures
  /** Until when a tenant is listed by itself too. */
  readonly #followed = new Map<string, number>()
  /** When a tenant is listed by itself next, monotonic. */
  readonly #listDueMs = new Map<string, number>()
  /** Looks that have not started yet, by tenant. */
  readonly #waiting = new Map<string, Promise<void>>()
  /** The look under way, by tenant. */
  readonly #running = new Map<string, Promise<void>>()
  /** Tenants whose list failed last, and '' for the fleet. */
  readonly #failing = new Set<string>()
  #fleet: FleetState | undefined
  /** Monotonic; until then the fleet is not asked for. */
  #noFleetUntilMs: number
  /** As of when the times of what is known are told by the wall clock. */
  #told: Moment
  #abort = new AbortController()
  #cancel: CancelTimer | undefined
  #round: Promise<void> | undefined

  constructor(options: MachineFeedOptions) {
    this.#options = options
    this.#queue = new PQueue({ concurrency: options.concurrency ?? 8 })
    this.#pictures = new MachinePictures(options.onChange)
    this.#noFleetUntilMs = options.provider.listFleet === undefined ? Infinity : -Infinity
    this.#told = momentOf(options.clock)
  }

  read(tenant: string): MachinePicture | undefined {
    this.#followClock()
    const own = this.#pictures.get(tenant)
    const fleet = this.#fleet
    if (fleet === undefined) return own
    // A tenant that came after the last look at all had nothing then.
    if (own === undefined) return fleet.atMs === 0 ? undefined : { machines: [], ...standing(fleet) }
    const { complete, error = own.error } = standing(fleet)
    const seenAtMs = Math.max(own.seenAtMs, fleet.seenAtMs)
    // A complete list of its own that is newer than the last look at all stands by itself.
    const isWhole = own.complete && (complete || own.atMs > fleet.atMs)
    return { ...own, seenAtMs, complete: isWhole, ...(error === undefined ? {} : { error }) }
  }

  /** Where the wall clock was set, all that is known stays as old as it is: nothing is newer than a look that comes. */
  #followClock(): void {
    const { clock } = this.#options
    const aheadMs = setAheadMs(this.#told, clock)
    this.#told = momentOf(clock)
    if (aheadMs === 0) return
    this.#pictures.shift(aheadMs)
    if (this.#fleet === undefined || this.#fleet.atMs === 0) return
    const { atMs, seenAtMs } = this.#fleet
    this.#fleet = { ...this.#fleet, atMs: atMs + aheadMs, seenAtMs: seenAtMs + aheadMs }
  }

  refresh(tenant: string): Promise<void> {
    const waiting = this.#waiting.get(tenant)
    if (waiting) return waiting
    // A look under way may have begun before what the caller wants to see: a second one follows it.
    const look = (this.#running.get(tenant) ?? Promise.resolve()).then(() =>
      this.#queue.add(() => {
        this.#waiting.delete(tenant)
        const running = this.#look(tenant).finally(() => this.#running.delete(tenant))
        this.#running.set(tenant, running)
        return running
      }),
    )
    this.#waiting.set(tenant, look)
    return look
  }

  follow(tenant: string): void {
    this.#followed.set(tenant, this.#options.clock.monotonic() + FOLLOW_MS)
  }

  start(): void {
    if (this.#round || this.#cancel) return
    if (this.#abort.signal.aborted) this.#abort = new AbortController()
    this.#wind(0)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.#cancel?.()
    this.#cancel = undefined
    await this.#round
    await Promise.all([...this.#waiting.values(), ...this.#running.values()])
  }

  #wind(delayMs: number): void {
    const fire = (): void => {
      this.#cancel = undefined
      this.#round = this.#lookAtAll().finally(() => {
        this.#round = undefined
        if (!this.#abort.signal.aborted) this.#wind(this.#options.intervalMs)
      })
    }
    this.#cancel = this.#options.clock.after(delayMs, fire, { background: true })
  }

  async #lookAtAll(): Promise<void> {
    const tenants = new Set(this.#options.tenants())
    this.#pictures.keepOnly(tenants)
    const nowMs = this.#options.clock.monotonic()
    for (const [tenant, untilMs] of this.#followed)
      if (untilMs < nowMs || !tenants.has(tenant)) this.#followed.delete(tenant)
    for (const tenant of this.#listDueMs.keys()) if (!tenants.has(tenant)) this.#listDueMs.delete(tenant)
    for (const tenant of this.#failing) if (tenant !== '' && !tenants.has(tenant)) this.#failing.delete(tenant)
    if (this.#isFleetAtRest(nowMs)) return
    const isByFleet = nowMs >= this.#noFleetUntilMs && (await this.#lookAtFleet(tenants))
    if (isByFleet && this.#options.provider.fleetIsOneList === true) return
    const isDue = (tenant: string): boolean => !isByFleet && (this.#listDueMs.get(tenant) ?? -Infinity) <= nowMs
    const alone = [...tenants].filter((tenant) => this.#followed.has(tenant) || isDue(tenant))
    await Promise.all(alone.map((tenant) => this.refresh(tenant)))
  }

  /** One list of everything is not asked for in each round: only when its time has come, or somebody waits. */
  #isFleetAtRest(nowMs: number): boolean {
    const isDue = this.#fleet === undefined || nowMs >= this.#fleet.wholeDueMs
    return this.#options.provider.fleetIsOneList === true && !isDue && this.#followed.size === 0
  }

  /** False where the fleet may not be read: then each tenant is listed by itself. */
  async #lookAtFleet(tenants: ReadonlySet<string>): Promise<boolean> {
    const { provider, clock } = this.#options
    const isOneList = provider.fleetIsOneList === true
    const { wholeEveryMs = isOneList ? LIST_EVERY_MS : WHOLE_EVERY_MS } = this.#options
    const before = this.#fleet ?? UNSEEN
    const started = momentOf(clock)
    const startedMs = started.monotonicMs
    const isWhole = startedMs >= before.wholeDueMs || before.changedAtMs === undefined
    const look = await lookAtFleet(provider, {
      sinceMs: isWhole ? undefined : before.changedAtMs,
      signal: this.#abort.signal,
    })
    if (this.#abort.signal.aborted) return true
    this.#followClock()
    const atMs = wallTimeOf(started, clock)
    const known = this.#fleet ?? UNSEEN
    if (look instanceof ProviderError) return this.#takeFleetError(known, look)
    this.#tellSuccess('')
    const changedAtMs = Math.max(look.changedAtMs ?? 0, before.changedAtMs ?? 0)
    const seen = changedAtMs === 0 ? {} : { changedAtMs }
    if (!isWhole) {
      // What a silent region has changed is asked for again: the time stays where it was.
      const isSeen = look.complete ? { seenAtMs: atMs, ...seen } : {}
      this.#fleet = { ...withoutError(known), isLagging: !look.complete, ...isSeen }
      this.#change(look, tenants)
    } else if (look.complete) {
      this.#fleet = {
        atMs,
        seenAtMs: atMs,
        complete: true,
        isLagging: false,
        wholeDueMs: startedMs + wholeEveryMs,
        ...seen,
      }
      for (const tenant of tenants) this.#pictures.replace(tenant, look.byTenant.get(tenant) ?? [], atMs)
    } else {
      this.#fleet = { ...withoutError(known), complete: false, wholeDueMs: startedMs + WHOLE_AGAIN_MS, ...seen }
      for (const [tenant, machines] of look.byTenant) if (tenants.has(tenant)) this.#pictures.merge(tenant, machines)
    }
    return true
  }

  #change(look: FleetLook, tenants: ReadonlySet<string>): void {
    const { atMs, seenAtMs, complete } = this.#fleet ?? UNSEEN
    for (const [tenant, machines] of look.byTenant)
      if (tenants.has(tenant)) this.#pictures.change(tenant, machines, { atMs, seenAtMs, complete })
  }

  #takeFleetError(before: FleetState, error: ProviderError): boolean {
    const { clock, log } = this.#options
    const fields = { reason: error.reason, error: error.message }
    const isRefused = error.reason === 'CredentialsInvalid' || error.reason === 'NotFound'
    // Whoever refuses the one list of an app refuses each part of it.
    if (!isRefused || this.#options.provider.fleetIsOneList === true) {
      this.#tellFailure('', fields)
      const wholeDueMs =
        this.#options.provider.fleetIsOneList === true ? clock.monotonic() + LIST_AGAIN_MS : before.wholeDueMs
      this.#fleet = { ...before, wholeDueMs, error }
      return true
    }
    log.warn(fields, 'the token may not read the whole organization: each tenant is listed by itself')
    this.#fleet = undefined
    this.#noFleetUntilMs = clock.monotonic() + FLEET_AGAIN_MS
    return false
  }

  /** Once an outage, whosever machines it is met with: each tenant's conditions say how it stands. */
  #tellFailure(subject: string, fields: LogFields): void {
    const level = this.#failing.size === 0 ? 'warn' : 'debug'
    this.#failing.add(subject)
    this.#options.log[level](fields, 'machines cannot be listed, trying on: nothing is deleted meanwhile')
  }

  #tellSuccess(subject: string): void {
    if (this.#failing.delete(subject) && this.#failing.size === 0)
      this.#options.log.info({}, 'machines can be listed again')
  }

  async #look(tenant: string): Promise<void> {
    if (this.#abort.signal.aborted) return
    const { provider, clock, listEveryMs = LIST_EVERY_MS } = this.#options
    const started = momentOf(clock)
    const list = await provider.list(tenant, this.#abort.signal).catch(asError)
    if (this.#abort.signal.aborted) return
    this.#followClock()
    const isWhole = !(list instanceof ProviderError) && list.complete
    this.#listDueMs.set(tenant, started.monotonicMs + (isWhole ? listEveryMs : Math.min(LIST_AGAIN_MS, listEveryMs)))
    if (!(list instanceof ProviderError)) {
      if (list.complete) this.#pictures.replace(tenant, list.machines, wallTimeOf(started, clock))
      else this.#pictures.merge(tenant, list.machines)
      this.#tellSuccess(tenant)
      return
    }
    // Where the fleet is known, what it shows of the tenant still stands.
    if (this.#fleet === undefined) this.#pictures.fail(tenant, list)
    this.#tellFailure(tenant, { tenant, reason: list.reason, error: list.message })
  }
}

function standing({ atMs, seenAtMs, complete, isLagging, error }: FleetState): Omit<MachinePicture, 'machines'> {
  const isKnown = complete && !isLagging && error === undefined
  return { atMs, seenAtMs, complete: isKnown, ...(error === undefined ? {} : { error }) }
}

function withoutError(fleet: FleetState): FleetState {
  const { error: _over, ...rest } = fleet
  return rest
}

const asError = (error: unknown): ProviderError =>
  error instanceof ProviderError
    ? error
    : new ProviderError('Unexpected', `Machine list failed: ${String(error)}`, { cause: error })
