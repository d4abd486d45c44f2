/** Store writes per second against bare node:sqlite: one in flight, and 64 in flight. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openDatabase } from '../controller/store/database.ts'
import { openEmbeddedStore } from '../controller/store/embedded.ts'
import { realClock } from '../system/clock.ts'
import type { Row } from './table.ts'

const VALUE = JSON.stringify({ text: 'x'.repeat(1000) })
const WRITES = { single: 600, grouped: 19_200 } as const
const GROUP = 64
const ROUNDS = 3

/** Rows for both widths; the best of three rounds, ours and bare in turns. */
export async function benchStore(): Promise<Row[]> {
  const best = { ourSingle: 0, bareSingle: 0, ourGrouped: 0, bareGrouped: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const folder = await mkdtemp(join(tmpdir(), 'bench-store-'))
    try {
      best.bareSingle = Math.max(best.bareSingle, bare(join(folder, 'bare1.db'), WRITES.single, 1))
      best.ourSingle = Math.max(best.ourSingle, await ours(join(folder, 'ours1.db'), WRITES.single, 1))
      best.bareGrouped = Math.max(best.bareGrouped, bare(join(folder, 'bare2.db'), WRITES.grouped, GROUP))
      best.ourGrouped = Math.max(best.ourGrouped, await ours(join(folder, 'ours2.db'), WRITES.grouped, GROUP))
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  return [
    {
      what: 'durable store writes/s, one in flight',
      ours: `${Math.round(best.ourSingle)}/s`,
      divisor: `bare node:sqlite ${Math.round(best.bareSingle)}/s`,
      ratio: best.ourSingle / best.bareSingle,
    },
    {
      what: `durable store writes/s, ${GROUP} in flight`,
      ours: `${Math.round(best.ourGrouped)}/s`,
      divisor: `bare node:sqlite in groups of ${GROUP} ${Math.round(best.bareGrouped)}/s`,
      ratio: best.ourGrouped / best.bareGrouped,
    },
  ]
}

function bare(path: string, writes: number, group: number): number {
  const database = new DatabaseSync(path)
  database.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE kv(k TEXT PRIMARY KEY, v TEXT) WITHOUT ROWID',
  )
  const put = database.prepare('INSERT OR REPLACE INTO kv(k, v) VALUES (?, ?)')
  const startedMs = realClock.monotonic()
  for (let at = 0; at < writes; at += group) {
    database.exec('BEGIN')
    for (let item = 0; item < group; item++) put.run(`key-${(at + item) % 2_000}`, VALUE)
    database.exec('COMMIT')
  }
  const seconds = (realClock.monotonic() - startedMs) / 1000
  database.close()
  return writes / seconds
}

async function ours(path: string, writes: number, inFlight: number): Promise<number> {
  const database = openDatabase(path)
  const store = openEmbeddedStore({ database })
  const revisions = new Map<string, number>()
  let next = 0
  const startedMs = realClock.monotonic()
  const writer = async (lane: number): Promise<void> => {
    while (next < writes) {
      const name = `key-${lane}-${next++ % 32}`
      const [change] = await store.commit([
        {
          type: 'Put',
          key: { collection: 'bench', namespace: 'a', name },
          expectedRevision: revisions.get(name) ?? 0,
          value: () => VALUE,
        },
      ])
      revisions.set(name, change?.record.revision ?? 0)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, lane) => writer(lane)))
  const seconds = (realClock.monotonic() - startedMs) / 1000
  await store.close()
  database.close()
  return writes / seconds
}
