/** Pure: gathers what a model reports by its tool calls and turns it into the report of an attempt. */
import type { CompleteRequest, FailReason, Task } from '../protocol/coordinator.ts'
import { REVIEW_TASK_TYPE, readToolCall, type ToolCall } from '../protocol/tools.ts'
import type { Report } from './lifecycle.ts'

type Deliverable = CompleteRequest['deliverables'][number]

/** What an attempt has brought so far. */
export type Gathered = {
  readonly deliverables: readonly Deliverable[]
  readonly handOffs: CompleteRequest['handOffs']
  readonly reviews: CompleteRequest['reviews']
  readonly verdict?: 'Approved' | 'ChangesRequested'
  /** What is missing, once the model has said that it cannot go on. */
  readonly blocked?: string
}

/** Before any tool was called. */
export const NOTHING_YET: Gathered = { deliverables: [], handOffs: [], reviews: [] }

/** The answer that a tool call gets. */
export type ToolReply = { readonly text: string; readonly isError: boolean }

const DELIVERABLES_MAX = 20
const HAND_OFFS_MAX = 20
const REVIEWS_MAX = 10
/** The Coordinator takes bodies of 1 MiB; escaping may double the size of a text. */
const CONTENT_CHARACTERS_MAX = 400_000
const SUMMARY_CHARACTERS_MAX = 5_000
const MESSAGE_CHARACTERS_MAX = 1_000

/** Takes one tool call: what is gathered after it, and what to answer so that the model can mend a bad one. */
export function takeToolCall(
  gathered: Gathered,
  name: string,
  options: { readonly input: unknown; readonly task: Task },
): { readonly gathered: Gathered; readonly reply: ToolReply } {
  const read = readToolCall(name, options.input)
  if (!read.ok) return { gathered, reply: { text: read.error, isError: true } }
  const problem = problemOf(gathered, read.call, options.task)
  if (problem !== undefined) return { gathered, reply: { text: problem, isError: true } }
  return { gathered: add(gathered, read.call), reply: { text: accepted(read.call), isError: false } }
}

function problemOf(gathered: Gathered, call: ToolCall, task: Task): string | undefined {
  if (!task.persona.tools.includes(call.name)) return `Do without ${call.name}: this task does not offer it`
  switch (call.name) {
    case 'deliver':
      return deliverProblem(gathered, call.input, task)
    case 'hand_off': {
      if (gathered.handOffs.length >= HAND_OFFS_MAX) return `Hand off at most ${HAND_OFFS_MAX} times`
      const targets = task.handOffTargets.map((target) => target.agentType)
      if (targets.includes(call.input.agentType)) return undefined
      return `Choose an agent type of this list, "${call.input.agentType}" is not in it: ${targets.join(', ') || 'none'}`
    }
    case 'request_review':
      return gathered.reviews.length >= REVIEWS_MAX ? `Ask for at most ${REVIEWS_MAX} reviews` : undefined
    case 'report_blocked':
      return undefined
  }
}

function deliverProblem(
  gathered: Gathered,
  input: Extract<ToolCall, { name: 'deliver' }>['input'],
  task: Task,
): string | undefined {
  const others = gathered.deliverables.filter((deliverable) => deliverable.name !== input.name)
  if (others.length >= DELIVERABLES_MAX) return `Deliver at most ${DELIVERABLES_MAX} results: put some together`
  const characters = others.reduce((sum, deliverable) => sum + deliverable.content.length, input.content.length)
  if (characters > CONTENT_CHARACTERS_MAX)
    return `Shorten the deliverables: together they have ${characters} characters of at most ${CONTENT_CHARACTERS_MAX}`
  if (task.type === REVIEW_TASK_TYPE && input.verdict === undefined && gathered.verdict === undefined)
    return 'Add the verdict: a review is answered with Approved or ChangesRequested'
  return undefined
}

function add(gathered: Gathered, call: ToolCall): Gathered {
  switch (call.name) {
    case 'deliver': {
      const { verdict, ...deliverable } = call.input
      const others = gathered.deliverables.filter((other) => other.name !== deliverable.name)
      return { ...gathered, deliverables: [...others, deliverable], ...(verdict ? { verdict } : {}) }
    }
    case 'hand_off':
      return { ...gathered, handOffs: [...gathered.handOffs, call.input] }
    case 'request_review':
      return { ...gathered, reviews: [...gathered.reviews, call.input] }
    case 'report_blocked':
      return { ...gathered, blocked: call.input.message }
  }
}

function accepted(call: ToolCall): string {
  switch (call.name) {
    case 'deliver':
      return `Delivered "${call.input.name}"`
    case 'hand_off':
      return `Handed on to ${call.input.agentType}`
    case 'request_review':
      return `Asked ${call.input.reviewer} for a review of "${call.input.artifact}"`
    case 'report_blocked':
      return 'Noted; the task ends here'
  }
}

/** Whether the model still owes what the task is for: a deliverable, or the verdict of a review. */
export function owesResult(gathered: Gathered, task: Task): boolean {
  if (task.type === REVIEW_TASK_TYPE) return gathered.verdict === undefined
  return gathered.deliverables.length === 0 && task.persona.tools.includes('deliver')
}

/**
 * The report of a model that has finished with `text` as its last words. A text without any deliverable is itself the
 * deliverable; without either, the attempt has failed.
 */
export function finished(gathered: Gathered, text: string, task: Task): Report {
  if (gathered.blocked !== undefined) return failed(task, 'Blocked', gathered.blocked)
  if (task.type === REVIEW_TASK_TYPE && gathered.verdict === undefined)
    return failed(task, 'Failed', 'Try again: the model gave no verdict')
  const words = text.trim()
  const deliverables = gathered.deliverables.length > 0 ? gathered.deliverables : textDeliverable(task, words)
  if (deliverables.length === 0 && gathered.handOffs.length === 0 && gathered.reviews.length === 0)
    return failed(task, 'Failed', 'Try again: the model ended without a result')
  return {
    outcome: 'complete',
    body: {
      work: task.work,
      attempt: task.attempt,
      summary: (words || summaryOf(gathered)).slice(0, SUMMARY_CHARACTERS_MAX),
      deliverables: [...deliverables],
      handOffs: gathered.handOffs,
      reviews: gathered.reviews,
      ...(gathered.verdict ? { verdict: gathered.verdict } : {}),
    },
  }
}

const textDeliverable = (task: Task, words: string): Deliverable[] =>
  words === '' ? [] : [{ name: task.type, mediaType: 'text/markdown', content: words.slice(0, 200_000) }]

function summaryOf(gathered: Gathered): string {
  const delivered = gathered.deliverables.map((deliverable) => deliverable.name).join(', ')
  const handedOn = gathered.handOffs.map((handOff) => handOff.agentType).join(', ')
  const parts = [delivered && `Delivered ${delivered}`, handedOn && `Handed on to ${handedOn}`].filter(Boolean)
  return parts.length > 0 ? `${parts.join('. ')}.` : 'Done.'
}

/** Which failures another attempt may mend. */
const RETRYABLE: Readonly<Record<FailReason, boolean>> = {
  Failed: true,
  Blocked: false,
  BudgetExhausted: false,
  Refused: false,
  TooLong: false,
  ModelUnavailable: true,
  DeadlineExceeded: false,
  Drained: true,
}

/** The report of a failed attempt; `retryable` by default as is usual for the reason. */
export function failed(
  task: Pick<Task, 'work' | 'attempt'>,
  reason: FailReason,
  message: string,
  options: { readonly retryable?: boolean } = {},
): Report {
  const retryable = options.retryable ?? RETRYABLE[reason]
  const text = message.trim().slice(0, MESSAGE_CHARACTERS_MAX) || 'Look at the sprite’s log: no message was given'
  return { outcome: 'fail', body: { work: task.work, attempt: task.attempt, reason, message: text, retryable } }
}
