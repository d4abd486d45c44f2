/**
 * A store that encrypts the values of some collections on their way into another store and decrypts them on the way out.
 *
 * What does not decrypt makes that one record unreadable: `read` says why (StoreError Unreadable), lists and changes
 * leave it out, and it can be deleted at its revision. In memory the inner store holds what is on the disk; a value that
 * has been read is kept in plain as long as its record is current or in the window of changes, so that it is decrypted
 * once.
 */
import type { Entropy } from '../../system/entropy.ts'
import { silentLog, type Log } from '../../system/log.ts'
import { keyIdOf, open, seal, type SealingKey } from './envelope.ts'
import { StoreError, type Change, type Mutation, type Store, type StoreRecord } from './store.ts'
import { withRevision } from './with-revision.ts'

/** What is encrypted, and how. */
export type EncryptionOptions = {
  readonly collections: ReadonlySet<string>
  /** The first one encrypts, all decrypt. */
  readonly keys: readonly [SealingKey, ...SealingKey[]]
  readonly entropy: Entropy
  readonly log?: Log
}

/** How a rewriting ended. */
export type Resealed = { readonly rewritten: number; readonly unreadable: number }

/** A store with encrypted collections. */
export type EncryptedStore = Store & {
  /** Rewrites what lies under another key than the first, one record after the other, until the signal aborts. */
  readonly reseal: (signal: AbortSignal) => Promise<Resealed>
}

/** Records that one read of a rewriting asks for. */
const PAGE_RECORDS = 100

type Reading = { readonly record: StoreRecord } | { readonly error: StoreError }

/** Puts the encryption before a store; `close` closes that one. */
export function createEncryptedStore(store: Store, options: EncryptionOptions): EncryptedStore {
  const { collections, keys, entropy, log = silentLog } = options
  const [sealing] = keys
  const byId = new Map(keys.map((key) => [key.id, key]))
  // A record that is the same object has the same value: it is decrypted once, and readers may compare by identity.
  const readings = new WeakMap<StoreRecord, Reading>()

  function readingOf(record: StoreRecord): Reading {
    if (!collections.has(record.collection)) return { record }
    const known = readings.get(record)
    if (known !== undefined) return known
    const { writtenAs, ...read } = record
    const opened = open(record.value, byId, { ...record, revision: writtenAs ?? record.revision })
    const reading: Reading =
      'text' in opened
        ? { record: { ...read, value: versioned(opened.text, record) } }
        : { error: unreadable(record, opened.fault) }
    if ('error' in reading) log.error({ why: reading.error.message }, 'stored value is unreadable')
    readings.set(record, reading)
    return reading
  }

  const sealed = (mutation: Mutation): Mutation => {
    const { key, value } = mutation
    if (!collections.has(key.collection)) return mutation
    return { ...mutation, value: (revision) => seal(value(revision), sealing, { ...key, revision, entropy }) }
  }

  const readable = (records: readonly StoreRecord[]): readonly StoreRecord[] =>
    records.flatMap((record) => {
      const reading = readingOf(record)
      return 'record' in reading ? [reading.record] : []
    })

  const openedChanges = (changes: readonly Change[]): readonly Change[] =>
    changes.some(({ record }) => collections.has(record.collection))
      ? changes.flatMap((change) => openedChange(change, readingOf) ?? [])
      : changes

  const commit: Store['commit'] = async (mutations) => openedChanges(await store.commit(mutations.map(sealed)))

  return {
    read: async (key) => {
      const record = await store.read(key)
      if (record === undefined) return undefined
      const reading = readingOf(record)
      if ('error' in reading) throw reading.error
      return reading.record
    },
    list: async (collection, listOptions) => {
      const page = await store.list(collection, listOptions)
      return collections.has(collection) ? { ...page, records: readable(page.records) } : page
    },
    commit,
    changesSince: async (revision, changeOptions) => {
      const found = await store.changesSince(revision, changeOptions)
      return { ...found, changes: openedChanges(found.changes) }
    },
    subscribe: (listener) =>
      store.subscribe((changes, revision, collection) => listener(openedChanges(changes), revision, collection)),
    revision: () => store.revision(),
    close: () => store.close(),
    reseal: (signal) => reseal({ store, commit, collections, readingOf, sealing }, signal),
  }
}

/** A change in plain; undefined when nobody could read what it is about, or what it was. */
function openedChange(change: Change, readingOf: (record: StoreRecord) => Reading): Change | undefined {
  const { type } = change
  const reading = readingOf(change.record)
  const before = change.previous === undefined ? undefined : readingOf(change.previous)
  const previous = before !== undefined && 'record' in before ? before.record : undefined
  if ('record' in reading)
    return previous === undefined ? { type, record: reading.record } : { type, record: reading.record, previous }
  if (type !== 'Deleted' || previous === undefined) return undefined
  return { type, record: { ...change.record, value: previous.value }, previous }
}

type Rewriting = {
  readonly store: Store
  readonly commit: Store['commit']
  readonly collections: ReadonlySet<string>
  readonly readingOf: (record: StoreRecord) => Reading
  readonly sealing: SealingKey
}

async function reseal(parts: Rewriting, signal: AbortSignal): Promise<Resealed> {
  const outcome = { rewritten: 0, unreadable: 0 }
  for (const collection of parts.collections) {
    let next: { readonly namespace: string; readonly name: string } | undefined
    do {
      const page = await parts.store.list(collection, {
        limit: PAGE_RECORDS,
        ...(next === undefined ? {} : { after: next }),
      })
      for (const record of page.records) {
        if (signal.aborted) return outcome
        const done = await resealOne(parts, record)
        if (done !== 'left') outcome[done] += 1
      }
      next = page.next
    } while (next !== undefined)
  }
  return outcome
}

async function resealOne(parts: Rewriting, record: StoreRecord): Promise<'rewritten' | 'unreadable' | 'left'> {
  if (keyIdOf(record.value) === parts.sealing.id) return 'left'
  const reading = parts.readingOf(record)
  if ('error' in reading) return 'unreadable'
  const { collection, namespace, name, revision } = record
  const value = (next: number): string => withRevision(reading.record.value, next)
  try {
    await parts.commit([{ type: 'Put', key: { collection, namespace, name }, expectedRevision: revision, value }])
    return 'rewritten'
  } catch (error) {
    // Whoever was faster has written it under the first key, or it is gone.
    if (error instanceof StoreError && (error.reason === 'Conflict' || error.reason === 'NotFound')) return 'left'
    throw error
  }
}

/** The text that was opened, with the record's revision where it was sealed with another number (ST11). */
const versioned = (text: string, { revision, writtenAs }: StoreRecord): string =>
  writtenAs === undefined || writtenAs === revision ? text : withRevision(text, revision)

function unreadable({ collection, namespace, name, revision }: StoreRecord, fault: string): StoreError {
  const what = `${collection} ${namespace === '' ? '' : `${namespace}/`}${name}`
  const message = `Cannot read ${what}: ${fault}; add the key that it was written with to SECRETS_ENCRYPTION_KEYS, or delete it`
  return new StoreError('Unreadable', message, { collection, namespace, name }, { revision })
}
