/** Events go an hour after they were last seen, in bounded batches. */
import { expect, test } from 'vitest'
import { silentLog } from '../../system/log.ts'
import { settle } from '../../system/test-clock.ts'
import { timestamp } from '../../system/timestamp.ts'
import { eventResource } from './core.ts'
import { createEventExpiry, expiredEvents, EVENT_TTL_MS } from './expiry.ts'
import { CONTEXT, testRegistry } from './testing.ts'

test('EX1 an event goes an hour after it was last counted, and a counted one stays', async () => {
  const { registry, clock } = await testRegistry()
  const expiry = createEventExpiry({ registry, clock, log: silentLog })
  expiry.start()
  for (const name of ['once', 'again'])
    await registry.create(eventResource, 'acme', { metadata: { name }, lastTimestamp: timestamp(clock.now()) }, CONTEXT)
  await clock.advance(EVENT_TTL_MS / 2)
  const counted = { type: 'merge' as const, body: { count: 2, lastTimestamp: timestamp(clock.now()) } }
  await registry.patch(eventResource, { namespace: 'acme', name: 'again' }, counted, CONTEXT)
  await clock.advance(EVENT_TTL_MS / 2 + 120_000)
  expect((await registry.list(eventResource)).items.map(({ metadata }) => metadata.name)).toEqual(['again'])
  await clock.advance(EVENT_TTL_MS)
  expect((await registry.list(eventResource)).items).toEqual([])
  await expiry.stop()
  expect(clock.pendingTimers).toBe(0)
})

test('EX2 one round deletes at most 500, the oldest first', async () => {
  const { registry, clock } = await testRegistry()
  for (let n = 0; n < 600; n++) await registry.create(eventResource, 'acme', { metadata: { name: `e${n}` } }, CONTEXT)
  const { items } = await registry.list(eventResource)
  expect(expiredEvents(items, clock.now())).toEqual([])
  expect(expiredEvents(items, clock.now() + EVENT_TTL_MS + 1_000)).toHaveLength(500)
  await clock.advance(EVENT_TTL_MS)
  const expiry = createEventExpiry({ registry, clock, log: silentLog })
  expiry.start()
  await clock.advance(60_000)
  await settle()
  expect((await registry.list(eventResource)).items).toHaveLength(100)
  await clock.advance(60_000)
  expect((await registry.list(eventResource)).items).toHaveLength(0)
  await expiry.stop()
})
