/** Decides what stands in the status of a sprite that has, or soon has, no machine. Pure. */
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { ready, reconciling, stalled, type ConditionPatch } from '../../api/conditions.ts'
import type { SpriteMachine, SpritePhase } from './schema.ts'
import type { Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

/** Between machines that never became ready, or did not last: 5 s doubling to 10 min. */
export const MACHINE_BACKOFF: BackoffPolicy = { baseMs: 5_000, maxMs: 600_000, jitter: 0.3 }

/** A machine that was ready for so long is not part of a crash loop. */
const SOLID_LIFE_MS = 120_000

/** From so many failures in a row on, it is called a crash loop. */
const CRASH_LOOP_FAILURES = 3

/** The conditions as they stand, for a pass that has nothing new to say. */
export const keptConditions = (world: SpriteWorld): ConditionPatch[] =>
  (world.sprite.status?.conditions ?? []).map(({ type, status, reason, message }) => ({
    type,
    status,
    reason,
    message,
  }))

/** What a sprite without a machine says while it wants none. */
export function restReason(world: SpriteWorld, want: Want): { phase: SpritePhase; conditions: ConditionPatch[] } {
  const { sprite } = world
  switch (want.reason) {
    case 'Deleting':
      return { phase: 'Draining', conditions: reconciling('Deleting', 'Its machine is gone; the last traces follow') }
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
    case 'BackingOff':
      return { phase: 'Failed', conditions: backingOff(world) }
    default:
      return { phase: 'Stopped', conditions: ready('Asleep', 'Has no work; a machine is made when there is some') }
  }
}

function backingOff(world: SpriteWorld): ConditionPatch[] {
  const failures = world.sprite.status?.failures ?? 0
  if (failures < CRASH_LOOP_FAILURES) return keptConditions(world)
  return reconciling(
    'CrashLoop',
    `${failures} machines in a row did not last; see its logs and events, it is tried again`,
  )
}

/** The record of a machine that is proven gone: cleared, and after a failure the next try is put off. */
export function afterLoss(
  world: SpriteWorld,
  machine: SpriteMachine,
  end: { readonly isClean: boolean },
): SpriteDecision {
  const before = world.sprite.status?.failures ?? 0
  const livedMs = machine.readyTime === undefined ? 0 : world.nowMs - Date.parse(machine.readyTime)
  // A destroy that `lost` began has counted already; an exit that nobody saw counts here.
  const counted = end.isClean ? before : before + 1
  const failures = livedMs >= SOLID_LIFE_MS ? Math.min(counted, 1) : counted
  const isFailure = !end.isClean || (machine.intent === 'Destroy' && world.sprite.status?.phase === 'Failed')
  const base: SpriteDecision = {
    actions: [],
    phase: isFailure ? 'Failed' : 'Pending',
    machine: undefined,
    conditions: end.isClean
      ? keptConditions(world)
      : reconciling('MachineExited', `Machine ${machine.name} is gone; another one follows`),
    failures,
  }
  if (!isFailure) return base
  return {
    ...base,
    retryTime: timestamp(world.nowMs + backoffMs(MACHINE_BACKOFF, Math.max(1, failures), world.random)),
  }
}
