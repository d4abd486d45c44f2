/** Lets platform admins in to the paths of our own that name everything, and answers everybody else's refusal. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authorizer } from '../access/authorizer.ts'
import type { Actor } from '../api/admission.ts'
import { ApiError, statusOf } from '../api/errors.ts'
import { credentialOf } from '../server/credentials.ts'
import { methodNotAllowed } from '../server/exchange.ts'
import type { Authenticate } from '../server/tokens.ts'

/** What it needs to tell who asks. */
export type AdminRequestPorts = {
  readonly authenticate: Authenticate
  readonly authorizer: Pick<Authorizer, 'decidePath'>
}

/** Who asks, when it is a GET and they may. Rejects with ApiError. */
export async function admitted(
  { authenticate, authorizer }: AdminRequestPorts,
  request: IncomingMessage,
  path: string,
): Promise<Actor> {
  const credential = credentialOf(request.headers.authorization)
  const actor = credential === undefined ? undefined : await authenticate(credential.token)
  if (actor === undefined) throw new ApiError('Unauthorized', 'Unauthorized')
  if (request.method !== 'GET') throw methodNotAllowed()
  // Such paths name tenants and what they own.
  const decision = authorizer.decidePath(actor, 'get', path)
  if (!decision.isAllowed) throw new ApiError('Forbidden', `Cannot read ${path}: ${decision.reason}`)
  return actor
}

/** Answers why not; what is no ApiError is told as `otherwise`. */
export function refuseRequest(response: ServerResponse, error: unknown, otherwise: string): void {
  const refusal = error instanceof ApiError ? error : new ApiError('InternalError', otherwise)
  answerJson(response, refusal.code, statusOf(refusal))
}

/** Answers with JSON, and ends the connection: an unread body must not be taken for the next request. */
export function answerJson(response: ServerResponse, code: number, body: object): void {
  response.writeHead(code, { 'content-type': 'application/json', connection: 'close' }).end(JSON.stringify(body))
}
