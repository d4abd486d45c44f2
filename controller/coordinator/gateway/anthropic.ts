/** The upstream that asks Claude: one call to the Messages API with the key that it is given. */
import Anthropic, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
} from '@anthropic-ai/sdk'
import { boundedAnswer } from './bounded-answer.ts'
import type { MessagesRequest } from './request.ts'
import { asRecord } from './usage.ts'
import type { ModelUpstream, StreamEvent, UpstreamFailure } from './upstream.ts'

/** How the Anthropic API is reached. */
export type AnthropicSettings = {
  readonly apiKey: string
  /** Without a trailing slash, such as https://api.anthropic.com. */
  readonly baseUrl: string
  readonly timeoutMs: number
  /** What is said when the key is refused: whose it is, and so who can do something. */
  readonly refusedText?: string
}

/**
 * Largest answer that is read, in bytes: the longest that may be asked for takes about 20 MiB as events. Without a
 * bound, one line without an end would fill the memory.
 */
const ANSWER_BYTES_MAX = 67_108_864
/** The longest wait that is passed on, in seconds. */
const RETRY_AFTER_S_MAX = 86_400

/** Header names that a call may carry: nothing that the environment could have slipped in. */
const HEADERS = /^(authorization|content-type|accept|user-agent|anthropic-version|x-stainless-.*)$/

/** Codes of a connection that never came to be: nothing was sent. */
const NEVER_SENT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Key and address come from the settings alone; the SDK neither retries nor reads the environment. */
export function anthropicUpstream(settings: AnthropicSettings): ModelUpstream {
  const client = new Anthropic({
    apiKey: settings.apiKey,
    baseURL: settings.baseUrl,
    maxRetries: 0,
    timeout: settings.timeoutMs,
    logLevel: 'off',
    openTelemetry: false,
    webhookKey: null,
    fetch: async (url, init) =>
      boundedAnswer(
        await fetch(url, { ...init, headers: ownHeaders(init?.headers, settings.apiKey), redirect: 'error' }),
        ANSWER_BYTES_MAX,
      ),
  })
  return async (request, signal) => {
    try {
      return request.stream === true
        ? { kind: 'stream', rehearsal: false, events: await openStream(client, request, signal) }
        : { kind: 'message', rehearsal: false, message: await wholeMessage(client, request, signal) }
    } catch (error) {
      return withoutKey(failureOf(error, settings.refusedText), settings.apiKey)
    }
  }
}

/** What stands between us and Claude may repeat what it was sent: the key goes no further than here. */
const withoutKey = (failure: UpstreamFailure, apiKey: string): UpstreamFailure => ({
  ...failure,
  type: failure.type.replaceAll(apiKey, '[redacted]').slice(0, 100),
  message: failure.message.replaceAll(apiKey, '[redacted]').slice(0, 1_000),
})

function ownHeaders(headers: ConstructorParameters<typeof Headers>[0], apiKey: string): Headers {
  const own = new Headers()
  for (const [name, value] of new Headers(headers)) if (HEADERS.test(name.toLowerCase())) own.set(name, value)
  own.set('authorization', `Bearer ${apiKey}`)
  own.set('anthropic-version', '2023-06-01')
  return own
}

type StreamParams = Anthropic.MessageCreateParamsStreaming

/** The request was checked against a part of the API's own schema; the SDK's type of it is only narrower in words. */
const paramsOf = (request: MessagesRequest): StreamParams => ({ ...request, stream: true }) as unknown as StreamParams

async function openStream(
  client: Anthropic,
  request: MessagesRequest,
  signal: AbortSignal,
): Promise<AsyncIterable<StreamEvent>> {
  // Events are passed on as they are: only their type is looked at.
  return (await client.messages.create(paramsOf(request), { signal })) as AsyncIterable<never>
}

/** Streams underneath, since the SDK refuses long answers otherwise, and gives the whole message. */
async function wholeMessage(client: Anthropic, request: MessagesRequest, signal: AbortSignal): Promise<StreamEvent> {
  const message = await client.messages.stream(paramsOf(request), { signal }).finalMessage()
  const { _request_id: __, ...body } = asRecord(message)
  return { ...body, type: 'message' }
}

/** What the sprite is told of a failed call, and whether tokens may have been used by it. */
export function failureOf(error: unknown, refusedText = 'The key of the control plane was refused'): UpstreamFailure {
  if (error instanceof APIUserAbortError || error instanceof APIConnectionTimeoutError)
    return { kind: 'failure', status: 504, type: 'timeout_error', message: 'The model took too long', cost: 'unknown' }
  if (error instanceof APIConnectionError || !(error instanceof APIError) || error.status === undefined) {
    const cost = NEVER_SENT.has(codeOf(error)) ? 'none' : 'unknown'
    return { kind: 'failure', status: 503, type: 'api_error', message: 'The model cannot be reached', cost }
  }
  return failureOfStatus(error, refusedText)
}

function failureOfStatus(error: APIError, refusedText: string): UpstreamFailure {
  const status = Number(error.status)
  if (status === 401 || status === 403) {
    // The key that stands here, not the sprite's token: the sprite can do nothing about it.
    return { kind: 'failure', status: 503, type: 'api_error', message: refusedText, cost: 'none' }
  }
  const inner = asRecord(asRecord(error.error)['error'])
  const { type, message } = inner
  const retryAfterS = Number(error.headers?.get('retry-after') ?? Number.NaN)
  return {
    kind: 'failure',
    // What is no failure by its code is one of what stands between.
    status: status >= 400 && status <= 599 ? status : 503,
    type: typeof type === 'string' ? type : 'api_error',
    message: typeof message === 'string' ? message : `The model answered ${status}`,
    ...(retryAfterS >= 0 ? { retryAfterS: Math.min(retryAfterS, RETRY_AFTER_S_MAX) } : {}),
    // What was refused or shed did not run; any other 5xx may have.
    cost: status < 500 || status === 529 ? 'none' : 'unknown',
  }
}

/** The system's code of a failed connection, down the chain of causes. */
function codeOf(error: unknown): unknown {
  let current = error
  for (let depth = 0; depth < 5 && typeof current === 'object' && current !== null; depth++) {
    const { code, cause } = asRecord(current)
    if (code !== undefined) return code
    current = cause
  }
  return undefined
}
