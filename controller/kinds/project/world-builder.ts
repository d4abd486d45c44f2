/** Builds worlds around a project for tests. Pure. */
import type { OwnerReference } from '../../api/object.ts'
import { controllerReference } from '../marks.ts'
import { projectOf, spriteOf, TEST_AGENT_TYPES, TEST_NOW, workOf } from '../object-builders.ts'
import type { Sprite } from '../sprite/schema.ts'
import type { Work, WorkStatus } from '../work/schema.ts'
import type { Project } from './schema.ts'
import type { ProjectWorld } from './world.ts'

/** A first task of a project. */
export const task = (name: string, agentType = 'copywriter', dependsOn: string[] = []) => ({
  name,
  type: 'write_copy',
  agentType,
  description: 'Write',
  ...(dependsOn.length === 0 ? {} : { dependsOn }),
})

/** The world around a project; `limit` is how many agent types the plan has. */
export const worldOf = (
  project: Project,
  over: Partial<ProjectWorld> & { limit?: number | null } = {},
): ProjectWorld => {
  const { limit = null, ...rest } = over
  const sprites = over.sprites ?? []
  return {
    project,
    now: TEST_NOW,
    sprites,
    work: [],
    agents: {
      builtinAgentTypes: TEST_AGENT_TYPES,
      personas: [],
      sprites,
      projects: [project],
      agentTypesLimit: limit,
      customPersonas: false,
      enabledAgents: undefined,
    },
    ...rest,
  }
}

/** Metadata of what a project manages. */
export const own = (project: Project): { ownerReferences: OwnerReference[] } => ({
  ownerReferences: [controllerReference(project)],
})
/** A sprite that the project manages. */
export const ownSprite = (project: Project, name: string, over: Parameters<typeof spriteOf>[1] = {}): Sprite =>
  spriteOf(name, {
    ...over,
    metadata: { ...own(project), ...over.metadata },
    spec: { project: project.metadata.name, ...over.spec },
  })
/** Work of project q1. */
export const ownWork = (name: string, status: WorkStatus = {}, over: Partial<Work['spec']> = {}): Work =>
  workOf(name, { spec: { project: 'q1', ...over }, status })
/** The project q1. */
export const q1 = (spec: Partial<Project['spec']> = {}, status: Project['status'] = {}): Project =>
  projectOf('q1', { spec, status })
