/**
 * Decides the next step of a sprite's life. Pure.
 *
 * A machine goes through these intents, each stored before its call is made:
 *
 *   (none) ──slot held──> Create ──id known──> Run ──idle, plan keeps it──> Stop ──wanted, slot held──> Start ──> Run
 *                            │                  │                            │
 *                            └──────────────────┴── unwanted, changed, lost ─┴──> Destroy ──confirmed absent──> (none)
 *
 * A slot is held from before Create until absence (or the stop of a kept machine) is confirmed by two looks.
 */
import { isDeleting } from '../../api/object.ts'
import { ready, reconciling, stalled, unknown, type ConditionPatch } from '../../api/conditions.ts'
import { isPaused, PAUSED_ANNOTATION } from '../marks.ts'
import { machineName, type MachineConfig } from './machine-spec.ts'
import { MACHINE_FINALIZER, type SpriteMachine } from './schema.ts'
import { attempting, settled, unansweredLeftMs } from './attempt.ts'
import { destroying, stopping } from './teardown.ts'
import { afterLoss, keptConditions, restReason } from './outcomes.ts'
import { wantsMachine, type Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

/** The one step that a sprite needs now; the same world gives the same answer. */
export function decideSprite(world: SpriteWorld): SpriteDecision {
  const { sprite } = world
  const machine = sprite.status?.machine
  if (isPaused(sprite)) return paused(world)
  const isHeld = sprite.metadata.finalizers?.includes(MACHINE_FINALIZER) ?? false
  if (!isDeleting(sprite) && !isHeld) return holdFinalizer(world)
  const want = wantsMachine({ ...world, isRevoked: world.slot.holder?.revoke !== undefined })
  if (machine === undefined) return withoutMachine(world, want)
  if (machine.id === undefined) return unanswered(world, want, machine)
  return withMachine(world, want, { ...machine, id: machine.id })
}

function paused(world: SpriteWorld): SpriteDecision {
  const status = world.sprite.status
  const message = `Paused by the annotation ${PAUSED_ANNOTATION}: remove it to go on`
  return {
    actions: [],
    phase: status?.phase ?? 'Pending',
    machine: status?.machine,
    conditions: ready('Paused', message),
  }
}

const holdFinalizer = (world: SpriteWorld): SpriteDecision => ({
  actions: [{ do: 'holdFinalizer' }],
  phase: 'Pending',
  machine: world.sprite.status?.machine,
  conditions: reconciling('Starting', 'Prepares its first machine'),
  requeueAfterMs: 0,
  requeueReason: 'finalizer-held',
})

function withoutMachine(world: SpriteWorld, want: Want): SpriteDecision {
  if (!want.wants) return atRest(world, want)
  if (!world.personaExists) return withoutPersona(world)
  if (world.slot.holder === undefined || world.config === undefined) return queued(world, undefined)
  const incarnation = (world.sprite.status?.incarnation ?? 0) + 1
  const machine: SpriteMachine = {
    name: machineName(world.sprite, incarnation),
    incarnation,
    image: world.config.image,
    specHash: world.config.specHash,
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
  if (want.reason === 'Deleting') return { ...base, actions: [{ do: 'releaseFinalizer' }] }
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

/** The same words from the intent to the first heartbeat: what happens in between is in the machine's state. */
const startingUp = (machine: SpriteMachine): ConditionPatch[] =>
  reconciling('Starting', `Starts machine ${machine.name}; its first heartbeat is awaited`)

/** Waits for a slot; says its place, who holds the slots, and what a person could do. */
export function queued(world: SpriteWorld, machine: SpriteMachine | undefined): SpriteDecision {
  const { position, limit, holders } = world.slot
  // The ledger has not heard of the wish yet: its answer follows at once and is then said.
  if (position === undefined) return { ...base(world, machine), ...blockersOf(world) }
  const place = `Waits for a slot at position ${position}`
  const running = limit === null ? '' : `: ${holders.length} of ${limit} run (${holders.join(', ')})`
  const fix = 'stop one of them, wait until one is idle, or choose a plan that runs more sprites at once'
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
        fix: `Declared is more than the plan runs at once: ${fix}`,
      },
    ],
  }
}

/** The create was meant, and perhaps made, but its answer never came: the same name is tried until it is known. */
function unanswered(world: SpriteWorld, want: Want, machine: SpriteMachine): SpriteDecision {
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
    return { ...afterLoss(world, machine, { isClean: true }), requeueAfterMs: 0, requeueReason: 'never-made' }
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

type KnownMachine = SpriteMachine & { readonly id: string }

function withMachine(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const { observation } = world
  switch (observation.seen) {
    case 'absent':
      return absent(world, want, machine)
    case 'present':
      return present(world, want, { ...settled(world, machine), id: machine.id, ...seenOf(observation.machine) })
    case 'unknown':
      return {
        actions: [],
        phase: world.sprite.status?.phase ?? 'Pending',
        machine,
        conditions: unknown('ProviderUnavailable', `Cannot see machine ${machine.name}: ${observation.message}`),
        requeueAfterMs: world.deadlines.confirmMs,
        requeueReason: 'provider-unavailable',
      }
    default:
      return { ...base(world, machine), requeueAfterMs: world.deadlines.confirmMs, requeueReason: 'unobserved' }
  }
}

const blockersOf = (world: SpriteWorld): Pick<SpriteDecision, 'blockers'> =>
  world.sprite.status?.blockers === undefined ? {} : { blockers: world.sprite.status.blockers }

const base = (world: SpriteWorld, machine: SpriteMachine | undefined): SpriteDecision => ({
  actions: [],
  phase: world.sprite.status?.phase ?? 'Pending',
  machine,
  conditions: keptConditions(world),
})

const seenOf = (machine: { readonly state: string; readonly region: string; readonly app: string }) => ({
  state: machine.state,
  region: machine.region,
  app: machine.app,
})

/**
 * The first look that finds it absent is noted, the second one, late enough, believed. While an unanswered create may
 * still take effect, no look counts: the name would be free for it.
 */
function absent(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const { confirmMs } = world.deadlines
  const quietMs = unansweredLeftMs(world, machine)
  const sinceMs = machine.absentSince === undefined ? world.nowMs : Date.parse(machine.absentSince)
  const leftMs = quietMs > 0 ? quietMs : sinceMs + confirmMs - world.nowMs
  if (machine.absentSince === undefined || leftMs > 0) {
    const absentSince = quietMs > 0 ? {} : { absentSince: machine.absentSince ?? world.now }
    return {
      ...base(world, { ...machine, state: 'destroyed', ...absentSince }),
      phase: want.wants ? 'Starting' : 'Draining',
      conditions: reconciling(
        want.reason === 'Deleting' ? 'Deleting' : want.wants ? 'Replacing' : 'Stopping',
        `Machine ${machine.name} seems gone; a second look confirms it`,
      ),
      requeueAfterMs: Math.max(leftMs, 1),
      requeueReason: 'confirm-absence',
    }
  }
  if (machine.unansweredTime !== undefined) return reopened(world, machine)
  const end = { isClean: endedCleanly(world, want, machine) }
  return { ...afterLoss(world, machine, end), requeueAfterMs: 0, requeueReason: 'machine-gone' }
}

/** It went while an unanswered create could still take its name: the provider is asked who has the name now. */
function reopened(world: SpriteWorld, machine: KnownMachine): SpriteDecision {
  const { id: _gone, absentSince: _seen, unansweredTime: _over, ...rest } = machine
  return {
    ...base(world, { ...rest, intent: 'Destroy', since: world.now }),
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

function present(world: SpriteWorld, want: Want, seen: KnownMachine): SpriteDecision {
  const { absentSince: _gone, ...machine } = seen
  const isSame = world.config !== undefined && world.config.specHash === machine.specHash
  if (machine.intent === 'Destroy') return destroying(world, want, machine)
  if (world.observation.seen === 'present' && !world.observation.machine.hostReachable)
    return unreachable(world, machine)
  if (want.wants && !isSame) return stopping(world, want, machine, 'Replacing')
  if (!want.wants) return stopping(world, want, machine, want.reason === 'Deleting' ? 'Deleting' : 'Stopping')
  if (machine.intent === 'Stop') return wakeUp(world, want, machine)
  return running(world, want, machine)
}

function unreachable(world: SpriteWorld, machine: KnownMachine): SpriteDecision {
  return {
    ...base(world, machine),
    conditions: unknown('HostUnreachable', `The host of machine ${machine.name} cannot be reached; it still counts`),
    requeueAfterMs: world.deadlines.confirmMs * 6,
    requeueReason: 'host-unreachable',
  }
}

/** A kept, stopped machine is wanted again: with a slot it starts, after its intent is stored. */
function wakeUp(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  if (machine.state !== 'stopped') return stopping(world, want, machine, 'Stopping')
  if (world.slot.holder === undefined) return queued(world, machine)
  const { readyTime: _before, ...rest } = machine
  return {
    actions: [],
    phase: 'Starting',
    machine: { ...rest, intent: 'Start', since: world.now, attemptTime: world.now },
    conditions: startingUp(machine),
    requeueAfterMs: 0,
    requeueReason: 'intent-stored',
  }
}

const STARTING: ReadonlySet<string> = new Set([
  'created',
  'creating',
  'starting',
  'restarting',
  'updating',
  'replacing',
  'unknown',
])

/** It should run: how far is it? */
function running(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const state = machine.state ?? 'unknown'
  if (state === 'started') return started(world, want, machine)
  if (state === 'stopped' && machine.intent === 'Start' && readyLeftMs(world, machine) > 0)
    return attempting(world, { do: 'start', id: machine.id }, { ...starting(world, machine), machine })
  if (STARTING.has(state) && readyLeftMs(world, machine) > 0) return starting(world, machine)
  if (state === 'stopping' || state === 'suspending') return starting(world, machine)
  if (STARTING.has(state))
    return lost(world, machine, 'StartTimeout', `Machine ${machine.name} was "${state}" for too long`)
  if (
    state === 'stopped' &&
    machine.readyTime !== undefined &&
    endedCleanly(world, want, machine) &&
    world.config?.autoDestroy === false
  )
    return {
      ...base(world, { ...machine, intent: 'Stop', since: world.now }),
      requeueAfterMs: 0,
      requeueReason: 'slept-by-itself',
    }
  return exited(world, machine, state)
}

const readyLeftMs = (world: SpriteWorld, machine: SpriteMachine): number =>
  Date.parse(machine.since) + world.deadlines.readyMs - world.nowMs

function starting(world: SpriteWorld, machine: KnownMachine): SpriteDecision {
  return {
    actions: [],
    phase: 'Starting',
    machine,
    conditions: startingUp(machine),
    requeueAfterMs: Math.max(1, Math.min(world.deadlines.confirmMs, readyLeftMs(world, machine))),
    requeueReason: 'starting',
  }
}

function exited(world: SpriteWorld, machine: KnownMachine, state: string): SpriteDecision {
  const exit = world.observation.seen === 'present' ? world.observation.machine.exit : undefined
  if (exit?.oomKilled === true)
    return lost(world, machine, 'OutOfMemory', `Machine ${machine.name} ran out of memory: give it more in spec.guest`)
  const code = exit?.code === undefined ? `is "${state}"` : `ended with code ${exit.code}`
  return lost(world, machine, 'MachineExited', `Machine ${machine.name} ${code}; another one follows`)
}

/** Nobody asked for its end, and it is not as it should be: destroyed, and another incarnation follows. */
export function lost(world: SpriteWorld, machine: KnownMachine, reason: string, message: string): SpriteDecision {
  return {
    actions: [{ do: 'destroy', id: machine.id, isTombstoned: false }],
    phase: 'Failed',
    machine: { ...machine, intent: 'Destroy', since: world.now },
    conditions: reconciling(reason, message),
    failures: (world.sprite.status?.failures ?? 0) + 1,
    requeueAfterMs: world.deadlines.confirmMs,
    requeueReason: 'machine-lost',
  }
}

/** Its process runs: ready from the first heartbeat on, and as long as they come. */
function started(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const { presence, deadlines } = world
  const seenAtMs =
    presence?.uid === world.sprite.metadata.uid && presence.incarnation === machine.incarnation
      ? presence.lastSeenAtMs
      : undefined
  if (machine.readyTime === undefined) {
    // A heartbeat from before the last start of a kept machine does not count; timestamps are whole seconds.
    const isReady = seenAtMs !== undefined && presence?.state !== 'gone' && seenAtMs + 999 >= Date.parse(machine.since)
    if (isReady)
      return atWork(world, want, { ...machine, intent: 'Run', readyTime: world.now }, deadlines.heartbeatLostMs)
    if (readyLeftMs(world, machine) > 0) return starting(world, machine)
    return lost(world, machine, 'StartTimeout', `Machine ${machine.name} runs but never reported; another one follows`)
  }
  const quietSinceMs = Math.max(seenAtMs ?? 0, Date.parse(machine.readyTime), world.listeningSinceMs)
  const leftMs = quietSinceMs + deadlines.heartbeatLostMs - world.nowMs
  if (leftMs <= 0)
    return lost(world, machine, 'HeartbeatLost', `Machine ${machine.name} has not reported lately; another one follows`)
  return atWork(world, want, machine, leftMs)
}

function atWork(world: SpriteWorld, want: Want, machine: KnownMachine, heartbeatLeftMs: number): SpriteDecision {
  const isWorking = world.currentWork !== undefined
  const conditions: ConditionPatch[] = ready('Running', isWorking ? 'Works on a task' : 'Runs and waits for work')
  return {
    actions: [],
    phase: isWorking ? 'Working' : 'Idle',
    machine: { ...machine, intent: 'Run' },
    conditions,
    requeueAfterMs: Math.max(1, Math.min(heartbeatLeftMs, want.idleLeftMs ?? Infinity)),
    requeueReason: want.idleLeftMs !== undefined && want.idleLeftMs < heartbeatLeftMs ? 'idle-timeout' : 'heartbeat',
  }
}
