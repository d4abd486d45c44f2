/** Named timers of one owner: at most one of each name, all cancelled together. */
import type { CancelTimer, Clock } from '../system/clock.ts'

/** Timers by name; one name has one timer at most. */
export interface Timers<Name extends string> {
  /** Starts the timer anew, also when it runs. `delayMs` < 0 counts as 0. */
  set(name: Name, delayMs: number, fire: () => void): void
  clear(name: Name): void
  has(name: Name): boolean
  /** Cancels all; later sets do nothing. */
  close(): void
}

/** Timers on `clock`. */
export function createTimers<Name extends string>(clock: Clock): Timers<Name> {
  const running = new Map<Name, CancelTimer>()
  let closed = false
  const clear = (name: Name): void => {
    running.get(name)?.()
    running.delete(name)
  }
  return {
    set: (name, delayMs, fire) => {
      clear(name)
      if (closed) return
      const cancel = clock.after(Math.max(0, delayMs), () => {
        running.delete(name)
        fire()
      })
      running.set(name, cancel)
    },
    clear,
    has: (name) => running.has(name),
    close: () => {
      closed = true
      for (const name of running.keys()) clear(name)
    },
  }
}
