/** The store in one file: everything is read from memory, every commit is on the disk before anybody hears of it. */
import { setImmediate } from 'node:timers'
import type { DatabaseSync } from 'node:sqlite'
import { silentLog, type Log } from '../../system/log.ts'
import { storeErrorOf } from './database.ts'
import { createJournal, type Journal } from './journal.ts'
import { Listeners } from './listeners.ts'
import { StoreState } from './state.ts'
import { StoreError, type Change, type Mutation, type Store } from './store.ts'
import { DEFAULT_WINDOW, type WindowLimits } from './window.ts'

/** Mutations of one transaction at most: a group that large takes about 20 ms, and nothing else runs meanwhile. */
const GROUP_MUTATIONS_MAX = 500
/** Commits that wait for the disk at most; past it, writers are told to come back. */
const PENDING_COMMITS_MAX = 20_000

/** What an embedded store is opened with. */
export type EmbeddedOptions = {
  /** As `openDatabase` gave it. Others may keep tables in it, in transactions that end in the turn they began in. */
  readonly database: DatabaseSync
  readonly window?: WindowLimits
  readonly log?: Log
}

/** Loads the store of an open database. Throws StoreError Corrupt. `close` leaves the database to whoever opened it. */
export function openEmbeddedStore(options: EmbeddedOptions): Store {
  const journal = createJournal(options.database)
  const state = load(journal, options.window ?? DEFAULT_WINDOW)
  return new EmbeddedStore({ ...options, journal, state })
}

function load(journal: Journal, limits: WindowLimits): StoreState {
  const state = new StoreState(limits, journal.floor)
  for (const change of journal.replay()) {
    if (change.record.revision <= journal.floor) state.restore(change)
    else journal.forget(state.apply([change]))
  }
  return state
}

type Pending = {
  readonly mutations: readonly Mutation[]
  readonly resolve: (changes: readonly Change[]) => void
  readonly reject: (error: unknown) => void
}

class EmbeddedStore implements Store {
  readonly #state: StoreState
  readonly #journal: Journal
  readonly #listeners: Listeners
  readonly #path: string
  #pending: Pending[] = []
  #isScheduled = false
  #isClosed = false

  constructor(parts: EmbeddedOptions & { readonly journal: Journal; readonly state: StoreState }) {
    this.#state = parts.state
    this.#journal = parts.journal
    this.#listeners = new Listeners(parts.log ?? silentLog)
    this.#path = parts.database.location() ?? ':memory:'
  }

  async read(...[key]: Parameters<Store['read']>): ReturnType<Store['read']> {
    return this.#open().read(key)
  }

  async list(...[collection, options]: Parameters<Store['list']>): ReturnType<Store['list']> {
    return this.#open().list(collection, options)
  }

  async changesSince(...[revision, options]: Parameters<Store['changesSince']>): ReturnType<Store['changesSince']> {
    const changes = this.#open().changesSince(revision, options?.collection)
    return { changes, revision: this.#state.revision }
  }

  async revision(): Promise<number> {
    return this.#open().revision
  }

  subscribe(listener: Parameters<Store['subscribe']>[0]): () => void {
    return this.#listeners.add(this.#open().revision, listener)
  }

  async commit(mutations: readonly Mutation[]): Promise<readonly Change[]> {
    this.#open()
    if (this.#pending.length >= PENDING_COMMITS_MAX)
      throw new StoreError(
        'Unavailable',
        `Cannot commit: "${this.#pending.length}" commits wait for the disk; try again`,
      )
    return new Promise((resolve, reject) => {
      this.#pending.push({ mutations, resolve, reject })
      this.#schedule()
    })
  }

  /** Writes down what waits, then refuses every further call. */
  async close(): Promise<void> {
    while (this.#pending.length > 0) this.#flush()
    this.#isClosed = true
    this.#listeners.clear()
  }

  #open(): StoreState {
    if (this.#isClosed) throw new StoreError('Closed', 'Cannot use the store: it is closed')
    return this.#state
  }

  /** At the end of this turn of the event loop, what has come in it goes to the disk as one transaction. */
  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => {
      this.#isScheduled = false
      if (this.#pending.length === 0) return
      this.#flush()
      if (this.#pending.length > 0) this.#schedule()
    })
  }

  #flush(): void {
    const group = this.#takeGroup()
    const draft = this.#state.draft()
    const accepted: { readonly commit: Pending; readonly changes: readonly Change[] }[] = []
    for (const commit of group) {
      try {
        accepted.push({ commit, changes: this.#state.judge(draft, commit.mutations) })
      } catch (error) {
        commit.reject(error)
      }
    }
    try {
      if (draft.changes.length > 0) this.#journal.append(draft.changes)
    } catch (error) {
      const failure = unwritten(error, this.#path)
      for (const { commit } of accepted) commit.reject(failure)
      return
    }
    this.#journal.forget(this.#state.apply(draft.changes))
    for (const { changes } of accepted) this.#listeners.tell(changes)
    for (const { commit, changes } of accepted) commit.resolve(changes)
  }

  /** The commits of the next transaction: at least one, as many as fit. */
  #takeGroup(): readonly Pending[] {
    let mutations = 0
    let count = 0
    for (const commit of this.#pending) {
      mutations += commit.mutations.length
      if (count > 0 && mutations > GROUP_MUTATIONS_MAX) break
      count += 1
    }
    return this.#pending.splice(0, count)
  }
}

function unwritten(error: unknown, path: string): StoreError {
  const { message } = storeErrorOf(error, path)
  return new StoreError('Unavailable', `Cannot write the commit down: ${message}`, undefined, { cause: error })
}
