/** Tests of one controller's loop: what becomes of a key after each way that a pass can end. */
import { afterEach, expect, test } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog, type Log, type LogFields } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { Loop } from './loop.ts'
import { widgetKind } from './test-kinds.ts'
import { DONE, PRIORITY, TerminalError, type ControllerOptions, type Outcome, type Reconciler } from './types.ts'

const running: { loop: Loop; clock: TestClock }[] = []

afterEach(async () => {
  for (const { loop, clock } of running.splice(0)) {
    const stopped = loop.stop(10)
    await clock.advance(30_000)
    await stopped
    expect(clock.pendingTimers).toBe(0)
  }
})

type Line = { readonly level: string; readonly fields: LogFields; readonly message: string }

function memoryLog(lines: Line[], base: LogFields = {}): Log {
  const write =
    (level: string) =>
    (fields: LogFields, message: string): void => {
      lines.push({ level, fields: { ...base, ...fields }, message })
    }
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (fields) => memoryLog(lines, { ...base, ...fields }),
  }
}

function setUp(reconcile: Reconciler, options: Partial<ControllerOptions> & { log?: Log } = {}) {
  const clock = new TestClock()
  const metrics = createMetrics()
  const { log = silentLog, ...more } = options
  const startedAt: number[] = []
  const counted: Reconciler = (key, signal) => {
    startedAt.push(clock.monotonic())
    return reconcile(key, signal)
  }
  const controller = { name: 'widget', kind: widgetKind, concurrency: 1, resyncMs: 0, timeoutMs: 1_000, ...more }
  const ports = { clock, entropy: seededEntropy(5), log, metrics, weightOf: () => 1 }
  const loop = new Loop({ ...controller, reconcile: counted }, ports)
  running.push({ loop, clock })
  loop.start()
  return { clock, loop, metrics, startedAt, gaps: () => startedAt.slice(1).map((at, n) => at - (startedAt[n] ?? 0)) }
}

const key = { namespace: 'acme', name: 'a' }
const wake = (loop: Loop): void => loop.add(key, PRIORITY.change)
/** Answers in order; the last one again and again. */
const answers = (...outcomes: readonly (Outcome | Error)[]): Reconciler => {
  let n = 0
  return () => {
    const outcome = outcomes[Math.min(n++, outcomes.length - 1)] ?? DONE
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome)
  }
}

test('ER1 a pass is repeated after its requeue delay, and not when it names none', async () => {
  const { clock, loop, startedAt } = setUp(answers({ requeueAfterMs: 5_000, requeueReason: 'Waiting' }, DONE))
  wake(loop)
  await clock.advance(600_000)
  expect(startedAt).toEqual([0, 5_000])
})

test('ER1 a requeue delay of 0 makes no hot loop', async () => {
  const { clock, loop, startedAt } = setUp(answers({ requeueAfterMs: 0 }))
  wake(loop)
  await clock.advance(1_000)
  expect(startedAt.length).toBeLessThanOrEqual(109)
  expect(startedAt.length).toBeGreaterThan(50)
})

test('ER1 a requeue delay that is no number fails for good instead of spinning', async () => {
  const { clock, loop } = setUp(answers({ requeueAfterMs: Number.NaN }))
  wake(loop)
  await clock.advance(60_000)
  expect(loop.stats.results).toEqual({ terminal: 1 })
})

test('ER2 errors back off from 1 s, doubling, with at most half of it jitter, to 5 min', async () => {
  const { clock, loop, gaps } = setUp(answers(new ApiError('InternalError', 'no')))
  wake(loop)
  await clock.advance(3_600_000)
  for (const [n, gap] of gaps().entries()) {
    const fullMs = Math.min(300_000, 1_000 * 2 ** n)
    expect(gap).toBeGreaterThanOrEqual(fullMs / 2)
    expect(gap).toBeLessThanOrEqual(fullMs)
  }
  expect(gaps().length).toBeGreaterThan(15)
})

test('ER2 success forgets the failures', async () => {
  const no = new Error('no')
  const { clock, loop, gaps } = setUp(answers(no, no, no, no, { requeueAfterMs: 50_000 }, no, DONE))
  wake(loop)
  await clock.advance(3_600_000)
  expect(gaps()[4]).toBe(50_000)
  expect(gaps()[5]).toBeLessThanOrEqual(1_000)
})

test.each([
  { name: 'retryAfterMs', error: Object.assign(new Error('no'), { retryAfterMs: 42_000 }), gap: 42_000 },
  { name: 'retryAfterSeconds', error: new ApiError('TooManyRequests', 'no', { retryAfterSeconds: 9 }), gap: 9_000 },
  { name: 'an hour', error: Object.assign(new Error('no'), { retryAfterMs: 3_600_000 }), gap: 300_000 },
])('ER2 a port’s hint is kept within its bound: $name', async ({ error, gap }) => {
  const { clock, loop, gaps } = setUp(answers(error, DONE))
  wake(loop)
  await clock.advance(3_600_000)
  expect(gaps()).toEqual([gap])
})

test('ER3 a conflict is tried again at once and warns nobody', async () => {
  const lines: Line[] = []
  const { clock, loop, gaps } = setUp(answers(new ApiError('Conflict', 'stale'), DONE), { log: memoryLog(lines) })
  wake(loop)
  await clock.advance(60_000)
  expect(gaps().every((gap) => gap <= 20)).toBe(true)
  expect(loop.stats.results).toEqual({ conflict: 1, success: 1 })
  expect(lines.filter(({ level }) => level !== 'debug')).toEqual([])
})

test('ER3 endless conflicts make no hot loop', async () => {
  const { clock, loop, startedAt } = setUp(answers(new ApiError('Conflict', 'stale')))
  wake(loop)
  await clock.advance(60_000)
  expect(startedAt.length).toBeLessThan(40)
})

test('ER4 a terminal error waits for a change', async () => {
  const { clock, loop, startedAt } = setUp(answers(new TerminalError('bad spec')))
  wake(loop)
  await clock.advance(3_600_000)
  expect(startedAt).toHaveLength(1)
  wake(loop)
  await clock.advance(1)
  expect(startedAt).toHaveLength(2)
})

test('ER5 a pass over its time is aborted and tried again', async () => {
  const slow: Reconciler = (_key, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  const { clock, loop, gaps } = setUp(slow)
  wake(loop)
  await clock.advance(5_000)
  expect(loop.stats.results.timeout).toBeGreaterThan(1)
  expect(gaps()[0]).toBeGreaterThanOrEqual(1_500)
})

test('ER5 a pass that ignores its signal keeps its key, but its worker goes on, and the key is free when it ends', async () => {
  const ends: (() => void)[] = []
  const { clock, loop, startedAt } = setUp(
    (one) => (one.name === 'a' ? new Promise((resolve) => ends.push(() => resolve(DONE))) : Promise.resolve(DONE)),
    { timeoutMs: 1_000 },
  )
  wake(loop)
  loop.add({ namespace: 'acme', name: 'b' }, PRIORITY.change)
  await clock.advance(5_999)
  expect(startedAt).toHaveLength(1)
  await clock.advance(1)
  expect(startedAt).toHaveLength(2)
  wake(loop)
  await clock.advance(10_000)
  expect(startedAt).toHaveLength(2)
  ends.shift()?.()
  await settle()
  expect(startedAt).toHaveLength(3)
  ends.shift()?.()
})

test('ER5 a pass that is cut off by stop is no failure and warns nobody', async () => {
  const lines: Line[] = []
  const cutOff: Reconciler = (_key, signal) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  const { clock, loop } = setUp(cutOff, { log: memoryLog(lines) })
  wake(loop)
  await settle()
  const stopped = loop.stop(100)
  await clock.advance(200)
  await stopped
  expect(loop.stats.results).toEqual({ cancelled: 1 })
  expect(lines).toEqual([])
})

test('ER6 a key whose reconciler throws at once does not end its worker', async () => {
  const { clock, loop, startedAt } = setUp((one) => {
    if (one.name === 'a') throw new TypeError('a bug')
    return Promise.resolve(DONE)
  })
  wake(loop)
  loop.add({ namespace: 'acme', name: 'b' }, PRIORITY.change)
  await clock.advance(1)
  expect(startedAt).toHaveLength(2)
  expect(loop.stats.results).toEqual({ error: 1, success: 1 })
})

test('ER6 never two passes on one key, whatever the number of workers', async () => {
  let most = 0
  let now = 0
  const { clock, loop, startedAt } = setUp(
    async (_key, signal) => {
      most = Math.max(most, ++now)
      await clockOf().sleep(50, signal)
      now--
      return DONE
    },
    { concurrency: 8 },
  )
  const clockOf = (): TestClock => clock
  for (let n = 0; n < 40; n++) {
    wake(loop)
    await clock.advance(20)
  }
  await clock.advance(1_000)
  expect(most).toBe(1)
  expect(startedAt.length).toBeGreaterThan(5)
})

test('ER7 passes are counted by controller and result', async () => {
  const { clock, loop, metrics } = setUp(answers(new Error('no'), DONE))
  wake(loop)
  await clock.advance(5_000)
  const text = await metrics.expose()
  expect(text).toContain('sprites_reconcile_total{controller="widget",result="error"} 1')
  expect(text).toContain('sprites_reconcile_total{controller="widget",result="success"} 1')
  expect(text).toContain('sprites_reconcile_retries_total{controller="widget"} 1')
  expect(text).toContain('sprites_reconcile_duration_seconds_count{controller="widget"} 2')
  expect(text).not.toContain('acme')
})

test('ER8 a failed pass logs who, what and why, with an id of its own', async () => {
  const lines: Line[] = []
  const { clock, loop } = setUp(answers(new Error('no route'), DONE), { log: memoryLog(lines) })
  wake(loop)
  await clock.advance(5_000)
  const { fields } = lines.find(({ level }) => level === 'warn') ?? {}
  expect(fields).toMatchObject({
    controller: 'widget',
    kind: 'Widget',
    key: 'acme/a',
    tenant: 'acme',
    error: 'no route',
  })
  expect(fields?.['reconcileId']).toMatch(/^[0-9a-f-]{36}$/)
  expect(new Set(lines.map((line) => line.fields['reconcileId'])).size).toBe(2)
})

test('ER9 a long run of passes that wait for nothing lets the rest of the process in between', async () => {
  const { clock, loop } = setUp(answers(DONE))
  let readMs = 0
  // A clock on which each look takes a millisecond, as if passes computed for long.
  clock.monotonic = () => readMs++
  let turns = 0
  const count = (): void => {
    turns++
    if (!loop.isIdle) setImmediate(count)
  }
  const idle = new Promise<void>((resolve) => loop.onIdle(resolve))
  for (let n = 0; n < 500; n++) loop.add({ namespace: 'acme', name: `k${n}` }, PRIORITY.change)
  setImmediate(count)
  await idle
  expect(loop.stats.reconciles).toBe(500)
  expect(turns).toBeGreaterThan(50)
})
