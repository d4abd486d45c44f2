/** A fake Coordinator for tests, over real HTTP: gives out its tasks in order and records what sprites tell it. */
import type { ServerResponse } from 'node:http'
import {
  SPRITE_API,
  announceRequest,
  completeRequest,
  failRequest,
  heartbeatRequest,
  progressRequest,
  type AnnounceReply,
  type CompleteRequest,
  type FailRequest,
  type HeartbeatReply,
  type HeartbeatRequest,
  type InboxMessage,
  type Task,
} from '../../protocol/coordinator.ts'
import type { FakeMessages } from './messages.ts'
import { listen, sendError, sendJson, type FakeRequest } from './server.ts'

export type FakeCoordinator = {
  readonly url: string
  readonly seen: {
    readonly paths: string[]
    readonly authorizations: Set<string | undefined>
    readonly heartbeats: HeartbeatRequest[]
    readonly completed: CompleteRequest[]
    readonly failed: FailRequest[]
    readonly progress: string[]
  }
  /** Tasks that are still to be claimed; the first is given out until it is reported. */
  readonly tasks: Task[]
  /** Statuses to answer the next requests of a path with, before the real answer. */
  readonly faults: Map<string, number[]>
  /** What a heartbeat is answered. */
  directive: HeartbeatReply['directive']
  terms: Partial<AnnounceReply>
  /** Sends to every open inbox. */
  tell(message: InboxMessage): void
  /** Ends every open inbox. */
  hangUp(): void
  /** Resolves when `fact` holds; checked at each request. */
  until(fact: () => boolean): Promise<void>
  close(): Promise<void>
}

const TERMS: AnnounceReply = {
  tenant: 'acme-corp',
  sprite: 'copywriter-1',
  agentType: 'copywriter',
  incarnation: 1,
  heartbeatIntervalMs: 50,
  idleTimeoutMs: 0,
  lostAfterMs: 20_000,
}

type Waiting = { readonly fact: () => boolean; readonly resolve: () => void }

/** Starts one on a free port; its gateway answers from `messages`. */
export async function startFakeCoordinator(messages: FakeMessages): Promise<FakeCoordinator> {
  const inboxes = new Set<ServerResponse>()
  let waiting: Waiting[] = []
  const look = (): void => {
    for (const one of waiting) if (one.fact()) one.resolve()
    waiting = waiting.filter((one) => !one.fact())
  }
  const server = await listen((request, response) => {
    const path = request.path.split('?')[0] ?? ''
    fake.seen.paths.push(path)
    fake.seen.authorizations.add(request.headers.authorization)
    const fault = fake.faults.get(path)?.shift()
    if (fault !== undefined) sendError(response, fault, fault === 409 ? 'Fenced' : 'Unavailable')
    else if (path === SPRITE_API.inbox) openInbox(inboxes, response)
    else if (path === `${SPRITE_API.gateway}/v1/messages`) messages.answer(request, response)
    else answer(fake, request, response)
    look()
  })
  const fake: FakeCoordinator = {
    url: server.url,
    seen: { paths: [], authorizations: new Set(), heartbeats: [], completed: [], failed: [], progress: [] },
    tasks: [],
    faults: new Map(),
    directive: 'continue',
    terms: {},
    tell: (message) => inboxes.forEach((inbox) => inbox.write(`${JSON.stringify(message)}\n`)),
    hangUp: () => {
      inboxes.forEach((inbox) => inbox.end())
      inboxes.clear()
    },
    until: (fact) =>
      new Promise((resolve) => {
        waiting.push({ fact, resolve })
        look()
      }),
    close: () => server.close(),
  }
  return fake
}

function openInbox(inboxes: Set<ServerResponse>, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.write(`${JSON.stringify({ type: 'ping' })}\n`)
  inboxes.add(response)
  response.on('close', () => inboxes.delete(response))
}

function answer(fake: FakeCoordinator, request: FakeRequest, response: ServerResponse): void {
  switch (request.path) {
    case SPRITE_API.announce:
      announceRequest.parse(request.body)
      return sendJson(response, 200, { ...TERMS, ...fake.terms })
    case SPRITE_API.heartbeat:
      fake.seen.heartbeats.push(heartbeatRequest.parse(request.body))
      return sendJson(response, 200, { directive: fake.directive })
    case SPRITE_API.claim:
      return claim(fake, response)
    case SPRITE_API.progress:
      fake.seen.progress.push(progressRequest.parse(request.body).message)
      response.writeHead(204).end()
      return
    case SPRITE_API.complete:
      fake.seen.completed.push(completeRequest.parse(request.body))
      fake.tasks.shift()
      return sendJson(response, 200, { accepted: true })
    case SPRITE_API.fail:
      fake.seen.failed.push(failRequest.parse(request.body))
      fake.tasks.shift()
      return sendJson(response, 200, { accepted: true })
    default:
      return sendError(response, 404, 'NotFound')
  }
}

function claim(fake: FakeCoordinator, response: ServerResponse): void {
  const [task] = fake.tasks
  if (task) sendJson(response, 200, task)
  else response.writeHead(204).end()
}
