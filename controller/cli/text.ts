/** Cuts, cleans and aligns text for a terminal. Pure. */
import { formatProblem, type Problem } from '../manifest/problem.ts'

/** What a terminal would take for a command, C0 and C1: text of models and users may hold anything. */
// eslint-disable-next-line no-control-regex -- control characters are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu

/** One line that can be printed. */
export const clean = (text: string): string => text.replace(CONTROL, ' ').trim()

/** The first `width` characters, the last of them an ellipsis when some were cut. */
export function cut(text: string, width: number): string {
  const chars = Array.from(text)
  if (chars.length <= width) return text
  return width <= 1 ? chars.slice(0, Math.max(0, width)).join('') : `${chars.slice(0, width - 1).join('')}…`
}

/** Filled up with blanks. */
export const pad = (text: string, width: number): string =>
  text + ' '.repeat(Math.max(0, width - Array.from(text).length))

/** Rows as aligned columns with three blanks between, as kubectl prints them; no blanks at the end of a line. */
export function table(rows: readonly (readonly string[])[], gap = '   '): string[] {
  const count = Math.max(0, ...rows.map((row) => row.length))
  const widths = Array.from({ length: count }, (_, column) =>
    Math.max(0, ...rows.map((row) => Array.from(row[column] ?? '').length)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => pad(cell, widths[column] ?? 0))
      .join(gap)
      .trimEnd(),
  )
}

/** 1,234,567. */
export const grouped = (count: number): string => String(Math.trunc(count)).replace(/\B(?=(\d{3})+(?!\d))/g, ',')

/** `1 sprite`, `2 sprites`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${grouped(count)} ${count === 1 ? noun : plural}`

/** HH:MM:SS in UTC of an instant in ms since 1970. */
export function timeOfDay(ms: number): string {
  const seconds = Math.floor(ms / 1000) % 86_400
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0')
  return `${two(seconds / 3600)}:${two((seconds % 3600) / 60)}:${two(seconds % 60)}`
}

/** A problem of a manifest as a terminal may print it: file names and values come from anywhere. */
export const problemLine = (problem: Problem): string => `${clean(formatProblem(problem))}\n`
