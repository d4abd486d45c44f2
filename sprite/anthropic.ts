/** The Llm port over the Coordinator's gateway with Anthropic's SDK, which is loaded at the first call only. */
import type Anthropic from '@anthropic-ai/sdk'
import { SPRITE_API, WORK_HEADER } from '../protocol/coordinator.ts'
import { backoffMs, type BackoffPolicy } from '../system/backoff.ts'
import type { Clock } from '../system/clock.ts'
import type { Entropy } from '../system/entropy.ts'
import type { Log } from '../system/log.ts'
import { LlmError, STOP_REASONS, type Answer, type AnswerBlock, type Llm, type LlmRequest, type Turn } from './llm.ts'
import { retryAfterMs } from './retry-after.ts'

/** What the adapter needs of the process. */
export type AnthropicPorts = {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
}

/** Where the gateway is, and the sprite's token. */
export type AnthropicOptions = {
  /** The Coordinator's base URL. */
  readonly coordinatorUrl: string
  readonly token: string
}

/** Tries of one call, the first included: each is a reservation of its own at the gateway. */
const TRIES_MAX = 6
const CALL_BACKOFF: BackoffPolicy = { baseMs: 1_000, maxMs: 30_000, jitter: 0.5 }
/** Longer waits than this are the control plane's business: the attempt fails and is tried again later. */
const RETRY_AFTER_MS_MAX = 60_000
const CALL_TIMEOUT_MS = 600_000
/** Header by which the gateway says why it refused. */
const REASON_HEADER = 'x-sprite-reason'

type Sdk = typeof import('@anthropic-ai/sdk')

/** A failed try: whether another may go better, and the error if not. */
type Failure = { readonly retry: boolean; readonly waitMs: number | undefined; readonly error: LlmError }

/** Claude through the gateway. No environment variable of the SDK is honoured. */
export function createAnthropicLlm(ports: AnthropicPorts, options: AnthropicOptions): Llm {
  let loaded: Promise<{ sdk: Sdk; client: Anthropic }> | undefined

  const load = async (): Promise<{ sdk: Sdk; client: Anthropic }> => {
    const sdk = await import('@anthropic-ai/sdk')
    const client = new sdk.Anthropic({
      baseURL: options.coordinatorUrl.replace(/\/$/, '') + SPRITE_API.gateway,
      apiKey: null,
      authToken: options.token,
      webhookKey: null,
      maxRetries: 0,
      timeout: CALL_TIMEOUT_MS,
      logLevel: 'off',
      openTelemetry: false,
    })
    return { sdk, client }
  }

  return {
    complete: async (request, signal) => {
      loaded ??= load()
      const { sdk, client } = await loaded
      for (let failures = 1; ; failures++) {
        try {
          return await once(client, request, signal)
        } catch (error) {
          if (signal.aborted) throw new LlmError('Aborted', 'Stopped while waiting for the model')
          const failure = failureOf(sdk, error, ports.clock.now())
          if (!failure.retry || failures >= TRIES_MAX) throw failure.error
          const delayMs = Math.max(failure.waitMs ?? 0, backoffMs(CALL_BACKOFF, failures, ports.entropy.random()))
          ports.log.warn({ work: request.work, failures, delayMs, reason: failure.error.message }, 'model call failed')
          await ports.clock.sleep(delayMs, signal).catch(() => {
            throw new LlmError('Aborted', 'Stopped while waiting for the model')
          })
        }
      }
    },
  }
}

async function once(client: Anthropic, request: LlmRequest, signal: AbortSignal): Promise<Answer> {
  const params: Anthropic.MessageStreamParams = {
    model: request.model,
    max_tokens: request.maxTokens,
    output_config: { effort: request.effort },
    system: request.system.map((part) => ({ type: 'text', text: part.text, ...cacheMark(part.cache) })),
    tools: request.tools.map((tool) => ({ ...tool })),
    messages: request.turns.map((turn, index) => toParam(turn, index === request.turns.length - 1 && index > 0)),
  }
  const headers = { [WORK_HEADER]: `${request.work}/${request.attempt}` }
  const message = await client.messages.stream(params, { signal, headers }).finalMessage()
  const stopReason = STOP_REASONS.find((reason) => reason === message.stop_reason)
  if (!stopReason) throw new CutAnswer(`The answer ended with stop reason "${message.stop_reason}"`)
  const refusal = message.stop_details?.explanation ?? message.stop_details?.category
  return { blocks: message.content.map(fromBlock), stopReason, ...(refusal ? { refusal } : {}) }
}

/** The stream ended before the message did. */
class CutAnswer extends Error {
  override readonly name = 'CutAnswer'
}

const cacheMark = (cache: boolean): { cache_control?: { type: 'ephemeral' } } =>
  cache ? { cache_control: { type: 'ephemeral' } } : {}

/** `last` marks the end of the conversation so far, so that the next round reads it from the cache. */
function toParam(turn: Turn, last: boolean): Anthropic.MessageParam {
  if (turn.role === 'assistant') return { role: 'assistant', content: turn.blocks.map(toAnswerParam) }
  const content = turn.blocks.map((block, index): Anthropic.ContentBlockParam => {
    const mark = cacheMark(last && index === turn.blocks.length - 1)
    if (block.type === 'text') return { type: 'text', text: block.text, ...mark }
    return {
      type: 'tool_result',
      tool_use_id: block.toolUseId,
      content: block.text,
      is_error: block.isError,
      ...mark,
    }
  })
  return { role: 'user', content }
}

function toAnswerParam(block: AnswerBlock): Anthropic.ContentBlockParam {
  // An unknown block goes back exactly as the API gave it; its type is the API's business.
  if (block.type === 'other') return block.block as Anthropic.ContentBlockParam
  if (block.type === 'text') return { type: 'text', text: block.text }
  return { type: 'tool_use', id: block.id, name: block.name, input: block.input }
}

function fromBlock(block: Anthropic.ContentBlock): AnswerBlock {
  if (block.type === 'text') return { type: 'text', text: block.text }
  if (block.type === 'tool_use') return { type: 'tool_use', id: block.id, name: block.name, input: block.input }
  return { type: 'other', block }
}

function failureOf(sdk: Sdk, error: unknown, nowMs: number): Failure {
  const message = messageOf(error).slice(0, 500)
  const final = (reason: LlmError['reason']): Failure => ({
    retry: false,
    waitMs: undefined,
    error: new LlmError(reason, message),
  })
  if (!(error instanceof sdk.APIError)) {
    // A cut stream may go better; anything else is a bug in the request.
    return { ...final('Unavailable'), retry: error instanceof CutAnswer || error instanceof sdk.AnthropicError }
  }
  // The SDK types its headers and status by class; read through a structural view that holds for all of them.
  const { status, headers } = error as { status: number | undefined; headers: Headers | undefined }
  const waitMs = headers && retryAfterMs((name) => headers.get(name), nowMs)
  if (status === undefined || status === 408 || status === 429 || status >= 500) {
    const mayWait = waitMs === undefined || waitMs <= RETRY_AFTER_MS_MAX
    return { ...final('Unavailable'), retry: mayWait, waitMs }
  }
  if (status === 403 && headers?.get(REASON_HEADER) === 'BudgetExhausted') return final('BudgetExhausted')
  if (status === 402) return final('BudgetExhausted')
  return final(status === 413 ? 'TooLong' : 'Rejected')
}

/** The server's own words where it sent some, else the SDK's. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const body = 'error' in error ? error.error : undefined
  const inner = typeof body === 'object' && body !== null && 'error' in body ? body.error : body
  if (typeof inner === 'object' && inner !== null && 'message' in inner && typeof inner.message === 'string')
    return inner.message
  return error.message
}
