/** The Coordinator: what sprites speak to. Finds the route of a request, lets in who may call, answers every error. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { SPRITE_API } from '../../protocol/coordinator.ts'
import { hasReason } from '../api/errors.ts'
import { CoordinatorError } from './fault.ts'
import { sendGatewayFault } from './gateway/errors.ts'
import { messagesRoute } from './gateway/messages.ts'
import { authenticate } from './identity.ts'
import type { CoordinatorPorts, SpriteRoute } from './ports.ts'
import { sendFault } from './reply.ts'
import { announceRoute } from './routes/announce.ts'
import { busRoute } from './routes/bus.ts'
import { claimRoute } from './routes/claim.ts'
import { completeRoute } from './routes/complete.ts'
import { failRoute } from './routes/fail.ts'
import { heartbeatRoute } from './routes/heartbeat.ts'
import { inboxRoute } from './routes/inbox.ts'
import { progressRoute } from './routes/progress.ts'
import { createUsageMeter } from './usage-meter.ts'

/** The Coordinator of one process. */
export type Coordinator = {
  /** Answers a request of the Coordinator's; false when its path is none of ours. Never throws. */
  route(request: IncomingMessage, response: ServerResponse, url: URL): Promise<boolean>
  /** Ends every stream and call, and waits until all are answered. */
  close(): Promise<void>
}

type Entry = {
  readonly method: 'GET' | 'POST'
  readonly route: SpriteRoute
  readonly sendFault: (response: ServerResponse, error: CoordinatorError) => void
}

/** Mounts the sprite API and the gateway; identity comes from the caller's token alone. */
export function createCoordinator(ports: CoordinatorPorts): Coordinator {
  const routes = routesOf(ports)
  const closing = new AbortController()
  const running = new Set<Promise<void>>()

  async function answer(entry: Entry, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    const onClose = (): void => gone.abort(new Error('The caller went away'))
    response.once('close', onClose)
    const signal = AbortSignal.any([gone.signal, closing.signal])
    try {
      if (closing.signal.aborted) throw new CoordinatorError('Unavailable', 'Try again, the Coordinator is closing')
      if (request.method !== entry.method) throw new CoordinatorError('MethodNotAllowed', `Use ${entry.method}`)
      const caller = await authenticate(ports, request, signal)
      await entry.route({ request, response, caller, signal })
    } catch (error) {
      // Nobody is there to be answered, and what broke off with the caller is no fault.
      if (gone.signal.aborted) ports.log.debug({ error }, 'the caller went away')
      else entry.sendFault(response, faultOf(ports, error))
    } finally {
      response.off('close', onClose)
    }
  }

  return {
    route: async (request, response, url) => {
      const entry = routes.get(url.pathname)
      if (entry === undefined) return false
      const answered = answer(entry, request, response)
      running.add(answered)
      await answered.finally(() => running.delete(answered))
      return true
    },
    close: async () => {
      closing.abort(new Error('The Coordinator is closing'))
      await Promise.all(running)
    },
  }
}

function routesOf(ports: CoordinatorPorts): ReadonlyMap<string, Entry> {
  const meter = createUsageMeter()
  const post = (route: SpriteRoute): Entry => ({ method: 'POST', route, sendFault })
  return new Map<string, Entry>([
    [SPRITE_API.announce, post(announceRoute(ports))],
    [SPRITE_API.heartbeat, post(heartbeatRoute(ports))],
    [SPRITE_API.inbox, { method: 'GET', route: inboxRoute(ports), sendFault }],
    [SPRITE_API.bus, post(busRoute(ports))],
    [SPRITE_API.claim, post(claimRoute(ports))],
    [SPRITE_API.progress, post(progressRoute(ports))],
    [SPRITE_API.complete, post(completeRoute(ports, meter))],
    [SPRITE_API.fail, post(failRoute(ports, meter))],
    [
      `${SPRITE_API.gateway}/v1/messages`,
      { method: 'POST', route: messagesRoute(ports, meter), sendFault: sendGatewayFault },
    ],
  ])
}

/** The refusal for an error: what is not one is a store that is away, or a bug, and may pass. */
function faultOf(ports: Pick<CoordinatorPorts, 'log' | 'metrics'>, error: unknown): CoordinatorError {
  if (error instanceof CoordinatorError) return error
  if (hasReason(error, 'Invalid', 'RequestEntityTooLarge', 'BadRequest')) {
    ports.log.warn({ error }, 'the store refused a report')
    return new CoordinatorError('Invalid', `Correct the report: ${error.message.slice(0, 500)}`, {}, { cause: error })
  }
  if (hasReason(error, 'ServiceUnavailable', 'Timeout', 'TooManyRequests')) {
    // The store says of itself that it is away; a line for each caller says no more.
    ports.metrics
      .counter('sprites_coordinator_unavailable_total', 'Requests of sprites that the store did not answer.')
      .add()
    ports.log.debug({ error }, 'the store did not answer a request')
  } else ports.log.error({ error }, 'request failed')
  return new CoordinatorError('Unavailable', 'Try again later', { retryAfterMs: 1_000 }, { cause: error })
}
