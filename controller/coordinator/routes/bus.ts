/** POST bus: gives a sprite its own access to the message bus, or tells it to stay with the inbox. */
import { z } from 'zod'
import { readJson } from '../body.ts'
import { CoordinatorError } from '../fault.ts'
import type { CoordinatorPorts, SpriteRoute } from '../ports.ts'
import { sendJson } from '../reply.ts'

/** A bus that is away is not worth asking for again at once. */
const RETRY_AFTER_MS = 5_000

/** Who may enter is who has a token: the access is that of the token's incarnation. */
export function busRoute(ports: Pick<CoordinatorPorts, 'spriteUsers'>): SpriteRoute {
  return async ({ request, response, caller }) => {
    await readJson(request, z.strictObject({}))
    const access = (await ports.spriteUsers?.grant(caller.identity)) ?? 'Unsupported'
    if (access === 'Away')
      throw new CoordinatorError('Unavailable', 'Ask again later, the bus is away', { retryAfterMs: RETRY_AFTER_MS })
    if (access === 'Unsupported') response.writeHead(204).end()
    else sendJson(response, 200, access)
  }
}
