/** S7 through the gateway on a real Redis whose replies are cut: against what the fake model itself has counted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SPRITE_API, WORK_HEADER } from '../../../protocol/coordinator.ts'
import { realClock } from '../../../system/clock.ts'
import { silentLog } from '../../../system/log.ts'
import { layWire, type Wire } from '../../../test/e2e/wire.ts'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import { createFakeRecount } from '../../ledger/redis/fake-recount.ts'
import { createRedisLedger } from '../../ledger/redis/ledger.ts'
import { IN_PROGRESS, startHarness, TENANT } from '../fake/harness.ts'
import { inputTokensBound } from './request.ts'
import type { UpstreamReply } from './upstream.ts'

const BODY = { model: 'claude-test', max_tokens: 1_000, messages: [{ role: 'user', content: 'Hello' }] }
const CALL_TOKENS = inputTokensBound(JSON.stringify(BODY)) + 1_000
const LIMIT = 10 * CALL_TOKENS + 5
/** Whoever reserves and books goes by the harness' clock, which stands still here. */
const NOW_MS = Date.UTC(2026, 0, 15, 12)

describe.skipIf(!hasRedisServer)('gateway over a Redis that loses replies', () => {
  let server: RedisServer
  let proxy: Wire
  beforeAll(async () => {
    server = await RedisServer.start()
    proxy = await layWire(server.port)
  })
  afterAll(async () => {
    await proxy.close()
    await server.destroy()
  })

  it.each([
    ['cut replies', () => Promise.resolve()],
    ['cut replies and a flush between', () => server.flush()],
  ])('S7 GW1 fifty calls at once against a nearly empty budget, %s: overshoot 0', async (name, between) => {
    const ports = { url: `redis://127.0.0.1:${proxy.port}`, prefix: `cp-${name.length}`, recount: createFakeRecount() }
    const ledger = await createRedisLedger({ ...ports, clock: realClock, log: silentLog, now: () => NOW_MS })
    let countedByModel = 0
    const upstream = (): Promise<UpstreamReply> => {
      countedByModel += CALL_TOKENS
      const usage = { input_tokens: CALL_TOKENS - 1_000, output_tokens: 1_000 }
      const message = { type: 'message', model: 'claude-test', content: [], stop_reason: 'end_turn', usage }
      return Promise.resolve({ kind: 'message', rehearsal: false, message })
    }
    const h = await startHarness({ upstream, ledger: () => ledger, settings: { callsPerSpriteMax: 100 } })
    try {
      h.seedTenant({ limits: { monthlyTokens: LIMIT } })
      h.seedWork('w1', { status: IN_PROGRESS })
      const ask = () => h.send(`${SPRITE_API.gateway}/v1/messages`, BODY, { headers: { [WORK_HEADER]: 'w1/1' } })
      let replies = 0
      proxy.tearReply = () => replies++ % 6 === 0
      const asked = Promise.all(Array.from({ length: 50 }, ask))
      await between()
      const statuses = new Set((await asked).map((reply) => reply.status))
      for (let round = 0; round < 5; round++) {
        await between()
        await ask()
      }
      proxy.tearReply = undefined
      expect(proxy.torn).toBeGreaterThan(0)
      expect([...statuses].filter((status) => ![200, 403, 503].includes(status))).toEqual([])
      expect(countedByModel).toBeGreaterThan(0)
      expect(countedByModel).toBeLessThanOrEqual(LIMIT)
      const { spent, reserved } = await ledger.read(TENANT, '2026-01')
      expect(spent + reserved).toBeLessThanOrEqual(LIMIT)
      expect(spent + reserved).toBeGreaterThanOrEqual(countedByModel)
    } finally {
      await h.close()
      await ledger.close()
    }
  })
})
