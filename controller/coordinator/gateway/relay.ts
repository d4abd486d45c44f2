/** Passes a streamed answer on to the sprite event by event, at the sprite's pace, and says how it ended. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Clock } from '../../../system/clock.ts'
import { asRecord, NO_STREAM_USAGE, usageAfter, type StreamUsage } from './usage.ts'
import type { StreamEvent } from './upstream.ts'

/** One server-sent event as the Messages API writes it. Pure. */
export const sseText = (event: StreamEvent): string => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

const PING_INTERVAL_MS = 15_000

/** What came through; `error` when the stream was cut by either side. */
export type Relayed = { readonly usage: StreamUsage; readonly error?: unknown }

/** Whether it has a type that can be a line of its own: whatever stands between us and the model may say anything. */
function isEvent(event: unknown): boolean {
  const { type } = asRecord(event)
  return typeof type === 'string' && /^[\w.-]{1,100}$/.test(type)
}

/** Never throws: a cut ends the answer with an error event, since its status line is long gone. */
export async function relay(
  events: AsyncIterable<StreamEvent>,
  response: ServerResponse,
  ports: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<Relayed> {
  const { clock, signal } = ports
  let usage = NO_STREAM_USAGE
  let cancel = (): void => {}
  // A model that thinks says nothing for minutes: pings keep what lies between from closing the connection.
  const ping = (): void => {
    if (!response.writableEnded && !response.writableNeedDrain) response.write(sseText({ type: 'ping' }))
    cancel = clock.after(PING_INTERVAL_MS, ping, { background: true })
  }
  try {
    response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' })
    cancel = clock.after(PING_INTERVAL_MS, ping, { background: true })
    for await (const event of events) {
      if (!isEvent(event)) throw new Error('The stream holds what is no event')
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
  } finally {
    cancel()
  }
}
