/** Foretells what a write of a Persona sets off: whose prompt changes, who is left without one. Pure. */
import { isDeleting } from '../../api/object.ts'
import { counted, named } from '../forecast-text.ts'
import { sceneOf, type ForecastWorld, type Foretold } from '../forecast-world.ts'
import { limitsInForce } from '../tenant/limits.ts'
import type { PersonaObject } from './schema.ts'

/** FC11 sprites of its agent type that work with another text from their next task on, or have none. */
export function personaForecast(world: ForecastWorld, change: Foretold<PersonaObject>): readonly string[] {
  const { object, operation } = change
  const { name, namespace = '' } = object.metadata
  const scene = sceneOf(world, namespace)
  // Without custom personas it is not in force, whatever it says.
  if (scene === undefined || limitsInForce(scene.tenant, scene.plan)?.customPersonas !== true) return []
  const sprites = scene.sprites.filter((sprite) => sprite.spec.agentType === name && !isDeleting(sprite))
  if (sprites.length === 0) return []
  const which = `${counted(sprites.length, 'sprite')} ${named(sprites.map(({ metadata }) => metadata.name))}`
  const [take, have] = sprites.length === 1 ? ['takes', 'has'] : ['take', 'have']
  if (operation !== 'DELETE') return [`${which} ${take} this text from the next task on`]
  if (world.builtinAgentTypes.has(name)) return [`${which} ${take} the built-in persona from the next task on`]
  return [`${which} ${have} no persona then and can do no work`]
}
