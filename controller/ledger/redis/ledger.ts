/**
 * The Ledger in Redis, for several processes that share the tenants. Each call is one script on the two keys of its
 * tenant; what Redis may not lose stands in the store.
 *
 *  RL1 A call is one atomic script: no process sees, or leaves, half of it. Both keys carry `{tenant}`, so that they lie
 *      in one hash slot, after the control plane's id, so that control planes may share a Redis.
 *  RL2 Nothing depends on how often a call is sent: a known id has its first answer, a settled one stays settled. Ids are
 *      remembered for an hour after their fate is known.
 *  RL3 Time is Redis' TIME inside the script: one clock for all processes, so that the wall clock of none of them ends
 *      a reservation or begins a month. A call counts in the month by that clock and, where the caller's differs (the
 *      turn of the month, a wrong clock), in both, within the limit of both: while either clock is right, neither
 *      month is overdrawn. More than two months apart, calls are refused as Unavailable.
 *  RL4 Expiry (LE4) needs nobody to sweep: each call expires and forgets at most 100 ids of its tenant. Keys go
 *      200 days after the last month in them began; twelve months are kept.
 *  RL5 Before a tenant with a limit is granted tokens past its ceiling, a higher ceiling is recorded in the store (by
 *      1/128 of the limit or one more call, whichever is more): the store always knows a bound of all that was granted.
 *  RL6 An account that is not there, or lacks ids, is rebuilt from the store before anything is granted: with a ceiling,
 *      all up to it counts as spent. Overshoot is 0, whatever was lost and whoever knew of it; what a loss costs is
 *      the unused rest below the ceiling. Without a limit, the most of what the store and this process know counts.
 *  RL7 A Redis that went back in time (failover with a lost tail, an older snapshot) is found by any process that saw
 *      what it lacks: a later epoch or sequence, or its own last reservation of the last 50 minutes; also by a ceiling
 *      below the store's. The account is then rebuilt as in RL6. Until one of them calls, others may be granted at most
 *      what lay between the lost spending and the ceiling of the time gone back to.
 *  RL8 A call that Redis does not answer within the deadline rejects as Unavailable; where it was away for longer than
 *      that already, at once. What may yet be reserved by it is settled at 0 when Redis is back.
 *  RL9 Settlements and spending meanwhile are kept, 10,000 of them, and booked when it is back. The oldest settlement
 *      goes first and is then spent in full; from 5,000 without a reservation on, `reserve` rejects as Full. A process that
 *      dies takes with it what it kept: settlements are spent in full, spending without a reservation is lost.
 *  RL10 Commands used: EVALSHA, EVAL; in scripts TIME, HGET, HMGET, HSET, HDEL, ZADD, ZREM, ZCARD,
 *      ZRANGEBYSCORE, PEXPIRE, DEL. All are served by Upstash.
 */
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import type { Metrics } from '../../../system/metrics.ts'
import { assert } from '../../../system/assert.ts'
import {
  isLedgerAway,
  LedgerError,
  type Balance,
  type Ledger,
  type Reservation,
  type ReserveOutcome,
} from '../ledger.ts'
import { readAnswer, type Answer } from './answer.ts'
import { createBacklog, type Booking } from './backlog.ts'
import { connectRedis } from './connection.ts'
import type { Recount } from './record.ts'
import { createRepairs } from './repairs.ts'
import { READ, RESERVE, SETTLE, SPEND } from './scripts.ts'
import { createSightings } from './sightings.ts'

/** What the ledger is made with. */
export type RedisLedgerOptions = {
  /** redis:// or rediss://, with user and password where needed. */
  readonly url: string
  /** Begins every key, the same in all processes of a control plane: its id. */
  readonly prefix: string
  readonly recount: Recount
  readonly clock: Clock
  readonly log: Log
  readonly metrics?: Metrics
  /** One call of Redis is given up after so long, in ms; 1 s when absent. */
  readonly deadlineMs?: number
  /** Reading or writing the store for a call is given up after so long, in ms; 10 s when absent. */
  readonly storeDeadlineMs?: number
  /** Ms since 1970, the same for all processes; Redis' own TIME when absent, as it should be outside of tests. */
  readonly now?: () => number
}

/** One call of a script: its own arguments, after those of every script. */
type Call = { readonly args: readonly string[]; readonly onSend?: () => void }

/** A call may need the store so often before it is given up: rebuild, months, ceilings, and others doing the same. */
const TURNS_MAX = 64
const TENANT = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const PERIOD = /^\d{4}-(0[1-9]|1[0-2])$/

/** Opens the ledger. Resolves whether or not Redis answers yet; LE7 says what calls do meanwhile. */
export function createRedisLedger(options: RedisLedgerOptions): Promise<Ledger> {
  const meters = createMeters(options.metrics)
  const accounts = createAccounts(options, { onReady: () => void backlog.drain(), onRebuild: meters.rebuilt })
  const backlog = createBacklog({ clock: options.clock, book: accounts.book, onSize: meters.kept })
  const outage = createOutage(options.log)

  /** Books at once where that goes, else later. */
  async function bookOrKeep(booking: Booking): Promise<void> {
    checkTokens(booking.tokens)
    try {
      await accounts.book(booking)
    } catch (error) {
      if (!isLedgerAway(error)) throw error
      backlog.keep(booking)
    }
  }

  async function reserve(reservation: Reservation): Promise<ReserveOutcome> {
    checkReservation(reservation)
    if (backlog.isFull) throw new LedgerError('Full', 'Wait until the token ledger answers, too much is to be booked')
    const { tenant, id } = reservation
    let isSent = false
    try {
      const outcome = await accounts.reserve(reservation, () => (isSent = true))
      outage.end()
      return outcome
    } catch (error) {
      if (isLedgerAway(error)) {
        meters.refused()
        outage.begin(error)
      }
      // Whether it was reserved is not known: the call is not made with it, so that it costs nothing.
      if (isLedgerAway(error) && isSent) backlog.keep({ kind: 'Settle', tenant, id, tokens: 0 })
      throw error
    }
  }

  return Promise.resolve({
    reserve,
    settle: (tenant, id, tokens) => bookOrKeep({ kind: 'Settle', tenant, id, tokens }),
    spend: async (spending) => {
      assert(PERIOD.test(spending.period), 'A period is YYYY-MM')
      await bookOrKeep({ kind: 'Spend', ...spending })
    },
    read: accounts.read,
    close: async () => {
      if (accounts.isReady() && backlog.size > 0) await backlog.drain()
      backlog.close()
      accounts.close()
    },
  })
}

/** Told once, when the ledger goes and when it comes back, however many calls meet it. */
function createOutage(log: Log): { readonly begin: (error: LedgerError) => void; readonly end: () => void } {
  let isTold = false
  return {
    begin: ({ message, cause }) => {
      const why = cause instanceof Error ? cause.message : undefined
      const plans = "model calls wait, or go on where the plan's whenLedgerUnavailable is Allow"
      if (!isTold)
        log.warn({ error: message, why }, `the token ledger gives no answer: ${plans}; look at Redis and the store`)
      isTold = true
    },
    end: () => {
      if (isTold) log.info({}, 'the token ledger answers again')
      isTold = false
    },
  }
}

type AccountEvents = { readonly onReady: () => void; readonly onRebuild: () => void }

/** The accounts of all tenants, each made whole before it is asked. */
function createAccounts(options: RedisLedgerOptions, events: AccountEvents) {
  const { clock, log, deadlineMs = 1_000, storeDeadlineMs = 10_000 } = options
  const sightings = createSightings(clock)
  const connection = connectRedis({ url: options.url, clock, log, deadlineMs, onReady: events.onReady })

  async function run(script: string, tenant: string, call: Call): Promise<Answer> {
    assert(TENANT.test(tenant), 'A tenant is a DNS label')
    const account = `${options.prefix}:ledger:{${tenant}}`
    const now = options.now === undefined ? '' : String(options.now())
    const args = [now, ...sightings.argsOf(tenant), ...call.args]
    const answer = readAnswer(await connection.run({ ...call, script, keys: [account, `${account}:times`], args }))
    sightings.note(tenant, answer)
    return answer
  }
  const { onRebuild } = events
  const repairs = createRepairs({ run, recount: options.recount, clock, log, sightings, onRebuild, storeDeadlineMs })

  /** Runs a script until the account is whole and its month known. */
  async function whole(script: string, tenant: string, call: Call & { readonly period: string }): Promise<Answer> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const answer = await run(script, tenant, call)
      if (!(await repairs.rebuilt(tenant, answer, call.period))) return answer
    }
    throw unsteady()
  }

  return {
    isReady: () => connection.isReady,
    close: () => connection.close(),
    reserve: async (reservation: Reservation, onSend: () => void): Promise<ReserveOutcome> => {
      const { tenant, id, period } = reservation
      let ceilings: readonly string[] = []
      for (let turn = 0; turn < TURNS_MAX; turn++) {
        const args = [...reserveArgs(reservation), ...ceilings]
        const answer = await whole(RESERVE, tenant, { args, period, onSend })
        if (answer.status === 'CLOCK') throw wrongClock(period, answer.month)
        if (answer.status === 'ANSWER') {
          sightings.noteReserved(tenant, id, answer)
          return answer.outcome
        }
        assert(answer.status === 'CEILING', 'A reservation is answered, or needs a ceiling')
        ceilings = await repairs.raised(reservation, answer)
      }
      throw unsteady()
    },
    book: async (booking: Booking): Promise<void> => {
      const { tenant, id, tokens } = booking
      if (booking.kind === 'Settle') await run(SETTLE, tenant, { args: [id, String(tokens)] })
      else await whole(SPEND, tenant, { period: booking.period, args: [id, String(tokens), booking.period] })
    },
    read: async (tenant: string, period: string): Promise<Balance> => {
      assert(PERIOD.test(period), 'A period is YYYY-MM')
      const answer = await whole(READ, tenant, { period, args: [period] })
      assert(answer.status === 'BALANCE', 'A read is answered with a balance')
      return answer.balance
    },
  }
}

const unsteady = (): LedgerError =>
  new LedgerError('Unavailable', 'Try again, the account of the tenant keeps changing')

const wrongClock = (given: string, month: string): LedgerError =>
  new LedgerError(
    'Unavailable',
    `Set the clock of this process or of Redis: it is "${given}" here and "${month}" there`,
  )

function reserveArgs({ id, tokens, limit, period, expiresAfterMs }: Reservation): readonly string[] {
  return [id, String(tokens), limit === null ? '' : String(limit), period, String(Math.ceil(expiresAfterMs))]
}

function checkReservation({ period, tokens, limit }: Reservation): void {
  assert(PERIOD.test(period), 'A period is YYYY-MM')
  checkTokens(tokens)
  if (limit !== null) checkTokens(limit)
}

const checkTokens = (tokens: number): void =>
  assert(Number.isSafeInteger(tokens) && tokens >= 0, 'Tokens are whole and none is negative')

function createMeters(metrics: Metrics | undefined) {
  const rebuilds = metrics?.counter('sprites_ledger_rebuilds_total', 'Accounts that Redis had lost, rebuilt.')
  const refusals = metrics?.counter('sprites_ledger_unavailable_total', 'Reservations that Redis did not answer.')
  const kept = metrics?.gauge('sprites_ledger_bookings_kept', 'Bookings that wait until Redis is back.')
  return {
    rebuilt: () => rebuilds?.add(),
    refused: () => refusals?.add(),
    kept: (size: number) => kept?.set(size),
  }
}
