/** The port over Firestore's own calls: what the adapter asks of it, in its words and with its codes. */
import type { RawTime } from './time.ts'

/** A document as it lies in Firestore; `path` is relative to the database's root. */
export type RawDocument = {
  readonly path: string
  /** JSON values; what has no JSON form is a Date, bytes or a symbol. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly updateTime: RawTime
}

/** What must hold of the document before a write: nothing, that there is none, or when it was last changed. */
export type Condition = 'None' | 'Absent' | RawTime

/** One write of a commit; `Set` replaces the whole document. */
export type RawWrite =
  | {
      readonly type: 'Set'
      readonly path: string
      readonly fields: Readonly<Record<string, unknown>>
      readonly condition: Condition
    }
  | { readonly type: 'Remove'; readonly path: string; readonly condition: Condition }

/** The documents of some paths, by path, as of one time; what is not there is missing in the map. */
export type Found = { readonly documents: ReadonlyMap<string, RawDocument>; readonly readTime: RawTime }

/** What changed in a collection group up to a time. With `isFull`, `changed` is all there is. */
export type RawSnapshot = {
  readonly readTime: RawTime
  readonly isFull: boolean
  readonly changed: readonly RawDocument[]
  /** `at` is when it was removed, where Firestore says so. */
  readonly removed: readonly { readonly path: string; readonly at?: RawTime }[]
  /** A later listener that begins with it is told only what changed since. */
  readonly resumeToken: Uint8Array
}

/** What a listener begins with, and whom it tells; nothing is told after it was ended or has failed. */
export type ListenOptions = {
  readonly resumeToken?: Uint8Array
  /** The documents that are known, so that a wrong number of them is noticed. */
  readonly known: { readonly size: number; has(path: string): boolean }
  readonly onSnapshot: (snapshot: RawSnapshot) => void
  readonly onFailure: (failure: CallFailure) => void
}

/** Codes of gRPC that mean something to the adapter. */
export const CODE = {
  Cancelled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  Internal: 13,
  Unavailable: 14,
  Unauthenticated: 16,
} as const

/** A call of Firestore's failed; `code` is gRPC's. */
export class CallFailure extends Error {
  override readonly name = 'CallFailure'
  readonly code: number

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** One connection to Firestore. Every call fails with CallFailure alone, and none lasts longer than its time-out. */
export interface FirestoreCalls {
  /** All writes or none; gives the update time of each document. Never repeated by the connection itself. */
  commit(writes: readonly RawWrite[], timeoutMs: number): Promise<readonly RawTime[]>
  get(paths: readonly string[], timeoutMs: number): Promise<Found>
  /** Listens to every collection of that id; the returned function ends it. */
  listen(collectionGroup: string, options: ListenOptions): () => void
  close(): Promise<void>
}
