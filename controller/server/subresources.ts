/** The port of subresources besides status: scale, log and actions, each answered by whoever knows how. Pure: types. */
import type { ResourceDefinition, SubresourceDefinition } from '../api/resource.ts'
import type { ApiResponse } from './exchange.ts'
import type { Call, Verb } from './verbs.ts'

/** One subresource and who answers it; the caller is authenticated and allowed by then. Failures are ApiError. */
export type ServedSubresource = {
  /** The resource under which it lies; its `subresources` name this one. */
  readonly resource: ResourceDefinition
  readonly definition: SubresourceDefinition
  readonly serve: (verb: Verb, call: Call) => Promise<ApiResponse>
}

/** The key of a subresource in a lookup by path. */
export const subresourceKey = (resource: ResourceDefinition, name: string): string =>
  `${resource.group}/${resource.version}/${resource.plural}/${name}`
