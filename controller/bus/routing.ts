/** Decides which listeners a message goes to, by exact name or by prefix, and calls them so that none disturbs another. */
import type { Log } from '../../system/log.ts'

/** Takes messages of a channel. */
export type Listener = (message: unknown, channel: string) => void

/** Who listens to what, in one process. */
export interface Routing {
  /** Adds a subscription: an exact name, or a prefix followed by `*`. The result ends it and says whether it was the last. */
  add(channel: string, listener: Listener): () => 'last' | 'notLast' | 'ended'
  /** Calls all who listen to the channel; `read` gives each one a message of its own. */
  deliver(channel: string, read: () => unknown): void
  /** Calls those of one subscription's name, as `add` was given it. */
  deliverTo(subscription: string, channel: string, read: () => unknown): void
  /** The names that have listeners, as `add` was given them. */
  names(): readonly string[]
  clear(): void
}

/** An empty one; a listener that throws is logged. */
export function createRouting(log: Log): Routing {
  const exact = new Map<string, Set<Listener>>()
  const prefixed = new Map<string, Set<Listener>>()

  function call(listeners: Iterable<Listener>, channel: string, read: () => unknown): void {
    // A copy: a listener may end its own or another subscription.
    const present = [...listeners]
    for (const listener of present) {
      try {
        listener(read(), channel)
      } catch (error) {
        log.warn({ channel, error }, 'bus listener failed')
      }
    }
  }

  return {
    add: (channel, listener) => {
      const [listeners, name] = channel.endsWith('*') ? [prefixed, channel.slice(0, -1)] : [exact, channel]
      // One entry per subscription, so that the same function twice is two subscriptions.
      const entry: Listener = (message, from) => listener(message, from)
      const entries = listeners.get(name) ?? new Set()
      listeners.set(name, entries.add(entry))
      return () => {
        if (!entries.delete(entry)) return 'ended'
        if (entries.size > 0 || listeners.get(name) !== entries) return 'notLast'
        listeners.delete(name)
        return 'last'
      }
    },
    deliver: (channel, read) => {
      call(exact.get(channel) ?? [], channel, read)
      for (const [prefix, listeners] of prefixed) if (channel.startsWith(prefix)) call(listeners, channel, read)
    },
    deliverTo: (subscription, channel, read) => {
      const found = subscription.endsWith('*') ? prefixed.get(subscription.slice(0, -1)) : exact.get(subscription)
      call(found ?? [], channel, read)
    },
    names: () => [...exact.keys(), ...[...prefixed.keys()].map((prefix) => `${prefix}*`)],
    clear: () => {
      exact.clear()
      prefixed.clear()
    },
  }
}
