/** Keeps the last picture of every tenant's machines in memory: one list per tenant and interval, never two at a time. */
import PQueue from 'p-queue'
import type { CancelTimer, Clock } from '../../system/clock.ts'
import type { Log } from '../../system/log.ts'
import { ProviderError, type Machine, type MachineProvider } from './machines.ts'

/** What a feed looks at, how often, and whom it tells. */
export type MachineFeedOptions = {
  readonly provider: Pick<MachineProvider, 'list'>
  readonly clock: Clock
  readonly log: Log
  /** Tenants to look at; asked anew at every round. */
  readonly tenants: () => readonly string[]
  /** Ms from the end of one round to the start of the next. */
  readonly intervalMs: number
  /** A machine is new, other than before, or (undefined) not in a complete picture any more. */
  readonly onChange: (tenant: string, machine: Machine | undefined, previous: Machine | undefined) => void
  /** Lists under way at once, over all tenants; default 8. */
  readonly concurrency?: number
}

/**
 * What is known of one tenant. `atMs` is the wall time of the last complete list (0: none yet). `complete` is false
 * when the newest list was partial, or failed with `error`: conclude no absence from it.
 */
export type MachinePicture = {
  readonly machines: readonly Machine[]
  readonly atMs: number
  readonly complete: boolean
  readonly error?: ProviderError
}

/** The last picture of every tenant, kept fresh by polling. */
export interface MachineFeed {
  /** The last picture; undefined before the first answer of any kind. */
  read(tenant: string): MachinePicture | undefined
  /** Looks now; joins a look that waits to start. Never rejects: failures are in read. */
  refresh(tenant: string): Promise<void>
  start(): void
  /** Resolves when no list is under way. */
  stop(): Promise<void>
}

/** A feed that does nothing until it is started or refreshed. */
export const createMachineFeed = (options: MachineFeedOptions): MachineFeed => new PolledFeed(options)

class PolledFeed implements MachineFeed {
  readonly #options: MachineFeedOptions
  readonly #queue: PQueue
  readonly #pictures = new Map<string, MachinePicture>()
  /** Looks that have not started yet, by tenant. */
  readonly #waiting = new Map<string, Promise<void>>()
  /** The look under way, by tenant. */
  readonly #running = new Map<string, Promise<void>>()
  #abort = new AbortController()
  #cancel: CancelTimer | undefined
  #round: Promise<void> | undefined

  constructor(options: MachineFeedOptions) {
    this.#options = options
    this.#queue = new PQueue({ concurrency: options.concurrency ?? 8 })
  }

  read(tenant: string): MachinePicture | undefined {
    return this.#pictures.get(tenant)
  }

  refresh(tenant: string): Promise<void> {
    const waiting = this.#waiting.get(tenant)
    if (waiting) return waiting
    // A look under way may have begun before what the caller wants to see: a second one follows it.
    const look = (this.#running.get(tenant) ?? Promise.resolve()).then(() =>
      this.#queue.add(() => {
        this.#waiting.delete(tenant)
        const running = this.#look(tenant).finally(() => this.#running.delete(tenant))
        this.#running.set(tenant, running)
        return running
      }),
    )
    this.#waiting.set(tenant, look)
    return look
  }

  start(): void {
    if (this.#round || this.#cancel) return
    if (this.#abort.signal.aborted) this.#abort = new AbortController()
    this.#wind(0)
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    this.#cancel?.()
    this.#cancel = undefined
    await this.#round
    await Promise.all([...this.#waiting.values(), ...this.#running.values()])
  }

  #wind(delayMs: number): void {
    const fire = (): void => {
      this.#cancel = undefined
      this.#round = this.#lookAtAll().finally(() => {
        this.#round = undefined
        if (!this.#abort.signal.aborted) this.#wind(this.#options.intervalMs)
      })
    }
    this.#cancel = this.#options.clock.after(delayMs, fire, { background: true })
  }

  async #lookAtAll(): Promise<void> {
    const tenants = new Set(this.#options.tenants())
    for (const gone of this.#pictures.keys()) if (!tenants.has(gone)) this.#pictures.delete(gone)
    await Promise.all([...tenants].map((tenant) => this.refresh(tenant)))
  }

  async #look(tenant: string): Promise<void> {
    if (this.#abort.signal.aborted) return
    const before = this.#pictures.get(tenant)
    const list = await this.#options.provider.list(tenant, this.#abort.signal).catch(asError)
    if (this.#abort.signal.aborted) return
    if (list instanceof ProviderError) this.#takeError(tenant, list, before)
    else if (list.complete) this.#take(tenant, list.machines, before)
    else this.#takePart(tenant, list.machines, before)
  }

  #takeError(tenant: string, error: ProviderError, before: MachinePicture | undefined): void {
    const { machines, atMs } = before ?? { machines: [], atMs: 0 }
    this.#pictures.set(tenant, { machines, atMs, complete: false, error })
    this.#options.log.warn({ tenant, reason: error.reason, error: error.message }, 'machine list failed')
  }

  /** A complete picture replaces the last one; what is missing from it is told as gone. */
  #take(tenant: string, machines: readonly Machine[], before: MachinePicture | undefined): void {
    this.#pictures.set(tenant, { machines, atMs: this.#options.clock.now(), complete: true })
    const previous = new Map(before?.machines.map((machine) => [machine.id, machine]))
    for (const machine of machines) {
      this.#tellIfChanged(tenant, machine, previous.get(machine.id))
      previous.delete(machine.id)
    }
    for (const gone of previous.values()) this.#options.onChange(tenant, undefined, gone)
  }

  /** A partial list brings what it shows up to date and takes nothing away. */
  #takePart(tenant: string, machines: readonly Machine[], before: MachinePicture | undefined): void {
    const merged = new Map(before?.machines.map((machine) => [machine.id, machine]))
    for (const machine of machines) merged.set(machine.id, machine)
    this.#pictures.set(tenant, { machines: [...merged.values()], atMs: before?.atMs ?? 0, complete: false })
    const previous = new Map(before?.machines.map((machine) => [machine.id, machine]))
    for (const machine of machines) this.#tellIfChanged(tenant, machine, previous.get(machine.id))
  }

  #tellIfChanged(tenant: string, machine: Machine, previous: Machine | undefined): void {
    if (!previous || !isSame(machine, previous)) this.#options.onChange(tenant, machine, previous)
  }
}

/** Equal in all that a reconciler looks at. */
const isSame = (a: Machine, b: Machine): boolean => JSON.stringify(a) === JSON.stringify(b)

const asError = (error: unknown): ProviderError =>
  error instanceof ProviderError
    ? error
    : new ProviderError('Unexpected', `Machine list failed: ${String(error)}`, { cause: error })
