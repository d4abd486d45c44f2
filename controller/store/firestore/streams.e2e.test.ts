/** Listen streams of Google's client end: whenever they are ended, and whatever the other side does, no connection stays. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { realEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import {
  emulatorAbsence,
  startFirestoreEmulator,
  type FirestoreEmulator,
} from '../../../test/e2e/firestore-emulator.ts'
import { openFirestoreStore } from './firestore.ts'
import { connectFirestore } from './sdk.ts'

const absence = emulatorAbsence()
/** Before, while and after the call goes out, in ms; -1: at once. */
const MOMENTS = [-1, 0, 1, 5, 20, 100] as const
const CLOSE_MS = 3_000

/** Passes connections on to a port, or leaves them without an answer where there is none; knows how many are open. */
async function startDoor(targetPort?: number) {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy())
    if (targetPort === undefined) return void socket.resume()
    const upstream = connect(targetPort, '127.0.0.1')
    upstream.on('error', () => socket.destroy()).on('close', () => socket.destroy())
    socket.on('close', () => upstream.destroy())
    socket.pipe(upstream)
    upstream.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // An IP listener has an address with a port.
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    open,
    /** Whether all connections are closed before long. */
    empties: async (): Promise<boolean> => {
      for (let waitedMs = 0; waitedMs < CLOSE_MS && open.size > 0; waitedMs += 20) await realClock.sleep(20)
      return open.size === 0
    },
    close: async () => {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

type Door = Awaited<ReturnType<typeof startDoor>>

/** Listens through the door, ends that after a while, and closes. */
async function listenAndEnd(door: Door, afterMs: number): Promise<void> {
  const calls = await connectFirestore({ project: 'p', database: '(default)', emulatorHost: door.host })
  const options = { known: new Map(), onSnapshot: () => {}, onFailure: () => {} }
  const end = calls.listen('sprites', options)
  if (afterMs >= 0) await realClock.sleep(afterMs)
  end()
  await calls.close()
}

// Google's client is loaded by the first connection, which takes its time.
beforeAll(async () => {
  await (await connectFirestore({ project: 'p', database: '(default)', emulatorHost: '127.0.0.1:1' })).close()
})

test.each(MOMENTS)('FDS11 a stream to a server that never answers can be ended after %i ms', async (afterMs) => {
  const door = await startDoor()
  try {
    const startedAt = realClock.monotonic()
    // gRPC gives a connection up that was never made by a deadline of its own: nothing waits for that.
    await listenAndEnd(door, afterMs)
    expect(realClock.monotonic() - startedAt).toBeLessThan(CLOSE_MS)
  } finally {
    await door.close()
  }
})

describe.skipIf(absence !== undefined)(
  `on the emulator${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let emulator: FirestoreEmulator
    beforeAll(async () => {
      emulator = await startFirestoreEmulator()
    })
    afterAll(() => emulator.stop())

    test.each(MOMENTS)('FDS11 a stream that is ended after %i ms leaves no connection', async (afterMs) => {
      const door = await startDoor(emulator.port)
      try {
        await listenAndEnd(door, afterMs)
        expect(await door.empties()).toBe(true)
      } finally {
        await door.close()
      }
    })

    test('FDS11 a store closes while the server is silent, and leaves no connection', async () => {
      const door = await startDoor(emulator.port)
      try {
        const store = await openFirestoreStore({
          project: emulator.project(),
          database: '(default)',
          collections: ['plans', 'sprites'],
          clock: realClock,
          entropy: realEntropy,
          log: silentLog,
          settings: { emulatorHost: door.host, timings: { callMs: 500 } },
        })
        expect(door.open.size).toBeGreaterThan(0)
        emulator.freeze()
        const startedAt = realClock.monotonic()
        // What is under way when the store closes is over with it.
        const pending = store.list('plans').catch((error: unknown) => error)
        await store.close()
        expect(realClock.monotonic() - startedAt).toBeLessThan(2_000)
        expect(await pending).toBeInstanceOf(Error)
        expect(await door.empties()).toBe(true)
      } finally {
        emulator.thaw()
        await door.close()
      }
    })
  },
)
