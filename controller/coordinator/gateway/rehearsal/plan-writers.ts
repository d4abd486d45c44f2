/** Rehearsal writers who lead: the director's plan and the designer's brief. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { inSentence, type Brief } from './brief.ts'
import { definition } from './copy-pieces.ts'
import {
  clip,
  joined,
  ofReader,
  list,
  lowered,
  lowerFirst,
  paragraphs,
  part,
  raised,
  sentence,
  shortNoun,
  table,
  unstopped,
} from './phrases.ts'
import { IDEA, settled, type Writer } from './piece.ts'
import { questionsOf } from './questions.ts'

/** The one thing to be said: as an earlier plan settled it, else as the brief wants it. */
export const ideaOf = (brief: Brief, task: PromptContent): string =>
  settled(task, IDEA) ??
  brief.promise ??
  (brief.subject === undefined ? undefined : unstopped(brief.subject)) ??
  (brief.phrase === undefined ? `what ${brief.product} does` : `${brief.product}, ${brief.phrase}`)

/** Sets direction: idea, audience, proof, and the order of work with the brief's own dates. */
export const director: Writer = (brief, task) => {
  const idea = ideaOf(brief, task)
  const questions = questionsOf(brief).slice(0, 4)
  const who = brief.audience === undefined ? 'the readers' : shortNoun(brief.audience)
  const next = brief.action === undefined ? '' : ` Afterwards they do one thing: ${ofReader(lowerFirst(brief.action))}.`
  const content = paragraphs(
    `# ${brief.project}: campaign plan`,
    `${IDEA}: ${inSentence(brief, clip(idea, 160))}.`,
    `${raised(brief.organization)} says it of ${brief.product} to ${who}, in every piece, and everything else in this plan serves it.${next}`,
    part('The product', [definition(brief), ...brief.does.slice(0, 1)].filter(isNew).join(' ')),
    part('Audience', audienceText(brief)),
    part('The proof', list(brief.proofs.slice(0, 3).map(({ text, source }) => `${unstopped(text)} *(${source})*`))),
    part('The offer', list(brief.offers.map((text) => sentence(text)))),
    part('Order of work', table(['What', 'Who', 'Ready for'], workRows(brief, task))),
    part('Budget', list(brief.budget.map((text) => budgetLine(text)))),
    part('How we will know', list(brief.measures.slice(0, 4))),
    part('The line we hold', list(houseLines(brief))),
    part('Risks', list(risksOf(brief))),
    part('Questions to the client', list(questions)),
  )
  const start = brief.launch === undefined ? '' : `, with the work in order up to ${brief.launch}`
  return {
    texts: [{ name: 'campaign-plan', content }],
    summary: `The plan for ${brief.project} rests on one idea: ${inSentence(brief, clip(idea, 120))}. ${brief.audience === undefined || brief.proofs.length === 0 ? 'It sets out who does what' : 'It names audience, proof and owners'}${start}.${questions[0] === undefined ? '' : ` Open: ${questions[0]}`}`,
  }
}

/** Keeps the first of equal texts. */
const isNew = (text: string, index: number, all: readonly string[]): boolean => all.indexOf(text) === index

const audienceText = (brief: Brief): string =>
  [
    brief.audience === undefined ? '' : `${raised(brief.audience)}.`,
    ...brief.pains.slice(0, 2).map((text) => sentence(text)),
    brief.habit === undefined ? '' : `${sentence(brief.habit)} Every piece has to survive that.`,
  ]
    .filter((text) => text !== '')
    .join(' ')

/** Who does it: the first of these that the task may hand to. */
const ownerOf = (task: PromptContent, ...wanted: readonly string[]): string =>
  wanted.find((name) => task.handOffTargets.some(({ agentType }) => agentType === name)) ?? wanted.at(-1) ?? 'director'

function workRows(brief: Brief, task: PromptContent): string[][] {
  const pieces = joined(brief.pieces.map(({ kind }) => kind.replaceAll('-', ' ')))
  const first = brief.moments[0]?.date ?? brief.launch
  const dated = brief.moments.map(({ date, what, kinds }) => [
    raised(what),
    kinds.length === 0
      ? 'the client’s team'
      : kinds.every((kind) => kind === 'posts')
        ? ownerOf(task, 'social-media-manager', 'copywriter')
        : 'copywriter, then editor',
    date ?? brief.launch ?? 'date to be set',
  ])
  return [
    ['Positioning, messages and calendar', 'strategist', 'at once: all else waits for it'],
    ...(dated.length > 0
      ? dated
      : [[raised(pieces === '' ? 'copy' : pieces), 'copywriter', brief.launch ?? 'date to be set']]),
    [
      'Edit and fact check of all that is published',
      'editor',
      first === undefined ? 'before anything goes out' : `before ${first}, when the first piece goes out`,
    ],
  ]
}

/** A budget line; where it lists its parts, whether they add up to its total. */
function budgetLine(text: string): string {
  const [total, ...parts] = (text.match(/\d{1,3}(?:[.,]\d{3})+|\d{3,9}/g) ?? []).map((number) =>
    Number(number.replace(/[.,]/g, '')),
  )
  if (total === undefined || parts.length < 2) return sentence(text)
  const sum = parts.reduce((all, one) => all + one, 0)
  return `${sentence(text)} ${sum === total ? 'The parts add up to the total.' : 'The parts do not add up to the total: please check.'}`
}

/** How it is written, and what is never written. */
export const houseLines = (brief: Brief): string[] => [
  ...(brief.brand.voice === undefined ? [] : [`Voice: ${lowered(brief.brand.voice)}.`]),
  ...[...brief.brand.dos.slice(0, 2), ...brief.brand.donts.slice(0, 2), ...brief.limits.slice(0, 3)].map((text) =>
    sentence(text),
  ),
  ...(brief.brand.donts.length + brief.brand.dos.length === 0 ? ['No claim that the brief does not support.'] : []),
]

function risksOf(brief: Brief): string[] {
  const named = brief.proofs.find(({ isNamed }) => isNamed)?.text.split(':')[0]
  const [first, second] = brief.moments.flatMap(({ date }) => date ?? [])
  return [
    ...(named === undefined
      ? []
      : [
          `The proof rests on one customer. If ${named} withdraws its name, the figures go with it: get the consent first.`,
        ]),
    ...(first === undefined || second === undefined
      ? []
      : [`If the work slips, the piece for ${first} gets shorter; the one for ${second} keeps its date.`]),
    ...(brief.proofs.length === 0
      ? ['Without a fact behind the promise the copy stays general; we would rather wait for one.']
      : []),
  ]
}

const SURFACES: Readonly<Record<string, string>> = {
  'landing-page':
    'Promise first, the product in use below it, then proof, then the button; nothing beside the column on a phone.',
  'launch-announcement': 'One picture of the product in use at the head, wide format.',
  email: 'Text first; one picture at most, and it works with pictures off.',
  posts: 'Square, one picture and no words in it.',
  handout: 'One side: promise, picture, one figure with its source, one address.',
  ads: 'The product in use, the promise as live text beside it.',
  'blog-post': 'The one figure that explains the text, drawn, with what to look at said beneath.',
}

/** A brief that a designer can start from. */
export const designBriefer: Writer = (brief, task) => {
  const idea = ideaOf(brief, task)
  const kinds = brief.pieces.length > 0 ? brief.pieces.map(({ kind }) => kind) : (['landing-page'] as const)
  const proof = brief.proofs[0]
  const who = brief.audience === undefined ? 'a reader' : `one of the ${shortNoun(brief.audience)}`
  const content = paragraphs(
    `# ${brief.project}: visual brief`,
    `One picture carries it: ${brief.product} in the hands of ${who}, at the moment that shows “${clip(idea, 90)}”.`,
    part(
      'Purpose and place',
      [
        brief.habit === undefined ? '' : `${sentence(brief.habit)} The picture has to work at that size and speed.`,
        brief.action === undefined ? '' : `It leads to one action: ${lowerFirst(brief.action)}.`,
      ]
        .filter((text) => text !== '')
        .join(' '),
    ),
    part(
      'Show the product as it is',
      list([
        ...(brief.phrase === undefined ? [] : [`${brief.product} is ${brief.phrase}.`]),
        ...brief.does.slice(0, 2),
      ]),
    ),
    part(
      'Pieces',
      table(
        ['Piece', 'Layout'],
        kinds.map((kind) => [raised(kind.replaceAll('-', ' ')), SURFACES[kind] ?? 'One idea, one picture.']),
      ),
    ),
    part(
      'Order of sight',
      list([
        'First: the product in use.',
        `Second: ${inSentence(brief, clip(idea, 90))}.`,
        ...(proof === undefined ? [] : [`Third: ${unstopped(clip(proof.text, 160))}.`]),
      ]),
    ),
    part(
      'Must and must not',
      list([
        ...houseLines(brief),
        'No stock gestures: no handshakes, no pointing at screens. Nothing is said by colour alone.',
      ]),
    ),
    part('Alternative text', `${brief.product}${brief.phrase === undefined ? '' : `, ${brief.phrase},`} in use.`),
    part('Dates', list(brief.moments.map(({ date, what }) => `${date ?? 'No date yet'}: ${what}`))),
    part(
      'Questions to the client',
      list([
        'Which typefaces and colours does the brand use? The material names none.',
        ...questionsOf(brief).slice(0, 1),
      ]),
    ),
  )
  return {
    texts: [{ name: 'visual-brief', content }],
    summary: `The visual brief for ${brief.project} rests on one picture, ${brief.product} in use, for ${joined(kinds.map((kind) => kind.replaceAll('-', ' ')))}. Colours and typefaces are open: the material names none.`,
  }
}
