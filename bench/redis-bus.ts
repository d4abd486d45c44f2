/** From a published hint to the sprite's claim, over a real redis-server, against bare ioredis pub/sub in the same run. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Redis } from 'ioredis'
import { createRedisBus } from '../controller/bus/redis/bus.ts'
import { createSpriteUsers } from '../controller/bus/redis/users.ts'
import { MASTER_KEY, startHarness, TENANT, type Harness } from '../controller/coordinator/fake/harness.ts'
import { spriteInbox } from '../protocol/channels.ts'
import { SPRITE_API } from '../protocol/coordinator.ts'
import { withBus } from '../sprite/bus-inbox.ts'
import { createCoordinatorClient } from '../sprite/coordinator-client.ts'
import { createHttp } from '../sprite/http.ts'
import { finished, NOTHING_YET } from '../sprite/outcome.ts'
import { redisOpener } from '../sprite/redis-connection.ts'
import { Sprite } from '../sprite/sprite.ts'
import { realClock } from '../system/clock.ts'
import { realEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { hasRedisServer, RedisServer } from '../test/e2e/redis-server.ts'
import { percentile, type Row } from './table.ts'

const SYSTEM = { clock: realClock, entropy: realEntropy, log: silentLog }
const ROUNDS = 5
const HINTS = 400
const WARM_UP = 200
/** Between two hints, so that the sprite's claim is answered and all is idle. */
const PAUSE_MS = 2
const INBOX = spriteInbox(TENANT, 'cara')
const HINT = { type: 'work_available' }

/** Rows for the hint and for the whole task; the middle one of five rounds, ours and bare in turns. None without redis-server. */
export async function benchRedisBus(): Promise<Row[]> {
  if (!hasRedisServer) return []
  const server = await RedisServer.start()
  const bare = await startBare(server.url)
  const ours = await startOurs(server)
  try {
    await pairedMs(WARM_UP, bare.once, ours.claimOnce)
    const claims: Pair[] = []
    const tasks: Pair[] = []
    for (let round = 0; round < ROUNDS; round++) {
      claims.push(await pairedMs(HINTS, bare.once, ours.claimOnce))
      tasks.push(await pairedMs(HINTS / 4, bare.once, ours.taskOnce))
    }
    return [
      { ...rowOf('hint published on Redis -> claim at the Coordinator', claims), aim: { ratio: 3, atMost: true } },
      rowOf('hint published on Redis -> task in hand', tasks),
    ]
  } finally {
    await ours.close()
    bare.close()
    await server.destroy()
  }
}

type Pair = { readonly bare: number; readonly ours: number }

/** Medians of both, taken in turns, one by one: what else the machine does meanwhile befalls both alike. */
async function pairedMs(count: number, bare: () => Promise<number>, ours: () => Promise<number>): Promise<Pair> {
  const samples = { bare: [] as number[], ours: [] as number[] }
  for (let n = 0; n < count; n++) {
    samples.bare.push(await bare())
    samples.ours.push(await ours())
  }
  return { bare: percentile(samples.bare, 0.5), ours: percentile(samples.ours, 0.5) }
}

/** The round in the middle, by its ratio. */
function rowOf(what: string, rounds: readonly Pair[]): Row {
  const byRatio = rounds.toSorted((a, b) => a.ours / a.bare - b.ours / b.bare)
  const { bare, ours } = byRatio[Math.floor(byRatio.length / 2)] ?? { bare: NaN, ours: NaN }
  const divisor = `bare ioredis publish -> message ${bare.toFixed(3)} ms`
  return { what, ours: `${ours.toFixed(3)} ms`, divisor, ratio: ours / bare }
}

/** A publisher and a subscriber that do nothing else. */
async function startBare(url: string): Promise<{ once: () => Promise<number>; close: () => void }> {
  const [publisher, subscriber] = [new Redis(url), new Redis(url)]
  let onMessage = (): void => {}
  subscriber.on('message', () => onMessage())
  await subscriber.subscribe('bare')
  return {
    once: async () => {
      // Hints come to processes that were idle: both sides are measured from there.
      await realClock.sleep(PAUSE_MS)
      const heard = new Promise<void>((resolve) => (onMessage = resolve))
      const startedAt = realClock.monotonic()
      void publisher.publish('bare', JSON.stringify(HINT))
      await heard
      return realClock.monotonic() - startedAt
    },
    close: () => {
      publisher.disconnect()
      subscriber.disconnect()
    },
  }
}

type Ours = { claimOnce: () => Promise<number>; taskOnce: () => Promise<number>; close: () => Promise<void> }

/** Bus, users and Coordinator of a control plane, and a sprite that listens on Redis. */
async function startOurs(server: RedisServer): Promise<Ours> {
  const bus = await createRedisBus({ ...SYSTEM, url: server.url })
  const users = createSpriteUsers({ ...SYSTEM, url: server.url, masterKey: MASTER_KEY })
  const harness = await startHarness({ bus, spriteUsers: users })
  const seen = { onClaim: (): void => {}, onTask: (): void => {}, idle: Promise.resolve() }
  const door = await listen(harness, seen)
  const http = createHttp({ baseUrl: door.url, token: harness.token(), clock: realClock })
  const sprite = new Sprite(
    {
      ...SYSTEM,
      coordinator: withBus(createCoordinatorClient({ ...SYSTEM, http }), {
        ...SYSTEM,
        open: redisOpener(SYSTEM),
        identity: { uid: 'uid-cara', incarnation: 2 },
      }),
      doTask: (task) => {
        seen.onTask()
        return Promise.resolve(finished(NOTHING_YET, 'Done', task))
      },
    },
    { boot: {}, version: 'bench', startedAtMs: 0 },
  )
  sprite.start()
  await untilOnRedis(server)
  let works = 0
  const after = async (what: 'onClaim' | 'onTask', prepare = (): void => {}): Promise<number> => {
    await seen.idle
    prepare()
    const done = new Promise<void>((resolve) => (seen[what] = resolve))
    const startedAt = realClock.monotonic()
    void bus.publish(INBOX, HINT)
    await done
    seen[what] = () => {}
    return realClock.monotonic() - startedAt
  }
  return {
    claimOnce: () => after('onClaim'),
    taskOnce: async () => {
      const work = `bench-${++works}`
      const status = { phase: 'Assigned', assignedSprite: 'cara' } as const
      const ms = await after('onTask', () => harness.seedWork(work, { status }))
      while (harness.work(work).status?.phase !== 'Completed') await realClock.sleep(1)
      await realClock.sleep(5) // its last claim, which finds nothing
      return ms
    },
    close: async () => {
      sprite.stop()
      await sprite.done
      http.close()
      door.server.closeAllConnections()
      door.server.close()
      users.close()
      await harness.close()
    },
  }
}

/** The Coordinator behind a door that notices claims; `idle` resolves when the last one was answered and read. */
async function listen(
  harness: Harness,
  seen: { onClaim: () => void; idle: Promise<void> },
): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    if (request.url === SPRITE_API.claim) {
      seen.onClaim()
      seen.idle = once(response, 'close').then(() => realClock.sleep(PAUSE_MS))
    }
    void harness.coordinator.route(request, response, new URL(request.url ?? '/', 'http://localhost'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo // a TCP server has one
  return { server, url: `http://127.0.0.1:${port}` }
}

async function untilOnRedis(server: RedisServer): Promise<void> {
  while (!String(await server.admin.client('LIST')).includes('user=sprite_')) await realClock.sleep(5)
  await realClock.sleep(200) // the stream is closed, and the claim after it answered
}
