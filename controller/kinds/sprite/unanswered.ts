/** Decides about a machine whose create was meant, and perhaps made, but whose answer never came. Pure. */
import { isDeleting } from '../../api/object.ts'
import { findCondition, reconciling } from '../../api/conditions.ts'
import type { MachineConfig } from './machine-spec.ts'
import type { SpriteMachine } from './schema.ts'
import { attempting } from './attempt.ts'
import { afterLoss } from './absence.ts'
import { startingUp } from './outcomes.ts'
import type { Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

/** The same name is tried until it is known who has it. */
export function unanswered(world: SpriteWorld, want: Want, machine: SpriteMachine): SpriteDecision {
  const { observation } = world
  if (observation.seen === 'unanswered' && observation.found !== undefined) {
    const { id, app, region, state } = observation.found
    const known: SpriteMachine = { ...machine, id, app, region, state, intent: want.wants ? 'Run' : machine.intent }
    return {
      actions: [],
      phase: 'Starting',
      machine: known,
      conditions: startingUp(machine),
      requeueAfterMs: 0,
      requeueReason: 'machine-adopted',
    }
  }
  if (wasNeverMade(world, machine) && !(want.wants && world.config?.specHash === machine.specHash))
    return { ...afterLoss(world, machine, { isClean: true }), requeueReason: 'spec-refused' }
  if (want.wants && machine.intent === 'Create' && world.slot.holder !== undefined && world.config !== undefined)
    return attempting(world, sameCreate(machine, world.config), {
      actions: [],
      phase: 'Starting',
      machine,
      conditions: startingUp(machine),
      requeueAfterMs: world.deadlines.confirmMs,
      requeueReason: 'create-unanswered',
    })
  return abandonedCreate(world, machine)
}

/** Every attempt was answered, the last one with "this cannot be": the name is nobody's, and another spec gets another one. */
const wasNeverMade = (world: SpriteWorld, machine: SpriteMachine): boolean =>
  machine.intent === 'Create' &&
  machine.attemptTime === undefined &&
  machine.unansweredTime === undefined &&
  findCondition(world.sprite.status?.conditions, 'Stalled')?.reason === 'InvalidSpec'

/**
 * Nobody wants the machine any more, but it may exist. No list proves that it does not: the same create is repeated,
 * for its answer names the machine that has the name; then it is destroyed. Where the provider refuses to make one,
 * two complete lists, far enough apart, must do.
 */
function abandonedCreate(world: SpriteWorld, machine: SpriteMachine): SpriteDecision {
  const { unansweredMs, confirmMs } = world.deadlines
  const since = machine.intent === 'Destroy' ? machine.since : world.now
  const lookedAtMs = world.observation.seen === 'unanswered' ? world.observation.lookedAtMs : undefined
  const isLate = (from: string): boolean => lookedAtMs !== undefined && lookedAtMs - Date.parse(from) >= unansweredMs
  if (machine.absentSince !== undefined && isLate(machine.absentSince))
    return { ...afterLoss(world, machine, { isClean: true }), requeueReason: 'never-made' }
  const absentSince = machine.absentSince ?? (machine.intent === 'Destroy' && isLate(since) ? world.now : undefined)
  const decision = {
    actions: [],
    phase: 'Draining' as const,
    machine: { ...machine, intent: 'Destroy' as const, since, ...(absentSince === undefined ? {} : { absentSince }) },
    conditions: reconciling(
      isDeleting(world.sprite) ? 'Deleting' : 'Stopping',
      `Asks the provider whether machine ${machine.name} was made`,
    ),
    requeueAfterMs: confirmMs,
    requeueReason: 'create-abandoned',
  }
  if (world.slot.holder === undefined || world.config === undefined) return decision
  return attempting(world, sameCreate(machine, world.config), decision)
}

/** The stored hash and image go on the stamp: an earlier try of this name may already carry them. */
const sameCreate = (machine: SpriteMachine, config: MachineConfig) => ({
  do: 'create' as const,
  name: machine.name,
  incarnation: machine.incarnation,
  config: { ...config, specHash: machine.specHash, image: machine.image ?? config.image },
})
