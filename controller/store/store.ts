/**
 * The Store port: where objects live. It knows collections, keys, text and revisions, and nothing of kinds.
 *
 * Contract (store/contract.ts runs it on every adapter):
 *  ST1 Revisions are integers ≥ 1 that grow with every commit that changes something; an empty store has revision ≥ 1.
 *      Processes that share a store agree on the revision of each record. Where revisions are commit times, commits of
 *      one instant share one, and `changesSince` of it repeats them: nothing is missed, something may be seen twice.
 *  ST2 `commit` is all or nothing; a failed precondition of any mutation throws StoreError Conflict or NotFound or
 *      AlreadyExists (naming the key) and changes nothing. Every record that one commit changes gets a new revision.
 *  ST3 When `commit` has resolved, the change survives kill -9 (durable adapters) and every later read sees it.
 *  ST4 `list` is a consistent snapshot at the revision that it returns, sorted by namespace then name (code units).
 *      With `at` it lists as of that revision, or throws Expired when that is no longer known.
 *  ST5 `changesSince(r)` gives every change after r, in order of revision, or throws Expired when r is older than the
 *      retained window. A deletion is a change with its own revision and the last value.
 *  ST6 `subscribe` calls back after each commit, in order of revision, without gaps from its call on, never re-entrantly
 *      inside commit's caller; a listener that throws does not disturb the others. `revision` says how far the changes
 *      are complete: of the named collection, or of all when none is named; there may be no changes but the progress.
 *      A store that several processes share tells of all their commits, and of one's own before `commit` resolves,
 *      unless its listener is broken at that time.
 *  ST7 After `close` every call throws StoreError Closed.
 *  ST8 (files) A file that is in use, or cannot be opened, is refused with Unavailable.
 *  ST9 (files) A damaged or foreign file is refused with Corrupt, and stays as it was.
 *  ST10 (encryption) A value that does not decrypt makes that record alone Unreadable: `read` says so with its revision,
 *      lists and changes leave it out, and it can be deleted.
 *  ST11 (commit times) Where the revision is known only once committed, `value` is called with a draft number before:
 *      a JSON object's metadata.resourceVersion is then set to the revision by the adapter on every read, any other text
 *      stays as written, and the record says in `writtenAs` what `value` was called with.
 *  ST12 (Firestore) A document that is no object of ours never fails a list or a listener: it is left out, and
 *      `malformed()` names it with the reason.
 */

/** Where a record lies: `collection` is `resourceName(kind)`, `namespace` '' for cluster-scoped kinds. */
export type StoreKey = { readonly collection: string; readonly namespace: string; readonly name: string }

/** A stored object: `value` is its JSON text with metadata.resourceVersion equal to `revision`. */
export type StoreRecord = StoreKey & {
  readonly revision: number
  readonly value: string
  /** What `value` was called with, where that is not the revision (ST11). */
  readonly writtenAs?: number
}

/** One change of the store. */
export type Change = {
  readonly type: 'Added' | 'Modified' | 'Deleted'
  /** After the change; for Deleted the last value, with the revision of the deletion. */
  readonly record: StoreRecord
  /** The value before the change, so that watches can tell who leaves a selector. */
  readonly previous?: StoreRecord
}

/**
 * One change of a commit. `expectedRevision` is the revision that must be current: 0 says the key must not exist.
 * `value` is called with the revision that the record gets and returns its text, at most once per try; it must be pure.
 */
export type Mutation =
  | {
      readonly type: 'Put'
      readonly key: StoreKey
      readonly expectedRevision: number
      readonly value: (revision: number) => string
    }
  | {
      readonly type: 'Delete'
      readonly key: StoreKey
      readonly expectedRevision: number
      /** The text that the Deleted change carries. */
      readonly value: (revision: number) => string
    }

/** One page of a collection. */
export type ListPage = {
  /** The revision at which the snapshot was taken; the same for every page of one list. */
  readonly revision: number
  readonly records: readonly StoreRecord[]
  /** Pass it on for the next page; absent on the last one. */
  readonly next?: { readonly namespace: string; readonly name: string }
  /** Records after this page. */
  readonly remaining: number
}

/** What of a collection is listed. */
export type ListOptions = {
  /** Only this namespace; absent is all. */
  readonly namespace?: string
  /** At most so many records; absent is all. */
  readonly limit?: number
  /** Start after this key, as a page's `next` says. */
  readonly after?: { readonly namespace: string; readonly name: string }
  /** As of this revision. */
  readonly at?: number
  /** What this process has heard of is enough: other processes' newest commits may be missing. Costs no read. */
  readonly mayLag?: boolean
}

/** Why a call of the store failed. */
export type StoreErrorReason =
  | 'Conflict'
  | 'AlreadyExists'
  | 'NotFound'
  | 'Expired'
  | 'Closed'
  | 'Unavailable'
  | 'Corrupt'
  | 'Unreadable'
  | 'TooLarge'
  | 'Denied'

/** A failure of the store; `reason` is what callers switch on. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly reason: StoreErrorReason
  readonly key: StoreKey | undefined
  /** Of what is Unreadable: so that it can be deleted. */
  readonly revision: number | undefined

  constructor(
    reason: StoreErrorReason,
    message: string,
    key?: StoreKey,
    options?: ErrorOptions & { readonly revision?: number },
  ) {
    super(message, options)
    this.reason = reason
    this.key = key
    this.revision = options?.revision
  }
}

/** The port of the store; its rules stand above. */
export interface Store {
  read(key: StoreKey): Promise<StoreRecord | undefined>
  list(collection: string, options?: ListOptions): Promise<ListPage>
  /** Returns the changes that were made, in the order of the mutations. */
  commit(mutations: readonly Mutation[]): Promise<readonly Change[]>
  /** Changes of one collection (or of all) after a revision, and the revision up to which they are complete. */
  changesSince(
    revision: number,
    options?: { readonly collection?: string },
  ): Promise<{ readonly changes: readonly Change[]; readonly revision: number }>
  /** Listens to every change from now on; the returned function ends it. */
  subscribe(listener: (changes: readonly Change[], revision: number, collection?: string) => void): () => void
  /** The newest revision. */
  revision(): Promise<number>
  close(): Promise<void>
}
