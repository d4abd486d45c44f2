/**
 * The Ledger port: tokens reserved before each call to the model, settled after it. Spent + reserved ≤ limit, always.
 *
 * Contract (ledger/contract.ts):
 *  LE1 reserve is atomic: it grants only if spent + reserved + tokens ≤ limit (null: no limit), else says what is left.
 *  LE2 reserve with an id that is known changes nothing and gives the first answer.
 *  LE3 settle turns a reservation into spending of `tokens` (which may be less or, never by our doing, more); settling
 *      twice, or an unknown id, changes nothing.
 *  LE4 A reservation that is not settled within `expiresAfterMs` counts as spent in full: its outcome is unknown.
 *  LE5 Periods are independent: `YYYY-MM` in UTC. A call is counted in the period in which it was reserved. An adapter
 *      that has a clock of its own holds the month by that clock too, so that a wrong clock here opens no budget.
 *  LE6 Durable adapters keep all of this over kill -9.
 *  LE7 A call that cannot be answered rejects with LedgerError: Unavailable (it does not answer in time; nothing is
 *      granted), Full (nor is there room to remember what is spent without it), Closed. `settle` and `spend` do not
 *      reject for that: they are kept, and sent when it answers again.
 *  LE8 spend counts tokens that were used without a reservation, over any limit; the same id again changes nothing.
 */
/** Tokens of a tenant in a month. */
export type Balance = { readonly spent: number; readonly reserved: number }

/** Tokens that are held for one call. */
export type Reservation = {
  readonly tenant: string
  /** Calendar month in UTC, YYYY-MM. */
  readonly period: string
  /** The caller's id of this call: one per HTTP attempt. */
  readonly id: string
  readonly tokens: number
  readonly limit: number | null
  readonly expiresAfterMs: number
}

/** Whether the tokens were there. */
export type ReserveOutcome =
  | { readonly granted: true; readonly balance: Balance }
  | { readonly granted: false; readonly balance: Balance; readonly available: number }

/** Tokens that were used without a reservation. */
export type Spending = {
  readonly tenant: string
  /** Calendar month in UTC, YYYY-MM. */
  readonly period: string
  readonly id: string
  readonly tokens: number
}

/** Why a call of the ledger failed (LE7). */
export type LedgerErrorReason = 'Unavailable' | 'Full' | 'Closed'

/** A failure of the ledger; `reason` is what callers switch on. */
export class LedgerError extends Error {
  override readonly name = 'LedgerError'
  readonly reason: LedgerErrorReason

  constructor(reason: LedgerErrorReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** Whether the error says that the ledger does not answer. */
export const isLedgerAway = (error: unknown): error is LedgerError =>
  error instanceof LedgerError && error.reason === 'Unavailable'

/** The port that counts tokens; its rules stand above. */
export interface Ledger {
  reserve(reservation: Reservation): Promise<ReserveOutcome>
  settle(tenant: string, id: string, tokens: number): Promise<void>
  spend(spending: Spending): Promise<void>
  read(tenant: string, period: string): Promise<Balance>
  close(): Promise<void>
}

/** The period of an instant. Pure. */
export const periodOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 7)
