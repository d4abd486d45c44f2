/** Chains the lines of the audit log by their hashes, and finds where a chain of lines is broken. */
import { createHash } from 'node:crypto'
import type { AuditEvent } from '../server/audit.ts'

/** What the first line of all follows. */
export const CHAIN_START = '0'.repeat(64)

const NAME = 'audit.sprites.highera.com'
/** The annotation of a line that follows one which was cut off by a crash: the hash of what was left of that. */
export const TORN = `${NAME}/torn`

/** One line of the log and the hash by which the next names it. */
export type ChainedLine = { readonly line: string; readonly hash: string }

/** Hex of the SHA-256. */
export const hashOf = (text: string | Uint8Array): string => createHash('sha256').update(text).digest('hex')

/** The text of an event that waits for its place: everything but the chain. */
export function openLineOf(event: AuditEvent): string {
  const { annotations = {}, ...rest } = event
  const text = JSON.stringify({ ...rest, annotations })
  const isEmpty = Object.keys(annotations).length === 0
  // The annotations stand last, so that the chain is found at the end of the line as it is, without reading JSON.
  return `${text.slice(0, -2)}${isEmpty ? '' : ','}`
}

/** The line of an event after the line with that hash; its own hash covers everything before it. */
export function chainedLine(openLine: string, previous: string): ChainedLine {
  const body = `${openLine}"${NAME}/previous":"${previous}"`
  const hash = hashOf(body)
  return { line: `${body},"${NAME}/hash":"${hash}"}}`, hash }
}

const END = /,"audit\.sprites\.highera\.com\/hash":"([0-9a-f]{64})"\}\}$/
const PREVIOUS = /"audit\.sprites\.highera\.com\/previous":"([0-9a-f]{64})"$/
const TORN_MARK = /"audit\.sprites\.highera\.com\/torn":"([0-9a-f]{64})",?/

/** The links of a line; undefined when it is none of the log's, or was changed. */
export function linksOf(line: string): { readonly previous: string; readonly hash: string } | undefined {
  const end = END.exec(line)
  const hash = end?.[1]
  if (end === null || hash === undefined) return undefined
  const body = line.slice(0, end.index)
  const previous = PREVIOUS.exec(body)?.[1]
  return previous === undefined || hashOf(body) !== hash ? undefined : { previous, hash }
}

/** How far a chain has been read. */
export type ChainState = {
  readonly lines: number
  /** What the first line follows: CHAIN_START when the log is there from its beginning. */
  readonly first?: string
  /** The hash of the last good line. */
  readonly last?: string
  /** The hash of a line that is none, which the next must name as torn off. */
  readonly torn?: string
  /** Lines that were cut off by a crash, and told so. */
  readonly tornLines: number
}

/** Before the first line; `after` is the hash that it has to follow, where that is known. */
export const chainBegun = (after?: string): ChainState => ({
  lines: 0,
  tornLines: 0,
  ...(after === undefined ? {} : { last: after }),
})

/** The chain with one more line, or what is wrong with it; `line` counts from 1. */
export function nextLine(
  state: ChainState,
  line: Buffer,
): ChainState | { readonly line: number; readonly problem: string } {
  const number = state.lines + 1
  const links = linksOf(line.toString())
  if (links === undefined) {
    if (state.torn !== undefined) return { line: number - 1, problem: CHANGED }
    return { ...state, lines: number, torn: hashOf(line) }
  }
  if (state.torn !== undefined && TORN_MARK.exec(line.toString())?.[1] !== state.torn)
    return { line: number - 1, problem: CHANGED }
  if (state.last !== undefined && state.last !== links.previous)
    return { line: number, problem: 'it does not follow the line before it: lines were cut, added or moved here' }
  const { torn, ...rest } = state
  return {
    ...rest,
    lines: number,
    first: state.first ?? links.previous,
    last: links.hash,
    tornLines: state.tornLines + (torn === undefined ? 0 : 1),
  }
}

/** What is wrong with a line that the log has not written so. */
export const CHANGED = 'it was changed, or is no line of the log'
