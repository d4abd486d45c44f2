/** Decides which machines at the provider belong to nobody any more (promises.md S3, S4). Pure. */
import type { Machine } from '../../providers/machines.ts'
import type { Sprite } from './schema.ts'

/** A machine younger than that may belong to a sprite that this process has not seen yet. */
export const ORPHAN_AGE_MS = 120_000

/** What one decision about stray machines looks at. */
export type CollectWorld = {
  readonly nowMs: number
  readonly tenant: string
  readonly controlPlaneId: string
  /** The last complete look at the tenant's machines. */
  readonly machines: readonly Machine[]
  readonly sprites: readonly Sprite[]
  /** Ids that an earlier look already found without an owner, and for how many ms since. */
  readonly suspects: ReadonlyMap<string, number>
}

/** Which machines are to go. */
export type CollectDecision = {
  /** Without an owner in two looks and old enough: confirmed by GET, then destroyed. */
  readonly destroy: readonly Machine[]
  /** Without an owner now: remembered for the next look. */
  readonly suspects: readonly string[]
  /** Nothing is destroyed although there is something to destroy; says why. */
  readonly alarm?: string
}

/** Machines that carry our stamp and that no sprite's status names. Nothing else is ever touched. */
export function decideCollect(world: CollectWorld): CollectDecision {
  const byUid = new Map(world.sprites.map((sprite) => [sprite.metadata.uid, sprite]))
  const orphans = world.machines.filter((machine) => isOurs(world, machine) && !isOwned(machine, byUid))
  const suspects = orphans.map((machine) => machine.id)
  const ripe = orphans.filter(
    // Where our clock is behind the provider's, what was seen for so long is old all the same.
    (machine) =>
      Math.max(world.nowMs - machine.createdAtMs, world.suspects.get(machine.id) ?? 0) >= ORPHAN_AGE_MS &&
      world.suspects.has(machine.id),
  )
  if (ripe.length > 1 && world.sprites.length === 0)
    return {
      destroy: [],
      suspects,
      alarm: `${ripe.length} machines of tenant "${world.tenant}" have no sprite, and no sprite exists at all: none is destroyed; check the store, then delete them by hand`,
    }
  return { destroy: ripe, suspects }
}

const isOurs = (world: CollectWorld, machine: Machine): boolean =>
  machine.owner?.controlPlane === world.controlPlaneId && machine.owner.tenant === world.tenant

/** Named by its sprite's status, or newer than it: an intent is stored before the machine is made. */
const isOwned = (machine: Machine, byUid: ReadonlyMap<string, Sprite>): boolean => {
  const sprite = byUid.get(machine.owner?.spriteUid ?? '')
  return sprite !== undefined && isOwnedBy(machine, sprite)
}

/** Whether the sprite owns the machine, or may soon. */
export function isOwnedBy(machine: Machine, sprite: Sprite): boolean {
  if (sprite.metadata.uid !== machine.owner?.spriteUid) return false
  const current = sprite.status?.machine
  if (current !== undefined && (current.id === machine.id || current.name === machine.name)) return true
  return machine.owner.incarnation > (sprite.status?.incarnation ?? 0)
}
