/** The sprite's port to a model: one call, one answer; adapters are anthropic.ts and the fakes of tests. */
import type { ToolDefinition } from '../protocol/tools.ts'
import type { SystemPart } from '../protocol/prompt.ts'

/** A block of an answer. Blocks that a sprite does not know (thinking) go back to the model as they came. */
export type AnswerBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly type: 'other'; readonly block: unknown }

/** A block of what the sprite says to the model. */
export type UserBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_result'; readonly toolUseId: string; readonly text: string; readonly isError: boolean }

/** One turn of the conversation with the model. */
export type Turn =
  | { readonly role: 'user'; readonly blocks: readonly UserBlock[] }
  | { readonly role: 'assistant'; readonly blocks: readonly AnswerBlock[] }

/** Why a model may stop. */
export const STOP_REASONS = [
  'end_turn',
  'stop_sequence',
  'tool_use',
  'max_tokens',
  'refusal',
  'pause_turn',
  'model_context_window_exceeded',
] as const
/** Why the model stopped. */
export type StopReason = (typeof STOP_REASONS)[number]

/** What the model answered. */
export type Answer = {
  readonly blocks: readonly AnswerBlock[]
  readonly stopReason: StopReason
  /** Why it refused, where the model says so. */
  readonly refusal?: string
}

/** One call of the model. */
export type LlmRequest = {
  readonly work: string
  readonly attempt: number
  readonly model: string
  readonly effort: 'low' | 'medium' | 'high' | 'xhigh' | 'max'
  readonly maxTokens: number
  readonly system: readonly SystemPart[]
  readonly tools: readonly ToolDefinition[]
  readonly turns: readonly Turn[]
}

/** The port to the model. */
export interface Llm {
  /**
   * The model's answer. Retries what may pass by itself, a bounded number of times.
   * LlmError by reason: BudgetExhausted, Unavailable, TooLong, Rejected, Aborted.
   */
  complete(request: LlmRequest, signal: AbortSignal): Promise<Answer>
}

/** Why there is no answer. */
export type LlmErrorReason =
  /** The tenant's tokens are used up. */
  | 'BudgetExhausted'
  /** Overloaded, rate-limited or unreachable through all tries. */
  | 'Unavailable'
  /** The request is larger than the model takes. */
  | 'TooLong'
  /** The request is refused and would be again. */
  | 'Rejected'
  | 'Aborted'

/** A call that brought no answer. */
export class LlmError extends Error {
  override readonly name = 'LlmError'
  readonly reason: LlmErrorReason

  constructor(reason: LlmErrorReason, message: string) {
    super(message)
    this.reason = reason
  }
}
