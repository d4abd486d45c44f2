/** Reads Markdown just well enough to find facts in it: sections, list items, sentences. Pure. */

/** One part of a Markdown text under its heading. */
export type Section = { readonly heading: string; readonly lines: readonly string[] }

/** The sections of a text by heading; what stands before the first has heading ''. */
export function sectionsOf(text: string): Section[] {
  const sections: { heading: string; lines: string[] }[] = [{ heading: '', lines: [] }]
  for (const line of text.split('\n').slice(0, 2_000)) {
    const heading = /^#{1,6}\s+(.{1,200})/.exec(line)?.[1] ?? /^\*\*([^*]{1,80})\*\*:?\s*$/.exec(line)?.[1]
    if (heading === undefined) sections.at(-1)?.lines.push(line.trim())
    else sections.push({ heading: heading.trim(), lines: [] })
  }
  return sections
}

/** The list items among lines, without their marks. */
export const itemsOf = (lines: readonly string[]): string[] =>
  lines.flatMap((line) => {
    const item = /^(?:[-*+]|\d{1,3}[.)])\s+(.+)$/.exec(line)?.[1]
    return item === undefined ? [] : [plain(item)]
  })

/** The sentences of a text outside headings and lists, in order. */
export function sentencesOf(text: string): string[] {
  const prose = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(#|[-*+]\s|\d{1,3}[.)]\s|\||>|```)/.test(line))
    .join(' ')
  return plain(prose)
    .split(/(?<=[.!?])\s+(?=[A-Z0-9“"'])/)
    .map((sentence) => sentence.trim())
    .filter((sentence) => sentence.length > 2)
}

/** A text without the marks of emphasis, code and links. */
export const plain = (text: string): string =>
  text
    .replace(/\[([^\]]{1,200})\]\([^)]{1,500}\)/g, '$1')
    .replace(/[*`]{1,3}/g, '')
    .trim()

/** The text cut at a word to at most so many characters. */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text
  const cut = text.slice(0, charsMax - 1)
  const space = cut.lastIndexOf(' ')
  return `${trimmedEnd(space > charsMax / 2 ? cut.slice(0, space) : cut, ' \n\t,;:–-')}…`
}

/** The text without its closing stop, to stand within a sentence. */
export const unstopped = (text: string): string => trimmedEnd(text, '.!?… \n\t')

/** The text without these characters at its end; a loop, since a pattern would be quadratic on long runs. */
function trimmedEnd(text: string, chars: string): string {
  let end = text.length
  while (end > 0 && chars.includes(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

/** The text with a lower-case start, unless it begins with a name of capitals. */
export const lowered = (text: string): string =>
  /^[A-Z][a-z]/.test(text) && !/^[A-Z][a-z]+\s+[A-Z]/.test(text) ? text[0]?.toLowerCase() + text.slice(1) : text

/** The text with a capital start. */
export const raised = (text: string): string => (text === '' ? text : text[0]?.toUpperCase() + text.slice(1))

/** A Markdown list. */
export const list = (items: readonly string[]): string => items.map((item) => `- ${item}`).join('\n')

/** A Markdown table. */
export const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows]
    .map((row) => `| ${row.map((cell) => cell.replaceAll('|', '/').replaceAll('\n', ' ')).join(' | ')} |`)
    .join('\n')

/** "a, b and c". */
export const joined = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
