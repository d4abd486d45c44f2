/** Tests of the shared timer against a clock of its own. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import { withSharedTimer } from './shared-timer.ts'

describe('the shared timer', () => {
  it('SV22 any number of deadlines takes one timer, and none when they are cancelled', async () => {
    const clock = new TestClock()
    const shared = withSharedTimer(clock)
    const cancels = Array.from({ length: 1_000 }, (_, index) =>
      shared.after(1_000 + index, () => undefined, { background: true }),
    )
    expect(clock.pendingTimers).toBe(1)
    for (const cancel of cancels) cancel()
    expect(clock.pendingTimers).toBe(0)
  })

  it('SV22 each deadline fires once at its time, unless it was cancelled', async () => {
    const timer = fc.record({ delayMs: fc.nat(50), isCancelled: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(fc.array(timer, { maxLength: 20 }), async (timers) => {
        const clock = new TestClock()
        const shared = withSharedTimer(clock)
        const fired: { index: number; atMs: number }[] = []
        for (const [index, { delayMs, isCancelled }] of timers.entries()) {
          const fire = (): void => void fired.push({ index, atMs: clock.monotonic() })
          const cancel = shared.after(delayMs, fire, { background: true })
          if (isCancelled) cancel()
        }
        await clock.advance(50)
        const due = timers.flatMap(({ delayMs, isCancelled }, index) => (isCancelled ? [] : [{ index, atMs: delayMs }]))
        expect(fired.sort((a, b) => a.index - b.index)).toEqual(due)
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 50 },
    )
  })
})
