/** A Clock that stands still until a test advances it; no test sleeps (style rule 35). */
import { setImmediate as nextTurn } from 'node:timers'
import { sleepWith, type CancelTimer, type Clock } from './clock.ts'

type Timer = { readonly dueAt: number; readonly order: number; readonly fire: () => void }

/** A deterministic clock. `start` is wall ms since 1970; monotonic time starts at 0. */
export class TestClock implements Clock {
  #elapsedMs = 0
  #wallOffsetMs: number
  #order = 0
  readonly #timers = new Set<Timer>()
  readonly sleep: Clock['sleep']

  constructor(start: number = Date.UTC(2026, 0, 15, 12)) {
    this.#wallOffsetMs = start
    this.sleep = sleepWith((delayMs, fire) => this.after(delayMs, fire))
  }

  now(): number {
    return this.#wallOffsetMs + this.#elapsedMs
  }

  monotonic(): number {
    return this.#elapsedMs
  }

  after(delayMs: number, fire: () => void): CancelTimer {
    const timer: Timer = { dueAt: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, fire }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Makes the wall clock jump without letting monotonic time pass, as NTP or an operator does. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** How many timers are set: a test that ends with some has left work behind. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Ms from now until the next timer is due; undefined when none is set. */
  get nextDueInMs(): number | undefined {
    const next = this.#next(Infinity)
    return next === undefined ? undefined : next.dueAt - this.#elapsedMs
  }

  /** Lets `ms` pass: fires each due timer in order of time, and settles promises after each. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms
    await settle()
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#timers.delete(next)
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueAt)
      next.fire()
      await settle()
    }
    this.#elapsedMs = until
    await settle()
  }

  #next(until: number): Timer | undefined {
    let best: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.dueAt > until) continue
      if (best === undefined || timer.dueAt < best.dueAt || (timer.dueAt === best.dueAt && timer.order < best.order))
        best = timer
    }
    return best
  }
}

/** Lets promises and immediates that are ready run: a bounded number of turns of the event loop. */
export async function settle(turns = 5): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => nextTurn(resolve))
}
