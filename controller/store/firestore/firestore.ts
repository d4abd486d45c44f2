/**
 * The store on Firestore, shared by any number of processes: documents a person can read, listeners that keep a mirror.
 *
 *  FDS1 A revision is a commit time in microseconds since 1970. Every process gives a record the same one.
 *  FDS2 Every write has a precondition and a write id that is stored with it. A commit whose outcome is unknown is looked
 *      up by that id and repeated under the same precondition: it is applied once or not at all. A refused precondition
 *      is told as AlreadyExists, NotFound or Conflict, from what lies there.
 *  FDS3 ABORTED and unknown outcomes are repeated a bounded number of times and then Unavailable; RESOURCE_EXHAUSTED is
 *      Unavailable at once, PERMISSION_DENIED is Denied and says what to grant, a document of over 1 MiB is TooLarge.
 *      Every call has a deadline; a connection on which one passed is replaced.
 *  FDS4 A deletion overwrites the document with a tombstone, so that every process tells of it with the same revision;
 *      tombstones are absence to everybody, and are removed after ten minutes. What somebody removes outright is told
 *      as deleted at the time at which the listener noticed.
 *  FDS5 One listener a collection keeps a mirror of it and a window of changes from its first snapshot on; what is older
 *      is Expired. A name that was deleted and made again between two snapshots is told as Deleted and Added.
 *  FDS6 `commit` resolves after this process's listener has told of it, or after 5 s without it.
 *  FDS7 `list` and `changesSince` are answered from the mirror, once the listener has passed a canary that was written
 *      after the call: one write, whatever the size, shared by all that ask at once, and tried three times at most. With
 *      `mayLag` not even that.
 *      A revision that Firestore's clock has not reached is Expired.
 *  FDS8 A listener that is silent for 15 s is shown a canary; one that has not told of it, nor of anything newer, within
 *      30 s is made anew, and so is one that failed. It goes on where it was: nothing is missed or told twice. A
 *      snapshot that is older than what is known is not believed.
 *  FDS9 A malformed document is logged once and named by `malformed`; `read` says Unreadable with its revision, so that it
 *      can be deleted. Lists and changes leave it out; but what was right when this process saw it last stays in lists as
 *      it was then: missing data destroys nothing. Once it is right again it is told as Added, or as Modified.
 *  FDS10 Nothing serialises commits; no document is written by all of them.
 *  FDS11 A collection has one stream at most; once the store is closed there is none, and no connection stays.
 *  FDS12 An opening that Firestore refuses fails at once with what to do, one that nobody answers after 30 s, a silent one
 *      after 60 s; nothing goes on then.
 */
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'
import type { Metrics } from '../../../system/metrics.ts'
import {
  StoreError,
  type Change,
  type ListOptions,
  type ListPage,
  type Store,
  type StoreKey,
  type StoreRecord,
} from '../store.ts'
import { DEFAULT_WINDOW, type WindowLimits } from '../window.ts'
import { CODE, type FirestoreCalls } from './calls.ts'
import { DEFAULT_TIMINGS, ListenedCollection, type Timings } from './collection.ts'
import { commit } from './commit.ts'
import { Connections } from './connections.ts'
import { createDeafness, type NoteListening } from './deafness.ts'
import { canaryPath } from './document.ts'
import { storeErrorOf } from './failures.ts'
import { CollectionMirror, type Applied } from './mirror.ts'
import { collectionGroupOf } from './paths.ts'
import { readRecord, serverRevision } from './reads.ts'
import { connectFirestore } from './sdk.ts'
import type { Judge } from './shape.ts'
import { sweepTombstones, SWEEP_MS } from './sweep.ts'

/** A document that is no object of ours, and why. */
export type MalformedDocument = { readonly path: string; readonly fault: string }

export type { Judge } from './shape.ts'

/** Documents read, written and removed by this process since it began: what Firestore bills. */
export type FirestoreStats = { readonly read: number; readonly written: number; readonly deleted: number }

/** A store on Firestore. */
export type FirestoreStore = Store & {
  /** What lies in the listened collections and is no object (ST12). */
  malformed(): readonly MalformedDocument[]
  stats(): FirestoreStats
}

/** What `openFirestoreStore` needs. */
export type FirestoreStoreOptions = {
  readonly project: string
  readonly database: string
  /** `resourceName` of each kind; what else is asked for is listened to from then on. */
  readonly collections: readonly string[]
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics?: Metrics
  /** The window of changes of each collection. */
  readonly window?: WindowLimits
  /** Holds objects against their kinds, so that no reader meets one of another form. Pure. */
  readonly judge?: Judge
  readonly settings?: {
    /** `host:port` of an emulator. */
    readonly emulatorHost?: string
    readonly timings?: Partial<Timings>
    /** Makes a connection, where it is not to be Google's client. */
    readonly connect?: () => Promise<FirestoreCalls>
  }
}

/** How long the first snapshots may take, in ms, and how often is looked whether Firestore refuses them. */
const OPEN_MS = 60_000
/** The same while listeners are told that nobody answers, rather than of nothing. */
const OPEN_FAILING_MS = 30_000
const OPEN_LOOK_MS = 250
/** Failures of a listener that waiting does not mend. */
const FATAL: ReadonlySet<number> = new Set([
  CODE.PermissionDenied,
  CODE.Unauthenticated,
  CODE.NotFound,
  CODE.InvalidArgument,
])

/** Opens the store; resolves once every collection is mirrored. Throws StoreError Denied or Unavailable. */
export async function openFirestoreStore(options: FirestoreStoreOptions): Promise<FirestoreStore> {
  const { clock, log, settings = {} } = options
  const { emulatorHost } = settings
  const { project, database } = options
  const connect =
    settings.connect ??
    (() => connectFirestore({ project, database, ...(emulatorHost === undefined ? {} : { emulatorHost }) }))
  const connections = new Connections(await connect(), { connect, clock, log })
  const store = new OpenStore(options, connections)
  try {
    await Promise.all(options.collections.map((collection) => store.collectionOf(collection)))
  } catch (error) {
    await store.close()
    throw error
  }
  return portOf(store)
}

const portOf = (store: OpenStore): FirestoreStore => ({
  read: (key) => store.read(key),
  list: (collection, listOptions) => store.list(collection, listOptions),
  commit: (mutations) => store.commit(mutations),
  changesSince: (revision, { collection } = {}) =>
    collection === undefined ? store.allChangesSince(revision) : store.changesSince(revision, collection),
  subscribe: (listener) => store.subscribe(listener),
  revision: () => store.revision(),
  close: () => store.close(),
  malformed: () => store.malformed(),
  stats: () => store.stats(),
})

type Listener = Parameters<Store['subscribe']>[0]

/** An open store with its listeners. */
class OpenStore {
  readonly #options: FirestoreStoreOptions
  readonly #connections: Connections
  readonly #timings: Timings
  readonly #collections = new Map<string, ListenedCollection>()
  readonly #listeners = new Set<{ readonly call: Listener }>()
  readonly #closing = new AbortController()
  readonly #count = { read: 0, written: 0, deleted: 0 }
  readonly #noteListening: NoteListening
  #cancelSweep: () => void = () => {}

  constructor(options: FirestoreStoreOptions, connections: Connections) {
    this.#options = options
    this.#connections = connections
    this.#noteListening = createDeafness(options)
    this.#timings = { ...DEFAULT_TIMINGS, ...options.settings?.timings }
    this.#scheduleSweep()
  }

  /** The collection, once its first snapshot has come. */
  async collectionOf(name: string): Promise<ListenedCollection> {
    this.#checkOpen()
    const collection = this.#collections.get(name) ?? this.#listenTo(name)
    for (let waitedMs = 0; !collection.isReady; waitedMs += OPEN_LOOK_MS) {
      await collection.reach(1, OPEN_LOOK_MS)
      this.#checkOpen()
      const { failure } = collection
      if (failure !== undefined && (FATAL.has(failure.code) || waitedMs >= OPEN_FAILING_MS))
        throw storeErrorOf(failure, `listen to ${name}`)
      if (!collection.isReady && waitedMs >= OPEN_MS)
        throw new StoreError('Unavailable', `Cannot listen to ${name}: Firestore does not answer; try again in 10 s`)
    }
    return collection
  }

  async read(key: StoreKey): Promise<StoreRecord | undefined> {
    const { mirror } = await this.collectionOf(key.collection)
    return readRecord(this.#reading(), key, mirror)
  }

  async list(name: string, options: ListOptions = {}): Promise<ListPage> {
    const collection = await this.collectionOf(name)
    if (options.at !== undefined) await collection.reachExactly(options.at)
    else if (options.mayLag !== true) await collection.fresh()
    this.#checkOpen()
    return collection.mirror.list(options)
  }

  async commit(...[mutations]: Parameters<Store['commit']>): Promise<readonly Change[]> {
    this.#checkOpen()
    const { clock, entropy } = this.#options
    return commit(
      {
        connections: this.#connections,
        clock,
        entropy,
        timings: this.#timings,
        collectionOf: (name) => this.collectionOf(name),
        onCall: (kind, documents) => this.#counted(kind, documents),
        signal: this.#closing.signal,
      },
      mutations,
    )
  }

  async changesSince(
    revision: number,
    name: string,
  ): Promise<{ readonly changes: readonly Change[]; readonly revision: number }> {
    const collection = await this.collectionOf(name)
    await collection.reachExactly(revision)
    this.#checkOpen()
    const { mirror } = collection
    return { changes: mirror.changesSince(revision), revision: mirror.revision }
  }

  /** Of all collections, each of them as far as the one that is known furthest. */
  async allChangesSince(revision: number): Promise<{ readonly changes: readonly Change[]; readonly revision: number }> {
    this.#checkOpen()
    const collections = [...this.#collections.values()]
    const until = Math.max(revision, ...collections.map(({ mirror }) => mirror.revision))
    await Promise.all(collections.map((collection) => collection.reachExactly(until)))
    this.#checkOpen()
    const changes = collections
      .flatMap(({ mirror }) => mirror.changesSince(revision))
      .sort((one, other) => one.record.revision - other.record.revision)
    return { changes, revision: Math.min(...collections.map(({ mirror }) => mirror.revision)) }
  }

  subscribe(call: Listener): () => void {
    this.#checkOpen()
    const listener = { call }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async revision(): Promise<number> {
    this.#checkOpen()
    const known = [...this.#collections.values()].map(({ mirror }) => mirror.revision)
    const [first] = this.#collections.values()
    return Math.max(...known, await serverRevision(this.#reading(), canaryPath(first?.mirror.group ?? 'namespaces')))
  }

  malformed(): readonly MalformedDocument[] {
    return [...this.#collections.values()].flatMap(({ mirror }) =>
      [...mirror.malformed].map(([path, fault]) => ({ path, fault })),
    )
  }

  stats(): FirestoreStats {
    return { ...this.#count }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    this.#cancelSweep()
    this.#listeners.clear()
    for (const collection of this.#collections.values()) collection.close()
    await this.#connections.close()
  }

  #reading() {
    const { clock, entropy } = this.#options
    return {
      connections: this.#connections,
      clock,
      entropy,
      timeoutMs: this.#timings.callMs,
      signal: this.#closing.signal,
      onRead: (documents: number) => this.#counted('read', documents),
    }
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new StoreError('Closed', 'Cannot use the store: it is closed')
  }

  #listenTo(name: string): ListenedCollection {
    const group = collectionGroupOf(name)
    if (group === undefined)
      throw new StoreError(
        'Denied',
        `Cannot use the collection ${JSON.stringify(name.slice(0, 80))}: it has no right name`,
      )
    const { clock, entropy, log, window = DEFAULT_WINDOW } = this.#options
    const collection = new ListenedCollection(
      new CollectionMirror({ collection: name, group, judge: this.#options.judge }, window),
      {
        connections: this.#connections,
        clock,
        entropy,
        log,
        timings: this.#timings,
        onApplied: (applied) => this.#tell(applied, name),
        onCall: (kind, documents) => this.#counted(kind, documents),
        onListening: (why) => this.#noteListening(name, why),
      },
    )
    this.#collections.set(name, collection)
    collection.start()
    return collection
  }

  #tell({ changes, revision }: Applied, collection: string): void {
    for (const listener of this.#listeners)
      try {
        listener.call(changes, revision, collection)
      } catch (error) {
        this.#options.log.error({ err: error, collection, revision }, 'store listener threw')
      }
  }

  #counted(kind: 'read' | 'written' | 'deleted', documents: number): void {
    this.#count[kind] += documents
    this.#options.metrics
      ?.counter('firestore_documents_total', 'Documents read, written and deleted in Firestore', ['kind'])
      .add({ kind }, documents)
  }

  #scheduleSweep(): void {
    const { clock, entropy } = this.#options
    // Spread, so that of several processes one does most of it.
    const delayMs = SWEEP_MS * (0.5 + entropy.random())
    this.#cancelSweep = clock.after(delayMs, () => void this.#sweep(), { background: true })
  }

  async #sweep(): Promise<void> {
    const ports = {
      connections: this.#connections,
      timeoutMs: this.#timings.callMs,
      signal: this.#closing.signal,
    }
    for (const collection of this.#collections.values())
      this.#counted('deleted', await sweepTombstones(collection, ports))
    if (!this.#closing.signal.aborted) this.#scheduleSweep()
  }
}
