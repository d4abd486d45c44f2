/** What answers a model call: the one type behind which Anthropic and the rehearsal model stand. Types only. */
import type { MessagesRequest } from './request.ts'

/** An event of a streamed answer, named and shaped as the Messages API does. */
export type StreamEvent = { readonly type: string; readonly [field: string]: unknown }

/**
 * Whether tokens can have been used by a call that failed: `none` when it was refused or never sent, `unknown` when it
 * may have run.
 */
export type FailureCost = 'none' | 'unknown'

/** What a model answers: one message, or a stream of events. */
export type UpstreamReply =
  | { readonly kind: 'message'; readonly rehearsal: boolean; readonly message: StreamEvent }
  /** A stream that ends without `message_stop`, or throws, was cut. */
  | { readonly kind: 'stream'; readonly rehearsal: boolean; readonly events: AsyncIterable<StreamEvent> }
  | UpstreamFailure

/** The model refused, or cannot be reached. */
export type UpstreamFailure = {
  readonly kind: 'failure'
  readonly status: number
  /** Anthropic's error type, such as overloaded_error. */
  readonly type: string
  readonly message: string
  readonly retryAfterS?: number
  readonly cost: FailureCost
}

/** Makes one call, without retries. Resolves with a failure rather than throwing; the signal ends it. */
export type ModelUpstream = (request: MessagesRequest, signal: AbortSignal) => Promise<UpstreamReply>
