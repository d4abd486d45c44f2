/** Decides which sprites and which first tasks a project is to have, and what is missing of them. Pure. */
import { isDeleting } from '../../api/object.ts'
import { agentTypesInUse, agentTypesOf, judgeAgentType, type AgentTypeWorld } from '../agent-types.ts'
import { NAME_CHARS_MAX } from '../fields.ts'
import { isControlledBy, isPaused } from '../marks.ts'
import { boundedName, hashedName } from '../names.ts'
import type { Sprite, SpriteSpec } from '../sprite/schema.ts'
import { isTerminal, type Work } from '../work/schema.ts'
import type { Project } from './schema.ts'
import type { InitialWork, ProjectAction, ProjectWorld } from './world.ts'

/** Names of Work may be longer; these stay short enough to be read. */
const WORK_NAME_CHARS_MAX = 80

/** Sprites that the project manages and that are not on their way out. */
export const ownSprites = ({ project, sprites }: Pick<ProjectWorld, 'project' | 'sprites'>): readonly Sprite[] =>
  sprites.filter((sprite) => isControlledBy(sprite, project) && !isDeleting(sprite))

/** Agent types that the project names and the tenant may not use now, sorted. */
export function refusedAgentTypes(project: Project, agents: AgentTypeWorld): readonly string[] {
  const inUse = agentTypesInUse(agents)
  return agentTypesOf(project)
    .filter((agentType) => judgeAgentType(agentType, agents, inUse) !== 'allowed')
    .sort()
}

/** The actions of a pass, at most one a sprite and one a task. */
export function missingOf(world: ProjectWorld): readonly ProjectAction[] {
  const { project, agents } = world
  if (agents === undefined || isPaused(project)) return []
  const refused = new Set(refusedAgentTypes(project, agents))
  return [
    ...spritesToCreate(world, refused),
    ...runPoliciesToSet(world),
    ...spritesToDelete(world),
    ...workToCreate(world, refused),
  ]
}

/** The run policy of the project's sprites: the project owns this field of theirs. */
export const runPolicyOf = (project: Project): SpriteSpec['runPolicy'] =>
  project.spec.suspend ? 'Stopped' : project.spec.runPolicy

function spritesToCreate(world: ProjectWorld, refused: ReadonlySet<string>): readonly ProjectAction[] {
  const { project } = world
  const present = new Set(ownSprites(world).map((sprite) => sprite.spec.agentType))
  const runPolicy = runPolicyOf(project)
  return project.spec.agentsNeeded
    .filter((agentType) => !present.has(agentType) && !refused.has(agentType))
    .flatMap((agentType): readonly ProjectAction[] => {
      const name = nameFor(project, { part: agentType, among: world.sprites, charsMax: NAME_CHARS_MAX })
      return name === undefined ? [] : [{ do: 'createSprite', name, agentType, runPolicy }]
    })
}

const isNeeded = (world: ProjectWorld, sprite: Sprite): boolean =>
  world.project.spec.agentsNeeded.includes(sprite.spec.agentType)

function runPoliciesToSet(world: ProjectWorld): readonly ProjectAction[] {
  const runPolicy = runPolicyOf(world.project)
  return ownSprites(world)
    .filter((sprite) => isNeeded(world, sprite) && sprite.spec.runPolicy !== runPolicy)
    .map((sprite) => ({ do: 'setRunPolicy', sprite, runPolicy }))
}

/** A sprite that is no longer needed finishes what it has in hand first. */
function spritesToDelete(world: ProjectWorld): readonly ProjectAction[] {
  return ownSprites(world)
    .filter((sprite) => !isNeeded(world, sprite) && !hasTask(sprite, world.work))
    .map((sprite) => ({ do: 'deleteSprite', sprite }))
}

const hasTask = (sprite: Sprite, work: readonly Work[]): boolean =>
  sprite.status?.currentTask !== undefined ||
  work.some((one) => one.status?.assignedSprite === sprite.metadata.name && !isTerminal(one.status.phase))

function workToCreate(world: ProjectWorld, refused: ReadonlySet<string>): readonly ProjectAction[] {
  const created = new Set(world.project.status?.workCreated ?? [])
  return world.project.spec.work
    .filter((item) => !created.has(item.name) && !refused.has(item.agentType))
    .flatMap((item): readonly ProjectAction[] => {
      if (workFor(world, item) !== undefined) return []
      const name = workNameFor(world, item.name)
      const dependsOn = (item.dependsOn ?? []).map((dependency) => workNameFor(world, dependency))
      if (name === undefined || !dependsOn.every(isKnown)) return []
      return [{ do: 'createWork', name, item, dependsOn }]
    })
}

const isKnown = (name: string | undefined): name is string => name !== undefined

/** The Work that was made of a first task, if it is there. */
export function workFor(world: ProjectWorld, item: Pick<InitialWork, 'name'>): Work | undefined {
  const name = workNameFor(world, item.name)
  return world.work.find((work) => work.metadata.name === name && holding(work, world.project) === 'own')
}

const workNameFor = (world: ProjectWorld, itemName: string): string | undefined =>
  nameFor(world.project, { part: itemName, among: world.work, charsMax: WORK_NAME_CHARS_MAX })

type NameWish = {
  readonly part: string
  readonly among: readonly (Sprite | Work)[]
  readonly charsMax: number
}

/**
 * `<project>-<part>`, or the same with a hash when somebody else has that name; undefined while the name's last
 * holder is still going. Two projects can come to one name: `a-b` with `c`, and `a` with `b-c`.
 */
function nameFor(project: Project, { part, among, charsMax }: NameWish): string | undefined {
  const text = `${project.metadata.name}-${part}`
  const names = [boundedName(text, charsMax), hashedName(text, `${project.metadata.uid}/${part}`, charsMax)]
  const held = names.map((name) => ({
    name,
    by: holding(
      among.find((object) => object.metadata.name === name),
      project,
    ),
  }))
  const own = held.find(({ by }) => by === 'own')
  if (own !== undefined) return own.name
  const next = held.find(({ by }) => by !== 'foreign')
  return next?.by === 'free' ? next.name : undefined
}

/** Whose a name is. What an earlier project of the same name left behind is being collected: it is going. */
function holding(object: Sprite | Work | undefined, project: Project): 'free' | 'own' | 'going' | 'foreign' {
  if (object === undefined) return 'free'
  if (isDeleting(object)) return 'going'
  if (isControlledBy(object, project)) return 'own'
  const controller = object.metadata.ownerReferences?.find((ref) => ref.controller === true)
  if (controller?.kind === project.kind && controller.name === project.metadata.name) return 'going'
  // Work of that name that a person declared for the project counts as the task: it is not doubled.
  const isDeclaredFor = object.kind === 'Work' && object.spec.project === project.metadata.name
  return controller === undefined && isDeclaredFor ? 'own' : 'foreign'
}
