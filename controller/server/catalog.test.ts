/** Tests of discovery and OpenAPI over the kinds of the product. */
import { describe, expect, it } from 'vitest'
import { hasReason } from '../api/errors.ts'
import { resourceOf } from '../api/resource-of.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { KINDS } from '../kinds/kinds.ts'
import { createCatalog, type CatalogRoute } from './catalog.ts'
import { isWhole, type ApiResponse } from './exchange.ts'
import { compileJsonPath } from './json-path.ts'
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
const bodyOf = (response: ApiResponse): unknown =>
  JSON.parse(isWhole(response.body) ? Buffer.from(response.body).toString() : '') as unknown
/** Every value that a JSONPath meets in a body. */
const pick = (body: unknown, path: string): readonly unknown[] => compileJsonPath(path)(body)
const GROUP = 'sprites.highera.com'
const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

describe('discovery', () => {
  it('SV9 aggregated v2 lists the groups with their exact Content-Type', () => {
    const response = ask({ at: 'groups' }, `${V2},application/json`)
    expect(response.headers['Content-Type']).toBe(V2)
    expect(response.headers['Vary']).toBe('Accept')
    const body = bodyOf(response)
    expect(pick(body, '.apiVersion')).toEqual(['apidiscovery.k8s.io/v2'])
    expect(pick(body, '.items[*].metadata.name')).toEqual([GROUP])
    const [sprites] = pick(body, '.items[0].versions[0].resources[?(@.resource=="sprites")]')
    expect(sprites).toMatchObject({ scope: 'Namespaced', shortNames: ['spr'], singularResource: 'sprite' })
    expect(pick(sprites, '.subresources[*].subresource')).toEqual(['status', 'wake', 'drain'])
    expect(pick(sprites, '.verbs[*]')).toContain('deletecollection')
  })

  it('SV9 /api holds the core group alone', () => {
    const body = bodyOf(ask({ at: 'coreVersions' }, V2))
    expect(pick(body, '.items[*].versions[*].version')).toEqual(['v1'])
    expect(pick(body, '.items[*].metadata.name')).toEqual([])
  })

  it('SV9 legacy discovery lists versions, groups and resources with subresources', () => {
    expect(pick(bodyOf(ask({ at: 'coreVersions' })), '.versions[*]')).toEqual(['v1'])
    const groups = bodyOf(ask({ at: 'groups' }))
    expect(pick(groups, '.groups[*].preferredVersion.groupVersion')).toEqual([`${GROUP}/v1alpha1`])
    expect(bodyOf(ask({ at: 'group', group: GROUP }))).toMatchObject({ kind: 'APIGroup', name: GROUP })
    const list = bodyOf(ask({ at: 'groupVersion', group: GROUP, version: 'v1alpha1' }))
    expect(pick(list, '.groupVersion')).toEqual([`${GROUP}/v1alpha1`])
    expect(pick(list, '.resources[*].name')).toEqual(expect.arrayContaining(['sprites', 'sprites/status']))
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
  const index = bodyOf(ask({ at: 'openapiIndex' }))
  const document = bodyOf(ask({ at: 'openapiDocument', group: GROUP, version: 'v1alpha1' }))
  const [models] = pick(document, '.components.schemas')

  it('SV10 the index lists every group version under a hash that its document keeps', () => {
    expect(Object.keys(pick(index, '.paths')[0] ?? {})).toEqual(['api/v1', `apis/${GROUP}/v1alpha1`])
    expect(pick(index, `.paths['apis/${GROUP}/v1alpha1'].serverRelativeURL`)[0]).toMatch(
      /^\/openapi\/v3\/apis\/sprites\.highera\.com\/v1alpha1\?hash=[0-9A-F]{64}$/,
    )
  })

  it('SV10 every reference resolves and no model name holds a slash', () => {
    const names = Object.keys(models ?? {})
    const refs = refsOf(document).map((ref) => ref.replace('#/components/schemas/', ''))
    expect(refs.filter((ref) => !names.includes(ref))).toEqual([])
    expect(names.filter((name) => name.includes('/'))).toEqual([])
    expect(names).toContain('com.highera.sprites.v1alpha1.Sprite')
  })

  it('SV10 PATCH lists fieldValidation and names its kind; strategic merge is not offered', () => {
    const [patch] = pick(document, `.paths['/apis/${GROUP}/v1alpha1/namespaces/{namespace}/sprites/{name}'].patch`)
    expect(pick(patch, '.parameters[*].name')).toContain('fieldValidation')
    expect(pick(patch, '.x-kubernetes-group-version-kind')).toEqual([
      { group: GROUP, kind: 'Sprite', version: 'v1alpha1' },
    ])
    expect(JSON.stringify(document)).not.toContain('strategic-merge-patch')
  })

  it('SV10 models carry the kind as a list and the descriptions of their fields', () => {
    const [sprite] = pick(models, "['com.highera.sprites.v1alpha1.Sprite']")
    expect(pick(sprite, '.x-kubernetes-group-version-kind[*].kind')).toEqual(['Sprite'])
    expect(pick(sprite, '.properties.spec.properties.idleTimeoutSeconds.description')[0]).toContain('seconds')
  })

  it('SV10 OpenAPI v2 resolves every reference too, under the names that clients look up', () => {
    const v2 = bodyOf(ask({ at: 'openapiV2' }))
    const names = Object.keys(pick(v2, '.definitions')[0] ?? {})
    expect(refsOf(v2).filter((ref) => !names.includes(ref.replace('#/definitions/', '')))).toEqual([])
    expect(names).toContain('io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta')
    expect(JSON.stringify(v2)).not.toContain('x-kubernetes-validations')
  })

  it('SV10 OpenAPI v2 comes as protobuf to those who ask, under a Content-Type that Go can read', () => {
    const asked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
    const response = ask({ at: 'openapiV2' }, asked)
    expect(response.headers['Content-Type']).toBe(asked.replace('@', '.'))
    // Document.swagger is field 1: tag 0x0a, three bytes, "2.0".
    expect(Buffer.from(response.body as Uint8Array).subarray(0, 5)).toEqual(Buffer.from('\n\u00032.0'))
  })

  it('SV10 model names reverse the group', () => {
    expect(modelName(namespaces)).toBe('io.k8s.api.core.v1.Namespace')
    expect(modelName({ group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' })).toBe(
      'io.k8s.coordination.v1.Lease',
    )
  })
})
