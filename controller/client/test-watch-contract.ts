/** The part of the Client's contract suite on watches: order, selectors, what is lost and what is not. */
import { expect, test, vi } from 'vitest'
import { hasReason } from '../api/errors.ts'
import { userKind, type User } from '../kinds/user/schema.ts'
import type { ListQuery, WatchEvent } from './client.ts'
import { reasonOf, type InRoom, type Room } from './test-room.ts'

/** How long a test waits for a watch, in events. */
const EVENTS_MAX = 1_000

/** Reads a watch until `isEnough` says so; bookmarks are left out. */
async function readWatch(
  events: AsyncIterable<WatchEvent<User>>,
  isEnough: (seen: readonly string[]) => boolean,
): Promise<readonly string[]> {
  const seen: string[] = []
  let count = 0
  for await (const event of events) {
    count += 1
    if (event.type !== 'BOOKMARK') seen.push(`${event.type} ${event.object.metadata.name}`)
    if (isEnough(seen) || count >= EVENTS_MAX) break
  }
  return seen
}

/** How often a reader opens its watch anew. */
const REOPENINGS_MAX = 50

type Change = Exclude<WatchEvent<User>, { type: 'BOOKMARK' }>

/** Reads `count` changes as a reconciler does: where a watch ends without an error, it goes on from the last version. */
async function readOn(
  { client, namespace }: Room,
  from: { readonly resourceVersion: string } & ListQuery,
  count: number,
  seen: Change[] = [],
): Promise<readonly Change[]> {
  let { resourceVersion } = from
  for (let opened = 0; opened < REOPENINGS_MAX && seen.length < count; opened += 1) {
    const ending = new AbortController()
    for await (const event of client.watch(userKind, { namespace, ...from, resourceVersion }, ending.signal)) {
      resourceVersion = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
      if (event.type !== 'BOOKMARK') seen.push(event)
      if (seen.length === count) break
    }
    ending.abort()
  }
  return seen
}

const namesOf = (events: readonly { readonly type: string; readonly object: User }[]): string[] =>
  events.map(({ type, object }) => `${type} ${object.metadata.name}`)

/** Registers the tests of watches. */
export function watches(inRoom: InRoom): void {
  ordered(inRoom)
  selected(inRoom)
  resumed(inRoom)
  ended(inRoom)
}

function ordered(inRoom: InRoom): void {
  test(
    'CL9 a watch yields every change after its resourceVersion in order, those before it opened too',
    inRoom(async ({ client, key, namespace, addUser }) => {
      await addUser('before')
      const { resourceVersion } = await client.list(userKind, { namespace })
      await addUser('a')
      const controller = new AbortController()
      const events = client.watch(userKind, { namespace, resourceVersion }, controller.signal)
      const reading = readWatch(events, (seen) => seen.length === 4)
      await client.patchMetadata(userKind, key('a'), { labels: { x: 'y' } })
      await addUser('b')
      await client.delete(userKind, key('a'))
      expect(await reading).toEqual(['ADDED a', 'MODIFIED a', 'ADDED b', 'DELETED a'])
      controller.abort()
    }),
  )
  test(
    'CL15 versions of events rise, a deletion has its own, and events carry what the writes gave',
    inRoom(async (room) => {
      const { client, key, namespace, addUser } = room
      const { resourceVersion } = await client.list(userKind, { namespace })
      const made = await addUser('a', { finalizers: ['example.com/hold'] })
      const changed = await client.patchMetadata(userKind, key('a'), { labels: { x: 'y' } })
      await client.delete(userKind, key('a'))
      const marked = await client.get(userKind, key('a'))
      await client.patchMetadata(userKind, key('a'), { finalizers: [] })
      const events = await readOn(room, { resourceVersion }, 4)
      expect(namesOf(events)).toEqual(['ADDED a', 'MODIFIED a', 'MODIFIED a', 'DELETED a'])
      expect(events.slice(0, 3).map(({ object }) => object)).toEqual([made, changed, marked])
      const versions = [resourceVersion, ...events.map(({ object }) => object.metadata.resourceVersion)].map(Number)
      expect([...new Set(versions)].sort((one, other) => one - other)).toEqual(versions)
      expect(events[3]?.object.metadata.uid).toBe(made.metadata.uid)
    }),
  )
  test(
    'CL15 what a list holds and what a watch from its version tells are every object once, while others write',
    inRoom(async (room) => {
      const { client, namespace, addUser } = room
      const names = Array.from({ length: 40 }, (_, n) => `u${String(n).padStart(2, '0')}`)
      const writing = (async () => {
        for (const name of names) await addUser(name)
      })()
      for (let round = 0; round < 4; round += 1) {
        const { items, resourceVersion } = await client.list(userKind, { namespace })
        for (const { metadata } of items)
          expect(Number(metadata.resourceVersion)).toBeLessThanOrEqual(Number(resourceVersion))
        const listed = items.map(({ metadata }) => metadata.name)
        const told = await readOn(room, { resourceVersion }, names.length - listed.length)
        expect([...listed, ...told.map(({ object }) => object.metadata.name)]).toEqual(names)
        expect(told.every(({ type }) => type === 'ADDED')).toBe(true)
      }
      await writing
    }),
  )
}

function selected(inRoom: InRoom): void {
  test(
    'CL9 what enters a selector comes as ADDED, what leaves it as DELETED',
    inRoom(async (room) => {
      const { client, key, namespace, addUser } = room
      const { resourceVersion } = await client.list(userKind, { namespace })
      const reading = readOn(room, { resourceVersion, labelSelector: 'tier=gold' }, 3)
      await addUser('plain')
      await addUser('ada')
      await client.patchMetadata(userKind, key('ada'), { labels: { tier: 'gold' } })
      await client.patchMetadata(userKind, key('ada'), { labels: { more: 'x' } })
      const left = await client.patchMetadata(userKind, key('ada'), { labels: { tier: 'tin' } })
      const events = await reading
      expect(namesOf(events)).toEqual(['ADDED ada', 'MODIFIED ada', 'DELETED ada'])
      // Who goes on from here does not see that change again.
      expect(events[2]?.object.metadata.resourceVersion).toBe(left.metadata.resourceVersion)
    }),
  )
  test(
    'CL9 a field selector selects as a label selector does, and only its namespace is told',
    inRoom(async (room) => {
      const { client, namespace, addUser } = room
      const { resourceVersion } = await client.list(userKind, { namespace })
      const reading = readOn(room, { resourceVersion, fieldSelector: 'spec.role=admin' }, 3)
      await addUser('plain')
      const ada = await addUser('ada', {}, { role: 'admin' })
      const lesser = await client.update(userKind, { ...ada, spec: { ...ada.spec, role: 'viewer' } })
      await client.update(userKind, { ...lesser, spec: { ...lesser.spec, role: 'admin' } })
      expect(namesOf(await reading)).toEqual(['ADDED ada', 'DELETED ada', 'ADDED ada'])
      const wrong = client.watch(userKind, { namespace, resourceVersion, fieldSelector: 'spec.email=x' }, never())
      expect(await reasonOf(() => readWatch(wrong, () => true))).toBe('BadRequest')
    }),
  )
}

const never = (): AbortSignal => new AbortController().signal

function resumed(inRoom: InRoom): void {
  test(
    'CL15 a watch that goes on after broken connections tells each change once, in order',
    inRoom(async (room) => {
      const { client, key, namespace, addUser, interrupt } = room
      const { resourceVersion } = await client.list(userKind, { namespace })
      const seen: Change[] = []
      const reading = readOn(room, { resourceVersion }, 15, seen)
      for (let round = 0; round < 5; round += 1) {
        await addUser(`u${round}`)
        // What was seen before the break must not come again after it.
        await vi.waitFor(() => expect(seen).toHaveLength(3 * round + 1), { timeout: 10_000, interval: 5 })
        await interrupt()
        // A read is tried again; a write whose connection broke may have been done, and is the caller's to repeat.
        await client.list(userKind, { namespace })
        await client.patchMetadata(userKind, key(`u${round}`), { labels: { round: String(round) } })
        await client.delete(userKind, key(`u${round}`))
      }
      const expected = [0, 1, 2, 3, 4].flatMap((round) =>
        ['ADDED', 'MODIFIED', 'DELETED'].map((type) => `${type} u${round}`),
      )
      expect(namesOf(await reading)).toEqual(expected)
    }),
  )
  test(
    'CL9 a watch from a version that is too old ends with Expired; a list and its version go on',
    inRoom(async (room) => {
      const { client, namespace, addUser, forget } = room
      if (forget === undefined) return
      const { resourceVersion } = await client.list(userKind, { namespace })
      await forget()
      const old = client.watch(userKind, { namespace, resourceVersion }, never())
      await expect(readWatch(old, () => true)).rejects.toSatisfy((error: unknown) => hasReason(error, 'Expired'))
      const anew = await client.list(userKind, { namespace })
      await addUser('after')
      expect(namesOf(await readOn(room, anew, 1))).toEqual(['ADDED after'])
    }),
  )
}

function ended(inRoom: InRoom): void {
  test(
    'CL9 a watch ends without an error when its signal is aborted',
    inRoom(async ({ client, namespace, addUser }) => {
      const { resourceVersion } = await client.list(userKind, { namespace })
      const controller = new AbortController()
      const reading = readWatch(client.watch(userKind, { namespace, resourceVersion }, controller.signal), (seen) => {
        if (seen.length === 1) controller.abort()
        return false
      })
      await addUser('a')
      await addUser('b')
      expect((await reading).length).toBeGreaterThanOrEqual(1)
    }),
  )
  test(
    'CL9 a watch whose signal was aborted before, or while nothing comes, ends',
    inRoom(async ({ client, namespace }) => {
      const { resourceVersion } = await client.list(userKind, { namespace })
      const query = { namespace, resourceVersion }
      expect(await readWatch(client.watch(userKind, query, AbortSignal.abort()), () => false)).toEqual([])
      const controller = new AbortController()
      const waiting = readWatch(client.watch(userKind, query, controller.signal), () => false)
      await client.list(userKind, { namespace })
      controller.abort()
      expect(await waiting).toEqual([])
    }),
  )
}
