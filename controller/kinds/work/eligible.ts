/** Decides whether a work may go to a sprite now, and if not, what it waits for. Pure. */
import { isDeleting } from '../../api/object.ts'
import type { Project } from '../project/schema.ts'
import { budgetWaitText } from '../tenant/budget.ts'
import type { Tenant } from '../tenant/schema.ts'
import { attemptsAreExhausted, lastAttempt, retryNotBeforeMs } from './attempts.ts'
import type { Attempt, Work } from './schema.ts'

/** What is looked at to see what a work waits for. */
export type EligibleWorld = {
  readonly nowMs: number
  readonly work: Work
  readonly tenant: Tenant | undefined
  readonly project: Project | undefined
  /** Work that it depends on, by name; absent ones do not exist (yet). */
  readonly dependencies: ReadonlyMap<string, Work>
  /** The way along dependsOn that leads back to the work, if there is one (`circleOf`). */
  readonly circle?: readonly string[] | undefined
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
    | 'ModelUnavailable'
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
  return dependencyWait(world) ?? agentTypeWait(work, tenant) ?? budgetWait(tenant) ?? retryWait(world, tenant)
}

function dependencyWait(world: EligibleWorld): Wait | undefined {
  const open = (world.work.spec.dependsOn ?? []).filter(
    (name) => world.dependencies.get(name)?.status?.phase !== 'Completed',
  )
  if (open.length === 0) return undefined
  if (world.circle !== undefined)
    return {
      reason: 'WaitingForDependencies',
      message: `Waits for itself, ${world.circle.join(' → ')}: take one of them out of spec.dependsOn`,
      isStalled: true,
    }
  const absent = open.filter((name) => !world.dependencies.has(name)).sort()
  const toMake = absent.length === 0 ? '' : `; there is no ${absent.join(', ')} yet: create it`
  return { reason: 'WaitingForDependencies', message: `Waits for ${[...open].sort().join(', ')}${toMake}` }
}

/** Works that are followed at most to find a circle. */
const CIRCLE_LOOKS_MAX = 200

/** The shortest way along dependsOn from a work back to itself; undefined when there is none within the bound. */
export function circleOf(work: Work, find: (name: string) => Work | undefined): readonly string[] | undefined {
  const own = work.metadata.name
  const ways: (readonly string[])[] = [[own]]
  const seen = new Set<string>()
  for (const way of ways) {
    const at = way.length === 1 ? work : find(way.at(-1) ?? '')
    for (const name of at?.spec.dependsOn ?? []) {
      if (name === own) return [...way, own]
      if (seen.has(name) || seen.size >= CIRCLE_LOOKS_MAX) continue
      seen.add(name)
      ways.push([...way, name])
    }
  }
  return undefined
}

function agentTypeWait(work: Work, tenant: Tenant): Wait | undefined {
  const enabled = tenant.spec.config.enabledAgents
  const { agentType } = work.spec
  if (enabled === undefined || agentType === undefined || enabled.includes(agentType)) return undefined
  const message = `Agent type "${agentType}" is not among the tenant’s enabledAgents: add it there, or cancel the work`
  return { reason: 'AgentTypeNotAllowed', message, isStalled: true }
}

/** No call would be granted: an attempt would only wake a machine. */
function budgetWait(tenant: Tenant): Wait | undefined {
  const message = budgetWaitText(tenant)
  return message === undefined ? undefined : { reason: 'BudgetExhausted', message, isStalled: true }
}

/** Whether the tenant has more tokens a month than when the attempt ended for want of them. */
const isBudgetRaised = (attempt: Attempt | undefined, tenant: Tenant): boolean =>
  attempt?.budgetTokens !== undefined &&
  tenant.status?.limits !== undefined &&
  (tenant.status.limits.monthlyTokens ?? Infinity) > attempt.budgetTokens

function retryWait(world: EligibleWorld, tenant: Tenant): Wait | undefined {
  const leftMs = retryNotBeforeMs(world.work, world.nowMs) - world.nowMs
  const last = lastAttempt(world.work)
  if (leftMs <= 0 || isBudgetRaised(last, tenant)) return undefined
  const text = last?.message ?? ''
  if (last?.outcome === 'Lost')
    return { reason: 'AttemptLost', message: `Attempt ${last.number} was lost: ${text}`, leftMs }
  if (last?.reason === 'BudgetExhausted') return { reason: 'BudgetExhausted', message: text, leftMs, isStalled: true }
  if (last?.reason === 'ModelUnavailable')
    return { reason: 'ModelUnavailable', message: `The model cannot be reached, it is tried again: ${text}`, leftMs }
  if (last?.outcome === 'Blocked') return { reason: 'Blocked', message: `The agent is blocked: ${text}`, leftMs }
  return { reason: 'AttemptFailed', message: `Attempt ${last?.number ?? 0} failed: ${text}`, leftMs }
}
