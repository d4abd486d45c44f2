/** The port of fair queuing: how many requests run at once, and whose turn it is. Pure: types. */
import type { Actor } from '../api/admission.ts'

/** Who a request is counted for. */
export type Flow = {
  readonly actor: Actor
  /** The tenant's namespace that it is about, where it is about one. */
  readonly namespace?: string
}

/** Ends a request's stay; more than once does nothing. */
export type Leave = () => void

/**
 * Gives each flow its fair share of the seats. A request that finds its own queue full, or waits too long, is refused
 * with TooManyRequests and `retryAfterSeconds`; one whose client goes leaves the queue.
 */
export type Seats = { readonly enter: (flow: Flow, signal: AbortSignal) => Promise<Leave> }

/** Everybody may sit: for a server with few clients, as in tests of other rooms. */
export const endlessSeats: Seats = { enter: () => Promise.resolve(() => undefined) }
