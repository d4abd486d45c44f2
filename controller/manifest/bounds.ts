/** Bounds a document by its tokens and its concrete syntax tree, before anything recursive sees it. Pure. */
import type { CST } from 'yaml'
import { Lexer, Parser } from 'yaml'

/** The most tokens of a file, all documents together. */
export const TOKENS_MAX = 60_000
/** The most keys of a map, or fields of an object. */
export const KEYS_MAX = 2000
/** The deepest nesting of a document, in levels. */
export const LEVELS_MAX = 64
/** The most aliases of a document. */
export const ALIASES_MAX = 20
/** The most anchors and tags of a document, together. */
export const PROPERTIES_MAX = 200

/** Why a document is not read further, and where (offset in its text). */
export type Excess = { readonly offset: number; readonly message: string; readonly fix?: string }

/** `count` is how many tokens were taken; above `tokensLeft` the file as a whole is too large. */
export type Bounded = { readonly count: number } & (
  | { readonly ok: true; readonly tokens: readonly CST.Token[] }
  | { readonly ok: false; readonly excess: Excess }
)

/** The syntax tree of a text that is within all bounds. */
export function boundedTree(text: string, tokensLeft: number): Bounded {
  const parser = new Parser()
  const tokens: CST.Token[] = []
  const marks = { aliases: 0, properties: 0 }
  let count = 0
  let isContent = false
  for (const lexeme of new Lexer().lex(text)) {
    count += 1
    if (!isContent) countMark(lexeme, marks)
    isContent = lexeme === SCALAR_FOLLOWS
    const excess = countExcess(count > tokensLeft, marks)
    if (excess !== undefined) return { ok: false, count, excess: { ...excess, offset: parser.offset } }
    for (const token of parser.next(lexeme)) tokens.push(token)
  }
  for (const token of parser.end()) tokens.push(token)
  const excess = findExcess(tokens)
  return excess === undefined ? { ok: true, count, tokens } : { ok: false, count, excess }
}

/** The lexer's mark that the next lexeme is the text of a plain or block scalar, whatever it looks like. */
const SCALAR_FOLLOWS = '\u001F'

type Marks = { aliases: number; properties: number }

function countMark(lexeme: string, marks: Marks): void {
  if (lexeme.startsWith('*')) marks.aliases += 1
  if (lexeme.startsWith('&') || lexeme.startsWith('!')) marks.properties += 1
}

function countExcess(isTooLong: boolean, marks: Marks): Omit<Excess, 'offset'> | undefined {
  if (isTooLong) return { message: `Too large: a file may hold at most ${TOKENS_MAX} tokens`, fix: 'split the file' }
  if (marks.aliases > ALIASES_MAX) {
    return { message: `Too many aliases: a document may hold at most ${ALIASES_MAX}`, fix: 'write the values out' }
  }
  if (marks.properties <= PROPERTIES_MAX) return undefined
  return { message: `Too many anchors and tags: a document may hold at most ${PROPERTIES_MAX}`, fix: 'remove them' }
}

type Place = { readonly token: CST.Token; readonly level: number }

/** Walks the tree with a list of its own, since the tree may be deeper than the stack; at most TOKENS_MAX steps. */
function findExcess(tokens: readonly CST.Token[]): Excess | undefined {
  const pending: Place[] = tokens.map((token) => ({ token, level: 0 }))
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { token, level } = place
    if (token.type === 'directive') {
      return { offset: token.offset, message: 'YAML directives are not read', fix: 'remove the line' }
    }
    const excess = scalarExcess(token) ?? collectionExcess(token, level + 1)
    if (excess !== undefined) return excess
    if (token.type === 'document' && token.value !== undefined) pending.push({ token: token.value, level })
    if (!isCollection(token)) continue
    for (const { key, value } of token.items) {
      if (key !== undefined && key !== null) pending.push({ token: key, level: level + 1 })
      if (value !== undefined) pending.push({ token: value, level: level + 1 })
    }
  }
  return undefined
}

type Collection = CST.BlockMap | CST.BlockSequence | CST.FlowCollection

const isCollection = (token: CST.Token): token is Collection =>
  token.type === 'block-map' || token.type === 'block-seq' || token.type === 'flow-collection'

function collectionExcess(token: CST.Token, level: number): Excess | undefined {
  if (!isCollection(token)) return undefined
  const { offset } = token
  if (level > LEVELS_MAX)
    return { offset, message: `Nested too deep: a document may have at most ${LEVELS_MAX} levels` }
  const isFlow = token.type === 'flow-collection'
  const isMap = token.type === 'block-map' || (isFlow && token.start.source === '{')
  if (isMap && token.items.length > KEYS_MAX) {
    return { offset, message: `Too many keys: a map may have at most ${KEYS_MAX}` }
  }
  // The composer takes time quadratic in commas without an item between them.
  const comma = isFlow ? token.items.map(strayComma).find((found) => found !== undefined) : undefined
  return comma && { offset: comma.offset, message: 'Cannot read the YAML: a comma has no item before it' }
}

/** The second of two commas without an item between them. */
const strayComma = ({ start }: CST.FlowCollection['items'][number]): CST.SourceToken | undefined =>
  start.filter((token) => token.type === 'comma')[1]

/** The composer makes an error object of every wrong escape of a text, which takes long: the first one is enough. */
function scalarExcess(token: CST.Token): Excess | undefined {
  if (token.type !== 'double-quoted-scalar') return undefined
  const { source } = token
  for (let at = source.indexOf('\\'); at >= 0; at = source.indexOf('\\', at + 2)) {
    if (isEscape(source, at + 1)) continue
    const received = JSON.stringify(source.slice(at, at + 2))
    return { offset: token.offset + at, message: `Cannot read the YAML: invalid escape ${received}`, fix: 'write \\\\' }
  }
  return undefined
}

const HEX_DIGITS: ReadonlyMap<string, number> = new Map([
  ['x', 2],
  ['u', 4],
  ['U', 8],
])

function isEscape(source: string, at: number): boolean {
  const letter = source[at] ?? ''
  const digits = HEX_DIGITS.get(letter)
  if (digits === undefined) return '0abtnvfre"/\\N_LP \t\r\n'.includes(letter)
  return new RegExp(`^[\\da-fA-F]{${digits}}$`, 'u').test(source.slice(at + 1, at + 1 + digits))
}
