/** Answers one request as the API would: who asks, may they, are they too fast, does a planned fault hit, then the route. */
import type { CancelTimer } from '../../../system/clock.ts'
import { APP_ROUTES } from './app-routes.ts'
import { CHANGE_ROUTES } from './change-routes.ts'
import type { EmulatorFault, FaultScript } from './faults.ts'
import { HOLD_ROUTES } from './holds.ts'
import { drawnMs } from './latency.ts'
import { MACHINE_ROUTES } from './machine-routes.ts'
import { METADATA_ROUTES } from './metadata-routes.ts'
import { NETWORK_ROUTES } from './network-routes.ts'
import { PLATFORM_ROUTES } from './platform-routes.ts'
import type { RateBuckets } from './rate-limits.ts'
import { findRoute, type FoundRoute, type Route, type RouteContext, type RouteRequest } from './routes.ts'
import { SECRET_ROUTES } from './secrets.ts'
import type { Caller } from './tokens.ts'
import { VOLUME_ROUTES } from './volume-routes.ts'
import { WAIT_ROUTES } from './wait.ts'
import { refusalAnswer, type Answer } from './wire.ts'

const ROUTES: readonly Route[] = [
  ...MACHINE_ROUTES,
  ...CHANGE_ROUTES,
  ...WAIT_ROUTES,
  ...HOLD_ROUTES,
  ...METADATA_ROUTES,
  ...APP_ROUTES,
  ...SECRET_ROUTES,
  ...NETWORK_ROUTES,
  ...VOLUME_ROUTES,
  ...PLATFORM_ROUTES,
]

/** Every method, path and action that is emulated. */
export const EMULATED: readonly Pick<Route, 'method' | 'path' | 'action'>[] = ROUTES

/** A fault has cut the connection: no reply. */
export class ConnectionCut extends Error {
  override readonly name = 'ConnectionCut'
}

/** What every answer is made with. */
export type Answering = {
  /** The context of a caller. */
  readonly contextFor: (caller: Caller) => RouteContext
  readonly faults: FaultScript
  readonly rates: { readonly buckets: RateBuckets; readonly tellsWhen: boolean } | undefined
}

/** One request, read. */
export type Asked = {
  readonly found: FoundRoute | undefined
  readonly url: URL
  readonly headers: Headers
  readonly signal: AbortSignal
  readonly body: { readonly text: string }
  /** Undefined where the token is no good. */
  readonly caller: Caller | undefined
}

/** The route of a request. */
export const routeOf = (method: string, url: URL): FoundRoute | undefined => findRoute(ROUTES, method, url.pathname)

const BODY_CHARS_MAX = 1024 * 1024

/** Answers it; rejects with ConnectionCut where a fault cuts the connection or the emulator closes. */
export async function answerTo(asked: Asked, with_: Answering): Promise<Answer> {
  const { found, caller, url } = asked
  if (!caller) return refusalAnswer(401, 'unauthorized')
  if (!found) return refusalAnswer(404, 'not_found: no such route')
  const context = with_.contextFor(caller)
  await arrive(context)
  const subject = subjectOf(found)
  const body = readJson(asked.body.text)
  const refusal = scopeRefusal(context, found) ?? rateRefusal(with_, context, found)
  if (refusal) return refusal
  if ('refusal' in body) return body.refusal
  const part = (name: string): string => found.parts.get(name) ?? ''
  const request: RouteRequest = {
    app: part('app'),
    machine: part('machine'),
    key: part('key'),
    org: part('org'),
    query: url.searchParams,
    body: body.value,
    headers: asked.headers,
    signal: asked.signal,
  }
  return meet(with_.faults.draw(subject), context, () => commit(context, found.route, request))
}

/** What a request is about. */
export function subjectOf(found: FoundRoute | undefined): { action: string; app?: string; machine?: string } {
  const app = found?.parts.get('app')
  const machine = found?.parts.get('machine')
  return {
    action: found?.route.action ?? 'unknown',
    ...(app === undefined ? {} : { app }),
    ...(machine === undefined ? {} : { machine }),
  }
}

/** The way there takes its time. */
async function arrive({ world, clock, entropy, closing }: RouteContext): Promise<void> {
  const takesMs = drawnMs(world.latency.request, () => entropy.random())
  if (takesMs > 0) await pause(clock.after.bind(clock), takesMs, closing)
}

/** Waits, but no longer than the emulator is open. */
function pause(
  after: (delayMs: number, fire: () => void, options?: { readonly background?: boolean }) => CancelTimer,
  delayMs: number,
  closing: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel()
      closing.removeEventListener('abort', end)
      resolve()
    }
    const cancel = after(delayMs, end, { background: true })
    if (closing.aborted) end()
    else closing.addEventListener('abort', end, { once: true })
  })
}

/** What only a machine itself may ask, from its inside. */
const INSIDE: ReadonlySet<string> = new Set([
  'getMachine',
  'getMetadata',
  'getMetadataKey',
  'patchMetadata',
  'putMetadata',
  'setMetadata',
  'removeMetadata',
  'suspendMachine',
  'stopMachine',
  'listEvents',
  'currentToken',
  'oidcToken',
])

/** The refusal of a caller whom this is not open to, or of an app that this node does not know yet. */
function scopeRefusal({ caller, records, clock, quirks }: RouteContext, found: FoundRoute): Answer | undefined {
  const { app: name, machine, action } = subjectOf(found)
  const forbidden = refusalAnswer(403, 'unauthorized: the token does not allow this')
  if (caller.readOnly === true && found.route.method !== 'GET') return forbidden
  if (caller.machine !== undefined && !INSIDE.has(action)) return forbidden
  if (caller.machine !== undefined && machine !== undefined && machine !== caller.machine) return forbidden
  if (caller.apps && (action === 'createApp' || action === 'createDeployToken' || action === 'deleteApp'))
    return forbidden
  if (name === undefined) return undefined
  const foreign = { ...forbidden, status: quirks.foreignApp }
  if (caller.apps && !caller.apps.includes(name)) return foreign
  const app = records.apps.get(name)
  if (app && caller.orgSlug !== undefined && caller.orgSlug !== app.orgSlug) return foreign
  if (!app?.unseen || app.unseen.untilMs <= clock.now()) return undefined
  return refusalAnswer(app.unseen.status, app.unseen.status === 401 ? 'unauthorized' : 'not_found: app not found')
}

/** By machine where there is one, else by app, else by organization, else by token. */
function rateRefusal({ rates }: Answering, { clock, caller }: RouteContext, found: FoundRoute): Answer | undefined {
  if (!rates) return undefined
  const { action, app, machine } = subjectOf(found)
  // Deleting apps is counted for all of them together; everything else by the narrowest thing that it names.
  const narrow = action === 'deleteApp' ? undefined : (machine ?? app ?? found.parts.get('org'))
  const waitMs = rates.buckets.take(action, narrow ?? caller.orgSlug ?? caller.tokenId, clock.monotonic())
  if (waitMs === 0) return undefined
  const headers = rates.tellsWhen ? { 'retry-after': String(Math.ceil(waitMs / 1_000)) } : {}
  return { ...refusalAnswer(429, 'rate limit exceeded'), headers }
}

async function commit(context: RouteContext, route: Route, request: RouteRequest): Promise<Answer> {
  if (context.closing.aborted) throw new ConnectionCut('Emulator is closing')
  const given = await route.run(context, request)
  context.world.pump()
  return given
}

async function meet(
  fault: EmulatorFault | undefined,
  { clock, closing }: RouteContext,
  act: () => Promise<Answer>,
): Promise<Answer> {
  switch (fault?.kind) {
    case undefined:
      return act()
    case 'status':
      return {
        ...refusalAnswer(fault.status, fault.error ?? 'planned fault', fault.code),
        headers: fault.headers ?? {},
      }
    case 'body':
      return { status: 200, text: fault.text, headers: { 'content-type': fault.contentType ?? 'text/html' } }
    case 'reset':
      throw new ConnectionCut('Planned fault before commit')
    case 'loseReply':
      await act()
      throw new ConnectionCut('Planned fault after commit')
    case 'statusAfterCommit':
      await act()
      return refusalAnswer(fault.status, fault.error ?? 'planned fault')
    case 'delay':
      await pause(clock.after.bind(clock), fault.delayMs, closing)
      return act()
    case 'hang':
      await closed(closing)
      throw new ConnectionCut('Emulator has closed')
  }
}

function closed(closing: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (closing.aborted) resolve()
    closing.addEventListener('abort', () => resolve(), { once: true })
  })
}

function readJson(text: string): { readonly value: unknown } | { readonly refusal: Answer } {
  if (text.length > BODY_CHARS_MAX) return { refusal: refusalAnswer(413, 'request body too large') }
  if (text === '') return { value: undefined }
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return { refusal: refusalAnswer(400, 'invalid_argument: request body is not JSON') }
  }
}
