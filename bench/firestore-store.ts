/** The Firestore store against Google's own client on the same emulator: commits a second, and from a write until it is told. */
import { Firestore, type Timestamp } from '@google-cloud/firestore'
import { openFirestoreStore } from '../controller/store/firestore/firestore.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { emulatorAbsence, startFirestoreEmulator, type FirestoreEmulator } from '../test/e2e/firestore-emulator.ts'
import { percentile, type Row } from './table.ts'

const ROUNDS = 3
const WIDTHS = [16, 64] as const
/** Commits of one measurement, of all writers together. */
const COMMITS = 640
const LATENCY_WRITES = 150
/** Between two writes whose way is timed, in ms: each finds both sides idle. */
const PAUSE_MS = 3
/** The emulator sends a listener its whole collection at each change of a document, which Firestore does not: they are small. */
const DOCUMENTS_EACH = 8
const COLLECTIONS = Array.from({ length: Math.max(...WIDTHS) / DOCUMENTS_EACH }, (_, at) => `things${at}.bench.test`)
const collectionAt = (at: number): string => COLLECTIONS[Math.floor(at / DOCUMENTS_EACH)] ?? ''

/** One side: writes the document of a writer anew, and calls back when a listener tells of a change. */
type Side = {
  readonly write: (writer: number) => Promise<void>
  onTold: () => void
  readonly close: () => Promise<void>
}

const contentOf = (name: string, count: number) => ({
  apiVersion: 'bench.test/v1',
  kind: 'Thing',
  metadata: { name, namespace: 'bench', uid: `uid-${name}`, creationTimestamp: '2026-01-01T00:00:00Z' },
  spec: { agentType: 'copywriter', runPolicy: 'Always', count, note: 'x'.repeat(800) },
})

/** Rows for throughput at both widths and for latency; best of the rounds, ours and bare in turns. None without an emulator. */
export async function benchFirestoreStore(): Promise<Row[]> {
  if (emulatorAbsence() !== undefined) return []
  const emulator = await startFirestoreEmulator()
  try {
    const best = {
      bare: new Map<number, number>(),
      ours: new Map<number, number>(),
      bareMs: Infinity,
      oursMs: Infinity,
    }
    // The first round warms both sides and the emulator up.
    for (let round = 0; round <= ROUNDS; round++) {
      for (const width of WIDTHS) {
        const bare = await withSide(openBare(emulator), (side) => commitsPerSecond(side, width))
        const ours = await withSide(openOurs(emulator), (side) => commitsPerSecond(side, width))
        if (round === 0) continue
        best.bare.set(width, Math.max(best.bare.get(width) ?? 0, bare))
        best.ours.set(width, Math.max(best.ours.get(width) ?? 0, ours))
      }
      const bareMs = await withSide(openBare(emulator), latencyMs)
      const oursMs = await withSide(openOurs(emulator), latencyMs)
      if (round === 0) continue
      best.bareMs = Math.min(best.bareMs, bareMs)
      best.oursMs = Math.min(best.oursMs, oursMs)
    }
    return [
      ...WIDTHS.map((width) => throughputRow(width, best.ours.get(width) ?? 0, best.bare.get(width) ?? 0)),
      {
        what: 'firestore store, write -> told',
        ours: `${best.oursMs.toFixed(2)} ms`,
        divisor: `Google's client, onSnapshot ${best.bareMs.toFixed(2)} ms`,
        ratio: best.oursMs / best.bareMs,
        aim: { ratio: 1.2, atMost: true },
      },
    ]
  } finally {
    await emulator.stop()
  }
}

const throughputRow = (width: number, ours: number, bare: number): Row => ({
  what: `firestore store, commits/s, ${width} writers`,
  ours: `${Math.round(ours)}/s`,
  divisor: `Google's client, listening too ${Math.round(bare)}/s`,
  ratio: ours / bare,
  aim: { ratio: 0.8, atMost: false },
})

async function withSide<T>(opening: Promise<Side>, run: (side: Side) => Promise<T>): Promise<T> {
  const side = await opening
  try {
    return await run(side)
  } finally {
    await side.close()
  }
}

/** Each writer has a document of its own: what many writers wrote one document with would measure Firestore's lock. */
async function commitsPerSecond(side: Side, width: number): Promise<number> {
  const writers = Array.from({ length: width }, (_, at) => at)
  await Promise.all(writers.map((writer) => side.write(writer)))
  const startedAt = realClock.monotonic()
  await Promise.all(
    writers.map(async (writer) => {
      for (let count = 0; count < COMMITS / width; count++) await side.write(writer)
    }),
  )
  return COMMITS / ((realClock.monotonic() - startedAt) / 1000)
}

/** The median of the times from the call of a write until the listener tells of it. */
async function latencyMs(side: Side): Promise<number> {
  const samples: number[] = []
  await side.write(0)
  await realClock.sleep(100)
  for (let count = 0; count < LATENCY_WRITES; count++) {
    await realClock.sleep(PAUSE_MS)
    const told = new Promise<void>((resolve) => {
      side.onTold = resolve
    })
    const startedAt = realClock.monotonic()
    const written = side.write(0)
    await told
    samples.push(realClock.monotonic() - startedAt)
    await written
  }
  return percentile(samples, 0.5)
}

/** Google's client: preconditions as the store has them, and a listener on each collection. */
async function openBare(emulator: FirestoreEmulator): Promise<Side> {
  const firestore = new Firestore({ projectId: emulator.project(), host: emulator.host, ssl: false })
  const collections = COLLECTIONS.map((name) => firestore.collection(`tenants/bench/${name}`))
  const known = new Map<number, { readonly time: Timestamp; readonly count: number }>()
  const ends: (() => void)[] = []
  const side: Side = {
    onTold: () => {},
    write: async (writer) => {
      const { time, count = 0 } = known.get(writer) ?? {}
      const document = firestore.doc(`tenants/bench/${collectionAt(writer)}/w${writer}`)
      const content = contentOf(`w${writer}`, count + 1)
      const { writeTime } =
        time === undefined ? await document.create(content) : await document.update(content, { lastUpdateTime: time })
      known.set(writer, { time: writeTime, count: count + 1 })
    },
    close: async () => {
      for (const end of ends) end()
      await firestore.terminate()
    },
  }
  const listening = collections.map(
    (collection) =>
      new Promise<void>((resolve) => {
        const end = collection.onSnapshot((snapshot) => {
          resolve()
          for (const change of snapshot.docChanges()) {
            // As whoever listens does: the values are read.
            change.doc.data()
            side.onTold()
          }
        })
        ends.push(end)
      }),
  )
  await Promise.all(listening)
  return side
}

/** The store as a control plane has it, with these collections. */
async function openOurs(emulator: FirestoreEmulator): Promise<Side> {
  const store = await openFirestoreStore({
    project: emulator.project(),
    database: '(default)',
    collections: COLLECTIONS,
    clock: realClock,
    entropy: realEntropy,
    log: silentLog,
    settings: { emulatorHost: emulator.host },
  })
  const known = new Map<number, { readonly revision: number; readonly count: number }>()
  const side: Side = {
    onTold: () => {},
    write: async (writer) => {
      const { revision = 0, count = 0 } = known.get(writer) ?? {}
      const key = { collection: collectionAt(writer), namespace: 'bench', name: `w${writer}` }
      const value = (): string => JSON.stringify(contentOf(key.name, count + 1))
      const [change] = await store.commit([{ type: 'Put', key, expectedRevision: revision, value }])
      known.set(writer, { revision: change?.record.revision ?? 0, count: count + 1 })
    },
    close: () => store.close(),
  }
  store.subscribe((changes) => {
    if (changes.length > 0) side.onTold()
  })
  return side
}
