/** Generates the OpenAPI v2 document that kubectl 1.27 and 1.28, Argo CD and Terraform read. Pure. */
import type { ResourceDefinition, SubresourceDefinition } from '../api/resource.ts'
import { VERSION_INFO } from './discovery.ts'
import { gvk, kindModel, listModel, metaModels, modelName } from './openapi-models.ts'
import {
  methodsOf,
  SUBRESOURCE_PATCH_TYPES,
  subresourceModels,
  type SubresourceMethod,
} from './openapi-subresources.ts'
import { PATCH_TYPES, specPath } from './openapi-v3.ts'

const PREFIX = '#/definitions/'

/** The whole API as one OpenAPI v2 document. */
export function openapiV2(resources: readonly ResourceDefinition[]): object {
  const models = resources.flatMap((resource) => [
    [modelName(resource), withoutV3Only(kindModel(resource, PREFIX))] as const,
    [`${modelName(resource)}List`, listModel(resource, PREFIX)] as const,
  ])
  const others = subresourceModels(resources, PREFIX).map(([name, model]) => [name, withoutV3Only(model)] as const)
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version: VERSION_INFO.gitVersion },
    paths: Object.fromEntries(resources.flatMap(pathsOf)),
    definitions: { ...Object.fromEntries(others), ...Object.fromEntries(models), ...metaModels(PREFIX) },
  }
}

/** Schema members that OpenAPI v2 does not have. */
const V3_ONLY: ReadonlySet<string> = new Set(['nullable', 'oneOf', 'anyOf', 'not', 'x-kubernetes-validations'])

/** Schema members that hold a map of schemas by name, so that a field called `nullable` is kept. */
const MAPS: ReadonlySet<string> = new Set(['properties'])

function withoutV3Only(schema: unknown, isMap = false): unknown {
  if (Array.isArray(schema)) return schema.map((item) => withoutV3Only(item))
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([name]) => isMap || !V3_ONLY.has(name))
      // A default or an enum is a value, not a schema.
      .map(([name, member]) => [
        name,
        !isMap && (name === 'default' || name === 'enum') ? member : withoutV3Only(member, !isMap && MAPS.has(name)),
      ]),
  )
}

function pathsOf(resource: ResourceDefinition): readonly (readonly [string, object])[] {
  const base = `/${specPath(resource.group, resource.version)}`
  const isNamespaced = resource.scope === 'Namespaced'
  const collection = isNamespaced ? `${base}/namespaces/{namespace}/${resource.plural}` : `${base}/${resource.plural}`
  const inPath = isNamespaced ? [pathParam('namespace')] : []
  const list = { get: operation(resource, { action: 'list', result: `${modelName(resource)}List` }) }
  const objectVerbs = { get: operation(resource, { action: 'get' }), ...writeVerbs(resource) }
  const onObject = { parameters: [...inPath, pathParam('name')] }
  return [
    [
      collection,
      { parameters: inPath, ...list, post: operation(resource, { action: 'post', parameters: writeParams(resource) }) },
    ],
    [`${collection}/{name}`, { ...onObject, ...objectVerbs, delete: operation(resource, { action: 'delete' }) }],
    ...(isNamespaced ? [[`${base}/${resource.plural}`, list] as const] : []),
    ...(resource.hasStatus ? [[`${collection}/{name}/status`, { ...onObject, ...objectVerbs }] as const] : []),
    ...(resource.subresources ?? []).map((each) => {
      const verbs = methodsOf(resource, each).map((one) => [one.method, subresourceOperation(each, one)] as const)
      return [`${collection}/{name}/${each.name}`, { ...onObject, ...Object.fromEntries(verbs) }] as const
    }),
  ]
}

function subresourceOperation(
  { kind, description }: SubresourceDefinition,
  { method, id, takes, gives, code }: SubresourceMethod,
): object {
  const schema = takes === undefined ? { type: 'object' } : { $ref: `${PREFIX}${takes}` }
  // The body of an action may be left out.
  const body = { name: 'body', in: 'body', required: method !== 'post', schema }
  const answer = gives === undefined ? { type: 'string' } : { $ref: `${PREFIX}${gives}` }
  return {
    operationId: id,
    description,
    consumes: method === 'patch' ? SUBRESOURCE_PATCH_TYPES : ['application/json'],
    produces: [gives === undefined ? 'text/plain' : 'application/json'],
    parameters: method === 'get' ? [] : [body, ...WRITE_PARAMS],
    responses: { [code]: { description: code === 201 ? 'Created' : 'OK', schema: answer } },
    'x-kubernetes-action': method,
    'x-kubernetes-group-version-kind': gvk(kind),
  }
}

const writeVerbs = (resource: ResourceDefinition): object => ({
  put: operation(resource, { action: 'put', parameters: writeParams(resource) }),
  patch: operation(resource, {
    action: 'patch',
    parameters: [{ name: 'body', in: 'body', required: true, schema: { type: 'object' } }, ...WRITE_PARAMS],
    consumes: PATCH_TYPES,
  }),
})

type Operation = {
  readonly action: string
  readonly parameters?: readonly object[]
  readonly consumes?: readonly string[]
  readonly result?: string
}

const operation = (resource: ResourceDefinition, of: Operation): object => ({
  operationId: `${of.action}${resource.kind}`,
  consumes: of.consumes ?? ['application/json'],
  produces: ['application/json'],
  parameters: of.parameters ?? [],
  responses: {
    200: { description: 'OK', schema: { $ref: `${PREFIX}${of.result ?? modelName(resource)}` } },
  },
  'x-kubernetes-action': of.action,
  'x-kubernetes-group-version-kind': gvk(resource),
})

const queryParam = (name: string): object => ({ name, in: 'query', type: 'string', uniqueItems: true })
const pathParam = (name: string): object => ({ name, in: 'path', type: 'string', required: true, uniqueItems: true })
const WRITE_PARAMS = [queryParam('dryRun'), queryParam('fieldManager'), queryParam('fieldValidation')]
const writeParams = (resource: ResourceDefinition): readonly object[] => [
  { name: 'body', in: 'body', required: true, schema: { $ref: `${PREFIX}${modelName(resource)}` } },
  ...WRITE_PARAMS,
]
