/** The client of Redis that the ledger speaks through: comes back by itself, never queues, and says when it is away. */
import { Redis } from 'ioredis'
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'

/** Between two tries to connect: 50 ms doubling to 1 s. */
const RECONNECT_MS_MAX = 1_000
/** A connection that does not serve by then is given up, in ms: one to a frozen Redis would never end by itself. */
const CONNECT_TIMEOUT_MS = 5_000

/** What a link is made with. */
export type LinkOptions = {
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  /** Called whenever Redis can be spoken to again. */
  readonly onReady: () => void
}

/** Something that breaks off what waits for it. */
export type Break = { readonly promise: Promise<never>; readonly now: (error: Error) => void }

/** A break that nobody has to wait for. */
export function createBreak(): Break {
  const { promise, reject } = Promise.withResolvers<never>()
  promise.catch(() => {})
  return { promise, now: reject }
}

/** The connection went away; what was sent over it may have run. */
export class BrokenConnection extends Error {
  override readonly name = 'BrokenConnection'
}

/** A connection and its state. */
export type Link = {
  readonly redis: Redis
  readonly isReady: boolean
  /** Since when it has been away, in monotonic ms; undefined while it serves. */
  readonly awaySinceMs: number | undefined
  /**
   * Calls back when the connection as it is now ends, with BrokenConnection or what `close` was given; the function that
   * it gives takes that back. A promise would keep something of every call for as long as the connection stands.
   */
  watch(onBreak: (error: Error) => void): () => void
  /** Resolves when it serves. */
  ready(): Promise<void>
  /** Gives the connection up for a new one: nothing more is sent where nobody reads. */
  renew(): void
  close(error: Error): void
}

/** Connects in the background. */
export function createLink({ url, clock, log, onReady }: LinkOptions): Link {
  const redis = createClient(url)
  let awaySinceMs: number | undefined = clock.monotonic()
  let isTold = false
  const watchers = new Set<(error: Error) => void>()
  const breakOff = (error: Error): void => {
    for (const onBreak of watchers) onBreak(error)
    watchers.clear()
  }
  let serving = Promise.withResolvers<void>()
  let cancelGreeting = (): void => {}
  redis.on('error', (error: Error) => {
    if (!isTold) log.warn({ host: new URL(url).host, error: error.message }, 'redis of the ledger cannot be reached')
    isTold = true
  })
  redis.on('connect', () => {
    cancelGreeting()
    cancelGreeting = clock.after(CONNECT_TIMEOUT_MS, () => redis.disconnect(true), { background: true })
  })
  redis.on('ready', () => {
    cancelGreeting()
    awaySinceMs = undefined
    isTold = false
    serving.resolve()
    onReady()
  })
  redis.on('close', () => {
    cancelGreeting()
    // A connection that never served leaves those who wait for one waiting.
    if (awaySinceMs === undefined) serving = Promise.withResolvers<void>()
    awaySinceMs ??= clock.monotonic()
    breakOff(new BrokenConnection('The connection to Redis broke'))
  })
  return {
    redis,
    get isReady() {
      return redis.status === 'ready'
    },
    get awaySinceMs() {
      return awaySinceMs
    },
    watch: (onBreak) => {
      watchers.add(onBreak)
      return () => watchers.delete(onBreak)
    },
    ready: () => serving.promise,
    renew: () => redis.disconnect(true),
    close: (error) => {
      cancelGreeting()
      breakOff(error)
      serving.resolve()
      redis.disconnect()
    },
  }
}

function createClient(url: string): Redis {
  return new Redis(url, {
    // Only what is waited for is sent: a call that was given up must not run minutes later, nor may they pile up.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: null,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (times) => Math.min(RECONNECT_MS_MAX, 25 * 2 ** Math.min(times, 6)),
    // A master that became a replica: its address may lead to the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    disableClientInfo: true,
    connectionName: 'sprites-ledger',
  })
}
