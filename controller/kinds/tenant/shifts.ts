/** Decides what a write changes in the outlook of a tenant: machines, work, objects of its projects. Pure. */
import { isDeleting } from '../../api/object.ts'
import type { Fate } from '../sprite/fate.ts'
import type { Wait } from '../work/eligible.ts'
import type { PlanObject } from './growth.ts'
import { outlookOf, type Outlook, type SpriteOutlook } from './outlook.ts'
import type { Scene } from './scene.ts'

/** What would be done with a machine. */
export type ShiftAction = Exclude<Fate['action'], 'none'>

/** What a write changes. */
export type Shifts = {
  readonly after: Outlook
  /** Sprites for which something is done after the write that is not done without it. */
  readonly machines: readonly (SpriteOutlook & { readonly action: ShiftAction })[]
  /** Sprites for which something would be done after the write, were they not frozen. */
  readonly held: readonly string[]
  /** Names of work in progress that is cancelled or deleted. */
  readonly interrupted: readonly string[]
  /** Names of assigned work that becomes pending. */
  readonly recalled: readonly string[]
  /** Pending work that waits for something that it does not wait for now. */
  readonly waits: readonly (readonly [name: string, wait: Wait])[]
  /** Objects that projects make or delete. */
  readonly objects: readonly PlanObject[]
}

/** Comparisons that a forecast may take; a larger tenant is not foretold, so that no write waits for it. */
export const FORECAST_COST_MAX = 400_000

/** How much there is to compare in a scene: who could do what. */
export const costOf = (scene: Scene): number =>
  (scene.sprites.length + scene.projects.length + 1) *
  (scene.work.length + scene.sprites.length + scene.projects.length + 1)

/** What differs between two scenes of one tenant; undefined when that cannot be told. */
export function shiftsBetween(before: Scene, after: Scene): Shifts | undefined {
  if (costOf(before) + costOf(after) > FORECAST_COST_MAX) return undefined
  const was = outlookOf(before, before)
  const is = outlookOf(after, before)
  if (was === undefined || is === undefined) return undefined
  const fates = new Map(was.sprites.map(({ sprite, fate }) => [sprite.metadata.name, fate.action]))
  const heldBefore = new Map(was.sprites.map(({ sprite, fate }) => [sprite.metadata.name, fate.held]))
  const objects = new Set(was.objects.map(objectKey))
  return {
    after: is,
    machines: is.sprites.flatMap((one) => {
      const { action } = one.fate
      const isNew = action !== 'none' && fates.get(one.sprite.metadata.name) !== action
      return isNew ? [{ ...one, action }] : []
    }),
    held: is.sprites.flatMap(({ sprite: { metadata }, fate }) =>
      fate.held === undefined || heldBefore.get(metadata.name) === fate.held ? [] : [metadata.name],
    ),
    interrupted: interruptedBetween(before, after),
    recalled: [...is.recalled].filter((name) => !was.recalled.has(name)),
    waits: [...is.waits].filter(([name, wait]) => was.waits.get(name)?.reason !== wait.reason),
    objects: is.objects.filter((object) => !objects.has(objectKey(object))),
  }
}

const objectKey = ({ action, kind, name }: PlanObject): string => `${action} ${kind}/${name}`

function interruptedBetween(before: Scene, after: Scene): readonly string[] {
  const atWork = new Set(
    before.work
      .filter((work) => work.status?.phase === 'InProgress' && !work.spec.cancelled && !isDeleting(work))
      .map(({ metadata }) => metadata.name),
  )
  return after.work
    .filter((work) => atWork.has(work.metadata.name) && (work.spec.cancelled || isDeleting(work)))
    .map(({ metadata }) => metadata.name)
}
