/** GET /v1/tenants/{tenant}/sprites/{sprite}/log: what the sprite's machine wrote, as text; `?follow=true` goes on. */
import { createReadStream, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiError, statusOf } from '../api/errors.ts'
import type { Client } from '../client/client.ts'
import { spriteKind } from '../kinds/sprite/schema.ts'
import { credentialOf } from '../server/credentials.ts'
import type { Authenticate } from '../server/tokens.ts'

/** What the log route needs of the process. */
export type LogRoutePorts = {
  readonly client: Client
  readonly authenticate: Authenticate
  readonly logPath: (machineId: string) => string | undefined
}

const PATH = /^\/v1\/tenants\/([a-z0-9-]{1,63})\/sprites\/([a-z0-9-]{1,63})\/log$/

/** False for any other path. */
export async function routeLog(
  ports: LogRoutePorts,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<boolean> {
  const found = PATH.exec(url.pathname)
  const [, namespace, name] = found ?? []
  if (namespace === undefined || name === undefined) return false
  try {
    const credential = credentialOf(request.headers.authorization)
    const actor = credential === undefined ? undefined : await ports.authenticate(credential.token)
    if (actor === undefined) throw new ApiError('Unauthorized', 'Unauthorized')
    const path = await logOf(ports, { namespace, name })
    await send(response, path, url.searchParams.get('follow') === 'true')
  } catch (error) {
    const refusal = error instanceof ApiError ? error : new ApiError('InternalError', 'Cannot read the log')
    if (!response.headersSent) response.writeHead(refusal.code, { 'content-type': 'application/json' })
    response.end(response.headersSent ? undefined : JSON.stringify(statusOf(refusal)))
  }
  return true
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

async function send(response: ServerResponse, path: string, isFollowed: boolean): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
  let sentBytes = await pipeFrom(response, path, 0)
  if (!isFollowed) {
    response.end()
    return
  }
  const closed = new Promise<void>((resolve) => response.once('close', resolve))
  let pending = Promise.resolve()
  const watcher = watch(path, { persistent: false }, () => {
    pending = pending.then(async () => {
      sentBytes = await pipeFrom(response, path, sentBytes)
    })
  })
  await closed
  watcher.close()
  await pending
}

/** Sends what is in the file from there on; gives how far it came. */
async function pipeFrom(response: ServerResponse, path: string, startBytes: number): Promise<number> {
  const size = await stat(path).then(
    (found) => found.size,
    () => 0,
  )
  if (size <= startBytes || response.destroyed) return startBytes
  for await (const chunk of createReadStream(path, { start: startBytes, end: size - 1 })) response.write(chunk)
  return size
}
