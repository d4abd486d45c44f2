/** The store's side of the ledger in Redis: what the objects say of a tenant's month, and its recorded ceiling. */
import { hasReason } from '../api/errors.ts'
import type { Client } from '../client/client.ts'
import { tenantKind, type Tenant } from '../kinds/tenant/schema.ts'
import { workKind, type Attempt, type Work } from '../kinds/work/schema.ts'
import { periodOf } from '../ledger/ledger.ts'
import type { Recount } from '../ledger/redis/record.ts'
import { parseTimestamp } from '../../system/timestamp.ts'

/** How often a write is tried anew when somebody else wrote in between. */
const TRIES_MAX = 8
/** Months whose ceilings are kept, the newest: the current one, and one on either side where clocks differ. */
const MONTHS_KEPT = 3

/**
 * A Recount over the client, which must read from the store and no cache. Rejects with ApiError, NotFound among them
 * when there is no such tenant: then nothing can be granted either.
 */
export function recountFromClient(client: Pick<Client, 'get' | 'list' | 'patchStatus'>): Recount {
  const tenantOf = (name: string): Promise<Tenant> => client.get(tenantKind, { namespace: '', name })
  return {
    read: async (name, period) => {
      const tenant = await tenantOf(name)
      const ceiling = ceilingOf(tenant, period) ?? 0
      const published = publishedOf(tenant, period)
      // Nothing was granted past a ceiling: what the work says can only be less.
      if (ceiling > 0) return { used: Math.max(ceiling, published), ceiling }
      const { items } = await client.list(workKind, { namespace: name })
      return { used: Math.max(published, sumOf(items, period)), ceiling }
    },
    raise: async (name, period, { from, to }) => {
      for (let tries = 1; ; tries++) {
        const tenant = await tenantOf(name)
        const recorded = ceilingOf(tenant, period) ?? 0
        if (recorded > from) return { ceiling: recorded, isOurs: false }
        const others = (tenant.status?.tokenCeilings ?? []).filter((one) => one.month !== period)
        const tokenCeilings = [...others, { month: period, tokens: to }]
          .sort((a, b) => (a.month < b.month ? -1 : 1))
          .slice(-MONTHS_KEPT)
        try {
          const { resourceVersion } = tenant.metadata
          await client.patchStatus(tenantKind, { namespace: '', name }, { tokenCeilings }, { resourceVersion })
          return { ceiling: to, isOurs: true }
        } catch (error) {
          if (!hasReason(error, 'Conflict') || tries >= TRIES_MAX) throw error
        }
      }
    },
  }
}

const ceilingOf = (tenant: Tenant, period: string): number | undefined =>
  tenant.status?.tokenCeilings?.find((one) => one.month === period)?.tokens

/** What the tenant's status says, reservations counted as spent. */
function publishedOf(tenant: Tenant, period: string): number {
  const usage = tenant.status?.usage
  return usage?.month === period ? usage.tokensUsed + usage.tokensReserved : 0
}

/** Tokens of the attempts that touched the month: one that lasted over its end counts in both. */
function sumOf(works: readonly Work[], period: string): number {
  const attempts = works.flatMap((work) => work.status?.attempts ?? [])
  return attempts.filter((attempt) => touches(attempt, period)).reduce((sum, { tokens }) => sum + (tokens ?? 0), 0)
}

const touches = ({ startTime, endTime }: Attempt, period: string): boolean =>
  [startTime, endTime].some((time) => {
    const atMs = parseTimestamp(time)
    return atMs !== undefined && periodOf(atMs) === period
  })
