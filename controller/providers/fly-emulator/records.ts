/** Keeps the emulator's apps and machines in one SQLite file of its own, written before a reply is sent. */
import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { EmulatedApp, EmulatedMachine } from './model.ts'

/** What is stored, with the same at hand in memory. */
export interface EmulatorRecords {
  readonly apps: Map<string, EmulatedApp>
  readonly machines: Map<string, EmulatedMachine>
  putApp(app: EmulatedApp): void
  removeApp(name: string): void
  putMachine(machine: EmulatedMachine): void
  removeMachine(id: string): void
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

function read(database: DatabaseSync, path: string | undefined): EmulatorRecords {
  // Machines' env holds the sprites' own tokens: nobody else reads the file (its WAL takes the same mode).
  if (path !== undefined) chmodSync(path, 0o600)
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  database.exec('CREATE TABLE IF NOT EXISTS app (name TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID, STRICT')
  database.exec('CREATE TABLE IF NOT EXISTS machine (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID, STRICT')
  const putApp = database.prepare('INSERT INTO app VALUES (?, ?) ON CONFLICT DO UPDATE SET record = excluded.record')
  const putMachine = database.prepare(
    'INSERT INTO machine VALUES (?, ?) ON CONFLICT DO UPDATE SET record = excluded.record',
  )
  const removeApp = database.prepare('DELETE FROM app WHERE name = ?')
  const removeMachine = database.prepare('DELETE FROM machine WHERE id = ?')
  const rows = <T>(table: 'app' | 'machine'): T[] =>
    database
      .prepare(`SELECT record FROM ${table}`)
      .all()
      .map((row) => JSON.parse(String(row['record'])) as T) // Written by us, in this shape.
  const apps = new Map(rows<EmulatedApp>('app').map((app) => [app.name, app]))
  const machines = new Map(rows<EmulatedMachine>('machine').map((machine) => [machine.id, machine]))
  return {
    apps,
    machines,
    putApp: (app) => {
      putApp.run(app.name, JSON.stringify(app))
      apps.set(app.name, app)
    },
    removeApp: (name) => {
      removeApp.run(name)
      apps.delete(name)
    },
    putMachine: (machine) => {
      putMachine.run(machine.id, JSON.stringify(machine))
      machines.set(machine.id, machine)
    },
    removeMachine: (id) => {
      removeMachine.run(id)
      machines.delete(id)
    },
    close: () => database.close(),
  }
}
