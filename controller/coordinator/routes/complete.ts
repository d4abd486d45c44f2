/** POST complete: records the result of the current attempt, exactly once, with all that follows from it. */
import { createHash } from 'node:crypto'
import { projectUpdates, tenantHandoffs, tenantReviews } from '../../../protocol/channels.ts'
import { completeRequest, type CompleteRequest } from '../../../protocol/coordinator.ts'
import { timestamp } from '../../../system/timestamp.ts'
import type { Work } from '../../kinds/work/schema.ts'
import { agentOf, handOffAgents } from '../agents.ts'
import { readJson } from '../body.ts'
import { ancestorsOf } from '../chain.ts'
import { completionPatch, endedAs } from '../complete-decide.ts'
import { decideHandOffs, decideReviews, type Sha256 } from '../hand-off.ts'
import type { CoordinatorPorts, SpriteRequest, SpriteRoute } from '../ports.ts'
import { readTenant } from '../reads.ts'
import { sendJson } from '../reply.ts'
import { writeReport } from '../report.ts'
import type { UsageMeter } from '../usage-meter.ts'

const sha256: Sha256 = (text) => createHash('sha256').update(text).digest('hex')

/** The same attempt reported again after success is accepted without a write. */
export function completeRoute(ports: CoordinatorPorts, meter: UsageMeter): SpriteRoute {
  return async (call) => {
    const body = await readJson(call.request, completeRequest)
    const { identity } = call.caller
    const written = await writeReport(ports, call, {
      work: body.work,
      attempt: body.attempt,
      isRecorded: (work) => endedAs(work, { ...identity, number: body.attempt }, ['Completed', 'InReview']),
      patch: (work) => patchFor(ports, call, { work, body, meter }),
    })
    if (written !== undefined) {
      meter.drop({ tenant: identity.tenant, workUid: written.metadata.uid, attempt: body.attempt })
      await wakeOthers(ports, identity.tenant, written)
    }
    sendJson(call.response, 200, { accepted: true })
  }
}

async function patchFor(
  ports: CoordinatorPorts,
  call: SpriteRequest,
  result: { readonly work: Work; readonly body: CompleteRequest; readonly meter: UsageMeter },
): Promise<object> {
  const { work, body, meter } = result
  const { identity, sprite } = call.caller
  const { signal } = call
  const tenant = await readTenant(ports, identity.tenant, signal)
  const agent = await agentOf(ports, tenant, { agentType: sprite.spec.agentType, signal })
  const targets = agent && (await handOffAgents(ports, tenant, { persona: agent.persona, signal }))
  const allowed = new Set((targets ?? []).map((target) => target.persona.name))
  const view = { work, ancestors: await ancestorsOf(ports, work, signal) }
  const handOffs = decideHandOffs(view, body.handOffs, { allowed, sha256 })
  const reviewers = await reviewersAmong(ports, call, body)
  const key = { tenant: identity.tenant, workUid: work.metadata.uid, attempt: body.attempt }
  return completionPatch({
    work,
    request: body,
    handOffs,
    reviews: decideReviews(view, body.reviews, { reviewers, attempt: body.attempt, sha256 }),
    measured: meter.read(key),
    now: timestamp(ports.clock.now()),
    sha256,
  })
}

/** The reviewers asked for that are agents whom the tenant may use. */
async function reviewersAmong(
  ports: CoordinatorPorts,
  call: SpriteRequest,
  body: CompleteRequest,
): Promise<ReadonlySet<string>> {
  const { signal } = call
  const tenant = await readTenant(ports, call.caller.identity.tenant, signal)
  const enabled = tenant.spec.config.enabledAgents
  const asked = [...new Set(body.reviews.map((review) => review.reviewer))]
  const known = await Promise.all(
    asked
      .filter((agentType) => enabled?.includes(agentType) ?? true)
      .map((agentType) => agentOf(ports, tenant, { agentType, signal })),
  )
  return new Set(known.flatMap((agent) => (agent === undefined ? [] : [agent.persona.name])))
}

/** Hints for whoever listens; the record is in the store, so that a bus that is away costs nothing but time. */
async function wakeOthers(ports: CoordinatorPorts, tenant: string, work: Work): Promise<void> {
  const message = { work: work.metadata.name, phase: work.status?.phase }
  const channels = [
    ...((work.status?.handOffs ?? []).length > 0 ? [tenantHandoffs(tenant)] : []),
    ...((work.status?.reviews ?? []).length > 0 ? [tenantReviews(tenant)] : []),
    ...(work.spec.project === undefined ? [] : [projectUpdates(tenant, work.spec.project)]),
  ]
  const published = await Promise.allSettled(channels.map((channel) => ports.bus.publish(channel, message)))
  if (published.some((one) => one.status === 'rejected')) ports.log.warn({ tenant }, 'hints were not passed on')
}
