/** What every call of the Fly adapter shares: its settings, the way to the API, and what it has seen to be ours. */
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import type { Metrics } from '../../../system/metrics.ts'
import { ProviderError, type CallOptions, type Machine, type MachineRef, type OwnerStamp } from '../machines.ts'
import type { AppTokenStore } from './app-tokens.ts'
import { appPath, type FlyApps } from './apps.ts'
import { flyError, type FlyCall, type FlyHttp, type FlyReply, type LeaseLeft } from './http.ts'
import { appName, isNameOf, isSharedApp } from './machine-config.ts'
import { machineSchema, toMachine, type FlyMachine } from './replies.ts'

/** Where the API is, who we are there, and within which bounds we call it. */
export type FlyProviderOptions = {
  /** FLY_FLAPS_BASE_URL, else https://api.machines.dev. */
  readonly baseUrl: string
  /** With or without its scheme. */
  readonly token: string
  readonly orgSlug: string
  /** `highera-{tenant}` gives each tenant an app and a network of its own; without `{tenant}` all share one app. */
  readonly appTemplate: string
  readonly controlPlaneId: string
  readonly clock: Clock
  readonly log?: Log
  readonly metrics?: Metrics
  /** Deadline of one request in ms; default 4,000. */
  readonly requestTimeoutMs?: number
  /** Deadline of a whole call of the port, look-ups and waiting for its turn included; default twice the request's. */
  readonly callTimeoutMs?: number
  /** What is left of the leader's lease: no change is sent that could outlast it. Default: no lease. */
  readonly lease?: LeaseLeft
  /** Keeps a token for each tenant's app; default: none is made, and the organization's token does it all. */
  readonly appTokens?: AppTokenStore
  readonly fetch?: typeof globalThis.fetch
  /** Keep to Fly's documented rates (default); false for an emulator. */
  readonly paced?: boolean
}

/** What is kept of a machine that is ours. */
export type OurMachine = Pick<OwnerStamp, 'spriteUid' | 'incarnation'> & { readonly region: string }

/** One adapter, from inside. */
export type Room = {
  readonly http: FlyHttp
  readonly apps: FlyApps
  readonly options: FlyProviderOptions
  readonly log: Log
  /** Machines seen to carry our stamp, by `<tenant>/<id>`. Ids are never used twice: what was ours stays ours. */
  readonly ours: Map<string, OurMachine>
  /** Until when (monotonic ms) a region is asked last, since it had no room lately. */
  readonly full: Map<string, number>
  /** Images of which it was said that they are not pinned. */
  readonly warnedOf: Set<string>
}

/** How one call goes: until when, and for whom. */
export type Bounds = Pick<CallOptions, 'priority'> & {
  readonly signal: AbortSignal
  /** Whose lease a change needs. */
  readonly tenant?: string
}

const OURS_MAX = 50_000

/** Keeps in mind that a machine is ours; false when it is not. */
export function remember(room: Room, machine: Machine): boolean {
  const { owner } = machine
  const isOurs = owner !== undefined && (!isSharedApp(room.options.appTemplate) || isNameOf(machine.name, owner))
  if (!isOurs) return false
  if (room.ours.size >= OURS_MAX) room.ours.clear()
  const { spriteUid, incarnation } = owner
  room.ours.set(`${owner.tenant}/${machine.id}`, { spriteUid, incarnation, region: machine.region })
  return true
}

const FULL_MS = 60_000
const FULL_REGIONS_MAX = 1_000

/** Keeps in mind that a region had no room: for a minute it is asked last. */
export function markFull({ full, options }: Room, region: string): void {
  if (full.size >= FULL_REGIONS_MAX) full.clear()
  full.set(region, options.clock.monotonic() + FULL_MS)
}

/** A call about one machine. */
export function machineCall(
  room: Room,
  ref: MachineRef,
  call: Pick<FlyCall, 'action' | 'method' | 'body' | 'tolerate'> & { readonly verb?: string; readonly bounds: Bounds },
): FlyCall {
  const { verb = '', bounds, ...rest } = call
  const app = appName(room.options.appTemplate, ref.tenant)
  return {
    ...rest,
    ...bounds,
    app,
    machine: ref.id,
    path: `${appPath(app)}/machines/${encodeURIComponent(ref.id)}${verb}`,
  }
}

/** The machine of a reply; one that cannot be read is Unexpected. */
export function readMachine(room: Room, call: FlyCall, reply: FlyReply): Machine {
  const parsed = machineSchema.safeParse(reply.json)
  if (!parsed.success) throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  return machineOf(room, parsed.data, call.app)
}

/** A machine as the port has it; in a shared app its owner is proven twice. */
export function machineOf({ options }: Room, fly: FlyMachine, app: string): Machine {
  const { controlPlaneId, appTemplate } = options
  return toMachine(fly, { app, controlPlaneId, isShared: isSharedApp(appTemplate) })
}

/** The same error under another reason. */
export function retold(error: ProviderError, reason: ProviderError['reason']): ProviderError {
  return new ProviderError(reason, error.message, {
    cause: error,
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  })
}
