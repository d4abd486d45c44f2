/** Decides whether a reservation is granted. Pure. */
import type { Balance, Reservation, ReserveOutcome } from './ledger.ts'

/** How long the answer to an id is remembered after its fate is known, in ms. */
export const RETENTION_MS = 3_600_000

/** The answer to a reservation at a balance; when granted, the balance has it already. */
export function outcomeOf(reservation: Pick<Reservation, 'tokens' | 'limit'>, balance: Balance): ReserveOutcome {
  const available =
    reservation.limit === null ? Infinity : Math.max(0, reservation.limit - balance.spent - balance.reserved)
  if (reservation.tokens > available) return { granted: false, balance, available }
  return { granted: true, balance: { spent: balance.spent, reserved: balance.reserved + reservation.tokens } }
}
