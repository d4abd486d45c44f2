/** Tests of Presence over the bus: what is remembered, for how long, and when listeners are called. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spriteHeartbeat, spriteInbox, type HeartbeatMessage } from '../../protocol/channels.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import type { Bus } from './bus.ts'
import { createMemoryBus } from './memory.ts'
import { createPresence, PRESENCE_FORGET_MS } from './presence-tracker.ts'

const beat = (overrides: Partial<HeartbeatMessage> = {}): HeartbeatMessage => ({
  uid: 'u1',
  incarnation: 1,
  state: 'idle',
  atMs: 0,
  ...overrides,
})

describe('presence over a bus that was away', () => {
  it('PT7 listens anew from the return of the bus, and never longer than ten seconds while it is away', async () => {
    const clock = new TestClock()
    let deafUntilMs: number | undefined
    const bus: Bus = { ...createMemoryBus(), deafUntilMs: () => deafUntilMs ?? clock.now() }
    deafUntilMs = 0
    const presence = await createPresence({ bus, clock })
    const opened = clock.now()
    await clock.advance(100_000)
    expect(presence.listeningSinceMs).toBe(opened)
    deafUntilMs = undefined
    for (let tenSeconds = 0; tenSeconds < 12; tenSeconds++) {
      await clock.advance(10_000)
      expect(presence.listeningSinceMs).toBe(clock.now() - 10_000)
    }
    const returned = clock.now()
    deafUntilMs = returned
    await clock.advance(10_000)
    expect(presence.listeningSinceMs).toBe(returned)
    await clock.advance(30_000)
    expect(presence.listeningSinceMs).toBe(returned)
    await presence.close()
  })

  it('PT7 what was stored before it opened is never its own', async () => {
    const clock = new TestClock()
    const presence = await createPresence({ bus: { ...createMemoryBus(), deafUntilMs: () => clock.now() }, clock })
    expect(presence.listeningSinceMs).toBe(clock.now())
    await presence.close()
  })
})

describe('presence', () => {
  let bus: Bus
  let clock: TestClock
  let presence: Awaited<ReturnType<typeof createPresence>>
  let changes: string[]
  const send = async (message: object, channel = spriteHeartbeat('acme', 'ed')): Promise<void> => {
    await bus.publish(channel, message)
    await settle(1)
  }

  beforeEach(async () => {
    bus = createMemoryBus()
    clock = new TestClock()
    presence = await createPresence({ bus, clock, recordsMax: 3 })
    changes = []
    presence.onChange((tenant, sprite) => changes.push(`${tenant}/${sprite}`))
  })
  afterEach(async () => {
    await presence.close()
    expect(clock.pendingTimers).toBe(0)
  })

  it('PT1 keeps the last sign of life and the first of the incarnation', async () => {
    const start = clock.now()
    await send(beat())
    await clock.advance(5_000)
    await send(beat({ state: 'working', work: 'w' }))
    expect(presence.read('acme', 'ed')).toEqual({
      uid: 'u1',
      incarnation: 1,
      state: 'working',
      work: 'w',
      firstSeenAtMs: start,
      lastSeenAtMs: start + 5_000,
    })
    await send(beat({ incarnation: 2 }))
    expect(presence.read('acme', 'ed')).toMatchObject({ incarnation: 2, firstSeenAtMs: start + 5_000 })
    expect(presence.listeningSinceMs).toBe(start)
  })

  it('PT2 calls back on a change, not on each heartbeat', async () => {
    await send(beat())
    await send(beat())
    await send(beat({ state: 'draining' }))
    expect(changes).toEqual(['acme/ed', 'acme/ed'])
  })

  it('PT3 a late message of an older incarnation changes nothing', async () => {
    await send(beat({ incarnation: 2 }))
    await send(beat({ incarnation: 1, state: 'gone' }))
    expect(presence.read('acme', 'ed')).toMatchObject({ incarnation: 2, state: 'idle' })
  })

  it('PT4 forgets who was silent for ten minutes, and says so', async () => {
    await send(beat())
    await clock.advance(PRESENCE_FORGET_MS - 1)
    expect(presence.read('acme', 'ed')).toBeDefined()
    await clock.advance(60_000)
    expect(presence.read('acme', 'ed')).toBeUndefined()
    expect(changes).toHaveLength(2)
  })

  it('PT4 a jump of the wall clock makes nobody silent', async () => {
    await send(beat())
    clock.jumpWall(40 * 86_400_000)
    await clock.advance(60_000)
    expect(presence.read('acme', 'ed')).toBeDefined()
  })

  it.each([3_600_000, -86_400_000])(
    'PT8 a wall clock that is set by %i ms makes nobody older or younger',
    async (byMs) => {
      await send(beat())
      await clock.advance(5_000)
      await send(beat({ state: 'working' }))
      await clock.advance(7_000)
      clock.jumpWall(byMs)
      expect(presence.read('acme', 'ed')).toMatchObject({
        firstSeenAtMs: clock.now() - 12_000,
        lastSeenAtMs: clock.now() - 7_000,
      })
      expect(presence.listeningSinceMs).toBe(clock.now() - 12_000)
    },
  )

  it('PT5 holds at most so many records, the longest silent goes first', async () => {
    for (const sprite of ['a', 'b', 'c', 'd']) await send(beat(), spriteHeartbeat('acme', sprite))
    expect(presence.read('acme', 'a')).toBeUndefined()
    expect(presence.read('acme', 'd')).toBeDefined()
  })

  it('PT3 an incarnation that nobody has heard for a minute holds nothing up', async () => {
    await send(beat({ incarnation: 999 }))
    await clock.advance(59_999)
    await send(beat({ incarnation: 2 }))
    expect(presence.read('acme', 'ed')?.incarnation).toBe(999)
    await clock.advance(1)
    await send(beat({ incarnation: 2 }))
    expect(presence.read('acme', 'ed')?.incarnation).toBe(2)
  })

  it('PT6 ignores messages that are no heartbeat; whose it is says the channel alone', async () => {
    await send({ hello: 1 })
    await send(beat(), spriteInbox('acme', 'ed'))
    await send(beat(), 'sprite:acme/ed/x:heartbeat')
    expect(presence.read('acme', 'ed')).toBeUndefined()
    await send({ ...beat(), tenant: 'rival', sprite: 'other' })
    expect(presence.read('acme', 'ed')).toBeDefined()
    expect(presence.read('rival', 'other')).toBeUndefined()
    expect(presence.read('acme', 'other')).toBeUndefined()
  })
})
