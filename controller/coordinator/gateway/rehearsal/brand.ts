/** Reads how a brand speaks: its voice, what it does and avoids, words that it never says, facts of its own. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { datesIn, yearOf } from './dates.ts'
import { sectionsOf, sentencesOf, statementsOf } from './markdown.ts'
import { clip, unique, unstopped } from './phrases.ts'

/** A brand, as far as its texts tell. */
export type Brand = {
  /** In a few words: "plain, warm and exact". */
  readonly voice: string | undefined
  readonly dos: readonly string[]
  readonly donts: readonly string[]
  /** Words that never stand in a text. */
  readonly banned: readonly string[]
  readonly isWithoutExclamation: boolean
  readonly isBritish: boolean
  readonly isShort: boolean
  /** Its guidelines show dates with their year. */
  readonly isYearWritten: boolean
  readonly facts: readonly string[]
}

const AVOID = /\b(?:avoid|never|don[’']?t|do not|no|not|without|nie|kein\w*|jamais|pas de)\b/i
const BANS = /\b(?:never|avoid|do not|don[’']?t|no)\b[^:]{0,40}:\s*(.+)$/i
const QUOTED = /["“„]([^"“”„]{2,40})["”]/g

/** Reads a brand's texts. */
export function brandOf({ voice = '', guidelines = '', context = '' }: PromptContent['brand']): Brand {
  const lines = statements(guidelines)
  const all = `${voice.slice(0, 4_000)}\n${guidelines.slice(0, 20_000)}`
  const donts = lines.filter((line) => AVOID.test(line))
  return {
    voice: sentencesOf(voice.slice(0, 2_000).split(/\s+/).join(' ')).map((text) => clip(unstopped(text), 140))[0],
    dos: lines.filter((line) => !AVOID.test(line)).slice(0, 6),
    donts: donts.slice(0, 6),
    banned: bannedIn([...donts, ...sentencesOf(voice.slice(0, 2_000))]),
    isWithoutExclamation: /(?:no|avoid|never|without|not)\b[^.\n]{0,40}exclamation/i.test(all),
    isBritish: /british/i.test(all),
    isYearWritten: datesIn(guidelines.slice(0, 20_000)).some((date) => yearOf(date) !== undefined),
    isShort: /short sentence|concise|brief|knapp/i.test(all),
    facts: statements(context),
  }
}

const statements = (text: string): string[] =>
  unique(sectionsOf(text.slice(0, 60_000)).flatMap((section) => statementsOf(section)))
    .map((line) => clip(line, 300))
    .slice(0, 20)

function bannedIn(lines: readonly string[]): string[] {
  const words = lines.flatMap((line) => {
    const listed = BANS.exec(line.slice(0, 400))?.[1]
    if (listed !== undefined)
      return listed.split(/[,;]| or /).map((word) => unstopped(word.replace(/["“”„']/g, '').trim()))
    // 'We say "you", never "users"' bans what stands after the never.
    const after = line.slice(line.search(/\bnever\b/i))
    return /\bnever\b/i.test(line) ? [...after.matchAll(QUOTED)].map((match) => match[1] ?? '') : []
  })
  return unique(words.filter((word) => word.length > 1 && word.length <= 40)).slice(0, 20)
}

/** The banned words that stand in a text. */
export const bannedWordsIn = (text: string, brand: Brand): string[] => {
  const lower = text.toLowerCase()
  return brand.banned.filter((word) => lower.includes(word.toLowerCase()))
}
