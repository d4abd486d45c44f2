/**
 * The Bus over Redis pub/sub, for a control plane of several processes and for sprites that listen themselves.
 *
 * Rules:
 *  RB1 It passes the Bus contract. Channel names are those of protocol/channels.ts, behind an optional prefix.
 *  RB2 Redis that is away, at the start or later, fails nobody's work: publish and subscribe resolve, the connections
 *      come back by themselves, and every subscription stands again then.
 *  RB3 What Redis did not acknowledge is lost to other processes, counted, and told once an outage; subscribers of this
 *      process get it all the same, at worst twice. Unanswered messages are bounded; publish waits only when many are.
 *  RB4 A message that is not JSON, too long, or of the wrong shape for its channel is dropped and counted.
 *  RB5 A connection that is open but not answered (a frozen server) is given up within pingIntervalMs + answerTimeoutMs.
 *  RB6 deafUntilMs is the present until every subscription stands, and after an outage the moment from which they did.
 */
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'
import type { Clock } from '../../../system/clock.ts'
import { momentOf, wallTimeOf, type Moment } from '../../../system/moment.ts'
import { createMetrics, type Metrics } from '../../../system/metrics.ts'
import { readMessage } from '../../../protocol/channels.ts'
import type { Bus } from '../bus.ts'
import { createRouting, type Routing } from '../routing.ts'
import { LINK_TIMES, openLink, type Link, type LinkTimes } from './link.ts'

/** What the bus is made of. */
export type RedisBusOptions = {
  /** redis:// or rediss://, with the control plane's own user. */
  readonly url: string
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly metrics?: Metrics
  /** Stands before every channel's name: control planes that share a Redis do not hear each other. */
  readonly prefix?: string
  readonly times?: Partial<LinkTimes>
  /** The longest message, in bytes, that is sent or taken. */
  readonly messageBytesMax?: number
  /** Messages that Redis has not acknowledged yet: more are lost. */
  readonly unansweredMax?: number
}

const MESSAGE_BYTES_MAX = 65_536
const UNANSWERED_MAX = 10_000
/** From so many unanswered messages on, publishers wait for theirs: they are faster than Redis. */
const UNANSWERED_BUSY = 256
/** Channels in one SUBSCRIBE. */
const SUBSCRIBE_BATCH = 500

/** Opens it; resolves when the connections stand, or after answerTimeoutMs without them. Never rejects. */
export async function createRedisBus(options: RedisBusOptions): Promise<Bus> {
  const times = { ...LINK_TIMES, ...options.times }
  const log = options.log.child({ part: 'bus' })
  const counts = countsOf(options.metrics ?? createMetrics())
  const routing = createRouting(log)
  const ears = createEars({ ...options, log }, { times, routing, counts })
  const mouth = openLink({ ...options, log }, { url: options.url, name: 'publish', times })
  const publish = createPublisher(options, { link: mouth, routing, counts, log })
  await Promise.all([ears.ready(), mouth.ready()])
  return {
    publish,
    subscribe: async (channel, listener) => {
      const end = routing.add(channel, listener)
      await ears.listen(channel)
      return async () => {
        if (end() === 'last') await ears.unlisten(channel)
      }
    },
    deafUntilMs: () => ears.deafUntilMs(),
    close: () => {
      ears.close()
      mouth.close()
      routing.clear()
      return Promise.resolve()
    },
  }
}

type Counts = { lost(reason: LostReason): void; dropped(reason: DroppedReason): void; hears(is: boolean): void }
type LostReason = 'away' | 'crowded' | 'unanswered' | 'too_long'
type DroppedReason = 'not_json' | 'too_long' | 'wrong_shape'

function countsOf(metrics: Metrics): Counts {
  const lost = metrics.counter('sprites_bus_lost_total', 'Messages that did not reach Redis, by reason.', ['reason'])
  const dropped = metrics.counter('sprites_bus_dropped_total', 'Messages of others that were not taken, by reason.', [
    'reason',
  ])
  const up = metrics.gauge('sprites_bus_up', 'Whether every subscription stands: 1, or 0 while Redis is away.')
  return {
    lost: (reason) => lost.add({ reason }),
    dropped: (reason) => dropped.add({ reason }),
    hears: (is) => up.set(is ? 1 : 0),
  }
}

type Sending = { readonly link: Link; readonly routing: Routing; readonly counts: Counts; readonly log: Log }

/** Sends and does not wait, unless Redis is behind. */
function createPublisher(options: RedisBusOptions, parts: Sending): Bus['publish'] {
  const { prefix = '', messageBytesMax = MESSAGE_BYTES_MAX, unansweredMax = UNANSWERED_MAX } = options
  const { link, routing, counts, log } = parts
  let unanswered = 0
  let wasToldLost = false

  function lose(channel: string, text: string, reason: LostReason): void {
    counts.lost(reason)
    if (!wasToldLost) log.warn({ channel, reason }, 'messages do not reach Redis: others notice later')
    wasToldLost = true
    if (reason === 'too_long') return
    // Whoever listens in this process is not behind Redis.
    queueMicrotask(() => routing.deliver(channel, () => readMessage(channel, JSON.parse(text))))
  }

  async function send(channel: string, text: string): Promise<void> {
    unanswered += 1
    try {
      await link.client.publish(prefix + channel, text)
      wasToldLost = false
    } catch {
      lose(channel, text, 'unanswered')
    } finally {
      unanswered -= 1
    }
  }

  return (channel, message) => {
    const text = JSON.stringify(message)
    if (Buffer.byteLength(text) > messageBytesMax) lose(channel, text, 'too_long')
    else if (!link.isUp) lose(channel, text, 'away')
    else if (unanswered >= unansweredMax) lose(channel, text, 'crowded')
    else {
      const sent = send(channel, text)
      if (unanswered > UNANSWERED_BUSY) return sent
    }
    return Promise.resolve()
  }
}

/** The subscribing connection. */
type Ears = {
  ready(): Promise<void>
  listen(channel: string): Promise<void>
  unlisten(channel: string): Promise<void>
  deafUntilMs(): number
  close(): void
}

function createEars(
  options: RedisBusOptions,
  parts: { readonly times: LinkTimes; readonly routing: Routing; readonly counts: Counts },
): Ears {
  const { clock, log } = options
  const { times, routing, counts } = parts
  const firstTime = Promise.withResolvers<void>()
  /** Since when every subscription stands; undefined while one does not. */
  let hearsSince: Moment | undefined
  let cancelRetry = (): void => {}

  const link = openLink(options, {
    url: options.url,
    name: 'subscribe',
    times,
    onUp: () => void listenToAll(),
    onDown: () => {
      hearsSince = undefined
      counts.hears(false)
    },
  })
  const subscriptions = createSubscriptions(link, options, { routing, counts })

  /** Refused, such as for want of rights: tried again, since rights come back too. */
  const onRefused = (error: unknown): void => {
    if (!link.isUp) return
    if (hearsSince !== undefined)
      log.warn({ reason: error instanceof Error ? error.message : '' }, 'Redis refused a subscription')
    hearsSince = undefined
    counts.hears(false)
    cancelRetry()
    cancelRetry = clock.after(times.backoff.maxMs, () => void listenToAll(), { background: true })
  }

  async function listenToAll(): Promise<void> {
    cancelRetry()
    try {
      await subscriptions.add(routing.names())
      hearsSince ??= momentOf(clock)
      counts.hears(true)
      firstTime.resolve()
    } catch (error) {
      onRefused(error)
    }
  }

  return {
    ready: async () => {
      const cancel = clock.after(times.answerTimeoutMs, () => firstTime.resolve())
      await firstTime.promise.finally(cancel)
    },
    listen: async (channel) => {
      if (link.isUp) await subscriptions.add([channel]).catch(onRefused)
    },
    unlisten: async (channel) => {
      // A subscription too many costs messages that nobody takes.
      if (link.isUp) await subscriptions.remove(channel).catch(() => {})
    },
    deafUntilMs: () => (hearsSince === undefined ? clock.now() : wallTimeOf(hearsSince, clock)),
    close: () => {
      cancelRetry()
      firstTime.resolve()
      link.close()
    },
  }
}

type Subscriptions = {
  /** Rejects when Redis refuses one. */
  add(channels: readonly string[]): Promise<void>
  remove(channel: string): Promise<void>
}

/** What the connection is subscribed to, by the names that callers know; messages go to the listeners of each. */
function createSubscriptions(
  link: Link,
  options: RedisBusOptions,
  parts: { readonly routing: Routing; readonly counts: Counts },
): Subscriptions {
  const { prefix = '' } = options
  const byPattern = new Map<string, string>()
  takeMessages(link, options, { ...parts, byPattern })
  return {
    add: async (channels) => {
      const exact = channels.filter((channel) => !channel.endsWith('*')).map((channel) => prefix + channel)
      const wide = channels.filter((channel) => channel.endsWith('*'))
      for (const channel of wide) byPattern.set(patternOf(prefix + channel), channel)
      for (let at = 0; at < exact.length; at += SUBSCRIBE_BATCH)
        await link.client.subscribe(...exact.slice(at, at + SUBSCRIBE_BATCH))
      if (wide.length > 0) await link.client.psubscribe(...wide.map((channel) => patternOf(prefix + channel)))
    },
    remove: async (channel) => {
      const pattern = patternOf(prefix + channel)
      if (!channel.endsWith('*')) await link.client.unsubscribe(prefix + channel)
      else if (byPattern.delete(pattern)) await link.client.punsubscribe(pattern)
    },
  }
}

/** The pattern of Redis that matches just the names with this prefix; `channel` ends in `*`. */
const patternOf = (channel: string): string => `${channel.slice(0, -1).replace(/[*?[\]\\^]/g, String.raw`\$&`)}*`

function takeMessages(
  link: Link,
  options: RedisBusOptions,
  parts: { readonly routing: Routing; readonly counts: Counts; readonly byPattern: ReadonlyMap<string, string> },
): void {
  const { prefix = '', messageBytesMax = MESSAGE_BYTES_MAX } = options
  const { routing, counts, byPattern } = parts

  function take(subscription: string, name: string, text: string): void {
    if (!name.startsWith(prefix)) return
    const channel = name.slice(prefix.length)
    const read = readText(channel, text, messageBytesMax)
    if (typeof read === 'string') return counts.dropped(read)
    routing.deliverTo(subscription, channel, read)
  }

  link.client.on('message', (name: string, text: string) => take(name.slice(prefix.length), name, text))
  link.client.on('pmessage', (pattern: string, name: string, text: string) => {
    const subscription = byPattern.get(pattern)
    if (subscription !== undefined) take(subscription, name, text)
  })
}

/** Gives the message anew at each call, or says why it is dropped. */
function readText(channel: string, text: string, bytesMax: number): (() => object | undefined) | DroppedReason {
  // A character has at least one byte: most texts need not be measured.
  if (text.length > bytesMax || (text.length * 3 > bytesMax && Buffer.byteLength(text) > bytesMax)) return 'too_long'
  let first: unknown
  try {
    first = JSON.parse(text)
  } catch {
    return 'not_json'
  }
  const message = readMessage(channel, first)
  if (message === undefined) return 'wrong_shape'
  let given = false
  return () => {
    if (given) return readMessage(channel, JSON.parse(text))
    given = true
    return message
  }
}
