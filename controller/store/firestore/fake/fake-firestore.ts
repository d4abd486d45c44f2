/** A Firestore in memory behind the port of its calls: preconditions, listeners, and every way in which it fails. */
import { setImmediate as nextTurn } from 'node:timers'
import {
  CallFailure,
  CODE,
  type FirestoreCalls,
  type ListenOptions,
  type RawDocument,
  type RawWrite,
} from '../calls.ts'
import { revisionOf, timeOf } from '../time.ts'

/** What befalls the next call: it fails before it had an effect, or after it. `meanwhile` is done by somebody else then. */
export type Fault = {
  readonly call: 'commit' | 'get'
  readonly code: number
  readonly when: 'Before' | 'After'
  readonly meanwhile?: () => void
}

type FakeListener = {
  readonly group: string
  readonly options: ListenOptions
  isDead: boolean
  isStarted: boolean
  readonly told: Map<string, number>
}

/** One database, for any number of connections. */
export class FakeFirestore {
  readonly documents = new Map<string, RawDocument>()
  readonly faults: Fault[] = []
  /** While set, listeners that are opened or open hear nothing. */
  isSilent = false
  /** While set, listeners are told this instead of what is there. */
  replay: { readonly documents: readonly RawDocument[]; readonly revision: number } | undefined
  /** Commits that took effect. */
  commits = 0
  listens = 0
  connections = 0
  #now: number
  #isScheduled = false
  readonly #listeners = new Set<FakeListener>()

  constructor(startMs: number) {
    this.#now = startMs * 1000
  }

  /** Streams that were begun and not ended. */
  get openListens(): number {
    return this.#listeners.size
  }

  get revision(): number {
    return this.#now
  }

  /** A connection to it. */
  connect(): FirestoreCalls {
    this.connections += 1
    return {
      commit: (writes) => this.#call('commit', () => this.write(writes)),
      get: (paths) =>
        this.#call('get', () => ({
          documents: new Map(paths.flatMap((path) => (this.documents.has(path) ? [[path, this.#at(path)]] : []))),
          readTime: timeOf(this.#tick()),
        })),
      listen: (group, options) => this.#listen(group, options),
      close: async () => {},
    }
  }

  /** What a commit does, at the next microsecond. */
  write(writes: readonly RawWrite[]) {
    for (const write of writes) this.#check(write)
    const time = timeOf(this.#tick())
    for (const write of writes)
      if (write.type === 'Remove') this.documents.delete(write.path)
      else this.documents.set(write.path, { path: write.path, fields: write.fields, updateTime: time })
    this.commits += 1
    this.#schedule()
    return writes.map(() => time)
  }

  /** Writes past the adapter, as a person in the console does. */
  put(path: string, fields: Readonly<Record<string, unknown>>): void {
    this.write([{ type: 'Set', path, fields, condition: 'None' }])
  }

  remove(path: string): void {
    this.write([{ type: 'Remove', path, condition: 'None' }])
  }

  /** Lets time pass for commits. */
  pass(ms: number): void {
    this.#now += ms * 1000
  }

  /** Ends every listener with this code. */
  failListeners(code: number): void {
    for (const { options } of this.#take()) options.onFailure(new CallFailure(code, 'a fault of the test'))
  }

  /** Open listeners never hear anything again; later ones do. */
  deafen(): void {
    for (const listener of this.#listeners) listener.isDead = true
  }

  #take(): readonly FakeListener[] {
    const all = [...this.#listeners]
    this.#listeners.clear()
    return all
  }

  #tick(): number {
    return ++this.#now
  }

  #at(path: string): RawDocument {
    const document = this.documents.get(path)
    if (document === undefined) throw new Error(`There is no ${path}`)
    return document
  }

  async #call<T>(call: Fault['call'], run: () => T): Promise<T> {
    await new Promise<void>((resolve) => nextTurn(resolve))
    const index = this.faults.findIndex((fault) => fault.call === call)
    const [fault] = index < 0 ? [] : this.faults.splice(index, 1)
    if (fault?.when === 'Before') this.#fail(fault)
    const result = run()
    if (fault !== undefined) this.#fail(fault)
    return result
  }

  #fail({ code, meanwhile }: Fault): never {
    meanwhile?.()
    throw new CallFailure(code, 'a fault of the test')
  }

  #check({ path, condition }: RawWrite): void {
    const found = this.documents.get(path)
    if (condition === 'None') return
    if (condition === 'Absent') {
      if (found !== undefined) throw new CallFailure(CODE.AlreadyExists, `${path} exists`)
      return
    }
    if (found === undefined) throw new CallFailure(CODE.NotFound, `${path} does not exist`)
    if (revisionOf(found.updateTime) !== revisionOf(condition))
      throw new CallFailure(CODE.FailedPrecondition, `${path} was changed`)
  }

  #listen(group: string, options: ListenOptions): () => void {
    this.listens += 1
    const listener: FakeListener = { group, options, isDead: this.isSilent, isStarted: false, told: new Map() }
    this.#listeners.add(listener)
    this.#schedule()
    return () => this.#listeners.delete(listener)
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    nextTurn(() => {
      this.#isScheduled = false
      for (const listener of this.#listeners) if (!listener.isDead && !this.isSilent) this.#tell(listener)
    })
  }

  #tell(listener: FakeListener): void {
    const { group, options, told } = listener
    const isFull = !listener.isStarted
    listener.isStarted = true
    const source = this.replay?.documents ?? [...this.documents.values()]
    const present = source.filter(({ path }) => path.split('/').at(-2) === group)
    const changed = present.filter(({ path, updateTime }) => told.get(path) !== revisionOf(updateTime))
    const paths = new Set(present.map(({ path }) => path))
    const removed = [...told.keys()].filter((path) => !paths.has(path)).map((path) => ({ path }))
    for (const { path, updateTime } of changed) told.set(path, revisionOf(updateTime))
    for (const { path } of removed) told.delete(path)
    const readTime = timeOf(this.replay?.revision ?? this.#tick())
    options.onSnapshot({ readTime, isFull, changed, removed, resumeToken: new Uint8Array() })
  }
}
