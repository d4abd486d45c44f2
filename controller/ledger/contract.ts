/** The contract of the Ledger port as a test suite that every adapter runs. */
import * as fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestClock } from '../../system/test-clock.ts'
import type { Ledger, Reservation } from './ledger.ts'

/** An adapter under test; `restart` gives the ledger as another process would find it, where the adapter is durable. */
export type LedgerHarness = {
  readonly ledger: Ledger
  readonly restart?: () => Ledger | Promise<Ledger>
  readonly dispose: () => void | Promise<void>
}

const PERIOD = '2026-01'
const reservation = (overrides: Partial<Reservation> = {}): Reservation => ({
  tenant: 'acme',
  period: PERIOD,
  id: 'r1',
  tokens: 60,
  limit: 100,
  expiresAfterMs: 1_000,
  ...overrides,
})

type Step =
  | { readonly do: 'reserve'; readonly id: number; readonly tokens: number }
  | { readonly do: 'settle'; readonly id: number; readonly share: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'restart' }

const id = fc.integer({ min: 0, max: 12 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('reserve' as const), id, tokens: fc.integer({ min: 0, max: 80 }) }),
  fc.record({ do: fc.constant('settle' as const), id, share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 900 }) }),
  fc.constant({ do: 'restart' as const }),
)

/** Declares the contract's tests for one adapter; `make` gives an empty ledger of its own. */
export function ledgerContract(
  adapter: string,
  make: (clock: TestClock) => LedgerHarness | Promise<LedgerHarness>,
): void {
  describe(`${adapter} ledger`, () => {
    let clock: TestClock
    let harness: LedgerHarness
    let ledger: Ledger
    beforeEach(async () => {
      clock = new TestClock()
      harness = await make(clock)
      ledger = harness.ledger
    })
    afterEach(() => harness.dispose())

    it('LE1 grants up to the limit and not one token more', async () => {
      expect(await ledger.reserve(reservation())).toEqual({ granted: true, balance: { spent: 0, reserved: 60 } })
      expect(await ledger.reserve(reservation({ id: 'r2', tokens: 41 }))).toEqual({
        granted: false,
        balance: { spent: 0, reserved: 60 },
        available: 40,
      })
      expect(await ledger.reserve(reservation({ id: 'r3', tokens: 40 }))).toMatchObject({ granted: true })
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 0, reserved: 100 })
    })

    it('LE1 fifty at once against a budget for three are granted three', async () => {
      const many = Array.from({ length: 50 }, (_, index) => reservation({ id: `c${index}`, tokens: 30 }))
      const outcomes = await Promise.all(many.map((one) => ledger.reserve(one)))
      expect(outcomes.filter((outcome) => outcome.granted)).toHaveLength(3)
    })

    it('LE1 without a limit everything is granted and counted', async () => {
      await ledger.reserve(reservation({ limit: null, tokens: 1_000_000 }))
      await ledger.reserve(reservation({ limit: null, tokens: 1_000_000, id: 'r2' }))
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 0, reserved: 2_000_000 })
    })

    it('LE1 tenants do not share', async () => {
      await ledger.reserve(reservation())
      expect(await ledger.reserve(reservation({ tenant: 'other' }))).toMatchObject({ granted: true })
    })

    it('LE2 a known id changes nothing and has its first answer, granted or not', async () => {
      const granted = await ledger.reserve(reservation())
      const refused = await ledger.reserve(reservation({ id: 'r2' }))
      await ledger.settle('acme', 'r1', 10)
      expect(await ledger.reserve(reservation())).toEqual(granted)
      expect(await ledger.reserve(reservation({ id: 'r2' }))).toEqual(refused)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 10, reserved: 0 })
    })

    it('LE3 settles once; an unknown id or a second time changes nothing', async () => {
      await ledger.reserve(reservation())
      await ledger.settle('acme', 'r1', 25)
      await ledger.settle('acme', 'r1', 60)
      await ledger.settle('acme', 'nobody', 60)
      await ledger.settle('other', 'r1', 60)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 25, reserved: 0 })
    })

    it('LE4 what is not settled in time is spent in full, and stays so', async () => {
      await ledger.reserve(reservation())
      await clock.advance(999)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 0, reserved: 60 })
      await clock.advance(1)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 60, reserved: 0 })
      await ledger.settle('acme', 'r1', 1)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 60, reserved: 0 })
    })

    it('LE5 a call counts in the month in which it was reserved', async () => {
      await ledger.reserve(reservation({ expiresAfterMs: 40 * 86_400_000 }))
      clock.jumpWall(31 * 86_400_000)
      expect(await ledger.reserve(reservation({ id: 'r2', period: '2026-02' }))).toMatchObject({ granted: true })
      await ledger.settle('acme', 'r1', 5)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 5, reserved: 0 })
      expect(await ledger.read('acme', '2026-02')).toEqual({ spent: 0, reserved: 60 })
    })

    it('LE8 what was spent without a reservation counts once, over the limit too', async () => {
      await ledger.reserve(reservation())
      const spending = { tenant: 'acme', period: PERIOD, id: 's1', tokens: 70 }
      await ledger.spend(spending)
      await ledger.spend(spending)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 70, reserved: 60 })
      expect(await ledger.reserve(reservation({ id: 'r2', tokens: 1 }))).toMatchObject({ granted: false, available: 0 })
      await ledger.settle('acme', 's1', 1)
      expect(await ledger.read('acme', PERIOD)).toEqual({ spent: 70, reserved: 60 })
    })

    it('LE1 LE3 LE4 LE6 spent + reserved ≤ limit through any interleaving', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
          const ownClock = new TestClock()
          const own = await make(ownClock)
          try {
            await replay(steps, own, ownClock)
          } finally {
            await own.dispose()
          }
        }),
        { numRuns: 60 },
      )
    })
  })
}

/** Runs the steps and compares the ledger with a model of its own after each. */
async function replay(steps: readonly Step[], harness: LedgerHarness, clock: TestClock): Promise<void> {
  const [limit, expiresAfterMs] = [200, 1_000]
  const model = new Map<number, { tokens: number; granted: boolean; dueAt: number; spent: number | undefined }>()
  let ledger = harness.ledger
  for (const one of steps) {
    if (one.do === 'restart') ledger = (await harness.restart?.()) ?? ledger
    // The wall clock moves, as expiry over a restart is measured on it.
    if (one.do === 'wait') clock.jumpWall(one.ms)
    for (const entry of model.values())
      if (entry.granted && entry.dueAt <= clock.now()) entry.spent = entry.spent ?? entry.tokens
    if (one.do === 'reserve') {
      const request = { tenant: 't', period: PERIOD, id: `${one.id}`, tokens: one.tokens, limit, expiresAfterMs }
      const { granted } = await ledger.reserve(request)
      if (!model.has(one.id))
        model.set(one.id, { tokens: one.tokens, granted, dueAt: clock.now() + expiresAfterMs, spent: undefined })
    }
    if (one.do === 'settle') {
      const entry = model.get(one.id)
      const tokens = Math.floor((entry?.tokens ?? 0) * one.share)
      await ledger.settle('t', `${one.id}`, tokens)
      if (entry?.granted) entry.spent = entry.spent ?? tokens
    }
    const open = [...model.values()].filter((entry) => entry.granted)
    const spent = open.reduce((sum, entry) => sum + (entry.spent ?? 0), 0)
    const reserved = open.reduce((sum, entry) => sum + (entry.spent === undefined ? entry.tokens : 0), 0)
    expect(await ledger.read('t', PERIOD)).toEqual({ spent, reserved })
    expect(spent + reserved).toBeLessThanOrEqual(limit)
  }
}
