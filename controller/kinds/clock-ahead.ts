/**
 * Times in the store that a clock wrote which was ahead: whoever waits for so long since then would wait for that clock.
 * They count as the present, and are written so, from where on the wait is as long as it should be. Pure.
 */
import { parseTimestamp } from '../../system/timestamp.ts'

/** The clocks of processes may differ by so much. */
export const CLOCKS_DIFFER_MS = 5_000

/** Whether a stored time of what has been is ahead of the present by more than clocks differ. */
export function isAhead(time: string | undefined, nowMs: number): boolean {
  const atMs = parseTimestamp(time)
  return atMs !== undefined && atMs - nowMs > CLOCKS_DIFFER_MS
}
