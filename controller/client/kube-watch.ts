/** Watches a collection of a Kubernetes API server through broken connections: the reading half of a reflector. */
import { backoffMs, type BackoffPolicy } from '../../system/backoff.ts'
import type { Clock } from '../../system/clock.ts'
import type { Entropy } from '../../system/entropy.ts'
import { ApiError, hasReason } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import type { WatchEvent } from './client.ts'
import { statusError } from './kube-errors.ts'
import type { KubeWire } from './kube-wire.ts'

/** What is watched, and over what. */
export type KubeWatchOptions = {
  readonly wire: Pick<KubeWire, 'lines' | 'closing'>
  readonly clock: Clock
  readonly entropy: Entropy
  readonly path: string
  /** Selectors. */
  readonly query: Readonly<Record<string, string>>
  readonly resourceVersion: string
}

/** The server ends a watch after this long, plus up to as much again: its caches and load spread so. */
const WATCH_SECONDS_MIN = 300
/** A stream without even a bookmark for so long is dead: kube-apiserver sends one a minute. */
const SILENCE_MS_MAX = 150_000
/** A watch that ends sooner, and brought nothing, counts as a failure: a server that ends each is not flooded. */
const WATCH_MS_MIN = 1_000
const RETRY_BACKOFF: BackoffPolicy = { baseMs: 100, maxMs: 10_000, jitter: 0.5 }
/** After so many in a row the caller hears of it, and decides. */
const FAILURES_MAX = 6

/**
 * Events after `resourceVersion`, over as many connections as it takes: each goes on from the last event or bookmark.
 * Throws ApiError: Expired when that is too old, what the server refuses for good at once, and what passes (a broken
 * connection, 429, 5xx) only when it came six times in a row. Ends without an error when the signal aborts, or when the
 * connection ends before the version to go on from is known.
 */
export async function* watchKube(
  options: KubeWatchOptions,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<KubeObject>, void, undefined> {
  const { clock } = options
  let position = options.resourceVersion
  // Current objects come in order of name: among them no version is one to go on from.
  let isResumable = position !== '' && position !== '0'
  let failures = 0
  while (!signal.aborted) {
    const openedAt = clock.monotonic()
    let failure: ApiError | undefined
    let hasBrought = false
    try {
      for await (const event of connection(options, position, signal)) {
        hasBrought = true
        failures = 0
        isResumable ||= event.type === 'BOOKMARK'
        position = event.type === 'BOOKMARK' ? event.resourceVersion : event.object.metadata.resourceVersion
        yield event
      }
    } catch (error) {
      if (signal.aborted) return
      if (!isPassing(error) || !isResumable || options.wire.closing.aborted) throw error
      failure = error
    }
    if (signal.aborted || !isResumable) return
    const isShort = !hasBrought && clock.monotonic() - openedAt < WATCH_MS_MIN
    if (failure !== undefined || isShort) failures += 1
    if (failures >= FAILURES_MAX) {
      if (failure !== undefined) throw failure
      return
    }
    if (failures > 0) await pause(options, { failures, failure, signal })
  }
}

const isPassing = (error: unknown): error is ApiError =>
  hasReason(error, 'ServiceUnavailable', 'Timeout', 'TooManyRequests', 'InternalError')

/** Waits before the next connection; an aborted wait is seen by the loop. */
async function pause(
  { clock, entropy, wire }: KubeWatchOptions,
  at: { readonly failures: number; readonly failure: ApiError | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const askedMs = (at.failure?.details.retryAfterSeconds ?? 0) * 1000
  const delayMs = Math.max(askedMs, backoffMs(RETRY_BACKOFF, at.failures, entropy.random()))
  await clock.sleep(delayMs, AbortSignal.any([at.signal, wire.closing])).catch(() => {})
}

/** One connection: its events, until it ends or falls silent. */
async function* connection(
  { wire, clock, entropy, path, query }: KubeWatchOptions,
  resourceVersion: string,
  signal: AbortSignal,
): AsyncGenerator<WatchEvent<KubeObject>, void, undefined> {
  const ending = new AbortController()
  const listen = (): (() => void) => clock.after(SILENCE_MS_MAX, () => ending.abort(), { background: true })
  let cancel = listen()
  const timeoutSeconds = Math.round(WATCH_SECONDS_MIN * (1 + entropy.random()))
  const asked = { watch: 'true', allowWatchBookmarks: 'true', timeoutSeconds: String(timeoutSeconds), resourceVersion }
  try {
    const either = AbortSignal.any([signal, ending.signal])
    for await (const line of wire.lines({ method: 'GET', path, query: { ...query, ...asked } }, either)) {
      cancel()
      cancel = listen()
      const event = eventOf(line)
      if (event !== undefined) yield event
    }
  } catch (error) {
    // A silent stream was ended by us: the next one tells whether the server still lives.
    if (!ending.signal.aborted) throw error
  } finally {
    cancel()
    ending.abort()
  }
}

/** The event of a line; undefined for a type that is not known. Throws the error of an ERROR event. */
function eventOf(line: string): WatchEvent<KubeObject> | undefined {
  const { type, object } = parsedLine(line)
  if (type === 'ERROR') throw statusError(object)
  // Objects of a watch are those that the server stores: they have passed its schema.
  const stored = object as unknown as KubeObject
  if (type === 'BOOKMARK') return { type, resourceVersion: stored.metadata.resourceVersion }
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') return { type, object: stored }
  return undefined
}

type Line = { readonly type: unknown; readonly object: Record<string, unknown> }

function parsedLine(line: string): Line {
  const value = parsedJson(line)
  if (isRecord(value) && isRecord(value['object'])) return { type: value['type'], object: value['object'] }
  throw new ApiError('ServiceUnavailable', 'The watch sent a line that is no event')
}

function parsedJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
