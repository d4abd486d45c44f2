/** A fake of the Messages API for tests: answers by a script, as server-sent events, and records what was asked. */
import type { ServerResponse } from 'node:http'
import { sendJson, type FakeRequest } from './server.ts'

export type FakeBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly name: string; readonly input: unknown }
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }

export type FakeAnswer =
  | { readonly blocks: readonly FakeBlock[]; readonly stopReason: string }
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  /** The stream breaks off after its first event. */
  | { readonly cut: true }
  /** An error event inside the stream. */
  | { readonly streamError: string }
  /** No answer for ever. */
  | { readonly hang: true }

/** The part of a request that tests look at. */
export type FakeCall = {
  readonly headers: FakeRequest['headers']
  readonly body: {
    readonly model: string
    readonly max_tokens: number
    readonly system: readonly { readonly text: string; readonly cache_control?: unknown }[]
    readonly tools: readonly { readonly name: string }[]
    readonly messages: readonly { readonly role: string; readonly content: readonly Record<string, unknown>[] }[]
    readonly [field: string]: unknown
  }
}

export type FakeMessages = {
  readonly calls: FakeCall[]
  /** Answers one POST …/v1/messages. */
  answer(request: FakeRequest, response: ServerResponse): void
}

/** Answers in order; the last answer is repeated. */
export function createFakeMessages(script: readonly FakeAnswer[]): FakeMessages {
  const calls: FakeCall[] = []
  return {
    calls,
    answer: (request, response) => {
      // The SDK sends what FakeCall describes; tests that read a wrong field fail by themselves.
      calls.push({ headers: request.headers, body: request.body as FakeCall['body'] })
      const answer = script[Math.min(calls.length, script.length) - 1]
      if (answer) play(answer, response, calls.length)
      else sendJson(response, 500, { type: 'error', error: { type: 'api_error', message: 'The script is empty' } })
    },
  }
}

function play(answer: FakeAnswer, response: ServerResponse, turn: number): void {
  if ('hang' in answer) return
  if ('status' in answer) {
    const body = answer.body ?? { type: 'error', error: { type: 'api_error', message: `Status ${answer.status}` } }
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
    response.end(JSON.stringify(body))
    return
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (event: { readonly type: string; readonly [field: string]: unknown }): boolean =>
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  send({ type: 'message_start', message: { ...EMPTY_MESSAGE, id: `msg_${turn}` } })
  if ('cut' in answer) {
    response.end()
    return
  }
  if ('streamError' in answer) {
    send({ type: 'error', error: { type: answer.streamError, message: 'Overloaded' } })
    response.end()
    return
  }
  answer.blocks.forEach((block, index) => sendBlock(send, block, { index, turn }))
  const usage = { input_tokens: 100, output_tokens: 20, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 }
  const delta = { stop_reason: answer.stopReason, stop_sequence: null, stop_details: null }
  send({ type: 'message_delta', delta, usage })
  send({ type: 'message_stop' })
  response.end()
}

const EMPTY_MESSAGE = {
  type: 'message',
  role: 'assistant',
  model: 'claude-test',
  content: [],
  stop_reason: null,
  stop_sequence: null,
  stop_details: null,
  usage: { input_tokens: 100, output_tokens: 1, cache_creation_input_tokens: 0, cache_read_input_tokens: 0 },
}

function sendBlock(
  send: (event: { readonly type: string; readonly [field: string]: unknown }) => boolean,
  block: FakeBlock,
  place: { readonly index: number; readonly turn: number },
): void {
  const { index } = place
  const start = (content_block: object): boolean => send({ type: 'content_block_start', index, content_block })
  const delta = (content: object): boolean => send({ type: 'content_block_delta', index, delta: content })
  if (block.type === 'text') {
    start({ type: 'text', text: '', citations: null })
    delta({ type: 'text_delta', text: block.text })
  } else if (block.type === 'thinking') {
    start({ type: 'thinking', thinking: '', signature: '' })
    delta({ type: 'thinking_delta', thinking: block.thinking })
    delta({ type: 'signature_delta', signature: block.signature })
  } else {
    start({ type: 'tool_use', id: `toolu_${place.turn}_${index}`, name: block.name, input: {} })
    delta({ type: 'input_json_delta', partial_json: JSON.stringify(block.input) })
  }
  send({ type: 'content_block_stop', index })
}
