/** Tests of moments: as long ago as they are, whatever the wall clock is set to. */
import { expect, test } from 'vitest'
import { momentOf, setAheadMs, wallTimeOf } from './moment.ts'
import { TestClock } from './test-clock.ts'

test.each([3_600_000, -86_400_000])(
  'SY32 a moment is as long ago as before when the clock is set by %i ms',
  async (byMs) => {
    const clock = new TestClock()
    const moment = momentOf(clock)
    await clock.advance(5_000)
    expect(wallTimeOf(moment, clock)).toBe(clock.now() - 5_000)
    clock.jumpWall(byMs)
    expect([setAheadMs(moment, clock), wallTimeOf(moment, clock)]).toEqual([byMs, clock.now() - 5_000])
  },
)

test('SY32 a moment is the same number while the clock only drifts', async () => {
  const clock = new TestClock()
  const moment = momentOf(clock)
  const told = wallTimeOf(moment, clock)
  clock.jumpWall(400)
  await clock.advance(60_000)
  expect(wallTimeOf(moment, clock)).toBe(told)
})
