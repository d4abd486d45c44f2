/** POST progress: notes what a sprite does now, no more often than a person could read it. */
import { progressRequest } from '../../../protocol/coordinator.ts'
import { readJson } from '../body.ts'
import { endedAs } from '../complete-decide.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { writeReport } from '../report.ts'
import { sendNothing } from '../reply.ts'

const REMEMBERED_MAX = 10_000

/** What comes too soon after the last is dropped with 204. */
export function progressRoute(ports: CoordinatorPorts): SpriteRoute {
  const { progressIntervalMs: intervalMs } = ports.settings
  const writtenAtMs = new Map<string, number>()
  return async ({ request, response, caller, signal }) => {
    const body = await readJson(request, progressRequest)
    const key = `${caller.identity.tenant}/${body.work}/${body.attempt}`
    const nowMs = ports.clock.monotonic()
    if (nowMs - (writtenAtMs.get(key) ?? -intervalMs) >= intervalMs) {
      await writeReport(
        ports,
        { caller, signal },
        {
          work: body.work,
          attempt: body.attempt,
          // What was on its way while the attempt ended says nothing any more, and is nobody's fault.
          isRecorded: (work) => endedAs(work, { ...caller.identity, number: body.attempt }, ['Completed', 'InReview']),
          patch: () => ({ progress: body.message }),
        },
      )
      writtenAtMs.delete(key)
      writtenAtMs.set(key, nowMs)
      const [oldest] = writtenAtMs.keys()
      if (writtenAtMs.size > REMEMBERED_MAX && oldest !== undefined) writtenAtMs.delete(oldest)
    }
    sendNothing(response)
  }
}
