/** The upstream that needs no key: the rehearsal model, deterministic from its input, marked as rehearsal everywhere. */
import { createHash } from 'node:crypto'
import { eventsOf, type WholeMessage } from './events.ts'
import { answerTo, type AnswerBlock } from './rehearsal/answer.ts'
import { createPrefixCache, tokensOf } from './rehearsal/prefix-cache.ts'
import type { MessagesRequest } from './request.ts'
import type { ModelUpstream, StreamEvent } from './upstream.ts'

/** The model's name in answers and in status, whichever model was asked for. */
export const REHEARSAL_MODEL = 'rehearsal'

const digest = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Answers at once; the text depends on the request alone, the usage also on which prefixes were seen before. */
export function rehearsalUpstream(): ModelUpstream {
  const prefixes = createPrefixCache(digest)
  return (request) => {
    const { inputTokens, cacheReadTokens, cacheWriteTokens } = prefixes.inputUsage(request)
    const message = messageOf(request, {
      input_tokens: inputTokens,
      cache_read_input_tokens: cacheReadTokens,
      cache_creation_input_tokens: cacheWriteTokens,
    })
    if (request.stream !== true) return Promise.resolve({ kind: 'message', rehearsal: true, message })
    return Promise.resolve({ kind: 'stream', rehearsal: true, events: streamOf(eventsOf(message)) })
  }
}

// eslint-disable-next-line typescript/require-await -- an async iterable is what the port asks for
async function* streamOf(events: readonly StreamEvent[]): AsyncGenerator<StreamEvent> {
  yield* events
}

function messageOf(request: MessagesRequest, inputUsage: Readonly<Record<string, number>>): WholeMessage {
  const answer = answerTo(request)
  // Streamed or not, it is the same answer.
  const id = digest(JSON.stringify({ ...request, stream: false })).slice(0, 24)
  const outputChars = answer.blocks.reduce((sum, block) => sum + JSON.stringify(block).length, 0)
  return {
    id: `msg_rehearsal_${id}`,
    type: 'message',
    role: 'assistant',
    model: REHEARSAL_MODEL,
    content: answer.blocks.map((block, index) => withId(block, `${id}_${index}`)),
    stop_reason: answer.stopReason,
    stop_sequence: null,
    usage: { ...inputUsage, output_tokens: Math.min(tokensOf(outputChars), request.max_tokens) },
  }
}

const withId = (block: AnswerBlock, id: string): WholeMessage['content'][number] =>
  block.type === 'text' ? block : { ...block, id: `toolu_rehearsal_${id}` }
