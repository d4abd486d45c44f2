/** Tests of what operators are told of silent listeners. */
import { expect, test } from 'vitest'
import { createMetrics } from '../../../system/metrics.ts'
import { seededEntropy } from '../../../system/entropy.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { keepingLog } from '../../../system/test-log.ts'
import { FakeFirestore } from './fake/fake-firestore.ts'
import { openFirestoreStore } from './firestore.ts'

test('FDS8 LF6 a Firestore that falls silent is told of once for all collections, and once when it is back', async () => {
  const clock = new TestClock()
  const fake = new FakeFirestore(clock.now())
  const { log, lines } = keepingLog()
  const metrics = createMetrics()
  const store = await openFirestoreStore({
    project: 'p',
    database: '(default)',
    collections: ['sprites', 'plans', 'tenants'],
    clock,
    entropy: seededEntropy(1),
    log,
    metrics,
    settings: { connect: async () => fake.connect() },
  })
  const deaf = async (): Promise<number> => Number(/^firestore_listeners_deaf (\d+)/m.exec(await metrics.expose())?.[1])
  expect(await deaf()).toBe(0)
  fake.isSilent = true
  await clock.advance(120_000)
  expect(await deaf()).toBe(3)
  fake.isSilent = false
  await clock.advance(120_000)
  expect(await deaf()).toBe(0)
  expect(lines).toEqual([
    'warn: Firestore does not tell of changes, listening anew: look at its status and at the network',
    'info: Firestore tells of all changes again',
  ])
  await store.close()
  expect(clock.pendingTimers).toBe(0)
})
