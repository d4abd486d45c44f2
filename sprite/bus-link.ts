/** Keeps a sprite on the message bus while that can be had: asks for access, opens, and comes back after it was cut. */
import type { HeartbeatMessage } from '../protocol/channels.ts'
import type { BusReply, InboxMessage } from '../protocol/coordinator.ts'
import { backoffMs, type BackoffPolicy } from '../system/backoff.ts'
import type { Clock } from '../system/clock.ts'
import type { Entropy } from '../system/entropy.ts'
import type { Log } from '../system/log.ts'

/** An open connection that hears the sprite's channels. */
export interface BusConnection {
  /** Publishes a sign of life; true once the bus has acknowledged it. Never rejects. */
  beat(message: HeartbeatMessage): Promise<boolean>
  /** Resolves when it has ended, for whatever reason. Never rejects. */
  readonly ended: Promise<void>
  close(): void
}

/** Opens a connection and subscribes; rejects with BusError. */
export type OpenBus = (access: BusReply, onMessage: (message: InboxMessage) => void) => Promise<BusConnection>

/** Why a connection was not to be had. */
export type BusErrorReason =
  /** The access is void: ask for it anew. */
  | 'Refused'
  /** Nobody answers, or not in time. */
  | 'Away'

/** The bus could not be entered. */
export class BusError extends Error {
  override readonly name = 'BusError'
  readonly reason: BusErrorReason

  constructor(reason: BusErrorReason, message: string) {
    super(message)
    this.reason = reason
  }
}

/** What a link needs. */
export type BusLinkPorts = {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly open: OpenBus
  /** Asks the Coordinator; undefined when sprites are to stay with its stream. */
  readonly askAccess: (signal: AbortSignal) => Promise<BusReply | undefined>
  readonly onMessage: (message: InboxMessage) => void
}

/** The sprite's place on the bus. */
export interface BusLink {
  readonly isUp: boolean
  /** Begins, and goes on until the signal; again does nothing. */
  start(signal: AbortSignal): void
  beat(message: HeartbeatMessage): Promise<boolean>
  /** Calls back once, when the state is other than now; at once when the signal is aborted. The result ends it. */
  onceChanged(call: () => void): () => void
}

/** Much jitter: a fleet that lost its Redis must not come back as one. */
const LINK_BACKOFF: BackoffPolicy = { baseMs: 250, maxMs: 15_000, jitter: 0.8 }
/** A bus without users for sprites may have them after an update. */
const UNSUPPORTED_BACKOFF: BackoffPolicy = { baseMs: 300_000, maxMs: 300_000, jitter: 0.5 }
type Outcome = 'steady' | 'failed' | 'unsupported'
const POLICIES: Readonly<Record<Outcome, BackoffPolicy>> = {
  steady: LINK_BACKOFF,
  failed: LINK_BACKOFF,
  unsupported: UNSUPPORTED_BACKOFF,
}

/** A connection that lasted so long was a good one. */
const STEADY_MS = 30_000

/** A link that is not started yet. */
export function createBusLink(ports: BusLinkPorts): BusLink {
  const { clock, entropy, log } = ports
  let connection: BusConnection | undefined
  let access: BusReply | undefined
  let isStarted = false
  const waiting = new Set<() => void>()

  function change(next: BusConnection | undefined): void {
    if (next === connection) return
    connection = next
    const calls = [...waiting]
    waiting.clear()
    for (const call of calls) call()
  }

  /** One connection from its opening to its end; how long it lasted, ms. */
  async function connectOnce(use: BusReply, signal: AbortSignal): Promise<number> {
    const opened = await ports.open(use, ports.onMessage)
    const openedAt = clock.monotonic()
    const close = (): void => opened.close()
    signal.addEventListener('abort', close, { once: true })
    if (signal.aborted) close()
    change(opened)
    log.info({}, 'listens on the bus')
    await opened.ended
    signal.removeEventListener('abort', close)
    change(undefined)
    if (!signal.aborted) log.warn({}, 'the bus is cut: back to the coordinator’s stream')
    return clock.monotonic() - openedAt
  }

  async function tryOnce(signal: AbortSignal): Promise<Outcome> {
    try {
      access ??= await ports.askAccess(signal)
      if (access === undefined) return 'unsupported'
      return (await connectOnce(access, signal)) >= STEADY_MS ? 'steady' : 'failed'
    } catch (error) {
      if (error instanceof BusError && error.reason === 'Refused') access = undefined
      log.debug({ message: error instanceof Error ? error.message : String(error) }, 'the bus is not to be had')
      return 'failed'
    }
  }

  /** Bounded by the sprite's life: each round waits. */
  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const outcome = await tryOnce(signal)
      failures = outcome === 'failed' ? failures + 1 : 1
      // An abort ends the wait, and then the loop.
      await clock.sleep(backoffMs(POLICIES[outcome], failures, entropy.random()), signal).catch(() => {})
    }
  }

  return {
    get isUp() {
      return connection !== undefined
    },
    start: (signal) => {
      if (isStarted) return
      isStarted = true
      void run(signal)
    },
    beat: (message) => connection?.beat(message) ?? Promise.resolve(false),
    onceChanged: (call) => {
      waiting.add(call)
      return () => waiting.delete(call)
    },
  }
}
