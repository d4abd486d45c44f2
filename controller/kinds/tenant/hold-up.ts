/** Decides what the machine provider holds the deletion of a tenant up with, in its own words and what would do. Pure. */
import { findCondition } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { reasonOf } from '../sprite/provider-reasons.ts'
import type { Sprite } from '../sprite/schema.ts'
import { pauseFix } from './place-conditions.ts'
import type { HoldUp, TenantWorld } from './world.ts'

/** Reasons for which machines are not removed although they should be. What only keeps new ones from being made is none. */
const HOLDS_UP: ReadonlySet<string> = new Set([
  'CredentialsInvalid',
  'ProviderUnavailable',
  'RateLimited',
  'ProviderRefused',
])

/** What the first of the sprites that are to go and cannot says; undefined when none is held up. */
export function holdUpOf(sprites: readonly Sprite[]): HoldUp | undefined {
  const words = sprites
    .filter(isDeleting)
    .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .map(({ status }) => findCondition(status?.conditions, 'Ready'))
  const first = (reason: string): HoldUp | undefined => words.find((word) => word?.reason === reason)
  // What a person has to mend goes before what passes, whoever says it.
  return [...HOLDS_UP].map(first).find((word) => word !== undefined)
}

/** What holds it up now, the message beginning with what would do: a refused token, then what was just answered. */
export function holdUpIn(world: Pick<TenantWorld, 'standing' | 'refused' | 'holdUp' | 'frozenBy'>): HoldUp | undefined {
  // What is frozen is not asked for: only the thaw matters.
  if (world.frozenBy !== undefined) return undefined
  const { refused } = world
  const answers = [
    ...(world.standing?.paused ?? []).map(({ reason, message }) => ({ reason, message })),
    ...(refused === undefined ? [] : [{ reason: reasonOf(refused.reason), message: refused.message }]),
    ...(world.holdUp === undefined ? [] : [world.holdUp]),
  ]
  const held = answers.find(({ reason }) => HOLDS_UP.has(reason))
  return held && { reason: held.reason, message: `${pauseFix(held.reason) ?? 'Tried again'}: ${held.message}` }
}
