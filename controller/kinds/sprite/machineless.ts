/** Decides for a sprite that has no machine: at rest, in the queue, or on its way to the next one. Pure. */
import { reconciling, stalled } from '../../api/conditions.ts'
import { machineName } from './machine-spec.ts'
import { MACHINE_FINALIZER, type SpriteMachine } from './schema.ts'
import { asBefore, restReason, startingUp } from './outcomes.ts'
import { lacksPersona, type Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

/** What a sprite does that has no machine, and is proven to have none. */
export function withoutMachine(world: SpriteWorld, want: Want): SpriteDecision {
  if (!want.wants) return atRest(world, want)
  if (!world.personaExists) return withoutPersona(world)
  if (world.slot.holder === undefined || world.config === undefined) return queued(world, undefined)
  const incarnation = (world.sprite.status?.incarnation ?? 0) + 1
  const machine: SpriteMachine = {
    name: machineName(world.sprite, incarnation),
    incarnation,
    image: world.config.image,
    specHash: world.config.specHash,
    createdTime: world.now,
    since: world.now,
    intent: 'Create',
    attemptTime: world.now,
  }
  return {
    actions: [],
    phase: 'Starting',
    machine,
    conditions: startingUp(machine),
    requeueAfterMs: 0,
    requeueReason: 'intent-stored',
  }
}

/** Nothing runs and nothing should: the slot goes back, a deletion may end. */
function atRest(world: SpriteWorld, want: Want): SpriteDecision {
  const rest = restReason(world, want)
  const base = { phase: rest.phase, machine: undefined, conditions: rest.conditions }
  if (world.slot.holder !== undefined)
    return { ...base, actions: [{ do: 'releaseSlot' }], requeueAfterMs: 0, requeueReason: 'slot-released' }
  if (want.reason === 'Deleting') return { ...base, actions: isHeld(world) ? [{ do: 'releaseFinalizer' }] : [] }
  if (want.reason !== 'BackingOff') return { ...base, actions: [] }
  const retryTime = world.sprite.status?.retryTime
  const leftMs = Math.max(0, Date.parse(retryTime ?? world.now) - world.nowMs)
  return { ...base, actions: [], retryTime, requeueAfterMs: leftMs, requeueReason: 'back-off' }
}

const withoutPersona = (world: SpriteWorld): SpriteDecision => ({
  actions: world.slot.holder === undefined ? [] : [{ do: 'releaseSlot' }],
  phase: 'Blocked',
  machine: undefined,
  conditions: stalled(
    'PersonaNotFound',
    `No persona is named "${world.sprite.spec.agentType}": declare one, or delete the sprite`,
  ),
})

/** Waits for a slot; says its place, who holds the slots, and what a person could do. */
export function queued(world: SpriteWorld, machine: SpriteMachine | undefined): SpriteDecision {
  const { position, limit, holders } = world.slot
  // The ledger has not heard of the wish yet: its answer follows at once and is then said.
  if (position === undefined)
    return lacksPersona(world.sprite)
      ? { actions: [], phase: 'Pending', machine, conditions: reconciling('Starting', 'Asks for a slot') }
      : { ...asBefore(world, machine), ...blockersOf(world) }
  const place = `Waits for a slot at position ${position}`
  const running = limit === null ? '' : `: ${holders.length} of ${limit} run (${holders.join(', ')})`
  const isOwnLimit = limit !== null && world.tenant?.spec.config.maxConcurrentSprites === limit
  const raise = isOwnLimit ? 'raise maxConcurrentSprites of the tenant' : 'choose a plan that runs more sprites at once'
  const fix = `stop one of them, wait until one is idle, or ${raise}`
  return {
    actions: [],
    phase: 'Queued',
    machine,
    conditions: reconciling('Queued', `${place}${running}`),
    blockers: [
      {
        reason: 'Queued',
        ...(limit === null ? {} : { limit }),
        used: holders.length,
        requested: 1,
        holders: holders.slice(0, 50),
        position,
        fix: `Declared is more than ${isOwnLimit ? 'the tenant' : 'the plan'} runs at once: ${fix}`,
      },
    ],
  }
}

const blockersOf = (world: SpriteWorld): Pick<SpriteDecision, 'blockers'> =>
  world.sprite.status?.blockers === undefined ? {} : { blockers: world.sprite.status.blockers }

/** Whether the finalizer stands between the sprite and its end. */
export const isHeld = (world: SpriteWorld): boolean =>
  world.sprite.metadata.finalizers?.includes(MACHINE_FINALIZER) ?? false

/** Whether its slot is asked back. It yields only while it has nothing to do: work may have come in the meantime. */
export function isRevoked(world: SpriteWorld): boolean {
  const revoke = world.slot.holder?.revoke
  return revoke === 'LimitLowered' || (revoke === 'Yield' && world.assignedWork === 0)
}
