/** Pure: what a reader sees of machines that have just changed: the picture from before, for as long as the lag lasts. */
import type { EmulatedMachine } from './model.ts'

/** Machines as readers see them. */
export interface LaggingView {
  /** Notes a change; until `visibleAtMs` readers see what was before (undefined: nothing). */
  note(id: string, before: EmulatedMachine | undefined, visibleAtMs: number): void
  /** What is seen of a machine whose truth is this. */
  seen(id: string, truth: EmulatedMachine | undefined, nowMs: number): EmulatedMachine | undefined
  /** Machines that are gone and still seen. */
  ghosts(nowMs: number, exists: (id: string) => boolean): readonly EmulatedMachine[]
}

/** Changes of one machine that may wait to be seen; what is older is seen sooner than it should. */
const WAITING_MAX = 20

/** A view in which everything is seen at once. */
export function createLaggingView(): LaggingView {
  type Waiting = { readonly before: EmulatedMachine | undefined; readonly visibleAtMs: number }
  const waiting = new Map<string, readonly Waiting[]>()
  const pictureOf = (id: string, nowMs: number): Waiting | undefined => {
    const left = (waiting.get(id) ?? []).filter((one) => one.visibleAtMs > nowMs)
    if (left.length === 0) waiting.delete(id)
    else waiting.set(id, left)
    // The oldest that is still to be seen hides all that came after it, however soon that might be seen.
    return left[0]
  }
  return {
    note: (id, before, visibleAtMs) => {
      const list = waiting.get(id) ?? []
      waiting.set(id, [...list, { before, visibleAtMs }].slice(-WAITING_MAX))
    },
    seen: (id, truth, nowMs) => {
      const picture = pictureOf(id, nowMs)
      return picture ? picture.before : truth
    },
    ghosts: (nowMs, exists) =>
      [...waiting.keys()].flatMap((id) => {
        const before = exists(id) ? undefined : pictureOf(id, nowMs)?.before
        return before ? [before] : []
      }),
  }
}
