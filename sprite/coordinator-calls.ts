/** Calls of the Coordinator: tells its refusals apart, repeats what may be repeated, and knows when it is lost. */
import { errorReply } from '../protocol/coordinator.ts'
import { backoffMs, type BackoffPolicy } from '../system/backoff.ts'
import type { Clock } from '../system/clock.ts'
import type { Entropy } from '../system/entropy.ts'
import { HttpError, type Http, type HttpCall, type HttpReply } from './http.ts'
import { retryAfterMs } from './retry-after.ts'

/** Why a call to the Coordinator failed. */
export type CoordinatorErrorReason =
  /** This incarnation is not the current one, or its token is void. */
  | 'Fenced'
  /** No call has succeeded for lostAfterMs. */
  | 'Lost'
  /** This try failed; the caller tries again when it wants to. Only from heartbeat. */
  | 'Unavailable'
  /** The Coordinator will not take this request, now or later. */
  | 'Refused'
  /** The attempt in hand is not the current one. Never leaves `report` and `progress`. */
  | 'VoidAttempt'
  | 'Aborted'

/** A call that brought no answer that can be used. */
export class CoordinatorError extends Error {
  override readonly name = 'CoordinatorError'
  readonly reason: CoordinatorErrorReason
  /** With Unavailable: how long the Coordinator asks to wait, in ms. */
  readonly retryAfterMs: number | undefined

  constructor(reason: CoordinatorErrorReason, message: string, retryAfterMs?: number) {
    super(message)
    this.reason = reason
    this.retryAfterMs = retryAfterMs
  }
}

/** Whose identity a 409 speaks of: a call that names an attempt is refused for the attempt, the others for the sprite. */
export type Scope = 'sprite' | 'attempt'

/** What calls to the Coordinator need of the process. */
export type CallPorts = { readonly http: Http; readonly clock: Clock; readonly entropy: Entropy }

/** Calls to the Coordinator, tried once or until they are answered. */
export interface Calls {
  /** One try. CoordinatorError by reason: Fenced, Unavailable, Refused, VoidAttempt, Aborted. */
  once(call: HttpCall, scope: Scope): Promise<HttpReply>
  /**
   * Tries until there is an answer, or `triesMax` times. CoordinatorError by reason: Fenced, Lost, Refused, VoidAttempt,
   * Aborted; with `triesMax` also Unavailable.
   */
  repeat(call: RepeatedCall, scope: Scope): Promise<HttpReply>
  /** Waits after `failures` (≥ 1) in a row. CoordinatorError by reason: Lost, Aborted. */
  pause(policy: BackoffPolicy, failures: number, options: PauseOptions): Promise<void>
  /** Throws what a reply with an error status means. */
  check(reply: HttpReply, scope: Scope): void
  /** Monotonic ms since the last call that was answered, or since the start. */
  silentForMs(): number
  setLostAfter(lostAfterMs: number): void
}

/** A call that is tried again until it is answered. */
export type RepeatedCall = HttpCall & { readonly signal: AbortSignal; readonly triesMax?: number }

/** How long to wait before the next try. */
export type PauseOptions = {
  /** How long the server asks to wait, in ms. */
  readonly askedMs?: number | undefined
  readonly signal: AbortSignal
  readonly cause: string
}

/** Until the Coordinator has said how long. */
export const LOST_AFTER_MS_DEFAULT = 60_000
/** Much jitter: a fleet that lost its Coordinator must not come back as one. */
const CALL_BACKOFF: BackoffPolicy = { baseMs: 200, maxMs: 10_000, jitter: 0.8 }
/** No server may make the sprite wait longer between two tries. */
const RETRY_AFTER_MS_MAX = 15_000

/** Calls over `http`. */
export function createCalls(ports: CallPorts): Calls {
  const { http, clock, entropy } = ports
  let lostAfterMs = LOST_AFTER_MS_DEFAULT
  let answeredAt = clock.monotonic()

  const once: Calls['once'] = async (call, scope) => {
    const reply = await http.call(call).catch(throwUnavailable)
    const refusal = refusalOf(reply, scope, clock.now())
    // A refusal is an answer too: the Coordinator is there.
    if (refusal?.reason !== 'Unavailable') answeredAt = clock.monotonic()
    if (refusal) throw refusal
    return reply
  }

  const pause: Calls['pause'] = async (policy, failures, options) => {
    const leftMs = lostAfterMs - (clock.monotonic() - answeredAt)
    if (leftMs <= 0)
      throw new CoordinatorError('Lost', `Check the Coordinator: no answer for "${lostAfterMs}" ms; ${options.cause}`)
    const ownMs = backoffMs(policy, failures, entropy.random())
    const delayMs = Math.min(Math.max(ownMs, options.askedMs ?? 0), RETRY_AFTER_MS_MAX, leftMs)
    await clock.sleep(delayMs, options.signal).catch(() => {
      throw new CoordinatorError('Aborted', 'Stopped while waiting for the Coordinator')
    })
  }

  const repeat: Calls['repeat'] = async (call, scope) => {
    // Bounded: each round waits, and triesMax or silence beyond lostAfterMs ends it.
    for (let failures = 1; ; failures++) {
      try {
        return await once(call, scope)
      } catch (error) {
        if (!(error instanceof CoordinatorError) || error.reason !== 'Unavailable') throw error
        const { signal, triesMax } = call
        if (triesMax !== undefined && failures >= triesMax) throw error
        await pause(CALL_BACKOFF, failures, { askedMs: error.retryAfterMs, signal, cause: error.message })
      }
    }
  }

  return {
    once,
    repeat,
    pause,
    check: (reply, scope) => {
      const refusal = refusalOf(reply, scope, clock.now())
      if (refusal) throw refusal
    },
    silentForMs: () => clock.monotonic() - answeredAt,
    setLostAfter: (ms) => {
      lostAfterMs = ms
    },
  }
}

function refusalOf(reply: HttpReply, scope: Scope, nowMs: number): CoordinatorError | undefined {
  const { status } = reply
  if (status >= 200 && status < 300) return undefined
  const message = messageOf(reply)
  if (status === 409 && scope === 'attempt') return new CoordinatorError('VoidAttempt', message)
  // 403 and 404: the sprite is gone, or has no business here any more; its token will not get better.
  if (status === 401 || (scope === 'sprite' && [403, 404, 409].includes(status)))
    return new CoordinatorError('Fenced', message)
  if (status === 429 || status >= 500) return new CoordinatorError('Unavailable', message, waitOf(reply, nowMs))
  return new CoordinatorError('Refused', message)
}

/** Turns the failure of a request without a reply into a CoordinatorError. */
export function throwUnavailable(error: unknown): never {
  if (!(error instanceof HttpError)) throw error
  throw new CoordinatorError(error.reason === 'Aborted' ? 'Aborted' : 'Unavailable', error.message)
}

const waitOf = (reply: HttpReply, nowMs: number): number | undefined =>
  retryAfterMs((name) => {
    const value = reply.headers[name]
    return Array.isArray(value) ? value[0] : value
  }, nowMs)

/** The value of a JSON text; undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function messageOf(reply: HttpReply): string {
  const body = errorReply.safeParse(parseJson(reply.text))
  return body.success ? `${body.data.error.reason}: ${body.data.error.message}`.slice(0, 500) : `HTTP ${reply.status}`
}
