/** Firestore in this process's memory, on any clock: takes the adapter's calls and counts what Google would bill. */
import {
  CallFailure,
  CODE,
  type FirestoreCalls,
  type ListenOptions,
  type RawDocument,
  type RawWrite,
} from '../controller/store/firestore/calls.ts'
import { isSameTime, timeOf, type RawTime } from '../controller/store/firestore/time.ts'
import type { Clock } from '../system/clock.ts'

/** Documents billed so far: a document that a listener is sent is a read, and so is one that is looked for in vain. */
export type Billed = { reads: number; writes: number; deletes: number }

type Listener = { readonly group: string; readonly options: ListenOptions }

const NOTHING = new Uint8Array()

/** One empty database. */
export class FirestoreInMemory {
  readonly billed: Billed = { reads: 0, writes: 0, deletes: 0 }
  readonly #clock: Clock
  readonly #documents = new Map<string, RawDocument>()
  readonly #listeners = new Set<Listener>()
  #lastMicros = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A connection to it. */
  connect(): FirestoreCalls {
    return {
      commit: (writes) => Promise.resolve().then(() => this.#commit(writes)),
      get: (paths) => Promise.resolve().then(() => this.#get(paths)),
      listen: (group, options) => this.#listen({ group, options }),
      close: () => Promise.resolve(),
    }
  }

  /** Commit times of different commits differ. */
  #tick(): RawTime {
    this.#lastMicros = Math.max(this.#lastMicros + 1, this.#clock.now() * 1000)
    return timeOf(this.#lastMicros)
  }

  #commit(writes: readonly RawWrite[]): readonly RawTime[] {
    for (const write of writes) this.#check(write)
    const time = this.#tick()
    const changed: RawDocument[] = []
    const removed: string[] = []
    for (const write of writes) {
      if (write.type === 'Set') {
        const document = { path: write.path, fields: write.fields, updateTime: time }
        this.#documents.set(write.path, document)
        changed.push(document)
        this.billed.writes += 1
      } else {
        this.#documents.delete(write.path)
        removed.push(write.path)
        this.billed.deletes += 1
      }
    }
    for (const listener of this.#listeners) this.#tell(listener, { time, changed, removed })
    return writes.map(() => time)
  }

  #check({ path, condition }: RawWrite): void {
    if (condition === 'None') return
    const current = this.#documents.get(path)
    if (condition === 'Absent') {
      if (current !== undefined) throw new CallFailure(CODE.AlreadyExists, `${path} exists`)
    } else if (current === undefined || !isSameTime(current.updateTime, condition))
      throw new CallFailure(CODE.FailedPrecondition, `${path} has changed`)
  }

  #tell(
    { group, options }: Listener,
    news: { readonly time: RawTime; readonly changed: readonly RawDocument[]; readonly removed: readonly string[] },
  ): void {
    const changed = news.changed.filter(({ path }) => groupOf(path) === group)
    const removed = news.removed.filter((path) => groupOf(path) === group)
    if (changed.length + removed.length === 0) return
    this.billed.reads += changed.length
    queueMicrotask(() =>
      options.onSnapshot({
        readTime: news.time,
        isFull: false,
        changed,
        removed: removed.map((path) => ({ path, at: news.time })),
        resumeToken: NOTHING,
      }),
    )
  }

  #get(paths: readonly string[]) {
    this.billed.reads += paths.length
    const found = paths.flatMap((path): [string, RawDocument][] => {
      const document = this.#documents.get(path)
      return document === undefined ? [] : [[path, document]]
    })
    return { documents: new Map(found), readTime: this.#tick() }
  }

  #listen(listener: Listener): () => void {
    const all = [...this.#documents.values()].filter(({ path }) => groupOf(path) === listener.group)
    this.billed.reads += all.length
    this.#listeners.add(listener)
    const readTime = this.#tick()
    queueMicrotask(() =>
      listener.options.onSnapshot({ readTime, isFull: true, changed: all, removed: [], resumeToken: NOTHING }),
    )
    return () => this.#listeners.delete(listener)
  }
}

const groupOf = (path: string): string | undefined => path.split('/').at(-2)
