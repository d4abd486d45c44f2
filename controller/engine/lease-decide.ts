/** Pure: whether a candidate may write the lease now, and what it writes. */
import { microTimestamp } from '../../system/timestamp.ts'
import type { Lease, LeaseSpec } from './lease.ts'

/** A renewTime that differs from the last one: a write that changes nothing renews nothing, and a wall clock may stand still. */
export function renewTimeOf(nowMs: number, last: LeaseSpec | undefined): string {
  const now = microTimestamp(nowMs)
  return now === last?.renewTime ? microTimestamp(nowMs + 1) : now
}

/** A lease and the monotonic instant at which it was first seen in this form. */
export type LeaseSighting = { readonly lease: Lease; readonly sinceMs: number }

/** What an elector does next. */
export type LeaseDecision =
  | { readonly do: 'wait' }
  /** Take it, or renew it when it is ours. */
  | { readonly do: 'take'; readonly spec: LeaseSpec & { readonly leaseTransitions: number } }

/**
 * Ours: renew, with the epoch and acquireTime it has. Nobody's, or unchanged for its duration by our own clock: take
 * it with the next epoch. Else wait. `takesAtOnce` takes somebody else's too.
 */
export function decideLease(world: {
  readonly identity: string
  readonly sighting: LeaseSighting | undefined
  /** Monotonic ms. */
  readonly nowMs: number
  /** Wall time as MicroTime, for the record only. */
  readonly now: string
  readonly leaseMs: number
  readonly takesAtOnce: boolean
}): LeaseDecision {
  const { identity, sighting, now } = world
  const held = sighting?.lease.spec
  const isOurs = held?.holderIdentity === identity
  if (sighting !== undefined && !isOurs && !world.takesAtOnce && !isOver(sighting, world.nowMs)) return { do: 'wait' }
  const transitions = held?.leaseTransitions ?? 0
  return {
    do: 'take',
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(world.leaseMs / 1000),
      acquireTime: isOurs ? (held.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: isOurs ? transitions : transitions + 1,
    },
  }
}

function isOver(sighting: LeaseSighting, nowMs: number): boolean {
  const { holderIdentity, leaseDurationSeconds } = sighting.lease.spec
  if (holderIdentity === undefined || holderIdentity === '') return true
  return nowMs - sighting.sinceMs >= (leaseDurationSeconds ?? 0) * 1000
}
