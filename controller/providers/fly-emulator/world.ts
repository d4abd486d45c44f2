/** The emulator's machines at work: stores each change, performs its effects, lets due steps happen by the clock. */
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { Log } from '../../../system/log.ts'
import { ulid } from './ids.ts'
import { exited, stepDue, type Change, type Surroundings } from './life-cycle.ts'
import type { EmulatedMachine, Effect, Latency, ProcessExit } from './model.ts'
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
}

/** Sees every change of a machine after it is stored; `undefined` when the machine is forgotten. */
export type MachineListener = (id: string, machine: EmulatedMachine | undefined) => void

/** Changes due at once that one pump performs; more would be a loop in the life cycle. */
const DUE_STEPS_MAX = 100_000

/** Machines with their processes and their clock. Everything in it is synchronous but close. */
export class EmulatedWorld {
  readonly #ports: WorldPorts
  readonly #listeners = new Set<MachineListener>()
  #cancel: CancelTimer | undefined
  #closed = false

  constructor(ports: WorldPorts) {
    this.#ports = ports
  }

  /** What a life-cycle function may look at now. */
  surroundings(): Surroundings {
    const { clock, entropy, latency } = this.#ports
    return {
      nowMs: clock.now(),
      latency,
      draw: () => entropy.random(),
      eventId: () => ulid(clock.now(), entropy.bytes(16)),
    }
  }

  machine(id: string): EmulatedMachine | undefined {
    return this.#ports.records.machines.get(id)
  }

  /** Stores the machine and performs the effects; due steps wait for pump. */
  apply(change: Change): void {
    const { records } = this.#ports
    if (records.machines.get(change.machine.id) !== change.machine) {
      records.putMachine(change.machine)
      this.#tell(change.machine.id, change.machine)
    }
    for (const effect of change.effects) this.#perform(change.machine.id, effect)
  }

  /** Performs every step that is due and sets the timer for the next one. */
  pump(): void {
    if (this.#closed) return
    for (let count = 0; count < DUE_STEPS_MAX; count++) {
      const next = this.#nextDue()
      if (!next?.due || next.due.atMs > this.#ports.clock.now()) break
      this.#step(next)
    }
    this.#cancel?.()
    const next = this.#nextDue()
    this.#cancel =
      next?.due &&
      this.#ports.clock.after(next.due.atMs - this.#ports.clock.now(), () => this.pump(), { background: true })
  }

  /** After a restart: takes over the processes that live and reports the dead ones as ended. */
  recover(): void {
    for (const machine of this.#ports.records.machines.values()) {
      if (machine.state === 'created' || machine.state === 'destroyed' || machine.state === 'failed') continue
      if (machine.state === 'stopped' && !machine.run) continue
      this.#recoverOne(machine)
    }
    this.pump()
  }

  onChange(listener: MachineListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Forgets a machine without a trace; its process is ended. */
  forget(id: string): void {
    if (this.machine(id)?.run) this.#ports.runner.kill(id)
    this.#ports.records.removeMachine(id)
    this.#tell(id, undefined)
  }

  /** Stops the clock's part and lets go of the processes; with `kill` ends them and stores how they ended. */
  async close(options: { readonly kill: boolean }): Promise<void> {
    this.#cancel?.()
    if (!options.kill) this.#closed = true
    await this.#ports.runner.close(options)
    this.#cancel?.()
    this.#closed = true
  }

  #step(machine: EmulatedMachine): void {
    if (machine.due?.step === 'reap') return this.forget(machine.id)
    const change = stepDue(machine, this.surroundings())
    if (change) return this.apply(change)
    const { due: _, ...rest } = machine
    this.apply({ machine: rest, effects: [] })
  }

  #nextDue(): EmulatedMachine | undefined {
    let first: EmulatedMachine | undefined
    for (const machine of this.#ports.records.machines.values()) {
      if (machine.due && (!first?.due || machine.due.atMs < first.due.atMs)) first = machine
    }
    return first
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
    const token = this.#ports.runner.spawn(runnable(machine), (exit) => this.#ended(id, exit))
    if ('failed' in token) {
      this.#ports.log.warn({ machine: id, name: machine.name, error: token.failed }, 'machine process did not start')
      return this.apply(exited(machine, this.surroundings(), { code: 127, error: token.failed }))
    }
    this.apply({ machine: { ...machine, run: token }, effects: [] })
  }

  #ended(id: string, exit: ProcessExit): void {
    const machine = this.machine(id)
    // After close without kill the processes live on, and so do their records.
    if (!machine || this.#closed) return
    this.apply(exited(machine, this.surroundings(), exit))
    this.pump()
  }

  #recoverOne(machine: EmulatedMachine): void {
    const token = this.#ports.runner.adopt(runnable(machine), machine.run, (exit) => this.#ended(machine.id, exit))
    if (!token) return this.apply(exited(machine, this.surroundings(), {}))
    const { signal, timeout } = machine.config.stop_config
    const effects: Effect[] =
      machine.state === 'destroying'
        ? [{ do: 'kill' }]
        : machine.state === 'stopping'
          ? [{ do: 'signal', signal, killAfterMs: durationMs(timeout) ?? 0 }]
          : []
    this.apply({ machine: { ...machine, run: token }, effects })
  }

  #tell(id: string, machine: EmulatedMachine | undefined): void {
    for (const listener of this.#listeners) listener(id, machine)
  }
}

const runnable = (machine: EmulatedMachine): Runnable => machine

/** Ms of a Go duration such as "10s", "1m30s" or "500ms"; undefined for what is not one. */
export function durationMs(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined
  const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }
  let totalMs = 0
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    totalMs += Number(count) * (unitMs[unit ?? ''] ?? 0)
  return Math.round(totalMs)
}
