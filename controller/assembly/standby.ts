/** Lets a Coordinator answer only while its process leads: one that stands by has empty caches, and perhaps another ledger. */
import type { Coordinator } from '../coordinator/coordinator.ts'
import { CoordinatorError } from '../coordinator/fault.ts'
import { sendFault } from '../coordinator/reply.ts'
import { SPRITE_API } from '../../protocol/coordinator.ts'
import type { Elector } from '../engine/lease.ts'

/** When whoever was sent away may ask again. */
const RETRY_AFTER_MS = 5_000

const PATHS = Object.values(SPRITE_API)

/** The Coordinator behind a lease; without one it always answers. */
export function whileLeading(coordinator: Coordinator, elector: Pick<Elector, 'isLeader'> | undefined): Coordinator {
  if (elector === undefined) return coordinator
  return {
    route: async (request, response, url) => {
      if (elector.isLeader || !PATHS.some((path) => url.pathname.startsWith(path)))
        return await coordinator.route(request, response, url)
      const message = 'Ask again: another process leads, and answers at the same address'
      sendFault(response, new CoordinatorError('Unavailable', message, { retryAfterMs: RETRY_AFTER_MS }))
      return true
    },
    close: () => coordinator.close(),
  }
}
