/** Decides the status of a sprite from what was decided and what came of it. Pure. */
import { mergeConditions, type ConditionPatch } from '../../api/conditions.ts'
import { isTerminalReason, reasonOf, withStandingRequestId } from './provider-reasons.ts'
import type { Machine, ProviderErrorReason } from '../../providers/machines.ts'
import { microTimestamp, timestamp } from '../../../system/timestamp.ts'
import { servedWakeMs } from './asks.ts'
import type { SpriteMachine, SpriteStatus } from './schema.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

/** What the pass's one machine call gave. */
export type ActOutcome = {
  readonly created?: Machine
  readonly error?: { readonly reason: ProviderErrorReason; readonly message: string }
  /** The brake held a destroy back. */
  readonly isBraked?: boolean
}

/** The whole next status; the shell sends the difference. */
export function spriteStatus(world: SpriteWorld, decision: SpriteDecision, outcome: ActOutcome): SpriteStatus {
  const before = world.sprite.status ?? {}
  const machine = machineAfter(world, decision, outcome)
  const said = withStandingRequestId(before.conditions, conditionsAfter(decision, outcome))
  const conditions = mergeConditions(before.conditions, said, {
    generation: world.sprite.metadata.generation,
    now: world.now,
  })
  const isIdle = decision.phase === 'Idle'
  const lastMachineId = machine?.id ?? before.machine?.id ?? before.lastMachineId
  const status: SpriteStatus = {
    observedGeneration: world.sprite.metadata.generation,
    phase: decision.phase,
    incarnation: Math.max(before.incarnation ?? 0, machine?.incarnation ?? 0),
    machine,
    currentTask: world.currentWork?.name,
    project: world.currentWork?.project,
    idleSince: isIdle ? ((before.phase === 'Idle' ? before.idleSince : undefined) ?? world.now) : undefined,
    wokenTime: wokenTime(world),
    tokensUsed: world.tokensUsed === 0 ? before.tokensUsed : world.tokensUsed,
    failures: outcome.isBraked === true ? before.failures : (decision.failures ?? before.failures),
    retryTime: decision.retryTime,
    lastMachineId,
    previousMachineId: lastMachineId === before.lastMachineId ? before.previousMachineId : before.lastMachineId,
    lastExit: lastExit(world),
    lastHeartbeatTime: before.lastHeartbeatTime,
    blockers: decision.blockers === undefined ? undefined : [...decision.blockers],
    conditions,
  }
  return withHeartbeat(world, status)
}

function wokenTime(world: SpriteWorld): string | undefined {
  const atMs = servedWakeMs(world)
  return atMs === undefined ? undefined : microTimestamp(atMs)
}

/** A heartbeat alone is not worth a write: its time goes along when something else has changed. */
function withHeartbeat(world: SpriteWorld, status: SpriteStatus): SpriteStatus {
  const before = world.sprite.status
  const isMoved = before?.phase !== status.phase || before?.currentTask !== status.currentTask
  if (!isMoved || world.presence === undefined) return status
  return { ...status, lastHeartbeatTime: timestamp(world.presence.lastSeenAtMs) }
}

function machineAfter(world: SpriteWorld, decision: SpriteDecision, outcome: ActOutcome): SpriteMachine | undefined {
  const { machine } = decision
  if (machine === undefined) return undefined
  if (outcome.isBraked === true) return world.sprite.status?.machine
  if (!isSettingUp(decision)) return machine
  const { attemptTime: _answered, ...answered } = machine
  // The host of a stopped machine is full: it is bound there, another one is not.
  if (outcome.error?.reason === 'NoCapacity' && decision.actions.some((action) => action.do === 'start'))
    return { ...answered, intent: 'Destroy', since: world.now }
  if (outcome.error !== undefined)
    return outcome.error.reason === 'OutcomeUnknown' ? { ...answered, unansweredTime: world.now } : answered
  if (outcome.created === undefined) return answered
  const { id, app, region, state, image } = outcome.created
  const { absentSince: _unproven, ...made } = answered
  const intent = machine.intent === 'Destroy' ? 'Destroy' : 'Run'
  // Its time to start begins now: the tries before may have taken longer than that.
  const since = intent === 'Run' ? { since: world.now } : {}
  return { ...made, id, app, region, state, image: image ?? machine.image, intent, ...since }
}

const isSettingUp = (decision: SpriteDecision): boolean =>
  decision.actions.some((action) => action.do === 'create' || action.do === 'start')

function conditionsAfter(decision: SpriteDecision, outcome: ActOutcome): readonly ConditionPatch[] {
  if (outcome.isBraked === true) {
    const message =
      'Many machines seem lost at once: none is destroyed until that is clear; look at the provider’s status'
    return replaceReady(decision.conditions, 'Unknown', { reason: 'DestroyBrake', message })
  }
  if (outcome.error === undefined) return decision.conditions
  const { reason, message } = outcome.error
  const text = { reason: reasonOf(reason), message }
  if (isTerminalReason(reason))
    return [
      { type: 'Ready', status: 'False', ...text },
      { type: 'Stalled', status: 'True', ...text },
    ]
  return replaceReady(
    decision.conditions,
    reason === 'Unavailable' || reason === 'OutcomeUnknown' ? 'Unknown' : 'False',
    text,
  )
}

const SUMMARIES: ReadonlySet<string> = new Set(['Ready', 'Reconciling', 'Stalled'])

const replaceReady = (
  conditions: readonly ConditionPatch[],
  status: ConditionPatch['status'],
  text: { readonly reason: string; readonly message: string },
): ConditionPatch[] => [
  { type: 'Ready', status, ...text },
  { type: 'Reconciling', status: 'True', ...text },
  ...conditions.filter(({ type }) => !SUMMARIES.has(type)),
]

function lastExit(world: SpriteWorld): SpriteStatus['lastExit'] {
  const before = world.sprite.status?.lastExit
  const exit = world.observation.seen === 'present' ? world.observation.machine.exit : undefined
  const machine = world.sprite.status?.machine
  if (exit === undefined || machine === undefined) return before
  return {
    incarnation: machine.incarnation,
    ...(exit.code === undefined ? {} : { code: exit.code }),
    ...(exit.oomKilled === undefined ? {} : { oomKilled: exit.oomKilled }),
    ...(exit.requested === undefined ? {} : { requested: exit.requested }),
    time: timestamp(exit.atMs),
    createdTime: machine.createdTime ?? machine.since,
    startTime: machine.readyTime ?? machine.createdTime ?? machine.since,
    ...(machine.image === undefined ? {} : { image: machine.image }),
  }
}
