/** The sprite's side of the Coordinator's contract: one function for each call, replies parsed. */
import type { z } from 'zod'
import {
  SPRITE_API,
  announceReply,
  busReply,
  heartbeatReply,
  inboxMessage,
  taskSchema,
  type AnnounceReply,
  type BusReply,
  type HeartbeatReply,
  type HeartbeatRequest,
  type InboxMessage,
  type Task,
} from '../protocol/coordinator.ts'
import type { BackoffPolicy } from '../system/backoff.ts'
import type { Log } from '../system/log.ts'
import { CoordinatorError, createCalls, parseJson, throwUnavailable, type CallPorts } from './coordinator-calls.ts'
import type { HttpCall, HttpReply } from './http.ts'
import type { Report } from './lifecycle.ts'

/** What the inbox tells. */
export type InboxListener = {
  /** The stream is open: whatever was missed before may be asked for now. */
  readonly onOpen: () => void
  readonly onMessage: (message: InboxMessage) => void
}

/** The Coordinator, as a sprite uses it. */
export interface CoordinatorClient {
  announce(startedAtMs: number, version: string, signal: AbortSignal): Promise<AnnounceReply>
  /** One try: the next beat is the retry. */
  heartbeat(body: HeartbeatRequest, signal: AbortSignal): Promise<HeartbeatReply>
  /** The task for this sprite; undefined when there is none. Unavailable after some tries: idle sprites ask again. */
  claim(signal: AbortSignal): Promise<Task | undefined>
  /** One try, and a failure is only logged: progress is for reading along. */
  progress(work: string, attempt: number, message: string): Promise<void>
  /** `void`: the attempt is not the current one and the result is dropped. */
  report(report: Report, signal: AbortSignal): Promise<'accepted' | 'void'>
  /** One connection of the inbox, until it ends. CoordinatorError by reason: Fenced, Unavailable, Aborted. */
  inbox(listener: InboxListener, signal: AbortSignal): Promise<void>
  /** Waits before the next connection of the inbox after `failures` (≥ 1) of them. */
  pauseBeforeInbox(failures: number, signal: AbortSignal): Promise<void>
  /** Monotonic ms since the last call that succeeded, or since the start. */
  silentForMs(): number
  /** Sets the limit of silentForMs after which calls fail with Lost. */
  setLostAfter(lostAfterMs: number): void
}

/** The way to the message bus. */
export interface BusAccess {
  /**
   * The sprite's own access to the bus; undefined when sprites are to stay with the inbox. One try. CoordinatorError by
   * reason: Fenced, Unavailable, Refused, Aborted.
   */
  access(signal: AbortSignal): Promise<BusReply | undefined>
}

const INBOX_BACKOFF: BackoffPolicy = { baseMs: 250, maxMs: 15_000, jitter: 0.8 }

/** A work that cannot be given out must not keep a sprite from draining or idling out. */
const CLAIM_TRIES_MAX = 6

/** The Coordinator over HTTP. */
export function createCoordinatorClient(ports: CallPorts & { readonly log: Log }): CoordinatorClient & BusAccess {
  const { http, log } = ports
  const calls = createCalls(ports)
  return {
    announce: async (startedAtMs, version, signal) =>
      read(announceReply, await calls.repeat(post(SPRITE_API.announce, { startedAtMs, version }, signal), 'sprite')),
    heartbeat: async (body, signal) =>
      read(heartbeatReply, await calls.once(post(SPRITE_API.heartbeat, body, signal), 'sprite')),
    access: async (signal) => {
      const reply = await calls.once(post(SPRITE_API.bus, {}, signal), 'sprite')
      return reply.status === 204 ? undefined : read(busReply, reply)
    },
    claim: async (signal) => {
      const reply = await calls.repeat({ ...post(SPRITE_API.claim, {}, signal), triesMax: CLAIM_TRIES_MAX }, 'sprite')
      return reply.status === 204 ? undefined : read(taskSchema, reply)
    },
    progress: async (work, attempt, message) => {
      const body = { work, attempt, message: message.slice(0, 500) }
      await calls
        .once({ method: 'POST', path: SPRITE_API.progress, body }, 'attempt')
        .catch((error: Error) => log.debug({ work, attempt, reason: error.message }, 'progress not reported'))
    },
    report: async (report, signal) => {
      const path = report.outcome === 'complete' ? SPRITE_API.complete : SPRITE_API.fail
      try {
        await calls.repeat(post(path, report.body, signal), 'attempt')
        return 'accepted'
      } catch (error) {
        if (error instanceof CoordinatorError && error.reason === 'VoidAttempt') return 'void'
        throw error
      }
    },
    inbox: async (listener, signal) => {
      const onLine = (line: string): void => {
        const message = inboxMessage.safeParse(parseJson(line))
        if (message.success) listener.onMessage(message.data)
        else log.warn({ sizeBytes: line.length }, 'inbox message not understood')
      }
      const stream = { path: SPRITE_API.inbox, signal, onOpen: listener.onOpen, onLine }
      const refusal = await http.stream(stream).catch(throwUnavailable)
      if (refusal) calls.check(refusal, 'sprite')
    },
    pauseBeforeInbox: (failures, signal) =>
      calls.pause(INBOX_BACKOFF, failures, { signal, cause: 'the inbox stream has ended' }),
    silentForMs: () => calls.silentForMs(),
    setLostAfter: (lostAfterMs) => calls.setLostAfter(lostAfterMs),
  }
}

const post = (path: string, body: unknown, signal: AbortSignal): HttpCall & { signal: AbortSignal } => ({
  method: 'POST',
  path,
  body,
  signal,
})

function read<S extends z.ZodType>(schema: S, reply: HttpReply): z.infer<S> {
  const parsed = schema.safeParse(parseJson(reply.text))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = issue?.path.join('.') ?? ''
  throw new CoordinatorError(
    'Refused',
    `Update the sprite or the Coordinator: in its answer "${field}" is wrong: ${issue?.message}`,
  )
}
