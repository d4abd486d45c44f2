/** Tests of how long a commit tries on. */
import { expect, test } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { CallFailure, CODE, type FirestoreCalls } from './calls.ts'
import { FakeFirestore } from './fake/fake-firestore.ts'
import { openFirestoreStore } from './firestore.ts'

test('FDS3 a Firestore that answers nothing is tried for half a minute, not for minutes: Unavailable', async () => {
  const clock = new TestClock()
  const fake = new FakeFirestore(clock.now())
  let isSilent = false
  const silent = async (timeoutMs: number): Promise<never> => {
    await clock.sleep(timeoutMs)
    throw new CallFailure(CODE.DeadlineExceeded, 'no answer')
  }
  const connect = async (): Promise<FirestoreCalls> => {
    const calls = fake.connect()
    return {
      ...calls,
      commit: (writes, timeoutMs) => (isSilent ? silent(timeoutMs) : calls.commit(writes, timeoutMs)),
      get: (paths, timeoutMs) => (isSilent ? silent(timeoutMs) : calls.get(paths, timeoutMs)),
    }
  }
  const store = await openFirestoreStore({
    project: 'p',
    database: '(default)',
    collections: ['sprites'],
    clock,
    entropy: seededEntropy(1),
    log: silentLog,
    settings: { connect },
  })
  isSilent = true
  const startedMs = clock.monotonic()
  const key = { collection: 'sprites', namespace: 'acme', name: 'a' }
  const metadata = { name: 'a', namespace: 'acme', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }
  const value = (): string =>
    JSON.stringify({ apiVersion: 'sprites.highera.com/v1alpha1', kind: 'Sprite', metadata, spec: {} })
  const failed = store.commit([{ type: 'Put', key, value, expectedRevision: 0 }]).catch((error: unknown) => error)
  const endedMs: number[] = []
  void failed.then(() => endedMs.push(clock.monotonic()))
  for (let turn = 0; turn < 200 && endedMs.length === 0; turn++) await clock.advance(1_000)
  expect(await failed).toMatchObject({ reason: 'Unavailable' })
  expect((endedMs[0] ?? Infinity) - startedMs).toBeLessThanOrEqual(45_000)
  await store.close()
})
