/** Tests of the fake client: where it would lie, reconcilers would be tested against a lie. */
import { expect, test } from 'vitest'
import { ApiError, hasReason, type Reason } from '../api/errors.ts'
import type { Key } from '../api/object.ts'
import type { WatchEvent } from '../client/client.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { createFakeClient } from './fake-client.ts'
import { widget, widgetKind, type Widget } from './test-kinds.ts'

const key = (name: string): Key => ({ namespace: 'acme', name })
const created = (name: string, size = 1) => ({ metadata: { name, namespace: 'acme' }, spec: { size } })

function setUp() {
  const clock = new TestClock()
  const client = createFakeClient({ clock })
  const watch = (resourceVersion: string, query: { namespace?: string; labelSelector?: string } = {}) => {
    const events: string[] = []
    const ending = { error: undefined as unknown, isOver: false }
    const abort = new AbortController()
    const note = (event: WatchEvent<Widget>): number =>
      events.push(
        event.type === 'BOOKMARK' ? `BOOKMARK ${event.resourceVersion}` : `${event.type} ${event.object.metadata.name}`,
      )
    void (async () => {
      try {
        for await (const event of client.watch(widgetKind, { ...query, resourceVersion }, abort.signal)) note(event)
      } catch (error) {
        ending.error = error
      }
      ending.isOver = true
    })()
    return { events, ending, abort }
  }
  return { clock, client, watch }
}

const failsWith = async (promise: Promise<unknown>, reason: Reason): Promise<void> => {
  await expect(promise.catch((error: unknown) => hasReason(error, reason))).resolves.toBe(true)
}

test('EF1 CL1 get gives what is there or NotFound', async () => {
  const { client } = setUp()
  await failsWith(client.get(widgetKind, key('a')), 'NotFound')
  const object = await client.create(widgetKind, created('a'))
  expect(await client.get(widgetKind, key('a'))).toBe(object)
})

test('EF1 CL2 create fills what the server sets, and refuses a name that is taken', async () => {
  const { client } = setUp()
  const { metadata, apiVersion, kind } = await client.create(widgetKind, created('a'))
  expect(metadata).toMatchObject({ generation: 1, creationTimestamp: '2026-01-15T12:00:00Z', resourceVersion: '2' })
  expect([apiVersion, kind]).toEqual([widgetKind.apiVersion, 'Widget'])
  await failsWith(client.create(widgetKind, created('a')), 'AlreadyExists')
  const named = await client.create(widgetKind, {
    metadata: { generateName: 'w-', namespace: 'acme' },
    spec: { size: 1 },
  })
  const other = await client.create(widgetKind, {
    metadata: { generateName: 'w-', namespace: 'acme' },
    spec: { size: 1 },
  })
  expect(named.metadata.name).toMatch(/^w-\w{5}$/)
  expect(new Set([named, other].map((one) => one.metadata.uid)).size).toBe(2)
})

test('EF1 CL3 update replaces spec and metadata, ignores status, refuses a stale version', async () => {
  const { client } = setUp()
  const first = await client.create(widgetKind, created('a'))
  const withStatus = await client.patchStatus(widgetKind, key('a'), { size: 1 })
  await failsWith(client.update(widgetKind, { ...first, spec: { size: 2 } }), 'Conflict')
  const second = await client.update(widgetKind, {
    ...withStatus,
    metadata: { ...withStatus.metadata, labels: { a: '1' }, generation: 99 },
    spec: { size: 2 },
    status: { size: 77 },
  })
  expect(second).toMatchObject({
    spec: { size: 2 },
    status: { size: 1 },
    metadata: { generation: 2, labels: { a: '1' } },
  })
})

test('EF1 CL4 patchStatus merges, null removes, and only a version that is named can be stale', async () => {
  const { client } = setUp()
  const first = await client.create(widgetKind, created('a'))
  await client.patchStatus(widgetKind, key('a'), { size: 1, note: 'x' })
  expect((await client.patchStatus(widgetKind, key('a'), { note: null })).status).toEqual({ size: 1 })
  const { resourceVersion } = first.metadata
  await failsWith(client.patchStatus(widgetKind, key('a'), { size: 2 }, { resourceVersion }), 'Conflict')
})

test('EF1 CL5 a write that changes nothing moves nothing and is no commit', async () => {
  const { client } = setUp()
  const first = await client.create(widgetKind, created('a'))
  await client.patchStatus(widgetKind, key('a'), { size: 1 })
  client.resetCalls()
  const same = await client.patchStatus(widgetKind, key('a'), { size: 1, note: undefined })
  await client.patchMetadata(widgetKind, key('a'), { labels: { gone: null } })
  await client.update(widgetKind, { ...same, spec: { size: 1 } })
  expect(client.commits).toBe(0)
  expect(client.peek(widgetKind, key('a'))?.metadata.generation).toBe(first.metadata.generation)
})

test('EF1 CL6 CL7 finalizers hold a deletion, which moves generation once, and let it go', async () => {
  const { client, watch } = setUp()
  await client.create(widgetKind, created('a'))
  await client.patchMetadata(widgetKind, key('a'), { finalizers: ['x/hold'] })
  const { events } = watch('3')
  await client.delete(widgetKind, key('a'))
  await client.delete(widgetKind, key('a'))
  expect(client.peek(widgetKind, key('a'))?.metadata).toMatchObject({
    generation: 2,
    deletionTimestamp: '2026-01-15T12:00:00Z',
  })
  await failsWith(client.patchMetadata(widgetKind, key('a'), { finalizers: ['x/hold', 'x/new'] }), 'Invalid')
  await client.patchMetadata(widgetKind, key('a'), { finalizers: [] })
  await failsWith(client.get(widgetKind, key('a')), 'NotFound')
  await settle()
  expect(events).toEqual(['MODIFIED a', 'DELETED a'])
  await failsWith(client.delete(widgetKind, key('a')), 'NotFound')
})

test('EF1 delete keeps its preconditions', async () => {
  const { client } = setUp()
  await client.create(widgetKind, created('a'))
  await failsWith(client.delete(widgetKind, key('a'), { preconditions: { uid: 'other' } }), 'Conflict')
  await client.delete(widgetKind, key('a'))
})

test('EF1 CL8 list selects by namespace, labels and fields, and never says version 0', async () => {
  const { client } = setUp()
  expect((await client.list(widgetKind)).resourceVersion).toBe('1')
  client.seed(widget('a'), widget('b', { namespace: 'zeta' }))
  await client.patchMetadata(widgetKind, key('a'), { labels: { tier: 'one' } })
  const names = async (query: object): Promise<string[]> =>
    (await client.list(widgetKind, query)).items.map((object) => object.metadata.name)
  expect(await names({})).toEqual(['a', 'b'])
  expect(await names({ namespace: 'zeta' })).toEqual(['b'])
  expect(await names({ labelSelector: 'tier in (one,two)' })).toEqual(['a'])
  expect(await names({ labelSelector: '!tier' })).toEqual(['b'])
  expect(await names({ fieldSelector: 'metadata.name=b' })).toEqual(['b'])
  await failsWith(client.list(widgetKind, { fieldSelector: 'spec.size=1' }), 'BadRequest')
})

test('EF1 CL9 a watch yields what comes after its version, in order, and ends with its signal', async () => {
  const { client, watch } = setUp()
  await client.create(widgetKind, created('a'))
  const first = watch('1', { namespace: 'acme' })
  await client.create(widgetKind, created('b'))
  client.seed(widget('c', { namespace: 'zeta' }))
  await settle()
  client.bookmark()
  await settle()
  expect(first.events).toEqual(['ADDED a', 'ADDED b', 'BOOKMARK 4'])
  first.abort.abort()
  await settle()
  expect([first.ending.isOver, first.ending.error, client.openWatches]).toEqual([true, undefined, 0])
})

test('EF1 CL9 what enters a selection is ADDED, what leaves it DELETED', async () => {
  const { client, watch } = setUp()
  const { events } = watch('1', { labelSelector: 'tier=gold' })
  await client.create(widgetKind, created('a'))
  await client.patchMetadata(widgetKind, key('a'), { labels: { tier: 'gold' } })
  await client.patchStatus(widgetKind, key('a'), { size: 1 })
  await client.patchMetadata(widgetKind, key('a'), { labels: { tier: null } })
  await client.delete(widgetKind, key('a'))
  await settle()
  expect(events).toEqual(['ADDED a', 'MODIFIED a', 'DELETED a'])
})

test('EF1 CL9 a watch from before what is kept ends Expired, at its start and when it is too slow', async () => {
  const { client, watch } = setUp()
  const slow = watch('1')
  await settle()
  client.muteWatches(true)
  await client.create(widgetKind, created('a'))
  client.compact()
  const late = watch('1')
  await client.create(widgetKind, created('b'))
  const later = watch('1')
  const current = watch('2')
  client.muteWatches(false)
  await settle()
  for (const { ending } of [slow, late, later]) expect(hasReason(ending.error, 'Expired')).toBe(true)
  expect(current.events).toEqual(['ADDED b'])
})

test('EF1 CL10 what is returned is frozen, and what was sent is not kept', async () => {
  const { client } = setUp()
  const sent = { metadata: { name: 'a', namespace: 'acme' }, spec: { size: 1 } }
  const object = await client.create(widgetKind, sent)
  sent.spec.size = 2
  expect(client.peek(widgetKind, key('a'))?.spec.size).toBe(1)
  expect(Object.isFrozen(object.spec)).toBe(true)
})

test('EF2 a fault strikes once, for its verb and kind, before the write or after it', async () => {
  const { client } = setUp()
  client.failNext('create', new ApiError('Timeout', 'lost'), { kind: 'Gadget' })
  await client.create(widgetKind, created('a'))
  client.failNext('create', new ApiError('Timeout', 'lost'))
  client.failNext('create', new ApiError('Timeout', 'lost'), { isApplied: true })
  await failsWith(client.create(widgetKind, created('b')), 'Timeout')
  expect(client.peek(widgetKind, key('b'))).toBeUndefined()
  await failsWith(client.create(widgetKind, created('b')), 'Timeout')
  expect(client.peek(widgetKind, key('b'))).toBeDefined()
  await client.create(widgetKind, created('c'))
})

test('EF2 another writer can come between', async () => {
  const { client } = setUp()
  const first = await client.create(widgetKind, created('a'))
  client.beforeNext('update', async () => {
    await client.patchStatus(widgetKind, key('a'), { size: 5 })
  })
  await failsWith(client.update(widgetKind, { ...first, spec: { size: 2 } }), 'Conflict')
})

test('EF3 calls are recorded in order, seeds are none', async () => {
  const { client } = setUp()
  client.seed(widget('a', { status: { size: 1 } }))
  await client.get(widgetKind, key('a'))
  await client.patchStatus(widgetKind, key('a'), { size: 2 })
  expect(client.calls).toEqual([
    { verb: 'get', kind: 'Widget', key: 'acme/a' },
    { verb: 'patchStatus', kind: 'Widget', key: 'acme/a', body: { size: 2 } },
  ])
  expect([client.commits, client.count('get', 'patchStatus')]).toEqual([1, 2])
})
