/** Answers the questions about the API itself: versions, discovery, OpenAPI. Documents are made once. */
import { createHash } from 'node:crypto'
import type { ResourceDefinition } from '../api/resource.ts'
import { discoveryVersionOf, parseMediaTypes } from './accept.ts'
import {
  aggregatedDiscovery,
  coreVersions,
  groupList,
  groupNamed,
  resourceList,
  VERSION_INFO,
  type DiscoveredResource,
} from './discovery.ts'
import { jsonResponse, notServed, type ApiRequest, type ApiResponse } from './exchange.ts'
import { encodeOpenapiV2, OPENAPI_V2_ANSWERED, OPENAPI_V2_ASKED } from './openapi-v2-protobuf.ts'
import { openapiV2 } from './openapi-v2.ts'
import { groupVersionsOf, openapiDocument, specPath } from './openapi-v3.ts'
import type { Route } from './route.ts'

/** A path that discovery or OpenAPI answers. */
export type CatalogRoute = Extract<
  Route,
  {
    at:
      | 'root'
      | 'version'
      | 'coreVersions'
      | 'groups'
      | 'group'
      | 'groupVersion'
      | 'openapiV2'
      | 'openapiIndex'
      | 'openapiDocument'
  }
>

/** Answers a catalog route; throws ApiError NotFound for what is not there. */
export type Catalog = (route: CatalogRoute, request: Pick<ApiRequest, 'headers' | 'url'>) => ApiResponse

/** The catalog of these resources; `virtual` ones are discovered but not described. */
export function createCatalog(
  resources: readonly ResourceDefinition[],
  virtual: readonly DiscoveredResource[] = [],
): Catalog {
  const all = [...resources, ...virtual]
  const documents = once(() => openapiDocuments(resources))
  const whole = once(() => wholeDocuments(resources))
  return (route, { headers }) => {
    const accept = headers.get('accept')
    switch (route.at) {
      case 'root':
        return jsonResponse(200, { paths: rootPaths(all) })
      case 'version':
        return jsonResponse(200, VERSION_INFO)
      case 'coreVersions':
        return aggregated(all, 'core', accept) ?? discovered(coreVersions())
      case 'groups':
        return aggregated(all, 'groups', accept) ?? discovered(groupList(all))
      case 'group':
        return discovered(groupNamed(all, route.group))
      case 'groupVersion':
        return discovered(resourceList(all, route.group, route.version))
      case 'openapiIndex':
        return jsonResponse(200, { paths: Object.fromEntries([...documents()].map(indexEntry)) })
      case 'openapiDocument':
        return documentResponse(documents().get(specPath(route.group, route.version)))
      case 'openapiV2':
        return wholeDocument(whole(), accept)
    }
  }
}

type Document = { readonly json: Buffer; readonly hash: string }

function openapiDocuments(resources: readonly ResourceDefinition[]): ReadonlyMap<string, Document> {
  return new Map(
    groupVersionsOf(resources).map(({ group, version }) => {
      const json = Buffer.from(JSON.stringify(openapiDocument(resources, group, version)))
      const hash = createHash('sha256').update(json).digest('hex').toUpperCase()
      return [specPath(group, version), { json, hash }]
    }),
  )
}

const indexEntry = ([path, { hash }]: readonly [string, Document]): [string, object] => [
  path,
  { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` },
]

function documentResponse(document: Document | undefined): ApiResponse {
  if (document === undefined) throw notServed()
  // The hash is in the URL of the index, so that a document may be kept for ever under it.
  const headers = { 'Content-Type': 'application/json', ETag: `"${document.hash}"`, Vary: 'Accept' }
  return { status: 200, headers, body: document.json }
}

type WholeDocument = { readonly json: Buffer; readonly protobuf: Buffer }

function wholeDocuments(resources: readonly ResourceDefinition[]): WholeDocument {
  const document = openapiV2(resources)
  return { json: Buffer.from(JSON.stringify(document)), protobuf: encodeOpenapiV2(document) }
}

function wholeDocument({ json, protobuf }: WholeDocument, accept: string | undefined): ApiResponse {
  const isProtobuf = parseMediaTypes(accept ?? '')[0]?.type === OPENAPI_V2_ASKED
  const headers = { 'Content-Type': isProtobuf ? OPENAPI_V2_ANSWERED : 'application/json', Vary: 'Accept' }
  return { status: 200, headers, body: isProtobuf ? protobuf : json }
}

function aggregated(
  all: readonly DiscoveredResource[],
  space: 'core' | 'groups',
  accept: string | undefined,
): ApiResponse | undefined {
  const version = discoveryVersionOf(accept)
  if (version === undefined) return undefined
  const { contentType, body } = aggregatedDiscovery(all, space, version)
  return jsonResponse(200, body, { 'Content-Type': contentType, Vary: 'Accept' })
}

function discovered(body: object | undefined): ApiResponse {
  if (body === undefined) throw notServed()
  return jsonResponse(200, body, { Vary: 'Accept' })
}

const rootPaths = (all: readonly DiscoveredResource[]): readonly string[] => [
  '/api',
  '/apis',
  ...groupVersionsOf(all).map(({ group, version }) => `/${specPath(group, version)}`),
  '/healthz',
  '/livez',
  '/metrics',
  '/openapi/v2',
  '/openapi/v3',
  '/readyz',
  '/version',
]

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}
