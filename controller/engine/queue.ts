/** The work queue: keyed, de-duplicating, with priorities, delays and fairness between tenants (docs/spec/engine.md, EQ). */
import { formatKey, type Key } from '../api/object.ts'
import type { CancelTimer, Clock } from '../../system/clock.ts'
import { FairShare } from './fair-share.ts'
import { Heap } from './heap.ts'
import { PRIORITY, type Priority } from './types.ts'

/** Whose keys a queue holds, and how they share its turns. */
export type WorkQueueOptions = {
  readonly clock: Clock
  /** Who a key belongs to; default: its namespace, or its name for cluster-scoped kinds. */
  readonly tenantOf?: (key: Key) => string
  /** A tenant's weight, 1…100; default 1 for all. */
  readonly weightOf?: (tenant: string) => number
  /** Told after each change how many keys wait. */
  readonly onSize?: (size: number) => void
}

/** The tenant of a key: its namespace, or its name for cluster-scoped kinds. */
export const tenantOfKey = (key: Key): string => (key.namespace === '' ? key.name : key.namespace)

type Entry = {
  readonly key: Key
  readonly id: string
  readonly tenant: string
  /** Place in the heap of delays or in that of its tenant; it is never in both. */
  heapIndex: number
  isWaiting: boolean
  isWorking: boolean
  /** Added while being worked on: it waits again as soon as it is done. */
  isDirty: boolean
  isDelayed: boolean
  priority: Priority
  /** Age: lower is older. */
  order: number
  /** Monotonic ms, while delayed. */
  dueAt: number
}

const comesBefore = (a: Entry, b: Entry): boolean =>
  a.priority > b.priority || (a.priority === b.priority && a.order < b.order)
const isDueBefore = (a: Entry, b: Entry): boolean => a.dueAt < b.dueAt || (a.dueAt === b.dueAt && a.order < b.order)

/** Keys to work on. Memory is bounded by the number of different keys that wait, are delayed or are worked on. */
export class WorkQueue {
  readonly #clock: Clock
  readonly #tenantOf: (key: Key) => string
  readonly #onSize: (size: number) => void
  readonly #entries = new Map<string, Entry>()
  readonly #waiting: FairShare<Entry>
  readonly #delayed = new Heap<Entry>(isDueBefore)
  /** One for each worker that has nothing to do. */
  readonly #takers: ((key: Key | undefined) => void)[] = []
  #isServing = false
  #working = 0
  #order = 0
  #cancelTimer: CancelTimer | undefined
  #timerDueAt = Infinity
  #isShutDown = false

  constructor(options: WorkQueueOptions) {
    this.#clock = options.clock
    this.#tenantOf = options.tenantOf ?? tenantOfKey
    this.#onSize = options.onSize ?? (() => {})
    this.#waiting = new FairShare(comesBefore, options.weightOf ?? (() => 1))
  }

  /** Keys that wait for a worker; delayed ones are not among them. */
  get size(): number {
    return this.#waiting.size
  }

  /** Keys that are worked on. */
  get working(): number {
    return this.#working
  }

  /** Keys whose time has not come. */
  get delayed(): number {
    return this.#delayed.size
  }

  /** Keys that are kept for any reason: they wait, are delayed or are worked on. */
  get known(): number {
    return this.#entries.size
  }

  /** Lets a key wait for a worker, once; a higher priority than before raises it, and a delay of it is over. */
  add(key: Key, priority: Priority): void {
    if (this.#isShutDown) return
    const entry = this.#entryOf(key)
    this.#undelay(entry)
    this.#enqueue(entry, priority)
    this.#armTimer()
  }

  /** Adds a key after `delayMs`; of several delays the earliest wins, and a key that waits already does so no later. */
  addAfter(key: Key, delayMs: number, priority: Priority): void {
    if (this.#isShutDown) return
    if (!(delayMs > 0)) {
      this.add(key, priority)
      return
    }
    const entry = this.#entryOf(key)
    if (entry.isWaiting || entry.isDirty) return
    this.#delay(entry, this.#clock.monotonic() + delayMs, priority)
    this.#armTimer()
  }

  /** The next key, as soon as there is one; undefined once the queue is shut down. The caller says `done` afterwards. */
  take(): Promise<Key | undefined> {
    if (this.#isShutDown) return Promise.resolve(undefined)
    const key = this.#next()
    if (key !== undefined) return Promise.resolve(key)
    return new Promise((resolve) => this.#takers.push(resolve))
  }

  /** Ends the work on a key; if it was added meanwhile, it waits again. */
  done(key: Key): void {
    const entry = this.#entries.get(formatKey(key))
    if (entry === undefined || !entry.isWorking) return
    entry.isWorking = false
    this.#working--
    if (entry.isDirty && !this.#isShutDown) {
      entry.isDirty = false
      this.#wait(entry)
    }
    this.#forgetIfIdle(entry)
  }

  /** Drops what waits, cancels the timer and lets every `take` end with undefined. */
  shutdown(): void {
    if (this.#isShutDown) return
    this.#isShutDown = true
    this.#cancelTimer?.()
    this.#waiting.clear()
    this.#delayed.clear()
    for (const [id, entry] of this.#entries) if (!entry.isWorking) this.#entries.delete(id)
    for (const taker of this.#takers.splice(0)) taker(undefined)
    this.#onSize(0)
  }

  #entryOf(key: Key): Entry {
    const id = formatKey(key)
    const known = this.#entries.get(id)
    if (known !== undefined) return known
    const entry: Entry = {
      key: { namespace: key.namespace, name: key.name },
      id,
      tenant: this.#tenantOf(key),
      heapIndex: -1,
      isWaiting: false,
      isWorking: false,
      isDirty: false,
      isDelayed: false,
      priority: PRIORITY.startup,
      order: 0,
      dueAt: Infinity,
    }
    this.#entries.set(id, entry)
    return entry
  }

  #enqueue(entry: Entry, priority: Priority): void {
    const isKnown = entry.isWaiting || entry.isDirty
    if (isKnown && priority <= entry.priority) return
    entry.priority = priority
    if (entry.isWaiting) {
      this.#waiting.update(entry.tenant, entry)
    } else if (entry.isWorking) {
      entry.isDirty = true
    } else {
      this.#wait(entry)
    }
  }

  #wait(entry: Entry): void {
    entry.isWaiting = true
    entry.order = ++this.#order
    this.#waiting.push(entry.tenant, entry)
    this.#onSize(this.size)
    if (this.#takers.length === 0 || this.#isServing) return
    // Not at once: what else is added in this turn may be the same key, or a more urgent one.
    this.#isServing = true
    queueMicrotask(() => this.#serve())
  }

  #serve(): void {
    this.#isServing = false
    while (this.#takers.length > 0 && this.size > 0) this.#takers.shift()?.(this.#next())
  }

  #next(): Key | undefined {
    const entry = this.#waiting.pop()
    if (entry === undefined) return undefined
    entry.isWaiting = false
    entry.isWorking = true
    this.#working++
    this.#onSize(this.size)
    return entry.key
  }

  #delay(entry: Entry, dueAt: number, priority: Priority): void {
    if (entry.isDelayed && entry.dueAt <= dueAt) return
    this.#undelay(entry)
    entry.isDelayed = true
    entry.dueAt = dueAt
    entry.priority = priority
    entry.order = ++this.#order
    this.#delayed.push(entry)
  }

  #undelay(entry: Entry): void {
    if (!entry.isDelayed) return
    this.#delayed.remove(entry)
    entry.isDelayed = false
    entry.dueAt = Infinity
  }

  /** One timer for all delays: set to the earliest, and set again when that changes. */
  #armTimer(): void {
    const dueAt = this.#delayed.peek()?.dueAt ?? Infinity
    if (dueAt === this.#timerDueAt) return
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#timerDueAt = dueAt
    if (dueAt === Infinity) return
    this.#cancelTimer = this.#clock.after(Math.ceil(dueAt - this.#clock.monotonic()), () => this.#releaseDue())
  }

  #releaseDue(): void {
    this.#timerDueAt = Infinity
    this.#cancelTimer = undefined
    const now = this.#clock.monotonic()
    for (let entry = this.#delayed.peek(); entry !== undefined && entry.dueAt <= now; entry = this.#delayed.peek()) {
      const { priority } = entry
      this.#undelay(entry)
      this.#enqueue(entry, priority)
    }
    this.#armTimer()
  }

  #forgetIfIdle(entry: Entry): void {
    if (!entry.isWaiting && !entry.isWorking && !entry.isDelayed) this.#entries.delete(entry.id)
  }
}
