/** Remembers what this process has seen of each tenant's account, so that a Redis that lost some of it is found out. */
import type { Clock } from '../../../system/clock.ts'
import type { Answer, Position } from './answer.ts'

/** An id is asked for as proof for so long, in ms: Redis remembers it for an hour at least. */
const PROOF_MS = 3_000_000

/** What is remembered of a tenant. */
type Sighting = {
  epoch: number
  sequence: number
  proof: { readonly id: string; readonly atMs: number } | undefined
  /** The most tokens that were used or held in a month. */
  readonly totals: Map<string, number>
}

/** What this process has seen. */
export type Sightings = {
  /** ARGV 2 to 4 of the scripts: epoch, sequence, proof. */
  argsOf(tenant: string): readonly [string, string, string]
  note(tenant: string, position: Position): void
  /** The answer to a reservation of ours. */
  noteReserved(tenant: string, id: string, answer: Extract<Answer, { status: 'ANSWER' }>): void
  /** The most tokens that were seen used or held in a month. */
  totalOf(tenant: string, period: string): number
}

/** Months remembered of a tenant. */
const MONTHS_MAX = 4

/** Sightings of at most `tenantsMax` tenants: the one heard of longest ago goes first. */
export function createSightings(clock: Clock, tenantsMax = 50_000): Sightings {
  const tenants = new Map<string, Sighting>()
  const touch = (tenant: string): Sighting => {
    const known = tenants.get(tenant) ?? { epoch: 0, sequence: 0, proof: undefined, totals: new Map<string, number>() }
    tenants.delete(tenant)
    tenants.set(tenant, known)
    const [oldest] = tenants.keys()
    if (tenants.size > tenantsMax && oldest !== undefined) tenants.delete(oldest)
    return known
  }
  const note = (tenant: string, { epoch, sequence }: Position): Sighting => {
    const known = touch(tenant)
    // After a rebuild by anybody, what was seen before it is no more.
    if (epoch > known.epoch) Object.assign(known, { epoch, sequence, proof: undefined })
    else if (epoch === known.epoch) known.sequence = Math.max(known.sequence, sequence)
    return known
  }
  return {
    argsOf: (tenant) => {
      const known = tenants.get(tenant)
      const isFresh = known?.proof !== undefined && clock.monotonic() - known.proof.atMs < PROOF_MS
      return [String(known?.epoch ?? 0), String(known?.sequence ?? 0), isFresh ? (known.proof?.id ?? '') : '']
    },
    note,
    noteReserved: (tenant, id, answer) => {
      const known = note(tenant, answer)
      known.proof = { id, atMs: clock.monotonic() }
      const { outcome, counted } = answer
      const total = outcome.balance.spent + outcome.balance.reserved
      known.totals.set(counted, Math.max(total, known.totals.get(counted) ?? 0))
      const [first] = [...known.totals.keys()].sort()
      if (known.totals.size > MONTHS_MAX && first !== undefined) known.totals.delete(first)
    },
    totalOf: (tenant, period) => tenants.get(tenant)?.totals.get(period) ?? 0,
  }
}
