/** Pure: the small steps that every change of an emulated machine is made of. */
import { microTimestamp } from '../../../system/timestamp.ts'
import { drawnMs, type Latency, type Phase } from './latency.ts'
import type { MachineFault, MachinePhase } from './faults.ts'
import type { Effect, EmulatedEvent, EmulatedMachine, EmulatedState, ExitEvent, ProcessExit, Step } from './model.ts'

/** What a change may look at; `draw` gives a number in [0, 1), `eventId` a fresh id. */
export type Surroundings = {
  readonly nowMs: number
  readonly latency: Latency
  readonly draw: () => number
  readonly eventId: () => string
  /** The planned fault of this machine in this phase; it is used up by asking. */
  readonly fault?: (phase: MachinePhase, machine: EmulatedMachine) => MachineFault | undefined
}

/** The machine after an event, and the effects to perform once that is stored. */
export type Change = { readonly machine: EmulatedMachine; readonly effects: readonly Effect[] }

/** A refusal in Fly's words; `status` is the HTTP status. */
export type Refusal = { readonly refused: true; readonly status: number; readonly text: string; readonly code?: string }

/** True for a refusal. */
export const isRefusal = (outcome: Change | Refusal): outcome is Refusal => 'refused' in outcome

/** A refusal. */
export const refuse = (status: number, text: string, code?: string): Refusal => ({
  refused: true,
  status,
  text,
  ...(code === undefined ? {} : { code }),
})

/** Nothing changes. */
export const unchanged = (machine: EmulatedMachine): Change => ({ machine, effects: [] })

/** Events that a machine keeps. */
const EVENTS_MAX = 50

/** In another state, with nothing due. */
export function moved(machine: EmulatedMachine, at: Surroundings, state: EmulatedState): EmulatedMachine {
  const { due: _, ...still } = machine
  return { ...still, state, updatedAtMs: at.nowMs }
}

/** What is told of an event. */
export type Told = Pick<EmulatedEvent, 'type' | 'status' | 'source'> & {
  readonly exit?: ExitEvent
  readonly restartCount?: number
}

/** With one more event, the newest. */
export function withEvent(machine: EmulatedMachine, at: Surroundings, told: Told): EmulatedMachine {
  const { exit, restartCount } = told
  const event: EmulatedEvent = {
    id: at.eventId(),
    type: told.type,
    status: told.status,
    source: told.source,
    timestamp: at.nowMs,
    request: exit ? { exit_event: exit, ...(restartCount === undefined ? {} : { restart_count: restartCount }) } : null,
  }
  return { ...machine, events: [event, ...machine.events].slice(0, EVENTS_MAX) }
}

/** With a step that comes by itself once the phase is over: later, never, or as a failure where a fault says so. */
export function later(
  machine: EmulatedMachine,
  at: Surroundings,
  { step, phase }: { readonly step: Step; readonly phase: Phase },
): EmulatedMachine {
  const fault = at.fault?.(phase, machine)
  const takesMs = drawnMs(at.latency[phase], at.draw)
  if (fault?.kind === 'stuck') return machine
  const extraMs = fault?.kind === 'slow' ? fault.delayMs : 0
  return { ...machine, due: { step: fault?.kind === 'fail' ? 'fail' : step, atMs: at.nowMs + takesMs + extraMs } }
}

/** Its process is about to be started. */
export function spawning(machine: EmulatedMachine, at: Surroundings, source: 'user' | 'flyd' = 'user'): Change {
  const { afterExit: _, exitAs: __, ...fresh } = machine
  const starting = moved({ ...fresh, stopRequested: false }, at, 'starting')
  const told = withEvent(starting, at, { type: 'start', status: 'starting', source })
  return { machine: later(told, at, { step: 'boot', phase: 'boot' }), effects: [{ do: 'spawn' }] }
}

/** Its end: it can be read for a while. */
export function destroyed(machine: EmulatedMachine, at: Surroundings): EmulatedMachine {
  const { afterExit: _, hold: __, ...gone } = machine
  const told = withEvent(moved(gone, at, 'destroyed'), at, { type: 'destroy', status: 'destroyed', source: 'flyd' })
  return { ...told, due: { step: 'reap', atMs: at.nowMs + at.latency.destroyedReadableMs } }
}

/** What is told of the end of a process. */
export function exitEvent(machine: EmulatedMachine, at: Surroundings, exit: ProcessExit): ExitEvent {
  // A process that a signal has ended is reported as a shell does: 128 + the signal.
  const code = exit.code ?? (exit.signal === undefined ? undefined : 128 + exit.signal)
  return {
    ...(code === undefined ? {} : { exit_code: code, guest_exit_code: code }),
    ...(exit.signal === undefined ? {} : { guest_signal: exit.signal, signal: exit.signal }),
    oom_killed: exit.oom ?? false,
    requested_stop: machine.stopRequested,
    restarting: false,
    exited_at: microTimestamp(at.nowMs),
    ...(exit.error === undefined ? {} : { error: exit.error }),
  }
}
