/** Rehearsal writers who find out: researcher, analyst, SEO specialist; and the writer for any other persona. Pure. */
import { inSentence, type Brief } from './brief.ts'
import { definition, publicProofs } from './copy-pieces.ts'
import {
  clip,
  list,
  lowered,
  lowerFirst,
  ofReader,
  paragraphs,
  part,
  raised,
  sentence,
  shortNoun,
  table,
  unstopped,
} from './phrases.ts'
import { basisOf, type Writer } from './piece.ts'
import { ideaOf } from './plan-writers.ts'
import { questionsOf } from './questions.ts'

const readers = (brief: Brief): string => (brief.audience === undefined ? 'the readers' : shortNoun(brief.audience))

/** What the texts given say, what they leave open, and how to find that out. */
export const researcher: Writer = (brief, task) => {
  const gaps = questionsOf(brief).slice(0, 4)
  const proofs = brief.proofs.length
  const answer =
    proofs === 0
      ? `The material names no fact that proves what ${brief.product} promises; that is the first thing to find.`
      : `The strongest fact at hand is this: ${unstopped(clip(brief.proofs[0]?.text ?? '', 180))}.`
  const content = paragraphs(
    `# ${brief.project}: research notes`,
    answer,
    part(
      'The question',
      `What do ${readers(brief)} need to know about ${brief.product} before they ${ofReader(lowerFirst(brief.action ?? `choose ${brief.product}`))}? The message of the campaign waits for the answer: ${inSentence(brief, clip(ideaOf(brief, task), 120))}.`,
    ),
    part(
      'Findings',
      table(
        ['Finding', 'Source', 'Confidence'],
        [
          ...brief.proofs
            .slice(0, 5)
            .map(({ text, source }) => [unstopped(text), source, 'given; not checked outside']),
          ...[...brief.pains, ...brief.does]
            .slice(0, 4)
            .map((text) => [unstopped(text), 'brief', 'given; the organization’s own view']),
        ],
      ),
    ),
    part(
      'The best argument against',
      proofs < 2
        ? 'One fact is not a pattern: ask for a second case.'
        : `${brief.proofs[0]?.isNamed === true ? 'The first finding is of a single customer' : 'All findings come from the organization itself'}; a reader may ask for somebody like themselves.`,
    ),
    part(
      'What we do not know, and how to find out',
      table(
        ['Gap', 'Cheapest way'],
        gaps.map((gap) => [
          gap,
          /number|cost|day|address|agreed|year|published/.test(gap)
            ? 'One question to the client'
            : 'A few calls with customers, one guide for all',
        ]),
      ),
    ),
    'Nothing outside brief, brand and task was used.',
  )
  return {
    texts: [{ name: 'research-notes', content }],
    summary: `${answer} ${gaps.length} questions stay open, each with the cheapest way to close it.`,
  }
}

const promiseUnderTest = ({ product }: Brief, idea: string): string =>
  sentence(idea.includes(product) ? clip(idea, 160) : `${product}: ${clip(idea, 160)}`)

/** What to measure, with the decision behind each figure. */
export const analyst: Writer = (brief, task) => {
  const [first, ...others] = brief.measures.map((text) => unstopped(text))
  const main =
    first === undefined
      ? `No target is given: the primary measure should be how many ${readers(brief)} ${lowerFirst(brief.action ?? 'act')}.`
      : `One number decides: ${first}.`
  const content = paragraphs(
    `# ${brief.project}: measurement plan`,
    main,
    part('The promise under test', promiseUnderTest(brief, ideaOf(brief, task))),
    part(
      'Decision',
      `If the number is met, the campaign goes on as planned. If it is not, we look first at whether ${readers(brief)} understood the message, then at the offer, and only then at the channel.`,
    ),
    part(
      'Measures',
      table(
        ['Measure', 'Role', 'If it falls short'],
        [first ?? `Readers who ${lowerFirst(brief.action ?? 'act')}`, ...others]
          .slice(0, 4)
          .map((text, index) => [
            text,
            index === 0 ? 'primary' : 'guard',
            [
              'change the promise on the page',
              'ask those who did not go on',
              'move money to the channel that works',
              'look at the list',
            ][index] ?? 'look at it',
          ]),
      ),
    ),
    part(
      'Definitions',
      list([
        'A person counts once, whatever the channel; staff and tests are left out.',
        'A result belongs to the last piece that the person followed.',
        ...(brief.moments.length === 0
          ? []
          : [
              `Each dated piece gets an address of its own: ${brief.moments.map(({ date, what }) => `${date ?? 'undated'}, ${clip(what, 50)}`).join('; ')}.`,
            ]),
      ]),
    ),
    part('Budget', list(brief.budget.map((text) => sentence(text)))),
    part(
      'What else could explain it',
      list([
        'The season, and whatever competitors do in the same weeks.',
        brief.moments.length > 1
          ? 'Pieces that overlap: the later one gets what the earlier one began.'
          : 'A few large customers: look at the figure without them.',
      ]),
    ),
    part(
      'Questions to the client',
      list(['What is the same figure today? Without it there is no comparison.', ...questionsOf(brief).slice(0, 1)]),
    ),
  )
  return {
    texts: [{ name: 'measurement-plan', content }],
    summary: `${clip(main, 200)} The plan defines it, names ${others.length === 0 ? 'what to watch beside it' : 'its guards'}, and says what each result decides.`,
  }
}

/** Intent, title and description, outline in the reader's questions. */
export const seoSpecialist: Writer = (brief, task) => {
  const idea = ideaOf(brief, task)
  const proof = publicProofs(brief)[0]
  const content = paragraphs(
    `# ${brief.project}: page brief`,
    `One page for one intent: a reader who wants to ${lowered(clip(brief.ability?.replace(/\btheir\b/g, 'the') ?? brief.action ?? `know what ${brief.product} does`, 100))}.`,
    part(
      'Title and description',
      list([
        `**Title:** ${clip(`${raised(idea)} | ${brief.product}`, 60)}`,
        `**Description:** ${clip(`${definition(brief)} ${brief.does[0] ?? ''} ${brief.action ?? ''}`.trim(), 155)}`,
        `**Address:** /${brief.product.toLowerCase().replace(/[^\p{L}\p{N}]{1,40}/gu, '-')}`,
        `**H1:** ${clip(raised(idea), 70)}`,
      ]),
    ),
    part('First paragraph', `${definition(brief)} ${brief.does[0] ?? ''}`.trim()),
    part(
      'Questions to answer, as headings',
      list([
        `What is ${brief.product}?`,
        ...(brief.does.length === 0 ? [] : [`How does ${brief.product} work?`]),
        ...(proof === undefined ? [] : ['Who has used it, and what came of it?']),
        ...(brief.offers.length === 0 ? [] : ['What does a trial involve?']),
        `What does ${brief.product} not do?`,
      ]),
    ),
    part('Facts to use', list(publicProofs(brief).slice(0, 4))),
    part(
      'Who it is for',
      brief.audience === undefined
        ? ''
        : `${raised(brief.audience)}. Use their words: ${lowered(clip(brief.pains[0] ?? brief.audience, 160))}`,
    ),
    part(
      'Before money is spent',
      list([
        'Search volumes are not in the material: check them before any term is bought.',
        ...questionsOf(brief).slice(0, 2),
      ]),
    ),
  )
  return {
    texts: [{ name: 'page-brief', content }],
    summary: `Briefed one page on ${brief.product} for one intent, with title, description, opening and questions to answer. Search volumes are open: the material has none.`,
  }
}

/** Any persona: the task's own words, worked through with what the material gives. */
export const generalist: Writer = (brief, task) => {
  const name = task.type.replaceAll('_', '-').slice(0, 100) || 'result'
  const [basis] = basisOf(task)
  const points = [...brief.does, ...publicProofs(brief), ...brief.offers.map((text) => sentence(text))]
  const description = unstopped(clip(task.description.split(/\s+/).join(' '), 300))
  const content = paragraphs(
    `# ${brief.project}: ${name.replaceAll('-', ' ')}`,
    `${definition(brief)} This serves one thing: ${inSentence(brief, clip(ideaOf(brief, task), 120))}.`,
    part('The task', sentence(description)),
    part(
      'For whom',
      brief.audience === undefined ? '' : [`${raised(brief.audience)}.`, ...brief.pains.slice(0, 1)].join(' '),
    ),
    part('What we have', list(points.slice(0, 6))),
    part('When', list(brief.moments.map(({ date, what }) => `${date ?? 'No date yet'}: ${what}`))),
    basis === undefined
      ? undefined
      : part('What it builds on', `“${basis.name}” by the ${basis.agentType}: ${clip(firstLine(basis.content), 200)}`),
    part(
      'The line we hold',
      list([...brief.brand.dos.slice(0, 2), ...brief.brand.donts.slice(0, 2)].map((text) => sentence(text))),
    ),
    part('Questions to the client', list(questionsOf(brief).slice(0, 3))),
  )
  return {
    texts: [{ name, content }],
    summary: `Worked through “${name.replaceAll('-', ' ')}” for ${brief.project} with what brief and brand give. ${questionsOf(brief)[0] === undefined ? 'Nothing is open.' : `Open: ${questionsOf(brief)[0] ?? ''}`}`,
  }
}

const firstLine = (content: string): string =>
  content.split('\n', 40).find((line) => line !== '' && !/^[#>|-]/.test(line)) ?? content
