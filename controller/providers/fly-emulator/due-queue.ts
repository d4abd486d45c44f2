/** Pure: what is due next, of many things that each have at most one time: a heap that forgets what has moved. */

/** Times by id; the earliest is found without looking at all of them. */
export interface DueQueue {
  /** Sets, moves or (undefined) removes the time of an id. */
  set(id: string, atMs: number | undefined): void
  /** The earliest, of those of one time the one that was set first. */
  first(): { readonly id: string; readonly atMs: number } | undefined
}

type Entry = { readonly id: string; readonly atMs: number; readonly order: number }

/** A queue in which nothing is due. */
export function createDueQueue(): DueQueue {
  const heap: Entry[] = []
  const current = new Map<string, Entry>()
  let order = 0
  return {
    set: (id, atMs) => {
      if (atMs === undefined) {
        current.delete(id)
        return
      }
      if (current.get(id)?.atMs === atMs) return
      const entry: Entry = { id, atMs, order: order++ }
      current.set(id, entry)
      push(heap, entry)
      if (heap.length > 2 * current.size + SLACK) compact(heap, current)
    },
    first: () => {
      for (;;) {
        const top = heap[0]
        // Entries that were moved or removed since are thrown away when they come up.
        if (top === undefined || current.get(top.id) === top) return top
        pop(heap)
      }
    },
  }
}

/** Entries out of date that are kept before the heap is built anew. */
const SLACK = 64

/** Throws all out that is out of date; sorted entries are a heap. */
function compact(heap: Entry[], current: ReadonlyMap<string, Entry>): void {
  const kept = [...current.values()].sort((a, b) => (isBefore(a, b) ? -1 : 1))
  heap.splice(0, heap.length, ...kept)
}

const isBefore = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1
  while (at > 0) {
    const up = (at - 1) >> 1
    const parent = heap[up]
    if (parent === undefined || !isBefore(entry, parent)) break
    heap[at] = parent
    at = up
  }
  heap[at] = entry
}

function pop(heap: Entry[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let at = 0
  for (;;) {
    const left = heap[2 * at + 1]
    const right = heap[2 * at + 2]
    const isRight = right !== undefined && left !== undefined && isBefore(right, left)
    const child = isRight ? right : left
    if (child === undefined || !isBefore(child, last)) break
    heap[at] = child
    at = 2 * at + (isRight ? 2 : 1)
  }
  heap[at] = last
}
