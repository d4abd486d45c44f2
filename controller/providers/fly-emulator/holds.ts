/** The emulator's leases (holds): taken, refreshed, shown and given back; who comes second is told who has it. */
import { randomHex } from '../../../system/entropy.ts'
import type { EmulatedMachine, MachineHold } from './model.ts'
import { holdSchema, readBody } from './request-body.ts'
import { MACHINE_NOT_FOUND, machineOf, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { answer, holdJson, refusalAnswer, type Answer } from './wire.ts'

const LEASE = '/apps/:app/machines/:machine/lease'

/** Routes of leases. */
export const HOLD_ROUTES: readonly Route[] = [
  { method: 'GET', path: LEASE, action: 'getLease', run: getHold },
  { method: 'POST', path: LEASE, action: 'acquireLease', run: acquireHold },
  { method: 'DELETE', path: LEASE, action: 'releaseLease', run: releaseHold },
]

const HOLD_SECONDS_MAX = 3_600
const HOLD_SECONDS_DEFAULT = 30
const LEASE_NOT_FOUND: Answer = { status: 404, body: { error: 'not_found: lease not found' } }
const NONCE_HEADER = 'fly-machine-lease-nonce'

/** Makes holds that begin now; a nonce that is given is kept. */
export const createHolder =
  ({ clock, entropy, caller }: Pick<RouteContext, 'clock' | 'entropy' | 'caller'>) =>
  (ask: {
    readonly seconds: number
    readonly description: string
    readonly nonce?: string | undefined
  }): MachineHold => ({
    nonce: ask.nonce ?? randomHex(entropy, 6),
    expiresAtMs: clock.now() + ask.seconds * 1_000,
    owner: `${caller.tokenId}@tokens.emulator`,
    description: ask.description,
  })

function getHold(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  const hold = machine && liveHold(machine, context.clock.now())
  return machine && hold ? answer(holdJson(hold, machine.instanceId)) : LEASE_NOT_FOUND
}

function acquireHold(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine || machine.state === 'destroyed') return MACHINE_NOT_FOUND
  const body = readBody(holdSchema, request.body)
  if (!body.ok) return body.refusal
  const seconds = Number(request.query.get('ttl') ?? body.value.ttl ?? HOLD_SECONDS_DEFAULT)
  if (!(seconds >= 1 && seconds <= HOLD_SECONDS_MAX)) return refusalAnswer(400, 'invalid_argument: ttl out of range')
  const refusal = holdRefusal(context, request, machine)
  if (refusal) return refusal
  const held = liveHold(machine, context.clock.now())
  const description = body.value.description ?? held?.description ?? ''
  const hold = createHolder(context)({ seconds, description, nonce: held?.nonce })
  context.world.apply({ machine: { ...machine, hold }, effects: [] })
  return answer(holdJson(hold, machine.instanceId), 201)
}

function releaseHold(context: RouteContext, request: RouteRequest): Answer {
  const machine = machineOf(context, request)
  if (!machine || !liveHold(machine, context.clock.now())) return LEASE_NOT_FOUND
  const refusal = holdRefusal(context, request, machine)
  if (refusal) return refusal
  const { hold: _, ...free } = machine
  context.world.apply({ machine: free, effects: [] })
  return answer({ status: 'success' })
}

/** The refusal of a change by someone who has not the nonce of a live hold. */
export function holdRefusal(
  { clock }: Pick<RouteContext, 'clock'>,
  { headers }: Pick<RouteRequest, 'headers'>,
  machine: EmulatedMachine,
): Answer | undefined {
  const hold = liveHold(machine, clock.now())
  if (!hold || headers.get(NONCE_HEADER) === hold.nonce) return undefined
  const expiresAt = new Date(hold.expiresAtMs).toISOString()
  const words = `machine ID ${machine.id} lease currently held by ${hold.owner}, expires at ${expiresAt}`
  return refusalAnswer(409, words)
}

const liveHold = (machine: EmulatedMachine, nowMs: number): MachineHold | undefined =>
  machine.hold && machine.hold.expiresAtMs > nowMs ? machine.hold : undefined
