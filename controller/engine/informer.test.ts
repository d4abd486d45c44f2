/** Tests of the informer over the fake client: nothing is lost, nothing goes back, nobody is disturbed. */
import { afterEach, expect, test } from 'vitest'
import { ApiError } from '../api/errors.ts'
import type { Key, KubeObject } from '../api/object.ts'
import type { Reader } from '../client/client.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog, type Log } from '../../system/log.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { createFakeClient } from './fake-client.ts'
import { Informer } from './informer.ts'
import { widget, widgetKind, type Widget } from './test-kinds.ts'

const running: { informer: Informer; clock: TestClock }[] = []

afterEach(async () => {
  for (const { informer, clock } of running.splice(0)) {
    await informer.stop()
    expect(clock.pendingTimers).toBe(0)
  }
})

function setUp(options: { relistMs?: number; log?: Log } = {}) {
  const clock = new TestClock()
  const client = createFakeClient({ clock })
  const informer = new Informer({
    kind: widgetKind,
    client,
    clock,
    entropy: seededEntropy(3),
    log: silentLog,
    relistMs: 0,
    ...options,
  })
  running.push({ informer, clock })
  const told: string[] = []
  informer.onChange((object, previous, { type, isInitial }) =>
    told.push(
      `${type} ${object.metadata.name}${previous ? ` after ${previous.metadata.resourceVersion}` : ''}${isInitial ? ' at first' : ''}`,
    ),
  )
  const sizes = (): unknown[] => informer.list().map((object) => (object as Widget).spec.size)
  const resize = async (name: string, size: number): Promise<Widget> => {
    const object = await client.get(widgetKind, key(name))
    return client.update(widgetKind, { ...object, spec: { size } })
  }
  return { clock, client, informer, told, sizes, resize }
}

const key = (name: string): Key => ({ namespace: 'acme', name })
const added = (name: string) => ({ metadata: { name, namespace: 'acme' }, spec: { size: 1 } })

test('EI1 the first list fills the cache, by namespace too, and tells of each object as initial', async () => {
  const { client, informer, told } = setUp()
  client.seed(widget('a'), widget('b', { namespace: 'zeta' }))
  expect(informer.hasSynced).toBe(false)
  informer.start()
  await informer.whenSynced()
  expect(informer.hasSynced).toBe(true)
  expect(informer.get(key('a'))).toBe(client.peek(widgetKind, key('a')))
  expect(informer.list('zeta').map((object) => object.metadata.name)).toEqual(['b'])
  expect(informer.list('none')).toEqual([])
  expect(told).toEqual(['ADDED a at first', 'ADDED b at first'])
})

test('EI2 each change reaches cache and handlers once, with the object before it', async () => {
  const { client, informer, told, sizes, resize } = setUp()
  informer.start()
  await settle()
  await client.create(widgetKind, added('a'))
  await resize('a', 2)
  await client.patchStatus(widgetKind, key('a'), { size: 2 })
  await settle()
  expect(sizes()).toEqual([2])
  await client.delete(widgetKind, key('a'))
  await settle()
  expect(told).toEqual(['ADDED a', 'MODIFIED a after 2', 'MODIFIED a after 3', 'DELETED a after 4'])
  expect(informer.list()).toEqual([])
  expect(informer.list('acme')).toEqual([])
})

test('EI3 a watch that ends goes on from the last version seen, without a list', async () => {
  const { clock, client, informer, sizes, told } = setUp()
  informer.start()
  await settle()
  await client.create(widgetKind, added('a'))
  await settle()
  client.endWatches()
  await client.create(widgetKind, added('b'))
  await clock.advance(500)
  expect(sizes()).toEqual([1, 1])
  expect(told).toEqual(['ADDED a', 'ADDED b'])
  expect([client.count('list'), client.count('watch')]).toEqual([1, 2])
})

test('EI3 a bookmark moves the place from which a watch goes on', async () => {
  const { clock, client, informer } = setUp()
  informer.start()
  await settle()
  client.seed({ ...widget('other'), kind: 'Other' })
  client.bookmark()
  await settle()
  client.compact()
  client.endWatches()
  await clock.advance(1_000)
  expect([client.count('list'), client.count('watch')]).toEqual([1, 2])
})

test('EI4 a watch that has expired is followed by a list, and what is missing there is deleted', async () => {
  const { clock, client, informer, told, resize } = setUp()
  client.seed(widget('a'), widget('b'))
  informer.start()
  await settle()
  client.muteWatches(true)
  await client.delete(widgetKind, key('a'))
  await resize('b', 5)
  await client.create(widgetKind, added('c'))
  client.compact()
  told.length = 0
  client.endWatches(new ApiError('Expired', 'too old'))
  await clock.advance(1_000)
  expect(told).toEqual(['MODIFIED b after 3', 'ADDED c', 'DELETED a after 2'])
  client.muteWatches(false)
  await client.create(widgetKind, added('d'))
  await settle()
  expect(informer.size).toBe(3)
})

test('EI5 failures are tried again with growing waits, and the cache stays readable', async () => {
  const { clock, client, informer, sizes } = setUp()
  client.seed(widget('a'))
  client.failNext('list', new ApiError('ServiceUnavailable', 'down'), { times: 4 })
  informer.start()
  await clock.advance(100)
  expect([client.count('list'), informer.hasSynced]).toEqual([1, false])
  await clock.advance(10_000)
  expect([client.count('list'), informer.hasSynced]).toEqual([5, true])
  client.failNext('watch', new ApiError('ServiceUnavailable', 'down'), { times: 3 })
  client.endWatches(new Error('connection reset'))
  await clock.advance(20)
  expect(sizes()).toEqual([1])
  await clock.advance(20_000)
  await client.create(widgetKind, added('b'))
  await settle()
  expect(sizes()).toEqual([1, 1])
  expect(client.count('list')).toBe(5)
})

test('EI5 a server that ends every watch at once is asked a bounded number of times', async () => {
  const { clock, client, informer } = setUp()
  client.failNext('watch', new Error('closed'), { times: 1_000 })
  informer.start()
  await clock.advance(120_000)
  expect(client.count('watch')).toBeLessThan(25)
})

test('EI5 a server that ends every watch soon and without an error is not flooded either', async () => {
  const clock = new TestClock()
  let watches = 0
  const client: Pick<Reader, 'list' | 'watch'> = {
    list: () => Promise.resolve({ items: [], resourceVersion: '1' }),
    async *watch(_kind, _query, signal) {
      watches++
      await clock.sleep(10, signal)
      yield* []
    },
  }
  const entropy = seededEntropy(3)
  const informer = new Informer({ kind: widgetKind, client, clock, entropy, log: silentLog, relistMs: 0 })
  running.push({ informer, clock })
  informer.start()
  await clock.advance(120_000)
  expect(watches).toBeLessThan(25)
  expect(watches).toBeGreaterThan(5)
})

test('EI7 before the first list nothing is known to be alive', async () => {
  const { client, informer, told } = setUp()
  const [late] = client.seed(widget('a'))
  client.vanish(widgetKind, key('a'))
  if (late !== undefined) informer.observe(late)
  informer.start()
  await settle()
  expect([informer.size, told.length]).toEqual([0, 0])
})

test('EI6 EI8 observe takes an own write in at once, and its repetition by the watch tells nobody', async () => {
  const { client, informer, told, sizes, resize } = setUp()
  client.seed(widget('a'))
  informer.start()
  await settle()
  client.muteWatches(true)
  const second = await resize('a', 2)
  const third = await resize('a', 3)
  informer.observe(third)
  informer.observe(second)
  expect(sizes()).toEqual([3])
  client.muteWatches(false)
  await settle()
  expect(sizes()).toEqual([3])
  expect(told).toEqual(['ADDED a at first', 'MODIFIED a after 2'])
})

test('EI6 versions are compared as integers, not as text', async () => {
  const { client, informer, resize, sizes } = setUp()
  client.seed(widget('a'))
  informer.start()
  await settle()
  client.muteWatches(true)
  let last = await resize('a', 2)
  while (Number(last.metadata.resourceVersion) < 9) last = await resize('a', last.spec.size + 1)
  informer.observe(last)
  informer.observe(await resize('a', 100))
  informer.observe(last)
  expect(sizes()).toEqual([100])
})

test('EI7 an object that is gone is not brought back by a late observe', async () => {
  const { client, informer, resize } = setUp()
  client.seed(widget('a'))
  informer.start()
  await settle()
  const late = await resize('a', 2)
  await client.delete(widgetKind, key('a'))
  await settle()
  informer.observe(late)
  expect(informer.size).toBe(0)
  await client.create(widgetKind, added('a'))
  await settle()
  expect(informer.get(key('a'))?.metadata.uid).not.toBe(late.metadata.uid)
  informer.observe(late)
  expect(informer.get(key('a'))?.metadata.uid).not.toBe(late.metadata.uid)
})

test('EI7 the late deletion of an object does not take its namesake away', async () => {
  const { client, informer, told } = setUp()
  client.seed(widget('a'))
  informer.start()
  await settle()
  client.muteWatches(true)
  await client.delete(widgetKind, key('a'))
  informer.observe(await client.create(widgetKind, added('a')))
  client.muteWatches(false)
  await settle()
  expect(informer.get(key('a'))).toBe(client.peek(widgetKind, key('a')))
  expect(told).toEqual(['ADDED a at first', 'MODIFIED a after 2'])
})

test('EI9 a handler that throws disturbs nobody', async () => {
  const { client, informer, told } = setUp()
  const later: string[] = []
  informer.onChange(() => {
    throw new Error('a bug')
  })
  informer.onChange((object: KubeObject) => later.push(object.metadata.name))
  client.seed(widget('a'))
  informer.start()
  await settle()
  await client.create(widgetKind, added('b'))
  await settle()
  expect(later).toEqual(['a', 'b'])
  expect(told).toHaveLength(2)
})

test('L2 EI10 what a silent watch has missed is found within the relist interval', async () => {
  const { clock, client, informer, sizes } = setUp({ relistMs: 300_000 })
  client.seed(widget('a'))
  informer.start()
  await settle()
  client.muteWatches(true)
  await client.create(widgetKind, added('b'))
  await client.delete(widgetKind, key('a'))
  await clock.advance(260_000)
  expect(informer.get(key('a'))).toBeDefined()
  await clock.advance(40_000)
  expect(informer.list().map((object) => object.metadata.name)).toEqual(['b'])
  expect(sizes()).toEqual([1])
  expect(client.openWatches).toBe(1)
})

test.each([
  { before: 10, warnings: 1 },
  { before: 9, warnings: 0 },
])('EI11 an empty list after $before objects is taken with $warnings warnings', async ({ before, warnings }) => {
  const warned: string[] = []
  const log: Log = { ...silentLog, warn: (_fields, message) => warned.push(message), child: () => log }
  const { clock, client, informer } = setUp({ relistMs: 1_000, log })
  for (let n = 0; n < before; n++) client.seed(widget(`w${n}`))
  informer.start()
  await settle()
  client.muteWatches(true)
  for (let n = 0; n < before; n++) client.vanish(widgetKind, key(`w${n}`))
  await clock.advance(1_000)
  expect(informer.size).toBe(0)
  expect(warned.filter((message) => message.includes('empty'))).toHaveLength(warnings)
})

test('EI12 stop ends the watch; a change afterwards reaches nobody', async () => {
  const { client, informer, told } = setUp()
  informer.start()
  await settle()
  await informer.stop()
  expect(client.openWatches).toBe(0)
  await client.create(widgetKind, added('a'))
  await settle()
  expect(told).toEqual([])
})
