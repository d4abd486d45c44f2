/** Writes a sprite's report on an attempt as one compare-and-swap, and refuses it when the attempt is not current. */
import { hasReason } from '../api/errors.ts'
import { keyOf } from '../api/object.ts'
import { workKind, type Work } from '../kinds/work/schema.ts'
import { holdsAttempt, isStopped } from './attempt.ts'
import { CoordinatorError } from './fault.ts'
import type { Caller, CoordinatorPorts } from './ports.ts'
import { readWork } from './reads.ts'
import { refuse } from './refusal.ts'

/** How often a write is tried anew when somebody else wrote in between. */
const TRIES_MAX = 5

/** A report on an attempt that is to be recorded. */
export type Report = {
  readonly work: string
  readonly attempt: number
  /** Whether the work already says what is reported: then nothing is written. */
  readonly isRecorded: (work: Work) => boolean
  /** The status patch for the work as it is now. */
  readonly patch: (work: Work) => object | Promise<object>
}

/** The work after the report, or undefined when it was recorded before; throws Fenced for a late attempt. */
export async function writeReport(
  ports: CoordinatorPorts,
  call: { readonly caller: Caller; readonly signal: AbortSignal },
  report: Report,
): Promise<Work | undefined> {
  const { identity } = call.caller
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const work = await readWork(ports, { tenant: identity.tenant, work: report.work }, call.signal)
    if (work !== undefined && report.isRecorded(work)) return undefined
    if (work === undefined || !holdsAttempt(work, identity, report.attempt) || isStopped(work))
      throw refuseAttempt(ports, call.caller, { work, report })
    try {
      const patch = await report.patch(work)
      const { resourceVersion } = work.metadata
      const written = await ports.client.patchStatus(workKind, keyOf(work), patch, { resourceVersion }, call.signal)
      ports.cache?.observe(workKind, written)
      return written
    } catch (error) {
      if (!hasReason(error, 'Conflict')) throw error
    }
  }
  throw new CoordinatorError('Unavailable', 'Report again, the work changed too often', { retryAfterMs: 1_000 })
}

function refuseAttempt(
  ports: CoordinatorPorts,
  caller: Caller,
  late: { readonly work: Work | undefined; readonly report: Pick<Report, 'work' | 'attempt'> },
): CoordinatorError {
  const { work, report } = late
  const message = `Drop the result, attempt "${report.attempt}" of work "${report.work}" is not the current one`
  return refuse(ports, { subject: work, identity: caller.identity, what: 'attempt', message })
}

/** The caller's work at its current attempt; throws Fenced when it is not. */
export async function requireAttempt(
  ports: CoordinatorPorts,
  call: { readonly caller: Caller; readonly signal: AbortSignal },
  report: Pick<Report, 'work' | 'attempt'>,
): Promise<Work> {
  const { identity } = call.caller
  const work = await readWork(ports, { tenant: identity.tenant, work: report.work }, call.signal)
  if (work === undefined || !holdsAttempt(work, identity, report.attempt) || isStopped(work))
    throw refuseAttempt(ports, call.caller, { work, report })
  return work
}
