/** A stateful MachineProvider in memory for unit tests and simulations of reconcilers; it keeps the port's contract and can be made to fail. */
import type { CancelTimer, Clock } from '../../../system/clock.ts'
import { randomHex, type Entropy } from '../../../system/entropy.ts'
import {
  ProviderError,
  type Machine,
  type MachineList,
  type MachineProvider,
  type MachineRef,
  type MachineSpec,
} from '../machines.ts'
import { createOrAdopt, destroyMachine, findMachine, startMachine, stopMachine } from './effects.ts'
import { FakeWorld, holdsName, type FakeRecord, type FakeTransition } from './fake-world.ts'
import { createFaultPlan, isWrongTruth, type FakeCall, type FakeFault, type FaultPlan } from './faults.ts'

/** Time, seed and pace of a fake provider. */
export type FakeMachinesOptions = {
  readonly clock: Clock
  readonly entropy: Entropy
  /** Stamps of another control plane are not ours; absent: every stamp is. */
  readonly controlPlaneId?: string
  /** Steps that each transition takes, drawn evenly between the two; default 1 and 1; 0 is at once. */
  readonly steps?: { readonly min: number; readonly max: number }
  /** When set, a step also passes every so many ms of the clock, while something is in transition. */
  readonly stepMs?: number
  /** Deadline of a call that hangs; default 4,000. */
  readonly requestTimeoutMs?: number
}

/** One call as it came in; `failed` is the reason when it threw. */
export type FakeRecordedCall = {
  readonly call: FakeCall
  readonly tenant: string
  /** Machine id; for create, the machine's name. */
  readonly machine?: string
  readonly atMs: number
  failed?: string
}

type Attempt<T> = {
  readonly entry: FakeRecordedCall
  readonly signal: AbortSignal | undefined
  readonly effect: () => T
}

const SETTLE_STEPS_MAX = 1_000

/** A fake provider; empty at first. The port's methods come first, then what only tests call. */
export class FakeMachines implements MachineProvider {
  /** Every call, oldest first; `calls.length = 0` forgets them. */
  readonly calls: FakeRecordedCall[] = []
  /** One-shot and probabilistic faults. */
  readonly faults: FaultPlan
  readonly #options: FakeMachinesOptions
  readonly #world: FakeWorld
  #late: { stepsLeft: number; readonly effect: () => unknown }[] = []
  #before: readonly Machine[] = []
  #cancel: CancelTimer | undefined

  constructor(options: FakeMachinesOptions) {
    const { clock, entropy, steps = { min: 1, max: 1 } } = options
    this.#options = options
    this.faults = createFaultPlan(() => entropy.random())
    this.#world = new FakeWorld({
      nowMs: () => clock.now(),
      hexId: () => randomHex(entropy, 7),
      steps: () => steps.min + Math.floor(entropy.random() * (steps.max - steps.min + 1)),
    })
  }

  list(tenant: string, signal?: AbortSignal): Promise<MachineList> {
    return this.#run('list', { tenant, signal, effect: () => this.#picture(this.#now(tenant), true) })
  }

  get(ref: MachineRef, signal?: AbortSignal): Promise<Machine | undefined> {
    const effect = (): Machine | undefined => {
      const record = findMachine(this.#world, ref)
      return record && this.#show(record.machine)
    }
    return this.#run('get', { tenant: ref.tenant, machine: ref.id, signal, effect })
  }

  create(spec: MachineSpec, signal?: AbortSignal): Promise<Machine> {
    const effect = (): Machine => this.#show(createOrAdopt(this.#world, spec))
    return this.#run('create', { tenant: spec.owner.tenant, machine: spec.name, signal, effect })
  }

  start(ref: MachineRef, signal?: AbortSignal): Promise<void> {
    const effect = (): void => startMachine(this.#world, this.#findOurs(ref, 'start'), ref)
    return this.#run('start', { tenant: ref.tenant, machine: ref.id, signal, effect })
  }

  stop(ref: MachineRef, signal?: AbortSignal): Promise<void> {
    const nowMs = (): number => this.#options.clock.now()
    const effect = (): void => stopMachine(this.#world, this.#findOurs(ref, 'stop'), { ref, nowMs: nowMs() })
    return this.#run('stop', { tenant: ref.tenant, machine: ref.id, signal, effect })
  }

  destroy(ref: MachineRef, signal?: AbortSignal): Promise<void> {
    const effect = (): void => destroyMachine(this.#world, this.#findOurs(ref, 'destroy'))
    return this.#run('destroy', { tenant: ref.tenant, machine: ref.id, signal, effect })
  }

  removeTenant(tenant: string, signal?: AbortSignal): Promise<undefined> {
    return this.#run('removeTenant', { tenant, signal, effect: () => undefined })
  }

  /** So many steps: machines in transition come nearer to where they go, late effects happen. */
  tick(steps = 1): void {
    for (let count = 0; count < steps; count++) this.#step()
    this.#wind()
  }

  /** Ticks until nothing is in transition (at most 1,000 steps). */
  settle(): void {
    for (let count = 0; count < SETTLE_STEPS_MAX && this.#isMoving(); count++) this.#step()
    this.#wind()
  }

  /** The truth, without a call or a fault: every machine that still holds its name, of one tenant or of all. */
  machines(tenant?: string): readonly Machine[] {
    const records = tenant === undefined ? [...this.#world.records.values()] : this.#world.ofTenant(tenant)
    return records.map((record) => record.machine).filter((machine) => holdsName(machine.state))
  }

  /** The spec that a machine was made from. */
  specOf(id: string): MachineSpec | undefined {
    return this.#world.records.get(id)?.spec
  }

  /** The process ends by itself: stopped, or destroyed with autoDestroy. Default exit code 0. */
  exit(id: string, exit: { readonly code?: number; readonly oomKilled?: boolean } = {}): void {
    const record = this.#world.records.get(id)
    if (!record || !holdsName(record.machine.state)) return
    const atMs = this.#options.clock.now()
    const state = record.autoDestroy ? 'destroyed' : 'stopped'
    this.#world.set(record, { state, exit: { atMs, code: 0, requested: false, ...exit } })
  }

  /** Changes a machine behind everybody's back: its state, its host, its stamp. */
  change(id: string, change: Partial<Machine>): void {
    const record = this.#world.records.get(id)
    if (record) this.#world.set(record, change)
  }

  /** Puts a machine that nobody created through this port (started, without a stamp, unless told); gives it. */
  plant(tenant: string, machine: Partial<Machine> = {}): Machine {
    const id = machine.id ?? randomHex(this.#options.entropy, 7)
    const atMs = this.#options.clock.now()
    const planted: Machine = {
      id,
      name: `planted-${id}`,
      app: `fake-${tenant}`,
      region: 'local',
      state: 'started',
      createdAtMs: atMs,
      updatedAtMs: atMs,
      hostReachable: true,
      ...machine,
    }
    this.#world.insert({ machine: planted, tenant, autoDestroy: false })
    return planted
  }

  /** Machines per tenant that count as running now (all but stopped and destroyed). */
  runningByTenant(): ReadonlyMap<string, number> {
    return this.#world.runningByTenant()
  }

  /** The most machines of a tenant that ever counted as running at one instant. */
  everRunningMax(tenant: string): number {
    return this.#world.everRunningMax(tenant)
  }

  /** Called at every transition, at the instant it happens; gives a function that ends it. */
  onTransition(listener: (transition: FakeTransition) => void): () => void {
    return this.#world.onTransition(listener)
  }

  /** Cancels its timer, if `stepMs` made one. */
  close(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  async #run<T>(
    call: FakeCall,
    at: { tenant: string; machine?: string; signal: AbortSignal | undefined; effect: () => T },
  ): Promise<T> {
    const machine = at.machine === undefined ? {} : { machine: at.machine }
    const entry: FakeRecordedCall = { call, tenant: at.tenant, ...machine, atMs: this.#options.clock.now() }
    this.calls.push(entry)
    const fault = this.faults.draw(call)
    try {
      if (at.signal?.aborted) throw unknownOutcome(entry, 'aborted before it was sent')
      await Promise.resolve()
      // Only a list can be untrue, and its T is MachineList.
      if (call === 'list' && isWrongTruth(fault)) return this.#lie(fault.kind, at.tenant) as T
      return await this.#meet(fault, { entry, signal: at.signal, effect: at.effect })
    } catch (error) {
      entry.failed = error instanceof ProviderError ? error.reason : String(error)
      throw error
    } finally {
      this.#wind()
    }
  }

  async #meet<T>(fault: FakeFault | undefined, { entry, signal, effect }: Attempt<T>): Promise<T> {
    switch (fault?.kind) {
      case 'refuse': {
        const retryAfter = fault.retryAfterMs === undefined ? {} : { retryAfterMs: fault.retryAfterMs }
        throw new ProviderError(fault.reason, `Call ${entry.call} refused by a planned fault`, retryAfter)
      }
      case 'loseReply':
        effect()
        throw unknownOutcome(entry, 'the reply was lost')
      case 'delayEffect':
        this.#late.push({ stepsLeft: fault.steps, effect })
        throw unknownOutcome(entry, 'no reply came in time')
      case 'hang':
        await this.#options.clock.sleep(this.#options.requestTimeoutMs ?? 4_000, signal).catch(() => {})
        throw unknownOutcome(entry, 'no reply came in time')
      default:
        return effect()
    }
  }

  #lie(kind: 'stale' | 'partial' | 'lossy' | 'empty', tenant: string): MachineList {
    const half = (machines: readonly Machine[]): Machine[] =>
      machines.filter(() => this.#options.entropy.random() < 0.5)
    switch (kind) {
      case 'empty':
        return this.#picture([], true)
      case 'partial':
        return this.#picture(half(this.#now(tenant)), false)
      case 'lossy':
        return this.#picture(half(this.#now(tenant)), true)
      case 'stale': {
        const ids = new Set(this.#world.ofTenant(tenant).map((record) => record.machine.id))
        const old = this.#before.filter((machine) => ids.has(machine.id))
        return this.#picture(old, true)
      }
    }
  }

  #now(tenant: string): readonly Machine[] {
    return this.#world.ofTenant(tenant).map((record) => record.machine)
  }

  #picture(machines: readonly Machine[], complete: boolean): MachineList {
    const held = machines.filter((machine) => holdsName(machine.state))
    return { machines: held.map((machine) => this.#show(machine)), complete }
  }

  #show(machine: Machine): Machine {
    if (this.#isOurs(machine)) return machine
    const { owner: _, ...bare } = machine
    return bare
  }

  #isOurs(machine: Machine): boolean {
    const { controlPlaneId } = this.#options
    return machine.owner !== undefined && (controlPlaneId ?? machine.owner.controlPlane) === machine.owner.controlPlane
  }

  #findOurs(ref: MachineRef, verb: string): FakeRecord | undefined {
    const record = findMachine(this.#world, ref)
    if (record && !this.#isOurs(record.machine))
      throw new ProviderError('NameConflict', `Refused to ${verb} machine "${ref.id}": it does not carry our stamp`)
    const [owner, of] = [record?.machine.owner, ref.of]
    if (owner && of && (owner.spriteUid !== of.spriteUid || owner.incarnation !== of.incarnation))
      throw new ProviderError('NameConflict', `Refused to ${verb} machine "${ref.id}": it is not the one of our record`)
    return record
  }

  #isMoving(): boolean {
    return this.#world.inTransition() || this.#late.length > 0
  }

  #step(): void {
    this.#before = [...this.#world.records.values()].map((record) => record.machine)
    this.#world.tick()
    const due = this.#late.filter((late) => --late.stepsLeft <= 0)
    this.#late = this.#late.filter((late) => late.stepsLeft > 0)
    for (const late of due) ignoreRefusal(late.effect)
  }

  #wind(): void {
    const { stepMs, clock } = this.#options
    if (stepMs === undefined || (this.#cancel && this.#isMoving())) return
    this.close()
    if (!this.#isMoving()) return
    const fire = (): void => {
      this.#cancel = undefined
      this.#step()
      this.#wind()
    }
    this.#cancel = clock.after(stepMs, fire, { background: true })
  }
}

/** An empty fake provider. */
export const createFakeMachines = (options: FakeMachinesOptions): FakeMachines => new FakeMachines(options)

/** A read has no effect, so that its failure leaves nothing unknown: Unavailable. */
const unknownOutcome = (entry: FakeRecordedCall, why: string): ProviderError =>
  entry.call === 'list' || entry.call === 'get'
    ? new ProviderError('Unavailable', `Call ${entry.call} failed: ${why}`)
    : new ProviderError('OutcomeUnknown', `Call ${entry.call} has an unknown outcome: ${why}`)

/** A late effect that is refused by then changes nothing, as at a real provider. */
function ignoreRefusal(effect: () => unknown): void {
  try {
    effect()
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error
  }
}
