/** The emulator's metadata, machine holds (Fly's leases) and wait. */
import { randomHex } from '../../../system/entropy.ts'
import type { EmulatedMachine, MachineHold } from './model.ts'
import { holdWords, machineNotFound } from './machine-routes.ts'
import { holdSchema, metadataSchema, readBody, valueSchema } from './request-body.ts'
import { machineOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, holdJson, refusalAnswer, type Answer } from './wire.ts'

const MACHINE = '/apps/:app/machines/:machine'

/** Routes of metadata, holds and wait. */
export const EXTRA_ROUTES: readonly Route[] = [
  { method: 'GET', path: `${MACHINE}/metadata`, action: 'getMetadata', run: getMetadata },
  { method: 'PATCH', path: `${MACHINE}/metadata`, action: 'patchMetadata', run: patchMetadata },
  { method: 'POST', path: `${MACHINE}/metadata/:key`, action: 'setMetadata', run: setMetadata },
  { method: 'DELETE', path: `${MACHINE}/metadata/:key`, action: 'removeMetadata', run: removeMetadata },
  { method: 'GET', path: `${MACHINE}/lease`, action: 'getLease', run: getHold },
  { method: 'POST', path: `${MACHINE}/lease`, action: 'acquireLease', run: acquireHold },
  { method: 'DELETE', path: `${MACHINE}/lease`, action: 'releaseLease', run: releaseHold },
  { method: 'GET', path: `${MACHINE}/wait`, action: 'wait', run: wait },
]

function getMetadata(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  return machine ? answer(machine.config.metadata) : machineNotFound()
}

function patchMetadata(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine) return machineNotFound()
  const body = readBody(metadataSchema, request.body)
  if (!body.ok) return body.refusal
  const { metadata, machine_version: version } = body.value
  if (version !== undefined && version !== machine.instanceId)
    return refusalAnswer(412, `failed_precondition: machine version is ${machine.instanceId}, not ${version}`)
  storeMetadata(context, machine, metadata)
  return { status: 204 }
}

function setMetadata(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine) return machineNotFound()
  const body = readBody(valueSchema, request.body)
  if (!body.ok) return body.refusal
  storeMetadata(context, machine, { [request.key]: body.value.value })
  return { status: 204 }
}

function removeMetadata(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine) return machineNotFound()
  storeMetadata(context, machine, { [request.key]: null })
  return { status: 204 }
}

/** Null and "" remove a key. No new version, no restart, no hold needed. */
function storeMetadata(
  context: RouteContext,
  machine: EmulatedMachine,
  patch: Readonly<Record<string, string | null>>,
): void {
  const merged = new Map<string, string | null>([...Object.entries(machine.config.metadata), ...Object.entries(patch)])
  const kept = [...merged].flatMap(([key, value]): [string, string][] => (value ? [[key, value]] : []))
  const config = { ...machine.config, metadata: Object.fromEntries(kept) }
  context.world.apply({ machine: { ...machine, config, updatedAtMs: context.clock.now() }, effects: [] })
}

const HOLD_SECONDS_MAX = 3_600

function getHold(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  const hold = machine && liveHold(machine, context.clock.now())
  return machine && hold ? answer(holdJson(hold, machine.instanceId)) : refusalAnswer(404, 'not_found: lease not found')
}

function acquireHold(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine) return machineNotFound()
  const body = readBody(holdSchema, request.body)
  if (!body.ok) return body.refusal
  const seconds = Number(request.query.get('ttl') ?? body.value.ttl ?? 30)
  if (!(seconds >= 1 && seconds <= HOLD_SECONDS_MAX)) return refusalAnswer(400, 'invalid_argument: ttl out of range')
  const nowMs = context.clock.now()
  const held = liveHold(machine, nowMs)
  const isRefresh = held !== undefined && request.headers.get('fly-machine-lease-nonce') === held.nonce
  if (held && !isRefresh) return refusalAnswer(409, holdWords(machine.id, held))
  const hold: MachineHold = {
    nonce: held?.nonce ?? randomHex(context.entropy, 6),
    expiresAtMs: nowMs + seconds * 1_000,
    owner: 'emulator',
    description: body.value.description ?? '',
  }
  context.world.apply({ machine: { ...machine, hold }, effects: [] })
  return answer(holdJson(hold, machine.instanceId), 201)
}

function releaseHold(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  const held = machine && liveHold(machine, context.clock.now())
  if (!machine || !held) return refusalAnswer(404, 'not_found: lease not found')
  if (request.headers.get('fly-machine-lease-nonce') !== held.nonce)
    return refusalAnswer(409, holdWords(machine.id, held))
  const { hold: _, ...free } = machine
  context.world.apply({ machine: free, effects: [] })
  return answer({ status: 'success' })
}

const liveHold = (machine: EmulatedMachine, nowMs: number): MachineHold | undefined =>
  machine.hold && machine.hold.expiresAtMs > nowMs ? machine.hold : undefined

const WAIT_STATES: readonly string[] = ['started', 'stopped', 'suspended', 'destroyed', 'failed', 'settled']
const SETTLED: readonly string[] = ['started', 'stopped', 'suspended', 'destroyed', 'failed']

function wait(context: RouteContext, request: RouteRequest): Answer | Promise<Answer> {
  const machine = machineOf(context, request)
  if (!machine) return machineNotFound()
  const { query } = request
  const seconds = Number(query.get('timeout') ?? 60)
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 60)
    return refusalAnswer(400, 'invalid_argument: timeout must be inside range [1s, 1m0s]')
  const wanted = query.getAll('state').flatMap((words) => words.split(','))
  if (wanted.length === 0) wanted.push('started')
  if (wanted.some((state) => !WAIT_STATES.includes(state))) return refusalAnswer(400, 'invalid_argument: unknown state')
  if (wanted.includes('stopped') && !query.has('version') && !query.has('instance_id'))
    return refusalAnswer(400, 'invalid_argument: instance_id is required to wait for stopped')
  const states = wanted.flatMap((state) => (state === 'settled' ? SETTLED : [state]))
  return reach(context, { machine, states, timeoutMs: seconds * 1_000, signal: request.signal })
}

type Waiting = {
  readonly machine: EmulatedMachine
  readonly states: readonly string[]
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Answers when the machine is in one of the states, is gone, or the time is over. */
function reach(context: RouteContext, { machine, states, timeoutMs, signal }: Waiting): Answer | Promise<Answer> {
  const reached = (now: EmulatedMachine | undefined): Answer | undefined => {
    if (!now) return states.includes('destroyed') ? answer({ ok: true, state: 'destroyed' }) : machineNotFound()
    return states.includes(now.state) ? answer({ ok: true, state: now.state, version: now.instanceId }) : undefined
  }
  const late = (): Answer => {
    const state = context.world.machine(machine.id)?.state ?? 'destroyed'
    const words = `machine failed to reach desired state, ${states.join(',')}, currently ${state}`
    return refusalAnswer(408, `deadline_exceeded: ${words}`)
  }
  const now = reached(machine)
  if (now) return now
  return new Promise((resolve) => {
    const gone = AbortSignal.any([context.closing, signal])
    const end = (given: Answer): void => {
      stopListening()
      cancel()
      gone.removeEventListener('abort', cut)
      resolve(given)
    }
    const cut = (): void => end(late())
    const stopListening = context.world.onChange((id, changed) => {
      const given = id === machine.id ? reached(changed) : undefined
      if (given) end(given)
    })
    const cancel = context.clock.after(timeoutMs, () => end(late()), { background: true })
    gone.addEventListener('abort', cut, { once: true })
  })
}
