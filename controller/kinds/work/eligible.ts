/** Decides whether a work may go to a sprite now, and if not, what it waits for. Pure. */
import { isDeleting } from '../../api/object.ts'
import { isTrue } from '../../api/conditions.ts'
import type { Project } from '../project/schema.ts'
import type { Tenant } from '../tenant/schema.ts'
import { attemptsAreExhausted, lastAttempt, retryNotBeforeMs } from './attempts.ts'
import type { Work } from './schema.ts'

/** What is looked at to see what a work waits for. */
export type EligibleWorld = {
  readonly nowMs: number
  readonly work: Work
  readonly tenant: Tenant | undefined
  readonly project: Project | undefined
  /** Work that it depends on, by name; absent ones do not exist (yet). */
  readonly dependencies: ReadonlyMap<string, Work>
}

/** What a work waits for, other than a sprite. */
export type Wait = {
  readonly reason:
    | 'Suspended'
    | 'WaitingForDependencies'
    | 'AgentTypeNotAllowed'
    | 'BudgetExhausted'
    | 'AttemptFailed'
    | 'AttemptLost'
    | 'Blocked'
  readonly message: string
  /** When time alone ends the wait, ms from now. */
  readonly leftMs?: number
  /** Nobody but a person can end it. */
  readonly isStalled?: boolean
}

/** Whether it will not be tried any more, as soon as its status says so. */
export const isSpent = (work: Work): boolean => work.spec.cancelled || isDeleting(work) || attemptsAreExhausted(work)

/** The first thing that it waits for; undefined when a sprite may have it. Only for work whose phase is Pending. */
export function waitOf(world: EligibleWorld): Wait | undefined {
  const { work, tenant } = world
  if (tenant === undefined || isDeleting(tenant) || tenant.spec.suspend)
    return { reason: 'Suspended', message: 'Its tenant is suspended: set spec.suspend to false' }
  if (world.project?.spec.suspend === true)
    return {
      reason: 'Suspended',
      message: `Project "${world.project.metadata.name}" is suspended: set its spec.suspend to false`,
    }
  return dependencyWait(world) ?? agentTypeWait(work, tenant) ?? budgetWait(work, tenant) ?? retryWait(world)
}

function dependencyWait(world: EligibleWorld): Wait | undefined {
  const open = (world.work.spec.dependsOn ?? []).filter(
    (name) => world.dependencies.get(name)?.status?.phase !== 'Completed',
  )
  if (open.length === 0) return undefined
  return { reason: 'WaitingForDependencies', message: `Waits for ${[...open].sort().join(', ')}` }
}

function agentTypeWait(work: Work, tenant: Tenant): Wait | undefined {
  const enabled = tenant.spec.config.enabledAgents
  const { agentType } = work.spec
  if (enabled === undefined || agentType === undefined || enabled.includes(agentType)) return undefined
  const message = `Agent type "${agentType}" is not among the tenant’s enabledAgents: add it there, or cancel the work`
  return { reason: 'AgentTypeNotAllowed', message, isStalled: true }
}

function budgetWait(work: Work, tenant: Tenant): Wait | undefined {
  if (lastAttempt(work)?.reason !== 'BudgetExhausted') return undefined
  const isExhausted =
    isTrue(tenant.status?.conditions, 'BudgetExhausted') ||
    tenant.status?.blockers?.some((blocker) => blocker.reason === 'BudgetExhausted') === true
  if (!isExhausted) return undefined
  return {
    reason: 'BudgetExhausted',
    message:
      'The tenant’s tokens of this month are used up: raise its monthlyTokenBudget or plan, or wait for next month',
    isStalled: true,
  }
}

function retryWait(world: EligibleWorld): Wait | undefined {
  const leftMs = retryNotBeforeMs(world.work) - world.nowMs
  if (leftMs <= 0) return undefined
  const last = lastAttempt(world.work)
  const text = last?.message ?? ''
  if (last?.outcome === 'Lost')
    return { reason: 'AttemptLost', message: `Attempt ${last.number} was lost: ${text}`, leftMs }
  if (last?.reason === 'BudgetExhausted') return { reason: 'BudgetExhausted', message: text, leftMs }
  if (last?.outcome === 'Blocked') return { reason: 'Blocked', message: `The agent is blocked: ${text}`, leftMs }
  return { reason: 'AttemptFailed', message: `Attempt ${last?.number ?? 0} failed: ${text}`, leftMs }
}
