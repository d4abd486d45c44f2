/** Decides from the cache what a person watches, and whether all of it is over. */
import type { Cache } from '../engine/types.ts'
import { projectKind, type Project } from '../kinds/project/schema.ts'
import { spriteKind, type Sprite } from '../kinds/sprite/schema.ts'
import { tenantKind, type Tenant } from '../kinds/tenant/schema.ts'
import { isTerminal, workKind, type Work } from '../kinds/work/schema.ts'

/** What the terminal shows of the fleet, read from the cache. */
export type FleetState = {
  readonly tenants: readonly Tenant[]
  readonly projects: readonly Project[]
  readonly sprites: readonly Sprite[]
  readonly work: readonly Work[]
}

/** All that is declared, as the cache has it. */
export const stateOf = (cache: Cache): FleetState => ({
  tenants: cache.list(tenantKind),
  projects: cache.list(projectKind),
  sprites: cache.list(spriteKind),
  work: cache.list(workKind),
})

/** Whether every work is terminal, every hand-off has become a work, and every project has seen its own. Pure. */
export function isAllOver(state: FleetState): boolean {
  const isSettled = state.projects.every(
    (project) =>
      project.status?.observedGeneration === project.metadata.generation &&
      project.status.phase !== 'Pending' &&
      (project.status.phase !== 'Active' || project.spec.work.length === 0 || project.spec.suspend),
  )
  const isSeen = state.tenants.every((tenant) => tenant.status?.observedGeneration === tenant.metadata.generation)
  return isSeen && isSettled && state.work.every((work) => isTerminal(work.status?.phase) && isHandedOn(work))
}

const isHandedOn = (work: Work): boolean =>
  work.status?.phase !== 'Completed' ||
  (work.status.handOffs ?? []).every((handOff) => handOff.created === true || handOff.refused !== undefined)
