/** Tests of sprites' users on a real redis-server: what they can do, what they cannot, and how access ends. */
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BusReply } from '../../../protocol/coordinator.ts'
import { realClock } from '../../../system/clock.ts'
import { realEntropy } from '../../../system/entropy.ts'
import { silentLog } from '../../../system/log.ts'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import type { SpriteUsers } from '../sprite-users.ts'
import { createSpriteUsers } from './users.ts'

const MASTER_KEY = Buffer.alloc(32, 3)
const TIMES = { pingIntervalMs: 50, answerTimeoutMs: 500, backoff: { baseMs: 10, maxMs: 100, jitter: 0.5 } }
const ED = { tenant: 'acme', sprite: 'ed', uid: 'u-ed', incarnation: 1 }
const EVE = { tenant: 'rival', sprite: 'eve', uid: 'u-eve', incarnation: 1 }

describe.skipIf(!hasRedisServer)('users of sprites on a redis-server (needs redis-server)', () => {
  let server: RedisServer
  let users: SpriteUsers
  let clients: Redis[]

  beforeEach(async () => {
    server = await RedisServer.start()
    clients = []
    users = createSpriteUsers({
      url: server.url,
      masterKey: MASTER_KEY,
      clock: realClock,
      entropy: realEntropy,
      log: silentLog,
      times: TIMES,
    })
  })
  afterEach(async () => {
    users.close()
    for (const client of clients) client.disconnect()
    await server.destroy()
  })

  async function granted(who = ED): Promise<BusReply> {
    for (;;) {
      const access = await users.grant(who)
      if (typeof access !== 'string') return access
      if (access === 'Unsupported') throw new Error('The server has users')
      await realClock.sleep(5) // its connection is not up yet
    }
  }

  async function enter(access: BusReply): Promise<Redis> {
    const client = new Redis(access.url, {
      username: access.username,
      password: access.password,
      enableReadyCheck: false,
      disableClientInfo: true,
      lazyConnect: true,
      retryStrategy: null,
      maxRetriesPerRequest: 0,
    })
    client.on('error', () => {}) // a closed or refused connection is what is tested
    clients.push(client)
    await client.connect()
    return client
  }

  it('RB7 a sprite hears its inbox and its tenant’s broadcasts, and gives signs of life', async () => {
    const access = await granted()
    const client = await enter(access)
    const heard: string[] = []
    client.on('message', (channel: string) => heard.push(channel))
    await client.subscribe(access.inbox, access.broadcasts)
    await server.admin.publish(access.inbox, '{}')
    await server.admin.publish(access.broadcasts, '{}')
    expect(await client.publish(access.heartbeat, '{}')).toBe(0)
    await client.ping()
    expect(heard).toEqual([access.inbox, access.broadcasts])
  })

  it('RB7 no way out: every other command, channel and key is refused', async () => {
    const [ed, eve] = [await granted(ED), await granted(EVE)]
    const client = await enter(eve)
    await server.admin.set('sprite:acme', 'secret')
    const commands: readonly (readonly [string, ...string[]])[] = [
      ['SCAN', '0'],
      ['KEYS', '*'],
      ['DBSIZE'],
      ['RANDOMKEY'],
      ['PUBSUB', 'CHANNELS'],
      ['PUBSUB', 'NUMSUB', ed.inbox],
      ['SELECT', '1'],
      ['MOVE', 'sprite:acme', '1'],
      ['FUNCTION', 'FLUSH'],
      ['SCRIPT', 'FLUSH'],
      ['EVAL', 'return 1', '0'],
      ['EVAL_RO', 'return 1', '0'],
      ['FCALL', 'f', '0'],
      ['FLUSHALL'],
      ['SWAPDB', '0', '1'],
      ['GET', 'sprite:acme'],
      ['SET', eve.inbox, '1'],
      ['DEL', eve.inbox],
      ['XADD', eve.inbox, '*', 'a', 'b'],
      ['LPUSH', eve.inbox, '1'],
      ['CONFIG', 'GET', '*'],
      ['ACL', 'LIST'],
      ['ACL', 'SETUSER', eve.username, '+@all'],
      ['CLIENT', 'LIST'],
      ['CLIENT', 'KILL', 'TYPE', 'pubsub'],
      ['CLIENT', 'TRACKING', 'ON', 'BCAST'],
      ['MONITOR'],
      ['INFO'],
      ['DEBUG', 'SLEEP', '0'],
      ['REPLICAOF', 'no', 'one'],
      ['MIGRATE', 'h', '1', 'k', '0', '1'],
      ['MULTI'],
      ['WAIT', '0', '0'],
      ['SHUTDOWN'],
      ['PSUBSCRIBE', '*'],
      ['PSUBSCRIBE', 'sprite:acme/*'],
      ['PSUBSCRIBE', eve.inbox],
      ['PSUBSCRIBE', eve.heartbeat],
      ['SSUBSCRIBE', eve.inbox],
      ['SPUBLISH', eve.heartbeat, '{}'],
      ['SUBSCRIBE', ed.inbox],
      ['SUBSCRIBE', ed.broadcasts],
      ['SUBSCRIBE', ed.heartbeat],
      ['SUBSCRIBE', eve.heartbeat],
      ['SUBSCRIBE', '*'],
      ['SUBSCRIBE', '__keyspace@0__:sprite:acme'],
      ['PUBLISH', ed.inbox, '{"type":"drain"}'],
      ['PUBLISH', ed.heartbeat, '{}'],
      ['PUBLISH', ed.broadcasts, '{}'],
      ['PUBLISH', eve.inbox, '{}'],
      ['PUBLISH', eve.broadcasts, '{}'],
    ]
    for (const [command, ...args] of commands)
      await expect(client.call(command, ...args), [command, ...args].join(' ')).rejects.toThrow(/NOPERM|not allowed/)
    expect(await server.admin.get('sprite:acme')).toBe('secret')
  })

  it('RB9 the next incarnation closes the connections of the last, whose password is void', async () => {
    const before = await granted(ED)
    const client = await enter(before)
    await client.subscribe(before.inbox)
    const closed = new Promise((resolve) => client.once('close', resolve))
    const after = await granted({ ...ED, incarnation: 2 })
    await closed
    await expect(enter(before)).rejects.toThrow()
    await enter(after)
  })

  it('RB9 a revocation closes open connections; a grant to the same incarnation closes none', async () => {
    const access = await granted()
    const client = await enter(access)
    await client.subscribe(access.inbox)
    await granted()
    expect(await client.ping()).toBe('PONG')
    const closed = new Promise((resolve) => client.once('close', resolve))
    expect(await users.revoke(ED)).toBe(true)
    await closed
    await expect(enter(access)).rejects.toThrow()
  })

  it('RB8 after Redis lost everything, the same access is given again', async () => {
    const access = await granted()
    await server.restartEmpty()
    await expect(enter(access)).rejects.toThrow()
    expect(await granted()).toEqual(access)
    await enter(access)
  })

  it('RB8 a Redis without memory or that is a replica still gives access', async () => {
    await server.admin.config('SET', 'maxmemory', '1')
    await enter(await granted())
    await server.admin.replicaof('127.0.0.1', '1')
    await enter(await granted(EVE))
  })

  it('RB11 a control plane without the right to make users gives no access', async () => {
    await server.admin.acl('SETUSER', 'poor', 'on', '>x', '+@all', '-acl', '&*')
    const poor = createSpriteUsers({
      url: server.url.replace('://', '://poor:x@'),
      masterKey: MASTER_KEY,
      clock: realClock,
      entropy: realEntropy,
      log: silentLog,
      times: TIMES,
    })
    let access = await poor.grant(ED)
    while (access === 'Away') {
      await realClock.sleep(5)
      access = await poor.grant(ED)
    }
    poor.close()
    expect(access).toBe('Unsupported')
  })
})
