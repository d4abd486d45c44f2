/** Decides names: deterministic ones for objects that we make, and the nearest known one to a misspelt name. Pure. */

import { editDistance } from '../api/schema/nearest.ts'

const HASH_CHARS = 8

/** FNV-1a, 32 bits, as 8 hex digits: spreads names, protects nothing. */
export function shortHash(text: string): string {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  }
  return (hash >>> 0).toString(16).padStart(HASH_CHARS, '0')
}

/** The text itself, or, when it is longer than `charsMax`, its beginning and a hash of the whole. */
export const boundedName = (text: string, charsMax: number): string =>
  text.length <= charsMax ? text : hashedName(text, text, charsMax)

/** The beginning of the text and a hash of `seed`: a second name for when the first is taken. */
export const hashedName = (text: string, seed: string, charsMax: number): string =>
  `${text.slice(0, charsMax - HASH_CHARS - 1).replace(/-+$/, '')}-${shortHash(seed)}`

const COMPARED_CHARS_MAX = 64

/** How many names a suggestion lists. */
const SUGGESTIONS_MAX = 5

/** Ends a refusal of an unknown name: the nearest known ones, or else what there is. */
export function suggestion(name: string, known: Iterable<string>): string {
  const all = [...new Set(known)].sort()
  // Names are bounded by their fields: long ones are not compared.
  const near = (name.length > COMPARED_CHARS_MAX ? [] : all)
    .filter((candidate) => candidate.length <= COMPARED_CHARS_MAX)
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .filter(({ candidate, distance }) => distance <= Math.max(2, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate)
  if (near.length > 0) return `did you mean ${quoteList(near)}?`
  return all.length === 0 ? 'there is none' : `there is ${quoteList(all)}`
}

/** Names in quotes, the first few of them. */
export function quoteList(names: readonly string[]): string {
  const shown = names.slice(0, SUGGESTIONS_MAX).map((name) => `"${name}"`)
  const rest = names.length - shown.length
  return rest > 0 ? `${shown.join(', ')} and ${rest} more` : shown.join(', ')
}

/** Names without quotes, the first few of them, sorted: for messages that must stay the same between passes. */
export function nameList(names: Iterable<string>): string {
  const sorted = [...new Set(names)].sort()
  const shown = sorted.slice(0, 3).join(', ')
  return sorted.length > 3 ? `${shown} and ${sorted.length - 3} more` : shown
}
