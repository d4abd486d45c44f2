/** Holds a simulated fleet against its limits at every instant: promises S1 and S2. */
import type { FakeClient } from '../../controller/engine/fake-client.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from '../../controller/kinds/slotledger/schema.ts'
import type { TestClock } from '../../system/test-clock.ts'

/** One machine as it truly is. */
export type WatchedMachine = {
  readonly id: string
  readonly state: string
  readonly owner?: { readonly tenant: string; readonly spriteUid: string } | undefined
}

/** What is watched, and from where the limits are known. */
export type PlanWatchOptions = {
  readonly client: FakeClient
  readonly clock: TestClock
  readonly tenants: readonly string[]
  /** What every tenant begins with. */
  readonly limit: number
  /** How long a call may take effect after it was sent. */
  readonly lateEffectMs: number
  readonly note: (line: string) => void
}

/** States of a machine that cannot come to life by itself. */
const DOWN: ReadonlySet<string> = new Set(['stopped', 'failed', 'launch_failed', 'destroyed'])

/** Counts what runs, whenever it is told that something has changed. */
export class PlanWatch {
  readonly #options: PlanWatchOptions
  readonly #violations = new Set<string>()
  /** How many may still run because of a larger limit before. */
  readonly #inherited = new Map<string, number>()
  readonly #known = new Map<string, number>()
  readonly #loweredAt = new Map<string, number>()
  /** Destroyed from a stop: its process cannot come back, so it does not count as running. */
  readonly #goingUnstarted = new Set<string>()

  constructor(options: PlanWatchOptions) {
    this.#options = options
  }

  /** What the run has to answer for, each once. */
  get violations(): readonly string[] {
    return [...this.#violations]
  }

  /** A machine went from one state to another. */
  noteMove(id: string, from: string | undefined, to: string): void {
    if (to === 'destroying' && from !== undefined && DOWN.has(from)) this.#goingUnstarted.add(id)
  }

  /** S1 and S2 at this instant. */
  judge(machines: readonly WatchedMachine[]): void {
    const perTenant = new Map<string, number>()
    const perSprite = new Map<string, number>()
    for (const { id, owner, state } of machines) {
      if (owner === undefined || DOWN.has(state) || (state === 'destroying' && this.#goingUnstarted.has(id))) continue
      perTenant.set(owner.tenant, (perTenant.get(owner.tenant) ?? 0) + 1)
      perSprite.set(owner.spriteUid, (perSprite.get(owner.spriteUid) ?? 0) + 1)
    }
    for (const tenant of this.#options.tenants) this.#judgeTenant(tenant, perTenant.get(tenant) ?? 0)
    for (const [uid, count] of perSprite) if (count > 1) this.violate(`S2: ${count} machines of sprite ${uid} run`)
  }

  violate(what: string): void {
    this.#violations.add(what)
    this.#options.note(`VIOLATION ${what}`)
  }

  #judgeTenant(tenant: string, count: number): void {
    const { client, clock, lateEffectMs } = this.#options
    // The limit that the ledger knows: a change counts from there on.
    const ledger = client.peek(slotLedgerKind, { namespace: tenant, name: SLOT_LEDGER_NAME })
    const limit = ledger?.status?.limit ?? this.#options.limit
    // After a limit was lowered what runs may end first, but it may not grow again.
    if (limit < (this.#known.get(tenant) ?? limit)) this.#loweredAt.set(tenant, clock.monotonic())
    this.#known.set(tenant, limit)
    const most = Math.max(limit, this.#inherited.get(tenant) ?? limit)
    if (count > most) this.violate(`S1: ${count} machines of "${tenant}" run, the limit is ${limit}`)
    // A create that was sent under the larger limit, and never answered, cannot be called back.
    const isInFlight = clock.monotonic() - (this.#loweredAt.get(tenant) ?? -Infinity) < lateEffectMs
    this.#inherited.set(tenant, Math.max(limit, isInFlight ? most : Math.min(most, count)))
  }
}
