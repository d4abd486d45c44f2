/** Foretells what a write of a Project sets off: its sprites, its work, their machines. Pure. */
import { counted, countedWork, named } from '../forecast-text.ts'
import { going, scenesOf, type ForecastWorld, type Foretold } from '../forecast-world.ts'
import { isControlledBy } from '../marks.ts'
import type { Scene } from '../tenant/scene.ts'
import { shiftsBetween } from '../tenant/shifts.ts'
import { shiftSentences } from '../tenant/shift-text.ts'
import { isTerminal } from '../work/schema.ts'
import type { Project } from './schema.ts'

/** FC4 what it makes and what follows; FC5 what goes with it. */
export function projectForecast(world: ForecastWorld, change: Foretold<Project>): readonly string[] {
  const scenes = scenesOf(world, 'projects', change)
  if (scenes === undefined) return []
  const isWhole = change.operation === 'DELETE' && change.isOrphaning !== true
  const after = isWhole ? withoutOwned(scenes.after, change.object) : scenes.after
  const shifts = shiftsBetween(scenes.before, after)
  const goes = isWhole ? goesSentences(scenes.before, change.object) : []
  return [...goes, ...(shifts === undefined ? [] : shiftSentences(shifts, after))]
}

/** The scene after what the project owns has been collected. */
function withoutOwned(scene: Scene, project: Project): Scene {
  const marked = <O extends Scene['sprites'][number] | Scene['work'][number]>(object: O): O =>
    isControlledBy(object, project) ? going(object, scene.now) : object
  return { ...scene, sprites: scene.sprites.map((one) => marked(one)), work: scene.work.map((one) => marked(one)) }
}

function goesSentences(scene: Scene, project: Project): readonly string[] {
  const sprites = scene.sprites.filter((sprite) => isControlledBy(sprite, project))
  const work = scene.work.filter((one) => isControlledBy(one, project))
  const open = work.filter((one) => !isTerminal(one.status?.phase)).length
  const parts = [
    ...(sprites.length === 0
      ? []
      : [`${counted(sprites.length, 'sprite')} ${named(sprites.map(({ metadata }) => metadata.name))}`]),
    ...(work.length === 0 ? [] : [`${countedWork(work.length)}${open === 0 ? '' : `, ${open} of it open,`}`]),
  ]
  return parts.length === 0 ? [] : [`${parts.join(' and ')} will be deleted with it`]
}
