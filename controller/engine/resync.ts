/** Spreads the periodic re-enqueue of every key evenly over its interval. */
import type { Clock } from '../../system/clock.ts'

/** The least time between two slices. */
const SLICE_MS_MIN = 1_000

/**
 * Calls `enqueue` once per interval for each item that `list` has at the interval's beginning, in even slices;
 * the first interval begins at once, so the first slice comes after a slice's time. Returns what stops it.
 */
export function startResync<T>(options: {
  readonly clock: Clock
  /** 0 for never. */
  readonly intervalMs: number
  readonly list: () => readonly T[]
  readonly enqueue: (item: T) => void
}): () => void {
  const { clock, intervalMs } = options
  if (!(intervalMs > 0)) return () => {}
  const sliceMs = Math.min(intervalMs, Math.max(SLICE_MS_MIN, intervalMs / 100))
  const slices = Math.max(1, Math.floor(intervalMs / sliceMs))
  let items: readonly T[] = options.list()
  let slice = 0
  const tick = (): void => {
    const from = Math.floor((slice * items.length) / slices)
    slice++
    const to = Math.floor((slice * items.length) / slices)
    for (const item of items.slice(from, to)) options.enqueue(item)
    if (slice === slices) {
      slice = 0
      items = options.list()
    }
    cancel = clock.after(sliceMs, tick)
  }
  let cancel = clock.after(sliceMs, tick)
  return () => cancel()
}
