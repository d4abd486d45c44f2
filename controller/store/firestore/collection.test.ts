/** One collection's listener: however it is made anew and closed, there is one stream at most, and none at the end. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { seededEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { DEFAULT_WINDOW } from '../window.ts'
import { CODE } from './calls.ts'
import { DEFAULT_TIMINGS, ListenedCollection } from './collection.ts'
import { Connections } from './connections.ts'
import { FakeFirestore } from './fake/fake-firestore.ts'
import { CollectionMirror } from './mirror.ts'

/** How long a new connection takes: long enough that another reason to begin anew comes meanwhile. */
const CONNECT_MS = 1_000
/** A connection that is younger is kept. */
const OLD_MS = 5_000

function collectionOf() {
  const clock = new TestClock()
  const fake = new FakeFirestore(clock.now())
  const connect = async () => {
    await clock.sleep(CONNECT_MS)
    return fake.connect()
  }
  const connections = new Connections(fake.connect(), { connect, clock, log: silentLog })
  const collection = new ListenedCollection(
    new CollectionMirror({ collection: 'sprites', group: 'sprites' }, DEFAULT_WINDOW),
    {
      connections,
      clock,
      entropy: seededEntropy(3),
      log: silentLog,
      timings: DEFAULT_TIMINGS,
      onApplied: () => {},
      onCall: () => {},
      onListening: () => {},
    },
  )
  return { clock, fake, connections, collection }
}

describe('streams', () => {
  test('FDS11 two reasons to begin anew at once leave one stream', async () => {
    const { clock, fake, connections, collection } = collectionOf()
    collection.start()
    await clock.advance(OLD_MS)
    expect(fake.openListens).toBe(1)
    collection.rebuild('one')
    // It waits for its connection by now.
    await clock.advance(CONNECT_MS / 2)
    collection.rebuild('other')
    await clock.advance(3 * CONNECT_MS)
    expect(fake.openListens).toBe(1)
    collection.close()
    expect(fake.openListens).toBe(0)
    await connections.close()
    expect(clock.pendingTimers).toBe(0)
  })

  test.each(Array.from({ length: 8 }, (_, turns) => turns))(
    'FDS11 closed %i turns after its start it has no stream, then or later',
    async (turns) => {
      const { clock, fake, connections, collection } = collectionOf()
      collection.start()
      for (let turn = 0; turn < turns; turn++) await nextTurn()
      collection.close()
      await clock.advance(60_000)
      expect(fake.openListens).toBe(0)
      await connections.close()
      expect(clock.pendingTimers).toBe(0)
    },
  )

  test('FDS11 closed while it begins anew, after a failure or in silence, it has no stream', async () => {
    for (const [step, waitMs] of [0, 50, 200, 700, 1_500].entries()) {
      const { clock, fake, connections, collection } = collectionOf()
      collection.start()
      await clock.advance(OLD_MS)
      if (step % 2 === 0) fake.failListeners(CODE.Unavailable)
      else fake.isSilent = true
      collection.rebuild('the test')
      await clock.advance(waitMs)
      collection.close()
      await clock.advance(60_000)
      expect(fake.openListens).toBe(0)
      await connections.close()
      expect(clock.pendingTimers).toBe(0)
    }
  })
})
