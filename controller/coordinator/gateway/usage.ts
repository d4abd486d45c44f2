/** Reads the usage that a model reports, null-safe, and never believes what cannot be. Pure. */
import { totalTokens, type TokenUsage } from '../../kinds/fields.ts'
import type { StreamEvent } from './upstream.ts'

const count = (value: unknown): number | undefined => {
  if (value === undefined || value === null) return 0
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}

/** The usage of a Messages API reply; undefined when it is missing or holds what is no count. */
export function usageOf(raw: unknown): TokenUsage | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined
  const fields = new Map<string, unknown>(Object.entries(raw))
  if (!fields.has('input_tokens') || !fields.has('output_tokens')) return undefined
  const [inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens] = [
    'input_tokens',
    'output_tokens',
    'cache_read_input_tokens',
    'cache_creation_input_tokens',
  ].map((name) => count(fields.get(name)))
  if (
    inputTokens === undefined ||
    outputTokens === undefined ||
    cacheReadTokens === undefined ||
    cacheWriteTokens === undefined
  )
    return undefined
  return { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens }
}

/** What a stream has said of its usage so far. */
export type StreamUsage = {
  readonly raw: Readonly<Record<string, unknown>>
  readonly model: string | undefined
  readonly isComplete: boolean
}

/** The usage of a stream that has not begun. */
export const NO_STREAM_USAGE: StreamUsage = { raw: {}, model: undefined, isComplete: false }

/** The usage after one more event: message_start has the input, message_delta the running totals. */
export function usageAfter(usage: StreamUsage, event: StreamEvent): StreamUsage {
  if (event.type === 'message_start') {
    const message = asRecord(event['message'])
    const model = message['model']
    return { ...usage, raw: known(message['usage']), model: typeof model === 'string' ? model : undefined }
  }
  if (event.type === 'message_delta') return { ...usage, raw: { ...usage.raw, ...known(event['usage']) } }
  return event.type === 'message_stop' ? { ...usage, isComplete: true } : usage
}

/** The fields that say something: null leaves what was said before. */
const known = (value: unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(asRecord(value)).filter(([, field]) => field !== null && field !== undefined))

/** A record of unknowns, empty for anything else. */
export const asRecord = (value: unknown): Readonly<Record<string, unknown>> =>
  // An object that is not null has string keys; its values stay unknown.
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

/** What to book for a reply: its usage, or all that was reserved when the usage is missing or cannot be true. */
export function settlement(
  usage: TokenUsage | undefined,
  reserved: { readonly inputTokens: number; readonly outputTokens: number },
): { readonly usage: TokenUsage; readonly isBelieved: boolean } {
  const isBelieved = usage !== undefined && totalTokens(usage) <= reserved.inputTokens + reserved.outputTokens
  return isBelieved ? { usage, isBelieved } : { usage: { ...NOTHING, ...reserved }, isBelieved: false }
}

const NOTHING: TokenUsage = { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 }
