/** Pure: the request rates that the live service documents, and the buckets that hold clients to them. */
import { z } from 'zod'
import { ACTIONS } from './actions.ts'

const rateSchema = z.strictObject({
  perSecond: z.number().gt(0).max(1_000_000),
  burst: z.number().min(1).max(1_000_000),
})
type Rate = z.infer<typeof rateSchema>

/** The rates; what each is counted by is the route's. */
export const rateLimitsSchema = z.strictObject({
  /** Every action that has no rate of its own. */
  default: rateSchema.prefault({ perSecond: 1, burst: 3 }),
  actions: z
    .record(
      z
        .string()
        .max(64)
        .refine((action) => ACTIONS.has(action), { error: ({ input }) => `there is no action "${String(input)}"` }),
      rateSchema,
    )
    .default({}),
  /** Whether a refusal says in Retry-After when to come again, in whole seconds. */
  retryAfter: z.boolean().default(false),
})
/** The rates. */
export type RateLimits = z.infer<typeof rateLimitsSchema>

/** As documented: 1/s, burst 3, by action and identifier; a machine is read 5/s, burst 10; apps are deleted 100/min. */
export const FLY_RATES: RateLimits = {
  default: { perSecond: 1, burst: 3 },
  actions: { getMachine: { perSecond: 5, burst: 10 }, deleteApp: { perSecond: 100 / 60, burst: 100 } },
  retryAfter: false,
}

/** Buckets that are kept; the fullest are forgotten first, which forgives a little. */
const BUCKETS_MAX = 50_000

/** Takes one from a bucket; gives 0, or the ms until there is one again. */
export interface RateBuckets {
  take(action: string, subject: string, nowMs: number): number
}

/** Buckets that are all full. */
export function createRateBuckets(limits: RateLimits): RateBuckets {
  type Bucket = { tokens: number; atMs: number }
  const buckets = new Map<string, Bucket>()
  const rateOf = (action: string): Rate =>
    (Object.hasOwn(limits.actions, action) ? limits.actions[action] : undefined) ?? limits.default
  return {
    take: (action, subject, nowMs) => {
      const { perSecond, burst } = rateOf(action)
      const key = `${action} ${subject}`
      const bucket = buckets.get(key) ?? { tokens: burst, atMs: nowMs }
      const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond)
      // The bucket that was used last stands last: those at the front have had most time to fill.
      buckets.delete(key)
      const isGiven = tokens >= 1
      buckets.set(key, { tokens: isGiven ? tokens - 1 : tokens, atMs: nowMs })
      for (const old of buckets.keys()) {
        if (buckets.size <= BUCKETS_MAX) break
        buckets.delete(old)
      }
      return isGiven ? 0 : Math.max(1, Math.ceil(((1 - tokens) / perSecond) * 1_000))
    },
  }
}
