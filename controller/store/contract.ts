/** The contract suite of the Store port: registers tests ST1…ST7, which every adapter runs. */
import { describe, expect, test } from 'vitest'
import { settle } from '../../system/test-clock.ts'
import {
  StoreError,
  type Change,
  type Mutation,
  type Store,
  type StoreErrorReason,
  type StoreKey,
  type StoreRecord,
} from './store.ts'
import type { WindowLimits } from './window.ts'

export type StoreFixture = { readonly store: Store; readonly dispose: () => Promise<void> }

/** Makes an empty store; `window` bounds the changes that it retains. */
export type MakeStore = (options?: { readonly window?: WindowLimits }) => Promise<StoreFixture>

const key = (name: string, namespace = 'acme', collection = 'sprites'): StoreKey => ({ collection, namespace, name })
/** An object's text, as the API writes it: every adapter may count on metadata. */
const text =
  ({ namespace, name }: StoreKey, value: unknown) =>
  (revision: number): string => {
    const place = { name, ...(namespace === '' ? {} : { namespace }) }
    const creationTimestamp = '2026-01-01T00:00:00Z'
    const metadata = { ...place, uid: 'uid', creationTimestamp, resourceVersion: String(revision) }
    return JSON.stringify({ apiVersion: 'example.com/v1', kind: 'Example', metadata, spec: { value } })
  }
/** What a text of `text` tells. */
const told = (record: StoreRecord | undefined): { readonly revision: number; readonly value: unknown } => {
  // The text is the one above, if an adapter gave back what it was given.
  const object = JSON.parse(record?.value ?? '{}') as {
    readonly metadata?: { readonly resourceVersion?: string }
    readonly spec?: { readonly value?: unknown }
  }
  return { revision: Number(object.metadata?.resourceVersion), value: object.spec?.value }
}

/** A mutation that creates the key. */
export const created = (at: StoreKey, value: unknown = 'new'): Mutation => putAt(at, 0, value)
const putAt = (at: StoreKey, expectedRevision: number, value: unknown): Mutation => ({
  type: 'Put',
  key: at,
  expectedRevision,
  value: text(at, value),
})
const deletedAt = (at: StoreKey, expectedRevision: number): Mutation => ({
  type: 'Delete',
  key: at,
  expectedRevision,
  value: text(at, 'gone'),
})

async function reasonOf(run: () => Promise<unknown>): Promise<StoreErrorReason | 'none'> {
  try {
    await run()
    return 'none'
  } catch (error) {
    if (error instanceof StoreError) return error.reason
    throw error
  }
}

const one = async (store: Store, mutation: Mutation): Promise<Change> => {
  const [change] = await store.commit([mutation])
  if (change === undefined) throw new Error('The commit made no change')
  return change
}

/**
 * What revisions are: counted one by one, or times of commits, which records of one commit share, which pass though
 * nothing changes, and at which commits that are made at once come in any order.
 */
export type Revisions = 'Counted' | 'Times'

/** Registers the contract for one adapter. */
export function storeContract(name: string, makeStore: MakeStore, kind: Revisions = 'Counted'): void {
  const withStore = (run: (store: Store) => Promise<void>, window?: WindowLimits) => async (): Promise<void> => {
    const { store, dispose } = await makeStore(window === undefined ? {} : { window })
    try {
      await run(store)
    } finally {
      await dispose()
    }
  }
  describe(`Store contract: ${name}`, () => {
    revisions(withStore, kind)
    commits(withStore, kind)
    lists(withStore, kind)
    windows(withStore, kind)
    subscriptions(withStore, kind)
    closing(withStore)
  })
}

/** What a revision of the store is when that of its last change is known. */
const expectNewest = (revision: number, last: number, kind: Revisions): void =>
  kind === 'Counted' ? expect(revision).toBe(last) : expect(revision).toBeGreaterThanOrEqual(last)

type WithStore = (run: (store: Store) => Promise<void>, window?: WindowLimits) => () => Promise<void>

function revisions(withStore: WithStore, kind: Revisions): void {
  test(
    'ST1 an empty store has a revision of at least 1, and revisions grow with every change',
    withStore(async (store) => {
      let last = await store.revision()
      expect(last).toBeGreaterThanOrEqual(1)
      for (const step of ['a', 'b', 'c']) {
        const change = await one(store, created(key(step)))
        expect(change.record.revision).toBeGreaterThan(last)
        last = change.record.revision
        expectNewest(await store.revision(), last, kind)
      }
      const gone = await one(store, deletedAt(key('c'), last))
      expect(gone.record.revision).toBeGreaterThan(last)
    }),
  )
  test(
    'ST1 a commit of nothing changes nothing',
    withStore(async (store) => {
      const before = await store.revision()
      expect(await store.commit([])).toEqual([])
      expectNewest(await store.revision(), before, kind)
      expect((await store.changesSince(before)).changes).toEqual([])
    }),
  )
}

function commits(withStore: WithStore, kind: Revisions): void {
  test(
    'ST2 a failed precondition names its key and reason, and changes nothing',
    withStore(async (store) => {
      const first = await one(store, created(key('a'), 1))
      const before = await store.revision()
      const tries: readonly [StoreErrorReason, Mutation][] = [
        ['AlreadyExists', created(key('a'))],
        ['Conflict', putAt(key('a'), first.record.revision + 7, 2)],
        ['NotFound', putAt(key('missing'), 3, 2)],
        ['NotFound', deletedAt(key('missing'), 3)],
        ['Conflict', deletedAt(key('a'), first.record.revision + 7)],
      ]
      for (const [reason, mutation] of tries) {
        const attempt = store.commit([created(key('b')), mutation])
        await expect(attempt).rejects.toMatchObject({ reason, key: mutation.key })
      }
      expect(await store.read(key('b'))).toBeUndefined()
      expectNewest(await store.revision(), before, kind)
      expect((await store.changesSince(before)).changes).toEqual([])
      expect((await store.read(key('a')))?.value).toBe(first.record.value)
    }),
  )
  test(
    'ST2 every record of one commit gets a new revision, in order, and its text knows it',
    withStore(async (store) => {
      const before = await store.revision()
      const changes = await store.commit([created(key('b')), created(key('a')), created(key('x', '', 'plans'))])
      const revisions = changes.map((change) => change.record.revision)
      expect(new Set(revisions).size).toBe(kind === 'Counted' ? 3 : 1)
      expect(revisions[0]).toBeGreaterThan(before)
      expect(revisions).toEqual(revisions.toSorted((left, right) => left - right))
      for (const change of changes) {
        expect(told(change.record).revision).toBe(change.record.revision)
        expect(await store.read(change.record)).toEqual(change.record)
      }
    }),
  )
  test(
    'ST2 of commits made at once that expect the same revision, one wins and the others are not spoiled',
    withStore(async (store) => {
      const { record } = await one(store, created(key('a')))
      const results = await Promise.all([
        ...[1, 2, 3].map((value) => reasonOf(() => store.commit([putAt(key('a'), record.revision, value)]))),
        reasonOf(() => store.commit([created(key('other'))])),
      ])
      const [other, ...same] = results.toReversed()
      expect(other).toBe('none')
      expect(same.toSorted()).toEqual(['Conflict', 'Conflict', 'none'])
      const winner = kind === 'Counted' ? 1 : results.indexOf('none') + 1
      expect(told(await store.read(key('a'))).value).toBe(winner)
      expect(results[winner - 1]).toBe('none')
    }),
  )
  test(
    'ST3 when commit has resolved, every read sees the change',
    withStore(async (store) => {
      const { record } = await one(store, created(key('a')))
      expect(await store.read(key('a'))).toEqual(record)
      expect((await store.list('sprites')).records).toEqual([record])
      await one(store, deletedAt(key('a'), record.revision))
      expect(await store.read(key('a'))).toBeUndefined()
      expect((await store.list('sprites')).records).toEqual([])
    }),
  )
}

function lists(withStore: WithStore, kind: Revisions): void {
  const names = (records: readonly StoreKey[]): string[] =>
    records.map((record) => `${record.namespace}/${record.name}`)
  test(
    'ST4 a list is sorted by namespace then name in code units, one collection and namespace at a time',
    withStore(async (store) => {
      for (const at of [key('b'), key('a', 'zeta'), key('a-1'), key('a'), key('Z'), key('q', 'acme', 'works')])
        await one(store, created(at))
      const all = await store.list('sprites')
      expect(names(all.records)).toEqual(['acme/Z', 'acme/a', 'acme/a-1', 'acme/b', 'zeta/a'])
      expect(all.remaining).toBe(0)
      expectNewest(await store.revision(), all.revision, kind)
      const newest = Math.max(...all.records.map((record) => record.revision))
      expect(all.revision).toBeGreaterThanOrEqual(newest)
      expect(names((await store.list('sprites', { namespace: 'zeta' })).records)).toEqual(['zeta/a'])
      expect((await store.list('sprites', { namespace: 'none' })).records).toEqual([])
      expect((await store.list('constructor')).records).toEqual([])
    }),
  )
  test(
    'ST4 pages of one list are one snapshot, whatever is written between them',
    withStore(async (store) => {
      for (const name of ['a', 'b', 'c', 'd', 'e']) await one(store, created(key(name)))
      const first = await store.list('sprites', { limit: 2 })
      expect(first).toMatchObject({ remaining: 3, next: { namespace: 'acme', name: 'b' } })
      const c = await store.read(key('c'))
      await one(store, deletedAt(key('c'), c?.revision ?? 0))
      await one(store, putAt(key('d'), (await store.read(key('d')))?.revision ?? 0, 'changed'))
      await one(store, created(key('bb')))
      await one(store, created(key('a', 'zeta')))
      const after = first.next ?? { namespace: '', name: '' }
      const second = await store.list('sprites', { at: first.revision, after, limit: 2 })
      expect(names(second.records)).toEqual(['acme/c', 'acme/d'])
      expect(second).toMatchObject({ revision: first.revision, remaining: 1 })
      expect(told(second.records[1]).value).toBe('new')
      const third = await store.list('sprites', { at: first.revision, after: { namespace: 'acme', name: 'd' } })
      expect(names(third.records)).toEqual(['acme/e'])
      expect(third.next).toBeUndefined()
    }),
  )
  test(
    'ST4 a list of a revision that left the window, or is yet to come, is Expired',
    withStore(
      async (store) => {
        const old = await store.revision()
        for (const name of ['a', 'b', 'c', 'd']) await one(store, created(key(name)))
        expect(await reasonOf(() => store.list('sprites', { at: old }))).toBe('Expired')
        expect(await reasonOf(() => store.list('sprites', { at: 1_000_000_000 }))).toBe('Expired')
        expect(await reasonOf(() => store.list('sprites', { at: Number.MAX_SAFE_INTEGER }))).toBe('Expired')
      },
      { changesMax: 2, sizeBytesMax: 1_000_000 },
    ),
  )
}

function windows(withStore: WithStore, kind: Revisions): void {
  test(
    'ST5 changes since a revision come in order, a deletion with its own revision and what was before',
    withStore(async (store) => {
      const start = await store.revision()
      const { record } = await one(store, created(key('a'), 1))
      const modified = await one(store, putAt(key('a'), record.revision, 2))
      await one(store, created(key('p', '', 'plans')))
      const deleted = await one(store, deletedAt(key('a'), modified.record.revision))
      const all = await store.changesSince(start)
      expect(all.changes.map((change) => change.type)).toEqual(['Added', 'Modified', 'Added', 'Deleted'])
      expectNewest(all.revision, deleted.record.revision, kind)
      expect(all.changes[1]?.previous?.value).toBe(record.value)
      expect(all.changes[3]?.previous).toEqual(modified.record)
      expect(all.changes[3]?.record.revision).toBeGreaterThan(modified.record.revision)
      expect((await store.changesSince(start, { collection: 'plans' })).changes).toHaveLength(1)
      expect((await store.changesSince(record.revision, { collection: 'sprites' })).changes).toHaveLength(2)
      expect((await store.changesSince(deleted.record.revision)).changes).toEqual([])
    }),
  )
  test(
    'ST5 the window is bounded by count, and what is older is Expired',
    withStore(
      async (store) => {
        const start = await store.revision()
        const revisions: number[] = []
        for (const name of ['a', 'b', 'c', 'd', 'e'])
          revisions.push((await one(store, created(key(name)))).record.revision)
        expect(await reasonOf(() => store.changesSince(start))).toBe('Expired')
        expect(await reasonOf(() => store.changesSince(revisions[0] ?? 0))).toBe('Expired')
        expect((await store.changesSince(revisions[1] ?? 0)).changes).toHaveLength(3)
      },
      { changesMax: 3, sizeBytesMax: 1_000_000 },
    ),
  )
  test(
    'ST5 the window is bounded by size too',
    withStore(
      async (store) => {
        const start = await store.revision()
        const revisions: number[] = []
        for (const name of ['a', 'b', 'c'])
          revisions.push((await one(store, created(key(name), 'x'.repeat(400)))).record.revision)
        expect(await reasonOf(() => store.changesSince(start))).toBe('Expired')
        const kept = (await store.changesSince((revisions[2] ?? 0) - 1)).changes
        expect(kept.map((change) => change.record.name)).toEqual(['c'])
      },
      { changesMax: 1000, sizeBytesMax: 900 },
    ),
  )
}

function subscriptions(withStore: WithStore, kind: Revisions): void {
  test(
    'ST6 a subscriber hears every commit after its call, in order, and never inside commit',
    withStore(async (store) => {
      await one(store, created(key('before')))
      const heard: string[] = []
      let heardTo = 0
      let inCommit = false
      const end = store.subscribe((changes, revision) => {
        expect(inCommit).toBe(false)
        const revisions = changes.map((change) => change.record.revision)
        expect(revisions).toEqual(revisions.toSorted((left, right) => left - right))
        expect(revisions[0] ?? revision).toBeGreaterThanOrEqual(heardTo)
        if (revisions.length > 0) expectNewest(revision, revisions.at(-1) ?? 0, kind)
        heardTo = revision
        heard.push(...changes.map((change) => change.record.name))
      })
      inCommit = true
      const pending = ['a', 'b', 'c'].map((name) => store.commit([created(key(name)), created(key(`${name}2`))]))
      inCommit = false
      await Promise.all(pending)
      await settle()
      expect(kind === 'Counted' ? heard : heard.toSorted()).toEqual(['a', 'a2', 'b', 'b2', 'c', 'c2'])
      end()
      await one(store, created(key('after')))
      await settle()
      expect(heard).toHaveLength(6)
    }),
  )
  test(
    'ST6 subscribe and changesSince together leave no gap',
    withStore(async (store) => {
      const start = await store.revision()
      const writes = ['a', 'b', 'c', 'd'].map((name) => store.commit([created(key(name))]))
      const heard = new Set<number>()
      store.subscribe((changes) => changes.forEach((change) => heard.add(change.record.revision)))
      const { changes } = await store.changesSince(start)
      for (const change of changes) heard.add(change.record.revision)
      await Promise.all(writes)
      await settle()
      expect(heard.size).toBe(4)
    }),
  )
  test(
    'ST6 a listener that throws disturbs neither the others nor the commit',
    withStore(async (store) => {
      const heard: number[] = []
      store.subscribe(() => {
        throw new Error('A bad listener')
      })
      store.subscribe((changes) => heard.push(...changes.map((change) => change.record.revision)))
      const { record } = await one(store, created(key('a')))
      await settle()
      expect(heard).toEqual([record.revision])
    }),
  )
}

function closing(withStore: WithStore): void {
  test(
    'ST7 after close every call throws Closed',
    withStore(async (store) => {
      await store.close()
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.read(key('a')),
        () => store.list('sprites'),
        () => store.commit([created(key('a'))]),
        () => store.changesSince(1),
        () => store.revision(),
        async () => store.subscribe(() => {}),
      ]
      for (const call of calls) expect(await reasonOf(call)).toBe('Closed')
      await store.close()
    }),
  )
}
