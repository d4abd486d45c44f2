/** A sprite's connection to Redis: one for listening and signs of life; ioredis is loaded at the first one. */
import type { Redis } from 'ioredis'
import { broadcastMessage, type HeartbeatMessage } from '../protocol/channels.ts'
import { inboxMessage, type BusReply, type InboxMessage } from '../protocol/coordinator.ts'
import type { Clock } from '../system/clock.ts'
import type { Entropy } from '../system/entropy.ts'
import { BusError, type BusConnection, type OpenBus } from './bus-link.ts'
import { parseJson } from './coordinator-calls.ts'

/** What connections are opened with. */
export type RedisConnectionPorts = {
  readonly clock: Clock
  readonly entropy: Entropy
  /** A command that is not answered within it ends the connection. */
  readonly answerTimeoutMs?: number
  /** A tenant's sprites that are all called look for work spread over so long. */
  readonly broadcastSpreadMs?: number
}

const ANSWER_TIMEOUT_MS = 5_000
const BROADCAST_SPREAD_MS = 1_000
const MESSAGE_CHARS_MAX = 65_536

/** Opens connections with the sprite's own access. */
export function redisOpener(ports: RedisConnectionPorts): OpenBus {
  return async (access, onMessage) => {
    // A sprite without a bus does not pay for it with its start.
    const { Redis } = await import('ioredis')
    const client = new Redis(access.url, {
      username: access.username,
      password: access.password,
      lazyConnect: true,
      enableReadyCheck: false,
      disableClientInfo: true,
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: ports.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
      socketTimeout: ports.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
      // Who opens it decides when to try again, and with which access.
      retryStrategy: null,
    })
    return enter(client, access, { ...ports, onMessage })
  }
}

type EnterPorts = RedisConnectionPorts & { readonly onMessage: (message: InboxMessage) => void }

async function enter(client: Redis, access: BusReply, ports: EnterPorts): Promise<BusConnection> {
  const ended = Promise.withResolvers<void>()
  let failure: Error | undefined
  let cancelBroadcast = (): void => {}
  client.on('error', (error: Error) => {
    failure = error
  })
  client.on('end', () => {
    cancelBroadcast()
    ended.resolve()
  })
  client.on('message', (channel: string, text: string) => {
    if (text.length > MESSAGE_CHARS_MAX) return
    if (channel === access.inbox) return takeInbox(text, ports.onMessage)
    if (channel !== access.broadcasts || !asksForWork(text)) return
    cancelBroadcast()
    const delayMs = ports.entropy.random() * (ports.broadcastSpreadMs ?? BROADCAST_SPREAD_MS)
    cancelBroadcast = ports.clock.after(delayMs, () => ports.onMessage({ type: 'work_available' }))
  })
  try {
    await client.connect()
    await client.subscribe(access.inbox, access.broadcasts)
  } catch (error) {
    client.disconnect()
    throw whyNot(failure ?? error)
  }
  return {
    ended: ended.promise,
    beat: (message) => beat(client, access.heartbeat, message),
    close: () => client.disconnect(),
  }
}

async function beat(client: Redis, channel: string, message: HeartbeatMessage): Promise<boolean> {
  try {
    await client.publish(channel, JSON.stringify(message))
    return true
  } catch {
    // Refused is not away: whether somebody is there at all, this finds out, and ends the connection if not.
    client.ping().catch(() => {})
    return false
  }
}

function takeInbox(text: string, onMessage: (message: InboxMessage) => void): void {
  const message = inboxMessage.safeParse(parseJson(text))
  if (message.success) onMessage(message.data)
}

/** A sibling may have forged it: it may make the sprite look for work, and nothing else. */
const asksForWork = (text: string): boolean =>
  broadcastMessage.safeParse(parseJson(text)).data?.type === 'work_available'

/** An answer of the server is a refusal, everything else a connection that failed. */
function whyNot(error: unknown): BusError {
  const isRefused = error instanceof Error && error.name === 'ReplyError'
  const message = error instanceof Error ? error.message : String(error)
  return new BusError(isRefused ? 'Refused' : 'Away', `Look at the sprite’s access to Redis: ${message.slice(0, 200)}`)
}
