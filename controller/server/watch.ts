/** Streams a registry watch as lines of JSON, and ends it cleanly. */
import type { Clock } from '../../system/clock.ts'
import { statusOf, type ApiError } from '../api/errors.ts'
import type { RegistryEvent } from '../registry/registry.ts'
import type { Representation } from './accept.ts'
import { toApiError } from './exchange.ts'
import type { IncludeObject } from './params.ts'
import { eventLine, jsonTextOf, sharedLines } from './serialise.ts'
import { partialMetadata, type TableRenderer } from './table.ts'

/** Turns an event into one line, newline included. */
export type EventEncoder = (event: RegistryEvent) => Uint8Array

/** The encoders whose lines depend on the event alone: each line is made once for all watches. */
const encodeObject = sharedLines(jsonTextOf)
const encodeMetadata = {
  v1: sharedLines((object) => JSON.stringify(partialMetadata(object, 'v1'))),
  v1beta1: sharedLines((object) => JSON.stringify(partialMetadata(object, 'v1beta1'))),
}

/** The encoder for what the client accepts; a Table's columns are defined in its first event only. */
export function eventEncoder(
  representation: Representation,
  table: { readonly renderer: () => TableRenderer; readonly includeObject: IncludeObject; readonly clock: Clock },
): EventEncoder {
  if (representation.as === 'Object') return encodeObject
  if (representation.as === 'PartialObjectMetadata') return encodeMetadata[representation.version]
  const renderer = table.renderer()
  let withColumns = true
  return (event) => {
    const metadata = { resourceVersion: event.object.metadata.resourceVersion }
    const options = { version: representation.version, includeObject: table.includeObject, nowMs: table.clock.now() }
    const rendered = renderer.table([event.object], metadata, { ...options, withColumns })
    withColumns = false
    return eventLine(event.type, JSON.stringify(rendered))
  }
}

/**
 * The lines of a watch until its signal aborts or the events end. A failure, Expired above all, is sent as an ERROR
 * event with its Status, and ends the stream; `onError` is told. `lastWord` is why the signal aborted, where the client
 * must know it to go on rightly.
 */
export async function* watchLines(
  events: AsyncIterable<RegistryEvent>,
  encode: EventEncoder,
  end: {
    readonly signal: AbortSignal
    readonly lastWord?: () => ApiError | undefined
    readonly onError: (error: unknown) => void
    readonly onEnd: () => void
  },
): AsyncGenerator<Uint8Array> {
  try {
    for await (const event of events) {
      yield encode(event)
      if (end.signal.aborted) break
    }
    const lastWord = end.signal.aborted ? end.lastWord?.() : undefined
    if (lastWord !== undefined) yield eventLine('ERROR', JSON.stringify(statusOf(lastWord)))
  } catch (error) {
    // An aborted source may end by throwing its reason: that is the end that was asked for.
    if (end.signal.aborted) return
    end.onError(error)
    yield eventLine('ERROR', JSON.stringify(statusOf(toApiError(error))))
  } finally {
    end.onEnd()
  }
}

/** A signal that aborts with any of `signals` or after `timeoutMs`; `cancel` frees the timer and lets the signals go. */
export function endingSignal(
  signals: readonly AbortSignal[],
  timeoutMs: number,
  clock: Clock,
): { readonly signal: AbortSignal; readonly cancel: () => void } {
  // Not AbortSignal.any: its `aborted` is read for every event of every watch, and looks at all its sources.
  const ending = new AbortController()
  const end = (): void => ending.abort()
  for (const signal of signals) {
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
  }
  const cancelTimer = clock.after(timeoutMs, end, { background: true })
  const cancel = (): void => {
    cancelTimer()
    for (const signal of signals) signal.removeEventListener('abort', end)
  }
  return { signal: ending.signal, cancel }
}
