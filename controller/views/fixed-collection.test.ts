/** Fixed collections: pages, selectors and watches of objects that never change. */
import { describe, expect, it } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import type { KubeObject } from '../api/object.ts'
import type { RegistryEvent, RegistryWatchOptions } from '../registry/registry.ts'
import { BOOKMARK_INTERVAL_MS } from '../registry/watch-hub.ts'
import { widgets } from '../registry/testing.ts'
import { fixedCollection, type ReadableView } from './fixed-collection.ts'

const widget = (namespace: string, name: string, color = 'red'): KubeObject => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Widget',
  metadata: {
    name,
    namespace,
    uid: `${namespace}-${name}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels: { color },
  },
  spec: { color },
})
const OBJECTS = [widget('b', 'one'), widget('a', 'two', 'blue'), widget('a', 'one')]
const make = (objects = OBJECTS) => {
  const clock = new TestClock()
  return { clock, view: fixedCollection({ resource: widgets, objects, clock }) }
}
const namesOf = (items: readonly KubeObject[]) => items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
const wordsOf = ({ type, object }: RegistryEvent) => `${type} ${object.metadata.name ?? ''}`.trim()

/** Reads a watch into a list, until it is told to end. */
function read(view: ReadableView, options: RegistryWatchOptions) {
  const end = new AbortController()
  const words: string[] = []
  const events: RegistryEvent[] = []
  const done = (async () => {
    for await (const event of view.watch(options, end.signal)) {
      words.push(wordsOf(event))
      events.push(event)
    }
  })()
  return { words, events, done, end }
}

describe('fixed collection', () => {
  it('VW3 gets by key, lists in order, by namespace, selector and what may be seen', async () => {
    const { view } = make()
    expect((await view.get({ namespace: 'a', name: 'two' })).spec).toEqual({ color: 'blue' })
    await expect(view.get({ namespace: 'b', name: 'two' })).rejects.toMatchObject({ reason: 'NotFound' })
    expect(namesOf((await view.list()).items)).toEqual(['a/one', 'a/two', 'b/one'])
    expect(namesOf((await view.list({ namespace: 'b' })).items)).toEqual(['b/one'])
    expect(namesOf((await view.list({ labelSelector: 'color=red' })).items)).toEqual(['a/one', 'b/one'])
    expect(namesOf((await view.list({ fieldSelector: 'metadata.name=two' })).items)).toEqual(['a/two'])
    expect(namesOf((await view.list({ within: new Set(['b']) })).items)).toEqual(['b/one'])
    await expect(view.list({ labelSelector: 'a b' })).rejects.toMatchObject({ reason: 'BadRequest' })
  })

  it('VW3 pages through with a limit and counts what is left, unless that would tell of the unseen', async () => {
    const { view } = make()
    const first = await view.list({ limit: 2 })
    expect(namesOf(first.items)).toEqual(['a/one', 'a/two'])
    expect(first.remainingItemCount).toBe(1)
    const second = await view.list({ limit: 2, continue: first.continue ?? '' })
    expect(namesOf(second.items)).toEqual(['b/one'])
    expect(second.continue).toBeUndefined()
    const seen = await view.list({ limit: 1, within: new Set(['a', 'b']) })
    expect(seen.continue).toBeDefined()
    expect(seen.remainingItemCount).toBeUndefined()
    await expect(view.list({ continue: 'nonsense' })).rejects.toMatchObject({ reason: 'BadRequest' })
  })

  it('VW4 the revision follows from the objects: another set ends pages and watches of before', async () => {
    const before = await make().view.list({ limit: 1 })
    expect((await make().view.list()).resourceVersion).toBe(before.resourceVersion)
    const { view } = make(OBJECTS.slice(1))
    expect((await view.list()).resourceVersion).not.toBe(before.resourceVersion)
    await expect(view.list({ continue: before.continue ?? '' })).rejects.toMatchObject({ reason: 'Expired' })
    const exact = { resourceVersion: before.resourceVersion, resourceVersionMatch: 'Exact' } as const
    await expect(view.list(exact)).rejects.toMatchObject({ reason: 'Expired' })
    await expect(read(view, { resourceVersion: before.resourceVersion }).done).rejects.toMatchObject({
      reason: 'Expired',
    })
  })

  it('VW4 a watch from nowhere begins with every object, one from the list with none; both end with the signal', async () => {
    const { view, clock } = make()
    const fromStart = read(view, { namespace: 'a' })
    const { resourceVersion } = await view.list()
    const fromList = read(view, { resourceVersion })
    await clock.advance(60_000)
    expect(fromStart.words).toEqual(['ADDED one', 'ADDED two'])
    expect(fromList.words).toEqual([])
    fromStart.end.abort()
    fromList.end.abort()
    await Promise.all([fromStart.done, fromList.done])
    expect(clock.pendingTimers).toBe(0)
  })

  it('VW4 initial events end with their bookmark; bookmarks go on while they are allowed', async () => {
    const { view, clock } = make()
    const watch = read(view, { sendInitialEvents: true, allowBookmarks: true, resourceVersion: '0' })
    await clock.advance(BOOKMARK_INTERVAL_MS * 2)
    expect(watch.words).toEqual(['ADDED one', 'ADDED two', 'ADDED one', 'BOOKMARK', 'BOOKMARK', 'BOOKMARK'])
    expect(watch.events[3]?.object.metadata.annotations).toEqual({ 'k8s.io/initial-events-end': 'true' })
    expect(watch.events[4]?.object.metadata.annotations).toBeUndefined()
    watch.end.abort()
    await watch.done
    expect(clock.pendingTimers).toBe(0)
  })

  it('VW4 a malformed selector is refused at once, and a signal that has aborted gives nothing', async () => {
    const { view } = make()
    expect(() => view.watch({ labelSelector: 'a b' }, new AbortController().signal)).toThrow(/selector/)
    const events: unknown[] = []
    for await (const event of view.watch({}, AbortSignal.abort())) events.push(event)
    expect(events).toEqual([])
  })
})
