/** Decides about a machine that should run: woken, starting, at work, or lost. Pure. */
import { SPRITE_EXIT } from '../../../protocol/boot.ts'
import { ready, reconciling, type ConditionPatch } from '../../api/conditions.ts'
import type { SpriteMachine } from './schema.ts'
import { attempting } from './attempt.ts'
import { endedCleanly } from './absence.ts'
import { queued } from './machineless.ts'
import { asBefore, startingUp } from './outcomes.ts'
import { destroying, stopping } from './teardown.ts'
import type { Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

type KnownMachine = SpriteMachine & { readonly id: string }

/** A kept, stopped machine is wanted again: with a slot it starts, after its intent is stored. */
export function wakeUp(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  if (machine.state !== 'stopped') return stopping(world, want, machine, 'Stopping')
  if (world.slot.holder === undefined) return queued(world, { ...machine, intent: 'Stop' })
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
export function running(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const state = machine.state ?? 'unknown'
  if (state === 'started') return started(world, want, machine)
  if (state === 'stopped' && machine.intent === 'Start' && readyLeftMs(world, machine) > 0)
    return attempting(world, { do: 'start', id: machine.id }, { ...starting(world, machine), machine })
  if (STARTING.has(state) && readyLeftMs(world, machine) > 0) return starting(world, machine)
  if (state === 'stopping' || state === 'suspending') return starting(world, machine)
  if (STARTING.has(state))
    return lost(world, machine, 'StartTimeout', `Machine ${machine.name} was "${state}" for too long`)
  if (ENDED.has(state) && machine.readyTime !== undefined && (endedCleanly(world, want, machine) || leftIdle(world)))
    return slept(world, want, machine)
  if (ENDED.has(state) && machine.readyTime !== undefined && exitCode(world) === SPRITE_EXIT.deadline)
    return destroying(world, want, { ...machine, intent: 'Destroy', since: world.now })
  return exited(world, machine, state)
}

/** Past its hard deadline it ends by itself, as designed, and can never run again. */
const exitCode = ({ observation }: SpriteWorld): number | undefined =>
  observation.seen === 'present' ? observation.machine.exit?.code : undefined

const ENDED: ReadonlySet<string> = new Set(['stopped', 'destroying', 'destroyed'])

/** A process that leaves sooner after it was ready cannot have been idle for long. */
const IDLE_MS_MIN = 5_000

/** Whether its exit says that it was idle for too long: work, or another run policy, came a moment later. */
function leftIdle({ observation, sprite, nowMs }: SpriteWorld): boolean {
  if (observation.seen !== 'present' || observation.machine.exit?.code !== SPRITE_EXIT.done) return false
  const readyAtMs = Date.parse(sprite.status?.machine?.readyTime ?? '')
  return observation.machine.exit.oomKilled !== true && nowMs - readyAtMs >= IDLE_MS_MIN
}

/** Its process left by itself, idle or drained: no failure. The machine is kept, or goes as the plan has it. */
function slept(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  if (machine.state !== 'stopped' || world.config?.autoDestroy !== false)
    return destroying(world, want, { ...machine, intent: 'Destroy', since: world.now })
  return {
    ...asBefore(world, { ...machine, intent: 'Stop', since: world.now }),
    requeueAfterMs: 0,
    requeueReason: 'slept-by-itself',
  }
}

const readyLeftMs = (world: SpriteWorld, machine: SpriteMachine): number =>
  Date.parse(machine.since) + world.deadlines.readyMs - world.nowMs

function starting(
  world: SpriteWorld,
  machine: KnownMachine,
  leftMs: number = readyLeftMs(world, machine),
): SpriteDecision {
  return {
    actions: [],
    phase: 'Starting',
    machine,
    conditions: startingUp(machine),
    requeueAfterMs: Math.max(1, Math.min(world.deadlines.confirmMs, leftMs)),
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
function lost(world: SpriteWorld, machine: KnownMachine, reason: string, message: string): SpriteDecision {
  return {
    // What has ended by itself runs no more: the brake is for what may still run.
    actions: [{ do: 'destroy', id: machine.id, isTombstoned: hasEnded(machine.state) }],
    phase: 'Failed',
    machine: { ...machine, intent: 'Destroy', since: world.now },
    conditions: reconciling(reason, message),
    failures: (world.sprite.status?.failures ?? 0) + 1,
    requeueAfterMs: world.deadlines.confirmMs,
    requeueReason: 'machine-lost',
  }
}

const RUNS_NO_MORE: ReadonlySet<string> = new Set(['stopped', 'suspended', 'failed', 'launch_failed'])

const hasEnded = (state: string | undefined): boolean => state !== undefined && RUNS_NO_MORE.has(state)

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
    // A first sign of life that nobody could hear is not one that never came.
    const unheardMs = Math.max(0, world.listeningSinceMs - Date.parse(machine.since))
    const leftMs = readyLeftMs(world, machine) + unheardMs
    if (leftMs > 0) return starting(world, machine, leftMs)
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
