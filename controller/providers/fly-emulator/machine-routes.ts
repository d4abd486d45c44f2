/** The emulator's machines as they are made and read: create, list, get, events, versions, processes. */
import { createHolder } from './holds.ts'
import { imageDigest, machineId, privateIp, ulid } from './ids.ts'
import { created, versionsOf } from './life-cycle.ts'
import { normalConfig } from './machine-config.ts'
import type { EmulatedApp, EmulatedConfig, EmulatedMachine } from './model.ts'
import { regionsOf } from './regions.ts'
import { createSchema, readBody } from './request-body.ts'
import {
  APP_NOT_FOUND,
  appOf,
  MACHINE_NOT_FOUND,
  seenMachineOf,
  seenMachines,
  type Route,
  type RouteContext,
  type RouteRequest,
} from './routes.ts'
import { secretsRefusal } from './secrets.ts'
import { answer, machineJson, refusalAnswer, type Answer } from './wire.ts'

const MACHINE = '/apps/:app/machines/:machine'

/** Routes that make and read machines. */
export const MACHINE_ROUTES: readonly Route[] = [
  { method: 'POST', path: '/apps/:app/machines', action: 'createMachine', run: createMachine },
  { method: 'GET', path: '/apps/:app/machines', action: 'listMachines', run: listMachines },
  { method: 'GET', path: MACHINE, action: 'getMachine', run: getMachine },
  { method: 'GET', path: `${MACHINE}/events`, action: 'listEvents', run: listEvents },
  { method: 'GET', path: `${MACHINE}/versions`, action: 'listVersions', run: listVersions },
  { method: 'GET', path: `${MACHINE}/ps`, action: 'listProcesses', run: listProcesses },
]

type CreateBody = ReturnType<typeof createSchema.parse>

function createMachine(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const body = readBody(createSchema, request.body)
  if (!body.ok) return body.refusal
  const config = normalConfig(body.value.config)
  if ('refused' in config) return refusalAnswer(400, `invalid_argument: ${String(config.refused)}`)
  const name = body.value.name ?? `machine-${context.entropy.uuid().slice(0, 8)}`
  const holder = context.records.machinesOf(app.name).find((other) => other.name === name && hasName(context, other))
  if (holder) {
    const words = `machine ID ${holder.id} already exists with name "${name}"`
    return refusalAnswer(context.quirks.nameTaken, `already_exists: unique machine name violation, ${words}`)
  }
  const secrets = secretsRefusal(app, body.value.min_secrets_version)
  if (secrets) return secrets
  const place = context.placement.place({
    app: app.name,
    image: config.image,
    regions: regionsOf(body.value.region),
  })
  if (typeof place !== 'string') return refusalAnswer(place.status, place.text, place.code)
  const host = context.hosts.pick(place)
  if (host === undefined)
    return refusalAnswer(422, `could not find a candidate host in region ${place}`, 'insufficient_capacity')
  return launch(context, newMachine(context, { app, name, config, region: place, host }), body.value)
}

const hasName = ({ quirks }: RouteContext, { state }: EmulatedMachine): boolean =>
  state !== 'destroyed' && (state !== 'destroying' || quirks.destroyingHasName)

function newMachine(
  { clock, entropy }: RouteContext,
  of: {
    readonly app: EmulatedApp
    readonly name: string
    readonly config: EmulatedConfig
    readonly region: string
    readonly host: string
  },
): EmulatedMachine {
  const nowMs = clock.now()
  return {
    id: machineId(entropy.bytes(7)),
    app: of.app.name,
    name: of.name,
    // An ordered list is answered with the one that was chosen.
    region: of.region,
    host: of.host,
    state: 'created',
    instanceId: ulid(nowMs, entropy.bytes(16)),
    privateIp: privateIp(entropy.bytes(8)),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
    config: of.config,
    digest: imageDigest(of.config.image),
    hostStatus: 'ok',
    events: [],
    stopRequested: false,
  }
}

function launch(context: RouteContext, machine: EmulatedMachine, body: CreateBody): Answer {
  const { lease_ttl: holdSeconds = 0, min_secrets_version: minSecretsVersion } = body
  const hold = holdSeconds > 0 ? createHolder(context)({ seconds: holdSeconds, description: '' }) : undefined
  const asked: EmulatedMachine = {
    ...machine,
    ...(hold ? { hold } : {}),
    ...(minSecretsVersion === undefined ? {} : { minSecretsVersion }),
    ...(body.skip_secrets ? { skipsSecrets: true } : {}),
  }
  const change = created(asked, context.world.surroundings(), body.skip_launch)
  context.world.apply(change)
  return answer(machineJson(change.machine, { nonce: hold?.nonce }))
}

function listMachines(context: RouteContext, request: RouteRequest): Answer {
  const app = appOf(context, request)
  if (!app) return APP_NOT_FOUND
  const { query } = request
  const filters = [...query].filter(([key]) => key.startsWith('metadata.'))
  const rows = seenMachines(context, app.name)
    .filter((machine) => isWanted(machine, query))
    .filter((machine) => filters.every(([key, value]) => metadataIs(machine, key.slice('metadata.'.length), value)))
  return answer(rows.map((machine) => machineJson(machine, { summary: isTrue(query.get('summary')) })))
}

/** Whether a machine passes the filters that lists and feed have in common. */
export function isWanted(machine: EmulatedMachine, query: URLSearchParams): boolean {
  const states = query.getAll('state').flatMap((words) => words.split(','))
  const region = query.get('region')
  if (machine.state === 'destroyed' && !isTrue(query.get('include_deleted'))) return false
  if (states.length > 0 && !states.includes(machine.state)) return false
  return region === null || region === '' || region === machine.region
}

/** Whether a query says yes; clients differ in how. */
export const isTrue = (value: string | null): boolean => value === 'true' || value === '1' || value === ''

const metadataIs = (machine: EmulatedMachine, key: string, value: string): boolean =>
  Object.hasOwn(machine.config.metadata, key) && machine.config.metadata[key] === value

function getMachine(context: RouteContext, request: RouteRequest): Answer {
  const machine = seenMachineOf(context, request)
  return machine ? answer(machineJson(machine)) : MACHINE_NOT_FOUND
}

function listEvents(context: RouteContext, request: RouteRequest): Answer {
  const machine = seenMachineOf(context, request)
  const limit = Math.min(50, Math.max(1, Number(request.query.get('limit') ?? 20) || 20))
  return machine ? answer(machine.events.slice(0, limit)) : MACHINE_NOT_FOUND
}

function listVersions(context: RouteContext, request: RouteRequest): Answer {
  const machine = seenMachineOf(context, request)
  return machine ? answer(versionsOf(machine)) : MACHINE_NOT_FOUND
}

/** The first process, as far as an emulator knows it; none where the machine is not up. */
function listProcesses(context: RouteContext, request: RouteRequest): Answer {
  const machine = seenMachineOf(context, request)
  if (!machine) return MACHINE_NOT_FOUND
  if (machine.state !== 'started' || !machine.run) return answer([])
  const command = machine.config.image
  return answer([
    { pid: machine.run.pid, command, directory: '/', cpu: 0, rss: 0, rtime: 0, stime: 0, listen_sockets: [] },
  ])
}
