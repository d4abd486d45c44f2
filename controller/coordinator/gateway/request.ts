/** What a sprite may ask of the model, and the most tokens that it can cost. Pure. */
import { z } from 'zod'

const cacheControl = z.strictObject({ type: z.literal('ephemeral'), ttl: z.enum(['5m', '1h']).optional() }).optional()
const textBlock = z.strictObject({ type: z.literal('text'), text: z.string(), cache_control: cacheControl })
const toolResult = z.strictObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string().max(200),
  content: z.union([z.string(), z.array(textBlock).max(100)]).optional(),
  is_error: z.boolean().optional(),
  cache_control: cacheControl,
})
const assistantBlock = z.discriminatedUnion('type', [
  // What the model said comes back as it was, with fields that the API may add.
  z.looseObject({ type: z.literal('text'), text: z.string() }),
  z.looseObject({
    type: z.literal('tool_use'),
    id: z.string().max(200),
    name: z.string().max(200),
    input: z.record(z.string(), z.unknown()),
  }),
  z.looseObject({ type: z.literal('thinking'), thinking: z.string(), signature: z.string() }),
  z.looseObject({ type: z.literal('redacted_thinking'), data: z.string() }),
])
const message = z.discriminatedUnion('role', [
  z.strictObject({
    role: z.literal('user'),
    content: z.union([z.string(), z.array(z.discriminatedUnion('type', [textBlock, toolResult])).max(200)]),
  }),
  z.strictObject({ role: z.literal('assistant'), content: z.union([z.string(), z.array(assistantBlock).max(200)]) }),
])
const tool = z.strictObject({
  type: z.literal('custom').optional(),
  name: z.string().regex(/^[a-zA-Z0-9_-]{1,64}$/),
  description: z.string().max(20_000).optional(),
  input_schema: z.looseObject({ type: z.literal('object') }),
  cache_control: cacheControl,
})

/**
 * The part of the Messages API that is offered: text in and out, tools of the caller's own. No images, documents,
 * server tools, containers or threads, whose cost cannot be bounded by the size of the request.
 */
export const messagesRequest = z.strictObject({
  model: z.string().min(1).max(100),
  max_tokens: z.int().min(1).max(128_000),
  system: z.union([z.string(), z.array(textBlock).max(50)]).optional(),
  messages: z.array(message).min(1).max(500),
  tools: z.array(tool).max(50).optional(),
  tool_choice: z.looseObject({ type: z.enum(['auto', 'any', 'tool', 'none']) }).optional(),
  thinking: z.looseObject({ type: z.string().max(30) }).optional(),
  output_config: z.strictObject({ effort: z.enum(['low', 'medium', 'high', 'xhigh', 'max']).optional() }).optional(),
  stop_sequences: z.array(z.string().max(200)).max(20).optional(),
  stream: z.boolean().optional(),
})

export type MessagesRequest = z.infer<typeof messagesRequest>

/** Tokens that the API adds on its own account: the system prompt for tools (below 700 in its documentation) and framing. */
const OVERHEAD_TOKENS = 1_024

/**
 * An upper bound of the input tokens of a request, from its JSON text. A byte-level tokenizer makes at least one byte
 * of each token, so that tokens ≤ bytes; bytes / 2 is no bound, since digits and rare scripts reach a token a byte.
 * JSON's quotes, keys and escapes only add bytes and outweigh the framing of each message. A tokenizer that
 * normalizes first (NFKC) may make a text longer: the longer of both forms counts.
 */
export function inputTokensBound(text: string): number {
  return Math.max(utf8Bytes(text), utf8Bytes(text.normalize('NFKC'))) + OVERHEAD_TOKENS
}

/** Bytes of a text in UTF-8; a lone surrogate counts as the replacement character does. */
function utf8Bytes(text: string): number {
  let bytes = 0
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    // Each half of a surrogate pair is two of the pair's four bytes; a lone half is three.
    if (unit < 0x80) bytes += 1
    else if (unit < 0x800) bytes += 2
    else if (unit >= 0xd800 && unit < 0xdc00 && isLowSurrogate(text.charCodeAt(at + 1))) {
      bytes += 4
      at++
    } else bytes += 3
  }
  return bytes
}

const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000
