/** Pure: what the emulator knows of an app and of a machine, in Fly's own words where they go over the wire. */

/** Machine states of the emulator; the words are Fly's. */
export type EmulatedState =
  | 'created'
  | 'starting'
  | 'started'
  | 'stopping'
  | 'stopped'
  | 'destroying'
  | 'destroyed'
  | 'failed'

/** How a process ended, in Fly’s words. */
export type ExitEvent = {
  readonly exit_code?: number
  readonly guest_exit_code?: number
  readonly guest_signal?: number
  readonly signal?: number
  readonly oom_killed: boolean
  readonly requested_stop: boolean
  readonly restarting: false
  readonly exited_at: string
  readonly error?: string
}

/** Newest first in a machine's list. */
export type EmulatedEvent = {
  readonly id: string
  readonly type: string
  readonly status: string
  readonly source: 'user' | 'flyd'
  readonly timestamp: number
  readonly request: { readonly exit_event: ExitEvent } | null
}

/** A machine's config as the API gives it back; fields that we do not know are kept as they came. */
export type EmulatedConfig = {
  readonly image: string
  readonly env: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly guest: { readonly cpu_kind: string; readonly cpus: number; readonly memory_mb: number }
  readonly auto_destroy: boolean
  readonly stop_config: { readonly signal: string; readonly timeout: string }
  readonly [field: string]: unknown
}

/** An app; its name is unique among all. */
export type EmulatedApp = {
  readonly id: string
  readonly name: string
  readonly orgSlug: string
  readonly network: string
  readonly createdAtMs: number
}

/** What a runner gave for a process, so that it can be found again after a restart of the emulator. */
export type RunToken = { readonly pid: number; readonly startedAt: string }

/** Fly’s lease on a machine. */
export type MachineHold = {
  readonly nonce: string
  readonly expiresAtMs: number
  readonly owner: string
  readonly description: string
}

/** A machine with its config, its past and what is due. */
export type EmulatedMachine = {
  readonly id: string
  readonly app: string
  readonly name: string
  readonly region: string
  readonly state: EmulatedState
  readonly instanceId: string
  readonly privateIp: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
  readonly config: EmulatedConfig
  readonly digest: string
  readonly hostStatus: 'ok' | 'unknown' | 'unreachable'
  readonly events: readonly EmulatedEvent[]
  /** Set while a process of it may live. */
  readonly run?: RunToken
  /** A stop through the API is under way, or was the last one. */
  readonly stopRequested: boolean
  /** The change that comes by itself, and when. */
  readonly due?: { readonly step: Step; readonly atMs: number }
  /** When it was last seen to stop: start is refused for a while after. */
  readonly stoppedAtMs?: number
  readonly hold?: MachineHold
}

/**
 * What happens by the clock: launch (created → starting, its process is spawned), boot (starting → started),
 * reap (a destroyed machine is forgotten).
 */
export type Step = 'launch' | 'boot' | 'reap'

/** What the shell has to do with the machine's process. */
export type Effect =
  | { readonly do: 'spawn' }
  | { readonly do: 'signal'; readonly signal: string; readonly killAfterMs: number }
  | { readonly do: 'kill' }

/** How long things take, in ms; each is drawn evenly between `min` and `max`. */
export type Range = { readonly min: number; readonly max: number }
/** The pace of an emulator. */
export type Latency = {
  readonly launch: Range
  readonly boot: Range
  /** How long a destroyed machine can still be read. */
  readonly destroyedReadableMs: number
  /** For so long after a stop, start is refused ("machine still active"). */
  readonly startRefusedMs: number
}

/** Everything at once: the embedded default. */
const INSTANT: Latency = {
  launch: { min: 0, max: 0 },
  boot: { min: 0, max: 0 },
  destroyedReadableMs: 30_000,
  startRefusedMs: 0,
}

/** About what the live service shows: seconds in created, under a second to start, start refused after a stop. */
const FLY: Latency = {
  launch: { min: 1_000, max: 6_000 },
  boot: { min: 200, max: 900 },
  destroyedReadableMs: 60_000,
  startRefusedMs: 3_000,
}

/** Paces by name. */
export const LATENCIES = { instant: INSTANT, fly: FLY } as const
/** A pace’s name. */
export type LatencyProfile = keyof typeof LATENCIES

/** How a process ended; all absent when nobody saw it. */
export type ProcessExit = { readonly code?: number; readonly signal?: number; readonly error?: string }
