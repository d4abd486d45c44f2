/** Decides which sprites contend for a slot, and how urgently, from what is declared and what work is assigned. Pure. */
import type { Project } from '../project/schema.ts'
import type { Sprite } from '../sprite/schema.ts'
import { lacksPersona, wantsMachine } from '../sprite/want.ts'
import type { Tenant } from '../tenant/schema.ts'
import type { Work } from '../work/schema.ts'
import type { Contender } from './decide.ts'

/** Of whom it is decided who contends for a slot. */
export type TenantWorld = {
  readonly nowMs: number
  readonly tenant: Tenant
  readonly sprites: readonly Sprite[]
  readonly work: readonly Work[]
  readonly projects: readonly Project[]
}

/** One contender for each sprite that exists, also those that want nothing: they may still hold a slot. */
export function contendersOf(world: TenantWorld): Contender[] {
  const assigned = assignedWork(world.work)
  const projects = new Map(world.projects.map((project) => [project.metadata.name, project]))
  return world.sprites.map((sprite) => {
    const tasks = assigned.get(sprite.metadata.name) ?? []
    const project = sprite.spec.project === undefined ? undefined : projects.get(sprite.spec.project)
    const want = wantsMachine({
      nowMs: world.nowMs,
      sprite,
      tenant: world.tenant,
      project,
      assignedWork: tasks.length,
      isRevoked: false,
    })
    const isWorking = tasks.some((work) => work.status?.phase === 'InProgress')
    return {
      uid: sprite.metadata.uid,
      sprite: sprite.metadata.name,
      createdAt: sprite.metadata.creationTimestamp,
      wants: want.wants && !lacksPersona(sprite),
      urgent: tasks.length > 0,
      isAlways: sprite.spec.runPolicy === 'Always',
      priority: world.tenant.status?.limits?.priorityRouting
        ? Math.max(0, ...tasks.map((work) => work.spec.priority))
        : 0,
      canYield: tasks.length === 0,
      isWorking,
      mayRun: mayRun(sprite),
    }
  })
}

/** A machine that is being made, started or run; one that comes to rest may have given its slot back already. */
function mayRun(sprite: Sprite): boolean {
  const intent = sprite.status?.machine?.intent
  return intent === 'Create' || intent === 'Start' || intent === 'Run'
}

/** Work that is assigned and not over, by the name of its sprite. */
export function assignedWork(work: readonly Work[]): Map<string, Work[]> {
  const bySprite = new Map<string, Work[]>()
  for (const one of work) {
    const sprite = one.status?.assignedSprite
    if (sprite === undefined || !ACTIVE.has(one.status?.phase ?? '')) continue
    bySprite.set(sprite, [...(bySprite.get(sprite) ?? []), one])
  }
  return bySprite
}

const ACTIVE: ReadonlySet<string> = new Set(['Assigned', 'InProgress'])
