/** Decides which changes around a project wake it. Pure but for reading the cache. */
import { findCondition, isTrue } from '../../api/conditions.ts'
import { keyOf, type Key } from '../../api/object.ts'
import { watchOf, type Cache, type SecondaryWatch } from '../../engine/types.ts'
import { agentTypesOf } from '../agent-types.ts'
import { moved } from '../changes.ts'
import { personaKind } from '../persona/schema.ts'
import { spriteKind, type Sprite } from '../sprite/schema.ts'
import { tenantKind } from '../tenant/schema.ts'
import { workKind, type Work } from '../work/schema.ts'
import { projectKind } from './schema.ts'

/** Sprites and work of the project; tenant and personas; and others that give up an agent type of the plan. */
export function projectWatches(cache: Cache): readonly SecondaryWatch[] {
  const projectsOf = (namespace: string | undefined): readonly Key[] =>
    cache.list(projectKind, namespace ?? '').map(keyOf)
  const refusedOf = (namespace: string | undefined): readonly Key[] =>
    cache
      .list(projectKind, namespace ?? '')
      .filter((project) => findCondition(project.status?.conditions, 'Ready')?.reason === 'AgentTypeNotAllowed')
      .map(keyOf)
  return [
    watchOf(spriteKind, (sprite, previous) => [
      ...(moved(sprite, previous, seenOfSprite) ? keysOf(sprite, sprite.spec.project) : []),
      ...(moved(sprite, previous, () => undefined) ? refusedOf(sprite.metadata.namespace) : []),
    ]),
    watchOf(workKind, (work, previous) =>
      moved(work, previous, seenOfWork)
        ? [...keysOf(work, work.spec.project), ...keysOf(work, previous?.spec.project)]
        : [],
    ),
    watchOf(projectKind, (project, previous) =>
      moved(project, previous, agentTypesOf) ? refusedOf(project.metadata.namespace) : [],
    ),
    watchOf(tenantKind, (tenant, previous) =>
      moved(tenant, previous, (one) => [one.spec.plan, one.spec.config.enabledAgents, one.status?.limits])
        ? projectsOf(tenant.metadata.name)
        : [],
    ),
    watchOf(personaKind, (persona, previous) =>
      moved(persona, previous, () => undefined) ? projectsOf(persona.metadata.namespace) : [],
    ),
  ]
}

const keysOf = (object: Sprite | Work, project: string | undefined): readonly Key[] =>
  project === undefined ? [] : [{ namespace: object.metadata.namespace ?? '', name: project }]

/** A task that begins changes nothing for the project; one that ends may free a sprite that is no longer needed. */
const seenOfSprite = (sprite: Sprite): unknown => [
  sprite.spec.runPolicy,
  sprite.status?.currentTask === undefined,
  sprite.status?.blockers,
]

const seenOfWork = (work: Work): unknown => [
  work.spec.project,
  work.status?.phase,
  work.status?.deliverables?.map(({ name, digest }) => [name, digest]),
  work.status?.blockers,
  isTrue(work.status?.conditions, 'Stalled'),
  findCondition(work.status?.conditions, 'Ready')?.reason,
]
