/** Follows a watch as it comes: one JSON event a line. */
import { ApiError } from '../../api/errors.ts'
import type { Clock } from '../../../system/clock.ts'
import type { HttpClient } from './http.ts'

/** One change that a watch tells, or a bookmark. */
export type WatchEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: Readonly<Record<string, unknown>>
}

/** What is watched. */
export type WatchRequest = {
  readonly path: string
  readonly accept?: string
  readonly query: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** The longest event, in characters. */
const EVENT_CHARS_MAX = 8 * 1024 * 1024

/** The events until the server ends the watch or the signal aborts. Throws ApiError for an ERROR event. */
export async function* watchEvents(http: HttpClient, request: WatchRequest): AsyncGenerator<WatchEvent> {
  const query = { ...request.query, watch: 'true', allowWatchBookmarks: 'true' }
  let rest = ''
  try {
    for await (const chunk of http.text(request.path, { ...request, query })) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > EVENT_CHARS_MAX)
        throw new ApiError('RequestEntityTooLarge', 'An event of the watch is too large')
      for (const line of lines) if (line !== '') yield eventOf(line)
    }
  } catch (error) {
    if (!request.signal.aborted) throw error
  }
}

function eventOf(line: string): WatchEvent {
  // As the server writes each line of a watch.
  const event = JSON.parse(line) as WatchEvent
  if (event.type !== 'ERROR') return event
  const { message } = event.object
  throw new ApiError('Expired', typeof message === 'string' ? message : 'The watch has ended')
}

/** Aborts after a time, or when the other signal does; `stop` clears the timer. */
export function deadlineOf(
  clock: Clock,
  timeoutMs: number,
): { readonly signal: AbortSignal; readonly stop: () => void } {
  const controller = new AbortController()
  const stop = clock.after(timeoutMs, () => controller.abort(new Error('Timed out')))
  return { signal: controller.signal, stop }
}
