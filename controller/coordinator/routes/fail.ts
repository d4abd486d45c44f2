/** POST fail: records that the current attempt failed and why; the Work controller decides what follows. */
import { failRequest } from '../../../protocol/coordinator.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { limitsOf } from '../../kinds/tenant/limits.ts'
import { tenantKind } from '../../kinds/tenant/schema.ts'
import { readJson } from '../body.ts'
import { endedAs, failurePatch } from '../complete-decide.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { getCached } from '../reads.ts'
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
        patch: async (work) =>
          failurePatch({
            work,
            request: body,
            measured: meter.read(keyOf(work.metadata.uid)),
            now: timestamp(ports.clock.now()),
            budgetTokens: await budgetTokensOf(ports, identity.tenant, signal),
          }),
      },
    )
    if (written !== undefined) meter.drop(keyOf(written.metadata.uid))
    sendJson(response, 200, { accepted: true })
  }
}

/** The tenant's tokens of a month; null when unlimited or not known. */
async function budgetTokensOf(ports: CoordinatorPorts, name: string, signal: AbortSignal): Promise<number | null> {
  const tenant = await getCached(ports, { kind: tenantKind, key: { namespace: '', name }, signal })
  return (tenant && limitsOf(tenant)?.monthlyTokens) ?? null
}
