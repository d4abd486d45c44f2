/** Runs each machine as a local process in a group of its own, and finds it again after the emulator was killed. */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import { silentLog, type Log } from '../../../system/log.ts'
import type { EmulatedConfig, ProcessExit, RunToken } from './model.ts'
import { groupLeadersWith, signalGroup, startedAt } from './process-table.ts'
import type { MachineRunner, OnExit, Runnable } from './runner.ts'

/** What a machine’s process is, and where its output goes. */
export type ProcessRunnerOptions = {
  /** What to run for a machine; its image names no file here. */
  readonly command: (config: EmulatedConfig) => { readonly file: string; readonly args: readonly string[] }
  /** One log file per machine, appended to; made if missing, for the owner only. */
  readonly logFolder: string
  readonly clock: Clock
  readonly log?: Log
  /** PATH of the processes; default `/usr/local/bin:/usr/bin:/bin`. */
  readonly path?: string
  /** HOME and working folder of the processes; default the log folder. */
  readonly homeFolder?: string
  /** Between SIGTERM and SIGKILL at close; default 5,000 ms. */
  readonly graceMs?: number
}

/** A runner whose machines are local processes. */
export interface ProcessRunner extends MachineRunner {
  /** Where a machine's output goes. */
  logPath(machineId: string): string
  /** Pid of a machine's process while it lives. */
  pidOf(machineId: string): number | undefined
}

/** A process whose parent is not we can only be watched by looking. */
const POLL_MS = 250

type Run = {
  readonly machineId: string
  readonly token: RunToken
  readonly onExit: OnExit
  /** Absent for a process that an earlier emulator started. */
  readonly child?: ChildProcess
  cancelPoll?: CancelTimer
  cancelKill?: CancelTimer
}

/** A runner without processes; errors: the log folder cannot be made. */
export function createProcessRunner(options: ProcessRunnerOptions): ProcessRunner {
  mkdirSync(options.logFolder, { recursive: true, mode: 0o700 })
  return new LocalProcesses(options)
}

class LocalProcesses implements ProcessRunner {
  readonly #options: ProcessRunnerOptions
  readonly #log: Log
  readonly #runs = new Map<string, Run>()
  /** From then on the timers keep this process alive: nothing else may, and the machines must end first. */
  #isClosing = false
  /** Called when the last run is over. */
  #whenEmpty: (() => void) | undefined

  constructor(options: ProcessRunnerOptions) {
    this.#options = options
    this.#log = options.log ?? silentLog
  }

  logPath(machineId: string): string {
    return join(this.#options.logFolder, `${machineId.replaceAll(/[^0-9a-z-]/gi, '_')}.log`)
  }

  pidOf(machineId: string): number | undefined {
    return this.#runs.get(machineId)?.token.pid
  }

  spawn(machine: Runnable, onExit: OnExit): RunToken | { readonly failed: string } {
    if (this.#runs.has(machine.id)) return { failed: `machine "${machine.id}" already has a process` }
    const child = this.#start(machine)
    // A child that could not be started has no pid and tells why in an event that must be heard.
    child.on('error', (error) => this.#log.warn({ machine: machine.id, error: error.message }, 'process error'))
    if (child.pid === undefined) return { failed: `cannot run "${child.spawnfile}"` }
    const token: RunToken = { pid: child.pid, startedAt: startedAt(child.pid) ?? 'unknown' }
    const run: Run = { machineId: machine.id, token, onExit, child }
    this.#runs.set(machine.id, run)
    child.once('exit', (code, signal) => this.#ended(run, exitOf(code, signal)))
    return token
  }

  adopt(machine: Runnable, token: RunToken | undefined, onExit: OnExit): RunToken | undefined {
    const living = token ? stillLiving(token) : orphanOf(machine.id)
    if (!living) return undefined
    const run: Run = { machineId: machine.id, token: living, onExit }
    this.#runs.set(machine.id, run)
    this.#watch(run)
    return living
  }

  signal(machineId: string, signal: string, killAfterMs = 0): void {
    const run = this.#runs.get(machineId)
    if (!run) return
    signalGroup(run.token.pid, signalName(signal))
    if (killAfterMs <= 0) return
    run.cancelKill?.()
    run.cancelKill = this.#options.clock.after(killAfterMs, () => this.kill(machineId), {
      background: !this.#isClosing,
    })
  }

  kill(machineId: string): void {
    const run = this.#runs.get(machineId)
    if (run) signalGroup(run.token.pid, 'SIGKILL')
  }

  async close({ kill }: { readonly kill: boolean }): Promise<void> {
    if (!kill) return this.#letGo()
    if (this.#runs.size === 0) return
    this.#isClosing = true
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve
    })
    for (const run of this.#runs.values()) {
      if (!run.child) this.#watch(run)
      this.signal(run.machineId, 'SIGTERM', this.#options.graceMs ?? 5_000)
      // A suspended one hears nothing before it goes on.
      signalGroup(run.token.pid, 'SIGCONT')
    }
    await empty
  }

  #start(machine: Runnable): ChildProcess {
    const { file, args } = this.#options.command(machine.config)
    const log = openSync(this.logPath(machine.id), 'a', 0o600)
    try {
      return spawn(file, [...args], {
        cwd: this.#home(),
        env: environmentOf(machine, { path: this.#options.path, home: this.#home() }),
        stdio: ['ignore', log, log],
        // A group of its own: signals to it reach all of the machine and nothing else; our Ctrl-C does not reach it.
        detached: true,
      })
    } finally {
      closeSync(log)
    }
  }

  #home(): string {
    return this.#options.homeFolder ?? this.#options.logFolder
  }

  #watch(run: Run): void {
    run.cancelPoll?.()
    run.cancelPoll = this.#options.clock.after(
      POLL_MS,
      () => (stillLiving(run.token) ? this.#watch(run) : this.#ended(run, {})),
      { background: !this.#isClosing },
    )
  }

  #ended(run: Run, exit: ProcessExit): void {
    if (this.#runs.get(run.machineId) !== run) return
    this.#forget(run)
    // A machine ends as a whole: what its first process left behind goes too.
    signalGroup(run.token.pid, 'SIGKILL')
    run.onExit(exit)
    if (this.#runs.size === 0) this.#whenEmpty?.()
  }

  #forget(run: Run): void {
    this.#runs.delete(run.machineId)
    run.cancelPoll?.()
    run.cancelKill?.()
  }

  #letGo(): void {
    for (const run of this.#runs.values()) {
      run.child?.removeAllListeners('exit')
      run.child?.unref()
      this.#forget(run)
    }
  }
}

const stillLiving = (token: RunToken): RunToken | undefined =>
  startedAt(token.pid) === token.startedAt ? token : undefined

/** A process that was started just before the emulator died, too early for its pid to be stored. */
function orphanOf(machineId: string): RunToken | undefined {
  const pid = groupLeadersWith(`FLY_MACHINE_ID=${machineId}`)[0]
  const since = pid === undefined ? undefined : startedAt(pid)
  return pid === undefined || since === undefined ? undefined : { pid, startedAt: since }
}

/** Only the machine's own env and what Fly sets: nothing of the control plane's environment reaches a machine. */
function environmentOf(
  machine: Runnable,
  base: { readonly path: string | undefined; readonly home: string },
): Record<string, string> {
  return {
    PATH: base.path ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: base.home,
    ...machine.config.env,
    FLY_APP_NAME: machine.app,
    FLY_MACHINE_ID: machine.id,
    FLY_ALLOC_ID: machine.id,
    FLY_MACHINE_VERSION: machine.instanceId,
    FLY_REGION: machine.region,
    FLY_PRIVATE_IP: machine.privateIp,
    FLY_IMAGE_REF: machine.config.image,
    FLY_VM_MEMORY_MB: String(machine.config.guest.memory_mb),
  }
}

function exitOf(code: number | null, signal: NodeJS.Signals | null): ProcessExit {
  if (code !== null) return { code }
  return signal === null ? {} : { signal: constants.signals[signal] }
}

/** A signal's name as Node knows it; SIGTERM for a word that it does not know. */
const signalName = (word: string): NodeJS.Signals =>
  Object.hasOwn(constants.signals, word) ? (word as NodeJS.Signals) : /* checked against the system's */ 'SIGTERM'
