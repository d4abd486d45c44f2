/** Decides where a project stands and why, as one ordered list of checks: the first that holds wins. Pure. */
import { findCondition, isTrue, type ConditionPatch } from '../../api/conditions.ts'
import { nameList } from '../names.ts'
import type { Work } from '../work/schema.ts'
import { refusedAgentTypes } from './desire.ts'
import type { ProjectStatus } from './schema.ts'
import type { ProjectWorld, Refusal } from './world.ts'

/** Counts of the project's work by phase. */
export type WorkCounts = NonNullable<ProjectStatus['work']>

/** What a project's phase is judged from. */
export type PhaseWorld = {
  readonly world: ProjectWorld
  /** Work of the project. */
  readonly mine: readonly Work[]
  readonly counts: WorkCounts
  readonly refusals: readonly Refusal[]
}

/** The phase of a project, with the reason for its conditions. */
export type Judgement = {
  readonly phase: NonNullable<ProjectStatus['phase']>
  readonly reason: string
  readonly message: string
  /** ready: as declared; waiting: it goes on by itself; stalled: somebody must act; failing: it goes on, but not all of it. */
  readonly standing: 'ready' | 'waiting' | 'stalled' | 'failing'
}

/** Where the project stands. */
export const judgePhase = (view: PhaseWorld): Judgement =>
  isSuspended(view) ??
  tenantIsMissing(view) ??
  agentTypesAreRefused(view) ??
  creationWasRefused(view) ??
  hasNoWork(view) ??
  workHasFailed(view) ??
  isCompleted(view) ??
  nothingCanGoOn(view) ?? {
    phase: 'Active',
    reason: 'Active',
    message: 'Work goes on',
    standing: 'ready',
  }

type Check = (view: PhaseWorld) => Judgement | undefined

const isSuspended: Check = ({ world }) =>
  world.project.spec.suspend
    ? {
        phase: 'Suspended',
        reason: 'Suspended',
        message: 'Its sprites are stopped and its work waits: set spec.suspend to false to go on',
        standing: 'ready',
      }
    : undefined

const tenantIsMissing: Check = ({ world }) =>
  world.agents === undefined
    ? {
        phase: 'Pending',
        reason: 'TenantNotReady',
        message: 'Waits for its tenant and the plan of its tenant',
        standing: 'waiting',
      }
    : undefined

const agentTypesAreRefused: Check = (view) => {
  const { project, agents } = view.world
  const refused = agents === undefined ? [] : refusedAgentTypes(project, agents)
  if (refused.length === 0) return undefined
  const message = `The tenant may not use agent types ${nameList(refused)}: enable them, take a larger plan, or remove them`
  return { phase: phaseByWork(view), reason: 'AgentTypeNotAllowed', message, standing: 'stalled' }
}

const creationWasRefused: Check = (view) => {
  const [first] = [...view.refusals].sort((a, b) => (a.name < b.name ? -1 : 1))
  if (first === undefined) return undefined
  return {
    phase: phaseByWork(view),
    reason: 'Refused',
    message: `${first.name}: ${first.message}`,
    standing: 'stalled',
  }
}

const hasNoWork: Check = ({ counts }) =>
  counts.pending + counts.active + counts.completed + counts.failed === 0
    ? {
        phase: 'Pending',
        reason: 'WaitingForWork',
        message: 'No work is declared yet: add spec.work or create Work for it',
        standing: 'ready',
      }
    : undefined

const workHasFailed: Check = (view) => {
  const failed = view.mine.filter((work) => work.status?.phase === 'Failed').map((work) => work.metadata.name)
  if (failed.length === 0) return undefined
  const message = `Work ${nameList(failed)} failed for good: see its attempts, then retry it, delete it or create another in its place`
  const goesOn = canGoOn(view)
  return {
    phase: goesOn ? 'Active' : 'Blocked',
    reason: 'WorkFailed',
    message,
    standing: goesOn ? 'failing' : 'stalled',
  }
}

const isCompleted: Check = ({ counts }) =>
  counts.pending + counts.active === 0
    ? { phase: 'Completed', reason: 'Completed', message: 'All of its work is completed', standing: 'ready' }
    : undefined

const nothingCanGoOn: Check = (view) => {
  if (canGoOn(view)) return undefined
  const stuck = view.mine.filter((work) => (work.status?.phase ?? 'Pending') === 'Pending' && isStuck(work))
  const why = stuck
    .map((work) => findCondition(work.status?.conditions, 'Ready')?.reason ?? '')
    .filter((reason) => reason !== 'WaitingForDependencies')
  const names = nameList(stuck.map((work) => work.metadata.name))
  const message = `Work ${names} cannot go on (${nameList(why)}): see blockers and its conditions`
  return { phase: 'Blocked', reason: 'Blocked', message, standing: 'stalled' }
}

/** Whether some work is in hand, or waits for nothing that somebody must do first. */
function canGoOn({ mine, counts }: PhaseWorld): boolean {
  const waiting = mine.filter((work) => (work.status?.phase ?? 'Pending') === 'Pending')
  const coming = counts.pending - waiting.length
  return counts.active > 0 || coming > 0 || waiting.some((work) => !isStuck(work))
}

/** Whether a waiting work cannot go on by itself: somebody must act, or other work must. */
const isStuck = (work: Work): boolean =>
  isTrue(work.status?.conditions, 'Stalled') ||
  findCondition(work.status?.conditions, 'Ready')?.reason === 'WaitingForDependencies'

const phaseByWork = (view: PhaseWorld): Judgement['phase'] => (canGoOn(view) ? 'Active' : 'Blocked')

/** Ready sums up; Completed is there to be waited for. */
export function conditionsOf({ phase, reason, message, standing }: Judgement): readonly ConditionPatch[] {
  const is = (type: string, holds: boolean): ConditionPatch => ({
    type,
    status: holds ? 'True' : 'False',
    reason,
    message,
  })
  return [
    is('Ready', standing === 'ready'),
    is('Completed', phase === 'Completed'),
    is('Stalled', standing === 'stalled'),
    is('Reconciling', standing === 'waiting'),
  ]
}
