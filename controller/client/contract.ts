/** The contract suite of the Client port: registers tests CL1…CL15, which every adapter runs, a real cluster's too. */
import { describe, expect, test } from 'vitest'
import { planKind } from '../kinds/plan/schema.ts'
import { reviewKind } from '../kinds/review/schema.ts'
import { userKind } from '../kinds/user/schema.ts'
import { reasonOf, roomsOf, userSpec, type InRoom, type MakeClient } from './test-room.ts'
import { watches } from './test-watch-contract.ts'
import { bounds, races } from './test-write-contract.ts'

/** Registers the contract for one adapter. */
export function clientContract(name: string, makeClient: MakeClient): void {
  const inRoom = roomsOf(makeClient)
  describe(`Client contract: ${name}`, () => {
    reads(inRoom)
    creates(inRoom)
    updates(inRoom)
    versions(inRoom)
    statuses(inRoom)
    deletes(inRoom)
    races(inRoom)
    watches(inRoom)
    identities(inRoom)
    bounds(inRoom)
  })
}

function reads(inRoom: InRoom): void {
  test(
    'CL1 get gives the object, or throws NotFound',
    inRoom(async ({ client, key, addUser }) => {
      const made = await addUser('ada')
      expect(await client.get(userKind, key('ada'))).toEqual(made)
      expect(await reasonOf(() => client.get(userKind, key('none')))).toBe('NotFound')
      expect(await reasonOf(() => client.get(reviewKind, key('ada')))).toBe('NotFound')
    }),
  )
  test(
    'CL8 list returns everything as one list, and selectors select',
    inRoom(async ({ client, key, addUser }) => {
      const { namespace } = key('')
      const names = Array.from({ length: 12 }, (_, n) => `u${String(n).padStart(2, '0')}`)
      for (const [n, name] of names.entries()) await addUser(name, { labels: { parity: n % 2 === 0 ? 'even' : 'odd' } })
      const all = await client.list(userKind, { namespace })
      expect(all.items.map(({ metadata }) => metadata.name)).toEqual(names)
      expect(all.resourceVersion).toMatch(/^[1-9]\d*$/)
      const odd = await client.list(userKind, { namespace, labelSelector: 'parity in (odd),!gone' })
      expect(odd.items).toHaveLength(6)
      const one = await client.list(userKind, { namespace, fieldSelector: 'metadata.name=u03' })
      expect(one.items.map(({ metadata }) => metadata.name)).toEqual(['u03'])
      expect(await reasonOf(() => client.list(userKind, { namespace, fieldSelector: 'spec.email=x' }))).toBe(
        'BadRequest',
      )
      expect(await reasonOf(() => client.list(userKind, { namespace, labelSelector: 'a=(' }))).toBe('BadRequest')
      expect((await client.list(reviewKind, { namespace })).items).toEqual([])
    }),
  )
}

function creates(inRoom: InRoom): void {
  test(
    'CL2 create fills what the server owns and the defaults',
    inRoom(async ({ client, key }) => {
      const { namespace } = key('')
      const made = await client.create(userKind, {
        metadata: { generateName: 'ada-', namespace },
        spec: { email: 'ada@example.com' } as never,
      })
      expect(made.metadata).toMatchObject({ namespace, generation: 1 })
      expect(made.metadata.name).toMatch(/^ada-[a-z0-9]{5}$/)
      expect(made.metadata.uid).not.toBe('')
      expect(Date.parse(made.metadata.creationTimestamp)).not.toBeNaN()
      expect(made.metadata.resourceVersion).toMatch(/^[1-9]\d*$/)
      expect(made.spec.role).toBe('member')
      expect(made.status).toEqual({ observedGeneration: -1 })
    }),
  )
  test(
    'CL2 create throws AlreadyExists and Invalid',
    inRoom(async ({ client, key, addUser }) => {
      await addUser('ada')
      expect(await reasonOf(() => addUser('ada'))).toBe('AlreadyExists')
      const bad = { metadata: key('bad'), spec: { ...userSpec, role: 'king' as never } }
      expect(await reasonOf(() => client.create(userKind, bad))).toBe('Invalid')
      expect(await reasonOf(() => client.get(userKind, key('bad')))).toBe('NotFound')
    }),
  )
}

function updates(inRoom: InRoom): void {
  test(
    'CL3 update replaces spec and metadata and ignores status',
    inRoom(async ({ client, key, addUser }) => {
      const made = await addUser('ada', { labels: { a: '1' } })
      const changed = await client.update(userKind, {
        ...made,
        metadata: { ...made.metadata, labels: { b: '2' } },
        spec: { ...made.spec, displayName: 'Ada' },
        status: { observedGeneration: 7 },
      })
      expect(changed.metadata.labels).toEqual({ b: '2' })
      expect(changed.spec.displayName).toBe('Ada')
      expect(changed.status).toEqual({ observedGeneration: -1 })
      expect(changed.metadata.uid).toBe(made.metadata.uid)
      expect(await client.get(userKind, key('ada'))).toEqual(changed)
    }),
  )
  test(
    'CL3 update throws Conflict when resourceVersion is stale, NotFound, Invalid',
    inRoom(async ({ client, key, addUser, addReview }) => {
      const made = await addUser('ada')
      await client.update(userKind, { ...made, spec: { ...made.spec, role: 'admin' } })
      const again = { ...made, spec: { ...made.spec, role: 'viewer' as const } }
      expect(await reasonOf(() => client.update(userKind, again))).toBe('Conflict')
      const missing = { ...made, metadata: { ...made.metadata, name: 'none' } }
      expect(await reasonOf(() => client.update(userKind, missing))).toBe('NotFound')
      const review = await addReview('r')
      const moved = { ...review, spec: { ...review.spec, work: 'another' } }
      expect(await reasonOf(() => client.update(reviewKind, moved))).toBe('Invalid')
      expect((await client.get(userKind, key('ada'))).spec.role).toBe('admin')
    }),
  )
}

function versions(inRoom: InRoom): void {
  test(
    'CL5 a write that changes nothing does not move resourceVersion',
    inRoom(async ({ client, key, addUser }) => {
      await addUser('ada', { labels: { a: '1' } })
      // On a cluster the first write after the create stores the defaults of status: it is not yet a no-op.
      const made = await client.patchStatus(userKind, key('ada'), { observedGeneration: 1 })
      const results = [
        await client.update(userKind, made),
        await client.patchMetadata(userKind, key('ada'), { labels: { a: '1', none: null } }),
        await client.patchStatus(userKind, key('ada'), { observedGeneration: 1 }),
        await client.get(userKind, key('ada')),
      ]
      for (const result of results) expect(result.metadata.resourceVersion).toBe(made.metadata.resourceVersion)
    }),
  )
  test(
    'CL6 generation moves on changes outside metadata and status, and on nothing else',
    inRoom(async ({ client, key, addUser }) => {
      const made = await addUser('ada')
      const labelled = await client.patchMetadata(userKind, key('ada'), { labels: { a: '1' } })
      expect(labelled.metadata.generation).toBe(1)
      const told = await client.patchStatus(userKind, key('ada'), { observedGeneration: 1 })
      expect(told.metadata.generation).toBe(1)
      const changed = await client.update(userKind, { ...told, spec: { ...told.spec, role: 'viewer' } })
      expect(changed.metadata.generation).toBe(2)
      expect(Number(changed.metadata.resourceVersion)).toBeGreaterThan(Number(made.metadata.resourceVersion))
    }),
  )
  test(
    'CL3 patchMetadata merges labels and annotations, replaces finalizers, and compares resourceVersion when given',
    inRoom(async ({ client, key, addUser }) => {
      const made = await addUser('ada', { labels: { a: '1', b: '2' } })
      const patched = await client.patchMetadata(
        userKind,
        key('ada'),
        { labels: { a: null, c: '3' }, annotations: { note: 'x' } },
        { resourceVersion: made.metadata.resourceVersion },
      )
      expect(patched.metadata).toMatchObject({ labels: { b: '2', c: '3' }, annotations: { note: 'x' } })
      const { resourceVersion } = made.metadata
      const stale = (): Promise<unknown> =>
        client.patchMetadata(userKind, key('ada'), { labels: { d: '4' } }, { resourceVersion })
      expect(await reasonOf(stale)).toBe('Conflict')
      expect(await reasonOf(() => client.patchMetadata(userKind, key('none'), { labels: { a: '1' } }))).toBe('NotFound')
    }),
  )
}

function statuses(inRoom: InRoom): void {
  test(
    'CL4 patchStatus merges into status only; null removes',
    inRoom(async ({ client, key, addReview }) => {
      const made = await addReview('r')
      await client.patchStatus(reviewKind, key('r'), { phase: 'Open', comment: 'soon' })
      const told = await client.patchStatus(reviewKind, key('r'), { comment: null, by: 'ada' })
      expect(told.status).toEqual({ observedGeneration: -1, phase: 'Open', by: 'ada' })
      expect(told.spec).toEqual(made.spec)
    }),
  )
  test(
    'CL4 patchStatus with a stale resourceVersion throws Conflict, without one it applies',
    inRoom(async ({ client, key, addReview }) => {
      const made = await addReview('r')
      await client.patchStatus(reviewKind, key('r'), { phase: 'Open' })
      const { resourceVersion } = made.metadata
      const stale = (): Promise<unknown> =>
        client.patchStatus(reviewKind, key('r'), { phase: 'Closed' }, { resourceVersion })
      expect(await reasonOf(stale)).toBe('Conflict')
      const told = await client.patchStatus(reviewKind, key('r'), { phase: 'Answered' })
      expect(told.status?.phase).toBe('Answered')
      expect(await reasonOf(() => client.patchStatus(reviewKind, key('r'), { phase: 'Lost' }))).toBe('Invalid')
      expect(await reasonOf(() => client.patchStatus(reviewKind, key('none'), { phase: 'Open' }))).toBe('NotFound')
    }),
  )
  test(
    'CL4 patches of one object at once all apply',
    inRoom(async ({ client, key, addReview }) => {
      await addReview('r')
      const labels = Array.from({ length: 20 }, (_, n) => `l${n}`)
      await Promise.all([
        ...labels.map((label) => client.patchMetadata(reviewKind, key('r'), { labels: { [label]: 'x' } })),
        client.patchStatus(reviewKind, key('r'), { phase: 'Open' }),
      ])
      const read = await client.get(reviewKind, key('r'))
      expect(Object.keys(read.metadata.labels ?? {}).sort()).toEqual(labels.sort())
      expect(read.status?.phase).toBe('Open')
    }),
  )
}

function deletes(inRoom: InRoom): void {
  test(
    'CL7 delete without finalizers removes at once; preconditions are held',
    inRoom(async ({ client, key, addUser }) => {
      await addUser('ada')
      const other = { preconditions: { uid: '00000000-0000-4000-8000-000000000000' } }
      expect(await reasonOf(() => client.delete(userKind, key('ada'), other))).toBe('Conflict')
      await client.delete(userKind, key('ada'))
      expect(await reasonOf(() => client.get(userKind, key('ada')))).toBe('NotFound')
      expect(await reasonOf(() => client.delete(userKind, key('ada')))).toBe('NotFound')
    }),
  )
  test(
    'CL7 delete with finalizers marks, takes no new one, and the last one that is removed lets the object go',
    inRoom(async ({ client, key, addUser }) => {
      await addUser('ada', { finalizers: ['example.com/a', 'example.com/b'] })
      await client.delete(userKind, key('ada'))
      const marked = await client.get(userKind, key('ada'))
      expect(marked.metadata.deletionTimestamp).toBeDefined()
      expect(marked.metadata.generation).toBe(2)
      await client.delete(userKind, key('ada'))
      expect((await client.get(userKind, key('ada'))).metadata.resourceVersion).toBe(marked.metadata.resourceVersion)
      const add = (): Promise<unknown> =>
        client.patchMetadata(userKind, key('ada'), { finalizers: ['example.com/a', 'example.com/c'] })
      expect(await reasonOf(add)).toBe('Invalid')
      await client.patchMetadata(userKind, key('ada'), { finalizers: ['example.com/b'] })
      expect((await client.get(userKind, key('ada'))).metadata.finalizers).toEqual(['example.com/b'])
      await client.patchMetadata(userKind, key('ada'), { finalizers: [] })
      expect(await reasonOf(() => client.get(userKind, key('ada')))).toBe('NotFound')
    }),
  )
  test(
    'CL7 an object of the same name made anew is another one',
    inRoom(async ({ client, key, addUser }) => {
      const first = await addUser('ada')
      await client.delete(userKind, key('ada'))
      const second = await addUser('ada')
      expect(second.metadata.uid).not.toBe(first.metadata.uid)
      expect(second.metadata.generation).toBe(1)
    }),
  )
}

function identities(inRoom: InRoom): void {
  test(
    'CL1 cluster-scoped kinds have keys without a namespace',
    inRoom(async ({ client }) => {
      const key = { namespace: '', name: 'contract-none' }
      expect(await reasonOf(() => client.get(planKind, key))).toBe('NotFound')
    }),
  )
  test(
    'CL10 what a client returned is not changed by later writes',
    inRoom(async ({ client, key, addUser }) => {
      const made = await addUser('ada')
      const copy = structuredClone(made)
      await client.patchMetadata(userKind, key('ada'), { labels: { a: '1' } })
      await client.patchStatus(userKind, key('ada'), { observedGeneration: 1 })
      expect(made).toEqual(copy)
    }),
  )
}
