/** Decides which sprite gets which work of a tenant: one decision over all of it, so that no two meet on one sprite. Pure. */
import { findCondition } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { isPaused } from '../marks.ts'
import { parseTimestamp } from '../../../system/timestamp.ts'
import { isAhead } from '../clock-ahead.ts'
import type { Sprite } from '../sprite/schema.ts'
import type { Work } from './schema.ts'

/** An assigned work that is not claimed for so long goes back when its sprite cannot come. */
export const UNCLAIMED_MS = 30_000

/** What one dispatch of a tenant's work looks at. */
export type DispatchWorld = {
  readonly nowMs: number
  readonly sprites: readonly Sprite[]
  /** Work whose phase is Pending and that waits for nothing but a sprite, and all that is Assigned or InProgress. */
  readonly pending: readonly Work[]
  readonly active: readonly Work[]
  /** Uids of the sprites that hold a slot. */
  readonly slotHolders: ReadonlySet<string>
}

/** A work and the sprite that gets it. */
export type Assignment = { readonly work: Work; readonly sprite: Sprite }

/** Which sprite gets which work, and which work goes back. */
export type DispatchDecision = {
  /** Waiting work, and work that moves from a sprite that is not up to one that is. */
  readonly assign: readonly Assignment[]
  /** Assigned but never claimed, by a sprite that cannot come: back to Pending. */
  readonly recall: readonly Work[]
  readonly requeueAfterMs?: number
}

/** Highest priority first, then the oldest; each sprite has one work at a time. */
export function decideDispatch(world: DispatchWorld): DispatchDecision {
  const busy = new Set(world.active.flatMap((work) => work.status?.assignedSprite ?? []))
  const assign: Assignment[] = []
  for (const work of [...world.pending].sort(byTurn)) {
    const sprite = bestSprite(world, work, busy)
    if (sprite === undefined) continue
    busy.add(sprite.metadata.name)
    assign.push({ work, sprite })
  }
  const unclaimed = world.active.filter((work) => work.status?.phase === 'Assigned').sort(byTurn)
  const recall = unclaimed.filter((work) => shouldRecall(world, work))
  for (const work of unclaimed) {
    const sprite = recall.includes(work) ? undefined : betterSprite(world, work, busy)
    if (sprite === undefined) continue
    busy.add(sprite.metadata.name)
    assign.push({ work, sprite })
  }
  const requeueAfterMs = nextLook(world, unclaimed)
  return { assign, recall, ...(requeueAfterMs === undefined ? {} : { requeueAfterMs }) }
}

function byTurn(a: Work, b: Work): number {
  const [at, bt] = [a.metadata.creationTimestamp, b.metadata.creationTimestamp]
  return b.spec.priority - a.spec.priority || (at < bt ? -1 : at > bt ? 1 : a.metadata.name < b.metadata.name ? -1 : 1)
}

/** Whether the sprite does such work at all. */
export function suits(sprite: Sprite, work: Work): boolean {
  if (work.spec.sprite !== undefined && work.spec.sprite !== sprite.metadata.name) return false
  if (work.spec.agentType !== undefined && work.spec.agentType !== sprite.spec.agentType) return false
  return sprite.spec.project === undefined || sprite.spec.project === work.spec.project
}

/** What keeps a sprite from any work until a person acts; undefined when nothing does. */
export function hindranceOf(sprite: Sprite): string | undefined {
  if (isDeleting(sprite)) return 'is being deleted'
  if (isPaused(sprite)) return 'is paused'
  if (sprite.spec.runPolicy === 'Stopped') return 'has runPolicy Stopped'
  if (sprite.status?.phase !== 'Blocked') return undefined
  return `is blocked: ${findCondition(sprite.status.conditions, 'Ready')?.reason ?? 'see its conditions'}`
}

/** Whether it may be given work now, or will come up when it is. */
export function isAvailable(sprite: Sprite): boolean {
  if (hindranceOf(sprite) !== undefined) return false
  return sprite.status?.phase !== undefined && !UNAVAILABLE.has(sprite.status.phase)
}

const UNAVAILABLE: ReadonlySet<string> = new Set(['Pending', 'Draining'])

/** Idle before starting before asleep; its own project before any; then by name. */
const READINESS: Readonly<Record<string, number>> = {
  Idle: 0,
  Working: 1,
  Starting: 2,
  Stopped: 3,
  Queued: 4,
  Failed: 5,
}

function bestSprite(world: DispatchWorld, work: Work, busy: ReadonlySet<string>): Sprite | undefined {
  const free = world.sprites.filter(
    (sprite) => suits(sprite, work) && isAvailable(sprite) && !busy.has(sprite.metadata.name),
  )
  return free.sort(
    (a, b) => rank(world, a, work) - rank(world, b, work) || (a.metadata.name < b.metadata.name ? -1 : 1),
  )[0]
}

function rank(world: DispatchWorld, sprite: Sprite, work: Work): number {
  const readiness = READINESS[sprite.status?.phase ?? ''] ?? 9
  const hasSlot = world.slotHolders.has(sprite.metadata.uid) ? 0 : 1
  const isOwn = work.spec.project !== undefined && sprite.spec.project === work.spec.project ? 0 : 1
  return readiness * 4 + hasSlot * 2 + isOwn
}

const spriteOf = (world: DispatchWorld, work: Work): Sprite | undefined =>
  world.sprites.find((one) => one.metadata.name === work.status?.assignedSprite)

/** Its sprite is gone, unfit or late. */
function shouldRecall(world: DispatchWorld, work: Work): boolean {
  const sprite = spriteOf(world, work)
  if (sprite === undefined || cannotCome(sprite, work)) return true
  return sprite.status?.phase === 'Draining' && unclaimedMs(world, work) >= UNCLAIMED_MS
}

/** One that could start at once, while the one that has the work is not up: the work moves in one write. */
function betterSprite(world: DispatchWorld, work: Work, busy: ReadonlySet<string>): Sprite | undefined {
  if (COMING.has(spriteOf(world, work)?.status?.phase ?? '')) return undefined
  const up = world.sprites.filter((sprite) => UP.has(sprite.status?.phase ?? ''))
  return bestSprite({ ...world, sprites: up }, work, busy)
}

/** One whose task has just ended is Working until it says so. */
const UP: ReadonlySet<string> = new Set(['Idle', 'Working'])
const COMING: ReadonlySet<string> = new Set([...UP, 'Starting', 'Draining'])

const cannotCome = (sprite: Sprite, work: Work): boolean =>
  !suits(sprite, work) ||
  isDeleting(sprite) ||
  sprite.spec.runPolicy === 'Stopped' ||
  sprite.status?.phase === 'Blocked'

/** What a clock that was ahead has assigned is late: it is assigned anew, with a time that is right. */
const unclaimedMs = ({ nowMs }: DispatchWorld, { status }: Work): number =>
  isAhead(status?.assignedTime, nowMs) ? UNCLAIMED_MS : nowMs - (parseTimestamp(status?.assignedTime) ?? nowMs)

/** Assigned work of a sprite that may be draining by then is looked at again when it is late. */
function nextLook(world: DispatchWorld, unclaimed: readonly Work[]): number | undefined {
  const ages = unclaimed.map((work) => unclaimedMs(world, work))
  const waits = ages.filter((ageMs) => ageMs < UNCLAIMED_MS).map((ageMs) => UNCLAIMED_MS - ageMs)
  return waits.length === 0 ? undefined : Math.min(...waits)
}
