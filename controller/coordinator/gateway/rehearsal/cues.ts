/** Tells what a sentence without a heading is about, and finds the readers that it names. Pure. */
import { datesIn } from './dates.ts'
import { clip, lowered, unstopped } from './phrases.ts'
import type { Topic } from './topics.ts'

const CUES: readonly (readonly [Topic, RegExp])[] = [
  ['wants', /^(?:make|write|create|plan|design|draft|prepare|help us|deliver|please)\b/i],
  ['budget', /\bbudget|(?:€|\$|£)\s?\d[\d.,]* (?:for|in all|total)|\b(?:euros?|dollars|pounds) (?:for|in all|total)/i],
  ['limits', /^(?:do not|don[’']t|never|avoid|no )|\bmust not\b/i],
  [
    'change',
    /\b(?:we want|we would like|we hope|goal is|aim is|should (?:know|feel|think|see|book|buy|try|sign)|so that (?:they|people|customers)|ziel ist|l[’']objectif)/i,
  ],
  [
    'measures',
    /\b(?:at least|target|by the end of|success|increase|grow|kpi)\b.{0,80}\d|\d[\d.,]* (?:sign-?ups|trials|leads|orders|subscribers|bookings|registrations|downloads|visits|demos)\b/i,
  ],
  [
    'audience',
    /\b(?:audience|aimed at|target(?:ed|s|ing)?|meant for|made for|intended for|zielgruppe|(?:it|this)(?: i|')s for)\b|^for (?:the |our )?[a-z]/i,
  ],
  ['background', /\b(?:today|currently|at the moment|struggle|problem|waste|lose|until now|still have to|by hand)\b/i],
  ['offer', /\b(?:free|trial|discount|% off|price|costs? (?:€|\$|£|\d)|guarantee|per month)\b/i],
]
const CHANNEL =
  /\b(?:e-?mails?|newsletter|landing page|website|blog|linkedin|instagram|facebook|tiktok|posts?|press|ads?|webinar|fair|stand|posters?|flyers?|mailing)\b/i
const MAKES =
  /\b(?:launch(?:es|ing)?|introduc(?:es|ing)|presents?|sells?|offers?|makes?|opens?|releas(?:es|ing)|is an?|lets|helps|bringt|lance)\b/i

/** The topic of a sentence that stands under no heading of its own. */
export function cueOf(text: string): Topic {
  const head = text.slice(0, 600)
  const cue = CUES.find(([, pattern]) => pattern.test(head))?.[0]
  if (cue !== undefined) return cue
  if (CHANNEL.test(head) && (datesIn(head).length > 0 || !MAKES.test(head))) return 'channels'
  if (MAKES.test(head)) return 'product'
  return /\d/.test(head) ? 'facts' : 'background'
}

const PEOPLE =
  'teams?|managers?|owners?|founders?|leads?|engineers?|developers?|buyers?|companies|firms|businesses|agencies|shops|people|parents|students|households|customers|designers?|teachers?|doctors?|nurses|farmers|runners|cyclists|families|freelancers?|marketers?|readers|users|members|guests|visitors|women|men|children|professionals|operators|planners|architects|lawyers|accountants|recruiters'
const FOR_PEOPLE = new RegExp(
  `\\b(?:for|aimed at|target(?:s|ing)?|to reach|audience (?:is|are)|meant for|made for|reach) ((?:[A-Za-z][\\w'’-]{0,30} ){0,5}(?:${PEOPLE})(?: (?:at|of|in|with|who|that|between|aged|from|on) [^.;:!?\\n]{3,110})?)`,
  'i',
)

/** The people that a text says it is for, as a noun phrase. */
export function audienceIn(text: string): string | undefined {
  const found = FOR_PEOPLE.exec(text.slice(0, 8_000))?.[1]
  if (found === undefined) return undefined
  return clip(lowered(unstopped(found.replace(/^(?:the|our|all) /i, ''))), 140)
}
