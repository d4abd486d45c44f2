/** The watch of the kube client by a clock that stands still: back-off, silence, what it gives up for. */
import { expect, test } from 'vitest'
import { seededEntropy } from '../../system/entropy.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import { watchKube } from './kube-watch.ts'
import type { WireRequest } from './kube-wire.ts'

/** What one connection does: lines, then an end or an error; `hang` stays open until its signal aborts. */
type Script = { readonly lines?: readonly string[]; readonly fails?: Error; readonly hang?: boolean }

const event = (type: string, name: string, resourceVersion: string): string =>
  JSON.stringify({ type, object: { kind: 'User', metadata: { name, resourceVersion } } })
const errorEvent = (code: number, reason: string): string =>
  JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code, reason, message: 'm' } })
const broken = new ApiError('ServiceUnavailable', 'Broken')

function watching(scripts: readonly Script[], resourceVersion = '5') {
  const clock = new TestClock()
  const abort = new AbortController()
  const closing = new AbortController()
  const asked: WireRequest[] = []
  const seen: string[] = []
  const ending = { error: undefined as unknown, isOver: false }
  async function* lines(request: WireRequest, signal: AbortSignal): AsyncGenerator<string> {
    const script = scripts[asked.length] ?? { hang: true }
    asked.push(request)
    yield* script.lines ?? []
    if (script.fails !== undefined) throw script.fails
    if (script.hang !== true) return
    await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(broken), { once: true })
    })
  }
  const options = { wire: { lines, closing: closing.signal }, clock, entropy: seededEntropy(1), path: '/p', query: {} }
  const running = (async () => {
    try {
      for await (const one of watchKube({ ...options, resourceVersion }, abort.signal))
        seen.push(
          one.type === 'BOOKMARK' ? `BOOKMARK ${one.resourceVersion}` : `${one.type} ${one.object.metadata.name}`,
        )
    } catch (error) {
      ending.error = error
    }
    ending.isOver = true
  })()
  const versions = (): unknown[] => asked.map(({ query }) => query?.['resourceVersion'])
  return { clock, abort, closing, asked, seen, ending, running, versions }
}

test('CL17 goes on from the last event or bookmark when a connection ends, breaks or sends half a line', async () => {
  const run = watching([
    { lines: [event('ADDED', 'a', '6'), event('BOOKMARK', '', '9')] },
    { lines: [event('MODIFIED', 'a', '11')], fails: broken },
    { lines: ['{"type":"ADDED","obj'] },
    { lines: [errorEvent(500, 'InternalError')] },
    { lines: [event('OTHER', 'x', '13'), event('DELETED', 'a', '12')], hang: true },
  ])
  await settle()
  await run.clock.advance(5_000)
  expect(run.seen).toEqual(['ADDED a', 'BOOKMARK 9', 'MODIFIED a', 'DELETED a'])
  expect(run.versions()).toEqual(['5', '9', '11', '11', '11'])
  expect(run.asked[0]?.query).toMatchObject({ watch: 'true', allowWatchBookmarks: 'true' })
  run.abort.abort()
  await run.running
  expect(run.ending).toEqual({ error: undefined, isOver: true })
  expect(run.clock.pendingTimers).toBe(0)
})

test('CL17 waits longer after each failure, as long as the server asks, and gives up after six in a row', async () => {
  const run = watching(Array.from({ length: 10 }, () => ({ fails: broken })))
  await run.clock.advance(60_000)
  expect(run.asked).toHaveLength(6)
  expect(hasReason(run.ending.error, 'ServiceUnavailable')).toBe(true)
  expect(run.clock.pendingTimers).toBe(0)
  const told = watching([{ fails: new ApiError('TooManyRequests', 'm', { retryAfterSeconds: 7 }) }])
  await told.clock.advance(6_999)
  expect(told.asked).toHaveLength(1)
  await told.clock.advance(1)
  expect(told.asked).toHaveLength(2)
  told.abort.abort()
  await told.running
})

test('CL17 a server that ends each watch at once is not flooded, and the caller hears of it by an end', async () => {
  const run = watching(Array.from({ length: 10 }, () => ({})))
  await settle()
  expect(run.asked).toHaveLength(1)
  await run.clock.advance(60_000)
  expect([run.asked.length, run.ending.isOver, run.ending.error]).toEqual([6, true, undefined])
})

test('CL17 a stream that is silent for 150 s is opened anew; one with bookmarks is not', async () => {
  const run = watching([{ lines: [event('BOOKMARK', '', '8')], hang: true }, { hang: true }])
  await run.clock.advance(149_999)
  expect(run.asked).toHaveLength(1)
  await run.clock.advance(1_000)
  expect(run.versions()).toEqual(['5', '8'])
  run.abort.abort()
  await run.running
  expect(run.clock.pendingTimers).toBe(0)
})

test.each([
  ['Expired', { lines: [errorEvent(410, 'Expired')] }],
  ['Expired', { lines: [errorEvent(410, 'Gone')] }],
  ['Forbidden', { fails: new ApiError('Forbidden', 'm') }],
  ['BadRequest', { fails: new ApiError('BadRequest', 'm') }],
] as const)('CL9 gives up at once for %s', async (reason, script) => {
  const run = watching([script])
  await run.running
  expect(hasReason(run.ending.error, reason)).toBe(true)
  expect(run.asked).toHaveLength(1)
})

test('CL9 among the current objects there is no version to go on from: the watch ends, until a bookmark', async () => {
  const early = watching([{ lines: [event('ADDED', 'a', '60')] }], '0')
  await early.running
  expect([early.asked.length, early.ending.error]).toEqual([1, undefined])
  const failing = watching([{ lines: [event('ADDED', 'a', '60')], fails: broken }], '')
  await failing.running
  expect(failing.ending.error).toBe(broken)
  const late = watching([{ lines: [event('ADDED', 'a', '60'), event('BOOKMARK', '', '70')] }], '0')
  await settle()
  expect(late.versions()).toEqual(['0', '70'])
  late.abort.abort()
  await late.running
})

test('CL16 closing ends a watch that waits, with no timer left', async () => {
  const run = watching([{ fails: broken }, { fails: broken }])
  await settle()
  run.closing.abort()
  await run.running
  expect(run.ending.error).toBe(broken)
  expect(run.clock.pendingTimers).toBe(0)
})
