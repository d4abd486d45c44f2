/** Several processes' stores on one emulator: what each one tells, with restarts, dead connections and lost replies. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { realEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import {
  emulatorAbsence,
  startFirestoreEmulator,
  type FirestoreEmulator,
} from '../../../test/e2e/firestore-emulator.ts'
import { API_VERSION, GROUP } from '../../api/define-kind.ts'
import { createEncryptedStore } from '../encrypted.ts'
import { StoreError, type Change, type Mutation, type StoreKey, type StoreRecord } from '../store.ts'
import type { Timings } from './collection.ts'
import { openFirestoreStore, type FirestoreStore } from './firestore.ts'

const absence = emulatorAbsence()
const COLLECTION = `sprites.${GROUP}`
/** The one collection whose values are no objects where they lie. */
const SECRETS = 'secrets'
const key = (name: string): StoreKey => ({ collection: COLLECTION, namespace: 'acme', name })
let uids = 0
/** An update keeps the uid of what it changes, a creation has a new one. */
const put = (name: string, current?: Pick<StoreRecord, 'revision' | 'value'>, value: unknown = 'new'): Mutation => {
  const uid = /"uid":"(\w+)"/.exec(current?.value ?? '')?.[1] ?? `u${++uids}`
  const expectedRevision = current?.revision ?? 0
  return { type: 'Put', key: key(name), expectedRevision, value: textOf(key(name), uid, value) }
}
const del = (name: string, expectedRevision: number): Mutation => ({
  type: 'Delete',
  key: key(name),
  expectedRevision,
  value: textOf(key(name), 'gone', 'gone'),
})
const textOf =
  ({ namespace, name }: StoreKey, uid: string, value: unknown) =>
  (revision: number): string =>
    JSON.stringify({
      apiVersion: API_VERSION,
      kind: 'Sprite',
      metadata: { name, namespace, uid, creationTimestamp: '2026-01-01T00:00:00Z', resourceVersion: String(revision) },
      spec: { value },
    })

const first = async (store: FirestoreStore, mutation: Mutation): Promise<Change> => {
  const [change] = await store.commit([mutation])
  if (change === undefined) throw new Error('The commit made no change')
  return change
}

/** Records by name after the changes, as somebody who only hears of changes knows them. */
class Replay {
  readonly records = new Map<string, StoreRecord>()
  readonly wrong: string[] = []

  readonly take = (changes: readonly Change[]): void => {
    for (const { type, record, previous } of changes) {
      const known = this.records.get(record.name)
      if (known?.revision !== previous?.revision)
        this.wrong.push(`${type} ${record.name}: ${known?.revision} is known, ${previous?.revision} was told`)
      if ((type === 'Added') !== (known === undefined))
        this.wrong.push(`${type} ${record.name}: known ${known?.revision}`)
      if (type === 'Deleted') this.records.delete(record.name)
      else this.records.set(record.name, record)
    }
  }

  get sorted(): readonly StoreRecord[] {
    return [...this.records.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
  }
}

/** A proxy that can hold back replies, or everything, without closing a connection. */
async function startProxy(targetPort: number) {
  const state = { isDead: new WeakSet<Socket>(), sockets: new Set<Socket>(), holdsReplies: false }
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1')
    state.sockets.add(client)
    const end = (): void => {
      state.sockets.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    client.on('data', (chunk) => {
      if (!state.isDead.has(client)) upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      if (!state.isDead.has(client) && !state.holdsReplies) client.write(chunk)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  // An IP listener has an address with a port.
  const { port } = server.address() as AddressInfo
  return {
    host: `127.0.0.1:${port}`,
    /** Everything that is connected now goes silent, for ever. */
    blackHole: () => {
      for (const socket of state.sockets) state.isDead.add(socket)
    },
    /** Requests arrive, replies get lost, until the connections are cut. */
    loseReplies: () => {
      state.holdsReplies = true
    },
    cut: () => {
      for (const socket of state.sockets) socket.destroy()
      state.holdsReplies = false
    },
    close: async () => {
      for (const socket of state.sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

describe.skipIf(absence !== undefined)(
  `on the emulator${absence === undefined ? '' : ` (skipped: ${absence})`}`,
  () => {
    let emulator: FirestoreEmulator
    const stores: FirestoreStore[] = []
    beforeAll(async () => {
      emulator = await startFirestoreEmulator()
    })
    afterAll(() => emulator.stop())

    const open = async (
      project: string,
      options: { readonly host?: string; readonly timings?: Partial<Timings> } = {},
    ): Promise<FirestoreStore> => {
      const store = await openFirestoreStore({
        project,
        database: '(default)',
        collections: [COLLECTION],
        clock: realClock,
        entropy: realEntropy,
        log: silentLog,
        settings: {
          emulatorHost: options.host ?? emulator.host,
          ...(options.timings === undefined ? {} : { timings: options.timings }),
        },
      })
      stores.push(store)
      return store
    }
    const within = (run: () => Promise<void>) => async (): Promise<void> => {
      try {
        await run()
      } finally {
        for (const store of stores.splice(0)) await store.close()
      }
    }
    const until = async (what: string, holds: () => boolean): Promise<void> => {
      for (let looks = 0; looks < 1500; looks++) {
        if (holds()) return
        await realClock.sleep(20)
      }
      throw new Error(`Waited too long for ${what}`)
    }

    const step = fc.record({
      store: fc.nat(1),
      name: fc.constantFrom('a', 'b', 'c'),
      what: fc.constantFrom('Put', 'Put', 'Delete'),
    })
    test(
      "FDS5 property: whatever two stores write at once, each one's changes replay to what lies there",
      within(async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(fc.array(step, { maxLength: 6 }), { maxLength: 6 }), async (rounds) => {
            const project = emulator.project()
            const both = [await open(project), await open(project)] as const
            const replays = both.map((store) => {
              const replay = new Replay()
              store.subscribe(replay.take)
              return replay
            })
            const starts = await Promise.all(both.map((store) => store.revision()))
            for (const round of rounds)
              await Promise.all(
                round.map(async ({ store: index, name, what }) => {
                  const store = both[index === 0 ? 0 : 1]
                  const current = await store.read(key(name))
                  const mutation = what === 'Put' ? put(name, current) : del(name, current?.revision ?? 1_000_000)
                  // Somebody else may have been faster: that is what is tried here.
                  await store.commit([mutation]).catch((error: unknown) => {
                    if (!(error instanceof StoreError)) throw error
                    expect(['Conflict', 'NotFound', 'AlreadyExists']).toContain(error.reason)
                  })
                }),
              )
            for (const [index, store] of both.entries()) {
              const { records } = await store.list(COLLECTION)
              expect(replays[index]?.wrong).toEqual([])
              expect(replays[index]?.sorted).toEqual(records)
              const since = new Replay()
              since.take((await store.changesSince(starts[index] ?? 0, { collection: COLLECTION })).changes)
              expect(since.sorted).toEqual(records)
            }
            for (const store of stores.splice(0)) await store.close()
          }),
          { numRuns: 15 },
        )
      }),
    )

    test(
      'FDS5 after a restart everything is there, and older revisions are Expired',
      within(async () => {
        const project = emulator.project()
        const before = await open(project)
        const { record } = await first(before, put('a'))
        const b = await first(before, put('b'))
        await first(before, del('b', b.record.revision))
        await before.close()
        const after = await open(project)
        expect((await after.list(COLLECTION, { mayLag: true })).records).toEqual([record])
        const since = after.changesSince(record.revision, { collection: COLLECTION })
        await expect(since).rejects.toMatchObject({ reason: 'Expired' })
        const again = await first(after, put('b'))
        expect(again.type).toBe('Added')
      }),
    )

    test(
      'FDS8 a listener whose connection went silent without an end is made anew and misses nothing',
      within(async () => {
        const project = emulator.project()
        const proxy = await startProxy(emulator.port)
        const timings = { callMs: 1000, canaryAfterMs: 1000, rebuildAfterMs: 2000 }
        const cut = await open(project, { host: proxy.host, timings })
        const other = await open(project)
        const replay = new Replay()
        cut.subscribe(replay.take)
        const a = await first(other, put('a'))
        await until('the first change', () => replay.records.size === 1)
        proxy.blackHole()
        const startedAt = realClock.monotonic()
        await first(other, del('a', a.record.revision))
        const b = await first(other, put('b'))
        await until('what came meanwhile', () => replay.records.has('b'))
        const silentMs = realClock.monotonic() - startedAt
        expect(silentMs).toBeLessThan(10_000)
        expect(replay.wrong).toEqual([])
        expect(replay.sorted).toEqual([b.record])
        const c = await first(cut, put('c'))
        expect((await other.read(key('c')))?.revision).toBe(c.record.revision)
        await proxy.close()
      }),
    )

    test(
      'FDS2 a commit whose reply was lost after it took effect is made once',
      within(async () => {
        const project = emulator.project()
        const proxy = await startProxy(emulator.port)
        const cut = await open(project, { host: proxy.host, timings: { callMs: 1500 } })
        const other = await open(project)
        const replay = new Replay()
        other.subscribe(replay.take)
        proxy.loseReplies()
        const pending = first(cut, put('a'))
        await until('the commit to take effect', () => replay.records.has('a'))
        proxy.cut()
        const { record, type } = await pending
        expect(type).toBe('Added')
        expect(await other.read(key('a'))).toEqual(record)
        expect(replay.sorted.map(({ revision }) => revision)).toEqual([record.revision])
        await proxy.close()
      }),
    )

    test(
      'ST11 what is sealed opens in another process, with the revision of its record',
      within(async () => {
        const project = emulator.project()
        const sealing = { id: 'k1', bytes: new Uint8Array(32).fill(7) }
        const encrypted = (store: FirestoreStore) =>
          createEncryptedStore(store, { collections: new Set([SECRETS]), keys: [sealing], entropy: realEntropy })
        const secret: StoreKey = { collection: SECRETS, namespace: 'acme', name: 'a' }
        const putSecret = (expectedRevision: number, value: unknown): Mutation => ({
          type: 'Put',
          key: secret,
          expectedRevision,
          value: textOf(secret, 'u1', value),
        })
        const [one, other] = [encrypted(await open(project)), await open(project)]
        const [change] = await one.commit([putSecret(0, 'a secret')])
        const raw = await other.read(secret)
        expect(raw?.value).not.toContain('a secret')
        expect(raw?.writtenAs).toBeTypeOf('number')
        const read = await encrypted(other).read(secret)
        expect(read).toEqual(change?.record)
        expect(read?.value).toContain('a secret')
        expect(read?.value).toContain(`"resourceVersion":"${read?.revision}"`)
        const next = await encrypted(other).commit([putSecret(read?.revision ?? 0, 'another')])
        expect(next[0]?.previous?.value).toBe(read?.value)
      }),
    )
  },
)
