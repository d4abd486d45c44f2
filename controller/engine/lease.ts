/** Leader election over a coordination.k8s.io Lease, with client-go's numbers and a monotonic clock (docs/spec/engine.md, EL). */
import { hasReason } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import { assert } from '../../system/assert.ts'
import type { Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import { decideLease, renewTimeOf, type LeaseSighting } from './lease-decide.ts'

/** spec of a coordination.k8s.io/v1 Lease, as far as leader election uses it. */
export type LeaseSpec = {
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  readonly acquireTime?: string
  readonly renewTime?: string
  /** Moves each time the holder changes: the fencing epoch. */
  readonly leaseTransitions?: number
}
/** A coordination.k8s.io Lease as we read it. */
export type Lease = KubeObject<LeaseSpec>

/** Where the lease is kept; failures are ApiError: AlreadyExists from create, Conflict from update at a stale version. */
export interface LeasePort {
  /** The lease; undefined when there is none. */
  get(namespace: string, name: string, signal: AbortSignal): Promise<Lease | undefined>
  create(namespace: string, name: string, spec: LeaseSpec, signal: AbortSignal): Promise<Lease>
  /** Replaces the spec of the lease at the resourceVersion of `old`. */
  update(old: Lease, spec: LeaseSpec, signal: AbortSignal): Promise<Lease>
}

/** The leases of one namespace as of one moment. */
export type LeaseList = {
  /** The version of the snapshot: every object in it is of this version or older. */
  readonly resourceVersion: string
  readonly items: readonly Lease[]
}

/** Leases that several processes share the work by (shards.ts). */
export interface LeasesPort extends LeasePort {
  /** All leases of the namespace in one consistent snapshot; it may lag behind, if it comes to the present in a few seconds. */
  list(namespace: string, signal: AbortSignal): Promise<LeaseList>
  /**
   * Calls back when a lease of the namespace changed, with it; without one where it is gone or something may have been
   * missed. A hint: it may come late, twice or never. The result ends it.
   */
  watch(namespace: string, onChange: (lease?: Lease) => void): () => void
}

/** What an elector needs of the process. */
export type ElectorOptions = {
  readonly port: LeasePort
  readonly clock: Clock
  readonly log: Log
  readonly namespace: string
  readonly name: string
  /** Who this process is; different after each start, so that its own earlier life is somebody else. */
  readonly identity: string
  /** Takes the lease whoever holds it: only where something else already keeps other processes out (the store's lock). */
  readonly takesAtOnce?: boolean
  /** Default 15,000. */
  readonly leaseMs?: number
  /** Leadership ends when it was not renewed for so long; default 10,000. */
  readonly renewDeadlineMs?: number
  /** Ms between tries; default 2,000. */
  readonly retryMs?: number
}

/** A candidate for leadership. */
export type Elector = {
  /** Begins to run for the lease. */
  start(): void
  /** Resolves when the lease is first held; rejects with the signal's reason. */
  whenLeader(signal?: AbortSignal): Promise<void>
  readonly isLeader: boolean
  /** Ms for which the lease is ours at least, by the monotonic clock from before the last renewal was sent; 0 when it is not. */
  remainingMs(): number
  /** The epoch of this leadership; undefined when it is not ours. */
  epoch(): number | undefined
  /** Told when leadership is gained or lost. */
  onChange(listener: (isLeader: boolean) => void): void
  /** Ends the candidacy and gives the lease back, so that the next one need not wait for its end. */
  stop(): Promise<void>
}

/** Builds an elector; nothing runs before `start`. */
export const createElector = (options: ElectorOptions): Elector => new LeaseElector(options)

const LEASE_MS = 15_000
const RENEW_DEADLINE_MS = 10_000
const RETRY_MS = 2_000

type Tenure = { readonly epoch: number; readonly renewedAtMs: number }

class LeaseElector implements Elector {
  readonly #options: Required<ElectorOptions>
  readonly #stopping = new AbortController()
  readonly #listeners = new Set<(isLeader: boolean) => void>()
  #tenure: Tenure | undefined
  #sighting: LeaseSighting | undefined
  #cancelDeadline = (): void => {}
  #running: Promise<void> | undefined

  constructor(options: ElectorOptions) {
    const defaults = { takesAtOnce: false, leaseMs: LEASE_MS, renewDeadlineMs: RENEW_DEADLINE_MS, retryMs: RETRY_MS }
    this.#options = { ...defaults, ...options }
    const { retryMs, renewDeadlineMs, leaseMs } = this.#options
    assert(retryMs < renewDeadlineMs && renewDeadlineMs < leaseMs, 'Give retryMs < renewDeadlineMs < leaseMs')
  }

  get isLeader(): boolean {
    return this.remainingMs() > 0
  }

  start(): void {
    this.#running ??= this.#run()
  }

  remainingMs(): number {
    if (this.#tenure === undefined) return 0
    const elapsedMs = this.#options.clock.monotonic() - this.#tenure.renewedAtMs
    // Past the deadline nothing may be begun, although others still have to wait for the lease's end.
    return elapsedMs >= this.#options.renewDeadlineMs ? 0 : this.#options.leaseMs - elapsedMs
  }

  epoch(): number | undefined {
    return this.isLeader ? this.#tenure?.epoch : undefined
  }

  onChange(listener: (isLeader: boolean) => void): void {
    this.#listeners.add(listener)
  }

  whenLeader(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason as Error)
    if (this.isLeader) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#listeners.delete(onChange)
        reject(signal?.reason as Error)
      }
      const onChange = (isLeader: boolean): void => {
        if (!isLeader) return
        this.#listeners.delete(onChange)
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#listeners.add(onChange)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    await this.#release()
  }

  async #run(): Promise<void> {
    const { clock, log, name, renewDeadlineMs, retryMs } = this.#options
    const stopping = this.#stopping.signal
    while (!stopping.aborted) {
      const timeout = new AbortController()
      const cancelTimeout = clock.after(renewDeadlineMs, () => timeout.abort(new Error('The lease did not answer')))
      try {
        await this.#attempt(AbortSignal.any([stopping, timeout.signal]))
      } catch (error) {
        if (!stopping.aborted && !hasReason(error, 'Conflict', 'AlreadyExists'))
          log.warn({ lease: name, error: String(error) }, 'Cannot renew the lease: trying again')
      } finally {
        cancelTimeout()
      }
      await clock.sleep(retryMs, stopping).catch(() => {})
    }
  }

  /** One look at the lease, and one write when it is ours to write. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const { port, clock, namespace, name, identity, leaseMs, takesAtOnce } = this.#options
    const startedAtMs = clock.monotonic()
    const lease = await port.get(namespace, name, signal)
    this.#sighting = sight(this.#sighting, lease, clock.monotonic())
    const decision = decideLease({
      identity,
      sighting: this.#sighting,
      nowMs: clock.monotonic(),
      now: renewTimeOf(clock.now(), lease?.spec),
      leaseMs,
      takesAtOnce: takesAtOnce && this.#tenure === undefined,
    })
    if (decision.do === 'wait') {
      this.#lose('Somebody else holds the lease')
      return
    }
    const { spec } = decision
    const written =
      lease === undefined ? await port.create(namespace, name, spec, signal) : await port.update(lease, spec, signal)
    this.#sighting = sight(this.#sighting, written, clock.monotonic())
    this.#hold({ epoch: spec.leaseTransitions, renewedAtMs: startedAtMs })
  }

  /** Counts from before the lease was asked for: others count from when they see it written, which is later. */
  #hold(tenure: Tenure): void {
    const { clock, log, name, identity, renewDeadlineMs } = this.#options
    const wasLeader = this.#tenure !== undefined
    this.#tenure = tenure
    this.#cancelDeadline()
    const leftMs = tenure.renewedAtMs + renewDeadlineMs - clock.monotonic()
    this.#cancelDeadline = clock.after(Math.max(0, leftMs), () => this.#lose('The lease was not renewed in time'))
    if (wasLeader) return
    log.info({ lease: name, identity, epoch: tenure.epoch }, 'Leader now')
    for (const listener of this.#listeners) listener(true)
  }

  #lose(why: string): void {
    if (this.#tenure === undefined) return
    const { log, name, identity } = this.#options
    log.warn({ lease: name, identity, why }, 'No longer leader')
    this.#cancelDeadline()
    this.#tenure = undefined
    for (const listener of this.#listeners) listener(false)
  }

  /** Not given back, the lease ends by itself; nobody is harmed but by the wait. */
  async #release(): Promise<void> {
    const { port, clock, log, name, retryMs } = this.#options
    const lease = this.isLeader ? this.#sighting?.lease : undefined
    this.#lose('Stopped')
    if (lease === undefined) return
    const timeout = new AbortController()
    const cancel = clock.after(retryMs, () => timeout.abort(new Error('The lease did not answer')))
    await port
      .update(lease, { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1 }, timeout.signal)
      .catch((error: unknown) => log.warn({ lease: name, error: String(error) }, 'Cannot give the lease back'))
    cancel()
  }
}

/** Notes when a lease was first seen in its present form: others' wall clocks are not to be believed. */
function sight(before: LeaseSighting | undefined, lease: Lease | undefined, nowMs: number): LeaseSighting | undefined {
  if (lease === undefined) return undefined
  const isSame = before?.lease.metadata.resourceVersion === lease.metadata.resourceVersion
  return isSame ? before : { lease, sinceMs: nowMs }
}
