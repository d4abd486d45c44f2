/** The port to whatever runs the emulator's machines: local processes, or nothing at all in unit tests. */
import type { EmulatedConfig, ProcessExit, RunToken } from './model.ts'

/** What a runner must know of a machine to run it. */
export type Runnable = {
  readonly id: string
  readonly app: string
  readonly name: string
  readonly region: string
  readonly instanceId: string
  readonly privateIp: string
  readonly config: EmulatedConfig
}

/** Told once per run, when its process is gone. Never called from inside spawn or adopt. */
export type OnExit = (exit: ProcessExit) => void

/** Starts, finds again, signals and ends the processes of machines; at most one process per machine. */
export interface MachineRunner {
  /** Starts the process; gives what finds it again, or the failure's words. */
  spawn(machine: Runnable, onExit: OnExit): RunToken | { readonly failed: string }
  /** Takes over a process that an earlier emulator started; undefined when it lives no more. */
  adopt(machine: Runnable, token: RunToken | undefined, onExit: OnExit): RunToken | undefined
  /** Sends a signal; SIGKILL follows after `killAfterMs` unless it has ended. Nothing for an unknown machine. */
  signal(machineId: string, signal: string, killAfterMs?: number): void
  /** Ends it at once. */
  kill(machineId: string): void
  /** Lets go of all processes; with `kill` ends them first (SIGTERM, grace, SIGKILL) and resolves when none is left. */
  close(options: { readonly kill: boolean }): Promise<void>
}
