/** Decides whether a sprite should have a running machine now, and if not, why. Pure. */
import { findCondition } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { parseTimestamp } from '../../../system/timestamp.ts'
import { isPaused } from '../marks.ts'
import type { Project } from '../project/schema.ts'
import type { Tenant } from '../tenant/schema.ts'
import { isToDrain, isWakePending, wakeAtMs } from './asks.ts'
import type { Sprite } from './schema.ts'

/** What that is judged from. */
export type WantWorld = {
  readonly nowMs: number
  readonly sprite: Sprite
  readonly tenant: Tenant | undefined
  readonly project: Project | undefined
  /** How many pieces of work are assigned to it and not over. */
  readonly assignedWork: number
  /** Its slot is asked back. */
  readonly isRevoked: boolean
}

/** Why a sprite should have a running machine, or should not. */
export type WantReason =
  | 'Running'
  | 'Deleting'
  | 'TenantNotReady'
  | 'AgentTypeNotAllowed'
  | 'Suspended'
  | 'Stopped'
  | 'Revoked'
  | 'BackingOff'
  | 'Drained'
  | 'Asleep'

/** Whether a sprite should have a running machine now. */
export type Want = {
  readonly wants: boolean
  readonly reason: WantReason
  /** When an idle machine that is wanted now will no longer be; ms from now. */
  readonly idleLeftMs?: number
}

/** The first reason that speaks against a machine wins; the order is from the strongest to the mildest. */
export function wantsMachine(world: WantWorld): Want {
  const { sprite, tenant, project } = world
  if (isDeleting(sprite)) return not('Deleting')
  if (tenant?.status?.limits === undefined || isDeleting(tenant)) return not('TenantNotReady')
  if (agentTypeIsDisabled(sprite, tenant)) return not('AgentTypeNotAllowed')
  if (tenant.spec.suspend || project?.spec.suspend === true) return not('Suspended')
  if (sprite.spec.runPolicy === 'Stopped') return not('Stopped')
  if (world.isRevoked) return not('Revoked')
  if (isBackingOff(sprite, world.nowMs)) return not('BackingOff')
  if (isToDrain(sprite, world.nowMs)) return not('Drained')
  if (sprite.spec.runPolicy === 'Always' || world.assignedWork > 0) return { wants: true, reason: 'Running' }
  return lingering(world, tenant.status.limits.spriteIdleTimeoutSeconds)
}

/** What the platform asks of a sprite, whatever a member of its tenant has annotated. */
export type PlatformWord = { readonly tenant: Tenant | undefined; readonly isLimitLowered: boolean }

/**
 * Whether the annotation `paused` holds: what the platform asks for outranks it. Else a member could keep a machine
 * through the tenant's suspension, its deletion, or a smaller plan.
 */
export const isHandsOff = (sprite: Sprite, { tenant, isLimitLowered }: PlatformWord): boolean =>
  isPaused(sprite) && !isLimitLowered && tenant?.spec.suspend !== true && !(tenant !== undefined && isDeleting(tenant))

/** Whether it has said that its persona is not there: until it says otherwise a slot would be of no use to it. */
export const lacksPersona = (sprite: Sprite): boolean =>
  findCondition(sprite.status?.conditions, 'Ready')?.reason === 'PersonaNotFound'

const not = (reason: WantReason): Want => ({ wants: false, reason })

/** After failed machines it leaves its slot to others until the retry time. */
function isBackingOff(sprite: Sprite, nowMs: number): boolean {
  const retryAtMs = parseTimestamp(sprite.status?.retryTime)
  return sprite.status?.machine === undefined && retryAtMs !== undefined && retryAtMs > nowMs
}

function agentTypeIsDisabled(sprite: Sprite, tenant: Tenant): boolean {
  const enabled = tenant.spec.config.enabledAgents
  return enabled !== undefined && !enabled.includes(sprite.spec.agentType)
}

/** Without work, a machine that is up stays until its idle timeout; one that is not is made only for a wake-up. */
function lingering(world: WantWorld, tenantTimeoutSeconds: number): Want {
  const { sprite, nowMs } = world
  if (isWakePending(sprite, nowMs)) return { wants: true, reason: 'Running' }
  const machine = sprite.status?.machine
  if (machine === undefined || machine.intent === 'Stop' || machine.intent === 'Destroy') return not('Asleep')
  const idleSinceMs = parseTimestamp(sprite.status?.idleSince)
  if (machine.readyTime === undefined || idleSinceMs === undefined) return { wants: true, reason: 'Running' }
  const stillSinceMs = Math.max(idleSinceMs, wakeAtMs(sprite, nowMs) ?? 0)
  const leftMs = stillSinceMs + idleTimeoutSeconds(sprite, tenantTimeoutSeconds) * 1000 - nowMs
  return leftMs > 0 ? { wants: true, reason: 'Running', idleLeftMs: leftMs } : not('Asleep')
}

/** The idle time that holds for a sprite: its own within its tenant's. */
export const idleTimeoutSeconds = (sprite: Sprite, tenantTimeoutSeconds: number): number =>
  Math.min(sprite.spec.idleTimeoutSeconds ?? tenantTimeoutSeconds, tenantTimeoutSeconds)
