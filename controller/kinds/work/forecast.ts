/** Foretells what a write of a Work sets off: who does it, or why nobody can; what is interrupted. Pure. */
import { isDeleting } from '../../api/object.ts'
import { counted, named, quoted } from '../forecast-text.ts'
import { scenesOf, type ForecastWorld, type Foretold } from '../forecast-world.ts'
import type { Scene } from '../tenant/scene.ts'
import type { SpriteOutlook } from '../tenant/outlook.ts'
import { shiftsBetween, type Shifts } from '../tenant/shifts.ts'
import { frozenWhy, shiftSentences } from '../tenant/shift-text.ts'
import { hindranceOf, suits } from './dispatch.ts'
import { waitOf } from './eligible.ts'
import { elsewhereText, nobodyText } from './nobody.ts'
import { isTerminal, type Work } from './schema.ts'

/** Comparisons that the forecast of one new work may take: work comes by the thousand. */
const WORK_COST_MAX = 20_000

/** FC9 new work: who does it, or why nobody can; FC10 work that is cancelled or deleted in progress. */
export function workForecast(world: ForecastWorld, change: Foretold<Work>): readonly string[] {
  const { operation, object } = change
  if (operation === 'CREATE') return isOver(object) ? [] : newWorkSentences(world, change)
  if (operation === 'UPDATE' && object.spec.cancelled === change.old?.spec.cancelled) return []
  const { status } = object
  if (status?.phase === 'InProgress')
    return [`Work in progress will be interrupted: sprite ${quoted(status.assignedSprite ?? '')} gives it up`]
  const scenes = isTerminal(status?.phase) ? undefined : scenesOf(world, 'work', change)
  const shifts = scenes && shiftsBetween(scenes.before, scenes.after)
  return scenes === undefined || shifts === undefined ? [] : shiftSentences(shifts, scenes.after)
}

const isOver = (work: Work): boolean => work.spec.cancelled || isDeleting(work)

function newWorkSentences(world: ForecastWorld, change: Foretold<Work>): readonly string[] {
  const work = change.object
  const scenes = scenesOf(world, 'work', change)
  if (scenes === undefined) return []
  const { before, after } = scenes
  const able = after.sprites.filter((sprite) => suits(sprite, work) && !isDeleting(sprite))
  const wait = waitSentence(after, work)
  if (wait !== undefined) return [wait]
  if (able.length === 0) {
    const elsewhere = elsewhereText(work, after.sprites)
    return [`${nobodyText(work)}${elsewhere === '' ? ': it waits until there is one' : `${elsewhere}, or it waits`}`]
  }
  const hindrances = able.map((sprite) => ({ name: sprite.metadata.name, why: hindranceOf(sprite) }))
  if (hindrances.every(({ why }) => why !== undefined)) {
    const each = hindrances.map(({ name, why }) => `${quoted(name)} ${why ?? ''}`)
    return [`No sprite can take it: ${each.sort().slice(0, 3).join(', ')}${each.length > 3 ? ' and others' : ''}`]
  }
  if (isTooMuch(after)) return []
  const shifts = shiftsBetween(before, after)
  return shifts === undefined ? [] : takerSentences(shifts, after, work)
}

const isTooMuch = (scene: Scene): boolean =>
  (scene.sprites.length + scene.projects.length) * (scene.work.length + 1) > WORK_COST_MAX

/** What it waits for besides a sprite. */
function waitSentence(scene: Scene, work: Work): string | undefined {
  const { nowMs, tenant } = scene
  const names = new Set(work.spec.dependsOn)
  const found = names.size === 0 ? [] : scene.work.filter((one) => names.has(one.metadata.name))
  const dependencies = new Map(found.map((one) => [one.metadata.name, one]))
  const project = scene.projects.find(({ metadata }) => metadata.name === work.spec.project)
  const wait = waitOf({ nowMs, work, tenant, project, dependencies })
  return wait && `It will wait: ${wait.message.slice(0, 1).toLowerCase()}${wait.message.slice(1)}`
}

/** Under a freeze only a machine that is up can do it. */
function takerSentence({ sprite }: SpriteOutlook, scene: Scene): string {
  const name = quoted(sprite.metadata.name)
  const why = frozenWhy(scene)
  const isUp = sprite.status?.machine?.state === 'started'
  return why === undefined || isUp ? `Sprite ${name} will do it` : `Sprite ${name} will do it after the thaw: ${why}`
}

/** The sprite that gets it, and what that means for machines; or who is busy. */
function takerSentences(shifts: Shifts, scene: Scene, work: Work): readonly string[] {
  const taker = shifts.after.sprites.find(({ tasks }) =>
    tasks.some(({ metadata }) => metadata.name === work.metadata.name),
  )
  const rest = shiftSentences(shifts, scene)
  if (taker !== undefined) return [...rest, takerSentence(taker, scene)]
  const busy = scene.sprites.filter((sprite) => suits(sprite, work)).map(({ metadata }) => metadata.name)
  return [...rest, `It will wait for a free sprite: ${counted(busy.length, 'sprite')} could do it ${named(busy)}`]
}
