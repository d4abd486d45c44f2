/** The subresources besides status, as the OpenAPI documents tell them: models of their kinds, and what each method takes and gives. Pure. */
import type { ResourceDefinition, ResourceVerb, SubresourceDefinition } from '../api/resource.ts'
import { kindModel, modelName } from './openapi-models.ts'

/** The models of kinds that only subresources take, by name; the rest are those of served resources. */
export const subresourceModels = (
  resources: readonly ResourceDefinition[],
  prefix: string,
): readonly (readonly [string, object])[] =>
  resources.flatMap(({ subresources = [] }) =>
    subresources.flatMap(({ kind, description, schema }) => {
      if (schema === undefined) return []
      const model = kindModel({ ...kind, description: schema.description ?? description, schema }, prefix)
      return [[modelName(kind), model] as const]
    }),
  )

/** One method of a subresource. */
export type SubresourceMethod = {
  readonly method: 'get' | 'put' | 'patch' | 'post'
  readonly id: string
  /** Model of the body, where it is one; a patch's is not. */
  readonly takes?: string
  /** Model of the answer; absent where it is no object. */
  readonly gives?: string
  readonly code: 200 | 201
}

const METHODS: Readonly<Partial<Record<ResourceVerb, SubresourceMethod['method']>>> = {
  get: 'get',
  update: 'put',
  patch: 'patch',
  create: 'post',
}

/** The media types of a PATCH of a subresource: it has no fields of its own for managers to own. */
export const SUBRESOURCE_PATCH_TYPES = ['application/json-patch+json', 'application/merge-patch+json'] as const

/** What the methods of a subresource take and give. */
export function methodsOf(resource: ResourceDefinition, of: SubresourceDefinition): readonly SubresourceMethod[] {
  const own = of.schema === undefined ? undefined : modelName(of.kind)
  const isObject = of.gives === 'object' || (own === undefined && modelName(of.kind) === modelName(resource))
  // A log has the kind of its object in discovery, and is text.
  const gives =
    own !== undefined && of.gives === undefined ? own : isObject && of.name !== 'log' ? modelName(resource) : undefined
  const suffix = `${resource.kind}${of.name.charAt(0).toUpperCase()}${of.name.slice(1)}`
  return of.verbs.flatMap((verb): SubresourceMethod[] => {
    const method = METHODS[verb]
    if (method === undefined) return []
    const takes = own !== undefined && (method === 'put' || method === 'post') ? { takes: own } : {}
    const answer = gives === undefined ? {} : { gives }
    return [{ method, id: `${verb}${suffix}`, code: method === 'post' ? 201 : 200, ...takes, ...answer }]
  })
}
