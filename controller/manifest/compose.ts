/** Makes a YAML document of a bounded syntax tree, and stops at the first few errors. Pure. */
import type { CST, Document, ParsedNode } from 'yaml'
import { Composer } from 'yaml'

/** The most syntax errors of one document that are told. */
export const ERRORS_MAX = 20

/** Where a text is no YAML. */
export type SyntaxError = { readonly offset: number; readonly message: string }

/** One document of a YAML text, or what is wrong with it. */
export type Composed =
  /** Absent: the text holds only comments. */
  | { readonly ok: true; readonly document: Document.Parsed | undefined }
  | { readonly ok: false; readonly errors: readonly SyntaxError[] }

const OPTIONS = {
  // yaml's own check takes time quadratic in the keys; to-json.ts checks them with a Set.
  uniqueKeys: false,
  version: '1.2',
  schema: 'core',
  prettyErrors: false,
  logLevel: 'silent',
} as const

/** Thrown to leave the composer; never leaves this file. */
class ErrorsFull extends Error {
  override readonly name = 'ErrorsFull'
}

/** The one document of a syntax tree, or its first ERRORS_MAX errors in the order in which they were found. */
export function composeTree(tokens: readonly CST.Token[]): Composed {
  const errors: SyntaxError[] = []
  for (const token of tokens) {
    if (token.type === 'error' && errors.length < ERRORS_MAX) errors.push(errorOf(token))
  }
  if (errors.length > 0) return { ok: false, errors }
  try {
    const [document] = composerTo(errors).compose(tokens, false)
    if (errors.length === 0) return { ok: true, document }
  } catch (error) {
    if (!(error instanceof ErrorsFull)) throw error
  }
  return { ok: false, errors }
}

/**
 * A composer that writes its errors to a list and gives up when that is full. Its own way of keeping them makes an
 * Error with a stack for each, which takes seconds for a text of nothing but errors.
 */
function composerTo(errors: SyntaxError[]): Composer<ParsedNode> {
  const composer = new Composer<ParsedNode>(OPTIONS)
  const onError = (source: unknown, _code: string, message: string, isWarning?: boolean): void => {
    if (isWarning === true) return
    errors.push({ offset: offsetOf(source), message })
    if (errors.length >= ERRORS_MAX) throw new ErrorsFull('too many syntax errors')
  }
  // Not part of yaml's documented interface; a test fails should a new version not ask for it any more.
  Object.defineProperty(composer, 'onError', { value: onError })
  return composer
}

/** yaml tells of a place as an offset, as a range or as a token. */
function offsetOf(source: unknown): number {
  if (typeof source === 'number') return source
  if (Array.isArray(source)) return offsetOf(source[0])
  if (typeof source === 'object' && source !== null && 'offset' in source) return offsetOf(source.offset)
  return 0
}

/** The longest piece of the text that an error quotes, in characters. */
const QUOTED_CHARS_MAX = 40

const errorOf = ({ offset, message, source }: CST.ErrorToken): SyntaxError => ({
  offset,
  message: source === '' ? message : `${message}: ${JSON.stringify(source.slice(0, QUOTED_CHARS_MAX))}`,
})
