/** Generates the OpenAPI v3 documents that kubectl apply, create and explain read. Pure. */
import type { ResourceDefinition, SubresourceDefinition } from '../api/resource.ts'
import { APPLY_TYPE } from './apply-patch.ts'
import { VERSION_INFO } from './discovery.ts'
import { gvk, kindModel, listModel, metaModels, modelName } from './openapi-models.ts'
import {
  methodsOf,
  SUBRESOURCE_PATCH_TYPES,
  subresourceModels,
  type SubresourceMethod,
} from './openapi-subresources.ts'

const PREFIX = '#/components/schemas/'

/** The media types of a PATCH. Strategic merge is left out on purpose: kubectl would send it for custom kinds. */
export const PATCH_TYPES = ['application/json-patch+json', 'application/merge-patch+json', APPLY_TYPE] as const

/** The path of a group version: `api/v1` or `apis/GROUP/VERSION`. */
export const specPath = (group: string, version: string): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`

/** Every group version of the resources, in their order. */
export function groupVersionsOf(
  resources: readonly Pick<ResourceDefinition, 'group' | 'version'>[],
): readonly { readonly group: string; readonly version: string }[] {
  const byPath = new Map(resources.map(({ group, version }) => [specPath(group, version), { group, version }]))
  return [...byPath.values()]
}

/** The OpenAPI v3 document of one group version; undefined when nothing is served there. */
export function openapiDocument(
  resources: readonly ResourceDefinition[],
  group: string,
  version: string,
): object | undefined {
  const served = resources.filter((resource) => resource.group === group && resource.version === version)
  if (served.length === 0) return undefined
  const models = served.flatMap((resource) => [
    [modelName(resource), kindModel(resource, PREFIX)] as const,
    [`${modelName(resource)}List`, listModel(resource, PREFIX)] as const,
  ])
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: VERSION_INFO.gitVersion },
    paths: Object.fromEntries(served.flatMap(pathsOf)),
    components: {
      schemas: {
        ...Object.fromEntries(subresourceModels(served, PREFIX)),
        ...Object.fromEntries(models),
        ...metaModels(PREFIX),
      },
      securitySchemes: { BearerToken: { type: 'http', scheme: 'bearer' } },
    },
    security: [{ BearerToken: [] }],
  }
}

type PathItem = readonly [string, object]

function pathsOf(resource: ResourceDefinition): readonly PathItem[] {
  const base = `/${specPath(resource.group, resource.version)}`
  const isNamespaced = resource.scope === 'Namespaced'
  const collection = isNamespaced ? `${base}/namespaces/{namespace}/${resource.plural}` : `${base}/${resource.plural}`
  const inPath = isNamespaced ? [pathParam('namespace')] : []
  const paths: PathItem[] = [
    [collection, { parameters: inPath, ...collectionVerbs(resource) }],
    [`${collection}/{name}`, { parameters: [...inPath, pathParam('name')], ...objectVerbs(resource) }],
  ]
  if (isNamespaced) paths.push([`${base}/${resource.plural}`, { get: listOperation(resource, 'AllNamespaces') }])
  if (resource.hasStatus) {
    const verbs = { get: readOperation(resource, 'Status'), ...writeVerbs(resource, 'Status') }
    paths.push([`${collection}/{name}/status`, { parameters: [...inPath, pathParam('name')], ...verbs }])
  }
  for (const each of resource.subresources ?? []) {
    const verbs = methodsOf(resource, each).map(
      (one) => [one.method, subresourceOperation(resource, each, one)] as const,
    )
    const parameters = [...inPath, pathParam('name')]
    paths.push([`${collection}/{name}/${each.name}`, { parameters, ...Object.fromEntries(verbs) }])
  }
  return paths
}

function subresourceOperation(
  resource: ResourceDefinition,
  { kind, description }: SubresourceDefinition,
  { method, id, takes, gives, code }: SubresourceMethod,
): object {
  const types = method === 'patch' ? SUBRESOURCE_PATCH_TYPES : ['application/json']
  const body = takes === undefined ? {} : { $ref: `${PREFIX}${takes}` }
  // The body of an action may be left out.
  const requestBody = {
    required: method !== 'post',
    content: Object.fromEntries(types.map((type) => [type, { schema: body }])),
  }
  const answer =
    gives === undefined
      ? { 'text/plain': { schema: { type: 'string' } } }
      : { 'application/json': { schema: { $ref: `${PREFIX}${gives}` } } }
  return {
    operationId: id,
    description,
    tags: [resource.group === '' ? 'core' : resource.group],
    parameters: method === 'get' ? [] : WRITE_PARAMS,
    ...(method === 'get' ? {} : { requestBody }),
    responses: { [code]: { description: code === 201 ? 'Created' : 'OK', content: answer } },
    'x-kubernetes-action': method,
    'x-kubernetes-group-version-kind': gvk(kind),
  }
}

const collectionVerbs = (resource: ResourceDefinition): object => ({
  get: listOperation(resource, ''),
  post: operation(resource, {
    id: 'create',
    action: 'post',
    parameters: WRITE_PARAMS,
    requestBody: bodyOf(resource, ['application/json']),
  }),
  delete: operation(resource, { id: 'deletecollection', action: 'deletecollection', parameters: SELECT_PARAMS }),
})

const objectVerbs = (resource: ResourceDefinition): object => ({
  get: readOperation(resource, ''),
  ...writeVerbs(resource, ''),
  delete: operation(resource, {
    id: 'delete',
    action: 'delete',
    parameters: [queryParam('dryRun'), queryParam('propagationPolicy')],
  }),
})

const writeVerbs = (resource: ResourceDefinition, of: string): object => ({
  put: operation(resource, {
    id: `replace${of}`,
    action: 'put',
    parameters: WRITE_PARAMS,
    requestBody: bodyOf(resource, ['application/json']),
  }),
  patch: operation(resource, {
    id: `patch${of}`,
    action: 'patch',
    parameters: [...WRITE_PARAMS, queryParam('force', 'boolean')],
    requestBody: { required: true, content: Object.fromEntries(PATCH_TYPES.map((type) => [type, { schema: {} }])) },
  }),
})

const readOperation = (resource: ResourceDefinition, of: string): object =>
  operation(resource, { id: `read${of}`, action: 'get', parameters: [] })

const listOperation = (resource: ResourceDefinition, of: string): object =>
  operation(resource, {
    id: `list${of}`,
    action: 'list',
    parameters: [...SELECT_PARAMS, queryParam('watch', 'boolean')],
    result: `${modelName(resource)}List`,
  })

type Operation = {
  readonly id: string
  readonly action: string
  readonly parameters: readonly object[]
  readonly requestBody?: object
  readonly result?: string
}

const operation = (resource: ResourceDefinition, of: Operation): object => ({
  operationId: `${of.id}${resource.kind}`,
  tags: [resource.group === '' ? 'core' : resource.group],
  parameters: of.parameters,
  ...(of.requestBody ? { requestBody: of.requestBody } : {}),
  responses: {
    200: {
      description: 'OK',
      content: { 'application/json': { schema: { $ref: `${PREFIX}${of.result ?? modelName(resource)}` } } },
    },
  },
  'x-kubernetes-action': of.action,
  // An object here, an array in the models: that is how kubectl tells them apart.
  'x-kubernetes-group-version-kind': gvk(resource),
})

const bodyOf = (resource: ResourceDefinition, types: readonly string[]): object => ({
  required: true,
  content: Object.fromEntries(types.map((type) => [type, { schema: { $ref: `${PREFIX}${modelName(resource)}` } }])),
})

const queryParam = (name: string, type = 'string'): object => ({
  name,
  in: 'query',
  schema: { type, uniqueItems: true },
})
const pathParam = (name: string): object => ({ name, in: 'path', required: true, schema: { type: 'string' } })

const WRITE_PARAMS = [queryParam('dryRun'), queryParam('fieldManager'), queryParam('fieldValidation')]
const SELECT_PARAMS = [
  queryParam('continue'),
  queryParam('fieldSelector'),
  queryParam('labelSelector'),
  queryParam('limit', 'integer'),
  queryParam('resourceVersion'),
  queryParam('resourceVersionMatch'),
  queryParam('timeoutSeconds', 'integer'),
]
