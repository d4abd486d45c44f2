/** Refuses a store that processes work on: what they write while it is copied would be lost, or stand in the way. */
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import type { KubeObject } from '../../api/object.ts'
import type { Lease } from '../../engine/lease.ts'
import { leaseResource } from '../../registry/core.ts'
import type { Registry } from '../../registry/registry.ts'
import type { Clock } from '../../../system/clock.ts'
import { TransferError } from './carried.ts'

const MEMBER = /^sprites-member-\d+$/
/** A lease that was renewed within so many of its durations may be held still: clocks differ by a little. */
const DURATIONS = 2
const DURATION_SECONDS_DEFAULT = 15

/** Rejects with TransferError while a process with the role controller shares the tenants of this store. */
export async function refuseAtWork(registry: Pick<Registry, 'list'>, name: string, clock: Clock): Promise<void> {
  const { items } = await registry.list(leaseResource, { namespace: SYSTEM_NAMESPACE })
  const held = heldMember(items, clock.now())
  if (held === undefined) return
  const { holderIdentity = '', renewTime = '' } = held.spec
  throw new TransferError(
    `Stop every process first: ${name} is worked on by "${holderIdentity}", as of ${renewTime}; one that was killed is over after half a minute`,
  )
}

/** A member's lease that was renewed a moment ago, by the wall clock. Pure. */
export function heldMember(leases: readonly KubeObject[], nowMs: number): Lease | undefined {
  // Leases are written by electors only, so the spec is that of a Lease.
  return (leases as readonly Lease[]).find(({ metadata, spec }) => {
    const { holderIdentity = '', renewTime = '', leaseDurationSeconds = DURATION_SECONDS_DEFAULT } = spec
    const ageMs = Math.abs(nowMs - Date.parse(renewTime))
    return MEMBER.test(metadata.name) && holderIdentity !== '' && ageMs < leaseDurationSeconds * 1_000 * DURATIONS
  })
}
