/**
 * From the start over 10,000 converged sprites to the first call for the one that is not, beside a bare read of the store:
 * on one file, and on Firestore's emulator.
 */
import { Firestore } from '@google-cloud/firestore'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { resourceName } from '../controller/api/define-kind.ts'
import { RESOURCES } from '../controller/kinds/index.ts'
import { createFakeMachines, type FakeMachines } from '../controller/providers/fake/fake-machines.ts'
import { CORE_RESOURCES } from '../controller/registry/core.ts'
import { storedJudge } from '../controller/registry/stored.ts'
import { openDatabase } from '../controller/store/database.ts'
import { openEmbeddedStore } from '../controller/store/embedded.ts'
import type { FirestoreCalls } from '../controller/store/firestore/calls.ts'
import { liveFields } from '../controller/store/firestore/document.ts'
import { openFirestoreStore } from '../controller/store/firestore/firestore.ts'
import { collectionGroupOf, documentPath } from '../controller/store/firestore/paths.ts'
import { connectFirestore } from '../controller/store/firestore/sdk.ts'
import type { Mutation, StoreRecord } from '../controller/store/store.ts'
import { withRevision } from '../controller/store/with-revision.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { emulatorAbsence, startFirestoreEmulator } from '../test/e2e/firestore-emulator.ts'
import { CHANGED_TENANT, fleetRecords, SPRITES } from './recovery-fleet.ts'
import type { Row } from './table.ts'
import { CONTROL_PLANE, openWorld, openWorldOver } from './world.ts'

const ROUNDS = 3
/** Nobody waits longer for the call. */
const PATIENCE_MS = 60_000
const BATCH = 500
/** Of the emulator, which keeps every database that it has seen. */
const HEAP_MB = 2048
const COLLECTIONS = [...CORE_RESOURCES, ...RESOURCES].map(resourceName)

/** Rows for one file and for Firestore: best of three starts and best of three bare reads, in turns. */
export async function benchRecovery(): Promise<Row[]> {
  const records = await fleetRecords()
  const rows = [await embeddedRow(records)]
  if (emulatorAbsence() === undefined) rows.push(await firestoreRow(records))
  return rows
}

async function embeddedRow(records: readonly StoreRecord[]): Promise<Row> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-recovery-'))
  try {
    const best = { ours: Infinity, bare: Infinity }
    for (let round = 0; round < ROUNDS; round++) {
      const path = join(folder, `store-${round}.db`)
      await fill(path, records)
      best.bare = Math.min(best.bare, bareMs(path))
      best.ours = Math.min(best.ours, await firstCallMs(path))
    }
    return rowOf('one file', 'machine call', best, 'reading and parsing the file')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function firestoreRow(records: readonly StoreRecord[]): Promise<Row> {
  const emulator = await startFirestoreEmulator({ heapMb: HEAP_MB })
  try {
    const best = { ours: Infinity, bare: Infinity }
    // The first round warms the emulator up; each has a database of its own, since a recovery writes.
    for (let round = 0; round <= ROUNDS; round++) {
      const project = emulator.project()
      const emulatorHost = emulator.host
      await fillFirestore({ project, emulatorHost }, records)
      const bare = await bareListMs({ project, emulatorHost })
      const ours = await firstWriteMs({ project, emulatorHost })
      if (round === 0) continue
      best.bare = Math.min(best.bare, bare)
      best.ours = Math.min(best.ours, ours)
    }
    return rowOf('Firestore', 'write', best, "Google's client, all documents once")
  } finally {
    await emulator.stop()
  }
}

type Best = { readonly ours: number; readonly bare: number }

const rowOf = (where: string, action: string, { ours, bare }: Best, divisor: string): Row => ({
  what: `start over ${SPRITES} sprites, ${where} -> first ${action}`,
  ours: `${ours.toFixed(0)} ms`,
  divisor: `${divisor} ${bare.toFixed(0)} ms`,
  ratio: ours / bare,
  aim: { ratio: 2, atMost: true },
})

async function fill(path: string, records: readonly StoreRecord[]): Promise<void> {
  const database = openDatabase(path)
  const store = openEmbeddedStore({ database })
  for (let at = 0; at < records.length; at += BATCH)
    await store.commit(
      records.slice(at, at + BATCH).map(({ collection, namespace, name, value }): Mutation => ({
        type: 'Put',
        key: { collection, namespace, name },
        expectedRevision: 0,
        value: (revision) => withRevision(value, revision),
      })),
    )
  await store.close()
  database.close()
}

/** What nobody can do without: each record out of the file, and its text read. */
function bareMs(path: string): number {
  const startedAt = realClock.monotonic()
  const database = new DatabaseSync(path)
  let count = 0
  for (const row of database.prepare('SELECT * FROM store_records').all())
    if (JSON.parse(String(row['value'])) !== undefined) count += 1
  database.close()
  if (count < SPRITES) throw new Error(`Only ${count} records were read`)
  return realClock.monotonic() - startedAt
}

type Emulated = { readonly project: string; readonly emulatorHost: string }

async function fillFirestore({ project, emulatorHost }: Emulated, records: readonly StoreRecord[]): Promise<void> {
  const calls = await connectFirestore({ project, database: '(default)', emulatorHost })
  const writes = records.map(({ value, ...key }, at) => {
    const found = documentPath(key)
    if (!found.ok) throw new Error(found.fault)
    const fields = liveFields(value, { id: String(at), draft: 1 })
    return { type: 'Set', path: found.path, fields, condition: 'Absent' } as const
  })
  for (let at = 0; at < writes.length; at += BATCH) await calls.commit(writes.slice(at, at + BATCH), PATIENCE_MS)
  await calls.close()
}

/** What nobody can do without: each document of each kind, and its fields read. */
async function bareListMs({ project, emulatorHost }: Emulated): Promise<number> {
  const startedAt = realClock.monotonic()
  const firestore = new Firestore({ projectId: project, host: emulatorHost, ssl: false })
  const counts = await Promise.all(
    COLLECTIONS.map(async (collection) => {
      const { docs } = await firestore.collectionGroup(collectionGroupOf(collection) ?? '').get()
      return docs.filter((document) => document.data() !== undefined).length
    }),
  )
  const tookMs = realClock.monotonic() - startedAt
  await firestore.terminate()
  const count = counts.reduce((sum, one) => sum + one, 0)
  if (count < SPRITES) throw new Error(`Only ${count} documents were read`)
  return tookMs
}

const openMachines = (): FakeMachines =>
  createFakeMachines({
    clock: realClock,
    entropy: realEntropy,
    controlPlaneId: CONTROL_PLANE,
    steps: { min: 0, max: 0 },
  })

/**
 * From the opening until something is written of the tenant with something to do. Not until the machine is asked for: the
 * emulator sends all sprites again for each write of one, which Firestore does not.
 */
async function firstWriteMs({ project, emulatorHost }: Emulated): Promise<number> {
  const [clock, entropy, log] = [realClock, realEntropy, silentLog]
  const written = Promise.withResolvers<number>()
  const giveUp = clock.after(PATIENCE_MS, () => written.reject(new Error('Nothing was written')))
  const startedAt = clock.monotonic()
  const connect = async (): Promise<FirestoreCalls> => {
    const calls = await connectFirestore({ project, database: '(default)', emulatorHost })
    return {
      ...calls,
      commit: (writes, timeoutMs) => {
        if (writes.some(({ path }) => path.startsWith(`tenants/${CHANGED_TENANT}/`)))
          written.resolve(clock.monotonic() - startedAt)
        return calls.commit(writes, timeoutMs)
      },
    }
  }
  const place = { project, database: '(default)', collections: COLLECTIONS, settings: { connect } }
  const store = await openFirestoreStore({ ...place, judge: storedJudge(RESOURCES), clock, entropy, log })
  const world = await openWorldOver(store, openMachines, true)
  try {
    return await written.promise
  } finally {
    giveUp()
    await world.close()
  }
}

/** From the opening until a machine is asked for. */
async function firstCallMs(path: string): Promise<number> {
  const machines = openMachines()
  const called = Promise.withResolvers<number>()
  const giveUp = realClock.after(PATIENCE_MS, () => called.reject(new Error('No machine was asked for')))
  const startedAt = realClock.monotonic()
  machines.onTransition(() => called.resolve(realClock.monotonic() - startedAt))
  const world = await openWorld(path, () => machines, true)
  try {
    return await called.promise
  } finally {
    giveUp()
    await world.close()
  }
}
