/**
 * Bounds how many members a body may have: what a write costs grows with them, not with bytes, and while one is worked
 * on nobody else is answered. Pure.
 */
import { ApiError } from '../api/errors.ts'

/**
 * Keys of objects and items of lists, all together. The largest objects of ours, with who owns which of their fields,
 * have some thousands; 100,000 would keep everybody waiting for seconds.
 */
export const MEMBERS_MAX = 20_000

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const BRACE = 0x7b
const BRACKET = 0x5b

/** Throws RequestEntityTooLarge for JSON text of more members; found by one pass over its bytes, before it is parsed. */
export function refuseCrowded(bytes: Uint8Array): void {
  // Each takes two bytes at least: what is small need not be looked through.
  if (bytes.length > 2 * MEMBERS_MAX && marksIn(bytes, MEMBERS_MAX) > MEMBERS_MAX) throw crowded()
}

/** Throws RequestEntityTooLarge for a value of more members, however it was read. */
export function refuseCrowdedValue(value: unknown): void {
  let count = 0
  const open: unknown[] = [value]
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (typeof at !== 'object' || at === null) continue
    const members: readonly unknown[] = Object.values(at)
    count += members.length
    if (count > MEMBERS_MAX) throw crowded()
    for (const member of members) if (typeof member === 'object' && member !== null) open.push(member)
  }
}

const crowded = (): ApiError =>
  new ApiError(
    'RequestEntityTooLarge',
    `Cannot take the body: it has more than ${MEMBERS_MAX} keys and items in all; send a smaller object`,
  )

/** Commas and opening brackets outside of strings: no fewer than there are members. Counting ends past `max`. */
function marksIn(bytes: Uint8Array, max: number): number {
  let count = 0
  let inString = false
  for (let at = 0; at < bytes.length && count <= max; at++) {
    const byte = bytes[at]
    if (inString) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === COMMA || byte === BRACE || byte === BRACKET) count++
  }
  return count
}
