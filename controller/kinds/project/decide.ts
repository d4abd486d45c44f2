/** Decides what a pass does for a Project and what its status says. Pure. */
import { isDeleting } from '../../api/object.ts'
import { missingOf } from './desire.ts'
import { statusOf } from './status.ts'
import type { ProjectDecision, ProjectWorld } from './world.ts'

/** One pass: what is missing is made, what is no longer needed goes, and the status says how it stands then. */
export function decideProject(world: ProjectWorld): ProjectDecision {
  // Its sprites and first tasks follow it by garbage collection.
  if (isDeleting(world.project)) return { actions: [] }
  const actions = missingOf(world)
  return { actions, status: statusOf(world, actions, []) }
}
