/** Pure: what the emulator knows of an app and of a machine, in Fly's own words where they go over the wire. */

/** Machine states of the emulator; the words are Fly's. */
export type EmulatedState =
  | 'created'
  | 'starting'
  | 'started'
  | 'stopping'
  | 'stopped'
  | 'restarting'
  | 'suspending'
  | 'suspended'
  | 'replacing'
  | 'destroying'
  | 'destroyed'
  | 'failed'
  | 'launch_failed'

/** How a process ended, in Fly’s words. */
export type ExitEvent = {
  readonly exit_code?: number
  readonly guest_exit_code?: number
  readonly guest_signal?: number
  readonly signal?: number
  readonly oom_killed: boolean
  readonly requested_stop: boolean
  readonly restarting: boolean
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
  readonly request: { readonly exit_event: ExitEvent; readonly restart_count?: number } | null
}

/** When flyd starts a machine again by itself. */
export type RestartPolicy = 'no' | 'on-failure' | 'always'

/** A machine's config as the API gives it back; fields that we do not know are kept as they came. */
export type EmulatedConfig = {
  readonly image: string
  readonly env: Readonly<Record<string, string>>
  readonly metadata: Readonly<Record<string, string>>
  readonly guest: { readonly cpu_kind: string; readonly cpus: number; readonly memory_mb: number }
  readonly auto_destroy: boolean
  readonly stop_config: { readonly signal: string; readonly timeout: string }
  /** Absent is `on-failure`. */
  readonly restart?:
    | { readonly policy?: RestartPolicy | undefined; readonly max_retries?: number | undefined }
    | undefined
  readonly init?: { readonly swap_size_mb?: number | undefined } | undefined
  readonly schedule?: string | undefined
  readonly [field: string]: unknown
}

/** A secret of an app: shown by its digest only. */
export type EmulatedSecret = {
  readonly name: string
  readonly value: string
  readonly digest: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

/** An address of an app; `network` is the one that it can be reached from. */
export type EmulatedAddress = {
  readonly ip: string
  readonly type: string
  readonly region: string
  readonly network?: string
  readonly createdAtMs: number
}

/** A volume; its machine is the one that mounts it. */
export type EmulatedVolume = {
  readonly id: string
  readonly name: string
  readonly region: string
  readonly sizeGb: number
  readonly createdAtMs: number
}

/** An app; its name is unique among all. */
export type EmulatedApp = {
  readonly id: string
  readonly name: string
  readonly orgSlug: string
  readonly network: string
  readonly createdAtMs: number
  /** Until then some nodes do not know it yet; they answer with this status. */
  readonly unseen?: { readonly untilMs: number; readonly status: 401 | 404 }
  /** Same key and same name give the same app again. */
  readonly idempotencyKey?: string
  readonly secrets?: readonly EmulatedSecret[]
  readonly secretsVersion?: number
  /** What a boot that asks for no version still gets until `untilMs`. */
  readonly staleSecrets?: { readonly untilMs: number; readonly secrets: readonly EmulatedSecret[] }
  readonly addresses?: readonly EmulatedAddress[]
  readonly policies?: readonly { readonly id: string; readonly [field: string]: unknown }[]
  readonly volumes?: readonly EmulatedVolume[]
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

/** How a process ended; all absent when nobody saw it. `oom`: the kernel killed it for want of memory. */
export type ProcessExit = {
  readonly code?: number
  readonly signal?: number
  readonly error?: string
  readonly oom?: boolean
}

/** A config that the machine once had, or has. */
export type EmulatedVersion = { readonly version: string; readonly user_config: EmulatedConfig }

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
  /** What it runs on; machines of one host are lost together. */
  readonly host?: string
  readonly hostStatus: 'ok' | 'unknown' | 'unreachable'
  readonly events: readonly EmulatedEvent[]
  /** Newest first. */
  readonly versions?: readonly EmulatedVersion[]
  readonly cordoned?: boolean
  readonly minSecretsVersion?: number
  readonly skipsSecrets?: boolean
  /** Set while a process of it may live. */
  readonly run?: RunToken
  /** A stop through the API is under way, or was the last one. */
  readonly stopRequested: boolean
  /** What follows when its process ends: it is started again, or stays down whatever its policy says. */
  readonly afterExit?: 'start' | 'stop'
  /** What the next end of its process is told as. */
  readonly exitAs?: ProcessExit
  /** Its process ended while its host could not be reached. */
  readonly unseenExit?: ProcessExit
  /** When flyd started it again by itself, newest last; older than the window are dropped. */
  readonly restartsAtMs?: readonly number[]
  /** The change that comes by itself, and when. */
  readonly due?: { readonly step: Step; readonly atMs: number; readonly exit?: ProcessExit }
  /** When it was last seen to stop: start is refused for a while after. */
  readonly stoppedAtMs?: number
  readonly hold?: MachineHold
}

/**
 * What happens by the clock: launch (created → starting, its process is spawned), prepare (created → stopped), boot
 * (starting → started), fail (it does not come up), respawn (its process is started again), suspend (suspending →
 * suspended), replace (replacing → stopped), crash (its process is ended as `exit` says), abandon (launch_failed →
 * destroyed), reap (a destroyed machine is forgotten).
 */
export type Step =
  | 'launch'
  | 'prepare'
  | 'boot'
  | 'fail'
  | 'respawn'
  | 'suspend'
  | 'replace'
  | 'crash'
  | 'abandon'
  | 'reap'

/** What the shell has to do with the machine's process. */
export type Effect =
  | { readonly do: 'spawn' }
  | { readonly do: 'signal'; readonly signal: string; readonly killAfterMs: number }
  | { readonly do: 'kill' }
