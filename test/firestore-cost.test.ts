/** Counts what Firestore would bill for idle sprites: a count, free of noise, so that it can fail a build. */
import { expect, test } from 'vitest'
import { extrapolated, hourOf, priceOf } from '../bench/firestore-cost.ts'

test.each(['asleep', 'idle'] as const)(
  'FDR4 a sprite that is %s costs no write and few reads an hour',
  async (profile) => {
    const [few, more] = [await hourOf(profile, 10), await hourOf(profile, 30)]
    // What two fleets have in common is the process's own: its canaries.
    expect((more.writes - few.writes) / 20).toBeLessThan(0.5)
    expect((more.reads - few.reads) / 20).toBeLessThan(6)
    expect(few.writes).toBeLessThan(6 * 1_000)
    expect(few.reads).toBeLessThan(12 * 1_000)
  },
  60_000,
)

test('FDR4 a price is what the operations cost, and what is by sprite grows with them', () => {
  const prices = { per: 100_000, reads: 0.06, writes: 0.18, deletes: 0.02 }
  expect(priceOf({ reads: 1e6, writes: 1e6, deletes: 1e6 }, prices)).toBeCloseTo(2.6)
  const [small, large] = [
    { reads: 110, writes: 20, deletes: 0 },
    { reads: 200, writes: 20, deletes: 10 },
  ]
  const wanted = extrapolated(small, large, { small: 10, large: 100, wanted: 1000 })
  expect(wanted).toEqual({ reads: 1100, writes: 20, deletes: 110 })
})
