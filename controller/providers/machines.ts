/**
 * The MachineProvider port: the actual state of the world, at Fly or at its emulator.
 *
 * Contract (providers/contract.ts runs it on every adapter); failures are ProviderError, told apart by `reason`:
 *  MP1 create is idempotent by name: where a machine of that name exists and carries the same owner stamp (control
 *      plane, tenant, sprite uid, incarnation, spec hash) it is adopted and returned; with another stamp NameConflict.
 *  MP2 After an unknown outcome (OutcomeUnknown) the same call may be made again and gives the same machine.
 *  MP3 get gives undefined only when the provider says that the machine does not exist (404), or `destroyed`.
 *      Absence from a list proves nothing.
 *  MP4 start, stop and destroy are idempotent: what is already so is success; destroy of an unknown machine is success,
 *      start and stop of one are NotFound; a state that must pass first is NotReady.
 *  MP5 list gives the machines of one tenant; `complete: false` says that some may be missing (never conclude absence).
 *      A tenant without an app has an empty, complete list.
 *  MP6 No call is retried inside the adapter, except reads; every call honours its signal and a deadline of its own.
 *      A read that failed on the way is Unavailable: it has no outcome that could be unknown.
 *  MP8 A call may say how urgent it is and by when it must be over; an adapter without rates and leases need not listen.
 *  MP9 listFleet, where a provider has it, gives all tenants' machines page by page, or what has changed since a time, the
 *      destroyed among it. Its rows are hints: they know neither host nor exit, and their stamp is metadata alone. Where
 *      the token may not read so much it is CredentialsInvalid or NotFound. Where `fleetIsOneList` is true it is one list of
 *      all that lives, knows no changes, and is to be asked for as seldom as a list.
 *  MP10 ensureTenant, where a provider keeps more for a tenant than machines, makes that (its app and network); it may be
 *      repeated. What is somebody else's is NameConflict and left alone; where all tenants share one, nothing is made.
 *  MP11 standing tells at once, without a call, where a tenant's machines live and which calls are held back; it throws
 *      nothing. onStanding calls back with the app whose standing has changed.
 *  MP7 Nothing that does not carry our control plane's stamp is ever started, stopped or destroyed: NameConflict. Nor is
 *      what carries the stamp of another sprite or incarnation than the ref is `of`.
 */

/** Fly's states; `unknown` stands for any word that we do not know. */
export const MACHINE_STATES = [
  'created',
  'creating',
  'starting',
  'started',
  'stopping',
  'stopped',
  'suspending',
  'suspended',
  'restarting',
  'updating',
  'replacing',
  'destroying',
  'destroyed',
  'failed',
  'launch_failed',
  'unknown',
] as const
/** The state of a machine, as the provider tells it. */
export type MachineState = (typeof MACHINE_STATES)[number]

/** What we wrote on the machine when we made it: a hint of ownership, compared with our own record. */
export type OwnerStamp = {
  /** Id of the control plane: two of them may share an organization. */
  readonly controlPlane: string
  readonly tenant: string
  readonly sprite: string
  readonly spriteUid: string
  readonly incarnation: number
  readonly specHash: string
}

/** How a machine's process ended. */
export type MachineExit = {
  readonly atMs: number
  readonly code?: number
  readonly oomKilled?: boolean
  /** Whether the stop was asked for through the API. */
  readonly requested?: boolean
}

/** One machine at the provider. */
export type Machine = {
  readonly id: string
  readonly name: string
  readonly app: string
  readonly region: string
  readonly state: MachineState
  readonly image?: string
  readonly createdAtMs: number
  readonly updatedAtMs: number
  /** Absent when the machine carries no complete stamp of ours. */
  readonly owner?: OwnerStamp
  /** How it last ended, when the provider tells. */
  readonly exit?: MachineExit
  /** False when the host cannot be reached: the state is then the last known one. */
  readonly hostReachable: boolean
}

/** Which machine: providers look only in the tenant's own app. `of`: whose it is by our record; another's is not touched. */
export type MachineRef = {
  readonly tenant: string
  readonly id: string
  readonly of?: Pick<OwnerStamp, 'spriteUid' | 'incarnation'>
}

/** What a machine is made from. `env` holds nothing secret but the sprite's own boot token. */
export type MachineSpec = {
  readonly name: string
  readonly owner: OwnerStamp
  readonly image: string
  readonly guest: { readonly cpuKind: 'shared' | 'performance'; readonly cpus: number; readonly memoryMb: number }
  /** Ordered by preference; at least one. */
  readonly regions: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Destroyed by the provider when its process ends: the plan keeps no stopped machines. */
  readonly autoDestroy: boolean
  /** Seconds between SIGTERM and SIGKILL at a stop. */
  readonly stopTimeoutSeconds: number
}

/** A tenant's machines; when it is not complete, what is missing in it may exist. */
export type MachineList = { readonly machines: readonly Machine[]; readonly complete: boolean }

/** What of the fleet is asked for: all that lives, or what has changed since a time (ms, by the provider's clock). */
export type FleetAsk = { readonly sinceMs?: number; readonly cursor?: string }

/** One page of the fleet. */
export type FleetPage = {
  readonly rows: readonly { readonly tenant: string; readonly machine: Machine }[]
  /** Where the next page begins, which may be empty and not the last; absent on the last one. */
  readonly next?: string
  /** False when a region did not answer or a row could not be read: conclude no absence. */
  readonly complete: boolean
  /** The latest change that the page knows of, by the provider's clock. */
  readonly changedAtMs?: number
}

/** Every reason, so that tables over them have no hole. */
export const PROVIDER_ERROR_REASONS = [
  /** The request may or may not have taken effect: 408, 5xx, reset, time-out. Repeat the same call. */
  'OutcomeUnknown',
  /** Could not be reached at all: nothing has happened. */
  'Unavailable',
  'RateLimited',
  'CredentialsInvalid',
  'InvalidSpec',
  'NoCapacity',
  'QuotaExceeded',
  'NameConflict',
  /** The machine's state forbids it now: try again shortly. */
  'NotReady',
  'NotFound',
  /** Somebody has frozen the tenant, or everything: nothing was sent. */
  'Frozen',
  /** The provider answered what we do not understand. */
  'Unexpected',
] as const
/** Why a call to the provider failed. */
export type ProviderErrorReason = (typeof PROVIDER_ERROR_REASONS)[number]

/** A failure of the provider. `requestId` is Fly's, for its support; the message has it too. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError'
  readonly reason: ProviderErrorReason
  readonly retryAfterMs: number | undefined
  readonly requestId: string | undefined

  constructor(
    reason: ProviderErrorReason,
    message: string,
    options: { readonly retryAfterMs?: number; readonly requestId?: string; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.retryAfterMs = options.retryAfterMs
    this.requestId = options.requestId
  }
}

/** How one call is made; every part may be left out. */
export type CallOptions = {
  /** Weight of the tenant's plan: of those who wait for the same rate the heavier goes first. Default 1. */
  readonly priority?: number
  /** Ms within which the whole call must be over, for example what is left of the caller's lease. */
  readonly deadlineMs?: number
}

/** How it is with an app's token of its own; without one the organization's does everything. */
export type AppTokenStanding = {
  readonly is: 'Own' | 'Pending' | 'NotRenewed' | 'Missing' | 'Refused'
  /** What the provider answered, with its request id; where it was asked in vain. */
  readonly message?: string
}

/** What an adapter knows of a tenant's place without asking. */
export type TenantStanding = {
  readonly app: string
  /** Nobody's own: neither made nor deleted with a tenant. */
  readonly isShared: boolean
  /** Absent where apps are given no tokens. */
  readonly token?: AppTokenStanding
  /** What was answered to calls that are held back but for probes: CredentialsInvalid of all, QuotaExceeded of creates. */
  readonly paused: readonly ProviderError[]
}

/** What stays of a tenant at the provider: an app, and the ids of machines in it that are not ours; none where the app is not. */
export type TenantRemains = { readonly app: string; readonly machines: readonly string[] }

/** The port to a machine API; its rules stand above. */
export interface MachineProvider {
  list(tenant: string, signal?: AbortSignal, options?: CallOptions): Promise<MachineList>
  listFleet?(ask: FleetAsk, signal?: AbortSignal): Promise<FleetPage>
  readonly fleetIsOneList?: boolean
  get(ref: MachineRef, signal?: AbortSignal, options?: CallOptions): Promise<Machine | undefined>
  create(spec: MachineSpec, signal?: AbortSignal, options?: CallOptions): Promise<Machine>
  start(ref: MachineRef, signal?: AbortSignal, options?: CallOptions): Promise<void>
  stop(ref: MachineRef, signal?: AbortSignal, options?: CallOptions): Promise<void>
  /** Removes the machine, running or not. Resolves when the provider has accepted; absence is seen by get. */
  destroy(ref: MachineRef, signal?: AbortSignal, options?: CallOptions): Promise<void>
  /** Removes what the tenant has at the provider besides machines (its app); an app with machines of ours is left. Gives what stays because it is not ours. */
  removeTenant(tenant: string, signal?: AbortSignal): Promise<TenantRemains | undefined>
  ensureTenant?(tenant: string, signal?: AbortSignal, options?: CallOptions): Promise<void>
  standing?(tenant: string): TenantStanding
  onStanding?(listener: (app: string) => void): void
}
