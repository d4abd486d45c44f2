/** Tests of an opening that does not succeed: what is refused is said at once, what does not answer is given up in time. */
import { afterEach, expect, test } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { settle, TestClock } from '../../../system/test-clock.ts'
import { CallFailure, CODE, type FirestoreCalls } from './calls.ts'
import { FakeFirestore } from './fake/fake-firestore.ts'
import { openFirestoreStore } from './firestore.ts'

const clocks: TestClock[] = []
afterEach(() => {
  for (const clock of clocks.splice(0)) expect(clock.pendingTimers, 'nothing goes on').toBe(0)
})

/** Opens where listeners meet `listen`; how it ended, and when, s. */
async function opening(listen: FirestoreCalls['listen']): Promise<{ error: unknown; afterS: number }> {
  const clock = new TestClock()
  clocks.push(clock)
  const fake = new FakeFirestore(clock.now())
  const errors: unknown[] = []
  const connect = async (): Promise<FirestoreCalls> => ({ ...fake.connect(), listen })
  const made = { project: 'p', database: '(default)', collections: ['sprites.sprites.highera.com'] }
  const ended = openFirestoreStore({
    ...made,
    clock,
    entropy: seededEntropy(1),
    log: silentLog,
    settings: { connect },
  }).catch((error: unknown) => errors.push(error))
  let passedMs = 0
  for (; errors.length === 0 && passedMs < 120_000; passedMs += 250) {
    await settle()
    await clock.advance(250)
  }
  await ended
  return { error: errors[0], afterS: passedMs / 1_000 }
}

const failing =
  (code: number): FirestoreCalls['listen'] =>
  (_group, options) => {
    queueMicrotask(() => options.onFailure(new CallFailure(code, 'a fault of the test')))
    return () => {}
  }

test.each([
  ['PermissionDenied', 'Denied', 'grant the role of firestore/role.yaml'],
  ['Unauthenticated', 'Denied', 'set GOOGLE_APPLICATION_CREDENTIALS'],
  ['NotFound', 'Unavailable', 'there is no such database'],
] as const)('FDS12 %s at the start is said within 2 s, as %s with what to do', async (code, reason, message) => {
  const { error, afterS } = await opening(failing(CODE[code]))
  expect(error).toMatchObject({ name: 'StoreError', reason, message: expect.stringContaining(message) })
  expect(afterS).toBeLessThanOrEqual(2)
})

test('FDS12 a Firestore that is not there is given up after 30 s, a silent one after 60 s', async () => {
  const failed = await opening(failing(CODE.Unavailable))
  expect(failed.error).toMatchObject({ reason: 'Unavailable' })
  expect(failed.afterS).toBeGreaterThan(29)
  expect(failed.afterS).toBeLessThan(32)
  const silent = await opening(() => () => {})
  expect(silent.error).toMatchObject({ reason: 'Unavailable', message: expect.stringContaining('does not answer') })
  expect(silent.afterS).toBeLessThan(63)
})
