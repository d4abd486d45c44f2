/** A MachineRunner without processes: each machine has an idle process that is only imagined, and ends by a signal. */
import { constants } from 'node:os'
import type { ProcessExit, RunToken } from './model.ts'
import type { MachineRunner, OnExit, Runnable } from './runner.ts'

/** A runner whose processes are only imagined. */
export interface IdleRunner extends MachineRunner {
  /** Machines whose process lives, by id. */
  readonly running: ReadonlyMap<string, Runnable>
  /** The process ends by itself. */
  exit(machineId: string, exit?: ProcessExit): void
}

/** Signals that an idle process lives on after. */
const HARMLESS: ReadonlySet<string> = new Set(['SIGSTOP', 'SIGCONT', 'SIGCHLD', 'SIGWINCH'])

/** A runner without processes; what `adopted` says lives is found again, all else is gone after a restart. */
export function createIdleRunner(options: { readonly adopted?: (machineId: string) => boolean } = {}): IdleRunner {
  const running = new Map<string, Runnable>()
  const exits = new Map<string, OnExit>()
  let pid = 1_000_000

  const enter = (machine: Runnable, onExit: OnExit): RunToken => {
    running.set(machine.id, machine)
    exits.set(machine.id, onExit)
    return { pid: ++pid, startedAt: 'idle' }
  }
  const exit = (machineId: string, how: ProcessExit = { code: 0 }): void => {
    const onExit = exits.get(machineId)
    running.delete(machineId)
    exits.delete(machineId)
    onExit?.(how)
  }
  /** Never from inside the call: the end of a process is told later. */
  const exitSoon = (machineId: string, how: ProcessExit): void => {
    const onExit = exits.get(machineId)
    queueMicrotask(() => {
      if (onExit !== undefined && exits.get(machineId) === onExit) exit(machineId, how)
    })
  }
  return {
    running,
    exit,
    spawn: enter,
    adopt: (machine, _token, onExit) => (options.adopted?.(machine.id) ? enter(machine, onExit) : undefined),
    signal: (machineId, signal) => {
      if (HARMLESS.has(signal)) return
      exitSoon(machineId, signal === 'SIGKILL' ? KILLED : { code: 128 + numberOf(signal) })
    },
    kill: (machineId) => exitSoon(machineId, KILLED),
    close: async ({ kill }) => {
      if (kill) for (const machineId of running.keys()) exit(machineId, { code: 0 })
    },
  }
}

const KILLED: ProcessExit = { signal: 9 }

const numberOf = (signal: string): number =>
  new Map<string, number>(Object.entries(constants.signals)).get(signal) ?? 15
