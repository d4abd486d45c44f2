/** The adapter of MachineProvider over the Fly Machines REST API; the emulator beside it speaks the same API. */
import { silentLog } from '../../../system/log.ts'
import {
  ProviderError,
  type CallOptions,
  type MachineProvider,
  type MachineRef,
  type TenantRemains,
  type TenantStanding,
} from '../machines.ts'
import { createAppTokens, noAppTokens, type AppTokens } from './app-tokens.ts'
import { createAppAges, createFlyApps } from './apps.ts'
import { createCircuitBreaker, type CircuitBreaker } from './breaker.ts'
import { classifyStartError } from './classify.ts'
import { createMachine } from './create.ts'
import { createFlyHttp, flyError, isAbsent } from './http.ts'
import { appName, isSharedApp } from './machine-config.ts'
import { createPace, unpaced } from './pace.ts'
import { listFleet, listSharedApp } from './fleet.ts'
import { getMachine, listMachines } from './reads.ts'
import { startSchema } from './replies.ts'
import {
  machineCall,
  markFull,
  remember,
  type Bounds,
  type FlyProviderOptions,
  type OurMachine,
  type Room,
} from './room.ts'

export type { FlyProviderOptions } from './room.ts'

const REQUEST_TIMEOUT_MS = 4_000

/** A MachineProvider over the real API. Mutations are never repeated inside it. */
export function createFlyProvider(options: FlyProviderOptions): MachineProvider {
  const listeners = new Set<(app: string) => void>()
  const tell = (app: string): void => {
    for (const listener of listeners) listener(app)
  }
  const { room, breaker, tokens } = openRoom(options, tell)
  return {
    // In a shared app the feed's rows prove nothing: they have no env, and their metadata is the workload's to write.
    fleetIsOneList: isSharedApp(options.appTemplate),
    listFleet: (ask, signal) =>
      within(room, { signal }, (bounds) =>
        isSharedApp(options.appTemplate) ? listSharedApp(room, bounds) : listFleet(room, ask, bounds),
      ),
    list: (tenant, signal, how) => within(room, { signal, how }, (bounds) => listMachines(room, tenant, bounds)),
    get: (ref, signal, how) => within(room, { signal, how }, (bounds) => getMachine(room, ref, bounds)),
    create: (spec, signal, how) =>
      within(room, { signal, how, tenant: spec.owner.tenant }, (bounds) => createMachine(room, spec, bounds)),
    start: (ref, signal, how) =>
      within(room, { signal, how, tenant: ref.tenant }, (bounds) => start(room, ref, bounds)),
    stop: (ref, signal, how) => within(room, { signal, how, tenant: ref.tenant }, (bounds) => stop(room, ref, bounds)),
    destroy: (ref, signal, how) =>
      within(room, { signal, how, tenant: ref.tenant }, (bounds) => destroy(room, ref, bounds)),
    removeTenant: (tenant, signal) => within(room, { signal, tenant }, (bounds) => removeTenant(room, tenant, bounds)),
    ensureTenant: (tenant, signal, how) =>
      within(room, { signal, how, tenant }, (bounds) => ensureTenant(room, tenant, bounds)),
    standing: (tenant) => standingOf(options, tenant, { breaker, tokens }),
    onStanding: (listener) => void listeners.add(listener),
  }
}

/** One adapter from inside, and the parts that know how an app stands. */
type Opened = { readonly room: Room; readonly breaker: CircuitBreaker; readonly tokens: AppTokens }

function openRoom(options: FlyProviderOptions, onChange: (app: string) => void): Opened {
  const { clock, lease, metrics, orgSlug, controlPlaneId, appTemplate } = options
  const log = options.log ?? silentLog
  const ages = createAppAges(clock)
  const isShared = isSharedApp(appTemplate)
  const breaker = createCircuitBreaker(clock, onChange)
  const http = createFlyHttp({
    baseUrl: options.baseUrl,
    token: options.token,
    appTokens: () => tokens,
    clock,
    log,
    pace: options.paced === false ? unpaced : createPace(clock),
    breaker,
    isFresh: ages.isFresh,
    requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
    fetch: options.fetch ?? globalThis.fetch,
    ...(lease === undefined ? {} : { lease }),
    ...(metrics === undefined ? {} : { metrics }),
  })
  const store = isShared ? undefined : options.appTokens
  const tokens = store === undefined ? noAppTokens : createAppTokens({ http, store, clock, log, onChange })
  const apps = createFlyApps({ http, clock, orgSlug, ages, controlPlaneId, isShared, tokens })
  const room = {
    http,
    apps,
    options,
    log,
    ours: new Map<string, OurMachine>(),
    full: new Map(),
    warnedOf: new Set<string>(),
  }
  return { room, breaker, tokens }
}

function standingOf(
  { appTemplate }: FlyProviderOptions,
  tenant: string,
  { breaker, tokens }: Pick<Opened, 'breaker' | 'tokens'>,
): TenantStanding {
  const app = appName(appTemplate, tenant)
  const token = tokens.standing(app)
  const paused = breaker.standing(app)
  return { app, isShared: isSharedApp(appTemplate), paused, ...(token === undefined ? {} : { token }) }
}

/** A shared app is whoever's set it up. */
async function ensureTenant(room: Room, tenant: string, bounds: Bounds): Promise<void> {
  const { appTemplate } = room.options
  if (!isSharedApp(appTemplate)) await room.apps.ensure(appName(appTemplate, tenant), bounds)
}

type Asked = {
  readonly signal: AbortSignal | undefined
  readonly how?: CallOptions | undefined
  readonly tenant?: string
}

/** No request of a call leaves later than the call's deadline: its caller checked its lease when it began. */
async function within<T>(
  { options }: Room,
  { signal, how, tenant }: Asked,
  call: (bounds: Bounds) => Promise<T>,
): Promise<T> {
  const deadline = new AbortController()
  const ownMs = options.callTimeoutMs ?? 2 * (options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS)
  const timeoutMs = Math.min(ownMs, how?.deadlineMs ?? Infinity)
  const cancel = options.clock.after(timeoutMs, () => deadline.abort(), { background: true })
  const bounded = signal ? AbortSignal.any([deadline.signal, signal]) : deadline.signal
  try {
    const whose = tenant === undefined ? {} : { tenant }
    return await call({ signal: bounded, ...whose, ...(how?.priority === undefined ? {} : { priority: how.priority }) })
  } finally {
    cancel()
  }
}

async function start(room: Room, ref: MachineRef, bounds: Bounds): Promise<void> {
  await assertOurs(room, ref, { verb: 'start', bounds })
  const call = machineCall(room, ref, { action: 'start', method: 'POST', verb: '/start', bounds })
  try {
    const reply = await room
      .http(call)
      .catch((error: unknown) => alreadyIn(room, error, { ref, states: RUNNING, bounds }))
    const body = startSchema.safeParse(reply?.json).data
    if (!reply || body?.status !== 'error') return
    const why = body.message ?? 'status error'
    throw flyError(call, reply, { reason: classifyStartError(why), why })
  } catch (error) {
    // Its host is full, and another one of the region hardly less so: who follows it goes elsewhere first.
    const region = room.ours.get(`${ref.tenant}/${ref.id}`)?.region
    if (error instanceof ProviderError && error.reason === 'NoCapacity' && region !== undefined) markFull(room, region)
    throw error
  }
}

async function stop(room: Room, ref: MachineRef, bounds: Bounds): Promise<void> {
  await assertOurs(room, ref, { verb: 'stop', bounds })
  // No signal and no time-out here: the machine's own stop_config has them.
  const call = machineCall(room, ref, { action: 'stop', method: 'POST', verb: '/stop', body: {}, bounds })
  await room.http(call).catch((error: unknown) => alreadyIn(room, error, { ref, states: STOPPED, bounds }))
}

async function destroy(room: Room, ref: MachineRef, bounds: Bounds): Promise<void> {
  const found = await assertOurs(room, ref, { verb: 'destroy', bounds })
  if (!found) return
  const call = machineCall(room, ref, {
    action: 'destroy',
    method: 'DELETE',
    verb: '?force=true',
    bounds,
    tolerate: [404],
  })
  isAbsent(call, await room.http(call))
}

async function removeTenant(room: Room, tenant: string, bounds: Bounds): Promise<TenantRemains | undefined> {
  if (isSharedApp(room.options.appTemplate)) return undefined
  const app = appName(room.options.appTemplate, tenant)
  const left = await listMachines(room, tenant, bounds)
  const ours = left.machines.filter((machine) => machine.owner)
  if (ours.length > 0 || !left.complete)
    throw new ProviderError('NotReady', `Kept app "${app}": ${ours.length} machines of ours are in it`)
  if (left.machines.length > 0) {
    room.log.warn({ tenant, app, machines: left.machines.length }, 'app kept: machines that are not ours are in it')
    return { app, machines: left.machines.map(({ id }) => id) }
  }
  try {
    await room.apps.remove(app, bounds)
    return undefined
  } catch (error) {
    if (!(error instanceof ProviderError) || error.reason !== 'NameConflict') throw error
    room.log.warn({ tenant, app, error: error.message }, 'app kept: it is not ours')
    return { app, machines: [] }
  }
}

const RUNNING: readonly string[] = ['starting', 'started']
const STOPPED: readonly string[] = ['stopping', 'stopped', 'destroying']

type Ask = { readonly ref: MachineRef; readonly states: readonly string[]; readonly bounds: Bounds }

/** What is already so is success: after a 412 the machine's state decides. */
async function alreadyIn(room: Room, error: unknown, { ref, states, bounds }: Ask): Promise<undefined> {
  if (!(error instanceof ProviderError) || error.reason !== 'NotReady') throw error
  const machine = await getMachine(room, ref, bounds)
  if (machine && states.includes(machine.state)) return undefined
  throw error
}

/**
 * Refuses to touch a machine that was never seen to carry our stamp (MP7), in a shared app twice and with our name, or
 * that is another one than our record says. False when the machine does not exist.
 */
async function assertOurs(
  room: Room,
  ref: MachineRef,
  { verb, bounds }: { readonly verb: string; readonly bounds: Bounds },
): Promise<boolean> {
  const key = `${ref.tenant}/${ref.id}`
  const machine = room.ours.has(key) ? undefined : await getMachine(room, ref, bounds)
  if (machine !== undefined) remember(room, machine)
  const ours = room.ours.get(key)
  if (ours !== undefined && isAsRecorded(ours, ref)) return true
  if (ours !== undefined)
    throw new ProviderError('NameConflict', `Refused to ${verb} machine "${ref.id}": it is not the one of our record`)
  if (machine === undefined) {
    if (verb === 'destroy') return false
    throw new ProviderError('NotFound', `Cannot ${verb} machine "${ref.id}": it does not exist`)
  }
  const reason = machine.hostReachable ? 'NameConflict' : 'NotReady'
  throw new ProviderError(reason, `Refused to ${verb} machine "${ref.id}": it does not carry our stamp`)
}

const isAsRecorded = (ours: OurMachine, { of }: MachineRef): boolean =>
  of === undefined || (of.spriteUid === ours.spriteUid && of.incarnation === ours.incarnation)
