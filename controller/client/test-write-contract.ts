/** The part of the Client's contract suite on writes at once, odd names, aborted calls and instants. */
import { expect, test } from 'vitest'
import { planKind } from '../kinds/plan/schema.ts'
import { userKind } from '../kinds/user/schema.ts'
import { reasonOf, userSpec, type InRoom } from './test-room.ts'

/** Registers the tests of writes that meet. */
export function races(inRoom: InRoom): void {
  test(
    'CL14 of creates of one name at once one succeeds, the others are AlreadyExists',
    inRoom(async ({ addUser }) => {
      const reasons = await Promise.all(Array.from({ length: 8 }, () => reasonOf(() => addUser('ada'))))
      expect(reasons.toSorted()).toEqual([...Array.from({ length: 7 }, () => 'AlreadyExists'), 'none'])
    }),
  )
  test(
    'CL14 of updates of one version at once one succeeds, the others are Conflict; none is lost',
    inRoom(async ({ client, key, addUser }) => {
      const made = await addUser('ada')
      const names = Array.from({ length: 8 }, (_, n) => `Ada ${n}`)
      const write = (displayName: string) =>
        reasonOf(() => client.update(userKind, { ...made, spec: { ...made.spec, displayName } }))
      const reasons = await Promise.all(names.map(write))
      expect(reasons.filter((reason) => reason === 'none')).toHaveLength(1)
      expect(reasons.filter((reason) => reason === 'Conflict')).toHaveLength(7)
      const read = await client.get(userKind, key('ada'))
      expect(read.spec.displayName).toBe(names[reasons.indexOf('none')])
      expect(read.metadata.generation).toBe(2)
    }),
  )
  test(
    'CL7 a delete with a stale resourceVersion is Conflict and deletes nothing, with the present one it deletes',
    inRoom(async ({ client, key, addUser }) => {
      const { metadata } = await addUser('ada')
      const changed = await client.patchMetadata(userKind, key('ada'), { labels: { a: '1' } })
      const at = (resourceVersion: string) => ({ preconditions: { uid: metadata.uid, resourceVersion } })
      expect(await reasonOf(() => client.delete(userKind, key('ada'), at(metadata.resourceVersion)))).toBe('Conflict')
      expect(await client.get(userKind, key('ada'))).toEqual(changed)
      await client.delete(userKind, key('ada'), at(changed.metadata.resourceVersion))
      expect(await reasonOf(() => client.get(userKind, key('ada')))).toBe('NotFound')
    }),
  )
}

/** Registers the tests of what a call must never touch. */
export function bounds(inRoom: InRoom): void {
  test(
    'CL11 a name that names nothing is NotFound, and no call touches more than its object',
    inRoom(async ({ client, key, namespace, addUser }) => {
      await addUser('ada')
      const before = await client.list(userKind, { namespace })
      for (const name of ['', '.', '..', 'ada/status', '%2e', 'a?x=y', 'a#b']) {
        expect(await reasonOf(() => client.get(userKind, key(name)))).toBe('NotFound')
        expect(await reasonOf(() => client.delete(userKind, key(name)))).toBe('NotFound')
        expect(await reasonOf(() => client.patchMetadata(userKind, key(name), { labels: { a: '1' } }))).toBe('NotFound')
      }
      expect(await reasonOf(() => client.delete(planKind, { namespace: '', name: '' }))).toBe('NotFound')
      expect((await client.list(userKind, { namespace })).items).toEqual(before.items)
    }),
  )
  test(
    'CL12 a call whose signal is aborted rejects with its reason; aborted before it began, it writes nothing',
    inRoom(async ({ client, key, namespace, addUser }) => {
      const made = await addUser('ada')
      const why = new Error('Enough')
      const signal = AbortSignal.abort(why)
      const created = { metadata: { name: 'bob', namespace }, spec: userSpec }
      const calls: readonly Promise<unknown>[] = [
        client.get(userKind, key('ada'), signal),
        client.list(userKind, { namespace }, signal),
        client.create(userKind, created, signal),
        client.update(userKind, { ...made, spec: { ...made.spec, role: 'viewer' } }, signal),
        client.patchMetadata(userKind, key('ada'), { labels: { a: '1' } }, {}, signal),
        client.patchStatus(userKind, key('ada'), { observedGeneration: 1 }, {}, signal),
        client.delete(userKind, key('ada'), {}, signal),
      ]
      for (const call of calls) await expect(call).rejects.toBe(why)
      expect((await client.list(userKind, { namespace })).items).toEqual([made])
    }),
  )
  test(
    'CL13 instants are text as stored, in every answer',
    inRoom(async ({ client, key, namespace, addUser }) => {
      const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/
      const made = await addUser('ada', { finalizers: ['example.com/hold'] })
      await client.delete(userKind, key('ada'))
      const read = await client.get(userKind, key('ada'))
      const listed = (await client.list(userKind, { namespace })).items[0]
      expect([made.metadata.creationTimestamp, read.metadata.deletionTimestamp]).toEqual([
        expect.stringMatching(instant),
        expect.stringMatching(instant),
      ])
      expect(listed).toEqual(read)
    }),
  )
}
