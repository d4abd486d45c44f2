/** Pure: what a member does next about members and shards: whom it fences, what it takes, gives up and gives back. */
import type { Lease, LeaseSpec } from './lease.ts'
import { preferredSlot } from './rendezvous.ts'
import {
  holderOf,
  memberName,
  membersOf,
  ownerText,
  readOwner,
  shardName,
  type Life,
  type Member,
  type Sightings,
} from './shard-leases.ts'

/** How far a shard of ours is. */
export type ShardPhase = 'held' | 'leaving' | 'drained'
/** A shard that is ours, under which epoch. */
export type LocalShard = { readonly epoch: number; readonly phase: ShardPhase }

/** What the decision is made from. */
export type ShardWorld = {
  readonly prefix: string
  readonly shardCount: number
  readonly sightings: Sightings
  readonly self: Life
  readonly isStopping: boolean
  readonly local: ReadonlyMap<number, LocalShard>
  /** Epochs up to which a shard was given up: the write may still be under way, so they are never ours again. */
  readonly surrendered: ReadonlyMap<number, number>
  /** Epochs that the next one of a shard must be above. */
  readonly floors: ReadonlyMap<number, number>
  /** Since when (monotonic ms) the owner of a shard cannot be told to live or to be dead. */
  readonly strays: ReadonlyMap<number, number>
  readonly nowMs: number
  /** Wall time as MicroTime, for the record only. */
  readonly now: string
  readonly leaseMs: number
}

/** A compare-and-swap at `old`; a create where that is undefined. */
export type LeaseWrite = {
  readonly name: string
  readonly old: Lease | undefined
  readonly spec: LeaseSpec & { readonly leaseTransitions: number }
}

/** One thing to do. */
export type ShardStep =
  /** Somebody's member lease is over: says so, so that a later renewal of it fails. */
  | ({ readonly do: 'fence' } & LeaseWrite)
  | ({ readonly do: 'take'; readonly shard: number } & LeaseWrite)
  | ({ readonly do: 'release'; readonly shard: number } & LeaseWrite)
  /** The lease names us: it is ours from now on. */
  | { readonly do: 'gain'; readonly shard: number; readonly epoch: number }
  /** Begin nothing for it any more, and let what runs end. */
  | { readonly do: 'leave'; readonly shard: number; readonly epoch: number }
  /** It was being given up, and is to be kept after all. */
  | { readonly do: 'resume'; readonly shard: number }
  /** The lease does not name us any more. */
  | { readonly do: 'lose'; readonly shard: number }

/** Whether the step is a write of a lease. */
export const isWrite = (step: ShardStep): boolean => step.do === 'fence' || step.do === 'take' || step.do === 'release'

/** What to do, and when to look again at the latest, in monotonic ms. */
export type ShardDecision = {
  readonly steps: readonly ShardStep[]
  readonly strays: ReadonlyMap<number, number>
  readonly dueMs: number
}

/** What a member lease is to this process. */
type Standing = 'free' | 'self' | 'live' | 'leaving' | 'over'

/** Decides about every member and every shard. */
export function decideShards(world: ShardWorld): ShardDecision {
  const members = membersOf(world.sightings, world.prefix).map((member) => ({ member, is: standing(world, member) }))
  const fences = members.filter(({ is }) => is === 'over').map(({ member }) => fence(world, member))
  const candidates = members
    .filter(({ is }) => is === 'live' || (is === 'self' && !world.isStopping))
    .map(({ member }) => member.slot)
  const isMember = members.some(({ is }) => is === 'self')
  const strays = new Map<number, number>()
  const steps: ShardStep[] = [...fences]
  for (let shard = 0; shard < world.shardCount; shard++) {
    const isWanted = isMember && preferredSlot(shard, candidates) === world.self.slot
    steps.push(...decideShard(world, { shard, isWanted, strays, members: members.map(({ member }) => member) }))
  }
  const ends = members.filter(({ is }) => is === 'live' || is === 'leaving').map(({ member }) => endOf(world, member))
  const dueMs = Math.min(...ends, ...[...strays.values()].map((sinceMs) => sinceMs + world.leaseMs))
  return { steps, strays, dueMs }
}

const endOf = ({ leaseMs }: ShardWorld, { sighting }: Member): number =>
  sighting.sinceMs + Math.max(leaseMs, (sighting.lease.spec.leaseDurationSeconds ?? 0) * 1_000)

function standing(world: ShardWorld, member: Member): Standing {
  if (member.identity === '') return 'free'
  if (member.slot === world.self.slot && member.identity === world.self.identity) return 'self'
  if (world.nowMs >= endOf(world, member)) return 'over'
  return member.isLeaving ? 'leaving' : 'live'
}

const fence = ({ now }: ShardWorld, { epoch, sighting }: Member): ShardStep => ({
  do: 'fence',
  name: sighting.lease.metadata.name,
  old: sighting.lease,
  spec: { ...sighting.lease.spec, holderIdentity: '', leaseTransitions: epoch + 1, renewTime: now },
})

type ShardLook = {
  readonly shard: number
  readonly isWanted: boolean
  readonly members: readonly Member[]
  /** Where strays are noted. */
  readonly strays: Map<number, number>
}

function decideShard(world: ShardWorld, look: ShardLook): readonly ShardStep[] {
  const { shard, isWanted } = look
  const lease = world.sightings.get(shardName(world.prefix, shard))?.lease
  const epoch = lease?.spec.leaseTransitions ?? 0
  const holder = lease?.spec.holderIdentity ?? ''
  const local = world.local.get(shard)
  if (lease !== undefined && holder === ownerText(world.self)) {
    if (epoch > (world.surrendered.get(shard) ?? 0)) return ours(world, { shard, isWanted, lease, epoch, local })
    return isWanted ? [take(world, shard, lease)] : [release(world, shard, lease)]
  }
  const lost: readonly ShardStep[] = local === undefined ? [] : [{ do: 'lose', shard }]
  return isWanted && mayTake(world, look, holder) ? [...lost, take(world, shard, lease)] : lost
}

type OwnShard = {
  readonly shard: number
  readonly isWanted: boolean
  readonly lease: Lease
  readonly epoch: number
  readonly local: LocalShard | undefined
}

/** Of a shard whose lease names this life. */
function ours(world: ShardWorld, { shard, isWanted, lease, epoch, local }: OwnShard): readonly ShardStep[] {
  // Passes of before an outage may still be ending, so it is left in peace too.
  if (local === undefined) return [{ do: isWanted ? 'gain' : 'leave', shard, epoch }]
  if (isWanted) return local.phase === 'held' ? [] : [{ do: 'resume', shard }]
  if (local.phase === 'held') return [{ do: 'leave', shard, epoch }]
  return local.phase === 'drained' ? [release(world, shard, lease)] : []
}

/** Nobody's, or that of a life that is over for good; where neither can be told, after a lease's time. */
function mayTake(world: ShardWorld, { shard, members, strays }: ShardLook, holder: string): boolean {
  if (holder === '') return true
  const owner = readOwner(holder)
  const member = members.find(({ slot }) => slot === owner?.slot)
  if (owner !== undefined && member !== undefined) {
    // The epoch of a member lease never goes back, so this life cannot come again.
    if (member.epoch > owner.epoch) return true
    if (member.epoch === owner.epoch && member.identity === owner.identity) return false
  }
  const sinceMs = world.strays.get(shard) ?? world.nowMs
  strays.set(shard, sinceMs)
  return world.nowMs - sinceMs >= world.leaseMs
}

function take({ prefix, self, floors, now }: ShardWorld, shard: number, old: Lease | undefined): ShardStep {
  const leaseTransitions = Math.max(old?.spec.leaseTransitions ?? 0, floors.get(shard) ?? 0) + 1
  const spec = { holderIdentity: ownerText(self), acquireTime: now, renewTime: now, leaseTransitions }
  return { do: 'take', shard, name: shardName(prefix, shard), old, spec }
}

function release({ now }: ShardWorld, shard: number, old: Lease): ShardStep {
  const leaseTransitions = old.spec.leaseTransitions ?? 0
  const spec = { ...old.spec, holderIdentity: '', renewTime: now, leaseTransitions }
  return { do: 'release', shard, name: old.metadata.name, old, spec }
}

/** Slots of members are few: one for each process that ever ran at once. */
const SLOTS_MAX = 1_000

/** The member lease that a new life takes: the lowest free one; undefined when there is none left. */
export function decideJoin(world: {
  readonly prefix: string
  readonly sightings: Sightings
  readonly identity: string
  readonly now: string
  readonly leaseMs: number
  /** Slots that are left out: what lies there can be read by nobody. */
  readonly unreadable?: ReadonlySet<number>
}): (LeaseWrite & { readonly life: Life }) | undefined {
  const bySlot = new Map(membersOf(world.sightings, world.prefix).map((member) => [member.slot, member]))
  for (let slot = 0; slot < SLOTS_MAX; slot++) {
    const member = bySlot.get(slot)
    if (member !== undefined && member.identity !== '') continue
    if (world.unreadable?.has(slot) === true) continue
    const old = member?.sighting.lease
    const life = { slot, epoch: (member?.epoch ?? 0) + 1, identity: world.identity }
    return { life, name: memberName(world.prefix, slot), old, spec: memberSpec({ ...world, life, isLeaving: false }) }
  }
  return undefined
}

/** What a member's lease says while the life goes on; `old` keeps when it began. */
export function memberSpec(write: {
  readonly life: Life
  readonly isLeaving: boolean
  readonly now: string
  readonly leaseMs: number
  readonly old?: Lease
}): LeaseWrite['spec'] {
  const { life, now, old } = write
  return {
    holderIdentity: holderOf(life.identity, write.isLeaving),
    leaseDurationSeconds: Math.ceil(write.leaseMs / 1_000),
    acquireTime: old?.spec.acquireTime ?? now,
    renewTime: now,
    leaseTransitions: life.epoch,
  }
}
