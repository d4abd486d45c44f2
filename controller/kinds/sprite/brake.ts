/** Decides whether one more machine may be destroyed that nobody asked to destroy (promises.md S4). */

/** In a window at most this share of all sprites, never more than `countMax`; a small fleet may always lose `countMin`. */
export const BRAKE = { windowMs: 60_000, countMin: 2, countMax: 10, shareMax: 0.2 } as const

/** How many may go in a window. Pure. */
export const brakeLimit = (spritesTotal: number): number =>
  Math.max(BRAKE.countMin, Math.min(BRAKE.countMax, Math.floor(spritesTotal * BRAKE.shareMax)))

/** Bounds how many machines that may run are destroyed because something was missing: heartbeats, or an owner. */
export interface DestroyBrake {
  /** Whether a destroy without a tombstone may go on now, in monotonic ms; counts it if so. */
  allow(nowMs: number, spritesTotal: number): boolean
}

/** A brake that remembers the destroys of the last minute, in memory: after a restart it begins anew. */
export function createDestroyBrake(): DestroyBrake {
  const recent: number[] = []
  return {
    allow(nowMs, spritesTotal) {
      while (recent[0] !== undefined && recent[0] <= nowMs - BRAKE.windowMs) recent.shift()
      if (recent.length >= brakeLimit(spritesTotal)) return false
      recent.push(nowMs)
      return true
    },
  }
}
