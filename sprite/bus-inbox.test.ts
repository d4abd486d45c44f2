/** Tests of a sprite between the message bus and the Coordinator's stream, both played by hand. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HeartbeatMessage } from '../protocol/channels.ts'
import type { AnnounceReply, BusReply, HeartbeatRequest, InboxMessage } from '../protocol/coordinator.ts'
import { seededEntropy } from '../system/entropy.ts'
import { silentLog } from '../system/log.ts'
import { settle, TestClock } from '../system/test-clock.ts'
import { withBus } from './bus-inbox.ts'
import { BusError, type BusConnection } from './bus-link.ts'
import { CoordinatorError } from './coordinator-calls.ts'
import type { BusAccess, CoordinatorClient } from './coordinator-client.ts'

const ACCESS: BusReply = { url: 'redis://r', username: 'u', password: 'p', inbox: 'i', broadcasts: 'b', heartbeat: 'h' }
const TERMS: AnnounceReply = {
  tenant: 'acme',
  sprite: 'ed',
  agentType: 'editor',
  incarnation: 2,
  heartbeatIntervalMs: 10_000,
  idleTimeoutMs: 0,
  lostAfterMs: 120_000,
  bus: true,
}

type Connection = { beats: HeartbeatMessage[]; cut(): void; tell(message: InboxMessage): void; takesBeats: boolean }

let clock: TestClock
let lifetime: AbortController
/** What the Coordinator saw. */
let seen: { streams: number; beats: HeartbeatRequest[]; asked: number }
let endStream: (error?: Error) => void
let openStreams: number
/** How the bus answers; undefined: it lets the sprite in. */
let refusal: BusError | undefined
let access: () => Promise<BusReply | undefined>
let connections: Connection[]
let terms: AnnounceReply
let client: CoordinatorClient
let heard: (InboxMessage | 'open')[]

const coordinator = (): CoordinatorClient & BusAccess => ({
  announce: () => Promise.resolve(terms),
  heartbeat: (body) => {
    seen.beats.push(body)
    return Promise.resolve({ directive: 'continue' })
  },
  access: () => {
    seen.asked += 1
    return access()
  },
  inbox: (listener, signal) =>
    new Promise((resolve, reject) => {
      seen.streams += 1
      openStreams += 1
      listener.onOpen()
      let isOpen = true
      const end = (error?: Error): void => {
        if (isOpen) openStreams -= 1
        isOpen = false
        if (error === undefined) resolve()
        else reject(error)
      }
      endStream = end
      signal.addEventListener('abort', () => end(new CoordinatorError('Aborted', 'stopped')), { once: true })
    }),
  claim: () => Promise.resolve(undefined),
  progress: () => Promise.resolve(),
  report: () => Promise.resolve('accepted'),
  pauseBeforeInbox: () => Promise.resolve(),
  silentForMs: () => 0,
  setLostAfter: () => {},
})

const openConnection = (onMessage: (message: InboxMessage) => void): BusConnection => {
  const ended = Promise.withResolvers<void>()
  const connection: Connection = { beats: [], cut: () => ended.resolve(), tell: onMessage, takesBeats: true }
  connections.push(connection)
  return {
    ended: ended.promise,
    close: () => ended.resolve(),
    beat: (message) => {
      connection.beats.push(message)
      return Promise.resolve(connection.takesBeats)
    },
  }
}

const listen = (): Promise<void> =>
  client.inbox({ onOpen: () => heard.push('open'), onMessage: (message) => heard.push(message) }, lifetime.signal)

beforeEach(() => {
  clock = new TestClock()
  lifetime = new AbortController()
  seen = { streams: 0, beats: [], asked: 0 }
  openStreams = 0
  refusal = undefined
  access = () => Promise.resolve(ACCESS)
  connections = []
  terms = TERMS
  heard = []
  client = withBus(coordinator(), {
    clock,
    entropy: seededEntropy(1),
    log: silentLog,
    identity: { uid: 'u-ed', incarnation: 2 },
    open: (_, onMessage) =>
      refusal === undefined ? Promise.resolve(openConnection(onMessage)) : Promise.reject(refusal),
  })
})
afterEach(async () => {
  lifetime.abort()
  await settle()
  expect(clock.pendingTimers).toBe(0)
  expect(openStreams).toBe(0)
})

describe('a sprite on the bus', () => {
  it('SB1 closes the stream once the bus is up, hears there, and asks for work once between the two', async () => {
    await client.announce(0, '1', lifetime.signal)
    const listening = listen()
    await settle()
    expect([connections.length, openStreams, seen.streams]).toEqual([1, 0, 1])
    expect(heard).toEqual(['open', 'open'])
    connections[0]?.tell({ type: 'drain' })
    expect(heard.at(-1)).toEqual({ type: 'drain' })
    await clock.advance(600_000)
    expect([connections.length, openStreams]).toEqual([1, 0])
    lifetime.abort()
    await listening
  })

  it('SB1 without an offer there is no bus, and none is asked for', async () => {
    terms = { ...TERMS, bus: false }
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await clock.advance(600_000)
    expect([connections.length, seen.asked, openStreams]).toEqual([0, 0, 1])
    await client.heartbeat({ state: 'idle' }, lifetime.signal)
    await client.heartbeat({ state: 'idle' }, lifetime.signal)
    expect(seen.beats).toHaveLength(2)
  })

  it('SB2 a bus that is cut is left for the stream at once, and entered again after a pause', async () => {
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await settle()
    connections[0]?.cut()
    await settle()
    expect([connections.length, openStreams]).toEqual([1, 1])
    await clock.advance(250)
    expect([connections.length, openStreams]).toEqual([2, 0])
    // The same access, without asking the Coordinator again.
    expect(seen.asked).toBe(1)
  })

  it('SB2 a bus that stays away is tried ever more seldom, and the stream stays', async () => {
    refusal = new BusError('Away', 'nobody there')
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await clock.advance(600_000)
    expect([seen.streams, openStreams, seen.asked]).toEqual([1, 1, 1])
    refusal = undefined
    await clock.advance(15_000)
    expect([connections.length, openStreams]).toEqual([1, 0])
  })

  it('SB2 a bus that lets in and throws out at once is not entered without end', async () => {
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    for (let second = 0; second < 60; second++) {
      await clock.advance(1_000)
      connections.at(-1)?.cut()
      await settle()
    }
    expect(connections.length).toBeLessThan(25)
  })

  it('SB3 the stream that ends while the bus is away ends the inbox, so that the sprite announces itself', async () => {
    refusal = new BusError('Away', 'nobody there')
    await client.announce(0, '1', lifetime.signal)
    const listening = listen()
    await settle()
    endStream()
    await listening
    const again = listen()
    await settle()
    endStream(new CoordinatorError('Unavailable', 'cut'))
    await expect(again).rejects.toMatchObject({ reason: 'Unavailable' })
  })

  it('SB3 a fenced stream fences, whatever the bus does', async () => {
    refusal = new BusError('Away', 'nobody there')
    await client.announce(0, '1', lifetime.signal)
    const listening = listen()
    await settle()
    refusal = undefined
    endStream(new CoordinatorError('Fenced', 'gone'))
    await expect(listening).rejects.toMatchObject({ reason: 'Fenced' })
  })

  it('SB4 signs of life go to the bus, every third and every new one to the Coordinator too', async () => {
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await settle()
    const idle = { state: 'idle' } as const
    for (let beat = 0; beat < 7; beat++) await client.heartbeat(idle, lifetime.signal)
    expect([connections[0]?.beats.length, seen.beats.length]).toEqual([7, 3])
    expect(connections[0]?.beats[0]).toEqual({ uid: 'u-ed', incarnation: 2, state: 'idle', atMs: clock.now() })
    await client.heartbeat({ state: 'working', work: { name: 'w', attempt: 1 } }, lifetime.signal)
    expect(seen.beats).toHaveLength(4)
    expect(connections[0]?.beats.at(-1)).toMatchObject({ state: 'working', work: 'w' })
  })

  it('SB4 what the bus does not acknowledge goes to the Coordinator each time', async () => {
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await settle()
    const [connection] = connections
    if (connection !== undefined) connection.takesBeats = false
    for (let beat = 0; beat < 5; beat++) await client.heartbeat({ state: 'idle' }, lifetime.signal)
    expect(seen.beats).toHaveLength(5)
  })

  it('SB5 void access is asked for anew; access that only failed to connect is kept', async () => {
    refusal = new BusError('Refused', 'WRONGPASS')
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await clock.advance(1_000)
    expect(seen.asked).toBeGreaterThan(1)
    refusal = undefined
    await clock.advance(15_000)
    expect(connections).toHaveLength(1)
  })

  it('SB5 a bus without users for sprites is asked for again after minutes, not before', async () => {
    access = () => Promise.resolve(undefined)
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await clock.advance(140_000)
    expect(seen.asked).toBe(1)
    access = () => Promise.resolve(ACCESS)
    await clock.advance(300_000)
    expect(connections).toHaveLength(1)
  })

  it('SB5 a Coordinator that cannot answer for the bus costs nothing but the bus', async () => {
    access = () => Promise.reject(new CoordinatorError('Unavailable', 'the bus is away'))
    await client.announce(0, '1', lifetime.signal)
    void listen().catch(() => {})
    await clock.advance(60_000)
    expect([seen.streams, openStreams]).toEqual([1, 1])
    access = () => Promise.resolve(ACCESS)
    await clock.advance(15_000)
    expect(connections).toHaveLength(1)
  })
})
