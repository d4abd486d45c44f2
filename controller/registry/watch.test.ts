/** Lists and watches: pages, revisions, selectors, bookmarks, gaps, slow readers. */
import { describe, expect, test } from 'vitest'
import { settle } from '../../system/test-clock.ts'
import { resourceName } from '../api/define-kind.ts'
import { createMemoryStore } from '../store/memory.ts'
import type { Store } from '../store/store.ts'
import { namespaceResource } from './core.ts'
import type { RegistryEvent, RegistryListOptions, RegistryWatchOptions } from './registry.ts'
import { CONTEXT, testRegistry, widgetBody, widgets, type TestRegistry } from './testing.ts'

const merge = (body: unknown) => ({ type: 'merge' as const, body })
const add = ({ registry }: TestRegistry, name: string, spec: object = {}, metadata: object = {}) =>
  registry.create(widgets, 'acme', widgetBody(name, spec, metadata), CONTEXT)
const say = ({ type, object }: RegistryEvent): string =>
  `${type} ${object.metadata.name ?? object.metadata.resourceVersion}`

/** A watch that collects what it gets. */
function watching({ registry }: TestRegistry, options: RegistryWatchOptions) {
  const controller = new AbortController()
  const events: RegistryEvent[] = []
  const ended = (async (): Promise<unknown> => {
    try {
      for await (const event of registry.watch(widgets, options, controller.signal)) events.push(event)
      return 'ended'
    } catch (error) {
      return error
    }
  })()
  return { events, ended, stop: () => controller.abort(), said: () => events.map(say) }
}

describe('list', () => {
  const refused: readonly [string, RegistryListOptions, string][] = [
    ['a malformed continue token', { continue: 'nonsense' }, 'BadRequest'],
    ['a token of another shape', { continue: Buffer.from('{"rv":-1}').toString('base64url') }, 'BadRequest'],
    ['a resourceVersion that is no integer', { resourceVersion: 'x' }, 'BadRequest'],
    ['a resourceVersion with a leading zero', { resourceVersion: '07' }, 'BadRequest'],
    ['a revision that is yet to come', { resourceVersion: '999999' }, 'Timeout'],
    ['resourceVersionMatch without resourceVersion', { resourceVersionMatch: 'Exact' }, 'Invalid'],
    ['Exact with 0', { resourceVersionMatch: 'Exact', resourceVersion: '0' }, 'Invalid'],
    ['a field that is not selectable', { fieldSelector: 'spec.size=1' }, 'BadRequest'],
    ['a malformed label selector', { labelSelector: 'a in b' }, 'BadRequest'],
  ]
  test.each(refused)('RG20 refuses %s', async (_title, options, reason) => {
    const { registry } = await testRegistry()
    await expect(registry.list(widgets, options)).rejects.toMatchObject({ reason })
  })

  test('RG21 pages are one snapshot; the token carries revision and key; remainingItemCount counts', async () => {
    const room = await testRegistry()
    for (const name of ['a', 'b', 'c', 'd', 'e']) await add(room, name)
    const { registry } = room
    const first = await registry.list(widgets, { limit: 2 })
    expect(first).toMatchObject({ remainingItemCount: 3 })
    await registry.delete(widgets, { namespace: 'acme', name: 'c' }, {}, CONTEXT)
    await add(room, 'cc')
    const token = first.continue ?? ''
    const second = await registry.list(widgets, { limit: 2, continue: token })
    expect(second.items.map(({ metadata }) => metadata.name)).toEqual(['c', 'd'])
    expect(second.resourceVersion).toBe(first.resourceVersion)
    const last = await registry.list(widgets, { limit: 2, continue: second.continue ?? '' })
    expect(last.items.map(({ metadata }) => metadata.name)).toEqual(['e'])
    expect(last.continue).toBeUndefined()
    await expect(registry.list(widgets, { continue: token, resourceVersion: '3' })).rejects.toMatchObject({
      reason: 'BadRequest',
    })
  })

  test('RG21 a token whose snapshot left the window is Expired', async () => {
    const room = await testRegistry({ window: { changesMax: 4, sizeBytesMax: 1_000_000 } })
    for (const name of ['a', 'b', 'c']) await add(room, name)
    const { continue: token = '' } = await room.registry.list(widgets, { limit: 1 })
    for (const name of ['d', 'e', 'f', 'g', 'h']) await add(room, name)
    await expect(room.registry.list(widgets, { continue: token })).rejects.toMatchObject({
      reason: 'Expired',
      code: 410,
    })
  })

  test('RG22 pages through selectors hold `limit` selected objects and no count', async () => {
    const room = await testRegistry()
    for (let n = 0; n < 30; n++)
      await add(room, `w${String(n).padStart(2, '0')}`, { color: n % 3 === 0 ? 'blue' : 'red' })
    const seen: string[] = []
    let token: string | undefined
    do {
      const page = await room.registry.list(widgets, {
        limit: 4,
        fieldSelector: 'spec.color=blue',
        ...(token === undefined ? {} : { continue: token }),
      })
      expect(page.items.length).toBeLessThanOrEqual(4)
      expect(page.remainingItemCount).toBeUndefined()
      seen.push(...page.items.map(({ metadata }) => metadata.name))
      token = page.continue
    } while (token !== undefined)
    expect(seen).toEqual(['w00', 'w03', 'w06', 'w09', 'w12', 'w15', 'w18', 'w21', 'w24', 'w27'])
  })

  test('RG23 Exact lists the past, NotOlderThan the present', async () => {
    const room = await testRegistry()
    const { metadata } = await add(room, 'a')
    await add(room, 'b')
    const resourceVersion = metadata.resourceVersion
    const names = async (options: RegistryListOptions): Promise<number> =>
      (await room.registry.list(widgets, options)).items.length
    expect(await names({ resourceVersion, resourceVersionMatch: 'Exact' })).toBe(1)
    expect(await names({ resourceVersion, resourceVersionMatch: 'NotOlderThan' })).toBe(2)
    expect(await names({ resourceVersion: '0', resourceVersionMatch: 'NotOlderThan' })).toBe(2)
    expect(await names({ resourceVersion })).toBe(2)
    expect(await names({ resourceVersion, limit: 10 })).toBe(1)
  })
})

describe('watch', () => {
  test('RG24 from a list’s revision it yields every later change, in order, without a gap', async () => {
    const room = await testRegistry()
    const { resourceVersion } = await room.registry.list(widgets)
    const early = add(room, 'a')
    const watch = watching(room, { resourceVersion })
    await Promise.all([early, add(room, 'b'), add(room, 'c')])
    await room.registry.delete(widgets, { namespace: 'acme', name: 'b' }, {}, CONTEXT)
    await settle()
    expect(watch.said()).toEqual(['ADDED a', 'ADDED b', 'ADDED c', 'DELETED b'])
    const versions = watch.events.map(({ object }) => Number(object.metadata.resourceVersion))
    expect(versions).toEqual(versions.toSorted((left, right) => left - right))
    watch.stop()
    expect(await watch.ended).toBe('ended')
  })

  test.each(['', '0', undefined])('RG24 from %j it begins with the current objects', async (resourceVersion) => {
    const room = await testRegistry()
    await add(room, 'a')
    const watch = watching(room, resourceVersion === undefined ? {} : { resourceVersion })
    await settle()
    await add(room, 'b')
    await settle()
    expect(watch.said()).toEqual(['ADDED a', 'ADDED b'])
    watch.stop()
  })

  test('RG25 sendInitialEvents ends the initial objects with an annotated bookmark', async () => {
    const room = await testRegistry()
    await add(room, 'a')
    const watch = watching(room, { sendInitialEvents: true, allowBookmarks: true, labelSelector: '!x' })
    await settle()
    expect(watch.events[1]).toEqual({
      type: 'BOOKMARK',
      object: {
        apiVersion: 'sprites.highera.com/v1alpha1',
        kind: 'Widget',
        metadata: {
          resourceVersion: String(await room.store.revision()),
          annotations: { 'k8s.io/initial-events-end': 'true' },
        },
      },
    })
    watch.stop()
  })

  test('RG26 who leaves the selector is DELETED as it was, at the revision of the change', async () => {
    const room = await testRegistry()
    const watch = watching(room, { labelSelector: 'tier=gold', namespace: 'acme' })
    await add(room, 'a', {}, { labels: { tier: 'gold' } })
    const body = merge({ metadata: { labels: { tier: 'tin' } } })
    const left = await room.registry.patch(widgets, { namespace: 'acme', name: 'a' }, body, CONTEXT)
    await settle()
    expect(watch.said()).toEqual(['ADDED a', 'DELETED a'])
    expect(watch.events[1]?.object.metadata).toMatchObject({
      labels: { tier: 'gold' },
      resourceVersion: left.metadata.resourceVersion,
    })
    watch.stop()
  })

  test('RG27 of a store that tells of each collection apart, a bookmark says how far its own one is known', async () => {
    const inner = createMemoryStore()
    let tell: Parameters<Store['subscribe']>[0] = () => {}
    const subscribe: Store['subscribe'] = (listener) => {
      tell = listener
      return () => {}
    }
    const room = await testRegistry({ store: { ...inner, subscribe } })
    const start = await room.store.revision()
    const watch = watching(room, { resourceVersion: String(start), allowBookmarks: true })
    await settle()
    tell([], start + 7, resourceName(widgets))
    tell([], start + 1000, 'namespaces')
    await room.clock.advance(5_000)
    expect(watch.said()).toEqual([`BOOKMARK ${start + 7}`])
    watch.stop()
  })

  test('RG27 bookmarks come every 5 s where they are asked for, never behind what was seen, and leave no timer', async () => {
    const room = await testRegistry()
    const quiet = watching(room, { resourceVersion: '1' })
    const watch = watching(room, { resourceVersion: String(await room.store.revision()), allowBookmarks: true })
    await settle()
    await room.clock.advance(5_000)
    expect(watch.said()).toEqual([`BOOKMARK ${await room.store.revision()}`])
    await room.registry.create(namespaceResource, '', { metadata: { name: 'other' } }, CONTEXT)
    await settle()
    await room.clock.advance(5_000)
    expect(watch.said().at(-1)).toBe(`BOOKMARK ${await room.store.revision()}`)
    expect(quiet.events).toEqual([])
    watch.stop()
    quiet.stop()
    await settle()
    expect(room.clock.pendingTimers).toBe(0)
  })

  test('RG28 a revision that left the window, or was never reached, is Expired; a malformed one BadRequest at once', async () => {
    const room = await testRegistry({ window: { changesMax: 2, sizeBytesMax: 1_000_000 } })
    for (const name of ['a', 'b', 'c']) await add(room, name)
    for (const resourceVersion of ['1', '123456'])
      expect(await watching(room, { resourceVersion }).ended).toMatchObject({ reason: 'Expired' })
    const { signal } = new AbortController()
    expect(() => room.registry.watch(widgets, { resourceVersion: 'x' }, signal)).toThrow(
      expect.objectContaining({ reason: 'BadRequest' }),
    )
    expect(() => room.registry.watch(widgets, { labelSelector: 'a=(' }, signal)).toThrow(
      expect.objectContaining({ reason: 'BadRequest' }),
    )
  })

  test.each([
    ['events', { watchBufferMax: 3 }],
    ['bytes', { watchBufferBytesMax: 1_200 }],
  ])(
    'RG29 SV26 a reader that lags by too many %s gets Expired, and the others are not disturbed',
    async (_of, bounds) => {
      const room = await testRegistry(bounds)
      const lagging = room.registry.watch(widgets, { resourceVersion: '0' }, new AbortController().signal)
      const slow = lagging[Symbol.asyncIterator]()
      await add(room, 'a')
      expect((await slow.next()).value).toMatchObject({ type: 'ADDED' })
      const quick = watching(room, { resourceVersion: '0' })
      for (const name of ['b', 'c', 'd', 'e', 'f']) {
        await add(room, name)
        await settle()
      }
      await expect(slow.next()).rejects.toMatchObject({ reason: 'Expired' })
      expect(quick.events).toHaveLength(6)
      quick.stop()
    },
  )

  test('RG30 watchers of one change share one event, and another namespace’s change reaches nobody', async () => {
    const room = await testRegistry()
    await room.registry.create(namespaceResource, '', { metadata: { name: 'other' } }, CONTEXT)
    const watches = [{}, { namespace: 'acme' }, { namespace: 'acme', labelSelector: '!x' }].map((o) =>
      watching(room, o),
    )
    const elsewhere = watching(room, { namespace: 'other' })
    await settle()
    await add(room, 'a')
    await settle()
    const events = watches.map((watch) => watch.events[0])
    expect(new Set(events).size).toBe(1)
    expect(elsewhere.events).toEqual([])
    for (const watch of [...watches, elsewhere]) watch.stop()
  })
})
