/**
 * Reads the messages of a listen stream and says what to tell: a snapshot, a failure, or to begin anew. Pure.
 *
 * A snapshot is complete when the target is current and the server says so with a read time; what comes before is
 * gathered. After RESET everything comes again. A filter tells how many documents there are: when that is not how many
 * are known, something was missed, and only a stream from the start helps.
 */
import type { ListenOptions, RawDocument, RawSnapshot } from './calls.ts'
import type { RawTime } from './time.ts'

/** The one target of a stream. */
export const TARGET_ID = 1

/** A message of the stream, as far as it matters. */
export type WatchMessage =
  | {
      readonly type: 'Target'
      readonly change: string
      readonly isForAll: boolean
      readonly readTime?: RawTime
      readonly resumeToken: Uint8Array
      readonly failure?: { readonly code: number; readonly message: string }
    }
  | { readonly type: 'Changed'; readonly document: RawDocument }
  | { readonly type: 'Removed'; readonly path: string; readonly at?: RawTime }
  | { readonly type: 'Filter'; readonly count: number }
  | { readonly type: 'Foreign' }

/** What follows from a message. */
export type WatchOutcome =
  | { readonly type: 'Nothing' }
  | { readonly type: 'Snapshot'; readonly snapshot: RawSnapshot }
  | { readonly type: 'Failed'; readonly code: number; readonly message: string }
  /** Open another stream without a resume token. */
  | { readonly type: 'Mismatch' }

type Gathered = { readonly document: RawDocument } | { readonly removedAt: RawTime | undefined }

const NOTHING: WatchOutcome = { type: 'Nothing' }
/** gRPC's INTERNAL: what the server says of a target that it removes without a cause. */
const CODE_INTERNAL = 13

/** What one stream has told since the last snapshot. */
export class WatchStream {
  readonly #known: ListenOptions['known']
  readonly #gathered = new Map<string, Gathered>()
  #isFull: boolean
  #isCurrent = false

  constructor(known: ListenOptions['known'], isResumed: boolean) {
    this.#known = known
    this.#isFull = !isResumed
  }

  take(message: WatchMessage): WatchOutcome {
    if (message.type === 'Target') return this.#takeTarget(message)
    if (message.type === 'Changed') this.#gathered.set(message.document.path, { document: message.document })
    if (message.type === 'Removed') this.#gathered.set(message.path, { removedAt: message.at })
    if (message.type === 'Filter' && message.count !== this.#count()) return { type: 'Mismatch' }
    return NOTHING
  }

  #takeTarget(message: WatchMessage & { type: 'Target' }): WatchOutcome {
    const { change, readTime } = message
    if (change === 'REMOVE') {
      const { code = CODE_INTERNAL, message: text = 'the listener was removed' } = message.failure ?? {}
      return { type: 'Failed', code, message: text }
    }
    if (change === 'RESET') {
      this.#gathered.clear()
      this.#isFull = true
      this.#isCurrent = false
    }
    if (change === 'CURRENT') this.#isCurrent = true
    if (change !== 'NO_CHANGE' || !message.isForAll || readTime === undefined || !this.#isCurrent) return NOTHING
    return { type: 'Snapshot', snapshot: this.#snapshot(readTime, message.resumeToken) }
  }

  #snapshot(readTime: RawTime, resumeToken: Uint8Array): RawSnapshot {
    const changed: RawDocument[] = []
    const removed: { path: string; at?: RawTime }[] = []
    for (const [path, one] of this.#gathered) {
      if ('document' in one) changed.push(one.document)
      else removed.push(one.removedAt === undefined ? { path } : { path, at: one.removedAt })
    }
    const isFull = this.#isFull
    this.#gathered.clear()
    this.#isFull = false
    return { readTime, isFull, changed, removed, resumeToken }
  }

  #count(): number {
    let count = this.#isFull ? 0 : this.#known.size
    for (const [path, one] of this.#gathered) {
      const isKnown = !this.#isFull && this.#known.has(path)
      if ('document' in one && !isKnown) count += 1
      if (!('document' in one) && isKnown) count -= 1
    }
    return count
  }
}
