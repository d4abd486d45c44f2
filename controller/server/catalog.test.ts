/** Tests of discovery and OpenAPI over the kinds of the product. */
import { describe, expect, it } from 'vitest'
import { hasReason } from '../api/errors.ts'
import { resourceOf } from '../api/resource-of.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { KINDS } from '../kinds/kinds.ts'
import { createCatalog, type CatalogRoute } from './catalog.ts'
import type { ApiResponse } from './exchange.ts'
import { modelName } from './openapi-models.ts'

const namespaces: ResourceDefinition = {
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  singular: 'namespace',
  shortNames: ['ns'],
  categories: [],
  scope: 'Cluster',
  description: 'A namespace.',
  hasStatus: true,
  columns: [],
  selectableFields: [],
}
const resources = [namespaces, ...KINDS.map((kind) => resourceOf(kind))]
const catalog = createCatalog(resources)
const ask = (route: CatalogRoute, accept?: string): ApiResponse =>
  catalog(route, { url: new URL('http://x/'), headers: new Map(accept === undefined ? [] : [['accept', accept]]) })
// The bodies are JSON that the tests look into.
// oxlint-disable-next-line typescript/no-explicit-any
const bodyOf = (response: ApiResponse): any => JSON.parse(String(response.body))
const GROUP = 'sprites.highera.com'
const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

describe('discovery', () => {
  it('SV9 aggregated v2 lists the groups with their exact Content-Type', () => {
    const response = ask({ at: 'groups' }, `${V2},application/json`)
    expect(response.headers['Content-Type']).toBe(V2)
    expect(response.headers['Vary']).toBe('Accept')
    const body = bodyOf(response)
    expect(body.apiVersion).toBe('apidiscovery.k8s.io/v2')
    expect(body.items.map((item: { metadata: { name: string } }) => item.metadata.name)).toEqual([GROUP])
    const sprites = body.items[0].versions[0].resources.find(
      (each: { resource: string }) => each.resource === 'sprites',
    )
    expect(sprites).toMatchObject({ scope: 'Namespaced', shortNames: ['spr'], singularResource: 'sprite' })
    expect(sprites.subresources[0]).toMatchObject({ subresource: 'status', verbs: ['get', 'patch', 'update'] })
    expect(sprites.verbs).toContain('deletecollection')
  })

  it('SV9 /api holds the core group alone', () => {
    const body = bodyOf(ask({ at: 'coreVersions' }, V2))
    expect(body.items).toHaveLength(1)
    expect(body.items[0].metadata.name).toBeUndefined()
    expect(body.items[0].versions[0].version).toBe('v1')
  })

  it('SV9 legacy discovery lists versions, groups and resources with subresources', () => {
    expect(bodyOf(ask({ at: 'coreVersions' })).versions).toEqual(['v1'])
    expect(bodyOf(ask({ at: 'groups' })).groups[0]).toMatchObject({
      name: GROUP,
      preferredVersion: { groupVersion: `${GROUP}/v1alpha1` },
    })
    expect(bodyOf(ask({ at: 'group', group: GROUP })).kind).toBe('APIGroup')
    const list = bodyOf(ask({ at: 'groupVersion', group: GROUP, version: 'v1alpha1' }))
    expect(list.groupVersion).toBe(`${GROUP}/v1alpha1`)
    const names = list.resources.map((each: { name: string }) => each.name)
    expect(names).toContain('sprites')
    expect(names).toContain('sprites/status')
  })

  it('SV9 what is not served is NotFound, even under a name that every object has', () => {
    for (const group of ['constructor', 'none.io', ''])
      expect(() => ask({ at: 'group', group })).toThrow(expect.objectContaining({ reason: 'NotFound' }))
    try {
      ask({ at: 'groupVersion', group: GROUP, version: 'v9' })
      expect.unreachable()
    } catch (error) {
      expect(hasReason(error, 'NotFound')).toBe(true)
    }
  })

  it('SV9 no category is a plural, no short name is taken twice', () => {
    const plurals = new Set(resources.map(({ plural }) => plural))
    const short = resources.flatMap(({ shortNames }) => shortNames)
    expect(resources.flatMap(({ categories }) => categories).filter((category) => plurals.has(category))).toEqual([])
    expect(new Set(short).size).toBe(short.length)
  })
})

const refsOf = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) => (key === '$ref' ? [String(member)] : refsOf(member)))
}

describe('OpenAPI v3', () => {
  const index = bodyOf(ask({ at: 'openapiIndex' })).paths
  const document = bodyOf(ask({ at: 'openapiDocument', group: GROUP, version: 'v1alpha1' }))

  it('SV10 the index lists every group version under a hash that its document keeps', () => {
    expect(Object.keys(index)).toEqual(['api/v1', `apis/${GROUP}/v1alpha1`])
    const url = index[`apis/${GROUP}/v1alpha1`].serverRelativeURL
    expect(url).toMatch(/^\/openapi\/v3\/apis\/sprites\.highera\.com\/v1alpha1\?hash=[0-9A-F]{64}$/)
  })

  it('SV10 every reference resolves and no model name holds a slash', () => {
    const models = document.components.schemas
    for (const ref of refsOf(document))
      expect(Object.hasOwn(models, ref.replace('#/components/schemas/', ''))).toBe(true)
    expect(Object.keys(models).filter((name) => name.includes('/'))).toEqual([])
    expect(models).toHaveProperty(['com.highera.sprites.v1alpha1.Sprite'])
  })

  it('SV10 PATCH lists fieldValidation and names its kind; strategic merge is not offered', () => {
    const patch = document.paths[`/apis/${GROUP}/v1alpha1/namespaces/{namespace}/sprites/{name}`].patch
    expect(patch.parameters.map((each: { name: string }) => each.name)).toContain('fieldValidation')
    expect(patch['x-kubernetes-group-version-kind']).toEqual({ group: GROUP, kind: 'Sprite', version: 'v1alpha1' })
    expect(Object.keys(patch.requestBody.content)).not.toContain('application/strategic-merge-patch+json')
  })

  it('SV10 models carry the kind as a list and the descriptions of their fields', () => {
    const sprite = document.components.schemas['com.highera.sprites.v1alpha1.Sprite']
    expect(sprite['x-kubernetes-group-version-kind']).toEqual([{ group: GROUP, kind: 'Sprite', version: 'v1alpha1' }])
    expect(sprite.properties.spec.properties.idleTimeoutSeconds.description).toContain('seconds')
  })

  it('SV10 model names reverse the group', () => {
    expect(modelName(namespaces)).toBe('io.k8s.api.core.v1.Namespace')
    expect(modelName({ group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' })).toBe(
      'io.k8s.coordination.v1.Lease',
    )
  })
})
