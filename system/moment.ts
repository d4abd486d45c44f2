/** A moment that this process has seen, told by a wall clock that may be set meanwhile. Pure. */
import type { Clock } from './clock.ts'

/** When something was, by both clocks. */
export type Moment = { readonly wallMs: number; readonly monotonicMs: number }

/** A wall clock that is off by less was not set: both clocks run at rates of their own, and are not read at once. */
const SET_MS = 1_000

/** The present. */
export const momentOf = (clock: Clock): Moment => ({ wallMs: clock.now(), monotonicMs: clock.monotonic() })

/** By how many ms the wall clock was set ahead since the moment; below 0 where it was set back, 0 where it was not set. */
export function setAheadMs({ wallMs, monotonicMs }: Moment, clock: Clock): number {
  const aheadMs = clock.now() - wallMs - (clock.monotonic() - monotonicMs)
  return Math.abs(aheadMs) < SET_MS ? 0 : Math.round(aheadMs)
}

/** The moment in ms since 1970, by the wall clock as it is set now: so long ago as it is. The same until it is set. */
export const wallTimeOf = (moment: Moment, clock: Clock): number => moment.wallMs + setAheadMs(moment, clock)
