/** Who may act for a tenant: what the manager, the machine provider and the slots ask before they begin (docs/spec/engine.md, EO). */

/** What of a process's share of the tenants has changed. */
export type OwnershipChange = {
  /**
   * gained: passes may begin. leaving: none may begin, and the promise of a listener is waited for before somebody else
   * may. lost: what runs is to be cut off now.
   */
  readonly type: 'gained' | 'leaving' | 'lost'
  /** Whether the change is about the tenant. */
  readonly has: (tenant: string) => boolean
}

/** Takes a change; the promise counts for `leaving` alone. */
export type OwnershipListener = (change: OwnershipChange) => Promise<void> | void

/** A process's share of the tenants. The tenant '' stands for all that is nobody's: one process at a time has it too. */
export interface Ownership {
  /** Whether a pass for the tenant may begin now. */
  owns(tenant: string): boolean
  /**
   * Ms within which a change of the outside world that begins now must be over; 0: none may begin. What is of no tenant
   * at the outside (undefined) needs no share.
   */
  remainingMs(tenant: string | undefined): number
  /** Proves the ownership anew where the last proof is old, so that `remainingMs` says all it can. Never rejects. */
  confirm(tenant: string | undefined): Promise<void>
  /** Moves with each new owner and never back; undefined when the tenant is not ours, Infinity where nobody else's could be. */
  epoch(tenant: string): number | undefined
  /** Asks for an epoch above one that was found recorded, in this turn or soon after. */
  outgrow(tenant: string, epoch: number): void
  /** The returned function ends it. */
  onChange(listener: OwnershipListener): () => void
}

/** Owns everything for ever: where something else keeps other processes out, such as the lock of the store's file. */
export const soleOwner = (): Ownership => ({
  owns: () => true,
  remainingMs: () => Infinity,
  confirm: () => Promise.resolve(),
  epoch: () => Infinity,
  outgrow: () => {},
  onChange: () => () => {},
})
