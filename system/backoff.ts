/** Pure: how long to wait before the next try. */

/** How long to wait between tries. */
export type BackoffPolicy = {
  readonly baseMs: number
  readonly maxMs: number
  /** The share of the delay that is random, 0…1: 0.5 spreads it over the upper half. */
  readonly jitter: number
}

/** The engine's policy for a failing key: 1 s doubling to 5 min (promises.md L3). */
export const KEY_BACKOFF: BackoffPolicy = { baseMs: 1_000, maxMs: 300_000, jitter: 0.5 }

/** The delay in ms before try `failures` + 1 (failures ≥ 1); `random` in [0, 1) spreads it below the exponential value. */
export function backoffMs(policy: BackoffPolicy, failures: number, random: number): number {
  const exponent = Math.min(Math.max(0, failures - 1), 52)
  const fullMs = Math.min(policy.maxMs, policy.baseMs * 2 ** exponent)
  return Math.round(fullMs * (1 - policy.jitter * random))
}
