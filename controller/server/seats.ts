/** The port of fair queuing: how many requests run at once, and whose turn it is. Pure: types. */
import type { Actor } from '../api/admission.ts'

/** Who a request is counted for. */
export type Flow = {
  readonly actor: Actor
  /** The tenant's namespace that it is about, where it is about one. */
  readonly namespace?: string
  /** What of it is kept in memory while it waits: its body. */
  readonly sizeBytes?: number
}

/** Ends a request's stay; more than once does nothing. */
export type Leave = () => void

/**
 * Gives each flow its fair share of the seats. A request that finds its own queue full, or waits too long, is refused
 * with TooManyRequests and `retryAfterSeconds`; one whose client goes leaves the queue.
 */
export type Seats = {
  /** `signal` is asked for where the request has to wait: it aborts when the client has gone. */
  readonly enter: (flow: Flow, client: { readonly signal: AbortSignal }) => Promise<Leave>
  /** A place for a long answer, such as a watch: at once, or TooManyRequests when the actor has too many of them. */
  readonly stand: (flow: Flow) => Leave
}

/** Everybody may sit: for a server with few clients, as in tests of other rooms. */
export const endlessSeats: Seats = {
  enter: () => Promise.resolve(() => undefined),
  stand: () => () => undefined,
}
