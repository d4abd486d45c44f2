/** A problem in a manifest, with where it stands and what would do, and the line a person reads. Pure. */

/** Something that is wrong in a file, and where. */
export type Problem = {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** The field, such as spec.regions[0]; absent when the text as such is at fault. */
  readonly path?: string
  /** What is wrong: sentence case, no final period. */
  readonly message: string
  /** The value as written, cut; already part of the message where it helps. */
  readonly received?: string
  /** What would do. */
  readonly fix?: string
}

/** A place in a file: both from 1. */
export type Position = { readonly line: number; readonly column: number }

/** The most problems that one file is told of. */
export const PROBLEMS_MAX = 50

/** The longest received value that is shown, in characters. */
export const RECEIVED_CHARS_MAX = 80

/** `file:line:column: path: message, received value (fix)`, one line. */
export function formatProblem(problem: Problem): string {
  const { file, line, column, path, message, received, fix } = problem
  const field = path === undefined ? '' : `${path}: `
  const value = received === undefined || message.includes(received) ? '' : `, received ${received}`
  return `${file}:${line}:${column}: ${field}${message}${value}${fix === undefined ? '' : ` (${fix})`}`
}

/** A value as a message shows it: quoted JSON, cut. */
export function shownValue(value: unknown): string {
  const text = typeof value === 'string' ? value.slice(0, RECEIVED_CHARS_MAX * 2) : value
  const json = JSON.stringify(text) ?? 'nothing'
  return json.length <= RECEIVED_CHARS_MAX ? json : `${json.slice(0, RECEIVED_CHARS_MAX - 1)}…`
}
