/** Tests of the resync's spread over its interval. */
import { expect, test } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import { startResync } from './resync.ts'

test('EM2 each item comes once an interval, in even slices', async () => {
  const clock = new TestClock()
  const at = new Map<number, number[]>()
  const items = Array.from({ length: 1_000 }, (_, n) => n)
  const stop = startResync({
    clock,
    intervalMs: 100_000,
    list: () => items,
    enqueue: (item) => at.set(item, [...(at.get(item) ?? []), clock.monotonic()]),
  })
  await clock.advance(300_000)
  stop()
  expect(clock.pendingTimers).toBe(0)
  expect(at.size).toBe(1_000)
  for (const times of at.values()) {
    expect(times).toHaveLength(3)
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBe(100_000)
  }
  const inFirstTenth = [...at.values()].filter(([first = 0]) => first <= 10_000)
  expect(inFirstTenth).toHaveLength(100)
})

test('EM2 a few items and a short interval are all reached, none for ever never', async () => {
  const clock = new TestClock()
  const seen: string[] = []
  const enqueue = (item: string): number => seen.push(item)
  const stop = startResync({ clock, intervalMs: 300, list: () => ['a', 'b'], enqueue })
  startResync({ clock, intervalMs: 0, list: () => ['never'], enqueue })
  await clock.advance(900)
  stop()
  expect(seen).toEqual(['a', 'b', 'a', 'b', 'a', 'b'])
})
