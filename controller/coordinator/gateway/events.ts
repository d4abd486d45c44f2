/** A whole message as the events by which the Messages API would stream it. Pure. */
import type { StreamEvent } from './upstream.ts'

/** A finished answer of the model, not streamed. */
export type WholeMessage = StreamEvent & {
  readonly content: readonly (
    | { readonly type: 'text'; readonly text: string }
    | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown }
  )[]
  readonly stop_reason: string
  readonly usage: Readonly<Record<string, number>>
}

const DELTA_CHARS = 400

/** message_start … message_stop. */
export function eventsOf(message: WholeMessage): StreamEvent[] {
  const usage = { ...message.usage, output_tokens: 1 }
  const head = { ...message, content: [], stop_reason: null, stop_sequence: null, usage }
  return [
    { type: 'message_start', message: head },
    ...message.content.flatMap(blockEvents),
    {
      type: 'message_delta',
      delta: { stop_reason: message.stop_reason, stop_sequence: null },
      usage: { output_tokens: message.usage['output_tokens'] ?? 0 },
    },
    { type: 'message_stop' },
  ]
}

function blockEvents(block: WholeMessage['content'][number], index: number): StreamEvent[] {
  const isText = block.type === 'text'
  const start = isText ? { type: 'text', text: '' } : { ...block, input: {} }
  const deltas = chunks(isText ? block.text : JSON.stringify(block.input)).map((part) =>
    isText ? { type: 'text_delta', text: part } : { type: 'input_json_delta', partial_json: part },
  )
  return [
    { type: 'content_block_start', index, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]
}

/** The text in parts of whole characters. */
function chunks(text: string): string[] {
  const parts: string[] = []
  for (let at = 0; at < text.length;) {
    let end = Math.min(at + DELTA_CHARS, text.length)
    const last = text.charCodeAt(end - 1)
    // Not between the halves of a surrogate pair.
    if (end < text.length && last >= 0xd800 && last < 0xdc00) end++
    parts.push(text.slice(at, end))
    at = end
  }
  return parts
}
