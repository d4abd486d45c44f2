/** Pure: the life of one emulated machine: each event gives the machine after it and what to do with its process. */
import { microTimestamp } from '../../../system/timestamp.ts'
import type { EmulatedEvent, EmulatedMachine, EmulatedState, Effect, ExitEvent, Latency, ProcessExit } from './model.ts'

/** What a change may look at; `draw` gives a number in [0, 1), `eventId` a fresh id. */
export type Surroundings = {
  readonly nowMs: number
  readonly latency: Latency
  readonly draw: () => number
  readonly eventId: () => string
}

/** The machine after an event, and the effects to perform once that is stored. */
export type Change = { readonly machine: EmulatedMachine; readonly effects: readonly Effect[] }

/** A refusal in Fly's words; `status` is the HTTP status. */
export type Refusal = { readonly refused: true; readonly status: number; readonly text: string; readonly code?: string }

/** True for a refusal. */
export const isRefusal = (outcome: Change | Refusal): outcome is Refusal => 'refused' in outcome

/** Events that a machine keeps. */
const EVENTS_MAX = 50

/** A machine that was just created: it launches after the latency, or stays stopped with skip_launch. */
export function created(machine: EmulatedMachine, at: Surroundings, skipLaunch: boolean): Change {
  const told = withEvent(machine, at, { type: 'launch', status: 'created', source: 'user' })
  if (skipLaunch) return { machine: { ...told, state: 'stopped' }, effects: [] }
  return { machine: { ...told, due: { step: 'launch', atMs: at.nowMs + drawn(at, 'launch') } }, effects: [] }
}

/** Start through the API: already running is success; 412 from a state that must pass first. */
export function startRequested(machine: EmulatedMachine, at: Surroundings): Change | Refusal {
  switch (machine.state) {
    case 'started':
    case 'starting':
      return { machine, effects: [] }
    case 'stopped':
    case 'failed':
      return isSettling(machine, at) ? refuse(412, 'machine still active, refusing to start') : spawning(machine, at)
    case 'created':
    case 'stopping':
      return refuse(412, `unable to start machine from current state: '${machine.state}'`)
    case 'destroying':
    case 'destroyed':
      return refuse(404, `machine not found`)
  }
}

/** Stop through the API: a stopped machine stays so; of a machine in created it is refused. */
export function stopRequested(
  machine: EmulatedMachine,
  at: Surroundings,
  how: { readonly signal: string; readonly killAfterMs: number },
): Change | Refusal {
  switch (machine.state) {
    case 'stopped':
    case 'failed':
    case 'destroying':
    case 'destroyed':
      return { machine, effects: [] }
    case 'created':
      return refuse(412, `unable to stop machine from current state: 'created'`)
    case 'stopping':
      return { machine, effects: [{ do: 'signal', ...how }] }
    case 'starting':
    case 'started': {
      const stopping = moved({ ...machine, stopRequested: true }, at, 'stopping')
      const told = withEvent(stopping, at, { type: 'stop', status: 'stopping', source: 'user' })
      return machine.run ? { machine: told, effects: [{ do: 'signal', ...how }] } : exited(told, at, {})
    }
  }
}

/** Destroy through the API: 412 for a running one unless forced. */
export function destroyRequested(machine: EmulatedMachine, at: Surroundings, force: boolean): Change | Refusal {
  if (machine.state === 'destroyed' || machine.state === 'destroying') return { machine, effects: [] }
  const idle = machine.state === 'stopped' || machine.state === 'failed' || machine.state === 'created'
  if (!idle && !force)
    return refuse(412, `failed_precondition: unable to destroy machine, not currently stopped, suspended, or failed`)
  const going = moved({ ...machine, stopRequested: true }, at, 'destroying')
  return machine.run ? { machine: going, effects: [{ do: 'kill' }] } : { machine: destroyed(going, at), effects: [] }
}

/** What comes by itself is due now. */
export function stepDue(machine: EmulatedMachine, at: Surroundings): Change | undefined {
  const step = machine.due?.step
  if (step === 'launch' && machine.state === 'created') return spawning(machine, at)
  if (step !== 'boot' || machine.state !== 'starting') return undefined
  const booted = moved(machine, at, 'started')
  return { machine: withEvent(booted, at, { type: 'start', status: 'started', source: 'flyd' }), effects: [] }
}

/** Its process is gone: stopped, or destroyed where that was asked for or is its way. */
export function exited(machine: EmulatedMachine, at: Surroundings, exit: ProcessExit): Change {
  const { run: _, ...gone } = machine
  if (machine.state === 'destroyed') return { machine: gone, effects: [] }
  const told = withEvent(gone, at, {
    type: 'exit',
    status: 'stopped',
    source: 'flyd',
    exit: exitEvent(machine, at, exit),
  })
  if (machine.state === 'destroying' || machine.config.auto_destroy)
    return { machine: destroyed(told, at), effects: [] }
  const stopped = moved(told, at, exit.error === undefined ? 'stopped' : 'failed')
  return { machine: { ...stopped, stoppedAtMs: at.nowMs }, effects: [] }
}

/** True while start is refused because the last run has only just ended. */
const isSettling = (machine: EmulatedMachine, at: Surroundings): boolean =>
  machine.stoppedAtMs !== undefined && at.nowMs - machine.stoppedAtMs < at.latency.startRefusedMs

function spawning(machine: EmulatedMachine, at: Surroundings): Change {
  const starting = moved({ ...machine, stopRequested: false }, at, 'starting')
  const told = withEvent(starting, at, { type: 'start', status: 'starting', source: 'user' })
  return { machine: { ...told, due: { step: 'boot', atMs: at.nowMs + drawn(at, 'boot') } }, effects: [{ do: 'spawn' }] }
}

function destroyed(machine: EmulatedMachine, at: Surroundings): EmulatedMachine {
  const told = withEvent(moved(machine, at, 'destroyed'), at, { type: 'destroy', status: 'destroyed', source: 'flyd' })
  return { ...told, due: { step: 'reap', atMs: at.nowMs + at.latency.destroyedReadableMs } }
}

/** In another state, with nothing due. */
function moved(machine: EmulatedMachine, at: Surroundings, state: EmulatedState): EmulatedMachine {
  const { due: _, ...still } = machine
  return { ...still, state, updatedAtMs: at.nowMs }
}

function withEvent(
  machine: EmulatedMachine,
  at: Surroundings,
  told: Pick<EmulatedEvent, 'type' | 'status' | 'source'> & { readonly exit?: ExitEvent },
): EmulatedMachine {
  const event: EmulatedEvent = {
    id: at.eventId(),
    type: told.type,
    status: told.status,
    source: told.source,
    timestamp: at.nowMs,
    request: told.exit ? { exit_event: told.exit } : null,
  }
  return { ...machine, events: [event, ...machine.events].slice(0, EVENTS_MAX) }
}

function exitEvent(machine: EmulatedMachine, at: Surroundings, exit: ProcessExit): ExitEvent {
  // A process that a signal has ended is reported as a shell does: 128 + the signal.
  const code = exit.code ?? (exit.signal === undefined ? undefined : 128 + exit.signal)
  return {
    ...(code === undefined ? {} : { exit_code: code, guest_exit_code: code }),
    ...(exit.signal === undefined ? {} : { guest_signal: exit.signal, signal: exit.signal }),
    oom_killed: false,
    requested_stop: machine.stopRequested,
    restarting: false,
    exited_at: microTimestamp(at.nowMs),
    ...(exit.error === undefined ? {} : { error: exit.error }),
  }
}

function drawn(at: Surroundings, step: 'launch' | 'boot'): number {
  const { min, max } = at.latency[step]
  return min + Math.floor(at.draw() * (max - min + 1))
}

const refuse = (status: number, text: string): Refusal => ({ refused: true, status, text })
