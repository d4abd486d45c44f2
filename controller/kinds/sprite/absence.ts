/** Decides when a machine is believed to be gone, and what its end means for the sprite. Pure. */
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { reconciling, unknown } from '../../api/conditions.ts'
import { unansweredLeftMs } from './attempt.ts'
import { isRevoked, withoutMachine } from './machineless.ts'
import { asBefore, keptConditions, wasLost } from './outcomes.ts'
import type { SpriteMachine } from './schema.ts'
import { wantsMachine, type Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

type KnownMachine = SpriteMachine & { readonly id: string }

/** Between machines that never became ready, or did not last: 5 s doubling to 10 min. */
export const MACHINE_BACKOFF: BackoffPolicy = { baseMs: 5_000, maxMs: 600_000, jitter: 0.3 }

/** A machine that was ready for so long is not part of a crash loop. */
const SOLID_LIFE_MS = 120_000

/**
 * The first look that finds it absent is noted, the second one, late enough, believed. While an unanswered create may
 * still take effect, no look counts: the name would be free for it. Reads lag: what no look has shown since its create
 * is given longer. So is what reports, and then the provider is asked who has its name. A complete list that is newer
 * than both looks must not show it any more: two looks by id may have asked the same node, which does not know it.
 */
export function absent(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const { confirmMs, unseenMs } = world.deadlines
  const isUnseen = machine.readyTime === undefined && machine.state === 'created'
  const quietMs = unansweredLeftMs(world, machine)
  const sinceMs = machine.absentSince === undefined ? world.nowMs : Date.parse(machine.absentSince)
  const isHeard = wasHeardSince(world, machine, sinceMs)
  const provenAtMs = sinceMs + (isUnseen || isHeard ? unseenMs : confirmMs)
  const leftMs = quietMs > 0 ? quietMs : provenAtMs - world.nowMs
  if (machine.absentSince === undefined || leftMs > 0) {
    const absentSince = quietMs > 0 ? {} : { absentSince: machine.absentSince ?? world.now }
    return {
      ...seemsGone(world, want, { ...machine, ...(isUnseen ? {} : { state: 'destroyed' }), ...absentSince }),
      requeueAfterMs: Math.max(leftMs, 1),
      requeueReason: 'confirm-absence',
    }
  }
  if (isDisputed(world, sinceMs)) return disputed(world, want, { machine, sinceMs: provenAtMs })
  if (machine.unansweredTime !== undefined || isHeard) return reopened(world, machine)
  return {
    ...afterLoss(world, machine, { isClean: endedCleanly(world, want, machine) }),
    requeueReason: 'machine-gone',
  }
}

/** Timestamps are of whole seconds: a sign of life within that of the look may have come before it. */
const SAME_MS = 1_000

/** Something reports as this incarnation though the machine was absent before: it is there, or another has its name. */
function wasHeardSince({ presence }: SpriteWorld, machine: SpriteMachine, sinceMs: number): boolean {
  const isSame = presence?.incarnation === machine.incarnation && presence.state !== 'gone'
  return isSame && presence.lastSeenAtMs >= sinceMs + SAME_MS
}

/** No complete list made since the second look could count says the same; after some time the looks by id do alone. */
function isDisputed({ observation, deadlines, nowMs }: SpriteWorld, absentSinceMs: number): boolean {
  const listed = observation.seen === 'absent' ? observation.listed : undefined
  const isAgreed = listed?.isLive === false && listed.atMs >= absentSinceMs + deadlines.confirmMs
  return !isAgreed && nowMs - absentSinceMs < deadlines.disputedMs
}

/** A list that lags agrees soon: only what lasts longer is told. */
const TOLD_MS = 30_000
const DISPUTE_MS_MAX = 30_000

/** Looked at again at once, then ever more seldom: each look is a call. */
function disputed(
  world: SpriteWorld,
  want: Want,
  { machine, sinceMs }: { readonly machine: KnownMachine; readonly sinceMs: number },
): SpriteDecision {
  const { nowMs, observation, deadlines } = world
  const isListed = observation.seen === 'absent' && observation.listed?.isLive === true
  const decision = seemsGone(world, want, { ...machine, state: 'destroyed' })
  const text = `The provider says by id that machine ${machine.name} is gone, and lists it all the same: it still counts`
  return {
    ...decision,
    ...(isListed && nowMs - sinceMs >= TOLD_MS ? { conditions: unknown('AbsenceDisputed', text) } : {}),
    requeueAfterMs: Math.max(deadlines.confirmMs / 2, Math.min(nowMs - sinceMs, DISPUTE_MS_MAX)),
    requeueReason: 'absence-disputed',
  }
}

function seemsGone(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  // Of a lost one the reason of the loss stays: it decides about the back-off.
  if (wasLost(world, machine)) return asBefore(world, machine)
  return {
    ...asBefore(world, machine),
    phase: want.wants ? 'Starting' : 'Draining',
    conditions: reconciling(
      want.reason === 'Deleting' ? 'Deleting' : want.wants ? 'Replacing' : 'Stopping',
      `Machine ${machine.name} seems gone; a second look confirms it`,
    ),
  }
}

/** It went while an unanswered create could still take its name, or somebody has it: the provider is asked who. */
function reopened(world: SpriteWorld, machine: KnownMachine): SpriteDecision {
  const { id: _gone, absentSince: _seen, unansweredTime: _over, destroyTime: _asked, ...rest } = machine
  return {
    ...asBefore(world, { ...rest, intent: 'Destroy', since: world.now }),
    requeueAfterMs: 0,
    requeueReason: 'name-unproven',
  }
}

/** Whether its end was asked for, or was its own idle or drained exit. */
export function endedCleanly(world: SpriteWorld, want: Want, machine: SpriteMachine): boolean {
  if (machine.intent === 'Stop' || machine.intent === 'Destroy') return true
  const isSame = world.presence?.incarnation === machine.incarnation
  return !want.wants || (isSame && (world.presence?.state === 'draining' || world.presence?.state === 'gone'))
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
  if (end.isClean && !wasLost(world, machine)) return atPeace(world, failures)
  return {
    actions: [],
    phase: 'Failed',
    machine: undefined,
    conditions: end.isClean
      ? keptConditions(world)
      : reconciling('MachineExited', `Machine ${machine.name} is gone; another one follows`),
    failures,
    retryTime: timestamp(world.nowMs + backoffMs(MACHINE_BACKOFF, Math.max(1, failures), world.random)),
    requeueAfterMs: 0,
  }
}

/** What it is without the machine stands in the write that clears the record; slot and finalizer go in the next pass. */
function atPeace(world: SpriteWorld, failures: number): SpriteDecision {
  const { machine: _gone, ...status } = world.sprite.status ?? {}
  const after: SpriteWorld = { ...world, sprite: { ...world.sprite, status }, observation: { seen: 'none' } }
  const want = wantsMachine({ ...after, isRevoked: isRevoked(world) })
  return { ...withoutMachine(after, want), actions: [], failures, requeueAfterMs: 0 }
}
