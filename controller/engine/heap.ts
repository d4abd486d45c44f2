/** Pure: a binary heap whose items know their place, so that any of them can be moved or taken out in O(log n). */

/** What an item of a heap carries: its place, -1 while it is in none. One item is in at most one heap. */
export type HeapItem = { heapIndex: number }

/** A heap with the item that comes before all others on top; `before` must be a strict order. */
export class Heap<T extends HeapItem> {
  readonly #items: T[] = []
  readonly #before: (a: T, b: T) => boolean

  constructor(before: (a: T, b: T) => boolean) {
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  /** The item on top; undefined when empty. */
  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    item.heapIndex = this.#items.length
    this.#items.push(item)
    this.#up(item)
  }

  /** Takes the item on top out. */
  pop(): T | undefined {
    const top = this.#items[0]
    if (top !== undefined) this.remove(top)
    return top
  }

  /** Takes an item out; nothing happens when it is not in. */
  remove(item: T): void {
    const at = item.heapIndex
    if (this.#items[at] !== item) return
    const last = this.#items.pop()
    item.heapIndex = -1
    if (last === undefined || last === item) return
    this.#place(last, at)
    this.update(last)
  }

  /** Puts an item right whose order has changed. */
  update(item: T): void {
    this.#up(item)
    this.#down(item)
  }

  clear(): void {
    for (const item of this.#items) item.heapIndex = -1
    this.#items.length = 0
  }

  #place(item: T, at: number): void {
    this.#items[at] = item
    item.heapIndex = at
  }

  #up(item: T): void {
    let at = item.heapIndex
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = this.#items[parentAt]
      if (parent === undefined || !this.#before(item, parent)) break
      this.#place(parent, at)
      at = parentAt
    }
    this.#place(item, at)
  }

  #down(item: T): void {
    let at = item.heapIndex
    for (;;) {
      const child = this.#firstChild(at)
      if (child === undefined || !this.#before(child, item)) break
      const childAt = child.heapIndex
      this.#place(child, at)
      at = childAt
    }
    this.#place(item, at)
  }

  #firstChild(at: number): T | undefined {
    const left = this.#items[2 * at + 1]
    const right = this.#items[2 * at + 2]
    if (left === undefined || right === undefined) return left
    return this.#before(right, left) ? right : left
  }
}
