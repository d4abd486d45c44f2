/** Answers sprites in a process without the Coordinator: that they are at the wrong one, and may try again. */
import type { ServerResponse } from 'node:http'
import { SPRITE_API } from '../../protocol/coordinator.ts'
import { CoordinatorError } from '../coordinator/fault.ts'
import { sendFault } from '../coordinator/reply.ts'

/** A load balancer that sends them here may send them elsewhere next, in ms. */
const RETRY_AFTER_MS = 5_000
const PATHS: readonly string[] = Object.values(SPRITE_API)

/** True for a path of sprites, which is answered with 503. */
export function refuseSprites(response: ServerResponse, { pathname }: Pick<URL, 'pathname'>): boolean {
  if (!PATHS.some((path) => pathname === path || pathname.startsWith(`${path}/`))) return false
  const message = 'This process has no Coordinator: point COORDINATOR_URL at those whose ROLES have "coordinator"'
  sendFault(response, new CoordinatorError('Unavailable', message, { retryAfterMs: RETRY_AFTER_MS }))
  return true
}
