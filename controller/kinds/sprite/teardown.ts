/** Decides how a machine that should not run comes to rest: drained, stopped, kept or destroyed. Pure. */
import { reconciling } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { unansweredLeftMs } from './attempt.ts'
import { keptConditions, restReason, wasLost } from './outcomes.ts'
import type { SpriteMachine } from './schema.ts'
import type { Want } from './want.ts'
import type { SpriteAction, SpriteDecision, SpriteWorld } from './world.ts'

type KnownMachine = SpriteMachine & { readonly id: string }

/** Why it comes to rest, as a condition reason. */
export type RestCause = 'Replacing' | 'Stopping' | 'Deleting'

/** It should stop: first its task, then its process, then (unless the plan keeps it) the machine. */
export function stopping(world: SpriteWorld, want: Want, machine: KnownMachine, cause: RestCause): SpriteDecision {
  const isKept = keepsStopped(world, machine, cause)
  switch (machine.state) {
    case 'started':
      if (machine.intent !== 'Stop' && world.currentWork !== undefined) return draining(world, machine, { want, cause })
      return stop(world, machine, { want, cause })
    case 'stopping':
    case 'suspending':
      return ageMs(world, machine) > world.deadlines.stopMs && machine.intent === 'Stop'
        ? destroy(world, machine, cause)
        : waiting(world, { ...machine, ...stopIntent(world, machine) }, cause)
    case 'stopped':
      return isKept ? kept(world, want, machine) : destroy(world, machine, cause)
    default:
      return destroy(world, machine, cause)
  }
}

/** A stopped machine is kept for a warm start where the plan says so and nothing about it has changed. */
function keepsStopped(world: SpriteWorld, machine: KnownMachine, cause: RestCause): boolean {
  const config = world.config
  return cause === 'Stopping' && config !== undefined && !config.autoDestroy && config.specHash === machine.specHash
}

const ageMs = (world: SpriteWorld, machine: SpriteMachine): number => world.nowMs - Date.parse(machine.since)

/** Notes the moment from which the stop counts, once. */
const stopIntent = (world: SpriteWorld, machine: KnownMachine): Pick<SpriteMachine, 'intent' | 'since'> => ({
  intent: 'Stop',
  since: machine.intent === 'Stop' ? machine.since : world.now,
})

const minutesText = (ms: number): string => `${Math.ceil(ms / 60_000)} min`

/** Why it comes to rest, in words for whoever did not ask for it. */
function whyItStops(world: SpriteWorld, want: Want, cause: RestCause): string {
  if (cause === 'Deleting') return 'it is being deleted'
  if (cause === 'Replacing') return 'its spec changed'
  const isAboveLimit = world.slot.holder?.revoke === 'LimitLowered'
  switch (want.reason) {
    case 'Revoked':
      return isAboveLimit
        ? `the limit of its tenant is ${world.slot.limit ?? 'lower'} now`
        : 'its slot goes to one that has work'
    case 'Suspended':
      return 'its tenant or project is suspended'
    case 'Stopped':
      return 'spec.runPolicy is Stopped'
    case 'Drained':
      return 'it was asked to drain'
    case 'AgentTypeNotAllowed':
      return 'its agent type is not among the tenant’s enabledAgents'
    case 'TenantNotReady':
      return 'its tenant is not active'
    default:
      return 'it has no work'
  }
}

type Rest = { readonly want: Want; readonly cause: RestCause }

function draining(world: SpriteWorld, machine: KnownMachine, { want, cause }: Rest): SpriteDecision {
  const isFirst = world.sprite.status?.phase !== 'Draining'
  const since = isFirst ? world.now : machine.since
  const leftMs = Date.parse(since) + world.deadlines.drainMs - world.nowMs
  if (leftMs <= 0) return stop(world, machine, { want, cause })
  const actions: SpriteAction[] = isFirst ? [{ do: 'drain' }] : []
  return {
    actions,
    phase: 'Draining',
    machine: { ...machine, since },
    conditions: reconciling(
      cause === 'Stopping' ? 'Draining' : cause,
      `Finishes ${world.currentWork?.name ?? 'its task'} within ${minutesText(world.deadlines.drainMs)}, then stops: ${whyItStops(world, want, cause)}`,
    ),
    requeueAfterMs: leftMs,
    requeueReason: 'drain-deadline',
  }
}

function stop(world: SpriteWorld, machine: KnownMachine, { want, cause }: Rest): SpriteDecision {
  if (machine.intent === 'Stop' && ageMs(world, machine) > world.deadlines.stopMs) return destroy(world, machine, cause)
  return {
    actions: [{ do: 'stop', id: machine.id }],
    phase: 'Draining',
    machine: { ...machine, ...stopIntent(world, machine) },
    conditions: reconciling(cause, `Stops machine ${machine.name}: ${whyItStops(world, want, cause)}`),
    requeueAfterMs: Math.min(1_000, world.deadlines.confirmMs),
    requeueReason: 'stopping',
  }
}

const waiting = (world: SpriteWorld, machine: KnownMachine, cause: RestCause): SpriteDecision => ({
  actions: [],
  phase: 'Draining',
  machine,
  conditions: reconciling(cause, `Machine ${machine.name} stops`),
  requeueAfterMs: Math.min(1_000, world.deadlines.confirmMs),
  requeueReason: 'stopping',
})

/** Stopped and kept: its slot goes back once the stop is confirmed, and the machine when its time is over. */
function kept(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  // The first look that sees it stopped: confirmation and retention count from here.
  if (machine.intent !== 'Stop' || world.sprite.status?.machine?.state !== 'stopped')
    return confirming(world, { ...machine, intent: 'Stop', since: world.now })
  const rest = restReason(world, want)
  const base = { phase: rest.phase, machine, conditions: rest.conditions }
  const isConfirmed =
    world.observation.seen === 'present' &&
    world.observation.isFresh &&
    ageMs(world, machine) >= world.deadlines.confirmMs &&
    unansweredLeftMs(world, machine) <= 0
  if (world.slot.holder !== undefined && !isConfirmed) return confirming(world, machine)
  if (world.slot.holder !== undefined)
    return { ...base, actions: [{ do: 'releaseSlot' }], requeueAfterMs: 0, requeueReason: 'slot-released' }
  const retentionMs = (world.tenant?.status?.limits?.stoppedMachineRetentionSeconds ?? 0) * 1000
  const leftMs = retentionMs - ageMs(world, machine)
  if (leftMs <= 0) return destroy(world, machine, 'Stopping')
  return { ...base, actions: [], requeueAfterMs: leftMs, requeueReason: 'retention' }
}

const confirming = (world: SpriteWorld, machine: KnownMachine): SpriteDecision => ({
  actions: [],
  phase: 'Draining',
  machine,
  conditions: reconciling('Stopping', `Machine ${machine.name} has stopped; a second look confirms it`),
  requeueAfterMs: world.deadlines.confirmMs,
  requeueReason: 'confirm-stop',
})

function destroy(world: SpriteWorld, machine: KnownMachine, cause: RestCause): SpriteDecision {
  return {
    actions: [{ do: 'destroy', id: machine.id, isTombstoned: true }],
    phase: 'Draining',
    machine: { ...machine, intent: 'Destroy', since: world.now },
    conditions: reconciling(cause, `Destroys machine ${machine.name}`),
    requeueAfterMs: Math.min(1_000, world.deadlines.confirmMs),
    requeueReason: 'destroying',
  }
}

/** It is to go: waits for its absence, and asks again when that takes too long. The brake has let it go already. */
export function destroying(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const isAsked = machine.state === 'destroying' || machine.state === 'destroyed'
  const isLate = ageMs(world, machine) >= world.deadlines.destroyMs
  const goingMs = world.nowMs - Date.parse(machine.destroyTime ?? machine.since)
  const cause: RestCause = isDeleting(world.sprite) ? 'Deleting' : want.wants ? 'Replacing' : 'Stopping'
  const isLoss = wasLost(world, machine)
  return {
    actions: isAsked && !isLate ? [] : [{ do: 'destroy', id: machine.id, isTombstoned: true }],
    phase: isLoss ? 'Failed' : 'Draining',
    machine: isLate ? { ...machine, since: world.now, destroyTime: machine.destroyTime ?? machine.since } : machine,
    conditions:
      goingMs >= world.deadlines.destroyStuckMs
        ? reconciling('DestroyTimeout', stuckText(machine))
        : isLoss
          ? keptConditions(world)
          : reconciling(cause, `Destroys machine ${machine.name}`),
    // Each look is a call: soon at first, then at double the age, at last with each asking.
    requeueAfterMs: Math.max(Math.min(1_000, world.deadlines.confirmMs), Math.min(goingMs, world.deadlines.destroyMs)),
    requeueReason: 'destroying',
  }
}

const stuckText = ({ name, id }: KnownMachine): string =>
  `Machine ${name} was asked to be destroyed and is not gone: it still counts and is asked again each minute; look at the provider’s status, or remove machine ${id} there by force`
