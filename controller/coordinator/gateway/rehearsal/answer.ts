/** The rehearsal model's answer to a request: the same request always has the same answer. Pure. */
import { readPrompt, type PromptContent } from '../../../../protocol/prompt.ts'
import { REVIEW_TASK_TYPE } from '../../../../protocol/tools.ts'
import type { MessagesRequest } from '../request.ts'
import { briefOf, type Brief } from './brief.ts'
import { copywriter, emailMarketer, socialMediaManager } from './copy-writers.ts'
import { editor, reviewOf } from './editor.ts'
import { analyst, generalist, researcher, seoSpecialist } from './finding-writers.ts'
import { handOffInput, nextTarget } from './hand-off.ts'
import { clip, joined } from './phrases.ts'
import { REHEARSAL_LINE, type Draft, type Writer } from './piece.ts'
import { designBriefer, director } from './plan-writers.ts'
import { strategist } from './strategy-writer.ts'

/** One block of a rehearsed answer. */
export type AnswerBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly name: string; readonly input: Readonly<Record<string, unknown>> }

/** What the rehearsal model answers. */
export type RehearsalAnswer = { readonly blocks: readonly AnswerBlock[]; readonly stopReason: 'end_turn' | 'tool_use' }

/** By a word in the persona's name, so that a tenant's own senior-copywriter writes copy too. First match wins. */
const WRITERS: readonly (readonly [RegExp, Writer])[] = [
  [/\b(?:director|lead|producer)\b/, director],
  [/strateg|\bplanner\b/, strategist],
  [/design|\bart\b/, designBriefer],
  [/research/, researcher],
  [/\bseo\b|\bsearch\b/, seoSpecialist],
  [/social|community/, socialMediaManager],
  [/email|newsletter|crm/, emailMarketer],
  [/edit|proof/, editor],
  [/copy|writer|content|blog/, copywriter],
  [/analy|data|growth/, analyst],
]

/** The answer to a conversation: results by tools first, then a summary that ends the turn. */
export function answerTo(request: MessagesRequest): RehearsalAnswer {
  const task = readPrompt(systemTexts(request), firstUserText(request))
  if (task === undefined) return ending('Rehearsal: this is not a task that the rehearsal model can read.')
  const tools = new Set((request.tools ?? []).map((tool) => tool.name))
  const brief = briefOf(task)
  const draft = draftOf(brief, task)
  if (!tools.has('deliver') || hasDelivered(request))
    return ending(clip(`Rehearsal: ${draft.summary}`, SUMMARY_CHARS_MAX))
  return { stopReason: 'tool_use', blocks: resultBlocks(task, { brief, draft, tools, tokensMax: request.max_tokens }) }
}

const SUMMARY_CHARS_MAX = 1_200

/** What is handed in; a review has a verdict too. */
type Judged = Draft & { readonly verdict?: 'Approved' | 'ChangesRequested' }

function draftOf(brief: Brief, task: PromptContent): Judged {
  if (task.type === REVIEW_TASK_TYPE) {
    const { name, content, summary, verdict } = reviewOf(brief, task)
    return { texts: [{ name, content }], summary, verdict }
  }
  const writer = WRITERS.find(([pattern]) => pattern.test(task.persona.name))?.[1] ?? generalist
  return writer(brief, task)
}

const ending = (text: string): RehearsalAnswer => ({ stopReason: 'end_turn', blocks: [{ type: 'text', text }] })

/** Characters that a token stands for at least, in these texts. */
const CHARS_PER_TOKEN = 3
/** Characters of an answer beside its texts. */
const FRAME_CHARS = 1_500
/** A text that would be cut below this is left out; the first never is. */
const TEXT_CHARS_MIN = 300

function resultBlocks(
  task: PromptContent,
  {
    brief,
    draft,
    tools,
    tokensMax,
  }: {
    readonly brief: Brief
    readonly draft: Judged
    readonly tools: ReadonlySet<string>
    readonly tokensMax: number
  },
): AnswerBlock[] {
  const verdict = draft.verdict === undefined ? {} : { verdict: draft.verdict }
  const texts = fitted(draft, Math.max(TEXT_CHARS_MIN, tokensMax * CHARS_PER_TOKEN - FRAME_CHARS))
  const delivers = texts.map(({ name, content }): AnswerBlock => ({
    type: 'tool_use',
    name: 'deliver',
    input: {
      name: name.slice(0, 200),
      mediaType: 'text/markdown',
      content: `${REHEARSAL_LINE}\n\n${content}\n`,
      ...verdict,
    },
  }))
  const next = draft.verdict !== undefined || !tools.has('hand_off') ? undefined : nextTarget(task)
  const handOff = next === undefined ? [] : [handOffInput(task, { brief, draft: { ...draft, texts }, agentType: next })]
  return [
    {
      type: 'text',
      text: `I have read brief, brand and what came before, and hand in ${joined(texts.map(({ name }) => name))}.`,
    },
    ...delivers,
    ...handOff.map((input): AnswerBlock => ({ type: 'tool_use', name: 'hand_off', input })),
  ]
}

/** The texts that the model's answer has room for, in order; the last of them may be cut. */
function fitted({ texts }: Draft, charsMax: number): Draft['texts'] {
  let leftChars = charsMax
  return texts.flatMap((text, index) => {
    const isFirst = index === 0
    if (!isFirst && leftChars < Math.min(TEXT_CHARS_MIN, text.content.length)) return []
    const content = clip(text.content, Math.max(TEXT_CHARS_MIN, leftChars))
    leftChars -= content.length + 200
    return [{ name: text.name, content }]
  })
}

function systemTexts(request: MessagesRequest): string[] {
  if (request.system === undefined) return []
  return typeof request.system === 'string' ? [request.system] : request.system.map((block) => block.text)
}

function firstUserText(request: MessagesRequest): string {
  const content = request.messages.find((message) => message.role === 'user')?.content ?? ''
  if (typeof content === 'string') return content
  return content.map((block) => (block.type === 'text' ? block.text : '')).join('\n')
}

const hasDelivered = (request: MessagesRequest): boolean =>
  request.messages.some(
    ({ role, content }) =>
      role === 'assistant' &&
      typeof content !== 'string' &&
      content.some((block) => block.type === 'tool_use' && block.name === 'deliver'),
  )
