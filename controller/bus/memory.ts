/** The Bus in one process: messages go from publisher to subscribers through the microtask queue. */
import { silentLog, type Log } from '../../system/log.ts'
import type { Bus } from './bus.ts'
import { createRouting } from './routing.ts'

/** A Bus without a network, for one process and for tests; messages are copied as JSON, as a wire would. */
export function createMemoryBus(options: { readonly log?: Log } = {}): Bus {
  const routing = createRouting(options.log ?? silentLog)
  let closed = false
  return {
    publish: (channel, message) => {
      const text = JSON.stringify(message)
      if (!closed) queueMicrotask(() => routing.deliver(channel, () => JSON.parse(text)))
      return Promise.resolve()
    },
    subscribe: (channel, listener) => {
      const end = routing.add(channel, listener)
      return Promise.resolve(() => {
        end()
        return Promise.resolve()
      })
    },
    deafUntilMs: () => 0,
    close: () => {
      closed = true
      routing.clear()
      return Promise.resolve()
    },
  }
}
