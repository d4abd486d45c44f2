/** Pure: how long a server asks to wait before the next try, from its Retry-After headers. */
import { parseTimestamp } from '../system/timestamp.ts'

/** Reads one header by its lower-case name. */
export type ReadHeader = (name: string) => string | null | undefined

/**
 * The wait in ms that `retry-after-ms` (ms) or `retry-after` (seconds, or an HTTP date against `nowMs`) asks for;
 * undefined when there is none or it cannot be read. Never negative.
 */
export function retryAfterMs(header: ReadHeader, nowMs: number): number | undefined {
  const inMs = positive(header('retry-after-ms'))
  if (inMs !== undefined) return inMs
  const text = header('retry-after')
  const inSeconds = positive(text)
  if (inSeconds !== undefined) return inSeconds * 1_000
  const atMs = parseTimestamp(text ?? undefined)
  return atMs === undefined ? undefined : Math.max(0, atMs - nowMs)
}

function positive(text: string | null | undefined): number | undefined {
  if (!text || !/^\d{1,9}(\.\d{1,6})?$/.test(text.trim())) return undefined
  return Number(text)
}
