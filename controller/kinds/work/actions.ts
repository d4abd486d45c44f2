/** Decides whether a work may be cancelled or tried again, and what is declared for it. Pure. */
import { parseTimestamp } from '../../../system/timestamp.ts'
import { findCondition } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { inTheWay, type ActionVerdict } from '../action.ts'
import { nameList } from '../names.ts'
import { isToBeRetried } from './attempts.ts'
import { isTerminal, type Work } from './schema.ts'

/** The schema takes no larger count. */
const RETRIES_MAX = 1_000

/** It is to end without a result; cancelled already, it is so. */
export function judgeCancel(work: Work): ActionVerdict {
  if (isDeleting(work)) return inTheWay('it is being deleted')
  const { phase } = work.status ?? {}
  if (work.spec.cancelled && (phase === 'Cancelled' || !isTerminal(phase))) return { do: 'nothing' }
  if (isTerminal(phase) && !isToBeRetried(work)) return inTheWay(`it has ended already: it is ${phase ?? ''}`)
  return { do: 'change', patch: { spec: { cancelled: true } } }
}

/** What a retry is judged by. */
export type RetryWorld = {
  readonly nowMs: number
  readonly work: Work
  /** Work that it depends on and that is there. */
  readonly dependencies: readonly Work[]
  /** Failed work of its tenant. */
  readonly failed: readonly Work[]
}

/** It is to be tried again. What would end it again at once is to be mended first. */
export function judgeRetry({ work, nowMs, dependencies, failed }: RetryWorld): ActionVerdict {
  if (isDeleting(work)) return inTheWay('it is being deleted')
  if (isToBeRetried(work)) return { do: 'nothing' }
  const { phase } = work.status ?? {}
  if (phase === 'Completed') return inTheWay('it is completed: create another work instead')
  if (!isTerminal(phase)) return inTheWay(`it has not ended: it is ${phase ?? 'new'}; wait, or cancel it first`)
  const deadlineMs = parseTimestamp(work.spec.deadline)
  if (deadlineMs !== undefined && deadlineMs <= nowMs)
    return inTheWay(`its deadline "${work.spec.deadline ?? ''}" is over: set a later spec.deadline first`)
  const dead = dependencies.filter(({ status }) => status?.phase === 'Failed' || status?.phase === 'Cancelled')
  if (dead.length > 0)
    return inTheWay(
      `it depends on ${nameList(dead.map(({ metadata }) => metadata.name))}, which did not complete: retry that first`,
    )
  const retries = Math.max(work.spec.retries ?? 0, work.status?.retries ?? 0) + 1
  if (retries > RETRIES_MAX) return inTheWay(`it was tried again ${RETRIES_MAX} times: create another work instead`)
  const left = failedBecauseOf(work.metadata.name, failed)
  const patch = { spec: { retries, cancelled: false } }
  return left.length === 0 ? { do: 'change', patch } : { do: 'change', patch, warning: leftText(left) }
}

/** Names of work that failed since this did, directly or by way of others, those to be retried first first. */
export function failedBecauseOf(name: string, failed: readonly Work[]): readonly string[] {
  const dependants = new Map<string, string[]>()
  for (const { metadata, spec, status } of failed) {
    if (findCondition(status?.conditions, 'Ready')?.reason !== 'DependencyFailed') continue
    for (const on of spec.dependsOn ?? []) dependants.set(on, [...(dependants.get(on) ?? []), metadata.name])
  }
  const found = new Set([name])
  // A set gives what is added to it meanwhile, too.
  for (const each of found) for (const dependant of dependants.get(each) ?? []) found.add(dependant)
  return [...found].slice(1)
}

const NAMES_SHOWN_MAX = 5

function leftText(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(', ')
  const more = names.length > NAMES_SHOWN_MAX ? ` and ${names.length - NAMES_SHOWN_MAX} more` : ''
  const those =
    names.length === 1
      ? 'piece of work that failed because of it stays'
      : 'pieces of work that failed because of it stay'
  return `${names.length} ${those} Failed (${shown}${more}): retry each, in this order`
}
