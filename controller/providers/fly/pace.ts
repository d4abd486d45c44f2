/** Holds calls back to Fly's documented rates, one bucket per action and app or machine, waiting through the clock. */
import type { Clock } from '../../../system/clock.ts'
import { ProviderError } from '../machines.ts'
import type { FlyAction } from './classify.ts'
import {
  drain,
  FLY_GET_RATE,
  FLY_RATE,
  fullBucket,
  refill,
  take,
  type Bucket,
  type BucketRate,
} from './token-bucket.ts'

/** Whose turn it is: asked before every request. */
export interface Pace {
  /** Resolves when the call may be sent; RateLimited (with retryAfterMs) when that is further off than the limit. */
  turn(action: FlyAction, subject: string, signal?: AbortSignal): Promise<void>
  /** The provider has answered 429: nothing of this kind is sent for so long (default 2 s). */
  slowDown(action: FlyAction, subject: string, forMs?: number): void
}

/** Nobody waits longer: a mutation must not leave long after its caller's lease was checked. */
const WAIT_MS_MAX = 2_000
const BUCKETS_MAX = 20_000
const SLOW_DOWN_MS = 2_000

const rateOf = (action: FlyAction): BucketRate => (action === 'get' ? FLY_GET_RATE : FLY_RATE)

/** A pace that never waits: for the emulator, which has no limit. */
export const unpaced: Pace = { turn: async () => {}, slowDown: () => {} }

/** Fly's own pace. `subject` is the app, or the app and the machine. */
export function createPace(clock: Clock): Pace {
  const buckets = new Map<string, Bucket>()
  const bucketOf = (action: FlyAction, subject: string): { key: string; bucket: Bucket } => {
    const key = `${action} ${subject}`
    return { key, bucket: buckets.get(key) ?? fullBucket(rateOf(action), clock.monotonic()) }
  }
  const keep = (key: string, bucket: Bucket): void => {
    if (buckets.size >= BUCKETS_MAX && !buckets.has(key)) dropFull(buckets, clock.monotonic())
    buckets.set(key, bucket)
  }
  return {
    turn: async (action, subject, signal) => {
      const { key, bucket } = bucketOf(action, subject)
      const next = take(bucket, rateOf(action), { atMs: clock.monotonic(), maxWaitMs: WAIT_MS_MAX })
      keep(key, next.bucket)
      if (!next.taken)
        throw new ProviderError('RateLimited', `Held back ${action} of "${subject}": our own rate is reached`, {
          retryAfterMs: next.waitMs,
        })
      if (next.waitMs > 0) await clock.sleep(next.waitMs, signal)
    },
    slowDown: (action, subject, forMs = SLOW_DOWN_MS) => {
      const { key, bucket } = bucketOf(action, subject)
      keep(key, drain(bucket, rateOf(action), { atMs: clock.monotonic(), forMs }))
    },
  }
}

/** A full bucket says nothing that its absence does not. */
function dropFull(buckets: Map<string, Bucket>, atMs: number): void {
  for (const [key, bucket] of buckets) {
    const rate = key.startsWith('get ') ? FLY_GET_RATE : FLY_RATE
    if (refill(bucket, rate, atMs).tokens >= rate.burst) buckets.delete(key)
  }
}
