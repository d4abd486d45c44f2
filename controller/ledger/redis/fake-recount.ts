/** The store's side of the ledger in memory, for tests: it survives Redis, and can be cut off. */
import type { Recount, Recorded } from './record.ts'

/** A Recount whose records tests read and set; `use` is told what was used by other ways than a ceiling. */
export type FakeRecount = Recount & {
  readonly ceilings: Map<string, number>
  readonly used: Map<string, number>
  /** Calls reject while it is set. */
  isAway: boolean
  /** How often it was read, and raised. */
  readonly calls: { reads: number; raises: number }
}

/** An empty one. */
export function createFakeRecount(): FakeRecount {
  const ceilings = new Map<string, number>()
  const used = new Map<string, number>()
  const calls = { reads: 0, raises: 0 }
  const keyOf = (tenant: string, period: string): string => `${tenant}/${period}`
  const fake: FakeRecount = {
    ceilings,
    used,
    calls,
    isAway: false,
    read: (tenant, period): Promise<Recorded> => {
      calls.reads++
      if (fake.isAway) return Promise.reject(new Error('The store is away'))
      const key = keyOf(tenant, period)
      return Promise.resolve({ used: used.get(key) ?? 0, ceiling: ceilings.get(key) ?? 0 })
    },
    raise: (tenant, period, { from, to }) => {
      calls.raises++
      if (fake.isAway) return Promise.reject(new Error('The store is away'))
      const key = keyOf(tenant, period)
      const recorded = ceilings.get(key) ?? 0
      if (recorded > from) return Promise.resolve({ ceiling: recorded, isOurs: false })
      ceilings.set(key, Math.max(recorded, to))
      return Promise.resolve({ ceiling: Math.max(recorded, to), isOurs: true })
    },
  }
  return fake
}
