/** Decides what the status of a project says of its sprites and its work. Pure. */
import type { Blocker } from '../../api/blocker.ts'
import { mergeConditions } from '../../api/conditions.ts'
import type { Sprite } from '../sprite/schema.ts'
import { isTerminal, type Work } from '../work/schema.ts'
import { ownSprites, workFor } from './desire.ts'
import type { ProjectStatus } from './schema.ts'
import { conditionsOf, judgePhase, type WorkCounts } from './phase.ts'
import type { ProjectAction, ProjectWorld, Refusal } from './world.ts'

const DELIVERABLES_MAX = 500
const SPRITES_MAX = 100
const BLOCKERS_MAX = 16

/** The status once `actions` are done, but for those that were refused. */
export function statusOf(
  world: ProjectWorld,
  actions: readonly ProjectAction[],
  refusals: readonly Refusal[],
): ProjectStatus {
  const { project, now } = world
  const refusedNames = new Set(refusals.map((refusal) => refusal.name))
  const done = actions.filter((action) => !('name' in action) || !refusedNames.has(action.name))
  const mine = world.work.filter((work) => work.spec.project === project.metadata.name)
  const coming = done.filter((action) => action.do === 'createWork').length
  const sprites = assignedSprites(world, done)
  const counts = countWork(mine, coming)
  const total = counts.pending + counts.active + counts.completed + counts.failed
  const judgement = judgePhase({ world, mine, counts, refusals })
  const blockers = blockersOf(world, mine)
  const { generation } = project.metadata
  return {
    observedGeneration: generation,
    phase: judgement.phase,
    spritesAssigned: sprites,
    spritesText: String(sprites.length),
    deliverables: deliverablesOf(mine, world.sprites),
    work: counts,
    workCreated: createdItems(world, done),
    workText: `${counts.completed}/${total}`,
    ...(blockers.length === 0 ? {} : { blockers }),
    conditions: mergeConditions(project.status?.conditions, conditionsOf(judgement), { generation, now }),
  }
}

/** `coming` are first tasks that are being created in this pass. */
function countWork(mine: readonly Work[], coming: number): WorkCounts {
  const phases = mine.map((work) => work.status?.phase ?? 'Pending')
  const count = (...wanted: readonly string[]): number => phases.filter((phase) => wanted.includes(phase)).length
  return {
    pending: count('Pending') + coming,
    active: count('Assigned', 'InProgress', 'InReview'),
    completed: count('Completed'),
    failed: count('Failed', 'Cancelled'),
  }
}

/** Sprites that work for the project: its own, those that a person declared for it, and those being created. */
function assignedSprites(world: ProjectWorld, done: readonly ProjectAction[]): string[] {
  const going = new Set(done.flatMap((action) => (action.do === 'deleteSprite' ? [action.sprite.metadata.name] : [])))
  const present = world.sprites
    .filter((sprite) => sprite.spec.project === world.project.metadata.name)
    .filter((sprite) => sprite.metadata.deletionTimestamp === undefined && !going.has(sprite.metadata.name))
    .map((sprite) => sprite.metadata.name)
  const coming = done.flatMap((action) => (action.do === 'createSprite' ? [action.name] : []))
  return [...new Set([...present, ...coming])].sort().slice(0, SPRITES_MAX)
}

/** First tasks that are Work by now. Those no longer in spec are forgotten, so that the list stays bounded. */
function createdItems(world: ProjectWorld, done: readonly ProjectAction[]): string[] {
  const before = new Set(world.project.status?.workCreated ?? [])
  const now = new Set(done.flatMap((action) => (action.do === 'createWork' ? [action.item.name] : [])))
  return world.project.spec.work
    .filter((item) => before.has(item.name) || now.has(item.name) || workFor(world, item) !== undefined)
    .map((item) => item.name)
    .sort()
}

type Delivered = NonNullable<ProjectStatus['deliverables']>[number]

/** What completed work delivered, oldest first; of very many the newest are kept. */
function deliverablesOf(mine: readonly Work[], sprites: readonly Sprite[]): Delivered[] {
  return mine
    .flatMap((work): readonly Delivered[] => {
      const { phase, completionTime: time, deliverables = [] } = work.status ?? {}
      if (phase !== 'Completed' || time === undefined) return []
      const agentType = agentTypeOf(work, sprites)
      return deliverables.map(({ name, digest }) => ({ name, work: work.metadata.name, agentType, time, digest }))
    })
    .sort((a, b) => compare(orderOf(a), orderOf(b)))
    .slice(-DELIVERABLES_MAX)
}

const orderOf = (one: Delivered): string => [one.time, one.work, one.name].join('\u0000')
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Work may name a sprite only: then the agent type is the sprite's, as long as it is there. */
const agentTypeOf = ({ spec }: Work, sprites: readonly Sprite[]): string =>
  spec.agentType ?? sprites.find((sprite) => sprite.metadata.name === spec.sprite)?.spec.agentType ?? ''

/** What stands in the way of its work and its sprites, each thing once. */
function blockersOf(world: ProjectWorld, mine: readonly Work[]): Blocker[] {
  const fromWork = mine.filter((work) => !isTerminal(work.status?.phase)).flatMap((work) => work.status?.blockers ?? [])
  const fromSprites = ownSprites(world).flatMap((sprite) => sprite.status?.blockers ?? [])
  const once = new Map([...fromWork, ...fromSprites].map((blocker) => [blockerKey(blocker), blocker]))
  return [...once]
    .sort(([a], [b]) => compare(a, b))
    .map(([, blocker]) => blocker)
    .slice(0, BLOCKERS_MAX)
}

const blockerKey = ({ reason, position, fix, holders }: Blocker): string =>
  JSON.stringify([reason, position ?? 0, fix, holders ?? []])
