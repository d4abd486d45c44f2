/** The rehearsal model's hand-offs: to whom, and a brief that is complete in itself. Pure. */
import type { PromptContent } from '../../../../protocol/prompt.ts'
import { inSentence, type Brief } from './brief.ts'
import { clip, joined, lowerFirst, sentence, shortNoun } from './phrases.ts'
import type { Draft } from './piece.ts'
import { ideaOf } from './plan-writers.ts'
import { BRIEF_KEY } from './wanted.ts'

/** The first agent offered that has not been in this chain yet, so that a rehearsal always ends. */
export function nextTarget(task: PromptContent): string | undefined {
  const before = new Set([task.persona.name, ...task.context.map((result) => result.agentType)])
  return task.handOffTargets.find((target) => !before.has(target.agentType))?.agentType
}

const STEPS: readonly (readonly [RegExp, string, string])[] = [
  [
    /strateg|planner/,
    'plan_campaign',
    'Decide positioning, messages with their proofs, and a calendar; judged by whether a writer can start from it',
  ],
  [
    /edit|proof/,
    'edit_copy',
    'Edit each piece for truth, voice and length, and check every figure; judged by whether it can be published',
  ],
  [
    /copy|writer|content/,
    'write_copy',
    'Write each piece ready to publish; judged by whether the first line earns the second',
  ],
  [/seo|search/, 'write_seo_brief', 'Brief the page for search; judged by whether a writer needs no other source'],
  [/social/, 'write_posts', 'Write the posts and the replies; judged by whether each first line works alone'],
  [/email/, 'write_emails', 'Write the mails; judged by whether each has one job'],
  [/design|art/, 'brief_design', 'Brief the visuals; judged by whether the idea can be told on the telephone'],
  [/research/, 'research', 'Find out what the material leaves open, with the source of each finding'],
  [/analy/, 'plan_measures', 'Say how success is measured and what each figure decides'],
]

/** A task's input is passed on up to this size. */
const INPUT_CHARS_MAX = 16_000

/** The input of a hand-off call. */
export function handOffInput(
  task: PromptContent,
  { brief, draft, agentType }: { readonly brief: Brief; readonly draft: Draft; readonly agentType: string },
): Readonly<Record<string, unknown>> {
  const [, type, words] = STEPS.find(([pattern]) => pattern.test(agentType)) ?? [
    undefined,
    'go_on',
    'Take the next step',
  ]
  const names = draft.texts.map(({ name }) => name)
  const facts = [
    `${words}.`,
    `It is for ${task.project === undefined ? brief.organization : brief.project}: ${inSentence(brief, clip(ideaOf(brief, task), 160))}.`,
    brief.audience === undefined ? '' : `Readers: ${shortNoun(brief.audience)}.`,
    brief.action === undefined ? '' : `The one action: ${lowerFirst(brief.action)}.`,
    brief.launch === undefined ? '' : `It starts on ${brief.launch}.`,
    `Build on ${joined(names.map((name) => `“${name}”`))} by the ${task.persona.name}; use no fact that brief, brand or task do not hold.`,
  ]
  return {
    agentType,
    type,
    description: sentence(facts.filter((text) => text !== '').join(' ')),
    input: { ...passedOn(task), basis: names },
  }
}

/** What the next in the chain needs of this task's own input; without a project the task's words are its brief. */
function passedOn(task: PromptContent): Record<string, unknown> {
  const input = task.input ?? {}
  const isBriefed = task.project !== undefined || Object.hasOwn(input, BRIEF_KEY)
  const all = isBriefed ? input : { ...input, [BRIEF_KEY]: task.description }
  return JSON.stringify(all).length > INPUT_CHARS_MAX ? {} : all
}
