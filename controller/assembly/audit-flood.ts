/** Decides which refusals are written one by one: a caller that is refused without end must not push the rest out of the log. */
import type { Clock } from '../../system/clock.ts'
import type { AuditEvent } from '../server/audit.ts'

/** So many refusals of one caller are written one by one in a window; more are counted. */
export const REFUSALS_MAX = 200
/** The length of a window, in ms. */
export const WINDOW_MS = 10_000
/** Callers that are counted apart; what further ones are refused is counted as one. */
const CALLERS_MAX = 1_000
const OTHERS = 'others'

/** How many refusals of a caller were not written one by one. */
export type Flood = { readonly username: string; readonly count: number }

/** Counts refusals by caller, window by window. */
export type FloodGate = {
  /** Whether the event is to be written. */
  readonly lets: (event: AuditEvent) => boolean
  /** What was counted in a window that is over, or in any, once each. */
  readonly take: (of: 'past' | 'all') => readonly Flood[]
}

/** A gate with nothing counted. */
export function createFloodGate(clock: Pick<Clock, 'monotonic'>): FloodGate {
  const counts = new Map<string, Flood>()
  let endsAtMs = 0
  return {
    lets: (event) => {
      if (event.responseStatus.code < 400) return true
      const { username, uid = '' } = event.user
      // By name alone, whoever is called as somebody else could push that one's refusals out.
      const own = JSON.stringify([username, uid])
      const isKept = counts.has(own) || counts.size < CALLERS_MAX
      if (counts.size === 0) endsAtMs = clock.monotonic() + WINDOW_MS
      const key = isKept ? own : OTHERS
      const count = (counts.get(key)?.count ?? 0) + 1
      counts.set(key, { username: isKept ? username : OTHERS, count })
      return count <= REFUSALS_MAX
    },
    take: (of) => {
      if (counts.size === 0 || (of === 'past' && clock.monotonic() < endsAtMs)) return []
      const floods = [...counts.values()].map(({ username, count }) => ({ username, count: count - REFUSALS_MAX }))
      counts.clear()
      return floods.filter(({ count }) => count > 0)
    },
  }
}
