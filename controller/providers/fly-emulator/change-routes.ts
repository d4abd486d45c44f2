/** The emulator's machines as they are changed: update, start, stop, suspend, restart, signal, exec, cordon, destroy. */
import { durationMs } from './durations.ts'
import { createHolder, holdRefusal } from './holds.ts'
import { imageDigest, ulid } from './ids.ts'
import {
  destroyRequested,
  restartRequested,
  startRequested,
  stopRequested,
  suspendRequested,
  updateRequested,
  type StopHow,
} from './life-cycle.ts'
import { isTrue } from './machine-routes.ts'
import { normalConfig, STOP_TIMEOUT_MS_MAX } from './machine-config.ts'
import type { EmulatedMachine } from './model.ts'
import { isRefusal, refuse, unchanged, type Change, type Refusal } from './moves.ts'
import { execSchema, readBody, signalSchema, stopSchema, updateSchema } from './request-body.ts'
import { appOf, MACHINE_NOT_FOUND, machineOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { secretsRefusal } from './secrets.ts'
import { answer, machineJson, refusalAnswer, type Answer } from './wire.ts'

const MACHINE = '/apps/:app/machines/:machine'

/** Routes that change machines. */
export const CHANGE_ROUTES: readonly Route[] = [
  { method: 'POST', path: MACHINE, action: 'updateMachine', run: updateMachine },
  { method: 'DELETE', path: MACHINE, action: 'destroyMachine', run: destroyMachine },
  { method: 'POST', path: `${MACHINE}/start`, action: 'startMachine', run: startMachine },
  { method: 'POST', path: `${MACHINE}/stop`, action: 'stopMachine', run: stopMachine },
  { method: 'POST', path: `${MACHINE}/suspend`, action: 'suspendMachine', run: suspendMachine },
  { method: 'POST', path: `${MACHINE}/restart`, action: 'restartMachine', run: restartMachine },
  { method: 'POST', path: `${MACHINE}/signal`, action: 'signalMachine', run: signalMachine },
  { method: 'POST', path: `${MACHINE}/exec`, action: 'execMachine', run: execMachine },
  { method: 'POST', path: `${MACHINE}/cordon`, action: 'cordonMachine', run: cordonMachine },
  { method: 'POST', path: `${MACHINE}/uncordon`, action: 'uncordonMachine', run: uncordonMachine },
]

const OK = { ok: true }

function startMachine(context: RouteContext, request: RouteRequest): Answer {
  return changed(context, request, (machine) => {
    const { app, region, config } = machine
    const isDown = machine.state !== 'started' && machine.state !== 'starting'
    const refusal = isDown ? context.placement.refusal('start', { app, region, image: config.image }) : undefined
    if (machine.state === 'started' && context.quirks.refusesStartOfStarted)
      return { outcome: refuse(412, `unable to start machine from current state: 'started'`), body: {} }
    return {
      outcome: refusal ?? startRequested(machine, context.world.surroundings()),
      body: { previous_state: machine.state, migrated: false, new_host: '' },
    }
  })
}

/** How a machine is asked to end: what the request says, else what its config says. */
function stopHow(
  machine: EmulatedMachine,
  ask: { readonly signal?: string | undefined; readonly timeout?: string | undefined },
): StopHow | Refusal {
  const config = machine.config.stop_config
  const killAfterMs = durationMs(ask.timeout ?? config.timeout)
  if (killAfterMs === undefined)
    return refuse(400, `invalid_argument: timeout: invalid duration "${ask.timeout ?? ''}"`)
  return { signal: ask.signal ?? config.signal, killAfterMs: Math.min(STOP_TIMEOUT_MS_MAX, killAfterMs) }
}

function stopMachine(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(stopSchema, request.body)
  if (!body.ok) return body.refusal
  return changed(context, request, (machine) => {
    const how = stopHow(machine, body.value)
    const outcome = 'refused' in how ? how : stopRequested(machine, context.world.surroundings(), how)
    return { outcome, body: OK }
  })
}

function suspendMachine(context: RouteContext, request: RouteRequest): Answer {
  return changed(context, request, (machine) => ({
    outcome: suspendRequested(machine, context.world.surroundings()),
    body: OK,
  }))
}

function restartMachine(context: RouteContext, request: RouteRequest): Answer {
  const { query } = request
  const ask = readBody(stopSchema, {
    ...(query.has('signal') ? { signal: query.get('signal') } : {}),
    ...(query.has('timeout') ? { timeout: secondsOr(query.get('timeout') ?? '') } : {}),
  })
  if (!ask.ok) return ask.refusal
  return changed(context, request, (machine) => {
    const how = stopHow(machine, ask.value)
    if ('refused' in how) return { outcome: how, body: OK }
    const force = query.has('force_stop') && isTrue(query.get('force_stop'))
    return { outcome: restartRequested(machine, context.world.surroundings(), { ...how, force }), body: OK }
  })
}

/** Clients send a bare number of seconds, or a duration. */
const secondsOr = (text: string): string => (/^\d+$/.test(text) ? `${text}s` : text)

function signalMachine(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(signalSchema, request.body)
  if (!body.ok) return body.refusal
  return changed(context, request, (machine) => {
    if (machine.state !== 'started') return { outcome: refuse(412, 'machine not running'), body: {} }
    const signal = body.value.signal
    return { outcome: { machine, effects: [{ do: 'signal', signal, killAfterMs: 0 }] }, body: OK }
  })
}

/** Refused: a machine here has no image whose programs could run in it. */
function execMachine(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(execSchema, request.body)
  if (!body.ok) return body.refusal
  return changed(context, request, (machine) => ({
    outcome:
      machine.state === 'started'
        ? refuse(501, 'unimplemented: exec is not emulated')
        : refuse(412, 'failed_precondition: machine not running'),
    body: {},
  }))
}

function cordonMachine(context: RouteContext, request: RouteRequest): Answer {
  return changed(context, request, (machine) => ({ outcome: unchanged({ ...machine, cordoned: true }), body: OK }))
}

function uncordonMachine(context: RouteContext, request: RouteRequest): Answer {
  return changed(context, request, (machine) => ({ outcome: unchanged({ ...machine, cordoned: false }), body: OK }))
}

function destroyMachine(context: RouteContext, request: RouteRequest): Answer {
  const { query } = request
  const isForced = ['force', 'kill'].some((word) => query.has(word) && isTrue(query.get(word)))
  const machine = machineOf(context, request)
  // A host that is away cannot be asked for the lease: no nonce is needed, and it is done when the host is back.
  if (machine?.hostStatus === 'unreachable')
    return perform(context, destroyRequested(machine, context.world.surroundings(), isForced), OK)
  return changed(context, request, (present) => ({
    outcome: destroyRequested(present, context.world.surroundings(), isForced),
    body: OK,
  }))
}

type UpdateBody = ReturnType<typeof updateSchema.parse>

function updateMachine(context: RouteContext, request: RouteRequest): Answer {
  const body = readBody(updateSchema, request.body)
  if (!body.ok) return body.refusal
  const config = normalConfig(body.value.config)
  if ('refused' in config) return refusalAnswer(400, `invalid_argument: ${String(config.refused)}`)
  const app = appOf(context, request)
  const secrets = app && secretsRefusal(app, body.value.min_secrets_version)
  if (secrets) return secrets
  const { entropy, clock, world } = context
  return changed(context, request, (machine) => {
    const fixed = fixedRefusal(machine, body.value)
    const stop = stopHow(machine, {})
    if (fixed ?? 'refused' in stop) return { outcome: fixed ?? refuse(400, 'invalid_argument: stop_config'), body: {} }
    const outcome = updateRequested(asUpdated(machine, context, body.value), world.surroundings(), {
      config,
      instanceId: ulid(clock.now(), entropy.bytes(16)),
      digest: imageDigest(config.image),
      skipLaunch: body.value.skip_launch,
      currentVersion: body.value.current_version,
      stop,
    })
    const nonce = 'refused' in outcome ? undefined : outcome.machine.hold?.nonce
    const shownNonce = body.value.lease_ttl === undefined ? undefined : nonce
    return { outcome, body: 'refused' in outcome ? {} : machineJson(outcome.machine, { nonce: shownNonce }) }
  })
}

/** Name and region are the machine's for life. */
function fixedRefusal(machine: EmulatedMachine, { name, region }: UpdateBody): Refusal | undefined {
  if (name !== undefined && name !== machine.name)
    return refuse(400, 'invalid_argument: machine name cannot be changed')
  const isElsewhere = region !== undefined && region !== '' && region !== machine.region
  return isElsewhere ? refuse(400, 'invalid_argument: machine region cannot be changed') : undefined
}

/** With what an update says besides the config. */
function asUpdated(machine: EmulatedMachine, context: RouteContext, body: UpdateBody): EmulatedMachine {
  const { lease_ttl: seconds = 0, min_secrets_version: minSecretsVersion, skip_secrets: skipsSecrets } = body
  const hold =
    seconds > 0 ? createHolder(context)({ seconds, description: '', nonce: machine.hold?.nonce }) : machine.hold
  return {
    ...machine,
    skipsSecrets,
    ...(hold ? { hold } : {}),
    ...(minSecretsVersion === undefined ? {} : { minSecretsVersion }),
  }
}

/** A change through the API: found, not held by somebody else, allowed, then stored and performed. */
function changed(
  context: RouteContext,
  request: RouteRequest,
  decide: (machine: EmulatedMachine) => { readonly outcome: Change | Refusal; readonly body: object },
): Answer {
  const machine = machineOf(context, request)
  if (!machine) return MACHINE_NOT_FOUND
  const held = holdRefusal(context, request, machine)
  if (held) return held
  if (machine.hostStatus === 'unreachable')
    return refusalAnswer(408, 'deadline_exceeded: the host of the machine cannot be reached')
  const { outcome, body } = decide(machine)
  return perform(context, outcome, body)
}

function perform(context: RouteContext, outcome: Change | Refusal, body: object): Answer {
  if (isRefusal(outcome)) return refusalAnswer(outcome.status, outcome.text, outcome.code)
  context.world.apply(outcome)
  return answer(body)
}
