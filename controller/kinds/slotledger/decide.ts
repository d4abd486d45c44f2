/** Decides who of a tenant's sprites may run, who waits, and who is asked to give its slot back. Pure. */
import { isAhead } from '../clock-ahead.ts'
import type { TenantLimits } from '../tenant/schema.ts'
import type { SlotHolder, SlotLedgerStatus, SlotWaiter } from './schema.ts'

/** How long after a sprite vanished its slot stays taken, and how late a look at the machines must be to free it. */
export const ORPHAN_GRACE_MS = 60_000

/** What the allocation has to know of one sprite. */
export type Contender = {
  readonly uid: string
  readonly sprite: string
  readonly createdAt: string
  /** It should have a running machine now. */
  readonly wants: boolean
  /** It has work: its claim goes before that of one that merely wants to be up. */
  readonly urgent: boolean
  /** Its run policy keeps it up: among the idle it is asked last. */
  readonly isAlways: boolean
  /** Highest priority of its work; 0 without priority routing. */
  readonly priority: number
  /** It may be asked to stop so that another with work can run: nothing is assigned to it. */
  readonly canYield: boolean
  /** It does a task right now. */
  readonly isWorking: boolean
  /** Its status names a machine that is being made, started or run: that needs a slot. */
  readonly mayRun: boolean
}

/** What one decision about a tenant's slots looks at. */
export type SlotWorld = {
  readonly nowMs: number
  readonly now: string
  readonly limits: Pick<TenantLimits, 'concurrentSprites'> | undefined
  readonly contenders: readonly Contender[]
  readonly ledger: SlotLedgerStatus
  /** The last complete look at the tenant's machines: when, and the sprite uids that have any. */
  readonly machines: { readonly atMs: number; readonly uids: ReadonlySet<string> } | undefined
}

/** Who holds a slot and who waits, from now on. */
export type SlotDecision = {
  readonly status: SlotLedgerStatus
  /** When to look again, if time alone may change the answer. */
  readonly requeueAfterMs?: number
}

/**
 * The ledger after this pass. A slot is only ever taken from a holder by the holder's own reconciler (it alone knows
 * that no machine runs); here slots are granted, asked back, and freed of sprites that no longer exist.
 */
export function decideSlots(world: SlotWorld): SlotDecision {
  const byUid = new Map(world.contenders.map((contender) => [contender.uid, contender]))
  const kept = withRunning(keptHolders(world, byUid), world)
  const limit = world.limits === undefined ? kept.length : (world.limits.concurrentSprites ?? null)
  const held = new Set(kept.map((holder) => holder.uid))
  const waiting = world.contenders.filter((contender) => contender.wants && !held.has(contender.uid)).sort(byUrgency)
  const free = limit === null ? waiting.length : Math.max(0, limit - kept.length)
  const granted = waiting.slice(0, free)
  const queued = waiting.slice(free)
  const holders = revoked([...kept, ...granted.map((contender) => newHolder(contender, world.now))], {
    byUid,
    limit,
    queued,
    asked: world.ledger.holders ?? [],
  })
  const status: SlotLedgerStatus = {
    limit: world.limits === undefined ? (world.ledger.limit ?? null) : limit,
    holders: holders.sort(byUidOrder),
    queue: queueOf(queued, world),
    heldText: heldText(holders.length, limit),
    waitingText: String(queued.length),
    spawned: spawnedAfter(world, granted.length),
  }
  const isAwaitingOrphan = holders.some((holder) => holder.orphanSince !== undefined)
  return isAwaitingOrphan ? { status, requeueAfterMs: ORPHAN_GRACE_MS / 4 } : { status }
}

/** Slots held of the limit, as in 2/2. */
export const heldText = (held: number, limit: number | null | undefined): string => `${held}/${limit ?? '∞'}`

/** Counts the grants of the calendar month, in UTC. */
function spawnedAfter(world: SlotWorld, granted: number): SlotLedgerStatus['spawned'] {
  const month = world.now.slice(0, 7)
  const before = world.ledger.spawned
  if (granted === 0) return before
  return { month, count: (before?.month === month ? before.count : 0) + granted }
}

/** Holders whose sprite exists, and those whose sprite is gone but whose machine may not be. */
function keptHolders(world: SlotWorld, byUid: ReadonlyMap<string, Contender>): SlotHolder[] {
  return (world.ledger.holders ?? []).flatMap((holder) => {
    const { orphanSince, revoke: _asked, ...rest } = holder
    if (byUid.has(holder.uid)) return [rest]
    const since = orphanSince === undefined || isAhead(orphanSince, world.nowMs) ? world.now : orphanSince
    return orphanMachineIsGone(world, holder.uid, Date.parse(since)) ? [] : [{ ...rest, orphanSince: since }]
  })
}

/** A sprite whose machine may run holds a slot even if the ledger has lost it: somebody deleted the object, say. */
function withRunning(holders: readonly SlotHolder[], world: SlotWorld): SlotHolder[] {
  const held = new Set(holders.map((holder) => holder.uid))
  const lost = world.contenders.filter((contender) => contender.mayRun && !held.has(contender.uid))
  return [...holders, ...lost.map((contender) => newHolder(contender, world.now))]
}

function orphanMachineIsGone(world: SlotWorld, uid: string, orphanSinceMs: number): boolean {
  const look = world.machines
  if (look === undefined || look.uids.has(uid)) return false
  return world.nowMs - orphanSinceMs >= ORPHAN_GRACE_MS && look.atMs - orphanSinceMs >= ORPHAN_GRACE_MS / 2
}

/** Priority first, then urgency, then age, then name: the order in which slots are granted and positions counted. */
export function byUrgency(a: Contender, b: Contender): number {
  return (
    b.priority - a.priority ||
    Number(b.urgent) - Number(a.urgent) ||
    compareText(a.createdAt, b.createdAt) ||
    compareText(a.sprite, b.sprite)
  )
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const byUidOrder = (a: SlotHolder, b: SlotHolder): number => compareText(a.uid, b.uid)

const newHolder = (contender: Contender, now: string): SlotHolder => ({
  uid: contender.uid,
  sprite: contender.sprite,
  since: now,
})

/** Marks the holders that are to give their slot back: those above a lowered limit, then idle ones that others wait for. */
function revoked(
  holders: readonly SlotHolder[],
  context: {
    readonly byUid: ReadonlyMap<string, Contender>
    readonly limit: number | null
    readonly queued: readonly Contender[]
    /** The holders as they stood: who was asked already stays asked, or a machine that stops for it would start anew. */
    readonly asked: readonly SlotHolder[]
  },
): SlotHolder[] {
  const excess = context.limit === null ? 0 : Math.max(0, holders.length - context.limit)
  const asked = new Set(context.asked.filter(({ revoke }) => revoke === 'LimitLowered').map(({ uid }) => uid))
  const inLine = lastInLine(holders, context.byUid)
  const inTurn = new Set([...inLine.filter((uid) => asked.has(uid)), ...inLine])
  const losers = new Set([...inTurn].slice(0, excess))
  const urgentWaiting = context.queued.filter((contender) => contender.urgent).length
  const yielders = new Set(
    lastInLine(holders, context.byUid)
      .filter((uid) => !losers.has(uid) && context.byUid.get(uid)?.canYield === true)
      .slice(0, urgentWaiting),
  )
  return holders.map((holder) => {
    if (losers.has(holder.uid)) return { ...holder, revoke: 'LimitLowered' as const }
    if (yielders.has(holder.uid)) return { ...holder, revoke: 'Yield' as const }
    return holder
  })
}

/** Uids of holders, the one that should stop first in front: without a machine, not wanting, idle, not always up, low priority, young. */
function lastInLine(holders: readonly SlotHolder[], byUid: ReadonlyMap<string, Contender>): string[] {
  return holders
    .flatMap((holder) => {
      const contender = byUid.get(holder.uid)
      return contender === undefined ? [] : [contender]
    })
    .sort(
      (a, b) =>
        Number(a.mayRun) - Number(b.mayRun) ||
        Number(a.wants) - Number(b.wants) ||
        Number(a.isWorking) - Number(b.isWorking) ||
        Number(a.urgent) - Number(b.urgent) ||
        Number(a.isAlways) - Number(b.isAlways) ||
        byUrgency(b, a),
    )
    .map((contender) => contender.uid)
}

function queueOf(queued: readonly Contender[], world: SlotWorld): SlotWaiter[] {
  const since = new Map((world.ledger.queue ?? []).map((waiter) => [waiter.uid, waiter.since]))
  return queued.map((contender) => ({
    uid: contender.uid,
    sprite: contender.sprite,
    since: since.get(contender.uid) ?? world.now,
  }))
}
