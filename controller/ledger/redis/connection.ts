/** Runs scripts on Redis within a deadline: tries again over broken connections, and gives a silent one up. */
import { createHash } from 'node:crypto'
import { ReplyError, type Redis } from 'ioredis'
import { LedgerError } from '../ledger.ts'
import { BrokenConnection, createBreak, createLink, type Break, type Link, type LinkOptions } from './link.ts'

/** One call of a script. */
export type ScriptCall = {
  /** Its text in Lua. */
  readonly script: string
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
export type ConnectionOptions = LinkOptions & { readonly deadlineMs: number }

/** Connects in the background; calls before it stands wait for it within their deadline. */
export function connectRedis(options: ConnectionOptions): Connection {
  const { clock, deadlineMs } = options
  const link = createLink(options)
  let isClosed = false

  async function attempt(call: ScriptCall, until: Break): Promise<unknown> {
    if (isClosed) throw closed()
    if (!link.isReady) {
      if (link.awaySinceMs !== undefined && clock.monotonic() - link.awaySinceMs >= deadlineMs) throw away()
      await Promise.race([link.ready(), until.promise])
      if (isClosed) throw closed()
    }
    call.onSend?.()
    return await orBreak(link, until, send(link.redis, call))
  }

  async function tryUntil(call: ScriptCall, until: Break): Promise<unknown> {
    for (;;) {
      try {
        return await attempt(call, until)
      } catch (error) {
        if (error instanceof LedgerError) throw error
        if (isRefusal(error)) {
          options.log.warn({ error: error.message.slice(0, 200) }, 'redis refused a call of the ledger')
          throw away(error)
        }
        await nextConnection(link, error, until)
      }
    }
  }

  return {
    get isReady() {
      return link.isReady
    },
    run: async (call) => {
      const until = createBreak()
      const cancel = clock.after(deadlineMs, () => {
        until.now(away())
        // It may be frozen, or cut off without a word.
        if (!isClosed && link.isReady) link.renew()
      })
      try {
        return await tryUntil(call, until)
      } finally {
        cancel()
      }
    },
    close: () => {
      isClosed = true
      link.close(closed())
    },
  }
}

const away = (cause?: unknown): LedgerError =>
  new LedgerError('Unavailable', 'Try again later, the token ledger does not answer', { cause })

const closed = (): LedgerError => new LedgerError('Closed', 'Open the ledger anew, it was closed')

const isRefusal = (error: unknown): error is Error => error instanceof ReplyError

/** Waits until a connection that takes nothing any more has ended; rejects at the deadline. */
async function nextConnection(link: Link, error: unknown, until: Break): Promise<void> {
  if (error instanceof BrokenConnection) return
  try {
    await orBreak(link, until, new Promise(() => {}))
  } catch (end) {
    if (end instanceof LedgerError) throw end
  }
}

/** What comes first: the answer, the end of the connection, or the deadline. */
async function orBreak<T>(link: Link, until: Break, answer: Promise<T>): Promise<T> {
  const cut = createBreak()
  const unwatch = link.watch(cut.now)
  try {
    return await Promise.race([answer, cut.promise, until.promise])
  } finally {
    unwatch()
  }
}

/** Digests of the scripts, of which there are a handful. */
const digests = new Map<string, string>()

function digestOf(script: string): string {
  const known = digests.get(script) ?? createHash('sha1').update(script).digest('hex')
  digests.set(script, known)
  return known
}

async function send(redis: Redis, { script, keys, args }: ScriptCall): Promise<unknown> {
  try {
    return await redis.evalsha(digestOf(script), keys.length, ...keys, ...args)
  } catch (error) {
    // A restart or SCRIPT FLUSH took it; EVAL brings it back.
    if (!(isRefusal(error) && error.message.startsWith('NOSCRIPT'))) throw error
    return await redis.eval(script, keys.length, ...keys, ...args)
  }
}
