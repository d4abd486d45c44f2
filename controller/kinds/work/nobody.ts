/** Words that no sprite does a work, and where those are that would. Pure. */
import { nameList } from '../names.ts'
import type { Sprite } from '../sprite/schema.ts'
import { suits } from './dispatch.ts'
import type { Work } from './schema.ts'

/** What is missing, without what would help: asked when no sprite of the tenant suits the work. */
export function nobodyText(work: Work): string {
  const { sprite, agentType, project } = work.spec
  const wanted = sprite === undefined ? `of agent type "${agentType ?? ''}"` : `named "${sprite}"`
  return `No sprite ${wanted} is declared${project === undefined ? '' : ` for project "${project}" or for any`}`
}

/** Projects whose own sprites would do a work that names no project, as a remark; empty when there are none. */
export function elsewhereText(work: Work, sprites: readonly Sprite[]): string {
  if (work.spec.project !== undefined) return ''
  const projects = sprites.flatMap(({ spec }) => spec.project ?? [])
  const able = [...new Set(projects)].filter((project) => {
    const moved = { ...work, spec: { ...work.spec, project } }
    return sprites.some((sprite) => sprite.spec.project === project && suits(sprite, moved))
  })
  if (able.length === 0) return ''
  return `; those of project ${nameList(able.sort())} do its work alone: set spec.project`
}
