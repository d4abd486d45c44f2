/** Decides which ended work of a tenant is old enough to go, and what of it nothing needs any more. Pure. */
import { parseTimestamp, timestamp } from '../../../system/timestamp.ts'
import { isDeleting } from '../../api/object.ts'
import { isPaused, isProtected } from '../marks.ts'
import type { Plan } from '../plan/schema.ts'
import type { Review } from '../review/schema.ts'
import { outboxOf } from './outbox.ts'
import { isTerminal, type Work } from './schema.ts'

/** What one decision about a tenant's ended work looks at. */
export type ExpiryWorld = {
  readonly nowMs: number
  /** Days for which ended work is kept; null is for ever. */
  readonly retentionDays: number | null
  /** All of the tenant's. */
  readonly work: readonly Work[]
  readonly reviews: readonly Review[]
  /** Names of the tenant's projects: each counts its work. */
  readonly projects: ReadonlySet<string>
}

/** What goes now, oldest first, and when to look again. */
export type ExpiryDecision = { readonly expired: readonly Work[]; readonly nextMs?: number }

/** For how long ended work is kept under a plan that was stored before plans said so. */
export const DEFAULT_RETENTION_DAYS = 90
/** Work that one pass deletes at most. */
export const EXPIRY_BATCH = 50

const DAY_MS = 86_400_000
/** What a person or a pipeline declares would be made anew, and done again, if it went. */
const DECLARED_ANNOTATIONS = ['kubectl.kubernetes.io/last-applied-configuration', 'argocd.argoproj.io/tracking-id']

/** The days that a plan keeps ended work for; null is for ever. */
export function retentionDaysOf(plan: Plan | undefined): number | null {
  if (plan === undefined) return null
  const days: number | null | undefined = plan.spec.workRetentionDays
  return days === undefined ? DEFAULT_RETENTION_DAYS : days
}

/** The work that goes in this pass: at most EXPIRY_BATCH, each free of everything that stays. */
export function decideExpiry(world: ExpiryWorld): ExpiryDecision {
  const { nowMs, retentionDays } = world
  if (retentionDays === null) return { expired: [] }
  const dueMs = new Map(world.work.map((work) => [work.metadata.name, dueAt(work, retentionDays)]))
  const dueOf = (work: Work): number => dueMs.get(work.metadata.name) ?? Infinity
  const isFree = (work: Work): boolean => dueOf(work) <= nowMs && !isHeld(work, world.projects)
  const kept = keptWith(
    world,
    world.work.filter((work) => !isFree(work)),
  )
  const expired = world.work
    // The work of an agent that reviews goes with its review.
    .filter((work) => !kept.has(work.metadata.name) && !isOfReview(work))
    .sort((a, b) => dueOf(a) - dueOf(b) || (a.metadata.name < b.metadata.name ? -1 : 1))
  const coming = [...dueMs.values()].filter((due) => due > nowMs && due < Infinity)
  return {
    expired: expired.slice(0, EXPIRY_BATCH),
    ...(expired.length > EXPIRY_BATCH ? { nextMs: nowMs } : coming.length > 0 ? { nextMs: Math.min(...coming) } : {}),
  }
}

/**
 * When ended work is old enough. The month in which it ended must be over: its tokens count against that month, and
 * are counted anew from the work where the ledger was lost.
 */
function dueAt(work: Work, retentionDays: number): number {
  const { phase, completionTime } = work.status ?? {}
  const endedMs = isTerminal(phase) ? parseTimestamp(completionTime ?? work.metadata.creationTimestamp) : undefined
  if (endedMs === undefined) return Infinity
  return Math.max(endedMs + retentionDays * DAY_MS, nextMonthMs(endedMs))
}

/** The first instant of the month after, in UTC. */
function nextMonthMs(atMs: number): number {
  const [year = '', month = ''] = timestamp(atMs).split('-')
  const [nextYear, nextMonth] = month === '12' ? [Number(year) + 1, 1] : [Number(year), Number(month) + 1]
  return parseTimestamp(`${nextYear}-${String(nextMonth).padStart(2, '0')}-01T00:00:00Z`) ?? atMs
}

const isHeld = (work: Work, projects: ReadonlySet<string>): boolean =>
  isDeleting(work) ||
  isPaused(work) ||
  isProtected(work) ||
  isDeclared(work) ||
  outboxOf(work).length > 0 ||
  (work.spec.project !== undefined && projects.has(work.spec.project))

const isDeclared = ({ metadata }: Work): boolean =>
  DECLARED_ANNOTATIONS.some((name) => metadata.annotations?.[name] !== undefined) ||
  (metadata.managedFields ?? []).some((entry) => entry.operation === 'Apply')

const isOfReview = (work: Work): boolean =>
  work.metadata.ownerReferences?.some((owner) => owner.kind === 'Review' && owner.controller === true) ?? false

/** Names of all work that stays because some of these do: what they depend on, and their whole chains and reviews. */
function keptWith({ work, reviews }: ExpiryWorld, staying: readonly Work[]): ReadonlySet<string> {
  const links = new Map<string, string[]>()
  const link = (from: string, to: string): void => {
    const known = links.get(from)
    if (known === undefined) links.set(from, [to])
    else known.push(to)
  }
  const linkBoth = (one: string, other: string | undefined): void => {
    if (other === undefined) return
    link(one, other)
    link(other, one)
  }
  for (const { metadata, spec, status } of work) {
    for (const name of spec.dependsOn ?? []) link(metadata.name, name)
    linkBoth(metadata.name, spec.parent)
    for (const { work: child, refused } of status?.handOffs ?? [])
      if (refused === undefined) linkBoth(metadata.name, child)
  }
  for (const { spec, status } of reviews) linkBoth(spec.work, status?.work)
  const kept = new Set(staying.map((one) => one.metadata.name))
  const open = [...kept]
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const other of links.get(name) ?? []) {
      if (kept.has(other)) continue
      kept.add(other)
      open.push(other)
    }
  }
  return kept
}
