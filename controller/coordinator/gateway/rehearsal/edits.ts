/** Edits a text line by line and checks each claim in it against the material. Pure. */
import { bannedWordsIn, type Brand } from './brand.ts'
import { yearOf } from './dates.ts'
import { sectionsOf, statementsOf } from './markdown.ts'
import { clip } from './phrases.ts'

/** A text after its edit, with what was done. */
export type Edited = { readonly text: string; readonly edits: readonly string[] }

const WEAK: readonly (readonly [RegExp, string, string])[] = [
  [/\bin order to\b/gi, 'to', '“in order to” became “to”'],
  [/\b(?:very|really|simply|just) (?=\p{L})/giu, '', 'Intensifiers are out'],
  [/\butili[sz]e\b/gi, 'use', '“utilize” became “use”'],
  [/\bdue to the fact that\b/gi, 'because', '“due to the fact that” became “because”'],
  [/\bprior to\b/gi, 'before', '“prior to” became “before”'],
]
const BRITISH: readonly (readonly [RegExp, string])[] = [
  [/\bcolor/g, 'colour'],
  [/\bcenter\b/g, 'centre'],
  [/\bmeters\b/g, 'metres'],
  [/\bfavorite/g, 'favourite'],
  [/\b(organ|real|recogn|optim|custom)iz(e|es|ed|ing)\b/g, '$1is$2'],
]
const EDIT_CHARS_MAX = 60_000

/** Edits a text by the brand's rules and good usage; the notes name what was changed, and only that. */
export function edit(
  original: string,
  { brand, launch }: { readonly brand: Brand; readonly launch: string | undefined },
): Edited {
  const notes: string[] = []
  let text = original.slice(0, EDIT_CHARS_MAX)
  const apply = (next: string, note: string): void => {
    if (next !== text) notes.push(note)
    text = next
  }
  for (const [pattern, by, note] of WEAK) apply(text.replace(pattern, by), note)
  for (const word of bannedWordsIn(text, brand)) apply(without(text, word), `“${word}” is out: the brand never says it`)
  if (brand.isWithoutExclamation) apply(text.replace(/(?<=[\p{L}\d"”'’)])!{1,5}/gu, '.'), 'Exclamation marks are out')
  if (brand.isBritish)
    apply(
      BRITISH.reduce((all, [pattern, by]) => all.replace(pattern, by), text),
      'Spelling is British throughout',
    )
  const long = text.split('\n').map((line) => split(line))
  apply(long.join('\n'), 'Long sentences with a semicolon are two sentences now')
  const year = launch === undefined || !brand.isYearWritten ? undefined : yearOf(launch)
  const dated =
    year === undefined
      ? text
      : text
          .split('\n')
          .map((line) => withYear(line, year))
          .join('\n')
  apply(dated, `Dates carry their year, ${year ?? ''}, as the brief’s own date has it`)
  return { text, edits: notes }
}

/** The word and one space beside it taken out, whatever its case. */
function without(text: string, word: string): string {
  // Under the flag `u` nothing but syntax characters may be escaped.
  const escaped = word.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`)
  return text.replace(new RegExp(`(?<![\\p{L}\\d])${escaped}(?![\\p{L}\\d]) ?`, 'giu'), '')
}

/** Prose with a semicolon in a long sentence as two sentences; lists and tables stay as they are. */
function split(line: string): string {
  if (line.length < 90 || /^(?:[-#|>*]|\d+\.)/.test(line)) return line
  return line.replace(/; (\p{Ll})/gu, (_, start: string) => `. ${start.toUpperCase()}`)
}

const MONTH = '(?:January|February|March|April|May|June|July|August|September|October|November|December)'
const withYear = (line: string, year: string): string =>
  line.replace(new RegExp(`(?<!\\d)(\\d{1,2} ${MONTH})(?! \\d{4}|\\p{L})`, 'gu'), `$1 ${year}`)

/** Where the material holds a claim. */
export type Check = { readonly claim: string; readonly where: string; readonly isFound: boolean }
/** A part of the material, named as a person would. */
export type Source = { readonly name: string; readonly text: string }

/** Checks each line with a figure against the sources: every one of its figures has to stand in one of them. */
export function checksOf(text: string, sources: readonly Source[]): Check[] {
  const claims = sectionsOf(text)
    .flatMap((section) => statementsOf(section))
    .filter((claim) => /\d/.test(claim) && !/^(?:To|Sent|Subject|Preview)/.test(claim))
  const material = sources.map(({ name, text: said }) => ({ name, numbers: new Set(numbersIn(said)) }))
  return claims.slice(0, 60).map((claim) => {
    const numbers = [...new Set(numbersIn(claim))]
    const single = material.find((source) => numbers.every((number) => source.numbers.has(number)))
    const isFound =
      single !== undefined || numbers.every((number) => material.some((source) => source.numbers.has(number)))
    return {
      claim: clip(claim, 140),
      where: single?.name ?? (isFound ? 'several places of the material' : 'nowhere in the material'),
      isFound,
    }
  })
}

const numbersIn = (text: string): string[] => text.match(/\d+(?:[.,]\d+)*/g) ?? []
