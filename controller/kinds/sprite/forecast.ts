/** Foretells what a write of a Sprite sets off: its machine, its slot, the work in its hands. Pure. */
import { usedText } from '../forecast-text.ts'
import { scenesOf, type ForecastWorld, type Foretold } from '../forecast-world.ts'
import type { Scene } from '../tenant/scene.ts'
import { shiftsBetween, type Shifts } from '../tenant/shifts.ts'
import { shiftSentences } from '../tenant/shift-text.ts'
import { ASLEEP } from './fate.ts'
import type { Sprite } from './schema.ts'

/** FC1, FC2 what becomes of machines and work; FC3 of a new sprite also why it has none. */
export function spriteForecast(world: ForecastWorld, change: Foretold<Sprite>): readonly string[] {
  const scenes = scenesOf(world, 'sprites', change)
  const shifts = scenes && shiftsBetween(scenes.before, scenes.after)
  if (scenes === undefined || shifts === undefined) return []
  const { name } = change.object.metadata
  const sentences = shiftSentences(shifts, scenes.after, name)
  const isSilent = change.operation !== 'CREATE' || shifts.machines.some(({ sprite }) => sprite.metadata.name === name)
  return isSilent ? sentences : [...sentences, ...noMachineSentence(shifts, scenes.after, change.object)]
}

/** Why a new sprite has no machine yet; one that is declared stopped needs no word. */
function noMachineSentence(shifts: Shifts, scene: Scene, sprite: Sprite): readonly string[] {
  const own = shifts.after.sprites.find((one) => one.sprite.metadata.name === sprite.metadata.name)
  if (own === undefined || own.fate.action !== 'none' || sprite.spec.runPolicy === 'Stopped') return []
  if (own.fate.why !== ASLEEP) return [`No machine is made: ${own.fate.why}`]
  const used = usedText(shifts.after.ledger.holders?.length ?? 0, shifts.after.limits, scene)
  return [`No machine is made until work comes: ${used.text} ${used.be} running`]
}
