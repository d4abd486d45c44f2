/** Opens the one file of the embedded store: exclusively locked, checked before anything is written, crash-safe. */
import { chmodSync, closeSync, existsSync, openSync, readSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from './store.ts'

/** Marks a SQLite file as ours: "SPRC". */
const APPLICATION_ID = 0x53505243
/** Version of the layout of the store's own tables. */
const SCHEMA_VERSION = 1

const MAGIC = 'SQLite format 3\u0000'
const HEADER_BYTES = 100
const APPLICATION_ID_OFFSET = 68

/** SQLite's primary result codes that callers are told apart by. */
const SQLITE = { busy: 5, locked: 6, corrupt: 11, cantOpen: 14, notADatabase: 26 } as const

/**
 * One row a revision of a record, as etcd keeps them: the newest of a key is its value, a deleted one its tombstone,
 * older ones are history until the window has passed them.
 */
const SCHEMA = `
  CREATE TABLE store_records (
    revision INTEGER PRIMARY KEY,
    previous INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    collection TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    checksum INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE store_state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
`

/**
 * Opens or creates the file (`:memory:` for none). Write-ahead log, every commit synced, locked against every other
 * process until it is closed. Throws StoreError: Unavailable when the file is in use or cannot be opened or written,
 * Corrupt when it is damaged or not ours; then nothing has been changed. Whoever opens it closes it, last of all.
 */
export function openDatabase(path: string): DatabaseSync {
  checkHeader(path)
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path)
    prepare(database, path)
    return database
  } catch (error) {
    if (database?.isOpen) database.close()
    throw storeErrorOf(error, path)
  }
}

/** Looks at the file's first bytes without SQLite, so that a foreign file is not touched at all. */
function checkHeader(path: string): void {
  if (path === ':memory:' || !existsSync(path)) return
  const header = readHeader(path)
  if (header.length === 0) return
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) throw foreign(path)
  // A process that was killed while it made the file leaves a journal that SQLite rolls back.
  const isHalfMade = header.readUInt32BE(APPLICATION_ID_OFFSET) === 0 && existsSync(`${path}-journal`)
  if (header.readUInt32BE(APPLICATION_ID_OFFSET) !== APPLICATION_ID && !isHalfMade) throw foreign(path)
}

function readHeader(path: string): Buffer {
  try {
    if (!statSync(path).isFile()) throw foreign(path)
    const file = openSync(path, 'r')
    try {
      const header = Buffer.alloc(HEADER_BYTES)
      return header.subarray(0, readSync(file, header, 0, HEADER_BYTES, 0))
    } finally {
      closeSync(file)
    }
  } catch (error) {
    throw storeErrorOf(error, path)
  }
}

function prepare(database: DatabaseSync, path: string): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF')
  const isEmpty = numberOf(database, 'SELECT count(*) AS value FROM sqlite_schema') === 0
  if (isEmpty) create(database, path)
  else check(database, path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864')
  // Only a write takes the exclusive lock for good.
  database.exec("BEGIN IMMEDIATE; UPDATE store_state SET value = value + 1 WHERE name = 'opened'; COMMIT")
}

function create(database: DatabaseSync, path: string): void {
  // Briefs, prompts and the digests of tokens are nobody else's to read.
  if (path !== ':memory:') chmodSync(path, 0o600)
  database.exec(`
    BEGIN IMMEDIATE;
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${SCHEMA_VERSION};
    ${SCHEMA}
    INSERT INTO store_state VALUES ('opened', 0), ('floor', 1);
    COMMIT`)
}

function check(database: DatabaseSync, path: string): void {
  if (numberOf(database, 'PRAGMA application_id', 'application_id') !== APPLICATION_ID) throw foreign(path)
  const version = numberOf(database, 'PRAGMA user_version', 'user_version')
  if (version !== SCHEMA_VERSION)
    throw new StoreError(
      'Corrupt',
      `Cannot open "${path}": its layout is version "${version}", ${SCHEMA_VERSION} is known`,
    )
  const result = database.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
  if (result !== 'ok') throw damaged(path, String(result))
}

/** One integer that a statement answers; 0 when it answers none. */
export function numberOf(database: DatabaseSync, sql: string, column = 'value'): number {
  const value = database.prepare(sql).get()?.[column]
  return typeof value === 'number' ? value : 0
}

const foreign = (path: string): StoreError =>
  new StoreError('Corrupt', `Cannot open "${path}": it is not a file of this store; name another one`)

/** The refusal of a file whose content is not what was written. */
export const damaged = (path: string, what: string): StoreError =>
  new StoreError('Corrupt', `Cannot open "${path}": it is damaged (${what.slice(0, 200)}); restore it from a backup`)

/** The StoreError of a failure of SQLite or of the file system. */
export function storeErrorOf(error: unknown, path: string): StoreError {
  if (error instanceof StoreError) return error
  const code = errorCodeOf(error)
  const because = (reason: 'Unavailable' | 'Corrupt', text: string): StoreError =>
    new StoreError(reason, `Cannot open "${path}": ${text}`, undefined, { cause: error })
  if (code === SQLITE.busy || code === SQLITE.locked)
    return because('Unavailable', 'another process uses it; stop that one or name another file')
  if (code === SQLITE.corrupt || code === SQLITE.notADatabase)
    return because('Corrupt', 'it is damaged; restore it from a backup')
  if (code === SQLITE.cantOpen)
    return because('Unavailable', 'it cannot be opened; check that its folder exists and is writable')
  const text = error instanceof Error ? error.message : String(error)
  return because('Unavailable', text)
}

/** SQLite's primary result code, if the error is one of SQLite's. */
function errorCodeOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
  // The upper bits of an extended code say more than we ask.
  return typeof code === 'number' ? code & 0xff : undefined
}
