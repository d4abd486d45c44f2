/** Runs scripts on Redis within a deadline: tries again over broken connections, gives a silent one up, never queues. */
import { Redis, ReplyError } from 'ioredis'
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import { LedgerError } from '../ledger.ts'
import type { Script } from './script.ts'

/** Between two tries to connect: 50 ms doubling to 1 s. */
const RECONNECT_MS_MAX = 1_000
/** A connection that does not serve by then is given up, in ms: one to a frozen Redis would never end by itself. */
const CONNECT_TIMEOUT_MS = 5_000

/** One call of a script. */
export type ScriptCall = {
  readonly script: Script
  readonly keys: readonly string[]
  readonly args: readonly string[]
  /** Called before it is sent: from then on it may have run, or run yet, whatever `run` says. */
  readonly onSend?: () => void
}

/** A connection to Redis that comes back by itself. */
export type Connection = {
  /** What the script returned. LedgerError by reason: Unavailable, Closed. */
  run(call: ScriptCall): Promise<unknown>
  /** Whether a call would be sent now. */
  readonly isReady: boolean
  close(): void
}

/** What a connection is made with; `deadlineMs` bounds one call, with its tries. */
export type ConnectionOptions = {
  readonly url: string
  readonly clock: Clock
  readonly log: Log
  readonly deadlineMs: number
  /** Called whenever Redis can be spoken to again. */
  readonly onReady: () => void
}

/** Something that breaks off what waits for it. */
type Break = { readonly promise: Promise<never>; readonly now: (error: Error) => void }

class BrokenConnection extends Error {
  override readonly name = 'BrokenConnection'
}

/** Connects in the background; calls before it stands wait for it within their deadline. */
export function connectRedis(options: ConnectionOptions): Connection {
  const { clock, log, deadlineMs } = options
  const redis = new Redis(options.url, {
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
  let isClosed = false
  let awaySinceMs: number | undefined = clock.monotonic()
  let isTold = false
  let broken = createBreak()
  const waiting = new Set<() => void>()
  redis.on('error', (error: Error) => {
    if (isTold || isClosed) return
    isTold = true
    log.warn({ error: error.message }, 'redis of the ledger cannot be reached')
  })
  let cancelGreeting = (): void => {}
  redis.on('connect', () => {
    cancelGreeting()
    cancelGreeting = clock.after(CONNECT_TIMEOUT_MS, () => redis.disconnect(true), { background: true })
  })
  redis.on('ready', () => {
    cancelGreeting()
    awaySinceMs = undefined
    isTold = false
    for (const wake of waiting) wake()
    options.onReady()
  })
  redis.on('close', () => {
    cancelGreeting()
    awaySinceMs ??= clock.monotonic()
    broken.now(new BrokenConnection('The connection to Redis broke'))
    broken = createBreak()
  })

  /** Resolves when commands are taken, or rejects at the deadline; at once when it has been away for longer already. */
  async function ready(until: Break): Promise<void> {
    if (redis.status === 'ready') return
    if (awaySinceMs !== undefined && clock.monotonic() - awaySinceMs >= deadlineMs) throw away()
    let wake = (): void => {}
    const woken = new Promise<void>((resolve) => (wake = resolve))
    waiting.add(wake)
    try {
      await Promise.race([woken, until.promise])
    } finally {
      waiting.delete(wake)
    }
  }

  async function attempt(call: ScriptCall, until: Break): Promise<unknown> {
    await ready(until)
    call.onSend?.()
    return await Promise.race([send(redis, call), broken.promise, until.promise])
  }

  async function tryUntil(call: ScriptCall, until: Break): Promise<unknown> {
    for (;;) {
      if (isClosed) throw new LedgerError('Closed', 'Open the ledger anew, it was closed')
      try {
        return await attempt(call, until)
      } catch (error) {
        if (error instanceof LedgerError) throw error
        if (isRefusal(error)) throw refused(error)
        // Not writable any more, but not closed yet either: the end of the connection is near.
        if (!(error instanceof BrokenConnection)) await Promise.race([broken.promise, until.promise]).catch(unlessLast)
      }
    }
  }

  function refused(error: Error): LedgerError {
    log.warn({ error: error.message.slice(0, 200) }, 'redis refused a call of the ledger')
    return away(error)
  }

  return {
    get isReady() {
      return redis.status === 'ready'
    },
    run: async (call) => {
      const until = createBreak()
      const cancel = clock.after(deadlineMs, () => {
        until.now(away())
        // It may be frozen, or cut off without a word: nothing more is sent where nobody reads.
        if (!isClosed && redis.status === 'ready') redis.disconnect(true)
      })
      try {
        return await tryUntil(call, until)
      } finally {
        cancel()
      }
    },
    close: () => {
      isClosed = true
      broken.now(new LedgerError('Closed', 'Open the ledger anew, it was closed'))
      for (const wake of waiting) wake()
      cancelGreeting()
      redis.disconnect()
    },
  }
}

const away = (cause?: unknown): LedgerError =>
  new LedgerError('Unavailable', 'Try again later, the token ledger does not answer', { cause })

function createBreak(): Break {
  const { promise, reject } = Promise.withResolvers<never>()
  // Nobody may be waiting when it breaks.
  promise.catch(() => {})
  return { promise, now: reject }
}

async function send(redis: Redis, { script, keys, args }: ScriptCall): Promise<unknown> {
  try {
    return await redis.evalsha(script.sha, keys.length, ...keys, ...args)
  } catch (error) {
    // A restart or SCRIPT FLUSH took it; EVAL brings it back.
    if (!(isRefusal(error) && error.message.startsWith('NOSCRIPT'))) throw error
    return await redis.eval(script.lua, keys.length, ...keys, ...args)
  }
}

const isRefusal = (error: unknown): error is Error => error instanceof ReplyError

/** A broken connection is tried anew; the deadline and the close are not. */
function unlessLast(error: unknown): void {
  if (error instanceof LedgerError) throw error
}
