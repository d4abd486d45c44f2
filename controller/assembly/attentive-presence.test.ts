/** Presence of a process that was away: what it did not hear then is held against nobody. */
import { describe, expect, it } from 'vitest'
import { createMemoryBus } from '../bus/memory.ts'
import { createPresence } from '../bus/presence-tracker.ts'
import { TestClock } from '../../system/test-clock.ts'
import { attentivePresence } from './attentive-presence.ts'

const opened = async () => {
  const clock = new TestClock()
  const presence = attentivePresence(await createPresence({ bus: createMemoryBus(), clock }), clock)
  return { clock, presence }
}

describe('attentive presence', () => {
  it('S4 listens anew after a stop of the process, whoever asks first', async () => {
    const { clock, presence } = await opened()
    const started = clock.now()
    await clock.advance(60_000)
    expect(presence.listeningSinceMs).toBe(started)
    // A process that sleeps has no timers: wall time goes on without it.
    clock.jumpWall(60_000)
    expect(presence.listeningSinceMs).toBe(clock.now())
    const returned = clock.now()
    await clock.advance(60_000)
    expect(presence.listeningSinceMs).toBe(returned)
    clock.jumpWall(3_600_000)
    await clock.advance(2_000)
    expect(presence.listeningSinceMs).toBeGreaterThan(returned)
    await presence.close()
  })

  it('PT8 S4 it listens for as long as before where the clock goes back, also from a time that never was', async () => {
    const { clock, presence } = await opened()
    await clock.advance(60_000)
    clock.jumpWall(-3_600_000)
    expect(presence.listeningSinceMs).toBe(clock.now() - 60_000)
    clock.jumpWall(8_000)
    expect(presence.listeningSinceMs).toBe(clock.now() - 60_000)
    clock.jumpWall(3_600_000)
    expect(presence.listeningSinceMs).toBe(clock.now())
    clock.jumpWall(-3_600_000)
    await clock.advance(30_000)
    expect(presence.listeningSinceMs).toBeLessThanOrEqual(clock.now() - 28_000)
    await presence.close()
  })

  it('S4 leaves no timer behind', async () => {
    const { clock, presence } = await opened()
    await presence.close()
    expect(clock.pendingTimers).toBe(0)
  })
})
