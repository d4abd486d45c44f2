/** Pure: a token bucket as a value: how long to wait for the next token, and what is left after taking it. */

/** Tokens that come back per second, and the most that are kept. */
export type BucketRate = { readonly perSecond: number; readonly burst: number }

/** `tokens` may be negative: those are promised to calls that already wait. */
export type Bucket = { readonly tokens: number; readonly atMs: number }

/** Fly's documented limits: one call a second and action with a burst of 3; reads of one machine 5 a second, burst 10. */
export const FLY_RATE: BucketRate = { perSecond: 1, burst: 3 }
/** Fly's rate for reading one machine. */
export const FLY_GET_RATE: BucketRate = { perSecond: 5, burst: 10 }
/** Fly's rate for deleting apps, over all of them: 100 a minute. */
export const FLY_DELETE_APP_RATE: BucketRate = { perSecond: 100 / 60, burst: 100 }

/** A full bucket. */
export const fullBucket = (rate: BucketRate, atMs: number): Bucket => ({ tokens: rate.burst, atMs })

/** The bucket as it stands at `atMs`. */
export function refill(bucket: Bucket, rate: BucketRate, atMs: number): Bucket {
  const gained = (Math.max(0, atMs - bucket.atMs) / 1_000) * rate.perSecond
  return { tokens: Math.min(rate.burst, bucket.tokens + gained), atMs: Math.max(atMs, bucket.atMs) }
}

/**
 * A call counts at the provider up to so many ms after it was sent. A bucket that was full there begins to refill only
 * then: one that began earlier here would, a burst later, send what is refused. It costs a burst this much, not a call.
 */
export const TRIP_MS = 100

/** Ms until there is a whole token; 0 where there is one. The bucket is as it stands at `atMs`. */
export const untilToken = ({ tokens, atMs }: Bucket, { perSecond }: BucketRate, nowMs: number): number =>
  tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / perSecond) * 1_000) + Math.max(0, Math.ceil(atMs - nowMs))

/** Takes one token and says after how many ms it may be used; whoever waits longer than `maxWaitMs` takes none. */
export function take(
  bucket: Bucket,
  rate: BucketRate,
  at: { readonly atMs: number; readonly maxWaitMs: number },
): { readonly bucket: Bucket; readonly waitMs: number; readonly taken: boolean } {
  const full = refill(bucket, rate, at.atMs)
  const waitMs = untilToken(full, rate, at.atMs)
  if (waitMs > at.maxWaitMs) return { bucket: full, waitMs, taken: false }
  const wasFull = full.tokens >= rate.burst - (TRIP_MS / 1_000) * rate.perSecond
  const atMs = wasFull ? Math.max(full.atMs, at.atMs + TRIP_MS) : full.atMs
  return { bucket: { tokens: full.tokens - 1, atMs }, waitMs, taken: true }
}

/** The bucket after the provider has said "too many": empty until `forMs` have passed. */
export function drain(bucket: Bucket, rate: BucketRate, at: { readonly atMs: number; readonly forMs: number }): Bucket {
  const now = refill(bucket, rate, at.atMs)
  const tokens = 1 - (at.forMs / 1_000) * rate.perSecond
  return tokens < now.tokens ? { tokens, atMs: at.atMs } : now
}
