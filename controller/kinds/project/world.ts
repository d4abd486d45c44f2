/** What one decision about a project may look at, and what it may answer. Pure: types only. */
import type { AgentTypeWorld } from '../agent-types.ts'
import type { Sprite, SpriteSpec } from '../sprite/schema.ts'
import type { Work } from '../work/schema.ts'
import type { Project, ProjectSpec, ProjectStatus } from './schema.ts'

/** What one decision about a project looks at. */
export type ProjectWorld = {
  readonly project: Project
  /** Timestamp of now. */
  readonly now: string
  /** All sprites of the tenant. */
  readonly sprites: readonly Sprite[]
  /** All work of the tenant. */
  readonly work: readonly Work[]
  /** What the judgement of agent types looks at; undefined while tenant or plan are not there, or the tenant is going. */
  readonly agents: AgentTypeWorld | undefined
}

/** One task that a project declares. */
export type InitialWork = ProjectSpec['work'][number]

/** One call of a port for a project, as data. */
export type ProjectAction =
  | {
      readonly do: 'createSprite'
      readonly name: string
      readonly agentType: string
      readonly runPolicy: SpriteSpec['runPolicy']
    }
  | { readonly do: 'setRunPolicy'; readonly sprite: Sprite; readonly runPolicy: SpriteSpec['runPolicy'] }
  | { readonly do: 'deleteSprite'; readonly sprite: Sprite }
  | {
      readonly do: 'createWork'
      readonly name: string
      readonly item: InitialWork
      /** Names of Work objects. */
      readonly dependsOn: readonly string[]
    }

/** A create that the server refused for good; the action's name and the server's words. */
export type Refusal = { readonly name: string; readonly message: string }

/** What a project needs now. */
export type ProjectDecision = {
  readonly actions: readonly ProjectAction[]
  /** Absent when nothing is to be said: the project is being deleted. */
  readonly status?: ProjectStatus
}
