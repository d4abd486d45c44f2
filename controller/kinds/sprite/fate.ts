/** Decides what becomes of one sprite's machine, and says why. Pure. */
import { isFrozen } from '../marks.ts'
import type { Project } from '../project/schema.ts'
import type { SlotLedgerStatus } from '../slotledger/schema.ts'
import { isWakePending } from './asks.ts'
import { machineConfig, type MachineDefaults } from './machine-spec.ts'
import type { Sprite } from './schema.ts'
import { isHandsOff, wantsMachine, type WantReason } from './want.ts'
import type { EffectiveLimits } from '../tenant/limits.ts'
import type { Tenant } from '../tenant/schema.ts'
import type { Work } from '../work/schema.ts'

/** What would become of a machine, and why. */
export type Fate = {
  readonly action: 'create' | 'start' | 'stop' | 'destroy' | 'replace' | 'queue' | 'none'
  /** Place in the queue; 1 is next. */
  readonly position?: number
  readonly why: string
  /** What would be done were it not frozen; absent when it is not, and when nothing would. */
  readonly held?: Exclude<Fate['action'], 'none'>
}

/** What the fate of one sprite's machine is told from. */
export type MachineWorld = {
  readonly nowMs: number
  readonly sprite: Sprite
  /** As it is declared now; undefined when it is new. */
  readonly before: Sprite | undefined
  readonly tenant: Tenant
  readonly limits: EffectiveLimits
  readonly limitsBefore: EffectiveLimits | undefined
  readonly project: Project | undefined
  /** Work that is assigned to it and not over. */
  readonly tasks: readonly Work[]
  /** What the control plane gives where the sprite says nothing. */
  readonly defaults: MachineDefaults
  /** After the slots have been granted. */
  readonly ledger: SlotLedgerStatus
  /** Who has frozen everything, in words; absent when nobody has. */
  readonly frozenBy?: string | undefined
}

/** Why a sprite that may run has no machine. */
export const ASLEEP = 'there is no work for it'

const WHY_NOT: Readonly<Record<WantReason, string>> = {
  Running: 'it is to run',
  Deleting: 'the sprite is being deleted',
  TenantNotReady: 'its tenant is not ready',
  AgentTypeNotAllowed: 'its agent type is not enabled',
  Suspended: 'its tenant or project is suspended',
  Stopped: 'spec.runPolicy is Stopped',
  Revoked: 'its slot is asked back',
  BackingOff: 'it failed lately and is tried again later',
  Drained: 'it was asked to drain',
  Asleep: ASLEEP,
}

/** What would become of the sprite's machine now; under a freeze nothing, and what is held back. */
export function fateOf(world: MachineWorld): Fate {
  const fate = thawedFate(world)
  const by = isFrozen(world.tenant) ? 'its tenant is frozen' : world.frozenBy && `it is frozen by ${world.frozenBy}`
  if (by === undefined || by === '') return fate
  return { action: 'none', why: by, ...(fate.action === 'none' ? {} : { held: fate.action }) }
}

function thawedFate(world: MachineWorld): Fate {
  const { sprite, ledger, tasks } = world
  const { uid } = sprite.metadata
  const holder = ledger.holders?.find((one) => one.uid === uid)
  const isLimitLowered = holder?.revoke === 'LimitLowered'
  if (isHandsOff(sprite, { tenant: world.tenant, isLimitLowered }))
    return { action: 'none', why: 'the sprite is paused' }
  const isRevoked = isLimitLowered || (holder?.revoke === 'Yield' && tasks.length === 0)
  const want = wantsMachine({ ...world, assignedWork: tasks.length, isRevoked })
  const place = (ledger.queue ?? []).findIndex((one) => one.uid === uid) + 1
  const hasMachine = sprite.status?.machine !== undefined
  const reason = tasks[0] === undefined ? whyRunning(sprite, world.nowMs) : `work ${tasks[0].metadata.name} is for it`
  if (want.wants && holder === undefined && place > 0)
    return { action: 'queue', position: place, why: queueText(ledger, world.limits) }
  if (hasMachine) return fateOfMachine(world, { want, reason, revoke: isRevoked ? holder?.revoke : undefined })
  if (!want.wants) return { action: 'none', why: WHY_NOT[want.reason] }
  // It contends for no slot, so that none will come.
  if (holder === undefined) return { action: 'none', why: 'it has no persona' }
  return { action: 'create', why: reason }
}

function whyRunning(sprite: Sprite, nowMs: number): string {
  if (sprite.spec.runPolicy === 'Always') return 'spec.runPolicy is Always'
  return isWakePending(sprite, nowMs) ? 'it is asked to wake' : 'it is within its idle timeout'
}

function queueText({ limit, holders = [] }: SlotLedgerStatus, limits: EffectiveLimits): string {
  const names = holders.map(({ sprite }) => sprite).toSorted()
  return `${names.length} of ${limit ?? limits.concurrentSprites ?? 'unlimited'} slots are taken (${names.join(', ')})`
}

type Wish = {
  readonly want: ReturnType<typeof wantsMachine>
  readonly reason: string
  readonly revoke: 'LimitLowered' | 'Yield' | undefined
}

function fateOfMachine(world: MachineWorld, { want, reason, revoke }: Wish): Fate {
  const { sprite, limits } = world
  const machine = sprite.status?.machine
  const isDown = machine?.intent === 'Stop' || machine?.intent === 'Destroy'
  if (!want.wants) {
    // A kept machine goes with its sprite.
    const isAtRest = isDown && (machine.intent === 'Destroy' || want.reason !== 'Deleting')
    if (isAtRest) return { action: 'none', why: WHY_NOT[want.reason] }
    const isKept = limits.stoppedMachineRetentionSeconds > 0 && want.reason !== 'Deleting'
    const why =
      revoke === 'LimitLowered'
        ? 'the limit is lower than what runs'
        : revoke === 'Yield'
          ? 'it idles while another with work waits'
          : WHY_NOT[want.reason]
    return { action: isKept ? 'stop' : 'destroy', why }
  }
  const changed = changedParts(world)
  if (changed.length > 0) return { action: 'replace', why: `${changed.join(', ')} changed` }
  // What is on its way out is not halted: another one follows it.
  if (machine?.intent === 'Destroy') return { action: 'create', why: reason }
  return isDown ? { action: 'start', why: reason } : { action: 'none', why: 'it runs as declared' }
}

/** What of a machine's making differs between what is declared now and what would be. */
function changedParts({ sprite, before, limits, limitsBefore, defaults }: MachineWorld): string[] {
  if (before === undefined || limitsBefore === undefined) return []
  const now = machineConfig(before, limitsBefore, defaults)
  const then = machineConfig(sprite, limits, defaults)
  if (now.specHash === then.specHash) return []
  const parts = ['image', 'guest', 'regions', 'autoDestroy'] as const
  return parts.filter((part) => JSON.stringify(now[part]) !== JSON.stringify(then[part]))
}
