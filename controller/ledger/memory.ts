/** The Ledger in memory: for tests and for a control plane that may forget on restart. */
import type { Clock } from '../../system/clock.ts'
import type { Balance, Ledger, Reservation, ReserveOutcome } from './ledger.ts'
import { outcomeOf, RETENTION_MS } from './outcome.ts'

type Entry = {
  readonly period: string
  readonly tokens: number
  readonly answer: ReserveOutcome
  readonly expiresAtMs: number
  /** Set when its fate is known: refused, settled or expired. */
  closedAtMs: number | undefined
}
type Account = {
  readonly balances: Map<string, { spent: number; reserved: number }>
  readonly entries: Map<string, Entry>
}

/** A Ledger without a disk. LE6 does not hold for it. */
export function createMemoryLedger(ports: { readonly clock: Clock }): Ledger {
  const { clock } = ports
  const accounts = new Map<string, Account>()

  function accountOf(tenant: string): Account {
    const account = accounts.get(tenant) ?? { balances: new Map(), entries: new Map() }
    accounts.set(tenant, account)
    expire(account, clock.now())
    return account
  }

  return {
    reserve: (reservation) => Promise.resolve(reserve(accountOf(reservation.tenant), reservation, clock.now())),
    settle: (tenant, id, tokens) => {
      const account = accountOf(tenant)
      const entry = account.entries.get(id)
      if (entry !== undefined && entry.closedAtMs === undefined) spend(account, entry, { tokens, nowMs: clock.now() })
      return Promise.resolve()
    },
    spend: (spending) => {
      const account = accountOf(spending.tenant)
      if (account.entries.has(spending.id)) return Promise.resolve()
      const { tokens, period } = spending
      const balance = balanceOf(account, period)
      balance.spent += tokens
      const answer = { granted: true, balance: { ...balance } } as const
      const nowMs = clock.now()
      account.entries.set(spending.id, { period, tokens, answer, expiresAtMs: nowMs, closedAtMs: nowMs })
      return Promise.resolve()
    },
    read: (tenant, period) => Promise.resolve({ ...balanceOf(accountOf(tenant), period) }),
    close: () => Promise.resolve(),
  }
}

function balanceOf(account: Account, period: string): { spent: number; reserved: number } {
  const balance = account.balances.get(period) ?? { spent: 0, reserved: 0 }
  account.balances.set(period, balance)
  return balance
}

function reserve(account: Account, reservation: Reservation, nowMs: number): ReserveOutcome {
  const known = account.entries.get(reservation.id)
  if (known !== undefined) return known.answer
  const balance = balanceOf(account, reservation.period)
  const answer = outcomeOf(reservation, { ...balance } satisfies Balance)
  if (answer.granted) balance.reserved += reservation.tokens
  account.entries.set(reservation.id, {
    period: reservation.period,
    tokens: reservation.tokens,
    answer,
    expiresAtMs: nowMs + reservation.expiresAfterMs,
    closedAtMs: answer.granted ? undefined : nowMs,
  })
  return answer
}

function spend(account: Account, entry: Entry, settled: { readonly tokens: number; readonly nowMs: number }): void {
  const balance = balanceOf(account, entry.period)
  balance.reserved -= entry.tokens
  balance.spent += settled.tokens
  entry.closedAtMs = settled.nowMs
}

function expire(account: Account, nowMs: number): void {
  for (const [id, entry] of account.entries) {
    if (entry.closedAtMs !== undefined && entry.closedAtMs + RETENTION_MS <= nowMs) account.entries.delete(id)
    else if (entry.closedAtMs === undefined && entry.expiresAtMs <= nowMs)
      spend(account, entry, { tokens: entry.tokens, nowMs })
  }
}
