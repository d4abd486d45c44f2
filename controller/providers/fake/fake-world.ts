/** Pure: the machines of the fake provider and their life cycle, step by step; every transition is told to the listeners. */
import type { Machine, MachineExit, MachineSpec, MachineState } from '../machines.ts'

/** One change of state, told at the instant it happens. `from` is absent at creation. */
export type FakeTransition = {
  readonly machine: Machine
  readonly tenant: string
  readonly from?: MachineState
  readonly to: MachineState
  readonly atMs: number
  /** Machines of the tenant that may be running, after this transition. */
  readonly running: number
}

/** One machine of the fake world and where it is going. */
export type FakeRecord = {
  machine: Machine
  readonly tenant: string
  readonly autoDestroy: boolean
  /** The spec that it was made from; absent on a planted machine. */
  readonly spec?: MachineSpec
  /** Where it is going and after how many more steps. */
  next?: { readonly to: MachineState; stepsLeft: number; readonly exit?: MachineExit }
}

/** True for every state that counts against a plan: all but confirmed stopped and confirmed destroyed. */
export const countsAsRunning = (state: MachineState): boolean => state !== 'stopped' && state !== 'destroyed'

/** True while a machine of this state holds its name. */
export const holdsName = (state: MachineState): boolean => state !== 'destroyed'

/** Time, ids and pace, as functions. */
export type FakeWorldPorts = {
  readonly nowMs: () => number
  readonly hexId: () => string
  /** Steps that the next transition takes; ≥ 0. */
  readonly steps: () => number
}

/** The truth about the fake's machines; only its own methods change it. */
export class FakeWorld {
  readonly records = new Map<string, FakeRecord>()
  readonly #ports: FakeWorldPorts
  readonly #maxima = new Map<string, number>()
  readonly #listeners = new Set<(transition: FakeTransition) => void>()

  constructor(ports: FakeWorldPorts) {
    this.#ports = ports
  }

  ofTenant(tenant: string): readonly FakeRecord[] {
    return [...this.records.values()].filter((record) => record.tenant === tenant)
  }

  /** The machine that holds this name. */
  byName(tenant: string, name: string): FakeRecord | undefined {
    return this.ofTenant(tenant).find((record) => record.machine.name === name && holdsName(record.machine.state))
  }

  add(spec: MachineSpec): FakeRecord {
    const machine = newMachine(spec, { id: this.#ports.hexId(), nowMs: this.#ports.nowMs() })
    const record = { machine, tenant: spec.owner.tenant, autoDestroy: spec.autoDestroy, spec }
    this.insert(record)
    this.#plan(record, 'started')
    return record
  }

  insert(record: FakeRecord): void {
    this.records.set(record.machine.id, record)
    this.#tell(record, undefined)
  }

  /** Goes to `via` now and to `to` after the seeded number of steps. */
  move(record: FakeRecord, route: { via: MachineState; to: MachineState; exit?: MachineExit }): void {
    this.set(record, { state: route.via })
    this.#plan(record, route.to, route.exit)
  }

  /** Sets fields of the machine; a state given here ends what was on its way. */
  set(record: FakeRecord, change: Partial<Machine>): void {
    if (change.state !== undefined) delete record.next
    const from = record.machine.state
    record.machine = { ...record.machine, ...change, updatedAtMs: this.#ports.nowMs() }
    if (record.machine.state !== from) this.#tell(record, from)
  }

  /** One step for every machine in transition. */
  tick(): void {
    for (const record of this.records.values()) {
      if (record.next && --record.next.stepsLeft <= 0) this.#arrive(record)
    }
  }

  inTransition(): boolean {
    return [...this.records.values()].some((record) => record.next !== undefined)
  }

  running(tenant: string): number {
    return this.ofTenant(tenant).filter((record) => countsAsRunning(record.machine.state)).length
  }

  runningByTenant(): ReadonlyMap<string, number> {
    const tenants = new Set([...this.records.values()].map((record) => record.tenant))
    return new Map([...tenants].map((tenant) => [tenant, this.running(tenant)]))
  }

  everRunningMax(tenant: string): number {
    return this.#maxima.get(tenant) ?? 0
  }

  onTransition(listener: (transition: FakeTransition) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #plan(record: FakeRecord, to: MachineState, exit?: MachineExit): void {
    record.next = { to, stepsLeft: this.#ports.steps(), ...(exit ? { exit } : {}) }
    if (record.next.stepsLeft === 0) this.#arrive(record)
  }

  #arrive(record: FakeRecord): void {
    const next = record.next
    if (next) this.set(record, { state: next.to, ...(next.exit ? { exit: next.exit } : {}) })
  }

  #tell(record: FakeRecord, from: MachineState | undefined): void {
    const running = this.running(record.tenant)
    this.#maxima.set(record.tenant, Math.max(this.everRunningMax(record.tenant), running))
    const transition: FakeTransition = {
      machine: record.machine,
      tenant: record.tenant,
      ...(from === undefined ? {} : { from }),
      to: record.machine.state,
      atMs: this.#ports.nowMs(),
      running,
    }
    for (const listener of this.#listeners) listener(transition)
  }
}

function newMachine(spec: MachineSpec, at: { readonly id: string; readonly nowMs: number }): Machine {
  return {
    id: at.id,
    name: spec.name,
    app: `fake-${spec.owner.tenant}`,
    region: spec.regions[0] ?? 'local',
    state: 'created',
    image: spec.image,
    createdAtMs: at.nowMs,
    updatedAtMs: at.nowMs,
    owner: spec.owner,
    hostReachable: true,
  }
}
