/** Holds the connection that calls go over, and replaces it when it seems to be dead. */
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import type { FirestoreCalls } from './calls.ts'

/** A connection is replaced at most so often, in ms. */
const REPLACE_MS = 2000
/** How long a replaced connection may finish what it began, in ms. */
const LINGER_MS = 60_000

/** The connections of one store. */
export class Connections {
  readonly #connect: () => Promise<FirestoreCalls>
  readonly #clock: Clock
  readonly #log: Log
  readonly #lingering = new Map<FirestoreCalls, CancelTimer>()
  #current: FirestoreCalls
  #madeAt: number
  #isReplacing = false
  #isClosed = false

  constructor(
    first: FirestoreCalls,
    parts: { readonly connect: () => Promise<FirestoreCalls>; readonly clock: Clock; readonly log: Log },
  ) {
    this.#connect = parts.connect
    this.#clock = parts.clock
    this.#log = parts.log
    this.#current = first
    this.#madeAt = this.#clock.monotonic()
  }

  get current(): FirestoreCalls {
    return this.#current
  }

  /** Replaces the connection if it is still the current one; what listens on the old one has a minute to move. */
  async replace(suspect: FirestoreCalls): Promise<void> {
    const isRecent = this.#clock.monotonic() - this.#madeAt < REPLACE_MS
    if (suspect !== this.#current || isRecent || this.#isReplacing || this.#isClosed) return
    this.#isReplacing = true
    try {
      const next = await this.#connect()
      if (this.#isClosed) {
        await next.close()
        return
      }
      this.#current = next
      this.#madeAt = this.#clock.monotonic()
      this.#lingering.set(
        suspect,
        this.#clock.after(LINGER_MS, () => this.#end(suspect), { background: true }),
      )
    } catch (error) {
      this.#log.warn({ err: error }, 'no new connection to Firestore')
    } finally {
      this.#isReplacing = false
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const old = [...this.#lingering.keys()]
    for (const cancel of this.#lingering.values()) cancel()
    this.#lingering.clear()
    await Promise.allSettled([this.#current, ...old].map((calls) => calls.close()))
  }

  #end(calls: FirestoreCalls): void {
    this.#lingering.delete(calls)
    calls.close().catch((error: unknown) => this.#log.debug({ err: error }, 'old connection did not close'))
  }
}
