/** GET /v1/malformed: documents of the store that are no objects and are left out of everything; for platform admins. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authorizer } from '../access/authorizer.ts'
import { ApiError, statusOf } from '../api/errors.ts'
import { credentialOf } from '../server/credentials.ts'
import { methodNotAllowed } from '../server/exchange.ts'
import type { Authenticate } from '../server/tokens.ts'
import type { Store } from '../store/store.ts'

/** A document that is no object of ours: where it lies, and why. */
export type Malformed = { readonly path: string; readonly fault: string }

/** What the answer says. */
export type MalformedReply = {
  /** The first of them, by path. */
  readonly documents: readonly Malformed[]
  /** How many more there are. */
  readonly more: number
}

/** Where it is answered. */
export const MALFORMED_PATH = '/v1/malformed'
const SHOWN_MAX = 100

/** What the route needs of the process. */
export type MalformedRoutePorts = {
  readonly authenticate: Authenticate
  readonly authorizer: Pick<Authorizer, 'decidePath'>
  /** A store that can tell; from any other there is nothing to tell. */
  readonly store: Store & { readonly malformed?: () => readonly Malformed[] }
}

/** False for any other path. Never throws. */
export async function routeMalformed(
  ports: MalformedRoutePorts,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<boolean> {
  if (url.pathname !== MALFORMED_PATH) return false
  try {
    await admit(ports, request)
    answer(response, 200, replyOf(ports.store.malformed?.() ?? []))
  } catch (error) {
    const refusal = error instanceof ApiError ? error : new ApiError('InternalError', 'Cannot tell what is malformed')
    answer(response, refusal.code, statusOf(refusal))
  }
  return true
}

async function admit({ authenticate, authorizer }: MalformedRoutePorts, request: IncomingMessage): Promise<void> {
  const credential = credentialOf(request.headers.authorization)
  const actor = credential === undefined ? undefined : await authenticate(credential.token)
  if (actor === undefined) throw new ApiError('Unauthorized', 'Unauthorized')
  if (request.method !== 'GET') throw methodNotAllowed()
  // Paths name tenants and what they own.
  const decision = authorizer.decidePath(actor, 'get', MALFORMED_PATH)
  if (!decision.isAllowed) throw new ApiError('Forbidden', `Cannot read ${MALFORMED_PATH}: ${decision.reason}`)
}

/** The first of them by path, and how many more. Pure. */
export function replyOf(malformed: readonly Malformed[]): MalformedReply {
  const sorted = [...malformed].sort((one, other) => (one.path < other.path ? -1 : 1))
  return { documents: sorted.slice(0, SHOWN_MAX), more: Math.max(0, sorted.length - SHOWN_MAX) }
}

function answer(response: ServerResponse, code: number, body: object): void {
  // An unread body must not be taken for the next request.
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body))
}
