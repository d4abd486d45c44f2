/** Random calls of several processes on a redis-server that is flushed, killed, set back: S7 against the model's own ledger. */
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { silentLog } from '../../../system/log.ts'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import { isLedgerAway, periodOf, type Ledger, type Reservation } from '../ledger.ts'
import { createFakeRecount } from './fake-recount.ts'
import { createRedisLedger } from './ledger.ts'

const LIMIT = 600
const RUNS = Number(globalThis.process.env['LEDGER_RUNS'] ?? 40)

type Step =
  | { readonly do: 'reserve'; readonly who: number; readonly tokens: number; readonly again: boolean }
  | { readonly do: 'settle'; readonly which: number; readonly who: number; readonly share: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'flush' | 'evict' | 'restart' | 'forget' }

const who = fc.integer({ min: 0, max: 2 })
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('reserve' as const),
      who,
      tokens: fc.integer({ min: 0, max: 200 }),
      again: fc.boolean(),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      which: fc.nat(100),
      who,
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 4_000 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('flush', 'evict', 'restart', 'forget') }) },
)

/** What the model itself has seen: each call that was granted, and what it used in the end. */
type Call = { readonly request: Reservation; used: number; isOver: boolean }

describe.skipIf(!hasRedisServer)('redis ledger, any history', () => {
  let server: RedisServer
  let planes = 0
  let ids = 0
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.destroy())

  it('S7 RL6 spent + reserved ≤ limit, whatever Redis loses and whoever calls', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        expect(await used(steps)).toBeLessThanOrEqual(LIMIT)
      }),
      { numRuns: RUNS },
    )
  }, 120_000)

  async function used(steps: readonly Step[]): Promise<number> {
    const recount = createFakeRecount()
    const prefix = `cp-${planes++}`
    let jumpedMs = 0
    const now = (): number => realClock.now() + jumpedMs
    const open = (): Promise<Ledger> =>
      createRedisLedger({ url: server.url, prefix, recount, clock: realClock, log: silentLog, now })
    const ledgers = [await open(), await open(), await open()]
    const calls: Call[] = []
    try {
      for (const one of steps) {
        if (one.do === 'reserve') await reserve(ledgers[one.who], calls, { ...one, period: periodOf(now()) })
        else if (one.do === 'settle') await settle(ledgers[one.who], calls[one.which % (calls.length || 1)], one.share)
        else if (one.do === 'wait') jumpedMs += one.ms
        else if (one.do === 'flush') await server.flush()
        else if (one.do === 'evict') await server.admin.del(`${prefix}:ledger:{t}:times`)
        else if (one.do === 'restart') await server.restartEmpty()
        else {
          await ledgers[0]?.close()
          ledgers[0] = await open()
        }
      }
    } finally {
      for (const ledger of ledgers) await ledger.close()
    }
    return calls.reduce((sum, call) => sum + call.used, 0)
  }

  async function reserve(
    ledger: Ledger | undefined,
    calls: Call[],
    { tokens, again, period }: { readonly tokens: number; readonly again: boolean; readonly period: string },
  ): Promise<void> {
    const request = { tenant: 't', period, id: `r${ids++}`, tokens, limit: LIMIT, expiresAfterMs: 5_000 }
    try {
      const outcome = await ledger?.reserve(request)
      if (again) expect(await ledger?.reserve(request)).toEqual(outcome)
      calls.push({ request, used: outcome?.granted === true ? tokens : 0, isOver: false })
    } catch (error) {
      if (!isLedgerAway(error)) throw error
    }
  }

  /** A call ends once: the model has used some of what was reserved, and never more. */
  async function settle(ledger: Ledger | undefined, call: Call | undefined, share: number): Promise<void> {
    if (call === undefined || call.isOver) return
    const tokens = Math.floor(call.used * share)
    await ledger?.settle('t', call.request.id, tokens)
    Object.assign(call, { used: tokens, isOver: true })
  }
})
