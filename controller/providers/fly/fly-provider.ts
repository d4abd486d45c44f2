/** The adapter of MachineProvider over the Fly Machines REST API; the emulator beside it speaks the same API. */
import type { Clock } from '../../../system/clock.ts'
import { silentLog, type Log } from '../../../system/log.ts'
import type { Metrics } from '../../../system/metrics.ts'
import {
  ProviderError,
  type Machine,
  type MachineList,
  type MachineProvider,
  type MachineRef,
  type MachineSpec,
} from '../machines.ts'
import { sameStamp } from '../owner-stamp.ts'
import { appPath, createFlyApps, type FlyApps } from './apps.ts'
import { classifyStartError, nameHolderId } from './classify.ts'
import {
  createFlyHttp,
  errorWords,
  flyError,
  isAbsent,
  refusal,
  type FlyCall,
  type FlyHttp,
  type FlyReply,
} from './http.ts'
import { appName, createRequest, hasNameShape, isSharedApp, tenantFilter } from './machine-config.ts'
import { createPace, unpaced } from './pace.ts'
import { listSchema, machineSchema, startSchema, toMachine } from './replies.ts'

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
  readonly fetch?: typeof globalThis.fetch
  /** Keep to Fly's documented rates (default); false for an emulator. */
  readonly paced?: boolean
}

type Room = {
  readonly http: FlyHttp
  readonly apps: FlyApps
  readonly options: FlyProviderOptions
  readonly log: Log
  /** `<tenant>/<id>` of machines seen to carry our stamp. Ids are never used twice: what was ours stays ours. */
  readonly ours: Set<string>
}

const OURS_MAX = 50_000
const REQUEST_TIMEOUT_MS = 4_000

/** A MachineProvider over the real API. Mutations are never repeated inside it. */
export function createFlyProvider(options: FlyProviderOptions): MachineProvider {
  const log = options.log ?? silentLog
  const http = createFlyHttp({
    baseUrl: options.baseUrl,
    token: options.token,
    clock: options.clock,
    log,
    pace: options.paced === false ? unpaced : createPace(options.clock),
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    fetch: options.fetch ?? globalThis.fetch,
    ...(options.metrics ? { metrics: options.metrics } : {}),
  })
  const apps = createFlyApps({ http, orgSlug: options.orgSlug, clock: options.clock })
  const room: Room = { http, apps, options, log, ours: new Set() }
  return {
    list: (tenant, signal) => within(room, signal, (bounded) => list(room, tenant, bounded)),
    get: (ref, signal) => within(room, signal, (bounded) => get(room, ref, bounded)),
    create: (spec, signal) => within(room, signal, (bounded) => create(room, spec, bounded)),
    start: (ref, signal) => within(room, signal, (bounded) => start(room, ref, bounded)),
    stop: (ref, signal) => within(room, signal, (bounded) => stop(room, ref, bounded)),
    destroy: (ref, signal) => within(room, signal, (bounded) => destroy(room, ref, bounded)),
    removeTenant: (tenant, signal) => within(room, signal, (bounded) => removeTenant(room, tenant, bounded)),
  }
}

/** No request of a call leaves later than the call's deadline: its caller checked its lease when it began. */
async function within<T>(
  { options }: Room,
  signal: AbortSignal | undefined,
  call: (bounded: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController()
  const timeoutMs = options.callTimeoutMs ?? 2 * (options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS)
  const cancel = options.clock.after(timeoutMs, () => deadline.abort(), { background: true })
  try {
    return await call(signal ? AbortSignal.any([deadline.signal, signal]) : deadline.signal)
  } finally {
    cancel()
  }
}

async function list(room: Room, tenant: string, signal?: AbortSignal): Promise<MachineList> {
  const { options } = room
  const app = appName(options.appTemplate, tenant)
  const shared = isSharedApp(options.appTemplate)
  const query = shared ? `?${tenantFilter(options.controlPlaneId, tenant).toString()}` : ''
  const path = `${appPath(app)}/machines${query}`
  const call: FlyCall = { action: 'list', method: 'GET', path, app, signal, tolerate: [404] }
  const reply = await room.http(call)
  if (isAbsent(call, reply)) {
    room.apps.forget(app)
    return { machines: [], complete: !room.apps.isFresh(app) }
  }
  const rows = listSchema.safeParse(reply.json)
  if (!rows.success) throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  const parsed = rows.data.map((row) => machineSchema.safeParse(row))
  const machines = parsed.flatMap((row) => (row.success ? [toMachine(row.data, { app, ...options })] : []))
  for (const machine of machines) remember(room, machine)
  // A row stamped for another tenant tells that this is not the picture we asked for.
  const stray = machines.some((machine) => machine.owner && machine.owner.tenant !== tenant)
  const mine = machines.filter((machine) => (machine.owner ? machine.owner.tenant === tenant : !shared))
  return {
    machines: mine.filter((machine) => machine.state !== 'destroyed'),
    complete: reply.status === 200 && !stray && parsed.every((row) => row.success),
  }
}

async function get(room: Room, ref: MachineRef, signal?: AbortSignal): Promise<Machine | undefined> {
  const call = machineCall(room, ref, { action: 'get', method: 'GET', signal, tolerate: [404] })
  const reply = await room.http(call)
  if (isAbsent(call, reply)) return undefined
  const machine = readMachine(room, call, reply)
  if (machine.id !== ref.id) throw flyError(call, reply, { reason: 'Unexpected', why: `machine ${machine.id}` })
  return machine.state === 'destroyed' ? undefined : machine
}

async function create(room: Room, spec: MachineSpec, signal?: AbortSignal): Promise<Machine> {
  const app = appName(room.options.appTemplate, spec.owner.tenant)
  await room.apps.ensure(app, signal)
  const call: FlyCall = {
    action: 'create',
    method: 'POST',
    path: `${appPath(app)}/machines`,
    app,
    body: createRequest(spec),
    signal,
    tolerate: [400, 401, 404, 409, 422],
  }
  const reply = await room.http(call)
  if (reply.status < 300) {
    const machine = readMachine(room, call, reply)
    remember(room, machine)
    return machine
  }
  const error = refusal(call, reply)
  if (reply.status === 404) room.apps.forget(app)
  if (reply.status === 404 || (reply.status === 401 && room.apps.isFresh(app))) throw retold(error, 'NotReady')
  // The id of the holder is in the words of the refusal: the only handle that is strongly consistent.
  const id = nameHolderId(errorWords(reply).text)
  if (id === undefined) throw error
  return adopt(room, { spec, id, error, signal })
}

type Adoption = {
  readonly spec: MachineSpec
  readonly id: string
  readonly error: ProviderError
  readonly signal: AbortSignal | undefined
}

async function adopt(room: Room, { spec, id, error, signal }: Adoption): Promise<Machine> {
  const holder = await get(room, { tenant: spec.owner.tenant, id }, signal)
  // Reads lag behind writes: the holder of the name may not be seen yet, or may just have gone.
  if (!holder) throw retold(error, 'NotReady')
  if (holder.name === spec.name && sameStamp(holder.owner, spec.owner)) {
    remember(room, holder)
    return holder
  }
  if (!holder.hostReachable && !holder.owner) throw retold(error, 'NotReady')
  throw retold(error, 'NameConflict')
}

async function start(room: Room, ref: MachineRef, signal?: AbortSignal): Promise<void> {
  await assertOurs(room, ref, { verb: 'start', signal })
  const call = machineCall(room, ref, { action: 'start', method: 'POST', verb: '/start', signal })
  const reply = await room
    .http(call)
    .catch((error: unknown) => alreadyIn(room, error, { ref, states: RUNNING, signal }))
  const body = startSchema.safeParse(reply?.json).data
  if (!reply || body?.status !== 'error') return
  const why = body.message ?? 'status error'
  throw flyError(call, reply, { reason: classifyStartError(why), why })
}

async function stop(room: Room, ref: MachineRef, signal?: AbortSignal): Promise<void> {
  await assertOurs(room, ref, { verb: 'stop', signal })
  // No signal and no time-out here: the machine's own stop_config has them.
  const call = machineCall(room, ref, { action: 'stop', method: 'POST', verb: '/stop', body: {}, signal })
  await room.http(call).catch((error: unknown) => alreadyIn(room, error, { ref, states: STOPPED, signal }))
}

async function destroy(room: Room, ref: MachineRef, signal?: AbortSignal): Promise<void> {
  const found = await assertOurs(room, ref, { verb: 'destroy', signal })
  if (!found) return
  const call = machineCall(room, ref, {
    action: 'destroy',
    method: 'DELETE',
    verb: '?force=true',
    signal,
    tolerate: [404],
  })
  isAbsent(call, await room.http(call))
}

async function removeTenant(room: Room, tenant: string, signal?: AbortSignal): Promise<void> {
  if (isSharedApp(room.options.appTemplate)) return
  const app = appName(room.options.appTemplate, tenant)
  const left = await list(room, tenant, signal)
  const ours = left.machines.filter((machine) => machine.owner)
  if (ours.length > 0 || !left.complete)
    throw new ProviderError('NotReady', `Kept app "${app}": ${ours.length} machines of ours are in it`)
  if (left.machines.length === 0) return room.apps.remove(app, signal)
  room.log.warn({ tenant, app, machines: left.machines.length }, 'app kept: machines that are not ours are in it')
}

const RUNNING: readonly string[] = ['starting', 'started']
const STOPPED: readonly string[] = ['stopping', 'stopped', 'destroying']

type Ask = { readonly ref: MachineRef; readonly states: readonly string[]; readonly signal: AbortSignal | undefined }

/** What is already so is success: after a 412 the machine's state decides. */
async function alreadyIn(room: Room, error: unknown, { ref, states, signal }: Ask): Promise<undefined> {
  if (!(error instanceof ProviderError) || error.reason !== 'NotReady') throw error
  const machine = await get(room, ref, signal)
  if (machine && states.includes(machine.state)) return undefined
  throw error
}

/**
 * Refuses to touch a machine that was never seen to carry our stamp (MP7), in a shared app without our name shape too.
 * False when the machine does not exist.
 */
async function assertOurs(
  room: Room,
  ref: MachineRef,
  { verb, signal }: { readonly verb: string; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  if (room.ours.has(`${ref.tenant}/${ref.id}`)) return true
  const machine = await get(room, ref, signal)
  if (!machine) {
    if (verb === 'destroy') return false
    throw new ProviderError('NotFound', `Cannot ${verb} machine "${ref.id}": it does not exist`)
  }
  if (remember(room, machine) && machine.owner?.tenant === ref.tenant) return true
  const reason = machine.hostReachable ? 'NameConflict' : 'NotReady'
  throw new ProviderError(reason, `Refused to ${verb} machine "${ref.id}": it does not carry our stamp`)
}

/** Keeps in mind that a machine is ours; false when it is not. */
function remember(room: Room, machine: Machine): boolean {
  const { owner } = machine
  const isOurs = owner !== undefined && (!isSharedApp(room.options.appTemplate) || hasNameShape(machine.name, owner))
  if (!isOurs) return false
  if (room.ours.size >= OURS_MAX) room.ours.clear()
  room.ours.add(`${owner.tenant}/${machine.id}`)
  return true
}

function machineCall(
  room: Room,
  ref: MachineRef,
  call: Pick<FlyCall, 'action' | 'method' | 'signal' | 'body' | 'tolerate'> & { readonly verb?: string },
): FlyCall {
  const { verb = '', ...rest } = call
  const app = appName(room.options.appTemplate, ref.tenant)
  return { ...rest, app, machine: ref.id, path: `${appPath(app)}/machines/${encodeURIComponent(ref.id)}${verb}` }
}

function readMachine(room: Room, call: FlyCall, reply: FlyReply): Machine {
  const parsed = machineSchema.safeParse(reply.json)
  if (!parsed.success) throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
  const { controlPlaneId } = room.options
  return toMachine(parsed.data, { app: call.app, controlPlaneId })
}

function retold(error: ProviderError, reason: ProviderError['reason']): ProviderError {
  return new ProviderError(reason, error.message, {
    cause: error,
    ...(error.requestId === undefined ? {} : { requestId: error.requestId }),
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  })
}
