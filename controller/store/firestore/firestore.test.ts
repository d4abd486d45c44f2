/** The store on Firestore, over a Firestore in memory that fails on request. */
import { describe, expect, test } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { settle, TestClock } from '../../../system/test-clock.ts'
import { API_VERSION, GROUP } from '../../api/define-kind.ts'
import { storeContract } from '../contract.ts'
import type { Change, Mutation, StoreKey, StoreRecord } from '../store.ts'
import { CODE, type FirestoreCalls, type RawWrite } from './calls.ts'
import { canaryPath, liveFields } from './document.ts'
import { FakeFirestore } from './fake/fake-firestore.ts'
import { openFirestoreStore, type FirestoreStore, type Judge } from './firestore.ts'

const COLLECTION = `sprites.${GROUP}`
const PATH = 'tenants/acme/sprites/a'
const key = (name = 'a'): StoreKey => ({ collection: COLLECTION, namespace: 'acme', name })
const text =
  ({ name, namespace }: StoreKey, value: unknown, uid = 'u1') =>
  (revision: number): string =>
    JSON.stringify({
      apiVersion: API_VERSION,
      kind: 'Sprite',
      metadata: { name, namespace, uid, creationTimestamp: '2026-01-01T00:00:00Z', resourceVersion: String(revision) },
      spec: { value },
    })
const put = (at: StoreKey, expectedRevision = 0, value: unknown = 'new', uid = 'u1'): Mutation => ({
  type: 'Put',
  key: at,
  expectedRevision,
  value: text(at, value, uid),
})
const del = (at: StoreKey, expectedRevision: number): Mutation => ({
  type: 'Delete',
  key: at,
  expectedRevision,
  value: text(at, 'gone'),
})

/** What another process writes. */
const fieldsOf = (name: string, uid: string, replaced?: number): Readonly<Record<string, unknown>> =>
  liveFields(text(key(name), 'theirs', uid)(1), {
    id: 'theirs',
    draft: 1,
    ...(replaced === undefined ? {} : { replaced }),
  })

type Room = {
  readonly fake: FakeFirestore
  readonly clock: TestClock
  readonly open: (seed?: number, judge?: Judge) => Promise<FirestoreStore>
  /** Called with the writes of each commit before they are sent; the commit waits for it. */
  readonly wire: { beforeCommit: (writes: readonly RawWrite[]) => Promise<void> }
}

const NO_TIME = { seconds: 0, nanos: 0 }
const BAD: ReturnType<Judge> = { ok: false, fault: 'it is bad' }

async function inRoom(run: (room: Room) => Promise<void>): Promise<void> {
  const clock = new TestClock()
  const fake = new FakeFirestore(clock.now())
  const stores: FirestoreStore[] = []
  const wire: Room['wire'] = { beforeCommit: () => Promise.resolve() }
  const open = async (seed = 1, judge?: Judge): Promise<FirestoreStore> => {
    const store = await openFirestoreStore({
      project: 'p',
      database: '(default)',
      collections: [COLLECTION],
      clock,
      entropy: seededEntropy(seed),
      log: silentLog,
      ...(judge === undefined ? {} : { judge }),
      settings: { connect: async () => watched(fake.connect(), wire) },
    })
    stores.push(store)
    return store
  }
  try {
    await run({ fake, clock, open, wire })
  } finally {
    for (const store of stores) await store.close()
    expect(clock.pendingTimers).toBe(0)
  }
}

/** A connection whose commits the test sees, and may hold up. */
const watched = (calls: FirestoreCalls, wire: Room['wire']): FirestoreCalls => ({
  ...calls,
  commit: async (writes, timeoutMs) => {
    await wire.beforeCommit(writes)
    return await calls.commit(writes, timeoutMs)
  },
})

/** Lets time pass until the promise has settled. */
async function passing<T>(clock: TestClock, promise: Promise<T>): Promise<T> {
  const state = { isSettled: false }
  const done = promise.finally(() => {
    state.isSettled = true
  })
  done.catch(() => {})
  for (let turns = 0; turns < 2000 && !state.isSettled; turns++) await clock.advance(50)
  return done
}

const first = async (store: FirestoreStore, mutation: Mutation): Promise<Change> => {
  const [change] = await store.commit([mutation])
  if (change === undefined) throw new Error('The commit made no change')
  return change
}
const valueOf = (record: StoreRecord | undefined): unknown =>
  record === undefined ? undefined : (JSON.parse(record.value) as { spec: { value: unknown } }).spec.value

storeContract(
  'firestore in memory',
  async ({ window } = {}) => {
    const fake = new FakeFirestore(Date.UTC(2026, 0, 1))
    const store = await openFirestoreStore({
      project: 'p',
      database: '(default)',
      collections: ['sprites', 'plans'],
      clock: new TestClock(),
      entropy: seededEntropy(7),
      log: silentLog,
      ...(window === undefined ? {} : { window }),
      settings: { connect: async () => fake.connect() },
    })
    return { store, dispose: () => store.close() }
  },
  'Times',
)

describe('commits of several processes', () => {
  test('FDS1 a revision is the time of the commit in microseconds, and the same for every process', () =>
    inRoom(async ({ fake, clock, open }) => {
      const [one, other] = [await open(), await open(2)]
      const heard: number[] = []
      other.subscribe((changes) => heard.push(...changes.map(({ record: { revision } }) => revision)))
      const sinceUs = clock.now() * 1_000
      const revisions: number[] = []
      for (const name of ['a', 'b']) {
        fake.pass(1_500)
        const { record } = await first(one, put(key(name)))
        const { seconds, nanos } = fake.documents.get(`tenants/acme/sprites/${name}`)?.updateTime ?? NO_TIME
        expect(record.revision).toBe(seconds * 1_000_000 + nanos / 1_000)
        revisions.push(record.revision)
      }
      await settle()
      expect((revisions[0] ?? 0) - sinceUs).toBeGreaterThanOrEqual(1_500_000)
      expect((revisions[1] ?? 0) - (revisions[0] ?? 0)).toBeGreaterThanOrEqual(1_500_000)
      expect((revisions[1] ?? 0) - sinceUs).toBeLessThan(4_000_000)
      expect(heard).toEqual(revisions)
      for (const store of [one, other, await open(3)]) {
        expect((await store.list(COLLECTION)).records.map(({ revision }) => revision)).toEqual(revisions)
        expect((await store.read(key()))?.revision).toBe(revisions[0])
      }
    }))
  test('FDS10 a commit that hangs holds no other up, and each writes its own documents alone', () =>
    inRoom(async ({ open, wire }) => {
      const [one, other] = [await open(), await open(2)]
      const written: string[] = []
      const held = Promise.withResolvers<void>()
      wire.beforeCommit = async (writes) => {
        written.push(writes.map(({ path }) => path).join())
        if (writes.some(({ path }) => path === PATH)) await held.promise
      }
      const slow = first(one, put(key()))
      await first(one, put(key('b')))
      await first(other, put(key('c')))
      expect(await other.read(key())).toBeUndefined()
      held.resolve()
      await slow
      expect(written).toEqual(['a', 'b', 'c'].map((name) => `tenants/acme/sprites/${name}`))
    }))
})

describe('outcomes of a commit', () => {
  const unknown = [CODE.DeadlineExceeded, CODE.Unavailable, CODE.Internal, CODE.Unknown, CODE.Cancelled]
  test.each(unknown.flatMap((code) => (['Before', 'After'] as const).map((when) => ({ code, when }))))(
    'FDS2 code $code $when the effect: the write is made once',
    ({ code, when }) =>
      inRoom(async ({ fake, clock, open }) => {
        const store = await open()
        fake.faults.push({ call: 'commit', code, when })
        const { commits } = fake
        const { record } = await passing(clock, first(store, put(key())))
        expect(fake.commits).toBe(commits + 1)
        expect(await store.read(key())).toEqual(record)
        fake.faults.push({ call: 'commit', code, when }, { call: 'get', code, when: 'Before' })
        const changed = await passing(clock, first(store, put(key(), record.revision, 'next')))
        expect(fake.commits).toBe(commits + 2)
        expect(changed).toMatchObject({ type: 'Modified', previous: record })
        fake.faults.push({ call: 'commit', code, when })
        await passing(clock, first(store, del(key(), changed.record.revision)))
        expect(fake.commits).toBe(commits + 3)
        expect(await store.read(key())).toBeUndefined()
      }),
  )
  test('FDS2 an unknown outcome that another writer decided is told as what lies there', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      const { record } = await first(store, put(key()))
      const other = await open(2)
      const meanwhile = (): void => {
        fake.put(PATH, fieldsOf('a', 'u1'))
      }
      fake.faults.push({ call: 'commit', code: CODE.Unavailable, when: 'Before', meanwhile })
      const attempt = passing(clock, first(store, put(key(), record.revision, 'mine')))
      await expect(attempt).rejects.toMatchObject({ reason: 'Conflict', key: key() })
      expect(valueOf(await other.read(key()))).toBe('theirs')
    }))
  test('FDS3 ABORTED is repeated, and at last Unavailable', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      fake.faults.push({ call: 'commit', code: CODE.Aborted, when: 'Before' })
      await passing(clock, first(store, put(key())))
      for (let n = 0; n < 20; n++) fake.faults.push({ call: 'commit', code: CODE.Aborted, when: 'Before' })
      await expect(passing(clock, first(store, put(key('b'))))).rejects.toMatchObject({ reason: 'Unavailable' })
      expect(fake.faults.length).toBeGreaterThan(0)
    }))
  test.each([
    [CODE.ResourceExhausted, 'Unavailable', /try again in/],
    [CODE.PermissionDenied, 'Denied', /firestore\/role\.yaml/],
    [CODE.Unauthenticated, 'Denied', /credentials/],
    [CODE.InvalidArgument, 'TooLarge', /smaller/],
  ] as const)('FDS3 code %i is %s at once', (code, reason, message) =>
    inRoom(async ({ fake, open }) => {
      const store = await open()
      fake.faults.push({ call: 'commit', code, when: 'Before' })
      const attempt = first(store, put(key()))
      await expect(attempt).rejects.toMatchObject({ reason, message: expect.stringMatching(message) as string })
      expect(await store.read(key())).toBeUndefined()
    }),
  )
  test('FDS3 a document of over 1 MiB is TooLarge and never sent', () =>
    inRoom(async ({ fake, open }) => {
      const store = await open()
      const { commits } = fake
      const attempt = first(store, put(key(), 0, 'x'.repeat(1_100_000)))
      await expect(attempt).rejects.toMatchObject({ reason: 'TooLarge', key: key() })
      expect(fake.commits).toBe(commits)
    }))
  test('FDS3 a call that passed its deadline replaces the connection', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      await clock.advance(5000)
      fake.faults.push({ call: 'commit', code: CODE.DeadlineExceeded, when: 'Before' })
      await passing(clock, first(store, put(key())))
      expect(fake.connections).toBe(2)
    }))
  test('FDS3 a name that could lead to another path is Denied', () =>
    inRoom(async ({ open }) => {
      const store = await open()
      for (const name of ['x/y/z', '..', '_canary', '__x__', ''])
        await expect(first(store, put(key(name)))).rejects.toMatchObject({ reason: 'Denied' })
    }))
})

describe('deletions', () => {
  test('FDS4 all processes tell of a deletion with one revision, and the name can be used again', () =>
    inRoom(async ({ open }) => {
      const [one, other] = [await open(), await open(2)]
      const heard: Change[] = []
      other.subscribe((changes) => heard.push(...changes))
      const { record } = await first(one, put(key()))
      const gone = await first(one, del(key(), record.revision))
      const again = await first(one, put(key(), 0, 'again', 'u2'))
      await settle()
      expect(heard.map(({ type, record: { revision } }) => [type, revision])).toEqual([
        ['Added', record.revision],
        ['Deleted', gone.record.revision],
        ['Added', again.record.revision],
      ])
      expect(valueOf(heard[1]?.record)).toBe('gone')
      await expect(first(other, put(key(), gone.record.revision))).rejects.toMatchObject({ reason: 'Conflict' })
    }))
  test('FDS4 a tombstone goes after ten minutes of Firestore time, silently', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      const { record } = await first(store, put(key()))
      const gone = await first(store, del(key(), record.revision))
      await expect(first(store, put(key(), gone.record.revision))).rejects.toMatchObject({ reason: 'NotFound' })
      await clock.advance(95_000)
      expect(fake.documents.has(PATH)).toBe(true)
      const heard: Change[] = []
      store.subscribe((changes) => heard.push(...changes))
      fake.pass(700_000)
      await clock.advance(200_000)
      expect(fake.documents.has(PATH)).toBe(false)
      expect(heard).toEqual([])
      expect(store.stats().deleted).toBe(1)
    }))
  test('FDS4 what is removed outright is told as deleted', () =>
    inRoom(async ({ fake, open }) => {
      const store = await open()
      const { record } = await first(store, put(key()))
      fake.remove(PATH)
      await settle()
      const { changes } = await store.changesSince(record.revision, { collection: COLLECTION })
      expect(changes).toMatchObject([{ type: 'Deleted', previous: record }])
      const revision = changes[0]?.record.revision ?? 0
      expect(revision).toBeGreaterThan(record.revision)
      expect(changes[0]?.record.value).toContain(`"resourceVersion":"${revision}"`)
    }))
  test('FDS5 deleted and made again between two snapshots is told as both', () =>
    inRoom(async ({ fake, open }) => {
      const [one, other] = [await open(), await open(2)]
      const { record } = await first(one, put(key()))
      const heard: string[] = []
      other.subscribe((changes) =>
        heard.push(...changes.map(({ type, record: { revision } }) => `${type} ${revision}`)),
      )
      const replaced = record.revision + 1
      fake.put(PATH, fieldsOf('a', 'u2', replaced))
      await settle()
      const now = await other.read(key())
      expect(heard).toEqual([`Deleted ${replaced}`, `Added ${now?.revision}`])
    }))
})

describe('listeners', () => {
  test('L2 FDS8 one that went silent is made anew within 60 s and misses nothing', () =>
    inRoom(async ({ fake, clock, open }) => {
      const [one, other] = [await open(), await open(2)]
      const { record } = await first(one, put(key()))
      await first(one, put(key('kept')))
      await settle()
      fake.deafen()
      const heard: string[] = []
      other.subscribe((changes) => heard.push(...changes.map((change) => `${change.type} ${change.record.name}`)))
      fake.put('tenants/acme/sprites/b', fieldsOf('b', 'u3'))
      fake.remove(PATH)
      await clock.advance(60_000)
      expect(heard.toSorted()).toEqual(['Added b', 'Deleted a'])
      expect((await other.list(COLLECTION, { mayLag: true })).records.map(({ name }) => name)).toEqual(['b', 'kept'])
      const since = await other.changesSince(record.revision, { collection: COLLECTION })
      expect(since.changes.map(({ record: { name } }) => name).toSorted()).toEqual(['a', 'b', 'kept'])
    }))
  test('FDS8 a quiet one costs one canary in 15 s, whatever the number of processes', () =>
    inRoom(async ({ fake, clock, open }) => {
      for (let seed = 1; seed <= 4; seed++) await open(seed)
      const { commits, listens } = fake
      await clock.advance(300_000)
      expect(fake.listens).toBe(listens)
      expect(fake.commits - commits).toBeLessThanOrEqual(2 * Math.ceil(300 / 15))
      expect(fake.commits - commits).toBeGreaterThanOrEqual(300 / 20)
    }))
  test.each(Object.entries(CODE))('FDS8 one that fails with %s is made anew', (_name, code) =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      await first(store, put(key()))
      fake.failListeners(code)
      fake.put('tenants/acme/sprites/b', fieldsOf('b', 'u3'))
      await clock.advance(15_000)
      expect((await store.list(COLLECTION, { mayLag: true })).records.map(({ name }) => name)).toEqual(['a', 'b'])
    }),
  )
  test('FDS8 an old or empty snapshot that is replayed removes nothing', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      const { record } = await first(store, put(key()))
      const heard: Change[] = []
      store.subscribe((changes) => heard.push(...changes))
      fake.replay = { documents: [], revision: record.revision - 1 }
      fake.failListeners(CODE.Unavailable)
      await clock.advance(20_000)
      expect(heard).toEqual([])
      expect((await store.list(COLLECTION, { mayLag: true })).records).toEqual([record])
      fake.replay = undefined
      await clock.advance(60_000)
      const b = await passing(clock, first(store, put(key('b'))))
      expect(heard).toEqual([b])
    }))
  test('FDS6 a commit does not wait for a broken listener longer than 5 s', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      fake.deafen()
      const pending = first(store, put(key()))
      await clock.advance(4900)
      expect((await store.list(COLLECTION, { mayLag: true })).records).toEqual([])
      await clock.advance(200)
      const change = await pending
      expect(change).toMatchObject({ type: 'Added', record: { name: 'a' } })
      await clock.advance(1000)
      expect((await store.list(COLLECTION, { mayLag: true })).records).toEqual([change.record])
    }))
  test('FDS7 a read that the listener cannot follow is Unavailable after 10 s', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      fake.isSilent = true
      await expect(passing(clock, store.list(COLLECTION))).rejects.toMatchObject({ reason: 'Unavailable' })
      fake.isSilent = false
      await clock.advance(60_000)
      expect((await store.list(COLLECTION)).records).toEqual([])
    }))
  test.each([CODE.Cancelled, CODE.Unavailable, CODE.Unknown, CODE.Aborted])(
    'FDS7 a read goes on where the write of its canary fails twice with code %i',
    (code) =>
      inRoom(async ({ fake, clock, open }) => {
        const store = await open()
        const { record } = await first(store, put(key()))
        fake.faults.push({ call: 'commit', code, when: 'Before' }, { call: 'commit', code, when: 'After' })
        expect((await passing(clock, store.list(COLLECTION))).records).toEqual([record])
        const failing = { call: 'commit', code, when: 'Before' } as const
        fake.faults.push(failing, failing, failing)
        await expect(passing(clock, store.list(COLLECTION))).rejects.toMatchObject({ reason: 'Unavailable' })
      }),
  )
  test('FDS7 many lists at once share two canaries, and see what was committed elsewhere before', () =>
    inRoom(async ({ fake, open }) => {
      const [one, other] = [await open(), await open(2)]
      const { record } = await first(one, put(key()))
      const { commits } = fake
      const pages = await Promise.all(Array.from({ length: 50 }, () => other.list(COLLECTION)))
      expect(pages.every(({ records }) => records.length === 1 && records[0]?.revision === record.revision)).toBe(true)
      expect(fake.commits - commits).toBeLessThanOrEqual(2)
    }))
  test('FDS5 after a restart what came before is Expired', () =>
    inRoom(async ({ open }) => {
      const { record } = await first(await open(), put(key()))
      const restarted = await open(2)
      const since = restarted.changesSince(record.revision, { collection: COLLECTION })
      await expect(since).rejects.toMatchObject({ reason: 'Expired' })
    }))
})

describe('malformed documents', () => {
  test('ST12 FDS9 one is left out, named, deletable, and Added once it is right', () =>
    inRoom(async ({ fake, open }) => {
      fake.put(PATH, { kind: 7, spec: 'a string' })
      fake.put('elsewhere/x/sprites/y', { kind: 'Sprite' })
      const store = await open()
      const heard: string[] = []
      store.subscribe((changes) => heard.push(...changes.map(({ type }) => type)))
      expect((await store.list(COLLECTION)).records).toEqual([])
      expect(store.malformed().map(({ path }) => path)).toEqual([PATH, 'elsewhere/x/sprites/y'])
      for (const { fault } of store.malformed()) expect(fault).toContain('; delete the document')
      await expect(first(store, put(key()))).rejects.toMatchObject({ reason: 'AlreadyExists' })
      const failure: unknown = await store.read(key()).catch((error: unknown) => error)
      expect(failure).toMatchObject({ reason: 'Unreadable' })
      const { record } = await first(store, put(key('good')))
      fake.put(PATH, fieldsOf('a', 'u'))
      await settle()
      expect(heard).toEqual(['Added', 'Added'])
      expect(store.malformed().map(({ path }) => path)).toEqual(['elsewhere/x/sprites/y'])
      fake.put('tenants/acme/sprites/good', { junk: true })
      await settle()
      expect((await store.list(COLLECTION)).records).toEqual([await store.read(key()), record])
      expect(heard).toHaveLength(2)
      const bad = (await store.read(key('good')).catch((error: unknown) => error)) as { revision: number }
      expect(bad.revision).toBeGreaterThan(record.revision)
      await first(store, del(key('good'), bad.revision))
      expect(await store.read(key('good'))).toBeUndefined()
      expect(fake.documents.has(canaryPath('sprites'))).toBe(true)
    }))
  test('FDS9 one that was right stays as it last was, until it is right again, removed, or deleted', () =>
    inRoom(async ({ fake, clock, open }) => {
      const store = await open()
      const { record } = await first(store, put(key()))
      const kept = await first(store, put(key('kept')))
      const replay = new Map<string, string>()
      const heard: string[] = []
      store.subscribe((changes) =>
        heard.push(
          ...changes.map(({ type, record: { name, revision }, previous }) => {
            expect(previous?.revision.toString()).toBe(replay.get(name))
            replay.set(name, revision.toString())
            return `${type} ${name}`
          }),
        ),
      )
      for (const change of [record, kept.record]) replay.set(change.name, change.revision.toString())
      const names = async (): Promise<string> =>
        (await store.list(COLLECTION, { mayLag: true })).records.map(({ name }) => name).join()
      fake.put(PATH, { junk: 1 })
      await settle()
      // Junk over junk, and a listener that begins anew and is told all.
      fake.put(PATH, { junk: 2 })
      fake.failListeners(CODE.Unavailable)
      await clock.advance(60_000)
      expect([await names(), heard]).toEqual(['a,kept', []])
      expect((await store.list(COLLECTION)).records[0]).toEqual(record)
      await expect(first(store, put(key(), record.revision))).rejects.toMatchObject({ reason: 'Conflict' })
      fake.put(PATH, fieldsOf('a', 'u1'))
      await settle()
      expect(heard).toEqual(['Modified a'])
      fake.put(PATH, { junk: 3 })
      await settle()
      fake.remove(PATH)
      await settle()
      expect([await names(), heard]).toEqual(['kept', ['Modified a', 'Deleted a']])
      fake.put('tenants/acme/sprites/kept', { junk: 4 })
      await settle()
      const bad = (await store.read(key('kept')).catch((error: unknown) => error)) as { revision: number }
      await first(store, del(key('kept'), bad.revision))
      expect([await names(), heard.at(-1), store.malformed()]).toEqual(['', 'Deleted kept', []])
    }))
  test('FDC6 what is not of its kind is malformed, and what lacks defaults has them', () =>
    inRoom(async ({ fake, open }) => {
      const store = await open(1, (_collection, object) => {
        const { spec } = object as { spec: { value: string } }
        return spec.value === 'theirs' ? { ok: true, object: { ...object, spec: { value: 'judged' } } } : BAD
      })
      fake.put(PATH, fieldsOf('a', 'u1'))
      fake.put('tenants/acme/sprites/text', { _text: text(key('text'), 'theirs')(1) })
      const { record } = await first(store, put(key('b'), 0, 'theirs'))
      expect([record, await store.read(key()), await store.read(key('text'))].map(valueOf)).toEqual(
        Array(3).fill('judged'),
      )
      fake.put('tenants/acme/sprites/b', { ...fieldsOf('b', 'u2'), spec: { value: 'other' } })
      await expect(store.read(key('b'))).rejects.toMatchObject({ reason: 'Unreadable' })
      await settle()
      expect(store.malformed()).toMatchObject([{ fault: expect.stringMatching(/^it is bad; delete/) as string }])
    }))
  test('FDS3 a store that may not write does not open', () =>
    inRoom(async ({ fake, clock, open }) => {
      for (let n = 0; n < 5; n++) fake.faults.push({ call: 'commit', code: CODE.PermissionDenied, when: 'Before' })
      await expect(passing(clock, open())).rejects.toMatchObject({ reason: 'Denied' })
    }))
})
