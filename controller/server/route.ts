/** Decides what a request path asks for. Pure. */
import { memoized } from '../../system/memo.ts'

/** A path below a group version: a collection, an object or a subresource of one. */
export type ResourcePath = {
  readonly group: string
  readonly version: string
  /** Undefined on the cluster path. */
  readonly namespace: string | undefined
  readonly plural: string
  readonly name: string | undefined
  readonly subresource: string | undefined
}

/** One text for group, version and plural, to look a resource up by. */
export const pathKey = (of: Pick<ResourcePath, 'group' | 'version' | 'plural'>): string =>
  `${of.group}/${of.version}/${of.plural}`

/** A path that tells the server's health. */
export type HealthCheck = 'livez' | 'readyz' | 'healthz'

/** What a path of the Kubernetes API names. */
export type Route =
  | { readonly at: 'root' }
  | { readonly at: 'version' }
  | { readonly at: 'health'; readonly check: HealthCheck }
  | { readonly at: 'metrics' }
  /** /api */
  | { readonly at: 'coreVersions' }
  /** /apis */
  | { readonly at: 'groups' }
  /** /apis/GROUP */
  | { readonly at: 'group'; readonly group: string }
  /** /api/v1 or /apis/GROUP/VERSION */
  | { readonly at: 'groupVersion'; readonly group: string; readonly version: string }
  | { readonly at: 'openapiV2' }
  | { readonly at: 'openapiIndex' }
  | { readonly at: 'openapiDocument'; readonly group: string; readonly version: string }
  | { readonly at: 'resource'; readonly path: ResourcePath }
  /** Inside the API's space, but nothing is there. */
  | { readonly at: 'nothing' }
  /** Outside the API's space: another room may serve it. */
  | { readonly at: 'elsewhere' }

/** The first segments that belong to the Kubernetes API; all others may be mounted by the composition root. */
const API_ROOTS: ReadonlySet<string> = new Set([
  'version',
  'api',
  'apis',
  'openapi',
  'livez',
  'readyz',
  'healthz',
  'metrics',
])

/** /api/v1/namespaces/X/… with one of these is a subresource of the Namespace, with anything else a collection in it. */
const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(['status', 'finalize'])

const NOTHING: Route = { at: 'nothing' }

/** Paths in use at once whose route is not found anew for every request; longer ones than most are not kept. */
const PATHS_REMEMBERED = 2_000
const PATH_CHARS_MAX = 300
const remembered = memoized(routeIn, PATHS_REMEMBERED)

/** The route of a URL path (still percent-encoded). */
export const routeOf = (pathname: string): Route =>
  pathname.length > PATH_CHARS_MAX ? routeIn(pathname) : remembered(pathname)

function routeIn(pathname: string): Route {
  const segments = decodeSegments(pathname)
  if (segments === undefined) return NOTHING
  const [root, ...rest] = segments
  if (root === undefined) return { at: 'root' }
  if (!API_ROOTS.has(root)) return { at: 'elsewhere' }
  switch (root) {
    case 'api':
      return rest.length === 0 ? { at: 'coreVersions' } : routeInGroup('', rest)
    case 'apis':
      return routeInApis(rest)
    case 'openapi':
      return routeInOpenapi(rest)
    case 'livez':
    case 'readyz':
    case 'healthz':
      return rest.length === 0 ? { at: 'health', check: root } : NOTHING
    case 'version':
    case 'metrics':
      return rest.length === 0 ? { at: root } : NOTHING
    default:
      return NOTHING
  }
}

function routeInApis(segments: readonly string[]): Route {
  const [group, ...rest] = segments
  if (group === undefined) return { at: 'groups' }
  return rest.length === 0 ? { at: 'group', group } : routeInGroup(group, rest)
}

function routeInOpenapi(segments: readonly string[]): Route {
  const [version, space, ...rest] = segments
  if (version === 'v2' && space === undefined) return { at: 'openapiV2' }
  if (version !== 'v3') return NOTHING
  if (space === undefined) return { at: 'openapiIndex' }
  const [first, second] = rest
  if (space === 'api' && first !== undefined && rest.length === 1)
    return { at: 'openapiDocument', group: '', version: first }
  if (space === 'apis' && first !== undefined && second !== undefined && rest.length === 2)
    return { at: 'openapiDocument', group: first, version: second }
  return NOTHING
}

function routeInGroup(group: string, segments: readonly string[]): Route {
  const [version, ...rest] = segments
  if (version === undefined) return NOTHING
  if (rest.length === 0) return { at: 'groupVersion', group, version }
  const isNamespaced = rest[0] === 'namespaces' && rest.length > 2 && !isNamespaceSubresource(group, rest)
  const namespace = isNamespaced ? rest[1] : undefined
  const [plural, name, subresource, ...more] = isNamespaced ? rest.slice(2) : rest
  if (plural === undefined || more.length > 0) return NOTHING
  return { at: 'resource', path: { group, version, namespace, plural, name, subresource } }
}

const isNamespaceSubresource = (group: string, rest: readonly string[]): boolean =>
  group === '' && rest.length === 3 && NAMESPACE_SUBRESOURCES.has(rest[2] ?? '')

/** The decoded segments without a trailing slash; undefined when one is empty, too long, or not what it seems. */
function decodeSegments(pathname: string): readonly string[] | undefined {
  const parts = pathname.split('/').slice(1)
  if (parts.at(-1) === '') parts.pop()
  if (parts.length > 9) return undefined
  const segments = parts.map(decodeSegment)
  return segments.includes(undefined) ? undefined : segments.filter((segment) => segment !== undefined)
}

function decodeSegment(part: string): string | undefined {
  try {
    // Most are as they seem, and decoding takes ten times as long as looking.
    const segment = part.includes('%') ? decodeURIComponent(part) : part
    // A slash that was encoded, or a dot segment, would mean another path to whoever reads the name next.
    return segment === '' || segment === '.' || segment === '..' || segment.length > 253 || segment.includes('/')
      ? undefined
      : segment
  } catch {
    return undefined
  }
}
