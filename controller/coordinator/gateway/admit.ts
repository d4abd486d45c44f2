/** Decides whether a call to the model may be made: its attempt, its model, its size. */
import { WORK_HEADER } from '../../../protocol/coordinator.ts'
import { limitsOf } from '../../kinds/tenant/limits.ts'
import type { Tenant } from '../../kinds/tenant/schema.ts'
import { agentOf, modelFor } from '../agents.ts'
import { checked, parseJson, readBody } from '../body.ts'
import { CoordinatorError } from '../fault.ts'
import type { CoordinatorPorts, SpriteRequest } from '../ports.ts'
import { readTenant } from '../reads.ts'
import { requireAttempt } from '../report.ts'
import type { AttemptKey } from '../usage-meter.ts'
import { upstreamOf } from './tenant-key.ts'
import type { ModelUpstream } from './upstream.ts'
import { inputTokensBound, messagesRequest, type MessagesRequest } from './request.ts'

/** Largest body of a model call, in bytes: brief, brand and context at their own bounds, with the turns so far. */
export const GATEWAY_BODY_BYTES_MAX = 4_194_304

/** A call of the model that may be made. */
export type AdmittedCall = {
  readonly attempt: AttemptKey
  readonly request: MessagesRequest
  /** The most that it can cost. */
  readonly reserved: { readonly inputTokens: number; readonly outputTokens: number }
  /** Tokens of a month; null is unlimited. */
  readonly limit: number | null
  /** Name of the tenant's plan. */
  readonly plan: string
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal
  /** Who is asked. */
  readonly upstream: ModelUpstream
}

/** The call as it may be made; throws Fenced, Invalid, TooLarge, Forbidden, AnthropicKeyMissing or Unavailable. */
export async function admit(ports: CoordinatorPorts, call: SpriteRequest): Promise<AdmittedCall> {
  const { caller, signal } = call
  const report = attemptHeader(call.request.headers[WORK_HEADER])
  const text = (await readBody(call.request, GATEWAY_BODY_BYTES_MAX)).toString('utf8')
  const request = checked(messagesRequest, parseJson(text))
  const work = await requireAttempt(ports, call, report)
  const tenant = await readTenant(ports, caller.identity.tenant, signal)
  const agent = await agentOf(ports, tenant, { agentType: caller.sprite.spec.agentType, signal })
  if (agent === undefined)
    throw new CoordinatorError('Unavailable', `Declare a persona "${caller.sprite.spec.agentType}", there is none`)
  const model = modelFor(agent, ports.settings)
  if (request.model !== model)
    throw new CoordinatorError('Forbidden', `Ask for model "${model}", not for "${request.model.slice(0, 100)}"`)
  if (request.max_tokens > agent.persona.maxTokens) {
    const most = agent.persona.maxTokens
    throw new CoordinatorError('Invalid', `Ask for at most ${most} tokens, not for "${request.max_tokens}"`)
  }
  return {
    attempt: { tenant: caller.identity.tenant, workUid: work.metadata.uid, attempt: report.attempt },
    request,
    reserved: { inputTokens: inputTokensBound(text), outputTokens: request.max_tokens },
    limit: limitOf(tenant),
    plan: tenant.spec.plan,
    signal,
    upstream: await upstreamOf(ports, tenant),
  }
}

function limitOf(tenant: Tenant): number | null {
  const limits = limitsOf(tenant)
  if (limits === undefined)
    throw new CoordinatorError('Unavailable', 'Try again later, the limits of the tenant are not known yet')
  return limits.monthlyTokens
}

/** `<work>/<attempt>`, as the sprite names what it works on. */
function attemptHeader(header: string | string[] | undefined): { readonly work: string; readonly attempt: number } {
  const match = typeof header === 'string' ? /^([^/]{1,253})\/([1-9]\d{0,8})$/.exec(header) : null
  if (match?.[1] === undefined)
    throw new CoordinatorError('Invalid', `Send the header ${WORK_HEADER} as <work>/<attempt>`)
  return { work: match[1], attempt: Number(match[2]) }
}
