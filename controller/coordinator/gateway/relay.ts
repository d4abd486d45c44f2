/** Passes a streamed answer on to the sprite event by event, at the sprite's pace, and says how it ended. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { NO_STREAM_USAGE, usageAfter, type StreamUsage } from './usage.ts'
import type { StreamEvent } from './upstream.ts'

/** One server-sent event as the Messages API writes it. Pure. */
export const sseText = (event: StreamEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** What came through; `error` when the stream was cut by either side. */
export type Relayed = { readonly usage: StreamUsage; readonly error?: unknown }

/** Never throws: a cut ends the answer with an error event, since its status line is long gone. */
export async function relay(
  events: AsyncIterable<StreamEvent>,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<Relayed> {
  let usage = NO_STREAM_USAGE
  try {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
    for await (const event of events) {
      usage = usageAfter(usage, event)
      if (!response.write(sseText(event))) await once(response, 'drain', { signal })
    }
    if (!usage.isComplete) throw new Error('The stream ended before its message did')
    response.end()
    return { usage }
  } catch (error) {
    if (!response.destroyed)
      response.end(sseText({ type: 'error', error: { type: 'api_error', message: 'The stream of the model was cut' } }))
    return { usage, error }
  }
}
