/**
 * Decides how a create or start is sent so that a crash or a lost answer never leaves an effect that nobody knows of. Pure.
 *
 * The attempt is stored before it is sent and struck when its answer is recorded. An attempt that is found without an
 * answer (this process has just begun, or the call's time is long over) counts as unanswered: for some time its effect
 * may still come, also under a name that has become free in between.
 */
import { keptConditions } from './outcomes.ts'
import type { SpriteMachine } from './schema.ts'
import type { SpriteAction, SpriteDecision, SpriteWorld } from './world.ts'

/** No call lasts longer: an attempt older than that has been cut. */
const CALL_MS_MAX = 5_000

/** How long an unanswered create or start of the machine may still take effect; ≤ 0 when no longer. */
export const unansweredLeftMs = (world: SpriteWorld, machine: SpriteMachine): number =>
  machine.unansweredTime === undefined
    ? 0
    : Date.parse(machine.unansweredTime) + world.deadlines.unansweredMs - world.nowMs

/** Sends the action if its attempt is stored; otherwise the pass only stores it. */
export function attempting(
  world: SpriteWorld,
  action: Extract<SpriteAction, { do: 'create' | 'start' }>,
  decision: SpriteDecision & { readonly machine: SpriteMachine },
): SpriteDecision {
  const { machine } = decision
  if (machine.attemptTime !== undefined && isOurs(world, machine.attemptTime)) return { ...decision, actions: [action] }
  const cut = machine.attemptTime === undefined ? {} : { unansweredTime: machine.attemptTime }
  const isAgain = decision.phase === world.sprite.status?.phase
  return {
    ...decision,
    actions: [],
    // What the last try came to stands until this one is answered: else each try would be two changes of the conditions.
    conditions: isAgain ? keptConditions(world) : decision.conditions,
    machine: { ...machine, ...cut, attemptTime: world.now },
    requeueAfterMs: 0,
    requeueReason: 'attempt-stored',
  }
}

/** Stored by this process a moment ago: the call has not been made. */
function isOurs(world: SpriteWorld, attemptTime: string): boolean {
  const atMs = Date.parse(attemptTime)
  return atMs + 999 >= world.listeningSinceMs && world.nowMs - atMs < CALL_MS_MAX
}

/** Seen by a GET after every unanswered attempt has had its time: none of them can take effect any more. */
export function settled(world: SpriteWorld, machine: SpriteMachine): SpriteMachine {
  const isFresh = world.observation.seen === 'present' && world.observation.isFresh
  if (machine.unansweredTime === undefined || !isFresh || unansweredLeftMs(world, machine) > 0) return machine
  const { unansweredTime: _over, ...rest } = machine
  return rest
}
