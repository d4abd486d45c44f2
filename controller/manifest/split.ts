/** Splits a YAML text into its documents, in one pass that costs the same whatever the text holds. Pure. */
import type { Position } from './problem.ts'

/** The longest file, in characters: above it nothing is read at all. */
export const FILE_CHARS_MAX = 2 * 1024 * 1024
/** The longest document, in characters. */
export const DOCUMENT_CHARS_MAX = 256 * 1024
/** The most documents of a file. */
export const DOCUMENTS_MAX = 100

/** One document's text and where it begins in the file, in characters. */
export type Chunk = { readonly text: string; readonly offset: number }

/**
 * The chunks of a text between its document markers; `isCut` when there were more than DOCUMENTS_MAX + 1 of them.
 * A line that begins with `---` or `...` is a marker wherever it stands, inside a block of text too: YAML says so.
 */
export function splitDocuments(text: string): { readonly chunks: readonly Chunk[]; readonly isCut: boolean } {
  const chunks: Chunk[] = []
  let start = 0
  for (let line = 0; line >= 0 && line < text.length; line = nextLine(text, line)) {
    if (!isMarker(text, line)) continue
    if (line > start) chunks.push({ text: text.slice(start, line), offset: start })
    // `---` opens a document and may carry its first line; `...` only ends one.
    start = text.startsWith('...', line) ? line + 3 : line
    if (chunks.length > DOCUMENTS_MAX) return { chunks, isCut: true }
  }
  if (start < text.length) chunks.push({ text: text.slice(start), offset: start })
  return { chunks, isCut: false }
}

const nextLine = (text: string, from: number): number => {
  const end = text.indexOf('\n', from)
  return end < 0 ? -1 : end + 1
}

function isMarker(text: string, line: number): boolean {
  if (!text.startsWith('---', line) && !text.startsWith('...', line)) return false
  const after = text[line + 3]
  return after === undefined || after === '\n' || after === '\r' || after === ' ' || after === '\t'
}

/** Turns offsets of a text into positions; the table of lines is made once, at the first use. */
export function positionsOf(text: string): (offset: number) => Position {
  let starts: readonly number[] | undefined
  return (offset) => {
    if (offset === 0) return { line: 1, column: 1 }
    starts ??= lineStarts(text)
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

function lineStarts(text: string): number[] {
  const starts = [0]
  for (let line = nextLine(text, 0); line >= 0; line = nextLine(text, line)) starts.push(line)
  return starts
}
