/** Decides whether a process that shares the tenants may still write a tenant's ledger, by the epoch of its shard. Pure. */

/** What the slots ask of a process's share of the tenants. */
export type SlotShards = {
  /** Undefined when the tenant is not ours; Infinity where no other process could have it. */
  epoch(tenant: string): number | undefined
  /** Asks for an epoch above one that was found recorded. */
  outgrow(tenant: string, epoch: number): void
}

/**
 * `current`: the ledger carries our epoch. `new`: it carries an older one, and ours is to be written before anything is
 * done by it. `gone`: the tenant is not ours any more. `behind`: a newer one is recorded, so ours is somebody's who was.
 */
export function judgeEpoch(
  recorded: number | undefined,
  ours: number | undefined,
): 'current' | 'new' | 'gone' | 'behind' {
  if (ours === undefined) return 'gone'
  if (ours === Infinity || ours === (recorded ?? 0)) return 'current'
  return ours > (recorded ?? 0) ? 'new' : 'behind'
}
