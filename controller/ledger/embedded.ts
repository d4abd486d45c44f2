/** The Ledger in the embedded store's file: each reserve and settle is one short transaction, durable when it resolves. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { assert } from '../../system/assert.ts'
import type { Clock } from '../../system/clock.ts'
import type { Balance, Ledger, Reservation, ReserveOutcome, Spending } from './ledger.ts'
import { outcomeOf, RETENTION_MS } from './outcome.ts'

/** The most rows that one transaction expires or forgets; the rest follows with the next. */
const SWEEP_ROWS_MAX = 500

const SCHEMA = `
CREATE TABLE IF NOT EXISTS ledger_balance (
  tenant TEXT NOT NULL, period TEXT NOT NULL, spent INTEGER NOT NULL, reserved INTEGER NOT NULL,
  PRIMARY KEY (tenant, period)
) WITHOUT ROWID, STRICT;
CREATE TABLE IF NOT EXISTS ledger_reservation (
  tenant TEXT NOT NULL, id TEXT NOT NULL, period TEXT NOT NULL, tokens INTEGER NOT NULL, answer TEXT NOT NULL,
  expires_at INTEGER NOT NULL, closed_at INTEGER,
  PRIMARY KEY (tenant, id)
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS ledger_open ON ledger_reservation (tenant, expires_at) WHERE closed_at IS NULL;
CREATE INDEX IF NOT EXISTS ledger_closed ON ledger_reservation (tenant, closed_at) WHERE closed_at IS NOT NULL;`

type Statements = ReturnType<typeof prepare>

/**
 * Opens the ledger's tables in a database that the caller owns and closes. The handle must not be inside a
 * transaction between turns of the event loop; its `synchronous` is raised to FULL if it is lower (LE6).
 */
export function createEmbeddedLedger(ports: { readonly database: DatabaseSync; readonly clock: Clock }): Ledger {
  const { database, clock } = ports
  database.exec(SCHEMA)
  const level = database.prepare('PRAGMA synchronous').get()?.['synchronous']
  if (typeof level !== 'number' || level < 2) database.exec('PRAGMA synchronous = FULL')
  const statements = prepare(database)

  /** Runs a turn for a tenant after what is due has expired; all of it or nothing is kept. */
  function transact<T>(tenant: string, turn: (nowMs: number) => T): T {
    assert(!database.isTransaction, 'The ledger shares no transaction with the store')
    const nowMs = clock.now()
    database.exec('BEGIN IMMEDIATE')
    try {
      expire(statements, tenant, nowMs)
      const result = turn(nowMs)
      database.exec('COMMIT')
      return result
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw error
    }
  }
  const promised = <T>(turn: () => T): Promise<T> => new Promise((resolve) => resolve(turn()))

  return {
    reserve: (reservation) =>
      promised(() => transact(reservation.tenant, (nowMs) => reserve(statements, reservation, nowMs))),
    settle: (tenant, id, tokens) =>
      promised(() => transact(tenant, (nowMs) => settle(statements, { tenant, id, tokens, nowMs }))),
    spend: (spending) => promised(() => transact(spending.tenant, (nowMs) => spend(statements, spending, nowMs))),
    read: (tenant, period) => promised(() => transact(tenant, () => readBalance(statements, tenant, period))),
    close: () => Promise.resolve(),
  }
}

function prepare(database: DatabaseSync) {
  return {
    balance: database.prepare('SELECT spent, reserved FROM ledger_balance WHERE tenant = ? AND period = ?'),
    move: database.prepare(
      `INSERT INTO ledger_balance (tenant, period, spent, reserved) VALUES (:tenant, :period, :spent, :reserved)
       ON CONFLICT DO UPDATE SET spent = spent + excluded.spent, reserved = reserved + excluded.reserved`,
    ),
    find: database.prepare(
      'SELECT period, tokens, answer, closed_at FROM ledger_reservation WHERE tenant = ? AND id = ?',
    ),
    insert: database.prepare(
      `INSERT INTO ledger_reservation (tenant, id, period, tokens, answer, expires_at, closed_at)
       VALUES (:tenant, :id, :period, :tokens, :answer, :expiresAt, :closedAt)`,
    ),
    shut: database.prepare('UPDATE ledger_reservation SET closed_at = ? WHERE tenant = ? AND id = ?'),
    due: database.prepare(
      `SELECT id, period, tokens FROM ledger_reservation
       WHERE tenant = ? AND closed_at IS NULL AND expires_at <= ? LIMIT ${SWEEP_ROWS_MAX}`,
    ),
    forget: database.prepare(
      `DELETE FROM ledger_reservation WHERE tenant = :tenant AND id IN (SELECT id FROM ledger_reservation
       WHERE tenant = :tenant AND closed_at IS NOT NULL AND closed_at <= :before LIMIT ${SWEEP_ROWS_MAX})`,
    ),
  } satisfies Record<string, StatementSync>
}

function readBalance(statements: Statements, tenant: string, period: string): Balance {
  const row = statements.balance.get(tenant, period)
  return row === undefined
    ? { spent: 0, reserved: 0 }
    : { spent: Number(row['spent']), reserved: Number(row['reserved']) }
}

function reserve(statements: Statements, reservation: Reservation, nowMs: number): ReserveOutcome {
  const { tenant, id, period, tokens } = reservation
  const known = statements.find.get(tenant, id)
  if (known !== undefined) return readAnswer(String(known['answer']))
  const answer = outcomeOf(reservation, readBalance(statements, tenant, period))
  if (answer.granted) statements.move.run({ tenant, period, spent: 0, reserved: tokens })
  const expiresAt = nowMs + reservation.expiresAfterMs
  statements.insert.run({
    tenant,
    id,
    period,
    tokens,
    answer: JSON.stringify(answer),
    expiresAt,
    closedAt: answer.granted ? null : nowMs,
  })
  return answer
}

/** Our own row: written by reserve and by nothing else. */
const readAnswer = (text: string): ReserveOutcome => JSON.parse(text) as ReserveOutcome

function spend(statements: Statements, spending: Spending, nowMs: number): void {
  const { tenant, id, period, tokens } = spending
  if (statements.find.get(tenant, id) !== undefined) return
  statements.move.run({ tenant, period, spent: tokens, reserved: 0 })
  const answer: ReserveOutcome = { granted: true, balance: readBalance(statements, tenant, period) }
  const text = JSON.stringify(answer)
  statements.insert.run({ tenant, id, period, tokens, answer: text, expiresAt: nowMs, closedAt: nowMs })
}

type Settlement = { readonly tenant: string; readonly id: string; readonly tokens: number; readonly nowMs: number }

function settle(statements: Statements, { tenant, id, tokens, nowMs }: Settlement): void {
  const row = statements.find.get(tenant, id)
  if (row === undefined || row['closed_at'] !== null) return
  statements.move.run({ tenant, period: String(row['period']), spent: tokens, reserved: -Number(row['tokens']) })
  statements.shut.run(nowMs, tenant, id)
}

/** LE4: what was not settled in time is spent in full. Answers to ids long closed are forgotten. */
function expire(statements: Statements, tenant: string, nowMs: number): void {
  for (const row of statements.due.all(tenant, nowMs)) {
    const [id, tokens] = [String(row['id']), Number(row['tokens'])]
    settle(statements, { tenant, id, tokens, nowMs })
  }
  statements.forget.run({ tenant, before: nowMs - RETENTION_MS })
}
