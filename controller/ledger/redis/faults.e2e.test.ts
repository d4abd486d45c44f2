/** What the ledger in Redis does when Redis dies, freezes, forgets or goes back in time. Rules: ledger.ts beside this. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { silentLog } from '../../../system/log.ts'
import { layWire } from '../../../test/e2e/wire.ts'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import { periodOf, type Ledger, type Reservation } from '../ledger.ts'
import { createFakeRecount, type FakeRecount } from './fake-recount.ts'
import { createRedisLedger, type RedisLedgerOptions } from './ledger.ts'

const DAY_MS = 86_400_000
const thisMonth = (): string => periodOf(realClock.now())

describe.skipIf(!hasRedisServer)('redis ledger under faults', () => {
  let server: RedisServer
  let recount: FakeRecount
  let open: Ledger[] = []
  let planes = 0
  beforeAll(async () => {
    server = await RedisServer.start()
  })
  beforeEach(async () => {
    await server.start()
    recount = createFakeRecount()
    planes++
  })
  afterEach(async () => {
    server.resume()
    for (const ledger of open) await ledger.close()
    open = []
  })
  afterAll(() => server.destroy())

  async function process(options: Partial<RedisLedgerOptions> = {}): Promise<Ledger> {
    const ports = { url: server.url, prefix: `cp-${planes}`, recount, clock: realClock, log: silentLog }
    const ledger = await createRedisLedger({ ...ports, deadlineMs: 400, ...options })
    open.push(ledger)
    return ledger
  }
  const call = (id: string, over: Partial<Reservation> = {}): Reservation => ({
    tenant: 'acme',
    period: thisMonth(),
    id,
    tokens: 10,
    limit: 1_280,
    expiresAfterMs: 60_000,
    ...over,
  })
  const total = async (ledger: Ledger, period = thisMonth()): Promise<number> => {
    const { spent, reserved } = await ledger.read('acme', period)
    return spent + reserved
  }
  /** Reserves until refused; how many tokens were granted. */
  async function exhaust(ledger: Ledger, name: string, over: Partial<Reservation> = {}): Promise<number> {
    let granted = 0
    for (let at = 0; at < 1_000; at++) {
      const request = call(`${name}-${at}`, over)
      if (!(await ledger.reserve(request)).granted) return granted
      granted += request.tokens
    }
    throw new Error('The limit does not hold')
  }
  /** All keys as they are; `restore` brings that state back, as a failover to a late replica would. */
  async function snapshot(): Promise<{ restore(): Promise<void> }> {
    const keys = await server.admin.keys('*')
    const dumps = await Promise.all(keys.map((key) => server.admin.dumpBuffer(key)))
    return {
      restore: async () => {
        await server.admin.flushall()
        for (const [at, key] of keys.entries()) {
          const dump = dumps[at]
          if (dump) await server.admin.restore(key, 0, dump)
        }
      },
    }
  }

  it.each([
    ['flushed', () => server.flush()],
    ['killed and started empty', () => server.restartEmpty()],
  ])('RL6 %s: what was granted stays granted, whoever made the calls', async (_, lose) => {
    const [first, second] = [await process(), await process()]
    let granted = 0
    for (let at = 0; at < 20; at++) {
      for (const ledger of [first, second]) {
        const outcome = await ledger.reserve(call(`${at}-${ledger === first ? 1 : 2}`))
        if (outcome.granted) granted += 10
      }
    }
    expect(granted).toBe(400)
    await lose()
    // A third process, which knows nothing of either, is the first to come.
    const third = await process()
    granted += await exhaust(third, 'third')
    granted += await exhaust(first, 'more')
    expect(granted).toBeLessThanOrEqual(1_280)
    // What a loss costs is bounded: the unused rest below a ceiling.
    expect(granted).toBeGreaterThanOrEqual(1_280 - 2 * 20)
  })

  it('RL6 again and again, with settlements between, the limit holds', async () => {
    const [first, second] = [await process(), await process()]
    let used = 0
    for (let round = 0; round < 8; round++) {
      for (const [at, ledger] of [first, second, first].entries()) {
        const id = `${round}-${at}`
        if (!(await ledger.reserve(call(id, { tokens: 50 }))).granted) continue
        used += round % 2 === 0 ? 50 : 20
        if (round % 2 === 1) await ledger.settle('acme', id, 20)
      }
      await server.flush()
    }
    used += await exhaust(second, 'rest')
    expect(used).toBeLessThanOrEqual(1_280)
  })

  it('RL6 one of the two keys alone is found out', async () => {
    const ledger = await process()
    await exhaust(ledger, 'a', { limit: 640 })
    await server.admin.del(`cp-${planes}:ledger:{acme}:times`)
    // Nothing would expire them any more: they are spent now.
    expect(await ledger.read('acme', thisMonth())).toEqual({ spent: 640, reserved: 0 })
    expect(await exhaust(ledger, 'b', { limit: 640 })).toBe(0)
    await server.admin.del(`cp-${planes}:ledger:{acme}`)
    expect(await exhaust(ledger, 'c', { limit: 640 })).toBe(0)
  })

  it('RL6 without a limit the most of what store and process know counts', async () => {
    recount.used.set(`acme/${thisMonth()}`, 300)
    const ledger = await process()
    expect(await total(ledger)).toBe(300)
    await ledger.reserve(call('a', { limit: null, tokens: 50 }))
    await server.flush()
    expect(await total(ledger)).toBe(350)
    expect(recount.calls.raises).toBe(0)
  })

  it('RL6 while the store is away too, nothing is granted', async () => {
    const ledger = await process()
    await ledger.reserve(call('a'))
    await server.flush()
    recount.isAway = true
    await expect(ledger.reserve(call('b'))).rejects.toMatchObject({ reason: 'Unavailable' })
    recount.isAway = false
    expect(await ledger.reserve(call('b'))).toMatchObject({ granted: true })
  })

  it('RL5 the store knows a bound of all that was granted, at the price of some writes', async () => {
    const [first, second] = [await process(), await process()]
    const results = await Promise.all(
      Array.from({ length: 60 }, (_, at) => (at % 2 === 0 ? first : second).reserve(call(`c${at}`))),
    )
    expect(results.every((outcome) => outcome.granted)).toBe(true)
    const ceiling = recount.ceilings.get(`acme/${thisMonth()}`) ?? 0
    expect(ceiling).toBeGreaterThanOrEqual(600)
    expect(await total(first)).toBe(600)
    expect(recount.calls.raises).toBeLessThan(30)
  })

  it('RL7 an older state is found by a process that saw what it lacks', async () => {
    const [first, second] = [await process(), await process()]
    await first.reserve(call('a'))
    const before = await snapshot()
    for (let at = 0; at < 30; at++) await first.reserve(call(`lost-${at}`))
    await before.restore()
    // The second goes on where the tail was lost: past the first one's sequence, but without its reservation.
    let granted = 310
    for (let at = 0; at < 3; at++) if ((await second.reserve(call(`s-${at}`))).granted) granted += 10
    granted += await exhaust(first, 'f')
    granted += await exhaust(second, 's2')
    expect(granted).toBeLessThanOrEqual(1_280)
  })

  it.each(['sequence', 'own reservation'])(
    'RL7 below the ceiling, it is found by the %s that is not there',
    async (what) => {
      const [first, second] = [await process(), await process()]
      const wide = { limit: 128_000 }
      await first.reserve(call('a', wide))
      const before = await snapshot()
      for (let at = 0; at < 5; at++) await first.reserve(call(`lost-${at}`, wide))
      const reader = await process()
      await total(reader)
      await before.restore()
      // Others may have gone past the sequence by then.
      if (what === 'own reservation') for (let at = 0; at < 9; at++) await second.reserve(call(`s-${at}`, wide))
      const finder = what === 'sequence' ? reader : first
      expect(recount.calls.raises).toBe(1)
      expect(await total(finder)).toBe(recount.ceilings.get(`acme/${thisMonth()}`))
      expect(await total(finder)).toBeGreaterThan(150)
    },
  )

  it('RL7 a process that saw nothing finds it by the ceiling in the store', async () => {
    const first = await process()
    await first.reserve(call('a'))
    const before = await snapshot()
    for (let at = 0; at < 30; at++) await first.reserve(call(`lost-${at}`))
    await first.close()
    await before.restore()
    const granted = await exhaust(await process(), 'n')
    const chunk = 20
    expect(310 + granted).toBeLessThanOrEqual(1_280 + chunk)
    expect(granted).toBeGreaterThan(0)
  })

  it('LE7 RL8 frozen, it refuses within the deadline, and what may have been reserved comes back', async () => {
    const ledger = await process()
    await ledger.reserve(call('a'))
    server.freeze()
    const since = realClock.monotonic()
    await expect(ledger.reserve(call('frozen'))).rejects.toMatchObject({ reason: 'Unavailable' })
    expect(realClock.monotonic() - since).toBeLessThan(1_500)
    server.resume()
    await expect.poll(() => total(ledger), { timeout: 5_000 }).toBe(10)
    expect(await ledger.reserve(call('b'))).toMatchObject({ granted: true })
  })

  it('RL8 away for longer, it refuses at once', async () => {
    const ledger = await process()
    await ledger.reserve(call('a'))
    await server.kill()
    await expect(ledger.reserve(call('b'))).rejects.toMatchObject({ reason: 'Unavailable' })
    await realClock.sleep(400)
    const since = realClock.monotonic()
    await expect(ledger.reserve(call('c'))).rejects.toMatchObject({ reason: 'Unavailable' })
    expect(realClock.monotonic() - since).toBeLessThan(100)
  })

  it('RL8 it opens while Redis is away, and serves when it comes', async () => {
    await server.kill()
    const ledger = await process()
    await expect(ledger.reserve(call('a'))).rejects.toMatchObject({ reason: 'Unavailable' })
    await server.start()
    await expect
      .poll(() => ledger.reserve(call('b')).catch(() => undefined), { timeout: 5_000 })
      .toMatchObject({ granted: true })
  })

  it('LE7 RL9 what is booked while it is away is booked when it is back, once', async () => {
    const persistent = await RedisServer.start(['--appendonly', 'yes', '--appendfsync', 'always'])
    try {
      const ledger = await process({ url: persistent.url })
      await ledger.reserve(call('a', { tokens: 100 }))
      await persistent.kill()
      await ledger.settle('acme', 'a', 30)
      const spending = { tenant: 'acme', period: thisMonth(), id: 'without', tokens: 2_000 }
      await ledger.spend(spending)
      await ledger.spend(spending)
      await persistent.start()
      await expect
        .poll(() => ledger.read('acme', thisMonth()).catch(() => undefined), { timeout: 5_000 })
        .toEqual({ spent: 2_030, reserved: 0 })
      expect(await ledger.reserve(call('b'))).toMatchObject({ granted: false })
    } finally {
      await open.pop()?.close()
      await persistent.destroy()
    }
  })

  it('LE7 RL9 without room to remember spending it is Full and grants nothing; closed it is Closed', async () => {
    const ledger = await process()
    await ledger.reserve(call('a'))
    await server.kill()
    await expect(ledger.reserve(call('b'))).rejects.toMatchObject({ name: 'LedgerError', reason: 'Unavailable' })
    const spend = (id: number): Promise<void> =>
      ledger.spend({ tenant: 'acme', period: thisMonth(), id: `without-${id}`, tokens: 1 })
    await Promise.all(Array.from({ length: 4_999 }, (_, at) => spend(at)))
    await expect(ledger.reserve(call('c'))).rejects.toMatchObject({ reason: 'Unavailable' })
    await spend(4_999)
    await expect(ledger.reserve(call('d'))).rejects.toMatchObject({ name: 'LedgerError', reason: 'Full' })
    await ledger.close()
    await expect(ledger.read('acme', thisMonth())).rejects.toMatchObject({ name: 'LedgerError', reason: 'Closed' })
  })

  it('RL2 fifty calls at once against a nearly empty budget, with replies cut: not one token too many', async () => {
    const proxy = await layWire(server.port)
    const url = `redis://127.0.0.1:${proxy.port}`
    try {
      const ledgers = [await process({ url, deadlineMs: 3_000 }), await process({ url, deadlineMs: 3_000 })]
      await ledgers[0]?.reserve(call('most', { tokens: 1_180 }))
      let replies = 0
      proxy.tearReply = () => replies++ % 7 === 0
      const requests = Array.from({ length: 50 }, (_, at) => call(`c${at}`))
      const outcomes = await Promise.all(
        requests.map(async (request, at) => {
          try {
            return await ledgers[at % 2]?.reserve(request)
          } catch {
            return undefined
          }
        }),
      )
      proxy.tearReply = undefined
      const granted = outcomes.filter((outcome) => outcome?.granted === true).length
      expect(proxy.torn).toBeGreaterThan(0)
      expect(granted).toBeLessThanOrEqual(10)
      expect(granted).toBeGreaterThan(0)
      const ledger = await process()
      expect(await total(ledger)).toBeLessThanOrEqual(1_280)
      // What was said stays said, to whoever asks again under the same id.
      for (const [at, outcome] of outcomes.entries())
        if (outcome !== undefined) expect(await ledger.reserve(call(`c${at}`))).toEqual(outcome)
    } finally {
      await Promise.all(open.splice(0).map((ledger) => ledger.close()))
      await proxy.close()
    }
  })

  it('RL3 a wrong clock of the caller opens no budget; a very wrong one is refused', async () => {
    const ledger = await process()
    await exhaust(ledger, 'a')
    for (const days of [-40, 40]) {
      const period = periodOf(realClock.now() + days * DAY_MS)
      expect(await ledger.reserve(call(`skewed${days}`, { period }))).toMatchObject({ granted: false, available: 0 })
    }
    await expect(ledger.reserve(call('far', { period: '2001-01' }))).rejects.toMatchObject({ reason: 'Unavailable' })
  })

  it('RL3 a wrong clock of Redis opens no budget either', async () => {
    const right = await process()
    await exhaust(right, 'a')
    for (const days of [-40, 40]) {
      const wrong = await process({ now: () => realClock.now() + days * DAY_MS })
      expect(await wrong.reserve(call(`wrong${days}`))).toMatchObject({ granted: false, available: 0 })
    }
    expect(await total(right)).toBe(1_280)
  })

  it('RL3 by Redis’ own clock a reservation expires as spent in full', async () => {
    const ledger = await process()
    await ledger.reserve(call('a', { expiresAfterMs: 50 }))
    expect(await ledger.read('acme', thisMonth())).toEqual({ spent: 0, reserved: 10 })
    await expect.poll(() => ledger.read('acme', thisMonth())).toEqual({ spent: 10, reserved: 0 })
  })

  it('RL1 keys carry the tenant as their hash tag, and end some day', async () => {
    const ledger = await process()
    await ledger.reserve(call('a'))
    const keys = (await server.admin.keys(`cp-${planes}:*`)).sort()
    expect(keys).toEqual([`cp-${planes}:ledger:{acme}`, `cp-${planes}:ledger:{acme}:times`])
    for (const key of keys) expect(await server.admin.pttl(key)).toBeGreaterThan(150 * DAY_MS)
    for (const tenant of ['a}b', '*', '', 'A', 'a:b'])
      await expect(ledger.reserve(call('x', { tenant }))).rejects.toThrow()
  })

  it('RL4 five hundred ids that nobody settled are expired and forgotten bit by bit', async () => {
    let nowMs = realClock.now()
    const ledger = await process({ now: () => nowMs })
    for (let at = 0; at < 500; at++) await ledger.reserve(call(`old-${at}`, { limit: null, expiresAfterMs: 1 }))
    nowMs += 1_000
    await ledger.read('acme', thisMonth())
    expect(await server.admin.zcount(`cp-${planes}:ledger:{acme}:times`, '-inf', nowMs)).toBe(400)
    for (let turn = 0; turn < 5; turn++) await ledger.read('acme', thisMonth())
    expect(await ledger.read('acme', thisMonth())).toEqual({ spent: 5_000, reserved: 0 })
    nowMs += 3_600_001
    for (let turn = 0; turn < 6; turn++) await ledger.read('acme', periodOf(nowMs))
    expect(await server.admin.zcard(`cp-${planes}:ledger:{acme}:times`)).toBe(0)
    expect(await server.admin.hlen(`cp-${planes}:ledger:{acme}`)).toBeLessThan(12)
  })
})
