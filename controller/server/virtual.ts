/** Serves the resources that are in no store: reviews, which are answered and forgotten. */
import type { Actor } from '../api/admission.ts'
import { contentTypeOf, parseBody } from './body.ts'
import type { DiscoveredResource } from './discovery.ts'
import { jsonResponse, methodNotAllowed, notServed, type ApiRequest, type ApiResponse } from './exchange.ts'
import { answerReview, REVIEWS } from './reviews.ts'
import { pathKey, type ResourcePath } from './route.ts'

/** What discovery shows of them. */
export const VIRTUAL_RESOURCES: readonly DiscoveredResource[] = REVIEWS

/** Answers a request for a virtual resource. Failures are ApiError. */
export type VirtualRunner = (request: ApiRequest, path: ResourcePath, actor: Actor) => Promise<ApiResponse>

/** Finds who serves a path; undefined when it is not a virtual resource's. */
export function createVirtual(): (path: ResourcePath) => VirtualRunner | undefined {
  const runners = new Map(REVIEWS.map((review) => [pathKey(review), reviewRunner(review)]))
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
