/** Holds the ledger to the commands that it says it uses, as a Redis user who may run no others. Rules: ledger.ts beside this. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { realClock } from '../../../system/clock.ts'
import { silentLog } from '../../../system/log.ts'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import { periodOf, type Ledger } from '../ledger.ts'
import { createFakeRecount } from './fake-recount.ts'
import { createRedisLedger } from './ledger.ts'

const PREFIX = 'cp-1'
/** The list of RL10. */
const COMMANDS = 'evalsha eval time hget hmget hset hdel zadd zrem zcard zrangebyscore pexpire del'.split(' ')
/** What ioredis sends when it connects. */
const HANDSHAKE = ['hello', 'auth', 'info', 'client|setname']
const RETENTION_MS = 3_600_000

describe.skipIf(!hasRedisServer)('a user of Redis who may no more than the ledger needs', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await RedisServer.start()
    const allowed = [...COMMANDS, ...HANDSHAKE].map((command) => `+${command}`)
    await server.admin.call('ACL', 'SETUSER', 'ledger', 'on', '>secret', `~${PREFIX}:ledger:*`, '-@all', ...allowed)
  })
  afterAll(() => server.destroy())

  let nowMs = realClock.now()
  /** A process of that user; by Redis' own time, or by a time that the test moves. */
  const open = ({ prefix = PREFIX, time = 'moved' as 'moved' | 'own' } = {}): Promise<Ledger> =>
    createRedisLedger({
      url: `redis://ledger:secret@127.0.0.1:${server.port}`,
      prefix,
      recount: createFakeRecount(),
      clock: realClock,
      log: silentLog,
      ...(time === 'own' ? {} : { now: () => nowMs }),
    })

  /** Everything that the ledger ever does: grant, refuse, settle, spend, expire, forget, rebuild. */
  async function live(ledger: Ledger): Promise<void> {
    const month = periodOf(nowMs)
    const call = { tenant: 'acme', period: month, tokens: 10, limit: 40, expiresAfterMs: 1_000 }
    const granted: boolean[] = []
    for (const id of ['a', 'b', 'c', 'd', 'e']) granted.push((await ledger.reserve({ ...call, id })).granted)
    expect(granted).toEqual([true, true, true, true, false])
    await ledger.settle('acme', 'a', 3)
    await ledger.spend({ tenant: 'acme', period: month, id: 'f', tokens: 5 })
    nowMs += 2_000
    expect(await ledger.read('acme', month)).toEqual({ spent: 38, reserved: 0 })
    nowMs += RETENTION_MS + 1
    await ledger.read('acme', periodOf(nowMs))
    await server.admin.del(`${PREFIX}:ledger:{acme}:times`)
    await ledger.read('acme', periodOf(nowMs))
  }

  it('RL10 does all that it does by the commands that are named, and needs each of them', async () => {
    await server.admin.call('CONFIG', 'RESETSTAT')
    const [ledger, another] = [await open(), await open({ time: 'own' })]
    try {
      await live(ledger)
      await another.read('beta', periodOf(realClock.now()))
    } finally {
      await Promise.all([ledger.close(), another.close()])
    }
    const stats = await server.admin.info('commandstats')
    const run = [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, name = '']) => name)
    const own = run.filter((name) => !name.startsWith('config') && !HANDSHAKE.includes(name))
    expect(own.toSorted()).toEqual(COMMANDS.toSorted())
    expect(await server.admin.call('ACL', 'LOG')).toEqual([])
  })

  it('RL1 RL10 touches no key outside of its prefix', async () => {
    const other = await open({ prefix: 'cp-2' })
    try {
      await expect(other.read('acme', periodOf(nowMs))).rejects.toMatchObject({ reason: 'Unavailable' })
    } finally {
      await other.close()
    }
  })
})
