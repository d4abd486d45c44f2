/** Time as a port: everything that asks the time, waits or sets a timer does it through a Clock (style rule 35). */
import { setTimeout as setRealTimer, clearTimeout } from 'node:timers'
import { performance } from 'node:perf_hooks'

/** Cancels a timer; calling it twice, or after the timer fired, does nothing. */
export type CancelTimer = () => void

/** The port of time. */
export interface Clock {
  /** Wall time in ms since 1970-01-01 UTC. May jump; for stamps, never for deadlines inside the process. */
  now(): number
  /** Monotonic ms since an arbitrary start, for time-outs and leases. Never jumps back. */
  monotonic(): number
  /** Runs `fire` once after `delayMs` (≥ 0; 0 means the next turn). An open timer keeps the process alive unless `background`. */
  after(delayMs: number, fire: () => void, options?: { readonly background?: boolean }): CancelTimer
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted, and then leaves no timer behind. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** The largest delay that a Node timer takes; longer waits are cut to it and callers look again. */
const TIMER_DELAY_MS_MAX = 2 ** 31 - 1

/** Builds `sleep` from `after`, shared by every Clock. */
export function sleepWith(after: Clock['after']): Clock['sleep'] {
  return (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error)
        return
      }
      const onAbort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      const cancel = after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
}

function realAfter(delayMs: number, fire: () => void, options?: { readonly background?: boolean }): CancelTimer {
  const timer = setRealTimer(fire, Math.min(Math.max(0, delayMs), TIMER_DELAY_MS_MAX))
  if (options?.background) timer.unref()
  return () => clearTimeout(timer)
}

/** The machine's own clock. */
export const realClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: realAfter,
  sleep: sleepWith(realAfter),
}
