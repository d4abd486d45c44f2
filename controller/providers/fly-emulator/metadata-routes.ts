/** The emulator's metadata: read and changed key by key or together; no new version, no restart, no lease needed. */
import type { EmulatedMachine } from './model.ts'
import { metadataSchema, readBody, valueSchema } from './request-body.ts'
import {
  MACHINE_NOT_FOUND,
  machineOf,
  seenMachineOf,
  type Route,
  type RouteContext,
  type RouteRequest,
} from './routes.ts'
import { answer, refusalAnswer, type Answer } from './wire.ts'

const METADATA = '/apps/:app/machines/:machine/metadata'

/** Routes of metadata. */
export const METADATA_ROUTES: readonly Route[] = [
  { method: 'GET', path: METADATA, action: 'getMetadata', run: getMetadata },
  {
    method: 'PATCH',
    path: METADATA,
    action: 'patchMetadata',
    run: (context, request) => changeAll(context, request, false),
  },
  {
    method: 'PUT',
    path: METADATA,
    action: 'putMetadata',
    run: (context, request) => changeAll(context, request, true),
  },
  { method: 'GET', path: `${METADATA}/:key`, action: 'getMetadataKey', run: getKey },
  { method: 'POST', path: `${METADATA}/:key`, action: 'setMetadata', run: setKey },
  { method: 'DELETE', path: `${METADATA}/:key`, action: 'removeMetadata', run: removeKey },
]

function getMetadata(context: RouteContext, request: RouteRequest): Answer {
  const machine = seenMachineOf(context, request)
  return machine ? answer(machine.config.metadata) : MACHINE_NOT_FOUND
}

function getKey(context: RouteContext, request: RouteRequest): Answer {
  const machine = seenMachineOf(context, request)
  if (!machine) return MACHINE_NOT_FOUND
  const { metadata } = machine.config
  if (!Object.hasOwn(metadata, request.key)) return refusalAnswer(404, 'not_found: metadata key not found')
  return answer({ value: metadata[request.key] })
}

/** PATCH keeps the keys that it does not name, PUT does not. */
function changeAll(context: RouteContext, request: RouteRequest, isWhole: boolean): Answer {
  const machine = machineOf(context, request)
  if (!machine) return MACHINE_NOT_FOUND
  const body = readBody(metadataSchema, request.body)
  if (!body.ok) return body.refusal
  const { metadata, machine_version: version } = body.value
  if (version !== undefined && version !== machine.instanceId)
    return refusalAnswer(412, `failed_precondition: machine version is ${machine.instanceId}, not ${version}`)
  return store(context, machine, { ...(isWhole ? {} : machine.config.metadata), ...metadata })
}

function setKey(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine) return MACHINE_NOT_FOUND
  const body = readBody(valueSchema, request.body)
  if (!body.ok) return body.refusal
  return store(context, machine, { ...machine.config.metadata, [request.key]: body.value.value })
}

function removeKey(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine) return MACHINE_NOT_FOUND
  return store(context, machine, { ...machine.config.metadata, [request.key]: null })
}

/** Keys of one machine. */
const KEYS_MAX = 1_000

/** Null and "" remove a key. */
function store(
  context: RouteContext,
  machine: EmulatedMachine,
  wanted: Readonly<Record<string, string | null>>,
): Answer {
  const kept = Object.entries(wanted).flatMap(([key, value]): [string, string][] => (value ? [[key, value]] : []))
  if (kept.length > KEYS_MAX) return refusalAnswer(400, `invalid_argument: more than ${KEYS_MAX} metadata keys`)
  const config = { ...machine.config, metadata: Object.fromEntries(kept) }
  context.world.apply({ machine: { ...machine, config, updatedAtMs: context.clock.now() }, effects: [] })
  return { status: 204 }
}
