/**
 * Decides what the controllers would do about a tenant's fleet, with their own decisions, and does nothing. Pure.
 *
 * Looks one round ahead: projects make their sprites and first tasks, tasks go to sprites, slots are granted, and each
 * sprite's machine follows. What agents will hand off cannot be known.
 */
import { isDeleting } from '../../api/object.ts'
import { assignedWork, contendersOf } from '../slotledger/contenders.ts'
import { decideSlots } from '../slotledger/decide.ts'
import type { SlotLedgerStatus } from '../slotledger/schema.ts'
import { fateOf, type Fate } from '../sprite/fate.ts'
import type { Sprite } from '../sprite/schema.ts'
import { decideDispatch } from '../work/dispatch.ts'
import { isSpent, waitOf, type Wait } from '../work/eligible.ts'
import { isTerminal, type Work } from '../work/schema.ts'
import { afterProjects, type Grown, type PlanObject } from './growth.ts'
import { asBudgeted } from './budget.ts'
import { limitsInForce, type EffectiveLimits } from './limits.ts'
import type { Scene } from './scene.ts'

/** What would become of one sprite, and the work that is assigned to it then. */
export type SpriteOutlook = { readonly sprite: Sprite; readonly fate: Fate; readonly tasks: readonly Work[] }

/** What the controllers would do about one tenant. */
export type Outlook = {
  readonly limits: EffectiveLimits
  /** In order of names. */
  readonly sprites: readonly SpriteOutlook[]
  /** Objects that projects make or delete. */
  readonly objects: readonly PlanObject[]
  /** Pending work that waits for something other than a sprite, by name. */
  readonly waits: ReadonlyMap<string, Wait>
  /** Names of assigned work whose sprite cannot come: it is pending again. */
  readonly recalled: ReadonlySet<string>
  /** After the slots have been granted. */
  readonly ledger: SlotLedgerStatus
}

/** The outlook of a tenant; `before` is how it is declared now. Undefined while its limits are not known. */
export function outlookOf(scene: Scene, before: Scene | undefined): Outlook | undefined {
  const limits = limitsInForce(scene.tenant, scene.plan)
  if (limits === undefined) return undefined
  const tenant = asBudgeted({ ...scene.tenant, status: { ...scene.tenant.status, limits } }, limits)
  const grown = afterProjects(scene, limits)
  const { work, waits, recalled } = afterDispatch({ ...scene, tenant }, grown)
  const ledger = afterSlots({ ...scene, ...grown, tenant, work }, limits)
  const earlier = new Map(before?.sprites.map((sprite) => [sprite.metadata.name, sprite]))
  const projects = new Map(grown.projects.map((project) => [project.metadata.name, project]))
  const tasksOf = assignedWork(work)
  const sprites = grown.sprites.toSorted(byName).map((sprite) => {
    const { name } = sprite.metadata
    const tasks = tasksOf.get(name) ?? []
    const fate = fateOf({
      nowMs: scene.nowMs,
      sprite,
      before: earlier.get(name),
      tenant,
      limits,
      limitsBefore: before === undefined ? undefined : limitsInForce(before.tenant, before.plan),
      project: sprite.spec.project === undefined ? undefined : projects.get(sprite.spec.project),
      tasks,
      ledger,
      defaults: scene.defaults,
      frozenBy: scene.frozenBy,
    })
    return { sprite, fate, tasks }
  })
  return { limits, sprites, objects: grown.objects, waits, recalled, ledger }
}

const byName = (a: Sprite, b: Sprite): number => (a.metadata.name < b.metadata.name ? -1 : 1)

/** What is to stop gives its slot back on the way: it takes none from those that come. */
function afterSlots(scene: Scene, limits: EffectiveLimits): SlotLedgerStatus {
  const contenders = contendersOf(scene).map((contender) => ({
    ...contender,
    mayRun: contender.mayRun && contender.wants,
  }))
  const { nowMs, now, ledger } = scene
  return decideSlots({ nowMs, now, limits, contenders, ledger, machines: undefined }).status
}

/** All work, with what can go to a sprite now given to one. */
function afterDispatch(
  scene: Scene,
  grown: Grown,
): Pick<Outlook, 'waits' | 'recalled'> & { readonly work: readonly Work[] } {
  const { nowMs, tenant } = scene
  const open = grown.work.filter((work) => !isTerminal(work.status?.phase))
  const dependencies = new Map(grown.work.map((work) => [work.metadata.name, work]))
  const projects = new Map(grown.projects.map((project) => [project.metadata.name, project]))
  const waits = new Map<string, Wait>()
  const pending = open.filter((work) => {
    if (!isPending(work)) return false
    const wait = waitOf({ nowMs, work, tenant, project: projects.get(work.spec.project ?? ''), dependencies })
    if (wait !== undefined) waits.set(work.metadata.name, wait)
    return wait === undefined
  })
  const { assign, recall } = decideDispatch({
    nowMs,
    sprites: grown.sprites,
    pending,
    active: open.filter(({ status }) => status?.phase === 'Assigned' || status?.phase === 'InProgress'),
    slotHolders: new Set((scene.ledger.holders ?? []).map(({ uid }) => uid)),
  })
  const given = new Map(assign.map(({ work, sprite }) => [work.metadata.name, sprite.metadata.name]))
  const recalled = new Set(recall.map((work) => work.metadata.name))
  const work = grown.work.map((one) => placed(one, given.get(one.metadata.name), recalled.has(one.metadata.name)))
  return { work, waits, recalled }
}

const isPending = (work: Work): boolean => (work.status?.phase ?? 'Pending') === 'Pending' && !isSpent(work)

/** The work where dispatch puts it. */
function placed(work: Work, sprite: string | undefined, isRecalled: boolean): Work {
  if (sprite !== undefined) return { ...work, status: { ...work.status, phase: 'Assigned', assignedSprite: sprite } }
  const isOver = (work.spec.cancelled || isDeleting(work)) && !isTerminal(work.status?.phase)
  if (!isRecalled && !isOver) return work
  const { assignedSprite: _back, ...status } = work.status ?? {}
  return { ...work, status: { ...status, phase: isOver ? 'Cancelled' : 'Pending' } }
}
