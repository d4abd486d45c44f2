/** The emulator's routes: which method and path is which action, and the parts of a path. */
import type { EmulatedApp, EmulatedMachine } from './model.ts'
import type { EmulatorRecords } from './records.ts'
import type { Answer } from './wire.ts'
import type { EmulatedWorld } from './world.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Entropy } from '../../../system/entropy.ts'

/** What every route may use. */
/** One method and path, and what answers it. */
export type RouteContext = {
  readonly world: EmulatedWorld
  readonly records: EmulatorRecords
  readonly clock: Clock
  readonly entropy: Entropy
  readonly orgSlug: string
  readonly closing: AbortSignal
}

/** A request as a route sees it: parts of the path that it has not are "". */
export type RouteRequest = {
  readonly app: string
  readonly machine: string
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

/** The route of a request and the parts of its path; undefined where there is none. */
export function findRoute(
  routes: readonly Route[],
  method: string,
  path: string,
): { readonly route: Route; readonly parts: ReadonlyMap<string, string> } | undefined {
  const segments = path.split('/').slice(1)
  if (segments[0] !== 'v1') return undefined
  for (const route of routes) {
    if (route.method !== method) continue
    const parts = matchPath(route.path.split('/').slice(1), segments.slice(1))
    if (parts) return { route, parts }
  }
  return undefined
}

function matchPath(pattern: readonly string[], segments: readonly string[]): Map<string, string> | undefined {
  if (pattern.length !== segments.length) return undefined
  const parts = new Map<string, string>()
  for (const [at, expected] of pattern.entries()) {
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

/** The machine of a request, if its app has it. */
export function machineOf(context: RouteContext, request: RouteRequest): EmulatedMachine | undefined {
  const machine = context.records.machines.get(request.machine)
  return machine?.app === request.app ? machine : undefined
}

/** Machines of an app. */
export const machinesOf = (context: RouteContext, app: string): EmulatedMachine[] =>
  [...context.records.machines.values()].filter((machine) => machine.app === app)
