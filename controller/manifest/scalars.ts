/** Says which unquoted values kubectl, with its YAML 1.1 rules, would read as something else than YAML 1.2 does. Pure. */

/** What another reader makes of it, and what to write instead. */
export type Ambiguity = { readonly reads: string; readonly write: string }

const WORDS_TRUE: ReadonlySet<string> = new Set(['y', 'yes', 'on'])
const WORDS_FALSE: ReadonlySet<string> = new Set(['n', 'no', 'off'])

/** The longest text that can be a number; longer ones are text to every reader. */
const NUMBER_CHARS_MAX = 64

/** Why an unquoted scalar is not read alike by all; undefined when it is. `source` is its text as written. */
export function ambiguityOf(source: string): Ambiguity | undefined {
  if (source.length > NUMBER_CHARS_MAX) return undefined
  const word = source.toLowerCase()
  const quoted = JSON.stringify(source)
  // YAML 1.1 knows yes, Yes and YES, not yEs; the odd spellings are reported too: nobody misses them.
  if (WORDS_TRUE.has(word)) return { reads: 'true', write: `${quoted} for the text, true for the truth value` }
  if (WORDS_FALSE.has(word)) return { reads: 'false', write: `${quoted} for the text, false for the truth value` }
  if (/^[-+]?0[0-7_]*[0-7]$/u.test(source) && !/^[-+]?0$/u.test(source)) {
    return { reads: `octal ${octal(source)}`, write: `${quoted} for the text, or the decimal number` }
  }
  if (/^[-+]?0[\d_]*\d$/u.test(source) && !/^[-+]?0$/u.test(source)) {
    return { reads: 'another number or a text', write: `${quoted} for the text, or the number without leading zeros` }
  }
  if (/^[-+]?0o[0-7]+$/iu.test(source)) return { reads: 'a text', write: 'the decimal number' }
  if (/^[-+]?0b[01_]+$/iu.test(source)) return { reads: 'a binary number', write: `${quoted}, or the decimal number` }
  if (/^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/u.test(source)) {
    return { reads: 'a number to the base 60', write: quoted }
  }
  if (/^[-+]?(?:0x)?[\da-f]*_[\da-f_.]*$/iu.test(source) && /\d/u.test(source)) {
    return { reads: 'a number', write: `${quoted}, or the number without _` }
  }
  return undefined
}

const octal = (source: string): string => String(Number.parseInt(source.replaceAll('_', ''), 8))
