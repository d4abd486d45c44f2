/** Writes changes of the store into its file and reads them back: one row a revision, old rows removed in batches. */
import type { DatabaseSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { damaged, numberOf } from './database.ts'
import type { Change, StoreRecord } from './store.ts'

/** Rows that are removed at once when the window has passed them. */
const GARBAGE_ROWS = 256

/** The rows of a store's file. */
export type Journal = {
  /** The window's floor as it was stored. */
  readonly floor: number
  /** Every stored change, in order; those up to the floor only rebuild the records. Throws Corrupt on a damaged row. */
  readonly replay: () => Iterable<Change>
  /** Writes one group down; when it returns, it is on the disk, when it throws, nothing is. */
  readonly append: (changes: readonly Change[]) => void
  /** Notes changes that left the window: what only they kept alive is removed with a later group. */
  readonly forget: (dropped: readonly Change[]) => void
}

/** A journal on an open database. Its statements are prepared once. */
export function createJournal(database: DatabaseSync): Journal {
  const insert = database.prepare('INSERT INTO store_records VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
  const erase = database.prepare('DELETE FROM store_records WHERE revision = ?')
  const setFloor = database.prepare("UPDATE store_state SET value = ? WHERE name = 'floor'")
  let garbage: number[] = []
  let floor = numberOf(database, "SELECT value FROM store_state WHERE name = 'floor'")

  const write = ({ type, record, previous }: Change): void => {
    const { revision, collection, namespace, name, value } = record
    const deleted = type === 'Deleted' ? 1 : 0
    insert.run(revision, previous?.revision ?? 0, deleted, collection, namespace, name, value, crc32(value))
  }
  const sweep = (): boolean => {
    if (garbage.length < GARBAGE_ROWS) return false
    setFloor.run(floor)
    for (const revision of garbage) erase.run(revision)
    return true
  }
  return {
    floor,
    replay: () => replay(database),
    append: (changes) => {
      database.exec('BEGIN IMMEDIATE')
      try {
        for (const change of changes) write(change)
        const isSwept = sweep()
        database.exec('COMMIT')
        if (isSwept) garbage = []
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK')
        throw error
      }
    },
    forget: (dropped) => {
      for (const { type, record, previous } of dropped) {
        floor = record.revision
        if (previous !== undefined) garbage.push(previous.revision)
        if (type === 'Deleted') garbage.push(record.revision)
      }
    },
  }
}

const ROWS = 'SELECT * FROM store_records ORDER BY revision'

/** Rebuilds the changes: each row's predecessor is an earlier row, unless the window has passed it. */
function* replay(database: DatabaseSync): Iterable<Change> {
  const current = new Map<string, StoreRecord>()
  for (const row of database.prepare(ROWS).iterate()) {
    const record = recordOf(row, database.location() ?? ':memory:')
    const id = `${record.collection}\u0000${record.namespace}\u0000${record.name}`
    const previous = current.get(id)
    const isDeleted = row['is_deleted'] === 1
    if (isDeleted) current.delete(id)
    else current.set(id, record)
    const type = isDeleted ? 'Deleted' : previous === undefined ? 'Added' : 'Modified'
    yield previous === undefined ? { type, record } : { type, record, previous }
  }
}

function recordOf(row: Readonly<Record<string, unknown>>, path: string): StoreRecord {
  const { revision, collection, namespace, name, value, checksum } = row
  if (
    typeof revision !== 'number' ||
    typeof collection !== 'string' ||
    typeof namespace !== 'string' ||
    typeof name !== 'string' ||
    typeof value !== 'string' ||
    crc32(value) !== checksum
  )
    throw damaged(path, `revision ${String(revision)}`)
  return { collection, namespace, name, revision, value }
}
