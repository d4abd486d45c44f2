/** The emulator's routes: which method and path is which action, what it is limited by, and the parts of a path. */
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'
import type { FeedOddities } from './feed.ts'
import type { Hosts } from './hosts.ts'
import type { EmulatedApp, EmulatedMachine } from './model.ts'
import type { MachineIssuer } from './oidc.ts'
import type { Placement } from './placement.ts'
import type { Quirks } from './quirks.ts'
import type { EmulatorRecords } from './records.ts'
import type { Caller, TokenDesk } from './tokens.ts'
import type { Answer } from './wire.ts'
import type { EmulatedWorld } from './world.ts'

/** What every route may use. */
export type RouteContext = {
  readonly world: EmulatedWorld
  readonly records: EmulatorRecords
  readonly clock: Clock
  readonly entropy: Entropy
  /** The organization of a token that is bound to none. */
  readonly orgSlug: string
  readonly closing: AbortSignal
  readonly caller: Caller
  readonly hosts: Hosts
  readonly placement: Placement
  readonly tokens: TokenDesk
  readonly issuer: MachineIssuer
  readonly feed: FeedOddities
  readonly quirks: Quirks
}

/** A request as a route sees it: parts of the path that it has not are "". */
export type RouteRequest = {
  readonly app: string
  readonly machine: string
  /** The last part that has a name of its own: a metadata key, a secret, an address, a policy, a volume. */
  readonly key: string
  readonly org: string
  readonly query: URLSearchParams
  readonly body: unknown
  readonly headers: Headers
  readonly signal: AbortSignal
}

/** One route of the emulated API. */
export type Route = {
  readonly method: string
  /** Segments below /v1; `:name` matches any one. */
  readonly path: string
  readonly action: string
  readonly run: (context: RouteContext, request: RouteRequest) => Answer | Promise<Answer>
}

/** The route of a request and the parts of its path. */
export type FoundRoute = { readonly route: Route; readonly parts: ReadonlyMap<string, string> }

/** The route of a request; undefined where there is none. */
export function findRoute(routes: readonly Route[], method: string, path: string): FoundRoute | undefined {
  const segments = path.split('/').slice(1)
  if (segments[0] !== 'v1') return undefined
  for (const route of routes) {
    if (route.method !== method) continue
    const parts = matchPath(route.path, segments.slice(1))
    if (parts) return { route, parts }
  }
  return undefined
}

/** The parts of a path that fits the pattern; undefined where it does not. */
export function matchPath(pattern: string, segments: readonly string[]): Map<string, string> | undefined {
  const expectations = pattern.split('/').slice(1)
  if (expectations.length !== segments.length) return undefined
  const parts = new Map<string, string>()
  for (const [at, expected] of expectations.entries()) {
    const segment = decode(segments[at] ?? '')
    if (segment === undefined) return undefined
    if (expected.startsWith(':')) parts.set(expected.slice(1), segment)
    else if (expected !== segment) return undefined
  }
  return parts
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** The app of a request, if it exists. */
export const appOf = (context: RouteContext, request: RouteRequest): EmulatedApp | undefined =>
  context.records.apps.get(request.app)

/** The truth about the machine of a request, if its app has it. */
export function machineOf(context: RouteContext, request: RouteRequest): EmulatedMachine | undefined {
  const machine = context.records.machines.get(request.machine)
  return machine?.app === request.app ? machine : undefined
}

/** The machine of a request as readers see it. */
export function seenMachineOf(context: RouteContext, request: RouteRequest): EmulatedMachine | undefined {
  const machine = context.world.seen(request.machine)
  return machine?.app === request.app ? machine : undefined
}

/** The machines of an app as readers see them. */
export const seenMachines = (context: RouteContext, app: string): EmulatedMachine[] =>
  context.world.seenAmong(context.records.machinesOf(app), (machine) => machine.app === app)

/** What Fly answers for an app that it does not know. */
export const APP_NOT_FOUND = { status: 404, body: { error: 'not_found: app not found' } } as const
/** What Fly answers for a machine that it does not know. */
export const MACHINE_NOT_FOUND = { status: 404, body: { error: 'not_found: machine not found' } } as const
