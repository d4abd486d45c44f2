/** The tools by which a model reports its results: definitions for the request, parsers for its calls. Pure. */
import { z } from 'zod'
import { deliverableInput, handOffInput, reviewInput, type Task } from './coordinator.ts'
import type { ToolName } from './persona.ts'

/** Type of a Work that reviews the result of another: its answer is a verdict. */
export const REVIEW_TASK_TYPE = 'review'

/** A tool as the Messages API takes it. */
export type ToolDefinition = {
  readonly name: ToolName
  readonly description: string
  readonly input_schema: {
    readonly type: 'object'
    readonly properties: Readonly<Record<string, object>>
    readonly required: string[]
    readonly additionalProperties: false
  }
}

/** Input of `deliver`; `verdict` only in a review task. */
export const deliverCall = deliverableInput.extend({ verdict: z.enum(['Approved', 'ChangesRequested']).optional() })
/** Input of `hand_off`. */
export const handOffCall = handOffInput
/** Input of `request_review`. */
export const requestReviewCall = reviewInput
/** Input of `report_blocked`. */
export const reportBlockedCall = z.strictObject({ message: z.string().min(1).max(1_000) })

/** The parser of each tool's input. */
export const TOOL_CALLS = {
  deliver: deliverCall,
  hand_off: handOffCall,
  request_review: requestReviewCall,
  report_blocked: reportBlockedCall,
} as const satisfies Record<ToolName, z.ZodType>

export type DeliverCall = z.infer<typeof deliverCall>
export type HandOffCall = z.infer<typeof handOffCall>
export type RequestReviewCall = z.infer<typeof requestReviewCall>
export type ReportBlockedCall = z.infer<typeof reportBlockedCall>

/** A call of a tool, parsed. */
export type ToolCall =
  | { readonly name: 'deliver'; readonly input: DeliverCall }
  | { readonly name: 'hand_off'; readonly input: HandOffCall }
  | { readonly name: 'request_review'; readonly input: RequestReviewCall }
  | { readonly name: 'report_blocked'; readonly input: ReportBlockedCall }

const text = (description: string): object => ({ type: 'string', description })

const tool = (
  name: ToolName,
  description: string,
  properties: Readonly<Record<string, object>>,
  required: string[],
): ToolDefinition => ({
  name,
  description,
  input_schema: { type: 'object', properties, required, additionalProperties: false },
})

function deliver(task: Task): ToolDefinition {
  const verdict = {
    type: 'string',
    enum: ['Approved', 'ChangesRequested'],
    description: 'Your verdict on the work in review. The content says why and what to change.',
  }
  const isReview = task.type === REVIEW_TASK_TYPE
  const properties = {
    name: text('Short name of the deliverable, for example launch-email. Delivering a name again replaces it.'),
    mediaType: text('Media type of the text; text/markdown unless the task asks for another.'),
    content: text('The whole deliverable, ready to use, at most 200,000 characters.'),
    ...(isReview ? { verdict } : {}),
  }
  const required = isReview ? ['name', 'content', 'verdict'] : ['name', 'content']
  return tool('deliver', 'Hands in one finished deliverable. Call it once for each.', properties, required)
}

const handOff = (task: Task): ToolDefinition =>
  tool(
    'hand_off',
    'Hands the next step on to another agent, which sees your summary and deliverables. Call it after deliver.',
    {
      agentType: { ...text('Who goes on.'), enum: task.handOffTargets.map((target) => target.agentType) },
      type: {
        ...text('Kind of task in lower-case words joined by underscores, for example write_copy.'),
        pattern: '^[a-z][a-z0-9_]*$',
      },
      description: text('What is to be done, for whom and how it will be judged. Complete in itself.'),
      input: { type: 'object', description: 'Facts for the task, as JSON.' },
    },
    ['agentType', 'type', 'description'],
  )

const requestReview = tool(
  'request_review',
  'Asks for an answer on one deliverable before the work counts as done. Use it only when the task calls for it.',
  {
    question: text('What is asked.'),
    artifact: text('Name of the deliverable in question.'),
    reviewer: text('An agent type, or "person".'),
  },
  ['question', 'artifact', 'reviewer'],
)

const reportBlocked = tool(
  'report_blocked',
  'Says that the task cannot be done as it stands: what is missing and who could give it. Ends the task.',
  { message: text('What is missing, in a few sentences, at most 1,000 characters.') },
  ['message'],
)

/** The tools of a task: those of its persona, in a fixed order (prompt caching); hand_off only where there is a target. */
export function toolsFor(task: Task): ToolDefinition[] {
  const all = [deliver(task), handOff(task), requestReview, reportBlocked]
  return all.filter(
    (definition) =>
      task.persona.tools.includes(definition.name) &&
      (definition.name !== 'hand_off' || task.handOffTargets.length > 0),
  )
}

/** Parses a model's call of a tool; on failure the text to give back to the model as the tool's error. */
export function readToolCall(
  name: string,
  input: unknown,
): { readonly ok: true; readonly call: ToolCall } | { readonly ok: false; readonly error: string } {
  if (!Object.hasOwn(TOOL_CALLS, name))
    return { ok: false, error: `Use one of the offered tools, there is no "${name}"` }
  const parsed = TOOL_CALLS[name as ToolName].safeParse(input)
  // Name and parser come from one table entry, so that the pair is one of the union.
  if (parsed.success) return { ok: true, call: { name, input: parsed.data } as ToolCall }
  const issues = parsed.error.issues.slice(0, 5).map((issue) => `${issue.path.join('.') || 'input'}: ${issue.message}`)
  return { ok: false, error: `Correct the input of ${name}: ${issues.join('; ')}` }
}
