/** Runs one controller: workers take keys, make passes, and requeue by outcome or error (docs/spec/engine.md, ER). */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ApiError, hasReason } from '../api/errors.ts'
import { formatKey, type Key } from '../api/object.ts'
import { backoffMs, KEY_BACKOFF, type BackoffPolicy } from '../../system/backoff.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import type { Log, LogFields } from '../../system/log.ts'
import type { Metrics } from '../../system/metrics.ts'
import { engineInstruments, type EngineInstruments } from './instruments.ts'
import { tenantOfKey, WorkQueue } from './queue.ts'
import { PRIORITY, TerminalError, type ControllerOptions, type Outcome, type Priority } from './types.ts'

/** What a loop needs of the process. */
export type LoopPorts = {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics: Metrics
  /** A tenant's weight, 1…100. */
  readonly weightOf: (tenant: string) => number
  /** Whether passes for the tenant may begin here; keys of others are dropped. Default: all may. */
  readonly owns?: (tenant: string) => boolean
}

/** How a pass ended; the label of the metric. */
export type PassResult = 'success' | 'requeue' | 'conflict' | 'error' | 'timeout' | 'terminal' | 'cancelled'

/** Counts since the start, and what is there now. */
export type LoopStats = {
  readonly reconciles: number
  readonly results: Readonly<Partial<Record<PassResult, number>>>
  readonly waiting: number
  readonly working: number
  readonly delayed: number
}

/** A conflict means that the cache is behind by one write: soon again, and slower only when it happens again. */
const CONFLICT_BACKOFF: BackoffPolicy = { baseMs: 20, maxMs: 5_000, jitter: 0.5 }
/** The least requeue delay, so that a reconciler that keeps asking for 0 makes no hot loop. */
const REQUEUE_MS_MIN = 10
/** So many passes of one key may follow one another at once: steps whose intent is stored between them. */
const AT_ONCE_MAX = 8
/** A port's hint when to try again is kept to this. */
const RETRY_AFTER_MS_MAX = 300_000
/** How long a pass may ignore its aborted signal before its worker leaves it alone and goes on with other keys. */
const STUCK_GRACE_MS = 5_000

/** Passes that wait for nothing follow one another without a turn of the event loop: after so long, one is let in. */
const TURN_MS_MAX = 1

type Pass = { readonly tenant: string; readonly abort: AbortController; readonly ended: Promise<void> }

/** Why a pass was cut off. */
class PassTimeoutError extends Error {
  override readonly name = 'PassTimeoutError'
}

/** The workers of one controller, their queue and the failures of each key. */
export class Loop {
  readonly queue: WorkQueue
  readonly #options: ControllerOptions
  readonly #ports: LoopPorts
  readonly #log: Log
  readonly #instruments: EngineInstruments
  /** Failures in a row of each key that has any; forgotten when a pass goes well or ends for good. */
  readonly #failures = new Map<string, number>()
  /** Passes in a row that asked to be followed at once, of each key that is in such a row. */
  readonly #atOnce = new Map<string, number>()
  readonly #results = new Map<PassResult, number>()
  readonly #passes = new Set<Pass>()
  #reconciles = 0
  #onIdle: () => void = () => {}

  constructor(options: ControllerOptions, ports: LoopPorts) {
    this.#options = options
    this.#ports = ports
    this.#log = ports.log.child({ controller: options.name })
    this.#instruments = engineInstruments(ports.metrics, options.name)
    this.queue = new WorkQueue({
      clock: ports.clock,
      weightOf: ports.weightOf,
      onSize: (size) => this.#instruments.depth(size),
    })
  }

  /** Whether no key waits and none is worked on; delayed ones do not count. */
  get isIdle(): boolean {
    return this.queue.size === 0 && this.queue.working === 0
  }

  get stats(): LoopStats {
    return {
      reconciles: this.#reconciles,
      results: Object.fromEntries(this.#results),
      waiting: this.queue.size,
      working: this.queue.working,
      delayed: this.queue.delayed,
    }
  }

  /** Sets who is told when the loop has become idle. */
  onIdle(listener: () => void): void {
    this.#onIdle = listener
  }

  /** Lets the workers begin. */
  start(): void {
    // A worker ends when the queue is shut down, and never rejects: what a pass throws stays in the pass.
    for (let worker = 0; worker < Math.max(1, this.#options.concurrency); worker++) void this.#work()
  }

  /** Cuts off the passes of these tenants: somebody else may be working on them. */
  cutOff(has: (tenant: string) => boolean): void {
    for (const { tenant, abort } of this.#passes) if (has(tenant)) abort.abort(new Error('The tenant is another’s now'))
  }

  /** Resolves when the passes of these tenants that run now have ended. */
  async whenEnded(has: (tenant: string) => boolean): Promise<void> {
    await Promise.all([...this.#passes].filter(({ tenant }) => has(tenant)).map(({ ended }) => ended))
  }

  /** Takes no new key; passes that run may end within `graceMs`, then their signals are aborted, and it waits as long again. */
  async stop(graceMs: number): Promise<void> {
    this.queue.shutdown()
    await this.#passesEnd(graceMs)
    for (const { abort } of this.#passes) abort.abort(new Error('The control plane stops'))
    await this.#passesEnd(graceMs)
    if (this.#passes.size > 0) this.#log.error({ passes: this.#passes.size }, 'Passes ignore their signal: left behind')
  }

  async #passesEnd(withinMs: number): Promise<void> {
    if (this.#passes.size === 0) return
    const timer = new AbortController()
    const ended = Promise.allSettled([...this.#passes].map((pass) => pass.ended))
    await Promise.race([ended, this.#ports.clock.sleep(withinMs, timer.signal).catch(() => {})])
    timer.abort()
  }

  async #work(): Promise<void> {
    const { clock } = this.#ports
    let turnStartedAt = clock.monotonic()
    for (;;) {
      const isAtRest = this.queue.size === 0
      const key = await this.queue.take()
      if (key === undefined) return
      if (isAtRest) turnStartedAt = clock.monotonic()
      if (this.#isOurs(key)) await this.#passOrLeave(key)
      else this.#drop(key)
      if (clock.monotonic() - turnStartedAt < TURN_MS_MAX) continue
      await nextTurn()
      turnStartedAt = clock.monotonic()
    }
  }

  /** Another process does it: who gives the tenant to us again wakes all of its keys. */
  #drop(key: Key): void {
    this.#forget(formatKey(key))
    this.queue.done(key)
    if (this.isIdle) this.#onIdle()
  }

  #forget(id: string): void {
    this.#failures.delete(id)
    this.#atOnce.delete(id)
  }

  /**
   * Resolves when the pass has ended, or has ignored its time-out for too long: then it keeps its key, so that nobody
   * else works on that, but not the worker.
   */
  #passOrLeave(key: Key): Promise<void> {
    const { clock } = this.#ports
    const { timeoutMs } = this.#options
    const abort = new AbortController()
    return new Promise((leave) => {
      let cancelTimer = clock.after(timeoutMs, () => {
        cancelTimer = clock.after(STUCK_GRACE_MS, () => {
          this.#log.error({ key: formatKey(key), tenant: tenantOfKey(key) }, 'A pass ignores its signal: left alone')
          leave()
        })
        abort.abort(new PassTimeoutError(`The pass took longer than ${timeoutMs} ms`))
      })
      const ended = this.#pass(key, abort.signal).then(() => {
        cancelTimer()
        this.#passes.delete(pass)
        leave()
      })
      const pass: Pass = { tenant: tenantOfKey(key), abort, ended }
      this.#passes.add(pass)
    })
  }

  /** One pass; never rejects. */
  async #pass(key: Key, signal: AbortSignal): Promise<void> {
    const { clock, entropy } = this.#ports
    const startedAt = clock.monotonic()
    const fields = {
      kind: this.#options.kind.kind,
      key: formatKey(key),
      tenant: tenantOfKey(key),
      reconcileId: entropy.uuid(),
    }
    let result: PassResult
    try {
      const outcome = await this.#options.reconcile(key, signal)
      result = this.#succeeded(key, outcome)
      this.#log.debug({ ...fields, result, ...outcome }, 'Pass ended')
    } catch (error) {
      result = this.#failed(key, error, { fields, signal })
    } finally {
      this.queue.done(key)
    }
    this.#reconciles++
    this.#results.set(result, (this.#results.get(result) ?? 0) + 1)
    this.#instruments.pass(result, clock.monotonic() - startedAt)
    if (this.isIdle) this.#onIdle()
  }

  #succeeded(key: Key, outcome: Outcome): PassResult {
    this.#failures.delete(formatKey(key))
    const { requeueAfterMs } = outcome
    if (requeueAfterMs === undefined) {
      this.#atOnce.delete(formatKey(key))
      return 'success'
    }
    if (!Number.isFinite(requeueAfterMs))
      throw new TerminalError(`Cannot requeue after "${requeueAfterMs}" ms: give a finite number`)
    if (requeueAfterMs <= 0 && this.#mayFollowAtOnce(key)) {
      this.queue.add(key, PRIORITY.change)
      return 'requeue'
    }
    if (requeueAfterMs > 0) this.#atOnce.delete(formatKey(key))
    this.queue.addAfter(key, Math.max(REQUEUE_MS_MIN, requeueAfterMs), PRIORITY.retry)
    return 'requeue'
  }

  /** Counts the row of passes that ask to be followed at once; a row that is too long is slowed down until it ends. */
  #mayFollowAtOnce(key: Key): boolean {
    const inRow = (this.#atOnce.get(formatKey(key)) ?? 0) + 1
    this.#atOnce.set(formatKey(key), inRow)
    return inRow <= AT_ONCE_MAX
  }

  #failed(key: Key, error: unknown, pass: { readonly fields: LogFields; readonly signal: AbortSignal }): PassResult {
    this.#atOnce.delete(formatKey(key))
    const isTimeout = pass.signal.reason instanceof PassTimeoutError
    if (pass.signal.aborted && !isTimeout) {
      this.#forget(formatKey(key))
      return 'cancelled'
    }
    if (error instanceof TerminalError) {
      this.#failures.delete(formatKey(key))
      this.#log.error({ ...pass.fields, error: error.message }, 'Pass failed for good: waiting for a change')
      return 'terminal'
    }
    const id = formatKey(key)
    const failures = (this.#failures.get(id) ?? 0) + 1
    this.#failures.set(id, failures)
    const delayMs = this.#retryDelayMs(error, failures)
    this.queue.addAfter(key, delayMs, PRIORITY.retry)
    this.#instruments.retry()
    if (hasReason(error, 'Conflict')) {
      this.#log.debug({ ...pass.fields, delayMs }, 'Pass met a newer version: soon again')
      return 'conflict'
    }
    this.#log.warn({ ...pass.fields, ...describe(error), failures, delayMs }, 'Pass failed: trying again')
    return isTimeout ? 'timeout' : 'error'
  }

  #retryDelayMs(error: unknown, failures: number): number {
    const random = this.#ports.entropy.random()
    if (hasReason(error, 'Conflict')) return backoffMs(CONFLICT_BACKOFF, failures, random)
    return Math.max(backoffMs(KEY_BACKOFF, failures, random), retryAfterMs(error))
  }

  /** Lets a key wait for a worker, where its tenant is ours. */
  add(key: Key, priority: Priority): void {
    if (this.#isOurs(key)) this.queue.add(key, priority)
  }

  #isOurs(key: Key): boolean {
    return this.#ports.owns?.(tenantOfKey(key)) ?? true
  }
}

/** When the failed port would be asked again, in ms; 0 when it does not say. */
function retryAfterMs(error: unknown): number {
  if (typeof error !== 'object' || error === null) return 0
  const seconds = error instanceof ApiError ? error.details.retryAfterSeconds : undefined
  const hint = 'retryAfterMs' in error ? error.retryAfterMs : (seconds ?? 0) * 1000
  return typeof hint === 'number' && hint > 0 ? Math.min(hint, RETRY_AFTER_MS_MAX) : 0
}

/** What a log says of an error: of one without a reason, which may be a bug, also where it came from. */
function describe(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) }
  const reason = 'reason' in error ? error.reason : undefined
  return { error: error.message, ...(reason === undefined ? { stack: error.stack } : { reason }) }
}
