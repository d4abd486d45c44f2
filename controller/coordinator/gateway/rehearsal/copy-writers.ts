/** Rehearsal writers of words that are published: copy, edits, email, social media. Pure. */
import type { Facts } from './facts.ts'
import { clip, list, lowered, raised, unstopped } from './markdown.ts'
import { basisOf, nth, type Writer } from './piece.ts'

const headline = (facts: Facts): string =>
  clip(`${facts.product}: ${lowered(nth(facts.points, 0, 'made for the way you work'))}`, 90)
const from = (facts: Facts): string => (facts.dates[0] === undefined ? 'now' : `from ${facts.dates[0]}`)

/** A launch piece: headline, body, call to action, and variants of the headline. */
export const copywriter: Writer = (facts, task) => {
  const [first, second, third] = [0, 1, 2].map((index) =>
    nth(facts.points, index, `${facts.product} keeps its promise`),
  )
  return {
    name: 'launch-copy',
    content: `# ${headline(facts)}

**For ${lowered(facts.audience)}.**

${raised(unstopped(first ?? ''))}. That is what ${facts.organization} set out to do with ${facts.product}, and it is ready ${from(facts)}.

## What changes for you
${list([raised(unstopped(second ?? '')), raised(unstopped(third ?? ''))])}

You know the work better than anyone. ${facts.product} does not ask you to change it; it takes away what stands in its way.

**See ${facts.product} ${from(facts)}.** Reserve your place today.

---

### Headlines to test
1. ${headline(facts)}
2. Meet ${facts.product} by ${facts.organization}
3. ${clip(raised(unstopped(second ?? facts.product)), 90)}

### Notes for the editor
- Voice aimed for: ${lowered(facts.voice)}.
- Facts come from the brief${task.context.length > 0 ? ` and from ${task.context.at(-1)?.agentType ?? 'the step before'}` : ''}; nothing was added.`,
    summary: `Wrote the launch copy for ${facts.product}: body, call to action and three headlines to test, in the voice of ${facts.organization}.`,
  }
}

/** Weak phrases and what an editor puts in their place. */
const EDITS: readonly (readonly [RegExp, string, string])[] = [
  [/\bin order to\b/gi, 'to', '“in order to” became “to”'],
  [/\bvery |\breally |\bjust /gi, '', 'intensifiers are gone'],
  [/\butilize/gi, 'use', '“utilize” became “use”'],
  [/ {1,20}\n/g, '\n', 'stray spaces are gone'],
  [/\bReserve your place today\b/g, 'Reserve your place', 'the call to action lost its last word'],
]

/** The text of the step before, edited, with the list of what was changed. */
export const editor: Writer = (facts, task) => {
  const basis = basisOf(task)
  if (basis === undefined) return { ...copywriter(facts, task), name: 'edited-copy' }
  const body = basis.content.split('\n---\n')[0]?.trim() ?? basis.content
  const made = EDITS.filter(([pattern]) => body.search(pattern) >= 0)
  const edited = made.reduce((text, [pattern, by]) => text.replace(pattern, by), body)
  const changes = made.map(([, , note]) => raised(note))
  const comments = task.feedback.map((answer) => `Review by ${answer.by}: ${clip(answer.comment, 160)}`)
  return {
    name: basis.name,
    content: `${edited}

---

### Edited
${list([...changes, ...comments, `Checked against the voice: ${lowered(facts.voice)}.`, `Checked the names ${facts.product} and ${facts.organization}${facts.dates.length > 0 ? `, and the date ${facts.dates[0]}` : ''}.`])}`,
    summary: `Edited “${basis.name}” by ${basis.agentType} for voice, facts and length. It is ready to publish.`,
  }
}

/** A sequence of emails around the launch. */
export const emailMarketer: Writer = (facts) => {
  const mails = ['Before', 'On the day', 'After'].map((moment, index) => {
    const point = nth(facts.points, index, facts.product)
    const day = facts.dates[0] ?? 'launch day'
    const when = [`a week before ${day}`, day, `three days after ${day}`][index] ?? day
    return `## ${index + 1}. ${moment} (${when})

**Subject:** ${clip([`Something for ${lowered(facts.audience)}`, `${facts.product} is here`, `One question about ${facts.product}`][index] ?? facts.product, 60)}
**Preview:** ${clip(raised(point), 85)}

Hello,

${raised(unstopped(point))}. ${['We will show you how in a few days.', `See ${facts.product} at work, and decide for yourself.`, 'If something holds you back, reply to this mail: a person answers.'][index] ?? ''}

**${['Remind me', `See ${facts.product}`, 'Ask a question'][index] ?? 'Read on'}**

${facts.organization}`
  })
  return {
    name: 'email-sequence',
    content: `# ${facts.project}: email sequence\n\n${mails.join('\n\n')}\n\n## Sending\n${list(['To those who opted in, with one link to unsubscribe.', 'Subject lines are tested on a tenth of the list for four hours.'])}`,
    summary: `Wrote three emails for ${facts.project}, with subjects and preview lines: before, on the day and after.`,
  }
}

/** A week of posts. */
export const socialMediaManager: Writer = (facts) => {
  const networks = facts.channels.filter((channel) => /linkedin|instagram/i.test(channel))
  const posts = ['Monday', 'Wednesday', 'Friday'].map((day, index) => {
    const point = nth(facts.points, index, facts.product)
    const tag = facts.product.replace(/[^A-Za-z0-9]/g, '')
    return `## ${day}, ${nth(networks, index, 'LinkedIn')}

${[`What would you do with an hour more a day?`, `We built ${facts.product} for ${lowered(facts.audience)}.`, `Asked most often this week about ${facts.product}:`][index] ?? ''}

${raised(unstopped(point))}.

${['Tell us below.', `See it ${from(facts)}.`, 'Ask yours, and we answer today.'][index] ?? ''}
#${tag}`
  })
  return {
    name: 'social-posts',
    content: `# ${facts.project}: one week of posts\n\n${posts.join('\n\n')}\n\n## House rules\n${list([`Voice: ${lowered(facts.voice)}.`, ...facts.donts.slice(0, 2), 'Replies within two hours on working days.'])}`,
    summary: `Wrote a week of posts for ${facts.project}, three in all, with replies and house rules.`,
  }
}
