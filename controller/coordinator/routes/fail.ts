/** POST fail: records that the current attempt failed and why; the Work controller decides what follows. */
import { failRequest } from '../../../protocol/coordinator.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { readJson } from '../body.ts'
import { endedAs, failurePatch } from '../complete-decide.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { sendJson } from '../reply.ts'
import { writeReport } from '../report.ts'
import type { UsageMeter } from '../usage-meter.ts'

/** The same attempt reported again is accepted without a write. */
export function failRoute(ports: CoordinatorPorts, meter: UsageMeter): SpriteRoute {
  return async ({ request, response, caller, signal }) => {
    const body = await readJson(request, failRequest)
    const { identity } = caller
    const keyOf = (workUid: string) => ({ tenant: identity.tenant, workUid, attempt: body.attempt })
    const written = await writeReport(
      ports,
      { caller, signal },
      {
        work: body.work,
        attempt: body.attempt,
        isRecorded: (work) => endedAs(work, { ...identity, number: body.attempt }, ['Failed', 'Blocked']),
        patch: (work) =>
          failurePatch({
            work,
            request: body,
            measured: meter.read(keyOf(work.metadata.uid)),
            now: timestamp(ports.clock.now()),
          }),
      },
    )
    if (written !== undefined) meter.drop(keyOf(written.metadata.uid))
    sendJson(response, 200, { accepted: true })
  }
}
