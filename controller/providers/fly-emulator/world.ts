/** The emulator's machines at work: stores each change, performs its effects, lets due steps happen by the clock. */
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'
import { createDueQueue } from './due-queue.ts'
import { durationMs } from './durations.ts'
import { exited } from './exits.ts'
import { createScript, fitsMachine, type MachineRule, type MachineSubject, type Script } from './faults.ts'
import { ulid } from './ids.ts'
import { createLaggingView } from './lagging-view.ts'
import { drawnMs, readLagOf, type Latency } from './latency.ts'
import { stepDue } from './life-cycle.ts'
import type { EmulatedMachine, EmulatedState, Effect, ProcessExit } from './model.ts'
import type { Change, Surroundings } from './moves.ts'
import type { EmulatorRecords } from './records.ts'
import type { MachineRunner, Runnable } from './runner.ts'

/** What the world stores in, runs with and tells time by. */
export type WorldPorts = {
  readonly records: EmulatorRecords
  readonly runner: MachineRunner
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly latency: Latency
  /** What its process gets besides the config's env: secrets, the way to its own API. */
  readonly environment: (machine: EmulatedMachine) => Readonly<Record<string, string>>
}

/** Sees every change of a machine after it is stored; `undefined` when the machine is forgotten. */
export type MachineListener = (id: string, machine: EmulatedMachine | undefined) => void

/** A machine that went from one state to another. */
export type Transition = {
  readonly atMs: number
  readonly id: string
  readonly app: string
  readonly name: string
  readonly from: EmulatedState | 'none'
  readonly to: EmulatedState
}

/** Changes due at once that one pump performs; more would be a loop in the life cycle. */
const DUE_STEPS_MAX = 100_000
const TRANSITIONS_MAX = 10_000

/** Machines with their processes and their clock. Everything in it is synchronous but close. */
export class EmulatedWorld {
  /** Every machine's changes of state, oldest first (at most 10,000). */
  readonly transitions: Transition[] = []
  /** What is still to go wrong with machines. */
  readonly faults: Script<MachineRule, MachineSubject>
  latency: Latency
  readonly #ports: WorldPorts
  readonly #listeners = new Set<MachineListener>()
  readonly #due = createDueQueue()
  readonly #view = createLaggingView()
  #cancel: CancelTimer | undefined
  #closed = false

  constructor(ports: WorldPorts, rules: readonly MachineRule[] = []) {
    this.#ports = ports
    this.latency = ports.latency
    this.faults = createScript(rules, () => ports.entropy.random(), fitsMachine)
  }

  /** What a life-cycle function may look at now. */
  surroundings(): Surroundings {
    const { clock, entropy } = this.#ports
    return {
      nowMs: clock.now(),
      latency: this.latency,
      draw: () => entropy.random(),
      eventId: () => ulid(clock.now(), entropy.bytes(16)),
      fault: (phase, { app, name, region }) => this.faults.draw({ phase, app, name, region })?.fault,
    }
  }

  /** The truth about a machine. */
  machine(id: string): EmulatedMachine | undefined {
    return this.#ports.records.machines.get(id)
  }

  /** What is read of a machine: the truth of a while ago. */
  seen(id: string): EmulatedMachine | undefined {
    return this.#view.seen(id, this.machine(id), this.#ports.clock.now())
  }

  /** What is read of these machines, and of those that are gone and still seen. */
  seenAmong(machines: readonly EmulatedMachine[], fits: (machine: EmulatedMachine) => boolean): EmulatedMachine[] {
    const ghosts = this.#view.ghosts(this.#ports.clock.now(), (id) => this.machine(id) !== undefined)
    const seen = machines.flatMap((machine) => this.seen(machine.id) ?? [])
    return [...seen, ...ghosts.filter(fits)]
  }

  /** Stores the machine and performs the effects; due steps wait for pump. */
  apply(change: Change): void {
    const before = this.machine(change.machine.id)
    if (before !== change.machine) this.#store(before, change.machine)
    for (const effect of change.effects) this.#perform(change.machine.id, effect)
  }

  /** Performs every step that is due and sets the timer for the next one; without one there is no timer. */
  pump(): void {
    if (this.#closed) return
    const { clock } = this.#ports
    for (let count = 0; count < DUE_STEPS_MAX; count++) {
      const next = this.#due.first()
      if (!next || next.atMs > clock.now()) break
      this.#step(next.id)
    }
    this.#cancel?.()
    const next = this.#due.first()
    this.#cancel = next && clock.after(next.atMs - clock.now(), () => this.pump(), { background: true })
  }

  /** After a restart: takes over the processes that live and reports the dead ones as ended. */
  recover(): void {
    for (const machine of this.#ports.records.machines.values()) {
      this.#due.set(machine.id, dueOf(machine))
      if (mayRun(machine)) this.#recoverOne(machine)
    }
    this.pump()
  }

  onChange(listener: MachineListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Forgets a machine without a trace; its process is ended. */
  forget(id: string): void {
    const machine = this.machine(id)
    if (!machine) return
    if (machine.run) this.#ports.runner.kill(id)
    this.#noteLag(machine, machine)
    this.#due.set(id, undefined)
    this.#ports.records.removeMachine(id)
    this.#tell(id, undefined)
  }

  /** Ends its process so, now; a machine without one is left alone. */
  crash(id: string, exit: ProcessExit): void {
    const machine = this.machine(id)
    if (!machine?.run) return
    this.apply({ machine: { ...machine, exitAs: exit }, effects: [{ do: 'kill' }] })
    this.pump()
  }

  /** Stops the clock's part and lets go of the processes; with `kill` ends them and stores how they ended. */
  async close(options: { readonly kill: boolean }): Promise<void> {
    this.#cancel?.()
    if (!options.kill) this.#closed = true
    await this.#ports.runner.close(options)
    this.#cancel?.()
    this.#closed = true
  }

  #store(before: EmulatedMachine | undefined, after: EmulatedMachine): void {
    this.#ports.records.putMachine(after)
    this.#due.set(after.id, dueOf(after))
    this.#noteLag(after, before)
    if (before?.state !== after.state) {
      const { id, app, name, state: to } = after
      this.transitions.push({ atMs: this.#ports.clock.now(), id, app, name, from: before?.state ?? 'none', to })
      if (this.transitions.length > TRANSITIONS_MAX) this.transitions.splice(0, TRANSITIONS_MAX / 10)
    }
    this.#tell(after.id, after)
  }

  #noteLag(machine: EmulatedMachine, before: EmulatedMachine | undefined): void {
    const lag = readLagOf(this.latency, machine.region)
    if (lag.max === 0) return
    const nowMs = this.#ports.clock.now()
    this.#view.note(machine.id, before, nowMs + drawnMs(lag, () => this.#ports.entropy.random()))
  }

  #step(id: string): void {
    const machine = this.machine(id)
    if (!machine) return this.#due.set(id, undefined)
    if (machine.due?.step === 'reap') return this.forget(id)
    const change = stepDue(machine, this.surroundings())
    const { due: _, ...rest } = machine
    this.apply(change ?? { machine: rest, effects: [] })
  }

  #perform(id: string, effect: Effect): void {
    switch (effect.do) {
      case 'spawn':
        return this.#spawn(id)
      case 'signal':
        return this.#ports.runner.signal(id, effect.signal, effect.killAfterMs)
      case 'kill':
        return this.#ports.runner.kill(id)
    }
  }

  #spawn(id: string): void {
    const machine = this.machine(id)
    if (!machine) return
    const token = this.#ports.runner.spawn(this.#runnable(machine), (exit) => this.#ended(id, exit))
    if ('failed' in token) {
      this.#ports.log.warn({ machine: id, name: machine.name, error: token.failed }, 'machine process did not start')
      return this.apply(exited(machine, this.surroundings(), { code: 127, error: token.failed }))
    }
    this.#putRun(machine, token)
  }

  /** Readers see nothing of this. */
  #putRun(machine: EmulatedMachine, run: NonNullable<EmulatedMachine['run']>): void {
    const running = { ...machine, run }
    this.#ports.records.putMachine(running)
    this.#tell(machine.id, running)
  }

  #ended(id: string, exit: ProcessExit): void {
    const machine = this.machine(id)
    // After close without kill the processes live on, and so do their records.
    if (!machine || this.#closed) return
    this.apply(exited(machine, this.surroundings(), exit))
    this.pump()
  }

  #recoverOne(machine: EmulatedMachine): void {
    const onExit = (exit: ProcessExit): void => this.#ended(machine.id, exit)
    const token = this.#ports.runner.adopt(this.#runnable(machine), machine.run, onExit)
    if (!token) return this.apply(exited(machine, this.surroundings(), {}))
    this.#putRun(machine, token)
    for (const effect of unfinished(machine)) this.#perform(machine.id, effect)
  }

  #runnable(machine: EmulatedMachine): Runnable {
    const env = { ...machine.config.env, ...this.#ports.environment(machine) }
    return { ...machine, config: { ...machine.config, env } }
  }

  #tell(id: string, machine: EmulatedMachine | undefined): void {
    for (const listener of this.#listeners) listener(id, machine)
  }
}

/** Nothing happens by itself to a machine whose host is away. */
const dueOf = (machine: EmulatedMachine): number | undefined =>
  machine.hostStatus === 'unreachable' ? undefined : machine.due?.atMs

/** Whether an earlier emulator may have left a process of it. */
const mayRun = (machine: EmulatedMachine): boolean =>
  machine.run !== undefined || ['starting', 'started', 'stopping', 'destroying'].includes(machine.state)

/** What had been asked of its process and may not have reached it. */
function unfinished(machine: EmulatedMachine): readonly Effect[] {
  if (machine.state === 'destroying') return [{ do: 'kill' }]
  if (machine.state !== 'stopping' && machine.afterExit === undefined) return []
  const { signal, timeout } = machine.config.stop_config
  return [{ do: 'signal', signal, killAfterMs: durationMs(timeout) ?? 0 }]
}
