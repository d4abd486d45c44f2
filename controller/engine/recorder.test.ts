/** Tests of the recorder: what reaches the sink, how often, and that nothing comes back to the caller. */
import { expect, test } from 'vitest'
import { ApiError } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { silentLog } from '../../system/log.ts'
import { createMetrics } from '../../system/metrics.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { EVENTS_WAITING_MAX } from './event-writer.ts'
import {
  createRecorder,
  EVENT_BURST,
  EVENT_REFILL_MS,
  type EventBody,
  type EventPatch,
  type EventSink,
} from './recorder.ts'

const objectNamed = (name: string, namespace?: string): KubeObject => ({
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Sprite',
  metadata: {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    uid: `uid-${name}`,
    resourceVersion: '7',
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {},
})

const sprite = objectNamed('copy', 'acme')

/** A sink that keeps what it is sent; `fail` is asked before each write. */
function setUp(
  fail: (verb: 'create' | 'patch') => { error: Error; isApplied?: boolean } | undefined = () => undefined,
) {
  const clock = new TestClock()
  const metrics = createMetrics()
  const stored = new Map<string, EventBody>()
  const writes: string[] = []
  const held: (() => void)[] = []
  let isHolding = false
  const write = async (verb: 'create' | 'patch', apply: () => void): Promise<void> => {
    writes.push(verb)
    if (isHolding) await new Promise<void>((resolve) => held.push(resolve))
    const fault = fail(verb)
    if (fault === undefined || fault.isApplied) apply()
    if (fault !== undefined) throw fault.error
  }
  const sink: EventSink = {
    create: (namespace, event) =>
      write('create', () => {
        const id = `${namespace}/${event.metadata.name}`
        if (stored.has(id)) throw new ApiError('AlreadyExists', 'there')
        stored.set(id, event)
      }),
    patch: (namespace, name, patch: EventPatch) =>
      write('patch', () => {
        const event = stored.get(`${namespace}/${name}`)
        if (event === undefined) throw new ApiError('NotFound', 'gone')
        stored.set(`${namespace}/${name}`, { ...event, ...patch })
      }),
  }
  const recorder = createRecorder({ sink, clock, entropy: seededEntropy(9), log: silentLog, metrics, instance: 'one' })
  return {
    clock,
    metrics,
    recorder,
    stored,
    writes,
    events: () => [...stored.values()],
    hold: () => {
      isHolding = true
    },
    letGo: async () => {
      isHolding = false
      for (const go of held.splice(0)) go()
      await settle()
    },
  }
}

test('EE1 an event says of whom, what, when and by whom', async () => {
  const { recorder, events } = setUp()
  recorder.event(sprite, 'Warning', 'OutOfMemory', 'Give it more')
  await settle()
  const [event] = events()
  expect(event).toEqual({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: expect.stringMatching(/^copy\.[0-9a-f]{16}$/) as string, namespace: 'acme' },
    involvedObject: {
      apiVersion: 'sprites.highera.com/v1alpha1',
      kind: 'Sprite',
      name: 'copy',
      namespace: 'acme',
      uid: 'uid-copy',
      resourceVersion: '7',
    },
    type: 'Warning',
    reason: 'OutOfMemory',
    message: 'Give it more',
    count: 1,
    firstTimestamp: '2026-01-15T12:00:00Z',
    lastTimestamp: '2026-01-15T12:00:00Z',
    source: { component: 'sprites-controller' },
    reportingComponent: 'sprites-controller',
    reportingInstance: 'one',
  })
})

test('EE2 the same event counts up, another message does not, and after 10 min it is a new one', async () => {
  const { clock, recorder, events } = setUp()
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await clock.advance(9 * 60_000)
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await clock.advance(1_000)
  recorder.event(sprite, 'Normal', 'Started', 'Up elsewhere')
  await clock.advance(9 * 60_000)
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await clock.advance(10 * 60_000)
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await settle()
  expect(events().map(({ message, count }) => [message, count])).toEqual([
    ['Up', 3],
    ['Up elsewhere', 1],
    ['Up', 1],
  ])
  expect(events()[0]?.firstTimestamp).toBe('2026-01-15T12:00:00Z')
  expect(events()[0]?.lastTimestamp).toBe('2026-01-15T12:18:01Z')
})

test('EE2 what happens while a write is under way is written once more, in its newest form', async () => {
  const world = setUp()
  world.hold()
  for (let n = 0; n < 10; n++) world.recorder.event(sprite, 'Normal', 'Started', 'Up')
  await settle()
  expect(world.writes).toEqual(['create'])
  await world.letGo()
  expect(world.writes).toEqual(['create', 'patch'])
  expect(world.events().map(({ count }) => count)).toEqual([10])
})

test('EE3 one object’s flood is cut to its burst and refills slowly; others are not touched', async () => {
  const { clock, metrics, recorder, events } = setUp()
  for (let n = 0; n < 100; n++) recorder.event(sprite, 'Normal', 'Started', `Up ${n}`)
  recorder.event(objectNamed('other', 'acme'), 'Normal', 'Started', 'Up')
  await clock.advance(1)
  expect(events()).toHaveLength(EVENT_BURST + 1)
  await clock.advance(EVENT_REFILL_MS)
  for (let n = 0; n < 10; n++) recorder.event(sprite, 'Normal', 'Started', `Again ${n}`)
  await settle()
  expect(events()).toHaveLength(EVENT_BURST + 2)
  expect(await metrics.expose()).toContain(`sprites_events_dropped_total{reason="rate"} ${75 + 9}`)
})

test('EE4 a sink that never answers holds nobody up, and the queue is bounded', async () => {
  const world = setUp()
  world.hold()
  for (let n = 0; n < EVENTS_WAITING_MAX + 500; n++)
    world.recorder.event(objectNamed(`s${n}`, 'acme'), 'Normal', 'Started', 'Up')
  await settle()
  expect(world.writes).toHaveLength(4)
  expect(await world.metrics.expose()).toContain('sprites_events_dropped_total{reason="queue"} 496')
  const flushed = world.recorder.flush(1_000)
  await world.clock.advance(1_000)
  await flushed
  world.recorder.close()
  await world.letGo()
  expect(world.writes).toHaveLength(4)
})

test('EE5 events of cluster-scoped objects lie in default', async () => {
  const { recorder, events } = setUp()
  recorder.event(objectNamed('acme'), 'Normal', 'Ready', 'Fine')
  await settle()
  expect(events()[0]?.metadata.namespace).toBe('default')
  expect(events()[0]?.involvedObject).not.toHaveProperty('namespace')
})

test('EE6 a failed write is tried three times, then dropped and counted', async () => {
  const { clock, metrics, recorder, writes } = setUp(() => ({ error: new ApiError('ServiceUnavailable', 'down') }))
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await clock.advance(60_000)
  expect(writes).toHaveLength(3)
  expect(await metrics.expose()).toContain('sprites_events_dropped_total{reason="error"} 1')
})

test('EE6 a refusal is not tried again', async () => {
  const { clock, recorder, writes } = setUp(() => ({ error: new ApiError('NotFound', 'no such namespace') }))
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await clock.advance(60_000)
  expect(writes).toEqual(['create'])
})

test('EE6 a lost answer makes no second event', async () => {
  const faults = [{ error: new ApiError('Timeout', 'lost'), isApplied: true }]
  const { clock, recorder, events } = setUp(() => faults.shift())
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await clock.advance(60_000)
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await settle()
  expect(events().map(({ count }) => count)).toEqual([2])
})

test('EE6 an event that has expired is made anew with its count', async () => {
  const { clock, recorder, stored, events } = setUp()
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await clock.advance(60_000)
  stored.clear()
  recorder.event(sprite, 'Normal', 'Started', 'Up')
  await settle()
  expect(events().map(({ count }) => count)).toEqual([2])
})

test('EE7 flush waits for what is queued and leaves no timer', async () => {
  const world = setUp()
  world.hold()
  for (let n = 0; n < 10; n++) world.recorder.event(objectNamed(`s${n}`, 'acme'), 'Normal', 'Started', 'Up')
  const flushed = world.recorder.flush(60_000)
  await world.letGo()
  await flushed
  expect(world.stored.size).toBe(10)
  expect(world.clock.pendingTimers).toBe(0)
})
