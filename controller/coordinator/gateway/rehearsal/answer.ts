/** The rehearsal model's answer to a request: the same request always has the same answer. Pure. */
import { readPrompt, type PromptContent } from '../../../../protocol/prompt.ts'
import { REVIEW_TASK_TYPE } from '../../../../protocol/tools.ts'
import type { MessagesRequest } from '../request.ts'
import { copywriter, editor, emailMarketer, socialMediaManager } from './copy-writers.ts'
import { factsOf } from './facts.ts'
import { analyst, generalist, researcher, reviewer, seoSpecialist } from './finding-writers.ts'
import { clip } from './markdown.ts'
import { REHEARSAL_LINE, type Piece, type Writer } from './piece.ts'
import { designBriefer, director, strategist } from './plan-writers.ts'

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
  const piece = writerFor(task)(factsOf(task), task)
  if (!tools.has('deliver')) return ending(`Rehearsal: ${piece.summary}`)
  if (hasDelivered(request)) return ending(`Rehearsal: ${piece.summary}`)
  return { stopReason: 'tool_use', blocks: resultBlocks(task, piece, { tools, tokensMax: request.max_tokens }) }
}

function writerFor(task: PromptContent): Writer {
  if (task.type === REVIEW_TASK_TYPE) return reviewer
  return WRITERS.find(([pattern]) => pattern.test(task.persona.name))?.[1] ?? generalist
}

const ending = (text: string): RehearsalAnswer => ({ stopReason: 'end_turn', blocks: [{ type: 'text', text }] })

/** Characters that a token stands for at least, in these texts. */
const CHARS_PER_TOKEN = 3
/** Characters of an answer beside its deliverable. */
const FRAME_CHARS = 700

function resultBlocks(
  task: PromptContent,
  piece: Piece,
  bounds: { readonly tools: ReadonlySet<string>; readonly tokensMax: number },
): AnswerBlock[] {
  const isReview = task.type === REVIEW_TASK_TYPE
  const charsMax = Math.max(300, bounds.tokensMax * CHARS_PER_TOKEN - FRAME_CHARS)
  const content = `${REHEARSAL_LINE}\n\n${clip(piece.content, charsMax)}\n`
  const verdict = isReview ? { verdict: 'Approved' } : {}
  const next = isReview || !bounds.tools.has('hand_off') ? undefined : nextTarget(task)
  return [
    { type: 'text', text: 'I have read brief, brand and what came before, and hand in the result.' },
    { type: 'tool_use', name: 'deliver', input: { name: piece.name, mediaType: 'text/markdown', content, ...verdict } },
    ...(next === undefined ? [] : [handOff(task, piece, next)]),
  ]
}

/** The first agent offered that has not been in this chain yet, so that a rehearsal always ends. */
function nextTarget(task: PromptContent): string | undefined {
  const before = new Set([task.persona.name, ...task.context.map((result) => result.agentType)])
  return task.handOffTargets.find((target) => !before.has(target.agentType))?.agentType
}

const STEPS: readonly (readonly [RegExp, string, string])[] = [
  [/strateg|planner/, 'plan_campaign', 'Turn the direction into positioning, messages and a calendar'],
  [/edit|proof/, 'edit_copy', 'Edit it for voice, facts and length, ready to publish'],
  [/copy|writer|content/, 'write_copy', 'Write the launch copy from the plan, with headlines to test'],
  [/seo|search/, 'write_seo_brief', 'Write the search brief for the landing page'],
  [/social/, 'write_posts', 'Write a week of posts'],
  [/email/, 'write_emails', 'Write the email sequence around the launch'],
  [/design|art/, 'brief_design', 'Brief the visuals'],
  [/research/, 'research', 'Find out what the material leaves open'],
  [/analy/, 'plan_measures', 'Say how success is measured'],
]

function handOff(task: PromptContent, piece: Piece, agentType: string): AnswerBlock {
  const [, type, words] = STEPS.find(([pattern]) => pattern.test(agentType)) ?? [
    undefined,
    'go_on',
    'Take the next step',
  ]
  const project = task.project?.displayName ?? task.tenant.displayName
  const description = `${words}. It is for ${project}: build on “${piece.name}” by ${task.persona.name}; brief and brand hold.`
  return { type: 'tool_use', name: 'hand_off', input: { agentType, type, description, input: { basis: piece.name } } }
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
