/** POST messages: reserves tokens, asks the model, passes the answer on, and books what it cost. */
import { REHEARSAL_HEADER } from '../../../protocol/coordinator.ts'
import { totalTokens, type TokenUsage } from '../../kinds/fields.ts'
import { CoordinatorError } from '../fault.ts'
import type { CoordinatorPorts, SpriteRequest, SpriteRoute } from '../ports.ts'
import { sendJson } from '../reply.ts'
import type { UsageMeter } from '../usage-meter.ts'
import { admit, type AdmittedCall } from './admit.ts'
import { reserve, type Leave } from './budget.ts'
import { sendUpstreamFailure } from './errors.ts'
import { relay } from './relay.ts'
import { asRecord, settlement, usageOf } from './usage.ts'
import type { UpstreamReply } from './upstream.ts'

/** What a call turned out to cost: undefined usage is an unknown outcome, which costs all that was reserved. */
type Cost = { readonly usage: TokenUsage | undefined; readonly model?: string; readonly rehearsal: boolean }

const FREE: TokenUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }

/** One call of the model per request: no retry is made here, each is a request of its own. */
export function messagesRoute(ports: CoordinatorPorts, meter: UsageMeter): SpriteRoute {
  const gate = createGate(ports.settings)
  return async (call) => {
    const { tenant, sprite } = call.caller.identity
    const exit = gate.enter(`${tenant}/${sprite}`)
    try {
      const admitted = await admit(ports, call)
      const leave = await reserve(ports, admitted, (outcome) => countCall(ports, outcome))
      let cost: Cost = { usage: undefined, rehearsal: false }
      try {
        cost = await ask(ports, call, admitted)
      } finally {
        await settle(ports, meter, { admitted, leave, cost })
      }
    } finally {
      exit()
    }
  }
}

/** Bounds the calls at once, of one sprite and of all. */
function createGate(settings: { readonly callsPerSpriteMax: number; readonly callsMax: number }) {
  const inside = new Map<string, number>()
  let total = 0
  return {
    enter(sprite: string): () => void {
      const own = inside.get(sprite) ?? 0
      if (own >= settings.callsPerSpriteMax || total >= settings.callsMax)
        throw new CoordinatorError('TooManyRequests', 'Wait for the calls that are under way', { retryAfterMs: 1_000 })
      inside.set(sprite, own + 1)
      total++
      return () => {
        total--
        const left = (inside.get(sprite) ?? 1) - 1
        if (left > 0) inside.set(sprite, left)
        else inside.delete(sprite)
      }
    },
  }
}

async function ask(ports: CoordinatorPorts, call: SpriteRequest, admitted: AdmittedCall): Promise<Cost> {
  const timeout = new AbortController()
  const cancel = ports.clock.after(
    ports.settings.upstreamTimeoutMs,
    () => timeout.abort(new Error('The model took too long')),
    { background: true },
  )
  const signal = AbortSignal.any([call.signal, timeout.signal])
  try {
    return await passOn(ports, call, { reply: await admitted.upstream(admitted.request, signal), signal })
  } finally {
    cancel()
  }
}

async function passOn(
  ports: CoordinatorPorts,
  { response, caller }: SpriteRequest,
  answer: { readonly reply: UpstreamReply; readonly signal: AbortSignal },
): Promise<Cost> {
  const { reply, signal } = answer
  if (reply.kind === 'failure') {
    countCall(ports, `failure_${reply.status}`)
    const { tenant, sprite } = caller.identity
    ports.log.warn({ tenant, sprite, status: reply.status, type: reply.type }, 'model call failed')
    sendUpstreamFailure(response, reply)
    return { usage: reply.cost === 'none' ? FREE : undefined, rehearsal: false }
  }
  const { rehearsal } = reply
  if (rehearsal && !response.headersSent) response.setHeader(REHEARSAL_HEADER, 'true')
  if (reply.kind === 'message') {
    countCall(ports, 'answered')
    sendJson(response, 200, reply.message)
    return { usage: usageOf(reply.message['usage']), ...modelOf(reply.message['model']), rehearsal }
  }
  const { usage, error } = await relay(reply.events, response, { clock: ports.clock, signal })
  countCall(ports, error === undefined ? 'answered' : 'cut')
  const known = error === undefined ? usageOf(usage.raw) : undefined
  return { usage: known, ...modelOf(usage.model), rehearsal }
}

const modelOf = (model: unknown): { readonly model?: string } =>
  typeof model === 'string' ? { model: model.slice(0, 100) } : {}

/** Books the cost in ledger and meter. A ledger that is away leaves the reservation to expire as spent in full. */
async function settle(
  ports: CoordinatorPorts,
  meter: UsageMeter,
  call: { readonly admitted: AdmittedCall; readonly leave: Leave; readonly cost: Cost },
): Promise<void> {
  const { admitted, leave, cost } = call
  const { attempt, request } = admitted
  const { usage, isBelieved } = settlement(cost.usage, admitted.reserved)
  if (!isBelieved)
    ports.log.warn({ ...attempt, usage: asRecord(cost.usage) }, 'usage is unknown, the reservation is spent')
  if (totalTokens(usage) > 0)
    meter.add(attempt, { usage, model: cost.model ?? request.model, rehearsal: cost.rehearsal })
  ports.metrics.counter('sprites_gateway_tokens_total', 'Tokens booked by the gateway.').add({}, totalTokens(usage))
  try {
    await leave.book(totalTokens(usage))
  } catch (error) {
    ports.log.error({ ...attempt, error }, 'reservation was not settled, it expires as spent')
  }
}

const countCall = (ports: CoordinatorPorts, outcome: string): void =>
  ports.metrics.counter('sprites_gateway_calls_total', 'Model calls by how they ended.', ['outcome']).add({ outcome })
