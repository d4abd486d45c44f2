/** Sends one request to the Machines API: authorized, paced, bounded in time and size, and every failure made a ProviderError. */
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import type { Metrics } from '../../../system/metrics.ts'
import { ProviderError, type ProviderErrorReason } from '../machines.ts'
import { classify, classifyTransport, isRead, retryAfterMs, type FlyAction } from './classify.ts'
import type { AppTokens } from './app-tokens.ts'
import type { CircuitBreaker } from './breaker.ts'
import type { Pace } from './pace.ts'
import { authorization, errorSchema } from './replies.ts'

/** What a sender needs: where, as whom, and within which bounds. */
export type FlyHttpOptions = {
  readonly baseUrl: string
  /** The organization's. */
  readonly token: string
  /** Tokens of apps, which machine calls use where there are any; they may come later than this. */
  readonly appTokens?: () => Pick<AppTokens, 'of' | 'refused'>
  readonly clock: Clock
  readonly log: Log
  readonly pace: Pace
  readonly breaker: CircuitBreaker
  /** Whether the app was made so lately that Fly may not know it everywhere: a 401 says nothing then. */
  readonly isFresh: (app: string) => boolean
  /** What is left of the right to act for a tenant: no change is sent that could outlast it. */
  readonly lease?: LeaseLeft
  readonly requestTimeoutMs: number
  readonly fetch: typeof globalThis.fetch
  readonly metrics?: Metrics
}

/** How long this process may still act for a tenant, undefined being the organization; 0 when it may not. */
export type LeaseLeft = {
  remainingMs(tenant: string | undefined): number
  /** Proves it anew where the last proof is old; never rejects. */
  confirm?(tenant: string | undefined): Promise<void>
}

/** One request to be sent. */
export type FlyCall = {
  readonly action: FlyAction
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** Below the base, with its query; segments are encoded by the caller. */
  readonly path: string
  readonly app: string
  /** Whose lease a change needs; absent for what concerns the organization. */
  readonly tenant?: string | undefined
  /** Machine id, for the actions that are paced per machine. */
  readonly machine?: string
  /** What Fly counts it by where that is neither its machine nor its app. */
  readonly countedBy?: string
  readonly body?: unknown
  /** Regions of a create, in the order of the spec: told with a refusal, since it may be theirs. */
  readonly regions?: readonly string[]
  /** Statuses besides 2xx that the caller reads itself. */
  readonly tolerate?: readonly number[]
  readonly signal?: AbortSignal | undefined
  /** For the pace: who asks, and with which weight. */
  readonly claimant?: string
  readonly priority?: number | undefined
  /** The caller asks another region next: a quota that this one is over opens no circuit. */
  readonly movesOn?: boolean
}

/** A reply: `json` is undefined where the body was empty or no JSON. */
export type FlyReply = {
  readonly status: number
  readonly json: unknown
  readonly isJson: boolean
  readonly text: string
  readonly requestId: string | undefined
  readonly retryAfter: string | null
  /** What it means as an error; undefined for 2xx. */
  readonly failure?: ProviderError | undefined
}

/** Sends one call; gives success and tolerated replies, throws ProviderError for all else. Never retries. */
export type FlyHttp = (call: FlyCall) => Promise<FlyReply>

/** What a token of one app is for. */
const MACHINE_ACTIONS: ReadonlySet<FlyAction> = new Set(['list', 'get', 'create', 'start', 'stop', 'destroy'])

const BODY_BYTES_MAX = 10 * 1024 * 1024
const ERROR_TEXT_CHARS_MAX = 300
const COOKIE_APPS_MAX = 10_000

/** A sender with its own affinity cookies, one per app: they lead later calls to the node that knows the app. */
export function createFlyHttp(options: FlyHttpOptions): FlyHttp {
  const cookies = new Map<string, string>()
  const seconds = options.metrics?.histogram('provider_request_seconds', 'Time of a call to the machine provider', [
    'action',
    'status',
  ])
  return async (call) => {
    const subject = call.countedBy ?? (call.machine === undefined ? call.app : `${call.app}/${call.machine}`)
    options.breaker.enter(call)
    const startedMs = options.clock.monotonic()
    let outcome = 'error'
    try {
      await waitTurn(options, call, subject)
      const own = MACHINE_ACTIONS.has(call.action) ? await options.appTokens?.().of(call.app) : undefined
      if (!isRead(call.action)) await options.lease?.confirm?.(call.tenant)
      const reply = await send(options, call, { cookies, token: own ?? options.token })
      outcome = String(reply.status)
      if (reply.status === 429) options.pace.slowDown({ ...call, subject }, retryAfterMs(reply.retryAfter))
      const failure = failureOf(options, call, { reply, own })
      if (failure === undefined) return reply
      if (call.tolerate?.includes(reply.status)) return { ...reply, failure }
      throw failure
    } catch (error) {
      // What never got an answer says nothing about the circuit, but a probe is over.
      if (outcome === 'error' && error instanceof ProviderError) options.breaker.leave(call, error)
      throw error
    } finally {
      seconds?.observe((options.clock.monotonic() - startedMs) / 1_000, { action: call.action, status: outcome })
    }
  }
}

/** The error of an answer that is not a success, with what the circuits make of it. */
function failureOf(
  options: FlyHttpOptions,
  call: FlyCall,
  { reply, own }: { readonly reply: FlyReply; readonly own: string | undefined },
): ProviderError | undefined {
  const failure = reply.status >= 200 && reply.status < 300 ? undefined : refusal(call, reply)
  const isEarly = failure?.reason === 'CredentialsInvalid' && options.isFresh(call.app)
  const isOfRegion = failure?.reason === 'QuotaExceeded' && reply.status === 403 && call.movesOn === true
  // The organization's token is tried next: only its refusal opens the circuit.
  const isOwnRefused = failure?.reason === 'CredentialsInvalid' && own !== undefined
  if (isOwnRefused) options.appTokens?.().refused(call.app, own)
  // That no token may be made says nothing about what the token at hand may do.
  const isMint = call.action === 'createToken'
  if (!isEarly && !isOfRegion && !isOwnRefused && !isMint) return options.breaker.leave(call, failure)
  options.breaker.leave(call, undefined)
  return isOwnRefused && failure !== undefined ? ownRefused(failure) : failure
}

/** Said of one request alone: the next goes with the organization's token. */
const ownRefused = (failure: ProviderError): ProviderError =>
  new ProviderError(
    failure.reason,
    `${failure.message}: the app's own token, so the organization's is next; see TokenReady of the Tenant`,
    { cause: failure, ...withId(failure.requestId) },
  )

async function waitTurn(options: FlyHttpOptions, call: FlyCall, subject: string): Promise<void> {
  try {
    const { action, claimant, priority, signal } = call
    await options.pace.turn({ action, subject, claimant, priority, signal })
    call.signal?.throwIfAborted()
  } catch (error) {
    if (error instanceof ProviderError) throw error
    throw new ProviderError('Unavailable', `Cannot ${verb(call)}: gave up before its turn came at Fly’s rate`, {
      cause: error,
    })
  }
}

type Sending = { readonly cookies: Map<string, string>; readonly token: string }

async function send(options: FlyHttpOptions, call: FlyCall, sending: Sending): Promise<FlyReply> {
  const timeoutMs = timeoutOf(options, call)
  const deadline = new AbortController()
  const cancel = options.clock.after(timeoutMs, () => deadline.abort(), { background: true })
  const signal = call.signal ? AbortSignal.any([deadline.signal, call.signal]) : deadline.signal
  try {
    const response = await options.fetch(new URL(call.path, options.baseUrl), {
      method: call.method,
      headers: headersOf(call, sending),
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      redirect: 'manual',
      signal,
    })
    keepCookie(sending.cookies, call.app, response.headers)
    return await readReply(response)
  } catch (error) {
    if (error instanceof ProviderError) throw withReason(error, call)
    const reason = classifyTransport(call.action, errorCodes(error))
    const why = deadline.signal.aborted ? `no answer within ${timeoutMs} ms` : messageOf(error)
    throw new ProviderError(reason, `Cannot ${verb(call)}: ${why}`, { cause: error })
  } finally {
    cancel()
  }
}

/** Shorter than anything is answered in: such a request would only leave an unknown outcome. */
const TIMEOUT_MS_MIN = 500

/** A change must be over, one way or the other, while its sender still leads. */
function timeoutOf({ lease, requestTimeoutMs }: FlyHttpOptions, call: FlyCall): number {
  if (lease === undefined || isRead(call.action)) return requestTimeoutMs
  const leftMs = Math.floor(lease.remainingMs(call.tenant))
  if (leftMs >= TIMEOUT_MS_MIN) return Math.min(requestTimeoutMs, leftMs)
  throw new ProviderError('Unavailable', `Did not ${verb(call)}: the lease ends in ${Math.max(0, leftMs)} ms`)
}

function headersOf(call: FlyCall, { cookies, token }: Sending): Record<string, string> {
  const cookie = cookies.get(call.app)
  return {
    authorization: authorization(token),
    accept: 'application/json',
    ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(cookie === undefined ? {} : { cookie }),
  }
}

function keepCookie(cookies: Map<string, string>, app: string, headers: Headers): void {
  const set = headers.getSetCookie().find((cookie) => cookie.startsWith('fly_flaps_affinity='))
  const pair = set?.split(';', 1)[0]
  if (pair === undefined) return
  if (cookies.size >= COOKIE_APPS_MAX) cookies.clear()
  cookies.set(app, pair)
}

async function readReply(response: Response): Promise<FlyReply> {
  const requestId = response.headers.get('fly-request-id') ?? undefined
  const text = await readBounded(response, requestId)
  const json = parseJson(text)
  return {
    status: response.status,
    json,
    isJson: json !== undefined,
    text,
    requestId,
    retryAfter: response.headers.get('retry-after'),
  }
}

async function readBounded(response: Response, requestId: string | undefined): Promise<string> {
  if (!response.body) return ''
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  // The body's chunks are bytes; lib.dom's type of it is not in scope here.
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.byteLength
    if (sizeBytes > BODY_BYTES_MAX)
      throw new ProviderError(
        'Unexpected',
        `Reply is larger than ${BODY_BYTES_MAX} bytes${inWords(requestId)}`,
        withId(requestId),
      )
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Fly's words and machine code of a refusal. */
export function errorWords(reply: FlyReply): { readonly text: string; readonly code: string | undefined } {
  const body = errorSchema.safeParse(reply.json).data
  return { text: body?.error ?? body?.message ?? reply.text, code: body?.status }
}

/** True for a 404 of the API's own; throws Unexpected for one of something between it and us (a page of HTML). */
export function isAbsent(call: FlyCall, reply: FlyReply): boolean {
  if (reply.status !== 404) return false
  if (reply.isJson || reply.text.trim() === '') return true
  throw flyError(call, reply, { reason: 'Unexpected', why: reply.text })
}

/** The error of a reply that is not a success. */
export function refusal(call: FlyCall, reply: FlyReply): ProviderError {
  const { text, code } = errorWords(reply)
  const reason = classify({
    action: call.action,
    status: reply.status,
    text,
    ...(code === undefined ? {} : { code }),
  })
  return flyError(call, reply, { reason, why: text })
}

/** An error with the call, the status, Fly's request id (early: conditions are cut) and its words (≤ 300 characters). */
export function flyError(
  call: FlyCall,
  reply: FlyReply,
  { reason, why }: { readonly reason: ProviderErrorReason; readonly why: string },
): ProviderError {
  const words = why.replaceAll(/\s+/g, ' ').slice(0, ERROR_TEXT_CHARS_MAX)
  const waitMs = retryAfterMs(reply.retryAfter)
  return new ProviderError(
    reason,
    `Cannot ${verb(call)}: Fly answered ${reply.status}${inWords(reply.requestId)} "${words}"`,
    {
      ...withId(reply.requestId),
      ...(waitMs === undefined ? {} : { retryAfterMs: waitMs }),
    },
  )
}

/** What is asked of no one app. */
const WIDE: Partial<Readonly<Record<FlyAction, string>>> = {
  listFleet: 'list the machines of',
  currentToken: 'ask what the token is for at',
  listApps: 'list the apps of',
  listRegions: 'list the regions of',
  placements: 'ask for the room of',
}

/** What is asked of an app itself, in words. */
const OF_APP: Partial<Readonly<Record<FlyAction, string>>> = {
  getApp: 'look at',
  createApp: 'create',
  deleteApp: 'delete',
  createToken: 'make a token for',
}

const verb = ({ action, app, machine, regions }: FlyCall): string => {
  const wide = WIDE[action]
  if (wide !== undefined) return `${wide} ${app}`
  const ofApp = OF_APP[action]
  if (ofApp !== undefined) return `${ofApp} app "${app}"`
  const where = regions === undefined ? '' : `, regions ${regions.join(', ')}`
  return `${action} ${machine === undefined ? `in app "${app}"${where}` : `machine "${machine}"`}`
}

const withId = (requestId: string | undefined): { readonly requestId?: string } =>
  requestId === undefined ? {} : { requestId }

const inWords = (requestId: string | undefined): string =>
  requestId === undefined ? '' : ` (fly-request-id ${requestId})`

/** A body too large is unexpected on a read; on a write the effect may stand. */
const withReason = (error: ProviderError, call: FlyCall): ProviderError =>
  isRead(call.action)
    ? error
    : new ProviderError('OutcomeUnknown', error.message, { cause: error, ...withId(error.requestId) })

const messageOf = (error: unknown): string => {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  return cause instanceof Error ? cause.message || cause.name : String(cause)
}

/** Codes of an error, its causes and what an AggregateError holds (bounded depth). */
function errorCodes(error: unknown, depth = 0): string[] {
  if (depth > 4 || !(error instanceof Error)) return []
  const own = 'code' in error && typeof error.code === 'string' ? [error.code] : []
  const parts: readonly unknown[] = error instanceof AggregateError ? error.errors : []
  return [...own, ...[error.cause, ...parts].flatMap((part) => errorCodes(part, depth + 1))]
}
