/** Keeps the emulator's apps, machines and tokens in one SQLite file of its own, written before a reply is sent. */
import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { EmulatedApp, EmulatedMachine } from './model.ts'

/** What is stored, with the same at hand in memory. */
export interface EmulatorRecords {
  readonly apps: ReadonlyMap<string, EmulatedApp>
  readonly machines: ReadonlyMap<string, EmulatedMachine>
  /** Machines of an app, in the order in which they were made. */
  machinesOf(app: string): readonly EmulatedMachine[]
  putApp(app: EmulatedApp): void
  removeApp(name: string): void
  putMachine(machine: EmulatedMachine): void
  removeMachine(id: string): void
  /** What else is kept, by key. */
  readonly notes: ReadonlyMap<string, unknown>
  putNote(key: string, value: unknown): void
  removeNote(key: string): void
  close(): void
}

/**
 * Opens the file (in memory without a path) and reads what it holds. The file is locked: a second emulator on it
 * throws. A commit survives the death of the process; it is not synced, since a power cut ends the processes too.
 */
export function openRecords(path: string | undefined): EmulatorRecords {
  try {
    return open(path)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new Error(
      `Cannot open "${path ?? ':memory:'}", the record of the emulated machines (${why}): stop who uses it, or remove it when it is damaged; machines are then made anew`,
      { cause: error },
    )
  }
}

function open(path: string | undefined): EmulatorRecords {
  const database = new DatabaseSync(path ?? ':memory:')
  try {
    return read(database, path)
  } catch (error) {
    database.close()
    throw error
  }
}

const TABLES = ['app', 'machine', 'note'] as const

function read(database: DatabaseSync, path: string | undefined): EmulatorRecords {
  // Machines' env holds the sprites' own tokens: nobody else reads the file (its WAL takes the same mode).
  if (path !== undefined) chmodSync(path, 0o600)
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  for (const name of TABLES)
    database.exec(
      `CREATE TABLE IF NOT EXISTS ${name} (${keyOf(name)} TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID, STRICT`,
    )
  const apps = openTable<EmulatedApp>(database, 'app')
  const machines = openTable<EmulatedMachine>(database, 'machine')
  const notes = openTable<unknown>(database, 'note')
  const byApp = indexOf(machines.rows.values())
  return {
    apps: apps.rows,
    machines: machines.rows,
    machinesOf: (app) => [...(byApp.get(app)?.values() ?? [])],
    putApp: (app) => apps.put(app.name, app),
    removeApp: (name) => apps.remove(name),
    putMachine: (machine) => {
      machines.put(machine.id, machine)
      enter(byApp, machine)
    },
    removeMachine: (id) => {
      const app = machines.rows.get(id)?.app ?? ''
      machines.remove(id)
      byApp.get(app)?.delete(id)
      if (byApp.get(app)?.size === 0) byApp.delete(app)
    },
    notes: notes.rows,
    putNote: (key, value) => notes.put(key, value),
    removeNote: (key) => notes.remove(key),
    close: () => database.close(),
  }
}

type Table<T> = {
  readonly rows: ReadonlyMap<string, T>
  readonly put: (key: string, value: T) => void
  readonly remove: (key: string) => void
}

const keyOf = (name: (typeof TABLES)[number]): string => (name === 'machine' ? 'id' : 'name')

function openTable<T>(database: DatabaseSync, name: (typeof TABLES)[number]): Table<T> {
  const put = database.prepare(`INSERT INTO ${name} VALUES (?, ?) ON CONFLICT DO UPDATE SET record = excluded.record`)
  const remove = database.prepare(`DELETE FROM ${name} WHERE ${keyOf(name)} = ?`)
  const stored = database.prepare(`SELECT ${keyOf(name)} AS key, record FROM ${name}`).all()
  // Written by us, in this shape.
  const rows = new Map(stored.map((row) => [String(row['key']), JSON.parse(String(row['record'])) as T]))
  return {
    rows,
    put: (key, value) => {
      put.run(key, JSON.stringify(value))
      rows.set(key, value)
    },
    remove: (key) => {
      remove.run(key)
      rows.delete(key)
    },
  }
}

type ByApp = Map<string, Map<string, EmulatedMachine>>

function enter(byApp: ByApp, machine: EmulatedMachine): void {
  const own = byApp.get(machine.app) ?? new Map<string, EmulatedMachine>()
  own.set(machine.id, machine)
  byApp.set(machine.app, own)
}

function indexOf(machines: Iterable<EmulatedMachine>): ByApp {
  const byApp: ByApp = new Map()
  for (const machine of [...machines].sort((a, b) => a.createdAtMs - b.createdAtMs)) enter(byApp, machine)
  return byApp
}
