/** Does one task: talks with the model round by round until there is a result, and says how the attempt ended. */
import type { Task } from '../protocol/coordinator.ts'
import { promptParts } from '../protocol/prompt.ts'
import { toolsFor } from '../protocol/tools.ts'
import { unreachable } from '../system/assert.ts'
import type { Clock } from '../system/clock.ts'
import type { Report } from './lifecycle.ts'
import { LlmError, type Answer, type AnswerBlock, type Llm, type LlmRequest, type Turn, type UserBlock } from './llm.ts'
import { NOTHING_YET, failed, finished, owesResult, takeToolCall, type Gathered } from './outcome.ts'

/** What doing a task needs of the process. */
export type TaskPorts = {
  readonly llm: Llm
  readonly clock: Clock
  /** Called when the model has reported something; the text holds no content. */
  readonly onProgress: (message: string) => void
}

/** Rounds of one attempt: a model that is not done by then goes in circles. */
export const ROUNDS_MAX = 12

const ASK_AGAIN = 'Hand in the result with the deliver tool now: nothing was delivered yet.'
const ASK_SHORTER = 'Your answer was cut off at its limit. Go on from there: shorter, or in several deliver calls.'
const CUT_CALL = 'This call was cut off at the limit of one answer. Make it shorter, or deliver in several parts.'
const GO_ON = 'Go on.'

type Conversation = {
  readonly turns: readonly Turn[]
  readonly gathered: Gathered
  readonly askedAgain: boolean
  readonly askedShorter: boolean
}

/** What a round leads to: an end, or what is said next. */
type Round = { readonly end: Report } | { readonly next: Conversation }

/**
 * The report of the attempt. Never rejects for a failure of the model or of the task: those are reports. Rejects with
 * LlmError Aborted when `signal` is aborted; then there is nothing to report.
 */
export async function doTask(ports: TaskPorts, task: Task, signal: AbortSignal): Promise<Report> {
  const deadline = deadlineSignal(ports.clock, task)
  try {
    return await converse(ports, task, AbortSignal.any([signal, deadline.signal]))
  } catch (error) {
    if (signal.aborted) throw new LlmError('Aborted', 'Stopped by the sprite')
    if (deadline.signal.aborted) return failed(task, 'DeadlineExceeded', 'Allow more time: the deadline has passed')
    if (error instanceof LlmError) return reportOf(task, error)
    throw error
  } finally {
    deadline.cancel()
  }
}

function deadlineSignal(clock: Clock, task: Task): { readonly signal: AbortSignal; readonly cancel: () => void } {
  const controller = new AbortController()
  if (task.deadlineMs === undefined) return { signal: controller.signal, cancel: () => {} }
  const cancel = clock.after(task.deadlineMs - clock.now(), () => controller.abort())
  return { signal: controller.signal, cancel }
}

async function converse(ports: TaskPorts, task: Task, signal: AbortSignal): Promise<Report> {
  const prompt = promptParts(task)
  const request: Omit<LlmRequest, 'turns'> = {
    work: task.work,
    attempt: task.attempt,
    model: task.model,
    effort: task.persona.effort,
    maxTokens: task.persona.maxTokens,
    system: prompt.system,
    tools: toolsFor(task),
  }
  let conversation: Conversation = {
    turns: [{ role: 'user', blocks: [{ type: 'text', text: prompt.user }] }],
    gathered: NOTHING_YET,
    askedAgain: false,
    askedShorter: false,
  }
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const answer = await ports.llm.complete({ ...request, turns: conversation.turns }, signal)
    signal.throwIfAborted()
    const result = takeAnswer(conversation, answer, task)
    if ('end' in result) return result.end
    tellProgress(ports, conversation.gathered, result.next.gathered)
    conversation = result.next
  }
  return outOfRounds(task, conversation.gathered)
}

function outOfRounds(task: Task, gathered: Gathered): Report {
  if (!owesResult(gathered, task)) return finished(gathered, '', task)
  return failed(task, 'Failed', `Simplify the task: the model was not done after "${ROUNDS_MAX}" rounds`)
}

function tellProgress(ports: TaskPorts, before: Gathered, after: Gathered): void {
  const known = new Set(before.deliverables)
  const delivered = after.deliverables.filter((deliverable) => !known.has(deliverable)).map(({ name }) => name)
  const handedOn = after.handOffs.slice(before.handOffs.length).map(({ agentType }) => agentType)
  if (delivered.length > 0) ports.onProgress(`Delivered ${delivered.join(', ')}`)
  if (handedOn.length > 0) ports.onProgress(`Handing on to ${handedOn.join(', ')}`)
}

function takeAnswer(conversation: Conversation, answer: Answer, task: Task): Round {
  switch (answer.stopReason) {
    case 'refusal':
      return {
        end: failed(task, 'Refused', `Change the task: the model refused it; ${answer.refusal ?? 'no reason given'}`),
      }
    case 'model_context_window_exceeded':
      return { end: failed(task, 'TooLong', 'Shorten the task or its context: it fills the model’s context window') }
    case 'max_tokens':
      return takeCutAnswer(conversation, answer, task)
    case 'end_turn':
    case 'stop_sequence':
    case 'tool_use':
    case 'pause_turn':
      return takeWholeAnswer(conversation, answer, task)
    default:
      return unreachable(answer.stopReason)
  }
}

function takeWholeAnswer(conversation: Conversation, answer: Answer, task: Task): Round {
  const { gathered, replies } = takeCalls(conversation.gathered, answer.blocks, task)
  const turns: readonly Turn[] = [...conversation.turns, { role: 'assistant', blocks: answer.blocks }]
  const say = (blocks: readonly UserBlock[], asked: Partial<Conversation> = {}): Round => ({
    next: { ...conversation, ...asked, gathered, turns: [...turns, { role: 'user', blocks }] },
  })
  if (gathered.blocked !== undefined) return { end: finished(gathered, '', task) }
  if (replies.length > 0) return say(replies)
  if (answer.stopReason === 'pause_turn') return say([{ type: 'text', text: GO_ON }])
  const words = textOf(answer.blocks)
  if (owesResult(gathered, task) && !conversation.askedAgain) {
    if (answer.blocks.length === 0) return { next: { ...conversation, askedAgain: true } }
    return say([{ type: 'text', text: ASK_AGAIN }], { askedAgain: true })
  }
  return { end: finished(gathered, words, task) }
}

/** An answer that was cut at maxTokens: once it may be mended, then the task is too long. */
function takeCutAnswer(conversation: Conversation, answer: Answer, task: Task): Round {
  const last = answer.blocks.at(-1)
  const cutCall = last?.type === 'tool_use' ? last : undefined
  const whole = cutCall ? answer.blocks.slice(0, -1) : answer.blocks
  const { gathered, replies } = takeCalls(conversation.gathered, whole, task)
  if (gathered.blocked !== undefined) return { end: finished(gathered, '', task) }
  if (conversation.askedShorter || answer.blocks.length === 0) {
    const advice = `Raise the persona’s maxTokens or shorten the task: its answer was cut at "${task.persona.maxTokens}" tokens`
    return { end: failed(task, 'TooLong', advice) }
  }
  const cutReply: readonly UserBlock[] = cutCall
    ? [{ type: 'tool_result', toolUseId: cutCall.id, text: CUT_CALL, isError: true }]
    : []
  const blocks: readonly UserBlock[] = [...replies, ...cutReply, { type: 'text', text: ASK_SHORTER }]
  const turns: readonly Turn[] = [
    ...conversation.turns,
    { role: 'assistant', blocks: answer.blocks },
    { role: 'user', blocks },
  ]
  return { next: { ...conversation, gathered, turns, askedShorter: true } }
}

function takeCalls(
  before: Gathered,
  blocks: readonly AnswerBlock[],
  task: Task,
): { readonly gathered: Gathered; readonly replies: readonly UserBlock[] } {
  let gathered = before
  const replies: UserBlock[] = []
  for (const block of blocks) {
    if (block.type !== 'tool_use') continue
    const taken = takeToolCall(gathered, block.name, { input: block.input, task })
    gathered = taken.gathered
    replies.push({ type: 'tool_result', toolUseId: block.id, ...taken.reply })
  }
  return { gathered, replies }
}

const textOf = (blocks: readonly AnswerBlock[]): string =>
  blocks
    .map((block) => (block.type === 'text' ? block.text : ''))
    .join('')
    .trim()

function reportOf(task: Task, error: LlmError): Report {
  switch (error.reason) {
    case 'BudgetExhausted':
      return failed(task, 'BudgetExhausted', error.message)
    case 'Unavailable':
      return failed(task, 'ModelUnavailable', `The model did not answer: "${error.message}"`)
    case 'TooLong':
      return failed(task, 'TooLong', `Shorten the task or its context: the model refused the call, "${error.message}"`)
    case 'Rejected':
      return failed(task, 'Failed', `Mend what the model refused, "${error.message}", then retry the work`, {
        retryable: false,
      })
    case 'Aborted':
      throw error
    default:
      return unreachable(error.reason)
  }
}
