/** What the ledger asks of the store, so that Redis may lose everything: a port, with how far ceilings are raised. Pure. */

/** What the store knows of a tenant's month. */
export type Recorded = {
  /** Tokens that were used at least; an upper bound of all there is when a ceiling is recorded. */
  readonly used: number
  /** Nothing above this was ever granted; 0 when none is recorded. */
  readonly ceiling: number
}

/** The store's side of the ledger; `recountFromClient` in assembly/recount.ts is it. Both reject when the store is away. */
export type Recount = {
  /** What is known of a month, read from the store itself, not from a cache. */
  read(tenant: string, period: string): Promise<Recorded>
  /**
   * Records a ceiling as a compare-and-swap: unless a higher one than `from` is recorded already. Gives the one that
   * is recorded after that, and whether this call wrote it.
   */
  raise(
    tenant: string,
    period: string,
    ceiling: { readonly from: number; readonly to: number },
  ): Promise<{ readonly ceiling: number; readonly isOurs: boolean }>
}

/** A ceiling goes up by this share of the limit, so that a month costs some hundred writes at most. */
const SHARE = 128

/** The ceiling to record when `need` tokens are to be covered: some more, and never above the limit. */
export function nextCeiling(need: number, call: { readonly tokens: number; readonly limit: number }): number {
  const margin = Math.max(Math.ceil(call.limit / SHARE), call.tokens)
  return Math.min(call.limit, need + margin)
}
