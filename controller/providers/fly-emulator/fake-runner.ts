/** A MachineRunner that runs nothing: its processes live until a signal or the test ends them. */
import { createIdleRunner, type IdleRunner } from './idle-runner.ts'

/** What a test sees and does with machines that nothing runs. */
export interface FakeRunner extends IdleRunner {
  /** Signals sent, oldest first. */
  readonly signals: { readonly machineId: string; readonly signal: string }[]
  /** The next spawn fails with these words. */
  failNextSpawn(words: string): void
  /** Processes stay when they are asked to end (SIGTERM); SIGKILL always works. */
  ignoreTerm(ignore: boolean): void
}

/** A runner without processes. `survivors` are machine ids whose processes an earlier emulator left behind. */
export function createFakeRunner(options: { readonly survivors?: readonly string[] } = {}): FakeRunner {
  const idle = createIdleRunner({ adopted: (machineId) => options.survivors?.includes(machineId) ?? false })
  const signals: { machineId: string; signal: string }[] = []
  let failure: string | undefined
  let ignoresTerm = false
  return {
    ...idle,
    signals,
    kill: (machineId) => {
      signals.push({ machineId, signal: 'SIGKILL' })
      idle.kill(machineId)
    },
    failNextSpawn: (words) => {
      failure = words
    },
    ignoreTerm: (ignore) => {
      ignoresTerm = ignore
    },
    spawn: (machine, onExit) => {
      const failed = failure
      failure = undefined
      return failed === undefined ? idle.spawn(machine, onExit) : { failed }
    },
    signal: (machineId, signal) => {
      signals.push({ machineId, signal })
      if (signal === 'SIGKILL') idle.kill(machineId)
      // A process that ends as it is asked to ends well.
      else if (!ignoresTerm && signal !== 'SIGSTOP' && signal !== 'SIGCONT')
        queueMicrotask(() => {
          if (idle.running.has(machineId)) idle.exit(machineId, { code: 0 })
        })
    },
  }
}
