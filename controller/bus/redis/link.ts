/** One connection to Redis that comes back by itself and notices when nobody answers. */
import { Redis } from 'ioredis'
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'

/** Times of a connection; tests make them short. */
export type LinkTimes = {
  /** A connection is asked so often whether somebody is there. */
  readonly pingIntervalMs: number
  /** Without an answer for so long it is given up. */
  readonly answerTimeoutMs: number
  readonly backoff: BackoffPolicy
}

/** Ten seconds at most until a frozen Redis is noticed: well below what makes a silent sprite a lost one. */
export const LINK_TIMES: LinkTimes = {
  pingIntervalMs: 5_000,
  answerTimeoutMs: 5_000,
  backoff: { baseMs: 50, maxMs: 5_000, jitter: 0.5 },
}

/** What a connection needs of the process. */
export type LinkPorts = { readonly clock: Clock; readonly entropy: Entropy; readonly log: Log }

/** One connection. Commands on it fail at once while it is down, and are never sent twice. */
export interface Link {
  readonly client: Redis
  readonly isUp: boolean
  /** Resolves when it is up, or after answerTimeoutMs. */
  ready(): Promise<void>
  close(): void
}

/** How a connection is opened, and who is told when it comes and goes. */
export type LinkOptions = {
  readonly url: string
  readonly name: string
  readonly times: LinkTimes
  readonly onUp?: () => void
  readonly onDown?: () => void
}

/** Begins to connect and goes on until `close`. */
export function openLink(ports: LinkPorts, options: LinkOptions): Link {
  const { clock, entropy, log } = ports
  const { times, name } = options
  const client = new Redis(options.url, {
    lazyConnect: true,
    // No INFO, no CLIENT: the allowlist of a user need not have them.
    enableReadyCheck: false,
    disableClientInfo: true,
    enableOfflineQueue: false,
    autoResubscribe: false,
    // A command of unknown outcome fails; it is not sent again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: times.answerTimeoutMs,
    socketTimeout: times.answerTimeoutMs,
    retryStrategy: (failures) => backoffMs(times.backoff, failures, entropy.random()),
  })
  const firstReady = Promise.withResolvers<void>()
  let isUp = false
  let wasToldDown = false
  let closed = false

  client.on('ready', () => {
    isUp = true
    if (wasToldDown) log.info({ connection: name }, 'Redis is back')
    wasToldDown = false
    firstReady.resolve()
    options.onUp?.()
  })
  client.on('close', () => {
    const wasUp = isUp
    isUp = false
    if (wasUp) options.onDown?.()
  })
  client.on('error', (error: Error) => {
    // Once an outage: each try to reconnect fails the same way.
    if (!wasToldDown && !closed) log.warn({ connection: name, reason: error.message }, 'Redis is away')
    wasToldDown = true
  })

  let cancelPing = (): void => {}
  const ping = (): void => {
    // What is not answered ends the connection by its socketTimeout.
    if (isUp) client.ping().catch(() => {})
    cancelPing = clock.after(times.pingIntervalMs, ping, { background: true })
  }
  cancelPing = clock.after(times.pingIntervalMs, ping, { background: true })
  client.connect().catch(() => {})

  return {
    client,
    get isUp() {
      return isUp
    },
    ready: () => {
      const cancel = clock.after(times.answerTimeoutMs, () => firstReady.resolve())
      return firstReady.promise.finally(cancel)
    },
    close: () => {
      closed = true
      isUp = false
      cancelPing()
      firstReady.resolve()
      client.disconnect()
    },
  }
}
