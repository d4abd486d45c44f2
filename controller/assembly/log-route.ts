/** GET /v1/tenants/{tenant}/sprites/{sprite}/log: what the sprite's machine wrote, as text; `?follow=true` goes on. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readFileFrom } from '../../system/follow-file.ts'
import type { Authorizer } from '../access/authorizer.ts'
import type { Actor } from '../api/admission.ts'
import { ApiError, statusOf } from '../api/errors.ts'
import type { Client } from '../client/client.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { credentialOf } from '../server/credentials.ts'
import { methodNotAllowed } from '../server/exchange.ts'
import { permit } from '../server/permit.ts'
import type { Authenticate } from '../server/tokens.ts'

/** What the log route needs of the process. */
export type LogRoutePorts = {
  readonly client: Client
  readonly authenticate: Authenticate
  readonly authorizer: Authorizer
  readonly logPath: (machineId: string) => string | undefined
}

const PATH = /^\/v1\/tenants\/([a-z0-9-]{1,63})\/sprites\/([a-z0-9-]{1,63})\/log$/

/** False for any other path. A log that is followed ends with `closing`. Never throws. */
export async function routeLog(
  ports: LogRoutePorts,
  request: IncomingMessage,
  response: ServerResponse,
  asked: { readonly url: URL; readonly closing: AbortSignal },
): Promise<boolean> {
  const [, namespace, name] = PATH.exec(asked.url.pathname) ?? []
  if (namespace === undefined || name === undefined) return false
  const gone = new AbortController()
  let forget: (() => void) | undefined
  response.once('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, asked.closing])
  try {
    const actor = await authenticated(ports, request)
    forget = holdToRights(ports.authorizer, { actor, namespace, name }, gone)
    const path = await logOf(ports, { namespace, name })
    await send(response, path, { isFollowed: asked.url.searchParams.get('follow') === 'true', signal })
  } catch (error) {
    refuse(response, error)
  } finally {
    forget?.()
  }
  return true
}

/** Throws when the caller may not read the log, as that of the Pod of its machine, and ends it when it no longer may. */
function holdToRights(
  authorizer: Authorizer,
  of: { readonly actor: Actor; readonly namespace: string; readonly name: string },
  gone: AbortController,
): () => void {
  const request = { ...of, verb: 'get', group: '', resource: 'pods', subresource: 'log', scope: 'Namespaced' } as const
  permit(authorizer, request)
  return authorizer.onChange(() => {
    if (!authorizer.decide(request).isAllowed) gone.abort()
  })
}

async function authenticated({ authenticate }: LogRoutePorts, request: IncomingMessage): Promise<Actor> {
  const credential = credentialOf(request.headers.authorization)
  const actor = credential === undefined ? undefined : await authenticate(credential.token)
  if (actor === undefined) throw new ApiError('Unauthorized', 'Unauthorized')
  if (request.method !== 'GET') throw methodNotAllowed()
  return actor
}

/** Answers a refusal; what has begun can only end. */
function refuse(response: ServerResponse, error: unknown): void {
  const refusal = error instanceof ApiError ? error : new ApiError('InternalError', 'Cannot read the log')
  if (response.headersSent) response.end()
  // An unread body must not be taken for the next request.
  else
    response
      .writeHead(refusal.code, { 'content-type': 'application/json', connection: 'close' })
      .end(JSON.stringify(statusOf(refusal)))
}

async function logOf(ports: LogRoutePorts, key: { namespace: string; name: string }): Promise<string> {
  const sprite = await ports.client.get(spriteKind, key)
  const id = sprite.status?.machine?.id ?? sprite.status?.lastMachineId
  if (id === undefined) throw new ApiError('NotFound', `Sprite "${key.name}" has had no machine yet: it has no log`)
  const path = ports.logPath(id)
  if (path === undefined)
    throw new ApiError('NotFound', `Machine "${id}" keeps its log at the provider: read it with "fly logs"`)
  return path
}

type Sending = { readonly isFollowed: boolean; readonly signal: AbortSignal }

/** Sends what is in the file, and when it is followed what is appended to it, at the reader's pace. */
async function send(response: ServerResponse, path: string, { isFollowed, signal }: Sending): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
  for await (const chunk of readFileFrom(path, { startBytes: 0, isFollowed, signal }))
    if (!response.write(chunk)) await once(response, 'drain', { signal })
  response.end()
}
