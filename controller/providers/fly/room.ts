/** What every call of the Fly adapter shares: its settings, the way to the API, and what it has seen to be ours. */
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import type { Metrics } from '../../../system/metrics.ts'
import { ProviderError, type CallOptions, type Machine, type MachineRef } from '../machines.ts'
import type { AppTokenStore } from './app-tokens.ts'
import { appPath, type FlyApps } from './apps.ts'
import { flyError, type FlyCall, type FlyHttp, type FlyReply, type LeaseLeft } from './http.ts'
import { appName, hasNameShape, isSharedApp } from './machine-config.ts'
import { machineSchema, toMachine } from './replies.ts'

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

/** One adapter, from inside. */
export type Room = {
  readonly http: FlyHttp
  readonly apps: FlyApps
  readonly options: FlyProviderOptions
  readonly log: Log
  /** `<tenant>/<id>` of machines seen to carry our stamp. Ids are never used twice: what was ours stays ours. */
  readonly ours: Set<string>
  /** Until when (monotonic ms) a region is asked last, since it had no room lately. */
  readonly full: Map<string, number>
  /** Images of which it was said that they are not pinned. */
  readonly warnedOf: Set<string>
}

/** How one call goes: until when, and for whom. */
export type Bounds = Pick<CallOptions, 'priority'> & { readonly signal: AbortSignal }

const OURS_MAX = 50_000

/** Keeps in mind that a machine is ours; false when it is not. */
export function remember(room: Room, machine: Machine): boolean {
  const { owner } = machine
  const isOurs = owner !== undefined && (!isSharedApp(room.options.appTemplate) || hasNameShape(machine.name, owner))
  if (!isOurs) return false
  if (room.ours.size >= OURS_MAX) room.ours.clear()
  room.ours.add(`${owner.tenant}/${machine.id}`)
  return true
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
  const { controlPlaneId } = room.options
  return toMachine(parsed.data, { app: call.app, controlPlaneId })
}

/** The same error under another reason. */
export function retold(error: ProviderError, reason: ProviderError['reason']): ProviderError {
  return new ProviderError(reason, error.message, {
    cause: error,
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  })
}
