/** Rehearsal writers who plan: director, strategist, and whoever briefs a designer. Pure. */
import type { Facts } from './facts.ts'
import { clip, joined, list, lowered, raised, table } from './markdown.ts'
import { nth, type Writer } from './piece.ts'

const launchDate = (facts: Facts): string => facts.dates[0] ?? 'the launch date of the brief'

/** Sets direction: what is to be reached, in what order, and how it will be judged. */
export const director: Writer = (facts) => {
  const owners = ['strategist', 'copywriter', 'editor', 'director']
  const leads = ['five weeks', 'three weeks', 'two weeks', 'one week']
  const steps = ['Positioning and messages', 'Copy for every channel', 'Edit and fact check', 'Sign-off']
  const rows = steps.map((step, index) => [
    `${index + 1}`,
    step,
    nth(owners, index, 'director'),
    `${nth(leads, index, 'a week')} before ${launchDate(facts)}`,
  ])
  return {
    name: 'creative-direction',
    content: `# ${facts.project}: creative direction

## What we are making
${raised(facts.organization)} brings **${facts.product}** to ${lowered(facts.audience)}. One idea carries the campaign: *${clip(nth(facts.points, 0, `${facts.product} does the job it promises`), 140)}*.

## What success is
${list(facts.goals)}

## The line we hold
- Voice: ${facts.voice}.
- One promise per piece, one proof behind it, one thing to do next.
${list(facts.donts.length > 0 ? facts.donts : ['No claim that the brief does not support.'])}

## Order of work
${table(['', 'Step', 'Who', 'By'], rows)}

## How I will judge it
A reader from the audience says in one sentence what ${facts.product} does for them, and knows what to do by ${launchDate(facts)}.`,
    summary: `Set the direction for ${facts.project}: one idea, measures of success, and the order of work up to ${launchDate(facts)}. Channels are ${joined(facts.channels)}.`,
  }
}

/** Turns the brief into positioning, messages and a calendar. */
export const strategist: Writer = (facts) => {
  const messages = [0, 1, 2].map((index) => [
    `Message ${index + 1}`,
    nth(facts.points, index, `${facts.product} fits how the audience works`),
    nth(facts.channels, index, 'email'),
  ])
  const phases = ['Tease', 'Launch', 'Follow up'].map((phase, index) => [
    phase,
    `${['two weeks before', '', 'two weeks after'][index] ?? ''} ${launchDate(facts)}`.trim(),
    nth(facts.channels, index, 'email'),
    ['Say what is coming and for whom', `Show ${facts.product} at work`, 'Answer what held people back'][index] ?? '',
  ])
  return {
    name: 'campaign-strategy',
    content: `# ${facts.project}: campaign strategy

## Positioning
For **${facts.audience}**, ${facts.product} from ${facts.organization} is the choice to make. The reason to believe it: *${nth(facts.points, 0, 'it does what they need and nothing that they do not')}*.

## Objectives
${list(facts.goals)}

## Messages
${table(['', 'What we say', 'Where first'], messages)}

## Calendar
${table(['Phase', 'When', 'Lead channel', 'Task'], phases)}

## Voice and limits
Written so: ${lowered(facts.voice)}.
${list([...facts.dos.slice(0, 2), ...facts.donts.slice(0, 2)])}

## Risks
- The brief gives no figures on current awareness: the first week of ${nth(facts.channels, 0, 'email')} is the baseline.
- If ${facts.dates[0] ?? 'the date'} moves, the tease shortens first; the follow-up stays.`,
    summary: `Worked out the strategy for ${facts.project}: positioning for ${clip(facts.audience, 80)}, three messages and a calendar in three phases.`,
  }
}

/** A brief that a designer can start from. */
export const designBriefer: Writer = (facts) => {
  const assets = facts.channels.map((channel, index) => [
    `${raised(channel)} visual`,
    ['1200 × 628', '1080 × 1080', '1600 × 900', '600 × 300'][index % 4] ?? '1200 × 628',
    clip(nth(facts.points, index, facts.product), 70),
  ])
  return {
    name: 'design-brief',
    content: `# ${facts.project}: design brief

## The picture to leave behind
${facts.product} in the hands of ${lowered(facts.audience)}, at the moment it helps. No metaphor in between.

## Tone
${raised(facts.voice)}. The layout follows: one idea a frame, generous space, the name of ${facts.organization} last.

## Assets
${table(['Asset', 'Size (px)', 'Carries'], assets)}

## Must and must not
${list([...facts.dos.slice(0, 3), ...facts.donts.slice(0, 3), 'Text over pictures meets a contrast of 4.5 to 1.'])}

## Dates
First drafts a week before ${launchDate(facts)}; finals two working days before.`,
    summary: `Wrote the design brief for ${facts.project}: the picture to leave behind, ${assets.length} assets with sizes, and limits.`,
  }
}
