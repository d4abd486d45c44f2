/** Turns what a brief wants its readers to know and do into a promise and a call to action. Pure. */
import { clip, raised, toReader, unstopped } from './phrases.ts'

/** What is said to the reader. */
export type Wishes = {
  readonly promise: string | undefined
  readonly ability: string | undefined
  readonly action: string | undefined
}

const SUBJECT =
  /^(?:and |then |that |so that |we want |we would like |the goal is (?:that |for )?)*(?:them to |to |get [^,.]{3,60} to |(?:they|people|customers|readers|users|visitors|buyers|(?:\w{2,20} ){0,3}(?:managers|owners|teams|leads|parents|students|engineers|developers|shops|companies)) (?:to |will |should |must |can now )?)/i
const KNOW = /^(?:know|knows|understand|see|believe|realise|realize|learn|feel|notice|think|remember) (?:that )?/i
const CAN = /^(?:they|you|people|it) can /i
const ACT =
  /^(?:book|buy|try|sign up|register|order|download|ask|call|visit|join|subscribe|start|request|reserve|apply|switch|install|test|contact|write|share|donate|volunteer|open|upgrade|renew|schedule|come|get|talk|read|watch|see|bestell|buch|teste|essayez|réservez)\b/i

/** Reads the wishes of a brief, clause by clause. */
export function wishesOf(changes: readonly string[]): Wishes {
  let [promise, ability, action]: (string | undefined)[] = []
  for (const clause of changes.slice(0, 8).flatMap((text) => clausesOf(text.slice(0, 400)))) {
    const said = clause.replace(SUBJECT, '')
    const isOfReaders = said !== clause
    const known = said.replace(KNOW, '')
    const able = known.replace(CAN, '')
    if (promise === undefined && isOfReaders && able !== known) {
      ability = clip(unstopped(able), 140)
      promise = raised(toReader(ability))
    } else if (action === undefined && ACT.test(said) && (isOfReaders || !/\d{2}/.test(said))) {
      action = clip(raised(unstopped(toReader(said))), 90)
    }
  }
  return { promise, ability, action }
}

const clausesOf = (text: string): string[] =>
  unstopped(text)
    .split(/,? (?:and|then) (?=they |then |people |customers |to )|[;:] |, (?=then )/)
    .map((clause) => clause.trim())

const ACTIONS: readonly (readonly [RegExp, string])[] = [
  [/\btrials?\b/i, 'Book a trial'],
  [/\bdemos?\b/i, 'Book a demo'],
  [/\bwait(?:ing)?[ -]?list/i, 'Join the waiting list'],
  [/\bsign-?ups?\b|\baccounts?\b/i, 'Sign up'],
  [/\bsubscri/i, 'Subscribe'],
  [/\bregistrations?\b|\battend/i, 'Register'],
  [/\bdownloads?\b/i, 'Download it'],
  [/\bbookings?\b|\breservations?\b/i, 'Book your place'],
  [/\b(?:pre-?)?orders?\b|\bsales\b|\bsold\b/i, 'Order yours'],
  [/\bdonat/i, 'Donate'],
]

/** The action that measures and offers point to: who counts trials wants them booked. */
export const actionFor = (texts: readonly string[]): string | undefined =>
  ACTIONS.find(([pattern]) => texts.some((text) => pattern.test(text)))?.[1]
