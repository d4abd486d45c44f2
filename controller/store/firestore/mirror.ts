/** What this process has heard of one collection: its documents, the current records, the window of changes. Pure. */
import { StoreState } from '../state.ts'
import type { Change, ListOptions, ListPage, StoreKey, StoreRecord } from '../store.ts'
import { withRevision } from '../with-revision.ts'
import type { WindowLimits } from '../window.ts'
import type { RawDocument, RawSnapshot } from './calls.ts'
import { entryOf, type Entry, type LiveEntry, type Place } from './document.ts'
import { isSameTime, revisionOf } from './time.ts'

/** What a snapshot came to. */
export type Applied = {
  readonly changes: readonly Change[]
  /** Every change up to it is known. */
  readonly revision: number
  readonly entries: readonly Entry[]
}

/** The mirror of one collection; empty until its first snapshot. */
export class CollectionMirror {
  readonly collection: string
  readonly group: string
  readonly judge: Place['judge']
  readonly #limits: WindowLimits
  readonly #documents = new Map<string, Entry>()
  readonly #tombstones = new Map<string, Entry>()
  readonly #malformed = new Map<string, string>()
  #state: StoreState | undefined

  constructor({ collection, group, judge }: Place, limits: WindowLimits) {
    this.collection = collection
    this.group = group
    this.judge = judge
    this.#limits = limits
  }

  /** Up to which revision every change is known; 0 before the first snapshot. */
  get revision(): number {
    return this.#state?.revision ?? 0
  }

  /** Every document by its path, with those that are no objects. */
  get documents(): ReadonlyMap<string, Entry> {
    return this.#documents
  }

  get tombstones(): ReadonlyMap<string, Entry> {
    return this.#tombstones
  }

  /** What is wrong with documents, by path. */
  get malformed(): ReadonlyMap<string, string> {
    return this.#malformed
  }

  list(options: ListOptions): ListPage {
    return this.#known().list(this.collection, options)
  }

  changesSince(revision: number): readonly Change[] {
    return this.#known().changesSince(revision)
  }

  /** The change that made a record, while it is in the window. */
  changeOf(key: StoreKey, revision: number): Change | undefined {
    const state = this.#known()
    // The place in the window may be after the revision, never before it.
    if (revision <= state.floor) return undefined
    return state
      .changesSince(revision - 1)
      .findLast(
        ({ record }) => record.revision === revision && record.namespace === key.namespace && record.name === key.name,
      )
  }

  /**
   * Takes in a snapshot; undefined when it is older than what is known, and then nothing of it is taken.
   *
   * What is known is told by the documents themselves, never by the snapshot's read time: on the emulator that runs
   * ahead of commits that are yet to come.
   */
  apply(snapshot: RawSnapshot): Applied | undefined {
    const now = revisionOf(snapshot.readTime)
    const known = this.revision
    if (now < known) return undefined
    const entries = this.#changedEntries(snapshot.changed)
    const removed = this.#removed(snapshot)
    const changes = [
      ...entries.flatMap((entry) => this.#changesOf(entry)),
      ...removed.flatMap(({ path, at }) => this.#removalOf(path, Math.max(known + 1, Math.min(at, now)))),
    ].sort((one, other) => one.record.revision - other.record.revision)
    for (const entry of entries) this.#take(entry)
    for (const { path } of removed) this.#forget(path)
    const newest = entries.reduce((most, { updateTime }) => Math.max(most, revisionOf(updateTime)), 0)
    if (this.#state === undefined) this.#begin(newest)
    else {
      this.#state.apply(changes)
      this.#state.advance(newest)
    }
    return { changes: known === 0 ? [] : changes, revision: this.revision, entries }
  }

  #known(): StoreState {
    return (this.#state ??= new StoreState(this.#limits, 0))
  }

  /** Documents that are not as they were known. */
  #changedEntries(documents: readonly RawDocument[]): readonly Entry[] {
    return documents.flatMap((document) => {
      const known = this.#documents.get(document.path)
      if (known !== undefined && isSameTime(known.updateTime, document.updateTime)) return []
      return [entryOf(document, this)]
    })
  }

  #removed({ isFull, changed, removed, readTime }: RawSnapshot): readonly { path: string; at: number }[] {
    const now = revisionOf(readTime)
    if (!isFull) return removed.map(({ path, at }) => ({ path, at: at === undefined ? now : revisionOf(at) }))
    const present = new Set(changed.map(({ path }) => path))
    return [...this.#documents.keys()].filter((path) => !present.has(path)).map((path) => ({ path, at: now }))
  }

  #changesOf(entry: Entry): readonly Change[] {
    const previous = lastOf(this.#documents.get(entry.path))
    if (entry.type === 'Tombstone') return previous === undefined ? [] : [deletion(previous, entry)]
    // What cannot be read is not gone: it stays as it last was, or somebody would clear up after it.
    if (entry.type !== 'Live') return []
    const { record } = entry
    if (previous === undefined) return [{ type: 'Added', record }]
    if (!isOther(entry, previous)) return [{ type: 'Modified', record, previous: previous.record }]
    const { replaced = 0 } = entry
    const gone = goneAt(
      previous.record,
      replaced > this.revision ? Math.min(replaced, record.revision) : record.revision,
    )
    return [
      { type: 'Deleted', record: gone, previous: previous.record },
      { type: 'Added', record },
    ]
  }

  #removalOf(path: string, revision: number): readonly Change[] {
    const before = lastOf(this.#documents.get(path))
    if (before === undefined) return []
    return [{ type: 'Deleted', record: goneAt(before.record, revision), previous: before.record }]
  }

  #take(entry: Entry): void {
    const last = lastOf(this.#documents.get(entry.path))
    this.#forget(entry.path)
    this.#documents.set(entry.path, entry.type === 'Malformed' && last !== undefined ? { ...entry, last } : entry)
    if (entry.type === 'Tombstone') this.#tombstones.set(entry.path, entry)
    if (entry.type === 'Malformed') this.#malformed.set(entry.path, entry.fault)
  }

  #forget(path: string): void {
    this.#documents.delete(path)
    this.#tombstones.delete(path)
    this.#malformed.delete(path)
  }

  /** The first snapshot; one without any document tells nothing, not even the time. */
  #begin(revision: number): void {
    if (revision === 0) return
    const state = new StoreState(this.#limits, revision)
    for (const entry of this.#documents.values())
      if (entry.type === 'Live') state.restore({ type: 'Added', record: entry.record })
    this.#state = state
  }
}

/** The object that a document is, or was when it was last right. */
const lastOf = (entry: Entry | undefined): LiveEntry | undefined =>
  entry?.type === 'Live' ? entry : entry?.type === 'Malformed' ? entry.last : undefined

const isOther = (entry: LiveEntry, previous: LiveEntry): boolean =>
  entry.uid !== previous.uid || (entry.replaced ?? 0) > previous.record.revision

function deletion(previous: LiveEntry, tombstone: Entry & { readonly type: 'Tombstone' }): Change {
  const record = tombstone.record ?? goneAt(previous.record, revisionOf(tombstone.updateTime))
  return { type: 'Deleted', record, previous: previous.record }
}

/** The last value of what is gone, at the revision of its end. */
function goneAt(last: StoreRecord, revision: number): StoreRecord {
  if (!last.value.startsWith('{')) return { ...last, revision, writtenAs: last.writtenAs ?? last.revision }
  return { ...last, revision, value: withRevision(last.value, revision) }
}
