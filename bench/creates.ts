/** Creates per second, over HTTP and in the process, against the store's own commits of the same text. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../controller/store/database.ts'
import { openEmbeddedStore } from '../controller/store/embedded.ts'
import { realClock } from '../system/clock.ts'
import type { Row } from './table.ts'
import { startPeer, type LoadOrder, type ServerOrder } from './wire/messages.ts'
import { SPRITES_PATH, spriteBody } from './wire/objects.ts'

const CREATES = 2_000
const IN_FLIGHT = 64
const ROUNDS = 3

/** Two rows; best of three rounds, in turns. */
export async function benchCreates(): Promise<Row[]> {
  const best = { commits: 0, inProcess: 0, overHttp: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const folder = await mkdtemp(join(tmpdir(), 'bench-creates-'))
    try {
      best.commits = Math.max(best.commits, await commits(join(folder, 'bare.db')))
      const found = await creates(folder)
      best.inProcess = Math.max(best.inProcess, found.inProcess)
      best.overHttp = Math.max(best.overHttp, found.overHttp)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }
  const divisor = `the store's commits ${Math.round(best.commits)}/s`
  return [
    { what: `creates/s in the process, ${IN_FLIGHT} in flight`, rate: best.inProcess },
    { what: `creates/s over HTTP, ${IN_FLIGHT} in flight`, rate: best.overHttp },
  ].map(({ what, rate }) => ({ what, ours: `${Math.round(rate)}/s`, divisor, ratio: rate / best.commits }))
}

async function creates(folder: string): Promise<{ readonly inProcess: number; readonly overHttp: number }> {
  const server = await startPeer<ServerOrder>('our-server.ts', { folder })
  const load = await startPeer<LoadOrder>('load.ts', {})
  try {
    // As the server greets.
    const { port, token } = server.hello as { readonly port: number; readonly token: string }
    const head = `POST ${SPRITES_PATH} HTTP/1.1\r\nHost: localhost:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nUser-Agent: bench/1\r\nContent-Length: LENGTH\r\n\r\n`
    const body = JSON.stringify(spriteBody('NAME'))
    const order = { do: 'create', port, head, body, connections: IN_FLIGHT } as const
    // Once over the code before it counts.
    await load.ask({ ...order, count: 300 })
    const { durationMs: httpMs = NaN } = await load.ask({ ...order, count: CREATES })
    const { durationMs = NaN } = await server.ask({ do: 'create', count: CREATES, inFlight: IN_FLIGHT })
    return { inProcess: (CREATES / durationMs) * 1000, overHttp: (CREATES / httpMs) * 1000 }
  } finally {
    await load.stop()
    await server.stop()
  }
}

async function commits(path: string): Promise<number> {
  const database = openDatabase(path)
  const store = openEmbeddedStore({ database })
  const value = JSON.stringify({ ...spriteBody('some-name'), status: { text: 'x'.repeat(700) } })
  let next = 0
  const startedMs = realClock.monotonic()
  const lane = async (): Promise<void> => {
    while (next < CREATES) {
      const key = { collection: 'bench', namespace: 'a', name: `key-${next++}` }
      await store.commit([{ type: 'Put', key, expectedRevision: 0, value: () => value }])
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane))
  const seconds = (realClock.monotonic() - startedMs) / 1000
  await store.close()
  database.close()
  return CREATES / seconds
}
