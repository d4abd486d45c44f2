/** What is known of every tenant's machines, and whom to tell when a look shows something else than before. */
import type { Machine, ProviderError } from './machines.ts'

/**
 * What is known of one tenant. `atMs` is the wall time of the last complete list (0: none yet), `seenAtMs` that at which
 * the last complete look began, at all or at what has changed since: what the picture shows is not older. `complete` is
 * false when the newest list was partial, or failed with `error`: conclude no absence from it.
 */
export type MachinePicture = {
  readonly machines: readonly Machine[]
  readonly atMs: number
  readonly seenAtMs: number
  readonly complete: boolean
  readonly error?: ProviderError
}

/** A machine is new, other than before, or (undefined) not in a complete picture any more. */
export type MachineListener = (tenant: string, machine: Machine | undefined, previous: Machine | undefined) => void

const NOTHING: MachinePicture = { machines: [], atMs: 0, seenAtMs: 0, complete: false }

/** The last picture of each tenant. */
export class MachinePictures {
  readonly #pictures = new Map<string, MachinePicture>()
  readonly #onChange: MachineListener

  constructor(onChange: MachineListener) {
    this.#onChange = onChange
  }

  get(tenant: string): MachinePicture | undefined {
    return this.#pictures.get(tenant)
  }

  /** Forgets all others. */
  keepOnly(tenants: ReadonlySet<string>): void {
    for (const tenant of this.#pictures.keys()) if (!tenants.has(tenant)) this.#pictures.delete(tenant)
  }

  /** The wall clock was set: each picture is as old as before. */
  shift(byMs: number): void {
    for (const [tenant, picture] of this.#pictures)
      if (picture.atMs !== 0)
        this.#pictures.set(tenant, { ...picture, atMs: picture.atMs + byMs, seenAtMs: picture.seenAtMs + byMs })
  }

  /** The look has failed: what is known stays, and no absence follows from it. */
  fail(tenant: string, error: ProviderError): void {
    const { machines, atMs, seenAtMs } = this.#pictures.get(tenant) ?? NOTHING
    this.#pictures.set(tenant, { machines, atMs, seenAtMs, complete: false, error })
  }

  /** A complete picture replaces the last one; what is missing from it is told as gone. */
  replace(tenant: string, machines: readonly Machine[], atMs: number): void {
    const previous = byId(this.#pictures.get(tenant))
    const now = machines.map((machine) => newer(machine, previous.get(machine.id)))
    this.#pictures.set(tenant, { machines: now, atMs, seenAtMs: atMs, complete: true })
    for (const machine of now) {
      this.#tellIfChanged(tenant, machine, previous.get(machine.id))
      previous.delete(machine.id)
    }
    for (const gone of previous.values()) this.#onChange(tenant, undefined, gone)
  }

  /** A partial list brings what it shows up to date and takes nothing away. */
  merge(tenant: string, machines: readonly Machine[]): void {
    const { atMs, seenAtMs } = this.#pictures.get(tenant) ?? NOTHING
    this.#upsert(tenant, machines, { atMs, seenAtMs, complete: false })
  }

  /** What has changed is brought up to date; what was destroyed goes. How complete the rest is stays as it was. */
  change(
    tenant: string,
    machines: readonly Machine[],
    unknown: Pick<MachinePicture, 'atMs' | 'seenAtMs' | 'complete'>,
  ): void {
    const before = this.#pictures.get(tenant) ?? { ...NOTHING, ...unknown }
    const { atMs, seenAtMs, complete, error } = before
    const gone = new Set(machines.filter(({ state }) => state === 'destroyed').map(({ id }) => id))
    const known = before.machines.filter(({ id }) => gone.has(id))
    this.#pictures.set(tenant, { ...before, machines: before.machines.filter(({ id }) => !gone.has(id)) })
    const living = machines.filter(({ state }) => state !== 'destroyed')
    if (living.length > 0)
      this.#upsert(tenant, living, { atMs, seenAtMs, complete, ...(error === undefined ? {} : { error }) })
    for (const machine of known) this.#onChange(tenant, undefined, machine)
  }

  #upsert(tenant: string, machines: readonly Machine[], as: Omit<MachinePicture, 'machines'>): void {
    const previous = byId(this.#pictures.get(tenant))
    const merged = new Map(previous)
    for (const machine of machines) merged.set(machine.id, newer(machine, merged.get(machine.id)))
    this.#pictures.set(tenant, { machines: [...merged.values()], ...as })
    for (const id of new Set(machines.map((machine) => machine.id))) {
      const machine = merged.get(id)
      if (machine !== undefined) this.#tellIfChanged(tenant, machine, previous.get(id))
    }
  }

  #tellIfChanged(tenant: string, machine: Machine, previous: Machine | undefined): void {
    if (!previous || !isSame(machine, previous)) this.#onChange(tenant, machine, previous)
  }
}

const byId = (picture: MachinePicture | undefined): Map<string, Machine> =>
  new Map(picture?.machines.map((machine) => [machine.id, machine]))

/**
 * Rows come late and out of order, and those of the fleet know less than those of a tenant's own list: of two of the
 * same machine the newer counts, and of two of the same age and state the one that was there.
 */
function newer(row: Machine, known: Machine | undefined): Machine {
  if (known === undefined || row.updatedAtMs > known.updatedAtMs) return row
  if (row.updatedAtMs < known.updatedAtMs) return known
  const knowsLess = row.state === known.state && row.exit === undefined && row.hostReachable && known.hostReachable
  return knowsLess && known.exit !== undefined ? known : row
}

/** Equal in all that a reconciler looks at. */
const isSame = (a: Machine, b: Machine): boolean => JSON.stringify(a) === JSON.stringify(b)
