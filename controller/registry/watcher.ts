/** One watch: what it selects, its bounded buffer, and the reader that drains it. */
import type { KubeObject } from '../api/object.ts'
import type { Predicate } from '../api/selectors.ts'
import type { RegistryEvent } from './registry.ts'
import { expired } from './store-errors.ts'

/** One change of the store as watches see it, made once for all of them. */
export type Delivery = {
  /** What the store had told when it told of this: where revisions are commit times, a change may be told after newer ones. */
  readonly toldUntil: number
  readonly type: 'Added' | 'Modified' | 'Deleted'
  /** Of the object's text. */
  readonly sizeBytes: number
  readonly object: KubeObject
  readonly previous: KubeObject | undefined
  readonly added: () => RegistryEvent
  readonly modified: () => RegistryEvent
  /** The object as it was last seen, with the revision of the change. */
  readonly deleted: () => RegistryEvent
}

/** A reader's queue. Deliveries may come before `start`; they are held back and sorted out by revision. */
export class Watcher {
  readonly #isSelected: Predicate
  readonly #bufferMax: number
  readonly #bufferBytesMax: number
  readonly #onSlow: () => void
  readonly allowBookmarks: boolean
  #buffer: RegistryEvent[] = []
  #held: Delivery[] | undefined = []
  /** Of the changes in the buffer, or held back; what a watch begins with is not counted. */
  #sizeBytes = 0
  #wake: (() => void) | undefined
  #failure: Error | undefined
  #isEnded = false
  /** Everything up to this revision was told when the watch began. */
  #startRevision = 0

  constructor(options: {
    readonly isSelected: Predicate
    readonly allowBookmarks: boolean
    readonly bufferMax: number
    /** Shared events are counted in full by each watch: they stay in memory as long as one of them lags. */
    readonly bufferBytesMax: number
    /** Told once when the reader is too slow for the buffer. */
    readonly onSlow: () => void
  }) {
    this.#onSlow = options.onSlow
    this.#isSelected = options.isSelected
    this.#bufferMax = options.bufferMax
    this.#bufferBytesMax = options.bufferBytesMax
    this.allowBookmarks = options.allowBookmarks
  }

  /** Begins with these events, which speak for everything up to `revision`; then come the deliveries after it. */
  start(events: readonly RegistryEvent[], revision: number): void {
    if (this.#isEnded) return
    this.#buffer = [...events]
    const held = this.#held ?? []
    this.#held = undefined
    this.#sizeBytes = 0
    this.#startRevision = revision
    for (const delivery of held) if (delivery.toldUntil > revision) this.deliver(delivery)
    this.#signal()
  }

  /** The event that a change is for this watch; undefined when it does not concern it. */
  eventOf(delivery: Delivery): RegistryEvent | undefined {
    const was = delivery.previous !== undefined && this.#isSelected(delivery.previous)
    const is = delivery.type !== 'Deleted' && this.#isSelected(delivery.object)
    if (is) return was ? delivery.modified() : delivery.added()
    return was ? delivery.deleted() : undefined
  }

  deliver(delivery: Delivery): void {
    if (this.#held !== undefined) {
      this.#held.push(delivery)
      this.#sizeBytes += delivery.sizeBytes
      if (this.#held.length > this.#bufferMax || this.#sizeBytes > this.#bufferBytesMax) this.#overflow()
      return
    }
    const event = this.eventOf(delivery)
    if (event !== undefined) this.#push(event, delivery.sizeBytes)
  }

  /** Adds a bookmark at the newest revision that was delivered; never two in a row, and none before the start. */
  bookmark(seenRevision: number, make: (revision: number) => RegistryEvent): void {
    if (this.#held !== undefined || this.#buffer.at(-1)?.type === 'BOOKMARK') return
    this.#push(make(Math.max(seenRevision, this.#startRevision)), 0)
  }

  /** Ends the watch: the reader gets the error at its next step, whatever is buffered. */
  fail(error: Error): void {
    if (this.#isEnded) return
    this.#failure = error
    this.end()
  }

  /** Ends the watch without an error. */
  end(): void {
    this.#isEnded = true
    this.#buffer = []
    this.#held = undefined
    this.#signal()
  }

  /** Everything that is buffered, at least one event; undefined at the end. Throws what `fail` was given. */
  async read(): Promise<readonly RegistryEvent[] | undefined> {
    while (this.#buffer.length === 0 && !this.#isEnded) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#failure !== undefined) throw this.#failure
    if (this.#isEnded) return undefined
    const events = this.#buffer
    this.#buffer = []
    this.#sizeBytes = 0
    return events
  }

  #push(event: RegistryEvent, sizeBytes: number): void {
    if (this.#isEnded) return
    this.#sizeBytes += sizeBytes
    if (this.#buffer.length >= this.#bufferMax || this.#sizeBytes > this.#bufferBytesMax) {
      this.#overflow()
      return
    }
    this.#buffer.push(event)
    this.#signal()
  }

  #overflow(): void {
    if (!this.#isEnded) this.#onSlow()
    this.fail(expired())
  }

  #signal(): void {
    this.#wake?.()
    this.#wake = undefined
  }
}
