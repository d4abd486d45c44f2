/** Decides what stands in the status of a sprite that has, or soon has, no machine. Pure. */
import { isDeleting } from '../../api/object.ts'
import { ready, reconciling, stalled, type ConditionPatch } from '../../api/conditions.ts'
import { isWakePending } from './asks.ts'
import { nameList } from '../names.ts'
import { MACHINE_FINALIZER, type SpriteMachine, type SpritePhase } from './schema.ts'
import type { Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

/** From so many failures in a row on, it is called a crash loop. */
const CRASH_LOOP_FAILURES = 3

/** The conditions as they stand, for a pass that has nothing new to say; one that has not spoken yet says that it begins. */
export function keptConditions(world: SpriteWorld): ConditionPatch[] {
  const conditions = world.sprite.status?.conditions ?? []
  if (conditions.length === 0) return reconciling('Starting', 'Prepares its first machine')
  return conditions.map(({ type, status, reason, message }) => ({ type, status, reason, message }))
}

/** Phase and conditions as they stand. */
export const asBefore = (world: SpriteWorld, machine: SpriteMachine | undefined): SpriteDecision => ({
  actions: [],
  phase: world.sprite.status?.phase ?? 'Pending',
  machine,
  conditions: keptConditions(world),
})

/** The same words from the intent to the first heartbeat: what happens in between is in the machine's state. */
export const startingUp = (machine: SpriteMachine): ConditionPatch[] =>
  reconciling('Starting', `Starts machine ${machine.name}; its first heartbeat is awaited`)

/** Whether it goes because it failed, and not because anybody asked for it: the brake and the back-off apply. */
export const wasLost = (world: SpriteWorld, machine: SpriteMachine): boolean =>
  machine.intent === 'Destroy' && world.sprite.status?.phase === 'Failed' && !isDeleting(world.sprite)

/** What a sprite without a machine says while it wants none. */
export function restReason(world: SpriteWorld, want: Want): Rest {
  const { sprite } = world
  switch (want.reason) {
    case 'Deleting':
      return { phase: 'Draining', conditions: reconciling('Deleting', goingText(sprite)) }
    case 'TenantNotReady':
      return {
        phase: 'Pending',
        conditions: reconciling('TenantNotReady', `Waits for Tenant "${sprite.metadata.namespace ?? ''}" to be active`),
      }
    case 'AgentTypeNotAllowed':
      return {
        phase: 'Blocked',
        conditions: stalled(
          'AgentTypeNotAllowed',
          `Agent type "${sprite.spec.agentType}" is not among the tenant’s enabledAgents: add it there, or delete the sprite`,
        ),
      }
    case 'Suspended':
      return { phase: 'Stopped', conditions: ready('Suspended', 'Its tenant or project is suspended') }
    case 'Stopped':
      return { phase: 'Stopped', conditions: ready('Stopped', 'spec.runPolicy is Stopped') }
    case 'Revoked':
      return isNeeded(world)
        ? { phase: 'Queued', conditions: reconciling('Queued', 'Gave its slot to others; waits for the next') }
        : asleep
    case 'BackingOff':
      return { phase: 'Failed', conditions: backingOff(world) }
    default:
      return asleep
  }
}

/** Once our own finalizer is off, whoever set the others has to take them off. */
function goingText({ metadata: { finalizers = [] } }: SpriteWorld['sprite']): string {
  const isOurs = finalizers.length === 0 || finalizers.includes(MACHINE_FINALIZER)
  if (isOurs) return 'Its machine is gone; the last traces follow'
  return `Its machine is gone; whoever set finalizer ${nameList(finalizers)} has to take it off`
}

type Rest = { readonly phase: SpritePhase; readonly conditions: readonly ConditionPatch[] }

const asleep: Rest = {
  phase: 'Stopped',
  conditions: ready('Asleep', 'Has no work; a machine is made when there is some'),
}

const isNeeded = (world: SpriteWorld): boolean =>
  world.assignedWork > 0 || world.sprite.spec.runPolicy === 'Always' || isWakePending(world.sprite, world.nowMs)

function backingOff(world: SpriteWorld): ConditionPatch[] {
  const failures = world.sprite.status?.failures ?? 0
  if (failures < CRASH_LOOP_FAILURES) return keptConditions(world)
  return reconciling(
    'CrashLoop',
    `${failures} machines in a row did not last; see its logs and events, it is tried again`,
  )
}
