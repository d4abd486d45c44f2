/** A MachineRunner that runs nothing: its processes live until a signal or the test ends them. */
import type { ProcessExit, RunToken } from './model.ts'
import type { MachineRunner, OnExit, Runnable } from './runner.ts'

/** What a test sees and does with machines that nothing runs. */
export interface FakeRunner extends MachineRunner {
  /** Machines whose process lives, by id. */
  readonly running: ReadonlyMap<string, Runnable>
  /** Signals sent, oldest first. */
  readonly signals: { readonly machineId: string; readonly signal: string }[]
  /** The process ends by itself. */
  exit(machineId: string, exit?: ProcessExit): void
  /** The next spawn fails with these words. */
  failNextSpawn(words: string): void
  /** Processes stay when they are asked to end (SIGTERM); SIGKILL always works. */
  ignoreTerm(ignore: boolean): void
}

/** A runner without processes. `survivors` are machine ids whose processes an earlier emulator left behind. */
export function createFakeRunner(options: { readonly survivors?: readonly string[] } = {}): FakeRunner {
  const running = new Map<string, Runnable>()
  const exits = new Map<string, OnExit>()
  const signals: { machineId: string; signal: string }[] = []
  const survivors = new Set(options.survivors)
  let pid = 1_000_000
  let failure: string | undefined
  let ignoresTerm = false

  const enter = (machine: Runnable, onExit: OnExit): RunToken => {
    running.set(machine.id, machine)
    exits.set(machine.id, onExit)
    return { pid: ++pid, startedAt: 'fake' }
  }
  const exit = (machineId: string, how: ProcessExit = { code: 0 }): void => {
    const onExit = exits.get(machineId)
    running.delete(machineId)
    exits.delete(machineId)
    onExit?.(how)
  }
  const kill = (machineId: string): void => {
    signals.push({ machineId, signal: 'SIGKILL' })
    queueMicrotask(() => exit(machineId, { signal: 9 }))
  }
  return {
    running,
    signals,
    exit,
    kill,
    failNextSpawn: (words) => {
      failure = words
    },
    ignoreTerm: (ignore) => {
      ignoresTerm = ignore
    },
    spawn: (machine, onExit) => {
      const failed = failure
      failure = undefined
      return failed === undefined ? enter(machine, onExit) : { failed }
    },
    adopt: (machine, _token, onExit) => (survivors.has(machine.id) ? enter(machine, onExit) : undefined),
    signal: (machineId, signal) => {
      signals.push({ machineId, signal })
      if (!ignoresTerm || signal === 'SIGKILL') queueMicrotask(() => exit(machineId, { code: 0 }))
    },
    close: async ({ kill: ends }) => {
      if (ends) for (const machineId of running.keys()) exit(machineId, { code: 0 })
    },
  }
}
