/** The in-memory heart of the memory and embedded stores: collections by namespace, revisions, judged commits. Pure. */
import type { Change, ListOptions, ListPage, Mutation, StoreKey, StoreRecord } from './store.ts'
import { StoreError } from './store.ts'
import { ChangeWindow, type WindowLimits } from './window.ts'

/** The first revision of an empty store. */
export const FIRST_REVISION = 1

type Namespace = { readonly records: Map<string, StoreRecord>; sorted: readonly string[] | undefined }
type Collection = { readonly namespaces: Map<string, Namespace>; sorted: readonly string[] | undefined }

const idOf = (key: StoreKey): string => `${key.collection}\u0000${key.namespace}\u0000${key.name}`
const say = (key: StoreKey): string => `${key.collection} ${key.namespace === '' ? '' : `${key.namespace}/`}${key.name}`

/** Commits that are judged but not yet applied, so that a group of them can be written down before anybody sees it. */
export type Draft = {
  revision: number
  readonly records: Map<string, StoreRecord | undefined>
  readonly changes: Change[]
}

/** All records with their revisions and the window of changes. Everything in it is synchronous. */
export class StoreState {
  readonly #collections = new Map<string, Collection>()
  readonly #window: ChangeWindow
  #revision: number

  constructor(limits: WindowLimits, floor: number = FIRST_REVISION) {
    this.#window = new ChangeWindow(floor, limits)
    this.#revision = floor
  }

  get revision(): number {
    return this.#revision
  }

  /** The oldest revision after which changes are known. */
  get floor(): number {
    return this.#window.floor
  }

  read(key: StoreKey): StoreRecord | undefined {
    return this.#collections.get(key.collection)?.namespaces.get(key.namespace)?.records.get(key.name)
  }

  /** A draft to judge commits against; it sees the current state. */
  draft(): Draft {
    return { revision: this.#revision, records: new Map(), changes: [] }
  }

  /** Judges one commit on top of the draft and adds it there; throws StoreError and leaves the draft as it was. */
  judge(draft: Draft, mutations: readonly Mutation[]): readonly Change[] {
    const own = new Map<string, StoreRecord | undefined>()
    let revision = draft.revision
    const changes = mutations.map((mutation): Change => {
      const id = idOf(mutation.key)
      const current = own.has(id)
        ? own.get(id)
        : draft.records.has(id)
          ? draft.records.get(id)
          : this.read(mutation.key)
      checkPrecondition(mutation, current)
      revision += 1
      const change = changeOf(mutation, current, revision)
      own.set(id, change.type === 'Deleted' ? undefined : change.record)
      return change
    })
    for (const [id, record] of own) draft.records.set(id, record)
    draft.revision = revision
    draft.changes.push(...changes)
    return changes
  }

  /** Makes changes current, in order; returns those that left the window. */
  apply(changes: readonly Change[]): readonly Change[] {
    for (const change of changes) {
      if (change.type === 'Deleted') this.#remove(change.record)
      else this.#put(change.record)
      this.#revision = this.#window.add(change, this.#revision)
    }
    return this.#window.trim()
  }

  /** Every change up to the revision is known, though it may be none's own. */
  advance(revision: number): void {
    this.#revision = Math.max(this.#revision, revision)
  }

  /** Takes in a change from before the window: it sets the records and is then forgotten. */
  restore({ type, record }: Change): void {
    if (type === 'Deleted') this.#remove(record)
    else this.#put(record)
  }

  changesSince(revision: number, collection?: string): readonly Change[] {
    this.#checkKnown(revision)
    return this.#window.after(revision, collection)
  }

  list(collection: string, options: ListOptions = {}): ListPage {
    const at = options.at ?? this.#revision
    if (at > this.#revision) throw expired(at, `the newest is ${this.#revision}`)
    this.#checkKnown(at)
    const view = this.#view(collection, at)
    const records: StoreRecord[] = []
    let remaining = 0
    const limit = options.limit ?? Infinity
    for (const namespace of options.namespace === undefined ? view.namespaces() : [options.namespace]) {
      if (options.after !== undefined && namespace < options.after.namespace) continue
      const names = view.names(namespace)
      const from =
        options.after !== undefined && namespace === options.after.namespace ? firstAfter(names, options.after.name) : 0
      for (let index = from; index < names.length && records.length < limit; index++) {
        const record = view.read(namespace, names[index] ?? '')
        if (record !== undefined) records.push(record)
      }
      remaining += names.length - from
    }
    remaining -= records.length
    const last = records.at(-1)
    return {
      revision: at,
      records,
      remaining,
      ...(remaining > 0 && last !== undefined ? { next: { namespace: last.namespace, name: last.name } } : {}),
    }
  }

  #checkKnown(revision: number): void {
    if (revision < this.#window.floor) throw expired(revision, `changes are known from ${this.#window.floor} on`)
  }

  /** The collection as of a revision: the current one, with what changed since laid over it. */
  #view(collection: string, at: number): View {
    const current = this.#collections.get(collection)
    const past = at === this.#revision ? undefined : this.#window.past(at, collection)
    return past === undefined || past.size === 0 ? currentView(current) : pastView(current, past)
  }

  #put(record: StoreRecord): void {
    const collection = getOrMake(this.#collections, record.collection, () => ({
      namespaces: new Map<string, Namespace>(),
      sorted: undefined,
    }))
    let namespace = collection.namespaces.get(record.namespace)
    if (namespace === undefined) {
      namespace = { records: new Map(), sorted: undefined }
      collection.namespaces.set(record.namespace, namespace)
      collection.sorted = undefined
    }
    if (!namespace.records.has(record.name)) namespace.sorted = undefined
    namespace.records.set(record.name, record)
  }

  #remove(key: StoreKey): void {
    const collection = this.#collections.get(key.collection)
    const namespace = collection?.namespaces.get(key.namespace)
    if (collection === undefined || namespace === undefined) return
    namespace.records.delete(key.name)
    namespace.sorted = undefined
    if (namespace.records.size > 0) return
    collection.namespaces.delete(key.namespace)
    collection.sorted = undefined
  }
}

type View = {
  namespaces(): readonly string[]
  names(namespace: string): readonly string[]
  read(namespace: string, name: string): StoreRecord | undefined
}

function currentView(collection: Collection | undefined): View {
  return {
    namespaces: () => (collection === undefined ? [] : (collection.sorted ??= sortedKeys(collection.namespaces))),
    names: (name) => {
      const namespace = collection?.namespaces.get(name)
      return namespace === undefined ? [] : (namespace.sorted ??= sortedKeys(namespace.records))
    },
    read: (namespace, name) => collection?.namespaces.get(namespace)?.records.get(name),
  }
}

function pastView(collection: Collection | undefined, past: ReturnType<ChangeWindow['past']>): View {
  const now = currentView(collection)
  const changed = new Map<string, Map<string, StoreRecord | undefined>>()
  for (const { key, value } of past.values())
    getOrMake(changed, key.namespace, () => new Map<string, StoreRecord | undefined>()).set(key.name, value)
  const names = (namespace: string): readonly string[] => {
    const overlay = changed.get(namespace)
    if (overlay === undefined) return now.names(namespace)
    const present = new Set(now.names(namespace))
    for (const [name, value] of overlay) {
      if (value === undefined) present.delete(name)
      else present.add(name)
    }
    return sortCodeUnits([...present])
  }
  return {
    namespaces: () =>
      sortCodeUnits([...new Set([...now.namespaces(), ...changed.keys()])]).filter((name) => names(name).length > 0),
    names,
    read: (namespace, name) => {
      const overlay = changed.get(namespace)
      return overlay?.has(name) ? overlay.get(name) : now.read(namespace, name)
    },
  }
}

function checkPrecondition(mutation: Mutation, current: StoreRecord | undefined): void {
  const { key, expectedRevision } = mutation
  if (current === undefined) {
    if (mutation.type === 'Put' && expectedRevision === 0) return
    throw new StoreError('NotFound', `Cannot change ${say(key)}: it does not exist`, key)
  }
  if (expectedRevision === 0) throw new StoreError('AlreadyExists', `Cannot create ${say(key)}: it exists`, key)
  if (current.revision === expectedRevision) return
  const text = `Cannot change ${say(key)}: revision "${expectedRevision}" was expected, ${current.revision} is current`
  throw new StoreError('Conflict', text, key)
}

function changeOf(mutation: Mutation, current: StoreRecord | undefined, revision: number): Change {
  const { collection, namespace, name } = mutation.key
  const record: StoreRecord = { collection, namespace, name, revision, value: mutation.value(revision) }
  if (current === undefined) return { type: 'Added', record }
  return { type: mutation.type === 'Delete' ? 'Deleted' : 'Modified', record, previous: current }
}

const expired = (revision: number, why: string): StoreError =>
  new StoreError('Expired', `Cannot read as of revision "${revision}": ${why}`)

/** By UTF-16 code units, which is how JavaScript compares strings. */
const sortCodeUnits = (names: string[]): readonly string[] => names.sort()
const sortedKeys = (map: ReadonlyMap<string, unknown>): readonly string[] => sortCodeUnits([...map.keys()])

function firstAfter(names: readonly string[], name: string): number {
  let low = 0
  let high = names.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((names[middle] ?? '') > name) high = middle
    else low = middle + 1
  }
  return low
}

function getOrMake<V>(map: Map<string, V>, key: string, make: () => V): V {
  const found = map.get(key)
  if (found !== undefined) return found
  const made = make()
  map.set(key, made)
  return made
}
