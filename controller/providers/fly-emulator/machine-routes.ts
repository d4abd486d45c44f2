/** The emulator's machines: create, list, get, start, stop, signal, destroy, events. */
import { imageDigest, machineId, privateIp, ulid } from './ids.ts'
import {
  created,
  destroyRequested,
  isRefusal,
  startRequested,
  stopRequested,
  type Change,
  type Refusal,
} from './life-cycle.ts'
import type { EmulatedMachine } from './model.ts'
import { createSchema, normalConfig, readBody, signalSchema, stopSchema } from './request-body.ts'
import { appOf, machineOf, machinesOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, machineJson, refusalAnswer, type Answer } from './wire.ts'
import { durationMs } from './world.ts'

/** Routes of machines. */
export const MACHINE_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/apps/:app/machines', action: 'createMachine', run: createMachine },
  { method: 'GET', path: '/apps/:app/machines', action: 'listMachines', run: listMachines },
  { method: 'GET', path: '/apps/:app/machines/:machine', action: 'getMachine', run: getMachine },
  { method: 'DELETE', path: '/apps/:app/machines/:machine', action: 'destroyMachine', run: destroyMachine },
  { method: 'POST', path: '/apps/:app/machines/:machine/start', action: 'startMachine', run: startMachine },
  { method: 'POST', path: '/apps/:app/machines/:machine/stop', action: 'stopMachine', run: stopMachine },
  { method: 'POST', path: '/apps/:app/machines/:machine/signal', action: 'signalMachine', run: signalMachine },
  { method: 'GET', path: '/apps/:app/machines/:machine/events', action: 'listEvents', run: listEvents },
]

/** What Fly answers for a machine that it does not know. */
export const machineNotFound = (): Answer => refusalAnswer(404, 'not_found: machine not found')

const STOP_TIMEOUT_MS_MAX = 300_000

function createMachine(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return refusalAnswer(404, 'not_found: app not found')
  const body = readBody(createSchema, request.body)
  if (!body.ok) return body.refusal
  const config = normalConfig(body.value.config)
  if ('refused' in config) return refusalAnswer(400, `invalid_argument: ${String(config.refused)}`)
  const name = body.value.name ?? `machine-${context.entropy.uuid().slice(0, 8)}`
  const holder = machinesOf(context, app.name).find((other) => other.name === name && other.state !== 'destroyed')
  if (holder) {
    const words = `machine ID ${holder.id} already exists with name "${name}"`
    return refusalAnswer(409, `already_exists: unique machine name violation, ${words}`)
  }
  const nowMs = context.clock.now()
  const machine: EmulatedMachine = {
    id: machineId(context.entropy.bytes(7)),
    app: app.name,
    name,
    // An ordered list is answered with the one that was chosen.
    region: body.value.region.split(',')[0] ?? 'local',
    state: 'created',
    instanceId: ulid(nowMs, context.entropy.bytes(16)),
    privateIp: privateIp(context.entropy.bytes(8)),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    config,
    digest: imageDigest(config.image),
    hostStatus: 'ok',
    events: [],
    stopRequested: false,
  }
  const change = created(machine, context.world.surroundings(), body.value.skip_launch)
  context.world.apply(change)
  return answer(machineJson(change.machine))
}

function listMachines(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return refusalAnswer(404, 'not_found: app not found')
  const { query } = request
  const filters = [...query].filter(([key]) => key.startsWith('metadata.'))
  const rows = machinesOf(context, app.name)
    .filter((machine) => query.get('include_deleted') === 'true' || machine.state !== 'destroyed')
    .filter((machine) => query.get('state')?.split(',').includes(machine.state) ?? true)
    .filter((machine) => query.get('region') === null || machine.region === query.get('region'))
    .filter((machine) => filters.every(([key, value]) => metadataIs(machine, key.slice('metadata.'.length), value)))
  return answer(rows.map((machine) => machineJson(machine, { summary: query.get('summary') === 'true' })))
}

const metadataIs = (machine: EmulatedMachine, key: string, value: string): boolean =>
  Object.hasOwn(machine.config.metadata, key) && machine.config.metadata[key] === value

function getMachine(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  return machine ? answer(machineJson(machine)) : machineNotFound()
}

function listEvents(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  const limit = Math.min(50, Math.max(1, Number(request.query.get('limit') ?? 20) || 20))
  return machine ? answer(machine.events.slice(0, limit)) : machineNotFound()
}

function startMachine(context: RouteContext, request: RouteRequest): Answer {
  return changed(context, request, (machine) => ({
    outcome: startRequested(machine, context.world.surroundings()),
    body: { previous_state: machine.state, migrated: false, new_host: '' },
  }))
}

function stopMachine(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(stopSchema, request.body)
  if (!body.ok) return body.refusal
  return changed(context, request, (machine) => {
    const config = machine.config.stop_config
    const killAfterMs = durationMs(body.value.timeout ?? config.timeout) ?? 5_000
    const how = {
      signal: body.value.signal ?? config.signal,
      killAfterMs: Math.min(STOP_TIMEOUT_MS_MAX, killAfterMs),
    }
    return { outcome: stopRequested(machine, context.world.surroundings(), how), body: { ok: true } }
  })
}

function signalMachine(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(signalSchema, request.body)
  if (!body.ok) return body.refusal
  return changed(context, request, (machine) => {
    if (machine.state !== 'started')
      return { outcome: { refused: true, status: 412, text: 'machine not running' }, body: {} }
    const signal = body.value.signal
    return { outcome: { machine, effects: [{ do: 'signal', signal, killAfterMs: 0 }] }, body: { ok: true } }
  })
}

function destroyMachine(context: RouteContext, request: RouteRequest): Answer {
  const isForced = request.query.get('force') === 'true' || request.query.get('kill') === 'true'
  return changed(context, request, (machine) => ({
    outcome: destroyRequested(machine, context.world.surroundings(), isForced),
    body: { ok: true },
  }))
}

/** A change through the API: found, not held by somebody else, allowed, then stored and performed. */
function changed(
  context: RouteContext,
  request: RouteRequest,
  decide: (machine: EmulatedMachine) => { readonly outcome: Change | Refusal; readonly body: object },
): Answer {
  const machine = machineOf(context, request)
  if (!machine) return machineNotFound()
  const { hold } = machine
  if (hold && hold.expiresAtMs > context.clock.now() && request.headers.get('fly-machine-lease-nonce') !== hold.nonce)
    return refusalAnswer(409, holdWords(machine.id, hold))
  const { outcome, body } = decide(machine)
  if (isRefusal(outcome)) return refusalAnswer(outcome.status, outcome.text, outcome.code)
  context.world.apply(outcome)
  return answer(body)
}

/** What Fly says to whoever comes second. */
export const holdWords = (id: string, hold: { readonly owner: string; readonly expiresAtMs: number }): string =>
  `machine ID ${id} lease currently held by ${hold.owner}, expires at ${Math.floor(hold.expiresAtMs / 1_000)}`
