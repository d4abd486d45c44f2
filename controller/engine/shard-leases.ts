/** Pure: how members and shards are written down as Leases, and what is known of them after each look. */
import type { Lease, LeaseList } from './lease.ts'
import { compareRevisions } from './wakes.ts'

/** A lease and the monotonic instant at which it was first seen in this form. */
export type Sighting = { readonly lease: Lease; readonly sinceMs: number }
/** What is known of each lease, by name. */
export type Sightings = ReadonlyMap<string, Sighting>

/** One life of one process: the slot is that of its member lease, the epoch the lease's transitions. */
export type Life = { readonly slot: number; readonly epoch: number; readonly identity: string }

/** A member lease, read. */
export type Member = {
  readonly slot: number
  readonly epoch: number
  readonly sighting: Sighting
  /** Whose it is; '' when it is free. */
  readonly identity: string
  /** Gives its shards away and takes none. */
  readonly isLeaving: boolean
}

const LEAVING = ' (leaving)'

/** Name of the lease of the member in that slot. */
export const memberName = (prefix: string, slot: number): string => `${prefix}-member-${slot}`
/** Name of the lease of that shard. */
export const shardName = (prefix: string, shard: number): string => `${prefix}-shard-${String(shard).padStart(2, '0')}`

/** What a member writes as its holder. */
export const holderOf = (identity: string, isLeaving: boolean): string => (isLeaving ? identity + LEAVING : identity)

/** What a shard's lease says of the life that holds it. */
export const ownerText = ({ slot, epoch, identity }: Life): string => `${slot}/${epoch}/${identity}`

/** The life that holds a shard; undefined for what no process of ours has written. */
export function readOwner(text: string): Life | undefined {
  const parts = /^(0|[1-9]\d{0,3})\/([1-9]\d{0,9})\/(.{1,300})$/s.exec(text)
  if (parts === null) return undefined
  const [, slot = '', epoch = '', identity = ''] = parts
  return { slot: Number(slot), epoch: Number(epoch), identity }
}

/** The member leases among all that were seen. */
export function membersOf(sightings: Sightings, prefix: string): readonly Member[] {
  const start = `${prefix}-member-`
  const members: Member[] = []
  for (const [name, sighting] of sightings) {
    const slot = name.startsWith(start) ? name.slice(start.length) : ''
    if (/^(?:0|[1-9]\d{0,3})$/.test(slot)) members.push(memberOf(Number(slot), sighting))
  }
  return members.sort((a, b) => a.slot - b.slot)
}

function memberOf(slot: number, sighting: Sighting): Member {
  const holder = sighting.lease.spec.holderIdentity ?? ''
  const isLeaving = holder.endsWith(LEAVING)
  const identity = isLeaving ? holder.slice(0, -LEAVING.length) : holder
  return { slot, epoch: sighting.lease.spec.leaseTransitions ?? 0, sighting, identity, isLeaving }
}

/** Takes a list in: what is newer replaces, and counts from now; what has gone is forgotten. A list that lags changes nothing back. */
export function takeIn(
  sightings: Sightings,
  list: LeaseList,
  look: { readonly prefix: string; readonly nowMs: number },
): Sightings {
  const next = new Map<string, Sighting>()
  for (const lease of list.items) {
    const { name } = lease.metadata
    if (!name.startsWith(`${look.prefix}-`)) continue
    next.set(name, newer(sightings.get(name), lease, look.nowMs))
  }
  for (const [name, known] of sightings) {
    const isUnheardOf = compareRevisions(known.lease.metadata.resourceVersion, list.resourceVersion) > 0
    if (!next.has(name) && isUnheardOf) next.set(name, known)
  }
  return next
}

/** The same with one lease that was read or written. */
export const takeInOne = (sightings: Sightings, lease: Lease, nowMs: number): Sightings =>
  new Map(sightings).set(lease.metadata.name, newer(sightings.get(lease.metadata.name), lease, nowMs))

function newer(known: Sighting | undefined, lease: Lease, nowMs: number): Sighting {
  if (known === undefined) return { lease, sinceMs: nowMs }
  // One of that name made anew is another, whatever its version.
  const isOther = known.lease.metadata.uid !== lease.metadata.uid
  const order = compareRevisions(lease.metadata.resourceVersion, known.lease.metadata.resourceVersion)
  return order > 0 || (isOther && order >= 0) ? { lease, sinceMs: nowMs } : known
}
