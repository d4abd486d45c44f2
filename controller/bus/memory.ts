/** The Bus in one process: messages go from publisher to subscribers through the microtask queue. */
import { silentLog, type Log } from '../../system/log.ts'
import type { Bus } from './bus.ts'

type Listener = (message: unknown, channel: string) => void

/** A Bus without a network, for one process and for tests; messages are copied as JSON, as a wire would. */
export function createMemoryBus(options: { readonly log?: Log } = {}): Bus {
  const log = options.log ?? silentLog
  const exact = new Map<string, Set<Listener>>()
  const prefixed = new Map<string, Set<Listener>>()
  let closed = false

  const listenersOf = (channel: string): Listener[] => [
    ...(exact.get(channel) ?? []),
    ...[...prefixed].flatMap(([prefix, listeners]) => (channel.startsWith(prefix) ? [...listeners] : [])),
  ]

  function deliver(channel: string, text: string): void {
    for (const listener of listenersOf(channel)) {
      try {
        listener(JSON.parse(text), channel)
      } catch (error) {
        log.warn({ channel, error }, 'bus listener failed')
      }
    }
  }

  return {
    publish: (channel, message) => {
      const text = JSON.stringify(message)
      if (!closed) queueMicrotask(() => deliver(channel, text))
      return Promise.resolve()
    },
    subscribe: (channel, listener) => {
      const [listeners, name] = channel.endsWith('*') ? [prefixed, channel.slice(0, -1)] : [exact, channel]
      // One entry per subscription, so that the same function twice is two subscriptions.
      const entry: Listener = (message, from) => listener(message, from)
      const entries = listeners.get(name) ?? new Set()
      listeners.set(name, entries.add(entry))
      return Promise.resolve(() => {
        entries.delete(entry)
        if (entries.size === 0 && listeners.get(name) === entries) listeners.delete(name)
        return Promise.resolve()
      })
    },
    close: () => {
      closed = true
      exact.clear()
      prefixed.clear()
      return Promise.resolve()
    },
  }
}
