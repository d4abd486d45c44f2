/** Presence over the Bus: remembers the last sign of life of each sprite, bounded in number and in time. */
import { ALL_SPRITES, heartbeatMessage, parseChannel, type HeartbeatMessage } from '../../protocol/channels.ts'
import type { Clock } from '../../system/clock.ts'
import { momentOf, wallTimeOf, type Moment } from '../../system/moment.ts'
import type { Bus } from './bus.ts'
import type { Presence, PresenceRecord } from './presence.ts'

/** A sprite that has been silent for so long is forgotten. */
export const PRESENCE_FORGET_MS = 600_000
const SWEEP_INTERVAL_MS = 60_000
const RECORDS_MAX = 100_000
/** A newer incarnation that was heard so lately outweighs an older one; later, it may have been a lie. */
const NEWER_HOLDS_MS = 60_000
/**
 * While the bus is away, it is as if one had listened since then: too short a time to take anybody for dead, and enough
 * for this process to know what it did itself a moment ago.
 */
const DEAF_LISTENS_MS = 10_000

type Entry = {
  readonly tenant: string
  readonly sprite: string
  readonly said: Said
  readonly first: Moment
  readonly last: Moment
}

type Said = Omit<PresenceRecord, 'lastSeenAtMs' | 'firstSeenAtMs'>

/** Subscribes to every sprite's heartbeats; `close` ends that. At `recordsMax` the one silent for longest is forgotten. */
export async function createPresence(ports: {
  readonly bus: Bus
  readonly clock: Clock
  readonly recordsMax?: number
}): Promise<Presence & { close(): Promise<void> }> {
  const { bus, clock, recordsMax = RECORDS_MAX } = ports
  const opened = momentOf(clock)
  // In order of the last sign of life, oldest first.
  const entries = new Map<string, Entry>()
  const listeners = new Set<(tenant: string, sprite: string) => void>()

  const changed = (entry: Pick<Entry, 'tenant' | 'sprite'>): void => {
    for (const listener of listeners) listener(entry.tenant, entry.sprite)
  }
  const isSilent = (entry: Entry): boolean => clock.monotonic() - entry.last.monotonicMs >= PRESENCE_FORGET_MS

  function forget(key: string, entry: Entry): void {
    entries.delete(key)
    changed(entry)
  }

  function sweep(): void {
    for (const [key, entry] of entries) {
      if (!isSilent(entry)) break
      forget(key, entry)
    }
    cancel = clock.after(SWEEP_INTERVAL_MS, sweep, { background: true })
  }

  /** Whose it is says the channel, never the message: one may publish on one's own channel alone. */
  function take(message: HeartbeatMessage, tenant: string, sprite: string): void {
    const key = `${tenant}/${sprite}`
    const known = entries.get(key)
    if (known !== undefined && isLate(known, message, clock.monotonic())) return
    // Our own clock, not the sender's: silence is measured here.
    const entry = { tenant, sprite, ...heardOf(known, message, momentOf(clock)) }
    entries.delete(key)
    entries.set(key, entry)
    const [oldest] = entries
    if (entries.size > recordsMax && oldest !== undefined) forget(...oldest)
    if (known === undefined || differs(known.said, entry.said)) changed(entry)
  }

  let cancel = clock.after(SWEEP_INTERVAL_MS, sweep, { background: true })
  const end = await bus.subscribe(ALL_SPRITES, onHeartbeat(take))

  return {
    get listeningSinceMs() {
      return Math.max(wallTimeOf(opened, clock), Math.min(bus.deafUntilMs(), clock.now() - DEAF_LISTENS_MS))
    },
    read: (tenant, sprite) => {
      const entry = entries.get(`${tenant}/${sprite}`)
      if (entry === undefined || isSilent(entry)) return undefined
      const { said, first, last } = entry
      return { ...said, lastSeenAtMs: wallTimeOf(last, clock), firstSeenAtMs: wallTimeOf(first, clock) }
    },
    onChange: (listener) => {
      // One entry per call, so that each result ends its own.
      const own = (tenant: string, sprite: string): void => listener(tenant, sprite)
      listeners.add(own)
      return () => listeners.delete(own)
    },
    close: async () => {
      cancel()
      listeners.clear()
      await end()
    },
  }
}

type Take = (message: HeartbeatMessage, tenant: string, sprite: string) => void

/** Passes on what is a heartbeat on a heartbeat channel. */
const onHeartbeat =
  (take: Take) =>
  (message: unknown, name: string): void => {
    const channel = parseChannel(name)
    if (channel?.of !== 'heartbeat') return
    const parsed = heartbeatMessage.safeParse(message)
    if (parsed.success) take(parsed.data, channel.tenant, channel.sprite)
  }

/** A late message of an older incarnation says nothing of the current one. */
const isLate = (entry: Entry, message: HeartbeatMessage, nowMonotonicMs: number): boolean =>
  entry.said.uid === message.uid &&
  message.incarnation < entry.said.incarnation &&
  nowMonotonicMs - entry.last.monotonicMs < NEWER_HOLDS_MS

function heardOf(
  known: Entry | undefined,
  { uid, incarnation, state, work }: HeartbeatMessage,
  last: Moment,
): Pick<Entry, 'said' | 'first' | 'last'> {
  const isSame = known?.said.uid === uid && known.said.incarnation === incarnation
  const said = { uid, incarnation, state, ...(work === undefined ? {} : { work }) }
  return { said, first: isSame ? known.first : last, last }
}

const differs = (a: Said, b: Said): boolean =>
  a.uid !== b.uid || a.incarnation !== b.incarnation || a.state !== b.state || a.work !== b.work
