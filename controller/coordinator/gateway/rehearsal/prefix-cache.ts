/** Remembers which prompt prefixes were seen, so that a rehearsal's usage looks as with the real prompt cache. */
import type { TokenUsage } from '../../../kinds/fields.ts'
import type { MessagesRequest } from '../request.ts'

/** Tokens that a text of so many characters stands for here. */
export const tokensOf = (chars: number): number => Math.ceil(chars / 4)

const PREFIXES_MAX = 2_000

/** A part of the prompt in order; `isMark` where a prefix to be cached ends. */
type Part = { readonly text: string; readonly isMark: boolean }

/** Counts input usage; only usage depends on what was seen before, never the answer. */
export function createPrefixCache(digest: (text: string) => string): {
  inputUsage(request: MessagesRequest): Omit<TokenUsage, 'outputTokens'>
} {
  const seen = new Set<string>()
  const remember = (key: string): void => {
    seen.delete(key)
    seen.add(key)
    const [oldest] = seen
    if (seen.size > PREFIXES_MAX && oldest !== undefined) seen.delete(oldest)
  }
  return {
    inputUsage: (request) => {
      const prefixes = prefixesOf(request, digest)
      const marks = prefixes.filter((prefix) => prefix.isMark)
      const readChars = Math.max(0, ...marks.filter((mark) => seen.has(mark.key)).map((mark) => mark.chars))
      const writtenChars = Math.max(readChars, ...marks.map((mark) => mark.chars))
      const allChars = prefixes.at(-1)?.chars ?? 0
      for (const mark of marks) remember(mark.key)
      return {
        cacheReadTokens: tokensOf(readChars),
        cacheWriteTokens: tokensOf(writtenChars - readChars),
        inputTokens: tokensOf(allChars - writtenChars),
      }
    },
  }
}

/** Each prefix of the prompt with its length and a key for all that it holds. */
function prefixesOf(
  request: MessagesRequest,
  digest: (text: string) => string,
): { readonly key: string; readonly chars: number; readonly isMark: boolean }[] {
  let [key, chars] = ['', 0]
  return partsOf(request).map((part) => {
    key = digest(`${key}/${part.text}`)
    chars += part.text.length
    return { key, chars, isMark: part.isMark }
  })
}

function partsOf(request: MessagesRequest): Part[] {
  const tools = { text: request.tools === undefined ? '' : JSON.stringify(request.tools), isMark: false }
  const system =
    typeof request.system === 'string' ? [{ text: request.system, isMark: false }] : request.system?.map(partOf)
  const messages = request.messages.flatMap(({ content }) =>
    typeof content === 'string' ? [{ text: content, isMark: false }] : content.map(partOf),
  )
  return [tools, ...(system ?? []), ...messages]
}

const partOf = (block: { readonly type: string; readonly cache_control?: unknown }): Part => {
  const { cache_control: mark, ...rest } = block
  return { text: JSON.stringify(rest), isMark: mark !== undefined && mark !== null }
}
