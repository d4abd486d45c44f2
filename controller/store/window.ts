/** The retained window of changes: bounded by count and by size, it answers "what changed since" and lists of the past. Pure. */
import type { Change, StoreRecord } from './store.ts'

/** How many changes are kept for those who watch. */
export type WindowLimits = {
  /** Changes kept at most. */
  readonly changesMax: number
  /** Bytes of the kept changes' texts at most; UTF-16 units are counted as bytes. */
  readonly sizeBytesMax: number
}

/** About an hour of a busy fleet: every status write of 10,000 sprites several times over. */
export const DEFAULT_WINDOW: WindowLimits = { changesMax: 20_000, sizeBytesMax: 64 * 1024 * 1024 }

const sizeOf = (change: Change): number => change.record.value.length + (change.previous?.value.length ?? 0)

/**
 * Changes in the order in which they became known; the oldest leave when a bound is passed. Where revisions are commit
 * times, one may become known after a newer one, or two share one: such a change stands at the next revision after what
 * was told before it, so that whoever stood there is told of it.
 */
export class ChangeWindow {
  readonly #limits: WindowLimits
  #changes: Change[] = []
  /** At which revision each change stands: strictly growing, and never before its own. */
  #places: number[] = []
  #start = 0
  #sizeBytes = 0
  #floor: number

  constructor(floor: number, limits: WindowLimits) {
    this.#floor = floor
    this.#limits = limits
  }

  /** The oldest revision after which every change is known. */
  get floor(): number {
    return this.#floor
  }

  get count(): number {
    return this.#changes.length - this.#start
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** Adds a change, `toldUntil` being what was told before; gives the revision at which it stands. */
  add(change: Change, toldUntil: number): number {
    const place = Math.max(change.record.revision, toldUntil + 1)
    this.#changes.push(change)
    this.#places.push(place)
    this.#sizeBytes += sizeOf(change)
    return place
  }

  /** Drops the oldest changes until the bounds hold; returns them. */
  trim(): readonly Change[] {
    const from = this.#start
    while (
      this.#start < this.#changes.length &&
      (this.count > this.#limits.changesMax || this.#sizeBytes > this.#limits.sizeBytesMax)
    ) {
      const change = this.#changes[this.#start]
      if (change === undefined) break
      this.#sizeBytes -= sizeOf(change)
      this.#floor = this.#places[this.#start] ?? this.#floor
      this.#start++
    }
    const dropped = this.#changes.slice(from, this.#start)
    this.#compact()
    return dropped
  }

  /** Every change after the revision (≥ floor), of one collection or of all, in order. */
  after(revision: number, collection?: string): Change[] {
    const changes = this.#changes.slice(this.#indexAfter(revision))
    return collection === undefined ? changes : changes.filter((change) => change.record.collection === collection)
  }

  /** What each key of the collection that changed after the revision (≥ floor) held at it; undefined: it was absent. */
  past(revision: number, collection: string): Map<string, { key: StoreRecord; value: StoreRecord | undefined }> {
    const past = new Map<string, { key: StoreRecord; value: StoreRecord | undefined }>()
    for (const { record, previous } of this.after(revision, collection)) {
      const id = `${record.namespace}/${record.name}`
      if (!past.has(id)) past.set(id, { key: record, value: previous })
    }
    return past
  }

  #indexAfter(revision: number): number {
    let low = this.#start
    let high = this.#changes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = this.#places[middle] ?? Infinity
      if (at > revision) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Gives the dropped half of the array back, once it is half: amortised O(1) a change. */
  #compact(): void {
    if (this.#start < 1024 || this.#start * 2 < this.#changes.length) return
    this.#changes = this.#changes.slice(this.#start)
    this.#places = this.#places.slice(this.#start)
    this.#start = 0
  }
}
