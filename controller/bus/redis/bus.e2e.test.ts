/** Runs the Bus contract on a real redis-server, and the adapter's own rules under its faults. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { spriteHeartbeat, spriteInbox } from '../../../protocol/channels.ts'
import { realClock } from '../../../system/clock.ts'
import { realEntropy } from '../../../system/entropy.ts'
import { silentLog, type Log } from '../../../system/log.ts'
import { createMetrics, type Metrics } from '../../../system/metrics.ts'
import { hasRedisServer, RedisServer } from '../../../test/e2e/redis-server.ts'
import type { Bus } from '../bus.ts'
import { busContract } from '../contract.ts'
import { createPresence } from '../presence-tracker.ts'
import { createRedisBus, type RedisBusOptions } from './bus.ts'

/** Short times: an outage is noticed and over within a part of a second. */
const TIMES = { pingIntervalMs: 50, answerTimeoutMs: 300, backoff: { baseMs: 10, maxMs: 100, jitter: 0.5 } }

async function until(what: string, holds: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = realClock.monotonic() + timeoutMs
  while (!(await holds())) {
    if (realClock.monotonic() > deadline) throw new Error(`Waited in vain for ${what}`)
    await realClock.sleep(5)
  }
}

const valueOf = async (metrics: Metrics, line: string): Promise<number> =>
  Number(
    (await metrics.expose())
      .split('\n')
      .find((one) => one.startsWith(line))
      ?.split(' ')
      .at(-1) ?? 0,
  )

let server: RedisServer
let open: Bus[] = []

const openBus = async (options: Partial<RedisBusOptions> = {}): Promise<Bus> => {
  const bus = await createRedisBus({
    url: server.url,
    clock: realClock,
    entropy: realEntropy,
    log: silentLog,
    times: TIMES,
    ...options,
  })
  open.push(bus)
  return bus
}

const closeAll = async (): Promise<void> => {
  for (const bus of open) await bus.close()
  open = []
}

describe.skipIf(!hasRedisServer)('on a redis-server (needs redis-server)', () => {
  beforeEach(async () => {
    server = await RedisServer.start()
  })
  afterEach(async () => {
    await closeAll()
    await server.destroy()
  })
  busContract('redis', () => openBus({ times: {} }))
})

describe.skipIf(!hasRedisServer)('redis bus under faults (needs redis-server)', () => {
  let metrics: Metrics
  let warnings: string[]
  let log: Log
  beforeEach(async () => {
    server = await RedisServer.start()
    metrics = createMetrics()
    warnings = []
    log = { ...silentLog, warn: (_, message) => void warnings.push(message), child: () => log }
  })
  afterEach(async () => {
    await closeAll()
    await server.destroy()
  })

  /** Two processes' buses, and what the second hears on channels `a` and `sprite:*`. */
  async function pair(): Promise<{ here: Bus; there: Bus; heard: unknown[] }> {
    const [here, there] = [await openBus({ metrics, log }), await openBus({})]
    const heard: unknown[] = []
    await there.subscribe('a', (message) => heard.push(message))
    await there.subscribe('sprite:*', (message) => heard.push(message))
    return { here, there, heard }
  }

  /** Publishes until the other side has heard something new. */
  async function untilHeard({ here, heard }: { here: Bus; heard: unknown[] }): Promise<void> {
    const before = heard.length
    await until('a message to arrive', async () => {
      await here.publish('a', { n: 1 })
      return heard.length > before
    })
  }

  it('RB2 starts with Redis down, and hears once it is there', async () => {
    await server.kill()
    const both = await pair()
    await both.here.publish('a', { n: 0 })
    await server.start()
    await untilHeard(both)
    expect(await valueOf(metrics, 'sprites_bus_lost_total{reason="away"}')).toBeGreaterThan(0)
  })

  it('RB2 comes back after kill -9 with all subscriptions, to an empty server too', async () => {
    const both = await pair()
    await untilHeard(both)
    for (let round = 0; round < 3; round++) {
      await server.restartEmpty()
      await untilHeard(both)
    }
    const before = both.heard.length
    await both.here.publish(spriteInbox('t', 's'), { type: 'drain' })
    await until('the subscription by prefix', () =>
      both.heard.slice(before).some((one) => JSON.stringify(one).includes('drain')),
    )
  })

  it('RB2 comes back after its subscribers were killed', async () => {
    const both = await pair()
    await untilHeard(both)
    expect(await server.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBeGreaterThan(0)
    await untilHeard(both)
  })

  it('RB3 while Redis is away, subscribers of the same process hear, publish fails nobody, and it is told once', async () => {
    const both = await pair()
    const own: unknown[] = []
    await both.here.subscribe('a', (message) => own.push(message))
    await server.kill()
    await until('the loss to be noticed', () => both.here.deafUntilMs() >= realClock.now() - 1)
    warnings.length = 0
    for (let n = 0; n < 100; n++) await both.here.publish('a', { n })
    await until('all of them', () => own.length === 100)
    expect(own.at(-1)).toEqual({ n: 99 })
    expect(both.heard).toEqual([])
    expect(warnings.filter((one) => one.includes('do not reach'))).toHaveLength(1)
    expect(await valueOf(metrics, 'sprites_bus_lost_total{reason="away"}')).toBe(100)
  })

  it('RB3 unanswered messages are bounded, and lost ones are counted', async () => {
    const bus = await openBus({ metrics, unansweredMax: 10, times: { ...TIMES, answerTimeoutMs: 5_000 } })
    const own: unknown[] = []
    await bus.subscribe('a', (message) => own.push(message))
    server.freeze()
    for (let n = 0; n < 50; n++) void bus.publish('a', { n })
    await until('those beyond the bound', () => own.length === 40)
    expect(await valueOf(metrics, 'sprites_bus_lost_total{reason="crowded"}')).toBe(40)
    server.resume()
    await until('the others', () => own.length === 50)
  })

  it('RB4 foreign messages are dropped and counted, and disturb nobody', async () => {
    const heard: unknown[] = []
    const bus = await openBus({ metrics, messageBytesMax: 1_000 })
    await bus.subscribe('sprite:*', (message) => heard.push(message))
    const channel = spriteInbox('t', 's')
    const foreign = [
      '',
      '{',
      'null',
      '"drain"',
      '[]',
      '{"type":"shell","run":"rm"}',
      '{"__proto__":{"type":"drain"}}',
      '['.repeat(500),
      JSON.stringify({ type: 'abandon', work: 'x'.repeat(2_000) }),
      'ü'.repeat(600),
    ]
    for (const text of foreign) await server.admin.publish(channel, text)
    await server.admin.publish(channel, Buffer.from([0xff, 0xfe, 0, 1]))
    await server.admin.publish(channel, JSON.stringify({ type: 'drain', since: 'version 9' }))
    await until('the one that is right', () => heard.length > 0)
    expect(heard).toEqual([{ type: 'drain' }])
    expect(({} as { type?: string }).type).toBeUndefined()
    const dropped = await Promise.all(
      ['not_json', 'wrong_shape', 'too_long'].map((reason) =>
        valueOf(metrics, `sprites_bus_dropped_total{reason="${reason}"}`),
      ),
    )
    expect(dropped).toEqual([4, 5, 2])
  })

  it('RB4 a message that is too long is not sent', async () => {
    const both = await pair()
    await both.here.publish('a', { text: 'x'.repeat(70_000) })
    await untilHeard(both)
    expect(both.heard).toEqual([{ n: 1 }])
    expect(await valueOf(metrics, 'sprites_bus_lost_total{reason="too_long"}')).toBe(1)
  })

  it('RB4 messages doubled, reordered and of yesterday arrive as they are: hints', async () => {
    const both = await pair()
    const yesterday = JSON.stringify({ type: 'abandon', work: 'old' })
    for (let n = 0; n < 10; n++) await server.admin.publish(spriteInbox('t', 's'), yesterday)
    await until('all ten', () => both.heard.length === 10)
  })

  it('RB4 a forged tenant in a message changes nothing: the channel says whose it is', async () => {
    const bus = await openBus()
    const presence = await createPresence({ bus, clock: realClock })
    const beat = { tenant: 'rival', sprite: 'other', uid: 'u', incarnation: 1, state: 'idle', atMs: 1 }
    await server.admin.publish(spriteHeartbeat('acme', 'ed'), JSON.stringify(beat))
    await until('the sign of life', () => presence.read('acme', 'ed') !== undefined)
    expect(presence.read('rival', 'other')).toBeUndefined()
    await presence.close()
  })

  it('RB5 a frozen Redis is noticed, publish does not wait for it, and all goes on after', async () => {
    const both = await pair()
    await untilHeard(both)
    server.freeze()
    const started = realClock.monotonic()
    for (let n = 0; n < 100; n++) await both.here.publish('a', { n })
    expect(realClock.monotonic() - started).toBeLessThan(200)
    await until('the freeze to be noticed', () => both.here.deafUntilMs() >= realClock.now() - 1, 2_000)
    expect(realClock.monotonic() - started).toBeLessThan(1_500)
    server.resume()
    await untilHeard(both)
  })

  it('RB6 deafUntilMs follows the clock while Redis is away, and stands once the subscriptions do', async () => {
    const { there } = await pair()
    expect(there.deafUntilMs()).toBeLessThanOrEqual(realClock.now())
    const stood = there.deafUntilMs()
    await realClock.sleep(20)
    expect(there.deafUntilMs()).toBe(stood)
    await server.kill()
    await until('the loss', () => there.deafUntilMs() > stood)
    const first = there.deafUntilMs()
    await realClock.sleep(20)
    expect(there.deafUntilMs()).toBeGreaterThan(first)
    await server.start()
    await until('the return', () => there.deafUntilMs() < realClock.now() - 30)
  })

  it('RB6 a refused subscription is deafness, until it is allowed', async () => {
    // What docs/operations.md tells to grant, and a channel too few.
    const commands = '+subscribe +unsubscribe +psubscribe +punsubscribe +publish +ping +hello +auth'.split(' ')
    await server.admin.acl('SETUSER', 'plane', 'on', '>secret', ...commands, 'resetchannels', '&a')
    const url = server.url.replace('://', '://plane:secret@')
    const bus = await openBus({ url })
    const heard: unknown[] = []
    await bus.subscribe('sprite:*', (message) => heard.push(message))
    expect(bus.deafUntilMs()).toBeGreaterThan(realClock.now() - 50)
    await server.admin.acl('SETUSER', 'plane', '&*')
    await until('the right to listen', () => bus.deafUntilMs() < realClock.now() - 50)
    await server.admin.publish(spriteInbox('t', 's'), '{"type":"ping"}')
    await until('the message', () => heard.length === 1)
  })

  it('RB3 a publish that is refused (NOPERM) is lost to others and fails nobody', async () => {
    await server.admin.acl('SETUSER', 'mute', 'on', '>secret', '+@all', '-publish', '&*')
    const bus = await openBus({ url: server.url.replace('://', '://mute:secret@'), metrics })
    const own: unknown[] = []
    await bus.subscribe('a', (message) => own.push(message))
    await bus.publish('a', { n: 1 })
    await until('it to arrive here', () => own.length === 1)
    expect(await valueOf(metrics, 'sprites_bus_lost_total{reason="unanswered"}')).toBe(1)
  })

  it('RB2 a Redis without memory, a read-only replica and FLUSHALL hinder no message', async () => {
    const both = await pair()
    await server.admin.config('SET', 'maxmemory', '1')
    await untilHeard(both)
    await server.flush()
    await untilHeard(both)
    const master = await RedisServer.start()
    try {
      await server.admin.replicaof('127.0.0.1', String(master.port))
      await untilHeard(both)
    } finally {
      await master.destroy()
    }
  })

  it('RB1 control planes with different prefixes do not hear each other', async () => {
    const [one, two] = [await openBus({ prefix: 'cp-1:' }), await openBus({ prefix: 'cp-2:' })]
    const heard: string[] = []
    await one.subscribe('sprite:*', (_, channel) => heard.push(`one ${channel}`))
    await two.subscribe('sprite:*', (_, channel) => heard.push(`two ${channel}`))
    await one.publish(spriteInbox('t', 's'), { type: 'drain' })
    await two.publish(spriteInbox('t', 's'), { type: 'drain' })
    await until('both', () => heard.length === 2)
    expect(heard.toSorted()).toEqual(['one sprite:t/s:inbox', 'two sprite:t/s:inbox'])
  })
})
