/** Turns phrases of a brief into phrases of a text: cut, lowered, joined, said to the reader. Pure. */

/** The text cut at a word to at most so many characters. */
export function clip(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text
  const cut = text.slice(0, charsMax - 1)
  const space = cut.lastIndexOf(' ')
  return `${trimmedEnd(space > charsMax / 2 ? cut.slice(0, space) : cut, ' \n\t,;:–-')}…`
}

/** The text without its closing stop, to stand within a sentence. */
export const unstopped = (text: string): string => trimmedEnd(text, '.!?… \n\t,;:')

/** The text as one sentence, with a capital start and a stop. */
export function sentence(text: string): string {
  const trimmed = text.trim()
  if (trimmed === '') return ''
  return raised(/[.!?…:]["”']?$/.test(trimmed) ? trimmed : `${unstopped(trimmed)}.`)
}

/** The text without these characters at its end; a loop, since a pattern would be quadratic on long runs. */
function trimmedEnd(text: string, chars: string): string {
  let end = text.length
  while (end > 0 && chars.includes(text.charAt(end - 1))) end--
  return text.slice(0, end)
}

/** The text with a lower-case start, unless it begins with a name of capitals. */
export const lowered = (text: string): string =>
  /^[A-Z][a-z]/.test(text) && !/^[A-Z][a-z]{0,40}(?:\s[A-Z]|[A-Z])/.test(text)
    ? text.charAt(0).toLowerCase() + text.slice(1)
    : text

/** The text with a lower-case start, for what begins with a verb. */
export const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

/** The text with a capital start. */
export const raised = (text: string): string => (text === '' ? text : text.charAt(0).toUpperCase() + text.slice(1))

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

/** The parts that say something, as paragraphs. */
export const paragraphs = (...parts: readonly (string | undefined | false)[]): string =>
  parts.filter((part) => part !== undefined && part !== false && part.trim() !== '').join('\n\n')

/** A section under its heading; nothing when there is nothing to say. */
export const part = (heading: string, body: string | undefined): string =>
  body === undefined || body.trim() === '' ? '' : `## ${heading}\n${body}`

/** Each text once, whatever its stops and case. */
export function unique(texts: readonly string[]): string[] {
  const seen = new Map<string, string>()
  for (const text of texts) {
    const key = unstopped(text).toLowerCase()
    if (key !== '' && !seen.has(key)) seen.set(key, text)
  }
  return [...seen.values()]
}

const SECOND: Readonly<Record<string, string>> = {
  they: 'you',
  their: 'your',
  theirs: 'yours',
  them: 'you',
  themselves: 'yourself',
}

/** What is said of the readers, said to them: "they book it for themselves" becomes "you book it for yourself". */
export const toReader = (text: string): string =>
  text.replace(/\b(?:they|theirs?|them|themselves)\b/gi, (word) => {
    const said = SECOND[word.toLowerCase()] ?? word
    return /^[A-Z]/.test(word) ? raised(said) : said
  })

const THIRD: Readonly<Record<string, string>> = { your: 'their', yours: 'theirs', yourself: 'themselves', you: 'they' }

/** What is said to the readers, said of them: "a pour of your own" becomes "a pour of their own". */
export const ofReader = (text: string): string =>
  text.replace(/\b(?:yours?|yourself|you)\b/g, (word) => THIRD[word] ?? word)

const COUNTS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']

/** A count as it is written in a text: "three posts", "one post", "12 posts". */
export const counted = (count: number, noun: string): string =>
  `${COUNTS[count] ?? count} ${noun}${count === 1 ? '' : 's'}`

/** The start of a noun phrase, as far as it names the people: "site managers at construction firms". */
export const shortNoun = (text: string): string => {
  const head = /^.{12,}?(?=,| with | in (?:the |a |[A-Z])| who | that | which | aged | between )/.exec(
    text.slice(0, 300),
  )?.[0]
  return clip(unstopped(head ?? text), 70)
}

/** The first so many items that together stay within a length. */
export function within(texts: readonly string[], charsMax: number): string[] {
  let chars = 0
  return texts.filter((text) => (chars += text.length + 1) <= charsMax)
}
