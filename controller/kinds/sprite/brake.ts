/** Decides whether one more machine may be destroyed that nobody asked to destroy (promises.md S4). */

/** At most so many in a window, or this share of all sprites when that is more. */
export const BRAKE = { windowMs: 60_000, countMax: 10, shareMax: 0.2 } as const

/** Bounds how many machines are destroyed on the word of a list. */
export interface DestroyBrake {
  /** Whether a destroy without a tombstone may go on now; counts it if so. */
  allow(nowMs: number, spritesTotal: number): boolean
}

/** A brake that remembers the destroys of the last minute, in memory: after a restart it begins anew. */
export function createDestroyBrake(): DestroyBrake {
  const recent: number[] = []
  return {
    allow(nowMs, spritesTotal) {
      while (recent[0] !== undefined && recent[0] <= nowMs - BRAKE.windowMs) recent.shift()
      if (recent.length >= Math.max(BRAKE.countMax, Math.floor(spritesTotal * BRAKE.shareMax))) return false
      recent.push(nowMs)
      return true
    },
  }
}
