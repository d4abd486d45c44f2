/** Runs the Ledger contract on a real redis-server. */
import { afterAll, beforeAll, describe } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { silentLog } from '../../../system/log.ts'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import { ledgerContract } from '../contract.ts'
import { createFakeRecount } from './fake-recount.ts'
import { createRedisLedger } from './ledger.ts'

let server: RedisServer
let planes = 0

describe.skipIf(!hasRedisServer)('with redis-server', () => {
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  afterAll(() => server.destroy())

  ledgerContract('redis', async (clock) => {
    const recount = createFakeRecount()
    const prefix = `cp-${planes++}`
    // Expiry is by the test's clock, what waits for Redis by the real one.
    const open = () =>
      createRedisLedger({ url: server.url, prefix, recount, clock: realClock, log: silentLog, now: () => clock.now() })
    const ledger = await open()
    const others: { close(): Promise<void> }[] = [ledger]
    return {
      ledger,
      restart: async () => {
        const other = await open()
        others.push(other)
        return other
      },
      dispose: async () => {
        for (const one of others) await one.close()
      },
    }
  })
})
