/** Latency of a reservation in Redis against one bare EVALSHA on the same server; nothing where there is no redis-server. */
import { createHash } from 'node:crypto'
import { Redis } from 'ioredis'
import { periodOf } from '../controller/ledger/ledger.ts'
import { createFakeRecount } from '../controller/ledger/redis/fake-recount.ts'
import { createRedisLedger } from '../controller/ledger/redis/ledger.ts'
import { realClock } from '../system/clock.ts'
import { silentLog } from '../system/log.ts'
import { hasRedisServer, RedisServer } from '../test/e2e/redis-server.ts'
import { percentile, type Row } from './table.ts'

const BARE = `return redis.call('HINCRBY', KEYS[1], 'reserved', ARGV[1])`
const CALLS = 1_000
const ROUNDS = 3
/** The gateway's own bound of calls of one control plane at once is 512; a burst of this size waits behind itself. */
const BURST = 64

type Call = (id: number) => Promise<unknown>

/** Rows for one reservation at a time, and for a burst; the best of three rounds, ours and bare in turns. */
export async function benchLedger(): Promise<Row[]> {
  if (!hasRedisServer) return []
  const server = await RedisServer.start()
  const redis = new Redis(server.url)
  const sha = createHash('sha1').update(BARE).digest('hex')
  await redis.script('LOAD', BARE)
  const ports = { url: server.url, prefix: 'cp-bench', recount: createFakeRecount() }
  const ledger = await createRedisLedger({ ...ports, clock: realClock, log: silentLog })
  const request = { tenant: 'acme', tokens: 10, limit: 1_000_000_000, expiresAfterMs: 600_000 }
  const reserve: Call = (id) => ledger.reserve({ ...request, period: periodOf(realClock.now()), id: `call-${id}` })
  const bare: Call = () => redis.evalsha(sha, 1, '{acme}', '10')
  try {
    await each(reserve, 200, 1)
    const best = { ours: Infinity, bare: Infinity, oursBurst: Infinity, bareBurst: Infinity }
    for (let round = 0; round < ROUNDS; round++) {
      best.bare = Math.min(best.bare, await each(bare, CALLS, 1))
      best.ours = Math.min(best.ours, await each(reserve, CALLS, 1))
      best.bareBurst = Math.min(best.bareBurst, await each(bare, CALLS, BURST))
      best.oursBurst = Math.min(best.oursBurst, await each(reserve, CALLS, BURST))
    }
    return [
      row('tokens reserved in Redis, p50', best.ours, best.bare),
      row(`tokens reserved in Redis, ${BURST} at once, p50`, best.oursBurst, best.bareBurst),
    ]
  } finally {
    await ledger.close()
    redis.disconnect()
    await server.destroy()
  }
}

const row = (what: string, oursMs: number, bareMs: number): Row => ({
  what,
  ours: `${oursMs.toFixed(3)} ms`,
  divisor: `bare EVALSHA ${bareMs.toFixed(3)} ms`,
  ratio: oursMs / bareMs,
})

let ids = 0

/** The median latency in ms of so many calls, `width` at once. */
async function each(call: Call, calls: number, width: number): Promise<number> {
  const samplesMs: number[] = []
  for (let made = 0; made < calls; made += width) {
    await Promise.all(
      Array.from({ length: width }, async () => {
        const startedMs = realClock.monotonic()
        await call(ids++)
        samplesMs.push(realClock.monotonic() - startedMs)
      }),
    )
  }
  return percentile(samplesMs, 0.5)
}
