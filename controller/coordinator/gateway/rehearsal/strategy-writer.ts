/** The rehearsal's strategist: positioning, messages and a calendar, built on the director's idea. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { inSentence, type Brief, type Moment } from './brief.ts'
import { ideaOf } from './plan-writers.ts'
import {
  clip,
  counted,
  list,
  lowered,
  lowerFirst,
  paragraphs,
  part,
  raised,
  sentence,
  shortNoun,
  table,
  unique,
  unstopped,
} from './phrases.ts'
import { basisOf, IDEA, settled, type Writer } from './piece.ts'
import { questionsOf } from './questions.ts'

/** Decides what is said, to whom and why they should believe it. */
export const strategist: Writer = (brief, task) => {
  const idea = ideaOf(brief, task)
  const questions = questionsOf(brief).slice(0, 3)
  const content = paragraphs(
    `# ${brief.project}: strategy`,
    `${brief.audience === undefined ? 'One message' : `For ${shortNoun(brief.audience)}, one message`}: ${inSentence(brief, clip(idea, 160))}.`,
    basisText(task),
    part('Situation', situation(brief)),
    part(
      'Audience',
      [
        brief.audience === undefined ? '' : `${raised(brief.audience)}.`,
        brief.habit === undefined ? '' : sentence(brief.habit),
      ]
        .join(' ')
        .trim(),
    ),
    part('Positioning', positioning(brief, idea)),
    part(
      'Messages and proofs',
      table(['What we say', 'Why they believe it', 'Where it stands'], messageRows(brief, idea)),
    ),
    part('Objection and answer', objection(brief)),
    part('Tone', toneText(brief)),
    part('Calendar', table(['When', 'What', 'Its job'], calendar(brief))),
    part('What we leave alone', list(leftAlone(brief))),
    part('Measured by', list(brief.measures.slice(0, 3))),
    part('Questions to the client', list(questions)),
  )
  const proofs = Math.min(3, brief.proofs.length)
  return {
    texts: [{ name: 'strategy', content }],
    summary: `The strategy for ${brief.project} says one thing to ${brief.audience === undefined ? 'its readers' : shortNoun(brief.audience)}: ${inSentence(brief, clip(idea, 120))}. ${proofs === 0 ? 'The brief gives no proof for it yet' : `It stands on ${counted(proofs, 'proof')} from the material`}, with a job for each piece and date.`,
  }
}

function basisText(task: PromptContent): string | undefined {
  const [basis] = basisOf(task)
  if (basis === undefined) return undefined
  return settled(task, IDEA) === undefined
    ? `It builds on “${basis.name}” by the ${basis.agentType}.`
    : `The idea is the ${basis.agentType}’s, from “${basis.name}”; this says to whom, with what proof, and when.`
}

/** What bothers the readers, with their name where the brief says "they". */
const situation = ({ audience, pains }: Brief): string =>
  pains
    .map((text, index) =>
      sentence(index > 0 || audience === undefined ? text : text.replace(/^They /, `${raised(shortNoun(audience))} `)),
    )
    .join(' ')

function positioning(brief: Brief, idea: string): string {
  const because = /\bbecause (.{5,120}?)(?:,|$)/.exec(unstopped(brief.pains[0] ?? ''))?.[1]
  const what = brief.phrase === undefined ? brief.product : `${brief.product} is ${brief.phrase}`
  const who = brief.audience === undefined ? '' : `For ${brief.audience}, `
  const first = `${who}${what}${brief.phrase === undefined ? ` is the one to choose` : ''}.`
  const isSaid = brief.phrase !== undefined && idea.includes(brief.phrase)
  const ability =
    brief.ability === undefined
      ? isSaid
        ? ''
        : `It stands for one thing: ${inSentence(brief, clip(idea, 120))}.`
      : `With it they can ${brief.ability}.`
  return [
    first,
    ability,
    because === undefined ? '' : `Its rival is not a competitor but the way it is done today: ${because}.`,
  ]
    .filter((text) => text !== '')
    .join(' ')
}

function messageRows(brief: Brief, idea: string): string[][] {
  const says = unique([idea, ...brief.does])
  const proofs = brief.proofs.map(({ text, source }) => [text, source] as const)
  const offers = brief.offers.map((text) => [text, 'brief'] as const)
  const first = rowOf(says[0] ?? idea, proofs[0] ?? offers[0])
  const second = says[1] === undefined ? undefined : rowOf(says[1], proofs[1])
  const last = brief.action === undefined ? undefined : rowOf(brief.action, offers[0])
  return [first, second, last].filter((row) => row !== undefined)
}

const rowOf = (say: string, proof: readonly [string, string] | undefined): string[] => [
  sentence(clip(say, 160)),
  proof === undefined ? 'Open: the material gives none' : unstopped(clip(proof[0], 200)),
  proof?.[1] ?? '',
]

/** The doubt that the audience's own situation raises, and the facts that answer it. */
function objection(brief: Brief): string {
  const answer = brief.offers[0] ?? brief.proofs[1]?.text ?? brief.proofs[0]?.text
  if (answer === undefined) return ''
  const doubt = brief.proofs[0]?.isNamed === true ? 'That was their work, not mine.' : 'Does that hold for me?'
  return `“${doubt}” ${sentence(answer)} Nobody has to take our word for it${brief.action === undefined ? '' : `: ${lowerFirst(brief.action)}`}.`
}

const toneText = (brief: Brief): string =>
  [
    ...(brief.brand.voice === undefined ? [] : [`${raised(unstopped(brief.brand.voice))}.`]),
    ...brief.brand.dos.slice(0, 2).map((text) => sentence(text)),
    ...(brief.brand.banned.length === 0 ? [] : [`Words that do not occur: ${brief.brand.banned.join(', ')}.`]),
  ].join(' ')

function calendar(brief: Brief): string[][] {
  const at = brief.moments.findIndex(({ date }) => date !== undefined && brief.launch?.startsWith(date) === true)
  if (brief.moments.length > 0)
    return brief.moments.map((moment, index) => [
      moment.date ?? brief.launch ?? 'to be set',
      raised(moment.what),
      jobOf(brief, moment, index - Math.max(0, at)),
    ])
  return brief.pieces.map(({ kind }) => [
    brief.launch ?? 'to be set',
    raised(kind.replaceAll('-', ' ')),
    jobOf(brief, undefined, 0),
  ])
}

/** The job of a piece before, at or after the start. */
function jobOf(brief: Brief, moment: Moment | undefined, order: number): string {
  const act = brief.action === undefined ? 'Ask for one next step' : brief.action
  if (order < 0)
    return brief.pains.length > 0
      ? 'Name the situation and say what comes when; the next step is an offer, not a push'
      : 'Say what is coming and when'
  if (order === 0 || moment === undefined) return `Promise, proof and one action: ${lowered(act)}`
  return `Show it, let people ask, and ${lowered(act)}`
}

function leftAlone(brief: Brief): string[] {
  const kinds = new Set(brief.pieces.map(({ kind }) => kind))
  return [
    ...brief.limits.slice(0, 2).map((text) => sentence(text)),
    ...brief.brand.donts
      .filter((text) => !/^never say|:/i.test(text))
      .slice(0, 1)
      .map((text) => sentence(text)),
    `Every channel that the brief does not name${kinds.has('ads') ? '' : ', and advertisements that promise more than the page holds'}.`,
    ...(brief.audience === undefined
      ? []
      : [`Everybody who is not among the ${shortNoun(brief.audience)}: a second message would cost the first.`]),
  ]
}
