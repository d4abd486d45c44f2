/** A control plane's bus and Coordinator, and a sprite that listens on Redis, while everything happens to that Redis. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRedisBus } from '../controller/bus/redis/bus.ts'
import { createSpriteUsers } from '../controller/bus/redis/users.ts'
import type { Bus } from '../controller/bus/bus.ts'
import type { SpriteUsers } from '../controller/bus/sprite-users.ts'
import { createPresence } from '../controller/bus/presence-tracker.ts'
import { MASTER_KEY, startHarness, TENANT, type Harness } from '../controller/coordinator/fake/harness.ts'
import { spriteInbox, tenantBroadcasts } from '../protocol/channels.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { withBus } from '../sprite/bus-inbox.ts'
import { createCoordinatorClient } from '../sprite/coordinator-client.ts'
import { createHttp, type Http } from '../sprite/http.ts'
import { finished, NOTHING_YET } from '../sprite/outcome.ts'
import { redisOpener } from '../sprite/redis-connection.ts'
import { Sprite } from '../sprite/sprite.ts'
import type { Work } from '../controller/kinds/work/schema.ts'
import { Plane } from './e2e/plane.ts'
import { hasRedisServer, RedisServer } from './e2e/redis-server.ts'
import { completed, fill, isOver, judgeWork } from './e2e/workload.ts'

/** Short times: an outage is noticed and over within a part of a second. */
const TIMES = { pingIntervalMs: 50, answerTimeoutMs: 300, backoff: { baseMs: 10, maxMs: 100, jitter: 0.5 } }
const SYSTEM = { clock: realClock, entropy: realEntropy, log: silentLog }
/** An idle sprite asks for work every 30 s although no hint came: what is done sooner was done by a hint. */
const BY_HINT_MS = 15_000

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = BY_HINT_MS): Promise<void> {
  const deadline = realClock.monotonic() + timeoutMs
  while (!(await holds())) {
    if (realClock.monotonic() > deadline) throw new Error(`Waited in vain for ${what}`)
    await realClock.sleep(5)
  }
}

describe.skipIf(!hasRedisServer)('a fleet on Redis (needs redis-server)', () => {
  let server: RedisServer
  let bus: Bus
  let users: SpriteUsers
  let h: Harness
  let works: number
  let sprites: { sprite: Sprite; http: Http }[]

  beforeEach(async () => {
    server = await RedisServer.start()
    sprites = []
    works = 0
    await openPlane()
  })
  afterEach(async () => {
    for (const { sprite } of sprites) sprite.stop()
    for (const { sprite, http } of sprites) {
      await sprite.done
      http.close()
    }
    users.close()
    await h.close()
    await server.destroy()
  })

  async function openPlane(): Promise<void> {
    bus = await createRedisBus({ ...SYSTEM, url: server.url, times: TIMES })
    users = createSpriteUsers({ ...SYSTEM, url: server.url, masterKey: MASTER_KEY, times: TIMES })
    const settings = { heartbeatIntervalMs: 100 }
    h = await startHarness({ bus, spriteUsers: users, settings })
    // Never idle for too long: its end is the test's.
    h.seedSprite('cara', { status: {} })
  }

  function startSprite(name = 'cara', incarnation = 2): Sprite {
    const http = createHttp({ baseUrl: h.url, token: h.token(name, incarnation), clock: realClock })
    const sprite = new Sprite(
      {
        ...SYSTEM,
        coordinator: withBus(createCoordinatorClient({ ...SYSTEM, http }), {
          ...SYSTEM,
          open: redisOpener({ ...SYSTEM, answerTimeoutMs: 300, broadcastSpreadMs: 50 }),
          identity: { uid: `uid-${name}`, incarnation },
        }),
        doTask: (task) => Promise.resolve(finished({ ...NOTHING_YET, deliverables: [] }, 'Done', task)),
      },
      { boot: {}, version: 'test', startedAtMs: 0 },
    )
    sprites.push({ sprite, http })
    sprite.start()
    return sprite
  }

  /** How many connections hear the sprite's inbox on Redis. */
  async function listeners(name = 'cara'): Promise<number> {
    const [, count] = (await server.admin.pubsub('NUMSUB', spriteInbox(TENANT, name))) as [string, number] // as Redis answers
    return count
  }
  /** The sprite, and not the Coordinator's stream for it, listens on Redis. */
  const isOnRedis = async (): Promise<boolean> => {
    const clients = String(await server.admin.client('LIST'))
    return clients.includes('user=sprite_') && (await listeners()) === 1
  }
  const onRedis = (): Promise<void> => until('the sprite to listen on Redis', isOnRedis)

  /** Assigns work and says so once, as the dispatcher does; resolves when it is done. */
  async function doWork(): Promise<void> {
    const name = `w${++works}`
    h.seedWork(name, { status: { phase: 'Assigned', assignedSprite: 'cara' } })
    await bus.publish(spriteInbox(TENANT, 'cara'), { type: 'work_available' })
    await until(`${name} to be done`, () => h.work(name).status?.phase === 'Completed')
  }

  it('SB1 work is done by a hint on Redis, and the stream is closed', async () => {
    startSprite()
    await onRedis()
    for (let n = 0; n < 5; n++) await doWork()
    expect(await listeners()).toBe(1)
  })

  it('SB6 kill -9: the sprite falls back, works on by the stream, and returns to an empty Redis', async () => {
    startSprite()
    await onRedis()
    for (let round = 0; round < 2; round++) {
      await server.kill()
      // The first may be found by asking; the second comes by a hint.
      for (let n = 0; n < 2; n++) await doWork()
      await server.start()
      await onRedis()
      await doWork()
    }
  })

  it('SB6 a frozen Redis: work goes on by the stream, and the sprite returns', async () => {
    startSprite()
    await onRedis()
    server.freeze()
    await doWork()
    server.resume()
    await onRedis()
    await doWork()
  })

  it('SB6 CLIENT KILL, FLUSHALL, no memory and a read-only replica', async () => {
    startSprite()
    await onRedis()
    await server.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await doWork()
    await onRedis()
    await server.flush()
    await doWork()
    await server.admin.config('SET', 'maxmemory', '1')
    await doWork()
    await server.admin.replicaof('127.0.0.1', '1')
    await doWork()
    await onRedis()
  })

  it('SB6 a user that was taken away or may do nothing more: the stream, then new access', async () => {
    startSprite()
    await onRedis()
    await users.revoke({ tenant: TENANT, sprite: 'cara', uid: 'uid-cara', incarnation: 2 })
    await doWork()
    await onRedis()
    const [name = ''] = (await server.admin.acl('USERS')).filter((one) => one.startsWith('sprite_'))
    await server.admin.acl('SETUSER', name, 'resetchannels', '-@all', 'clearselectors')
    await doWork()
    await onRedis()
    await doWork()
  })

  it('SB6 hints doubled, forged, of yesterday and from siblings change nothing but the time', async () => {
    startSprite()
    await onRedis()
    const inbox = spriteInbox(TENANT, 'cara')
    for (let n = 0; n < 10; n++) await server.admin.publish(inbox, '{"type":"work_available"}')
    await server.admin.publish(inbox, '{"type":"abandon","work":"w1"}')
    await server.admin.publish(tenantBroadcasts(TENANT), '{"type":"drain"}')
    await server.admin.publish(tenantBroadcasts(TENANT), '{"type":"abandon","work":"w1"}')
    await doWork()
    await server.admin.publish(inbox, '{"type":"abandon","work":"w1"}')
    await doWork()
    expect(h.work('w1').status?.attempts ?? []).toHaveLength(1)
  })

  it('SB2 a broadcast makes sprites look for work', async () => {
    startSprite()
    await onRedis()
    await doWork()
    h.seedWork('quiet', { status: { phase: 'Assigned', assignedSprite: 'cara' } })
    await bus.publish(tenantBroadcasts(TENANT), { type: 'work_available' })
    await until('the work', () => h.work('quiet').status?.phase === 'Completed')
  })

  it('SB5 a Redis without users for sprites: the stream, and nobody has another’s password', async () => {
    await server.admin.acl('SETUSER', 'plane', 'on', '>plane-secret', '+@all', '-acl', '&*', '~*')
    users.close()
    await h.close()
    const url = server.url.replace('://', '://plane:plane-secret@')
    bus = await createRedisBus({ ...SYSTEM, url, times: TIMES })
    users = createSpriteUsers({ ...SYSTEM, url, masterKey: MASTER_KEY, times: TIMES })
    h = await startHarness({ bus, spriteUsers: users })
    startSprite()
    await until('the stream to be open', async () => (await listeners()) === 1)
    await doWork()
    expect(await isOnRedis()).toBe(false)
  })

  it('SB6 a whole control plane on Redis: all work is done while Redis is killed and frozen', async () => {
    const plane = await Plane.create()
    try {
      await plane.start([], { REDIS_URL: server.url })
      await fill(plane)
      const clients = async (): Promise<string> => String(await server.admin.client('LIST'))
      await plane.until('a sprite to listen on Redis', async () => (await clients()).includes('user=sprite_'))
      await server.restartEmpty()
      await plane.until('some work', async () => completed(await plane.list<Work>('work')) >= 3)
      server.freeze()
      await realClock.sleep(10_000)
      server.resume()
      await plane.until('all work to be over', async () => isOver(await plane.list<Work>('work')), 200_000)
      await judgeWork(plane)
    } finally {
      await plane.destroy()
    }
  }, 300_000)

  it.each(['on Redis', 'on the stream of one'])(
    'SB6 two Coordinators: hints of both, doubled, reach a sprite that is %s, and it does each work once',
    async (where) => {
      const other = await createRedisBus({ ...SYSTEM, url: server.url, times: TIMES })
      const isAlone = where === 'on Redis'
      // Whoever may make no users has none for sprites.
      if (!isAlone) await server.admin.acl('SETUSER', 'default', '-acl')
      startSprite()
      if (isAlone) await onRedis()
      else await until('the stream to be open', async () => (await listeners()) === 1)
      for (const name of ['one', 'two']) {
        h.seedWork(name, { status: { phase: 'Assigned', assignedSprite: 'cara' } })
        for (const bell of [other, bus, other])
          void bell.publish(spriteInbox(TENANT, 'cara'), { type: 'work_available' })
        await until(`${name} to be done`, () => h.work(name).status?.phase === 'Completed')
        expect(h.work(name).status?.attempts).toHaveLength(1)
      }
      expect(String(await server.admin.client('LIST')).includes('user=sprite_')).toBe(isAlone)
      await other.close()
    },
  )

  it('SB4 signs of life on Redis reach controllers of other processes', async () => {
    const other = await createRedisBus({ ...SYSTEM, url: server.url, times: TIMES })
    const presence = await createPresence({ bus: other, clock: realClock })
    startSprite()
    await onRedis()
    await until('a sign of life', () => presence.read(TENANT, 'cara')?.incarnation === 2)
    await server.restartEmpty()
    await onRedis()
    const returned = realClock.now()
    await until('signs of life again', () => (presence.read(TENANT, 'cara')?.lastSeenAtMs ?? 0) > returned)
    expect(presence.listeningSinceMs).toBeGreaterThan(0)
    await presence.close()
    await other.close()
  })
})
