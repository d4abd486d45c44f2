/** Waits between two looks: for a time, or until somebody rings, but never less than a gap. */
import type { Clock } from '../../system/clock.ts'

/** Who waits is woken by a ring; one that comes while nobody waits counts for the next wait. */
export class Doorbell {
  readonly #clock: Clock
  readonly #gapMs: number
  #isRung = false
  #wake: () => void = () => {}

  /** Rings come in bursts: between two looks there are `gapMs` at least. */
  constructor(clock: Clock, gapMs: number) {
    this.#clock = clock
    this.#gapMs = gapMs
  }

  ring(): void {
    this.#isRung = true
    this.#wake()
  }

  /** A look begins: what rang before is seen by it. */
  reset(): void {
    this.#isRung = false
  }

  /** Resolves after `waitMs` or a ring, and in any case when the signal aborts. */
  async rest(waitMs: number, signal: AbortSignal): Promise<void> {
    await this.#sleep(this.#gapMs, signal)
    if (this.#isRung || waitMs <= this.#gapMs || signal.aborted) return
    const rung = new AbortController()
    this.#wake = () => rung.abort()
    await this.#sleep(waitMs - this.#gapMs, AbortSignal.any([rung.signal, signal]))
    this.#wake = () => {}
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleep(ms, signal).catch(() => {})
  }
}
