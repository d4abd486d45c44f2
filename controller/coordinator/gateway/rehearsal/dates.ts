/** Finds dates in a text as they are written there, in four languages. Pure. */

const MONTHS =
  'Jan(?:uary|uar|uari|vier)?|Feb(?:ruary|ruar|ruari)?|Févr(?:ier)?|février|janvier|Mar(?:ch|s)?|März|maart|mars|Apr(?:il)?|avril|May|Mai|mei|June?|Juni|juin|July?|Juli|juillet|Aug(?:ust|ustus)?|août|Sep(?:t(?:ember)?)?|septembre|O[ck]t(?:ober|obre)?|octobre|Nov(?:ember|embre)?|novembre|De[cz](?:ember)?|Déc(?:embre)?|décembre'
const DAY = '\\d{1,2}(?:st|nd|rd|th|\\.|er)?'
const TO = '\\s?(?:to|until|and|–|-|bis|au|tot|und|et)\\s?'
const ONE = [
  '\\d{4}-\\d{2}-\\d{2}',
  '\\d{1,2}\\.\\d{1,2}\\.\\d{4}',
  '\\d{1,2}/\\d{1,2}/\\d{4}',
  `${DAY}(?: (?:${MONTHS}))?${TO}${DAY} (?:${MONTHS})(?:,? \\d{4})?`,
  `${DAY}(?: of)? (?:${MONTHS})(?:,? \\d{4})?`,
  `(?:${MONTHS}) ${DAY}(?:,? \\d{4})?`,
  `(?:${MONTHS}) \\d{4}`,
  'Q[1-4](?: \\d{4})?',
].join('|')
const SOURCE = `(?<![\\p{L}\\d])(?:${ONE})(?![\\p{L}\\d])`

/** The dates of a text in order, each as written. */
export const datesIn = (text: string): string[] =>
  [...text.matchAll(new RegExp(SOURCE, 'gu'))].slice(0, 50).map((match) => match[0])

/** A statement that begins with its date, as in `12 January: a mail`; else its first date, and the whole of it. */
export function datedStatement(text: string): { readonly date: string | undefined; readonly what: string } {
  const lead = new RegExp(`^(?:on |from |am |ab |vom |le |du |op )?(${SOURCE})\\s?[:–—,-]\\s?(.+)$`, 'iu').exec(text)
  if (lead?.[1] !== undefined && lead[2] !== undefined) return { date: lead[1], what: lead[2] }
  return { date: datesIn(text)[0], what: text }
}

/** Whether a date names a day, not a month or a quarter. */
export const isDay = (date: string): boolean => !/^Q[1-4]/.test(date) && /\d/.test(date.replace(/\b\d{4}$/, ''))

/** The year that a date names. */
export const yearOf = (date: string): string | undefined => /(?<!\d)\d{4}(?!\d)/.exec(date)?.[0]
