/** Reads a brief as a marketer would: product, audience, pain, change, proofs, offer, dates, budget, measures. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { brandOf, type Brand } from './brand.ts'
import { audienceIn, cueOf } from './cues.ts'
import { datedStatement, datesIn, isDay, yearOf } from './dates.ts'
import { sectionsOf, statementsOf, type Section } from './markdown.ts'
import { clip, lowered, raised, sentence, toReader, unique, unstopped } from './phrases.ts'
import { productNameOf, productPhraseOf } from './product-name.ts'
import type { Topic } from './topics.ts'
import { actionFor, wishesOf } from './wishes.ts'
import { piecesIn, taskBrief, wantedPieces, type Piece, type PieceKind } from './wanted.ts'

/** A statement with where it stands. */
export type Proof = { readonly text: string; readonly source: string; readonly isNamed: boolean }
/** Something that happens on a day or in a channel. */
export type Moment = { readonly date: string | undefined; readonly what: string; readonly kinds: readonly PieceKind[] }

/** What a task's texts say. What they leave out is undefined or empty: nothing is filled in. */
export type Brief = {
  readonly organization: string
  readonly project: string
  /** The brief's own first heading. */
  readonly title: string | undefined
  /** A project, or whatever has dates or targets; a single text asks for neither budget nor measures. */
  readonly isCampaign: boolean
  /** The product's name, else what it is called in a phrase, else `the offer`. */
  readonly product: string
  readonly isProductNamed: boolean
  /** "a reusable sensor the size of a matchbox". */
  readonly phrase: string | undefined
  /** What the product does, sentence by sentence, without the one that says what it is. */
  readonly does: readonly string[]
  /** A noun phrase: "site managers at construction firms …". */
  readonly audience: string | undefined
  readonly pains: readonly string[]
  readonly habit: string | undefined
  /** As the brief puts it. */
  readonly changes: readonly string[]
  /** What the reader is promised, to be said to them: "See the strength of a pour on your phone". */
  readonly promise: string | undefined
  /** The same after "can": "see the strength of a pour on their phone". */
  readonly ability: string | undefined
  /** What the reader does next: "Book a trial on one pour of your own". */
  readonly action: string | undefined
  readonly proofs: readonly Proof[]
  readonly offers: readonly string[]
  readonly moments: readonly Moment[]
  readonly launch: string | undefined
  readonly budget: readonly string[]
  readonly measures: readonly string[]
  readonly limits: readonly string[]
  readonly brand: Brand
  /** The pieces that the task asks for, then those that the brief dates. */
  readonly pieces: readonly Piece[]
  /** Pieces of the brief that one task has no room for. */
  readonly later: readonly Piece[]
  /** The subject of a text that the task asks for: "how one request found an error". */
  readonly subject: string | undefined
  readonly wordsAsked: string | undefined
  readonly language: 'English' | 'German' | 'French' | 'Dutch'
}

/** So much of each text is looked at, whatever a caller sends. */
const TEXT_CHARS_MAX = 60_000

/** Statements that are kept of one topic. */
const TEXTS_MAX = 30

/** The statements of a brief under each topic: by heading where there are headings, else by what a sentence says. */
function sorted(sections: readonly Section[]): (topic: Topic) => string[] {
  const found = new Map<Topic, string[]>()
  const add = (topic: Topic, text: string): void => {
    const texts = found.get(topic) ?? []
    if (texts.length < TEXTS_MAX) found.set(topic, [...texts, clip(text, 400)])
  }
  for (const section of sections) {
    for (const text of statementsOf(section).slice(0, 60)) add(section.topic ?? cueOf(text), text)
  }
  return (topic) => unique(found.get(topic) ?? []).slice(0, 12)
}

/** Reads the brief of a task. */
export function briefOf(task: PromptContent): Brief {
  const organization = task.tenant.displayName || task.tenant.name || 'the organization'
  const asked = taskBrief(task, TEXT_CHARS_MAX)
  const sections = sectionsOf((task.project?.brief ?? asked.text).slice(0, TEXT_CHARS_MAX))
  const brand = brandOf(task.brand)
  const by = sorted(sections)
  const told = [...sections.flatMap((section) => [section.heading, ...statementsOf(section)]), ...brand.facts]
  const language = languageOf(told)
  const name = productNameOf({
    told: asked.action === undefined ? told : [...told.slice(0, 30), asked.action],
    fromProduct: by('product'),
    organization,
    project: task.project?.displayName,
  })
  const phrase = name === undefined ? undefined : productPhraseOf(told, name)
  const wishes = wishesOf([...by('change'), ...by('action'), ...(asked.action === undefined ? [] : [asked.action])])
  const promise = wishes.promise ?? promiseIn(by('messages'))
  const title = sections[0]?.heading === '' ? undefined : titleOf(sections)
  const channels = by('channels').map((text) => momentOf(text))
  // What is promised is not its own proof.
  const facts = [...by('facts'), ...by('messages'), ...asked.facts].filter((text) => unstopped(text) !== promise)
  const measures = unique([...by('measures'), ...by('change').filter((text) => /\d/.test(text))])
  const moments = channels.filter(
    ({ date, what, kinds }) => (date !== undefined && unstopped(what) !== date) || kinds.length > 0,
  )
  return {
    organization,
    project:
      task.project?.displayName ??
      clip(
        raised(unstopped(asked.subject?.split(/ that | which |, /)[0] ?? name ?? task.type.replaceAll('_', ' '))),
        70,
      ),
    title,
    isCampaign: task.project !== undefined || moments.length + measures.length > 0,
    product: name ?? nounIn(by('product')) ?? 'the offer',
    isProductNamed: name !== undefined,
    phrase,
    does: [...by('product'), ...(name === undefined ? [] : told.filter((text) => text.startsWith(`${name} `)))]
      .filter((text, index, all) => all.indexOf(text) === index && !isDefinition(text, phrase) && text !== title)
      .map((text) => sentence(text))
      .slice(0, 6),
    ...readersOf(by, { ...asked, isEnglish: language === 'English' }),
    changes: by('change'),
    promise,
    ability: wishes.ability,
    action: wishes.action ?? actionFor([...measures, ...by('offer')]),
    proofs: proofsOf({ sections, facts, asked: asked.facts, brand }),
    offers: unique([...by('offer'), ...facts.filter((text) => isOffer(text))]).slice(0, 4),
    moments,
    launch: launchOf({ title, told, moments: channels, deadline: asked.deadline }),
    budget: by('budget'),
    measures,
    limits: [...by('limits'), ...facts.filter((text) => isConsent(text))],
    brand,
    ...wantedPieces(
      asked.wants,
      asked.isOnly
        ? []
        : [...by('wants').flatMap((text) => piecesIn(text)), ...moments.flatMap(({ what }) => piecesIn(what))],
    ),
    subject: asked.subject,
    wordsAsked: asked.words,
    language,
  }
}

const titleOf = (sections: readonly Section[]): string | undefined => {
  const [first] = sections
  return first !== undefined && first.topic === undefined && first.heading !== '' ? first.heading : undefined
}

const isDefinition = (text: string, phrase: string | undefined): boolean =>
  phrase !== undefined && text.includes(phrase.slice(0, 60))

/** What a product section is about when it names nothing: "our summer workshop". */
const nounIn = (texts: readonly string[]): string | undefined => {
  const noun = /^(?:our|a|an|the|unser|notre|onze)\s[^,.;:!?]{3,60}/i.exec(texts[0] ?? '')?.[0]
  return noun === undefined
    ? undefined
    : lowered(unstopped(noun.split(/ (?:is|are|that|which|for|with|lets|helps) /)[0] ?? noun))
}

const PAIN =
  /\b(?:wait|blame|longer|costs?|los[ei]|must|wast|late|slow|manual|struggl|hard|cannot|can't|worr|error|wrong|miss|afraid|no time|tired|by hand|too|never|without|themselves)/i
const HABIT = /\b(?:read|scroll|watch|listen|browse|open|look at|on (?:the|their) phone)\b/i

/** Who reads, what bothers them and how they read. */
function readersOf(
  by: (topic: Topic) => string[],
  asked: { readonly text: string; readonly isBrief: boolean; readonly isEnglish: boolean },
): Pick<Brief, 'audience' | 'pains' | 'habit'> {
  const [first, ...others] = by('audience')
  const noun =
    first === undefined
      ? audienceIn(asked.isBrief ? asked.text : '')
      : (audienceIn(first) ?? nounOf(first, asked.isEnglish))
  const clause = first === undefined ? undefined : /,\swho\s(.{8,200})$/.exec(unstopped(first))?.[1]
  const habit = others.find((text) => HABIT.test(text) && /^they|^sie|^ils/i.test(text))
  const situation = others.filter((text) => text !== habit)
  const pains = [...(clause === undefined ? [] : [`They ${clause}.`]), ...situation, ...by('background')]
  const painful = pains.filter((text) => PAIN.test(text))
  return { audience: noun, pains: (painful.length > 0 ? painful : pains).slice(0, 3), habit }
}

const nounOf = (text: string, isEnglish: boolean): string => {
  const noun = unstopped(text.split(/,\s(?:who|die|qui|that|which)\s|[;:(]/)[0] ?? text)
  const people = noun.split(/ (?:are|is|want|need|have) /)[0] ?? noun
  return clip(isEnglish ? lowered(people) : people, 160)
}

const promiseIn = (messages: readonly string[]): string | undefined => {
  const first = messages.find((text) => text.length <= 90 && !/^[^:]{1,30}:\s/.test(text))
  return first === undefined ? undefined : unstopped(first)
}

const momentOf = (text: string): Moment => {
  const { date, what } = datedStatement(text)
  return { date, what: unstopped(what), kinds: piecesIn(what).map(({ kind }) => kind) }
}

const isOffer = (text: string): boolean =>
  /^(?:the |a |our )?(?:free )?(?:trial|offer|price|demo|discount|guarantee|pilot)\b/i.test(text)

/** Whether it says what may be published, rather than something to publish. */
const isConsent = (text: string): boolean =>
  /not to be named|agreed to|may not be|confidential|permission|under embargo/i.test(text)

function proofsOf({
  sections,
  facts,
  asked,
  brand,
}: {
  readonly sections: readonly Section[]
  readonly facts: readonly string[]
  readonly asked: readonly string[]
  readonly brand: Brand
}): Proof[] {
  const sourceOf = (text: string): string => {
    if (asked.includes(text)) return 'task'
    const heading = sections.find((section) => statementsOf(section).includes(text))?.heading
    return heading === undefined || heading === '' ? 'brief' : `brief, “${clip(heading, 40)}”`
  }
  const numbers = new Set(facts.flatMap((text) => text.match(/\d[\d.,]*/g) ?? []))
  // The brand's facts come second, and only where they say something that the brief does not.
  const added = brand.facts.filter(
    (text) => /\d/.test(text) && !(text.match(/\d[\d.,]*\d|\d/g) ?? []).some((number) => numbers.has(number)),
  )
  const all = unique(facts).filter((text) => !isOffer(text) && !isConsent(text))
  return [
    ...all.map((text) => ({ text, source: sourceOf(text), isNamed: isNamed(text) })),
    ...added.map((text) => ({ text, source: 'brand facts', isNamed: false })),
  ]
    .sort((a, b) => Number(b.isNamed) - Number(a.isNamed))
    .slice(0, 8)
}

/** Whether a fact begins with a name and a colon: "Van Dijk Bouw: 14 pours". */
const isNamed = (text: string): boolean => /^\p{Lu}[^:]{2,40}\s\p{Lu}[^:]{0,40}:\s/u.test(text)

/** The day on which it starts: of the title, of a sentence that says so, the deadline, else the last dated piece. */
function launchOf({
  title,
  told,
  moments,
  deadline,
}: {
  readonly title: string | undefined
  readonly told: readonly string[]
  readonly moments: readonly Moment[]
  readonly deadline: string | undefined
}): string | undefined {
  const starts = told.filter((text) =>
    /launch|on sale|release|live|opens?|start|erscheint|lance|beginnt|announcement/i.test(text),
  )
  const dates = [title ?? '', ...starts].flatMap((text) => datesIn(text))
  const dated = [
    ...dates,
    ...(deadline === undefined ? [] : datesIn(deadline)),
    ...moments.flatMap(({ date }) => date ?? []),
  ]
  return (
    dated.find((date) => isDay(date) && yearOf(date) !== undefined) ?? dated.find((date) => isDay(date)) ?? dated[0]
  )
}

const WORDS: readonly (readonly [Brief['language'], RegExp])[] = [
  ['German', /(?<!\p{L})(?:der|die|das|und|ist|für|mit|nicht|wir|ein|eine|auf|werden)(?!\p{L})/giu],
  ['French', /(?<!\p{L})(?:le|la|les|et|est|pour|avec|nous|une|des|du|sur|dans)(?!\p{L})/giu],
  ['Dutch', /(?<!\p{L})(?:de|het|een|en|voor|met|niet|wij|zijn|van|op)(?!\p{L})/giu],
  ['English', /(?<!\p{L})(?:the|and|is|for|with|not|we|a|of|on|to|in|an)(?!\p{L})/giu],
]

function languageOf(told: readonly string[]): Brief['language'] {
  const text = told.join(' ').slice(0, 8_000)
  const [best] = WORDS.map(([language, words]) => ({ language, hits: text.match(words)?.length ?? 0 })).sort(
    (a, b) => b.hits - a.hits,
  )
  return best === undefined || best.hits < 4 ? 'English' : best.language
}

/** A text within a sentence: with a lower-case start, but for names and for languages that write nouns otherwise. */
export const inSentence = ({ product, language }: Pick<Brief, 'product' | 'language'>, text: string): string =>
  language !== 'English' || text.startsWith(product) ? text : lowered(text)

/** A pain said to the reader. */
export const painsToReader = (brief: Brief): string[] => brief.pains.map((text) => sentence(toReader(text)))
