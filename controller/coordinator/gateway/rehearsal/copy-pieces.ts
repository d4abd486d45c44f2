/** Writes each sort of published text from a brief: page, announcement, mail, posts, article, ads, handout. Pure. */
import { inSentence, painsToReader, type Brief, type Moment } from './brief.ts'
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
  toReader,
  unique,
} from './phrases.ts'
import type { Piece, PieceKind } from './wanted.ts'

/** What a writer of one piece is given: the brief, the campaign's idea and which piece. */
export type Order = { readonly brief: Brief; readonly idea: string; readonly piece: Piece }

const HEADLINE_CHARS = 80

const IS: Readonly<Record<Brief['language'], string>> = { English: 'is', German: 'ist', French: 'est', Dutch: 'is' }

/** "CureSight is a reusable sensor the size of a matchbox." */
export function definition({ product, phrase, organization, isProductNamed, does, language }: Brief): string {
  if (phrase !== undefined) return `${raised(product)} ${IS[language]} ${phrase}.`
  return (
    does[0] ?? (isProductNamed ? `${product} is by ${organization}.` : `${raised(product)} comes from ${organization}.`)
  )
}

/** What it does beyond its definition. */
const workings = (brief: Brief): string[] => brief.does.filter((text) => text !== definition(brief))

/** Proofs fit to be published: the brief's own; the brand's only where the brief has none. */
export function publicProofs({ proofs }: Brief): string[] {
  const own = proofs.filter(({ source }) => source !== 'brand facts')
  return (own.length > 0 ? own : proofs).map(({ text }) => sentence(text))
}

/** A proof with the name in front of it set off. */
const proofItem = (text: string): string => text.replace(/^([^:]{3,50}):\s/, '**$1:** ')

/** When it starts, as the brief's title says it or in plain words. */
function startLine(brief: Brief): string | undefined {
  if (brief.title?.includes(brief.product) === true && brief.launch !== undefined && brief.title.includes(brief.launch))
    return sentence(brief.title)
  return brief.launch === undefined ? undefined : `${raised(brief.product)} starts on ${brief.launch}.`
}

/** "From 9 February 2027, site managers can see …" or what the organization presents. */
function news(brief: Brief): string {
  const who = brief.audience === undefined ? 'you' : shortNoun(brief.audience)
  if (brief.ability !== undefined)
    return `${brief.launch === undefined ? raised(who) : `From ${brief.launch}, ${who}`} can ${brief.ability}.`
  const what = brief.phrase === undefined ? brief.product : `${brief.product}, ${brief.phrase}`
  return `${brief.organization} presents ${what}${brief.launch === undefined ? '' : `, from ${brief.launch}`}.`
}

const call = ({ action, product }: Brief): string => `**${action ?? `See ${product} for yourself`}**`
const offer = ({ offers }: Brief): string => offers.map((text) => sentence(text)).join(' ')

/** The offer under its own name, "The trial", where the brief gives it one. */
function offerPart({ offers }: Brief): string {
  const [first = '', ...others] = offers
  const [, name, text] = /^((?:The |Our |A )?[^:]{3,30}):\s(.+)$/.exec(first) ?? [undefined, 'Before you decide', first]
  return part(
    name ?? '',
    [sentence(text ?? ''), ...others.map((one) => sentence(one))].filter((one) => one !== '').join(' '),
  )
}

const about = (brief: Brief): string | undefined =>
  brief.brand.facts.find((text) => text.startsWith(brief.organization))

/** "It works like this", as the product's own sentences, one paragraph for two of them. */
const workingsText = (brief: Brief): string => {
  const told = workings(brief)
  return paragraphs(told.slice(0, 2).join(' '), told.slice(2, 5).join(' '))
}

const landingPage = ({ brief, idea }: Order): string =>
  paragraphs(
    `# ${raised(clip(idea, HEADLINE_CHARS))}`,
    definition(brief),
    painsToReader(brief).slice(0, 2).join(' '),
    call(brief),
    part('How it works', workingsText(brief)),
    part(
      'What stands behind it',
      list(
        publicProofs(brief)
          .slice(0, 4)
          .map((text) => proofItem(text)),
      ),
    ),
    offerPart(brief),
    paragraphs(startLine(brief), call(brief)),
  )

function announcement({ brief, idea }: Order): string {
  const [first, ...others] = publicProofs(brief)
  const title =
    brief.title?.includes(brief.product) === true ? brief.title : `${brief.organization} presents ${brief.product}`
  return paragraphs(
    `# ${clip(title, 100)}`,
    news(brief),
    [definition(brief), ...workings(brief).slice(0, 2)].join(' '),
    first === undefined
      ? undefined
      : `What stands behind it:\n\n${list([first, ...others].slice(0, 3).map((text) => proofItem(text)))}`,
    [offer(brief), brief.action === undefined ? '' : `The next step: ${lowerFirst(brief.action)}.`]
      .filter((text) => text !== '')
      .join(' ') || sentence(idea),
    part(`About ${brief.organization}`, about(brief)),
  )
}

/** Which of three jobs a mail has, by where its date stands to the start. */
export type Stage = 'before' | 'start' | 'after'

/** One mail: subjects that differ in idea, preview, body, one action. */
export function mail({
  brief,
  idea,
  moment,
  stage,
}: Omit<Order, 'piece'> & { readonly moment: Moment | undefined; readonly stage: Stage }): string {
  const segment =
    /\bto ((?:the |our |all )?(?:[^,;]|,(?=\d)){5,80})/.exec(moment?.what ?? '')?.[1] ??
    (brief.audience === undefined ? undefined : shortNoun(brief.audience))
  const proof = publicProofs(brief)[0]
  const orders = { before: 0, start: 1, after: 2 }
  const subjects = rotated(orders[stage], [
    raised(idea),
    ...(brief.launch === undefined ? [] : [`${brief.product}: ${brief.launch}`]),
    `What ${named(proof) ?? brief.product} ${named(proof) === undefined ? 'does' : 'found'}`,
  ])
  const pain = painsToReader(brief)[0]
  const [first, second] = workings(brief)
  const able =
    brief.ability === undefined
      ? sentence(idea)
      : `${brief.launch === undefined ? 'Now' : `From ${brief.launch}`} you can ${lowered(brief.promise ?? idea)}.`
  const middle = {
    before: [able, definition(brief)],
    start: [definition(brief), first ?? sentence(idea)],
    after: [second ?? first ?? definition(brief)],
  }[stage]
  const proofLine = stage === 'before' ? undefined : proof
  const close =
    stage === 'before'
      ? offer(brief)
      : [offer(brief), stage === 'after' ? 'If something holds you back, reply to this mail.' : ''].join(' ').trim()
  return paragraphs(
    list([
      ...subjects.slice(0, 3).map((text, index) => `**Subject ${'ABC'.charAt(index)}:** ${clip(text, 60)}`),
      `**Preview:** ${clip(definition(brief), 90)}`,
      ...(segment === undefined ? [] : [`**To:** ${segment}`]),
      ...(moment?.date === undefined ? [] : [`**Sent:** ${moment.date}`]),
    ]),
    'Hello,',
    stage === 'after' ? undefined : pain,
    middle.filter((text) => text !== '').join(' '),
    proofLine,
    close,
    call(brief),
    brief.organization,
  )
}

/** The list beginning at its n-th item, each text once. */
const rotated = (start: number, texts: readonly string[]): string[] => {
  const all = unique(texts)
  const at = all.length === 0 ? 0 : start % all.length
  return [...all.slice(at), ...all.slice(0, at)]
}

/** Who or what a proof names: "Van Dijk Bouw" of "Van Dijk Bouw: 14 pours". */
const named = (proof: string | undefined): string | undefined =>
  /^(\p{Lu}[^:]{2,40}\s\p{Lu}[^:]{0,40}):\s/u.exec(proof ?? '')?.[1]

const email = ({ brief, idea }: Order): string => {
  const moment = brief.moments.find(({ kinds }) => kinds.includes('email'))
  const stage = stageOf(brief, moment)
  return paragraphs(
    `# ${stage === 'before' ? 'Teaser e-mail' : 'E-mail'}: ${inSentence(brief, clip(idea, HEADLINE_CHARS))}`,
    mail({ brief, idea, moment, stage }),
  )
}

/** Before, at or after the start, by the order in which the brief lists its dates. */
export function stageOf(brief: Brief, moment: Moment | undefined): Stage {
  if (moment?.date === undefined || brief.launch === undefined) return 'start'
  if (/teaser|save the date|before/i.test(moment.what)) return 'before'
  const start = brief.moments.findIndex(({ date }) => date !== undefined && brief.launch?.startsWith(date) === true)
  const at = brief.moments.indexOf(moment)
  if (start < 0 || at === start) return 'start'
  return at < start ? 'before' : 'after'
}

/** Posts that differ in angle: the situation, the proof, how it works, the offer, what one says oneself. */
function angles({ brief, idea }: Pick<Order, 'brief' | 'idea'>): { readonly angle: string; readonly text: string }[] {
  const [proof, another] = publicProofs(brief)
  const able = brief.ability === undefined ? definition(brief) : `You can ${lowered(brief.promise ?? idea)}.`
  const told = workings(brief)
  const all: readonly (readonly [string, string | undefined, string])[] = [
    ['the situation', painsToReader(brief)[0], able],
    ['the proof', proof, definition(brief)],
    ['how it works', told[0], told[1] ?? able],
    ['the offer', brief.offers.length === 0 ? undefined : offer(brief), definition(brief)],
    ['a detail', another, told[2] ?? able],
    ['the promise', idea === brief.subject ? undefined : sentence(idea), definition(brief)],
    ['the start', startLine(brief), able],
  ]
  return all.flatMap(([angle, first, second]) =>
    first === undefined || first === ''
      ? []
      : [{ angle, text: paragraphs(first, second === first ? undefined : second) }],
  )
}

/** How many of these posts the material gives an angle for. */
export const postsGiven = ({ brief, idea, piece }: Order): number =>
  Math.min(piece.count, angles({ brief, idea }).length)

/** A series of posts for the networks that the brief names. */
export function posts({ brief, idea, piece }: Order): string {
  const moment = brief.moments.find(({ kinds }) => kinds.includes('posts'))
  const network = /instagram/i.test(moment?.what ?? '') ? 'Instagram' : 'LinkedIn'
  const by = /\bby (?:our |the )?([^,;.]{4,60})/.exec(moment?.what ?? '')?.[1]
  const series = angles({ brief, idea }).slice(0, piece.count)
  return paragraphs(
    `# ${brief.project}: posts`,
    `${raised(counted(series.length, 'post'))} for ${network}${by === undefined ? '' : `, in the words of ${by}`}${moment?.date === undefined ? '' : `, from ${moment.date}`}: ${series.map(({ angle }) => angle).join(', ')}.`,
    ...series.map(({ angle, text }, index) =>
      part(
        `${index + 1}. ${raised(angle)}`,
        paragraphs('', text, brief.action === undefined ? undefined : sentence(brief.action)),
      ),
    ),
  )
}

const FACT_HEADINGS: readonly (readonly [string, RegExp])[] = [
  ['The cause', /\bcause|because|reason|due to/i],
  ['How it came to light', /\bfound|discover|noticed|first seen|detected/i],
  ['What it came to', /\d/],
]

/** "If you own a payment path", where the brief says for whom the text is. */
function readerHeading({ audience, product }: Brief): string {
  const clause = /\s(?:who|that)\s(.{3,80})$/.exec(audience ?? '')?.[1]
  if (clause !== undefined) return `If you ${toReader(clause)}`
  return audience === undefined ? `What ${product} does` : `For ${shortNoun(audience)}`
}

/** An article: the thing first, its facts by what they tell, what the product does, the next step. */
function article({ brief, idea }: Order): string {
  const subject = brief.subject ?? idea
  const told = publicProofs(brief)
  const lead = /^how (?!to )(.+)$/i.exec(subject)?.[1]
  const headings = new Map<string, string[]>()
  for (const text of told) {
    const heading = FACT_HEADINGS.find(([, pattern]) => pattern.test(text))?.[0] ?? 'More of it'
    headings.set(heading, [
      ...(headings.get(heading) ?? []),
      text.replace(/^(Found|Discovered|Noticed|Detected|Seen) /, (_, verb: string) => `It was ${verb.toLowerCase()} `),
    ])
  }
  const order = ['What it came to', 'How it came to light', 'The cause', 'More of it']
  return paragraphs(
    `# ${raised(clip(subject.split(/ (?:that|which) |, /)[0] ?? subject, 90))}`,
    lead === undefined ? definition(brief) : sentence(lead),
    painsToReader(brief)[0],
    ...order.map((heading) => part(heading, (headings.get(heading) ?? []).join('\n\n'))),
    part(
      'Who it was',
      brief.limits
        .filter((text) => /named|agreed/.test(text))
        .map((text) => sentence(text))
        .join(' '),
    ),
    part(readerHeading(brief), [definition(brief), ...workings(brief).slice(0, 3)].join(' ')),
    part(
      'Try it',
      [offer(brief), sentence(brief.action ?? `See ${brief.product} on one case of your own`)].join(' ').trim(),
    ),
  )
}

const ads = ({ brief, idea }: Order): string =>
  paragraphs(
    `# ${brief.project}: advertisements`,
    'Three variants that differ in idea.',
    ...angles({ brief, idea })
      .slice(0, 3)
      .map(({ angle, text }, index) =>
        part(
          `${index + 1}. ${raised(angle)}`,
          `**${clip(raised(idea), 60)}**\n\n${clip(text.split('\n')[0] ?? text, 140)}\n\n${call(brief)}`,
        ),
      ),
  )

const handout = ({ brief, idea }: Order): string =>
  paragraphs(
    `# ${raised(clip(idea, HEADLINE_CHARS))}`,
    definition(brief),
    list(
      publicProofs(brief)
        .slice(0, 3)
        .map((text) => proofItem(text)),
    ),
    offer(brief),
    call(brief),
    brief.organization,
  )

const WRITERS: Readonly<Record<PieceKind, (order: Order) => string>> = {
  'landing-page': landingPage,
  'launch-announcement': announcement,
  email,
  posts,
  'blog-post': article,
  ads,
  handout,
}

/** The text of a piece. */
export const written = (order: Order): string => WRITERS[order.piece.kind](order)

/** What a piece is called when it is handed in. */
export const pieceName = (brief: Brief, { kind }: Piece): string => {
  if (kind === 'posts') return 'post-series'
  if (kind !== 'email') return kind
  return stageOf(
    brief,
    brief.moments.find(({ kinds }) => kinds.includes('email')),
  ) === 'before'
    ? 'teaser-email'
    : 'launch-email'
}
