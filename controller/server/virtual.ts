/** Serves the resources that are in no store: reviews, which are answered, and collections that stay empty. */
import type { Actor } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import type { Registry } from '../registry/registry.ts'
import { contentTypeOf, parseBody } from './body.ts'
import type { DiscoveredResource } from './discovery.ts'
import { EMPTY_COLLECTIONS, emptyList } from './empty-collections.ts'
import { jsonResponse, methodNotAllowed, notServed, type ApiRequest, type ApiResponse } from './exchange.ts'
import { isWatch } from './params.ts'
import { answerReview, REVIEWS } from './reviews.ts'
import { pathKey, type ResourcePath } from './route.ts'

/** What discovery shows of them. */
export const VIRTUAL_RESOURCES: readonly DiscoveredResource[] = [...EMPTY_COLLECTIONS, ...REVIEWS]

/** Answers a request for a virtual resource. Failures are ApiError. */
export type VirtualRunner = (request: ApiRequest, path: ResourcePath, actor: Actor) => Promise<ApiResponse>

/** Finds who serves a path; undefined when it is not a virtual resource's. */
export function createVirtual(
  registry: Pick<Registry, 'resources' | 'list'>,
): (path: ResourcePath) => VirtualRunner | undefined {
  const runners = new Map<string, VirtualRunner>([
    ...EMPTY_COLLECTIONS.map((empty) => [pathKey(empty), emptyRunner(empty, registry)] as const),
    ...REVIEWS.map((review) => [pathKey(review), reviewRunner(review)] as const),
  ])
  return (path) => runners.get(pathKey(path))
}

const reviewRunner =
  (review: DiscoveredResource): VirtualRunner =>
  async (request, path, actor) => {
    if (path.name !== undefined || path.namespace !== undefined) throw notServed()
    if (request.method !== 'POST') throw methodNotAllowed()
    const contentType = contentTypeOf(request.headers.get('content-type'))
    return jsonResponse(201, answerReview(review, parseBody(await request.readBody(), contentType, true), actor))
  }

const emptyRunner =
  (empty: DiscoveredResource, registry: Pick<Registry, 'resources' | 'list'>): VirtualRunner =>
  async (request, path) => {
    if (request.method !== 'GET' || isWatch(request.url.searchParams)) throw methodNotAllowed()
    const { plural } = empty
    if (path.name !== undefined)
      throw new ApiError('NotFound', `${plural} "${path.name}" not found`, { name: path.name, kind: plural })
    // Any resource will do: the revision is the store's.
    const [first] = registry.resources
    if (first === undefined) throw notServed()
    const { resourceVersion } = await registry.list(first, { limit: 1 })
    return jsonResponse(200, emptyList(empty, resourceVersion))
  }
