/** Serves the resources that are in no store: reviews, which are answered and forgotten. */
import type { Authorizer } from '../access/authorizer.ts'
import type { Actor } from '../api/admission.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { contentTypeOf, parseBody } from './body.ts'
import type { DiscoveredResource } from './discovery.ts'
import { jsonResponse, methodNotAllowed, notServed, type ApiRequest, type ApiResponse } from './exchange.ts'
import { accessRequestOf, permit } from './permit.ts'
import { answerReview, REVIEWS, type ReviewPorts } from './reviews.ts'
import { pathKey, type ResourcePath } from './route.ts'

/** What discovery shows of them. */
export const VIRTUAL_RESOURCES: readonly DiscoveredResource[] = REVIEWS

/** Answers a request for a virtual resource. Failures are ApiError. */
export type VirtualRunner = (request: ApiRequest, path: ResourcePath, actor: Actor) => Promise<ApiResponse>

/** Finds who serves a path; undefined when it is not a virtual resource's. `resources` are all others that are served. */
export function createVirtual(
  authorizer: Authorizer,
  resources: readonly Pick<ResourceDefinition, 'group' | 'plural' | 'scope'>[],
): (path: ResourcePath) => VirtualRunner | undefined {
  const scopes = new Map(
    [...resources, ...VIRTUAL_RESOURCES].map((one) => [`${one.group}/${one.plural}`, one.scope] as const),
  )
  const ports: ReviewPorts = { authorizer, scopeOf: (group, resource) => scopes.get(`${group}/${resource}`) }
  const runners = new Map(REVIEWS.map((review) => [pathKey(review), reviewRunner(ports, review)]))
  return (path) => runners.get(pathKey(path))
}

const reviewRunner =
  (ports: ReviewPorts, review: DiscoveredResource): VirtualRunner =>
  async (request, path, actor) => {
    const isPlaced = (path.namespace !== undefined) === (review.scope === 'Namespaced')
    if (path.name !== undefined || !isPlaced) throw notServed()
    if (request.method !== 'POST') throw methodNotAllowed()
    permit(ports.authorizer, accessRequestOf(actor, 'create', { resource: review, path }))
    const contentType = contentTypeOf(request.headers.get('content-type'))
    const body = parseBody(await request.readBody(), contentType, true)
    return jsonResponse(201, answerReview(ports, review, { body, actor, namespace: path.namespace }))
  }
