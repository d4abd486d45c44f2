/** Rehearsal writers who find out: researcher, analyst, SEO specialist; and the writer for any other persona. Pure. */
import { clip, list, lowered, raised, sentencesOf, table, unstopped } from './markdown.ts'
import { basisOf, nth, type Writer } from './piece.ts'

/** What the texts given say, what they leave open, and how to find that out. */
export const researcher: Writer = (facts) => ({
  name: 'research-notes',
  content: `# ${facts.project}: research notes

## The question
What does ${lowered(facts.audience)} need to know before choosing ${facts.product}?

## What the material says
${list(facts.points.slice(0, 5).map((point) => `${raised(point)}.`))}

## What it leaves open
${list([
  `Which alternative ${lowered(facts.audience)} uses today, and what it costs them.`,
  `Which proof of “${clip(nth(facts.points, 0, facts.product), 60)}” can be published.`,
  'Which objection comes up first in conversations with customers.',
])}

## How to close the gaps
${list(['Five customer calls of 20 minutes with one guide.', 'A look through the last 50 support requests.', `A search for how people ask for what ${facts.product} does.`])}

*Source of every statement above: brief and brand facts. No outside source was used.*`,
  summary: `Gathered what the material says about ${facts.product} and its audience, and named three gaps with a way to close each.`,
})

/** What to measure, with thresholds and decisions. */
export const analyst: Writer = (facts) => ({
  name: 'measurement-plan',
  content: `# ${facts.project}: measurement plan

## The promise under test
*${nth(facts.points, 0, facts.product)}*

## Decisions that the numbers serve
${list(facts.goals)}

## Measures
${table(
  ['Measure', 'Where', 'Read', 'If below plan'],
  facts.channels.map((channel, index) => [
    nth(['Reach within the audience', 'Visits to sign-up', 'Cost per sign-up', 'Replies'], index, 'Reach'),
    channel,
    nth(['daily', 'weekly'], index, 'weekly'),
    nth(['change the headline', 'change the first paragraph', 'move budget to the next channel'], index, 'look'),
  ]),
)}

## Timing
First reading three days after ${facts.dates[0] ?? 'launch'}; decision a week later.

## What not to conclude
- Nothing from fewer than 200 visits a variant.
- Nothing about ${facts.product} itself from opens of mails.`,
  summary: `Laid out how ${facts.project} is measured: ${facts.channels.length} measures, when they are read, and what each decides.`,
})

/** Search terms, page outline, title and description. */
export const seoSpecialist: Writer = (facts) => {
  const words = `${facts.product} ${facts.audience}`.toLowerCase().match(/[a-z]{4,}/g) ?? []
  const core = [...new Set(words)].slice(0, 4)
  const product = facts.product.toLowerCase()
  return {
    name: 'seo-brief',
    content: `# ${facts.project}: search brief

## Terms
${table(
  ['Term', 'What the searcher wants', 'Page'],
  [
    [product, 'to find us', 'product page'],
    [`${product} for ${core.at(-1) ?? 'teams'}`, 'to see whether it fits', 'landing page'],
    [`how to ${lowered(core[1] ?? 'choose')} with ${product}`, 'to learn', 'guide'],
    [`${product} alternatives`, 'to compare', 'comparison'],
  ],
)}

## Landing page
- **Title:** ${clip(`${facts.product} | ${facts.organization}`, 60)}
- **Description:** ${clip(`${raised(unstopped(nth(facts.points, 0, facts.product)))}. For ${lowered(facts.audience)}.`, 155)}
- **H1:** ${clip(`${facts.product} for ${lowered(facts.audience)}`, 70)}
${list(facts.points.slice(0, 3).map((point) => `**H2:** ${clip(raised(point), 70)}`))}

## Before publishing
- Search volumes are not part of the material: check them before the order above is final.
- One canonical address; the guide links to the landing page, not the reverse.`,
    summary: `Wrote a search brief for ${facts.product}: four terms with intent, and title, description and outline of the landing page.`,
  }
}

/** Any persona: the task's own words, worked through. */
export const generalist: Writer = (facts, task) => {
  const basis = basisOf(task)
  const points = facts.points.length > 0 ? facts.points : sentencesOf(task.description)
  return {
    name: task.type.replaceAll('_', '-').slice(0, 100) || 'result',
    content: `# ${facts.project}: ${task.type.replaceAll('_', ' ')}

**Task:** ${clip(unstopped(task.description.replace(/\s+/g, ' ')), 300)}.

## Result
${list(points.slice(0, 5).map((point) => `${raised(unstopped(point))}.`))}

## Done for
${raised(facts.audience)}, in the name of ${facts.organization}. Voice: ${lowered(facts.voice)}.
${basis === undefined ? '' : `\nBuilds on “${basis.name}” by ${basis.agentType}.\n`}
## Next
${list([`Use it for ${facts.project}${facts.dates[0] === undefined ? '' : ` before ${facts.dates[0]}`}.`, 'Tell what is missing; the assumptions are those of the brief.'])}`,
    summary: `Did the task “${task.type.replaceAll('_', ' ')}” for ${facts.project} from the material given.`,
  }
}

/** The answer to a review: it holds the artifact against guidelines and facts. */
export const reviewer: Writer = (facts, task) => {
  const basis = basisOf(task)
  return {
    name: 'review',
    content: `# Review of ${basis === undefined ? 'the work' : `“${basis.name}” by ${basis.agentType}`}

**Verdict: approved.**

- It names ${facts.product} and speaks to ${lowered(facts.audience)}.
- It keeps to the voice: ${lowered(facts.voice)}.
${list(facts.donts.slice(0, 2).map((rule) => `Looked for breaches of “${rule}” and found none.`))}
- Question asked: ${clip(task.description.replace(/\s+/g, ' '), 200)}`,
    summary: `Reviewed ${basis === undefined ? 'the work' : `“${basis.name}”`} against voice, facts and guidelines, and approved it.`,
  }
}
