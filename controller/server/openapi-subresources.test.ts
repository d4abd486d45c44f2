/** What discovery and OpenAPI say of actions and scale. Rules: docs/spec/actions.md. */
import { describe, expect, test } from 'vitest'
import { resourceOf } from '../api/resource-of.ts'
import { KINDS } from '../kinds/kinds.ts'
import { aggregatedDiscovery, resourceList } from './discovery.ts'
import { compileJsonPath } from './json-path.ts'
import { openapiV2 } from './openapi-v2.ts'
import { openapiDocument } from './openapi-v3.ts'

const GROUP = 'sprites.highera.com'
const RESOURCES = KINDS.map((kind) => resourceOf(kind))
const PATHS = [
  ['/apis/sprites.highera.com/v1alpha1/namespaces/{namespace}/sprites/{name}/wake', 'post', 'SpriteAction', 'Sprite'],
  ['/apis/sprites.highera.com/v1alpha1/namespaces/{namespace}/sprites/{name}/drain', 'post', 'SpriteAction', 'Sprite'],
  ['/apis/sprites.highera.com/v1alpha1/namespaces/{namespace}/work/{name}/cancel', 'post', 'WorkAction', 'Work'],
  ['/apis/sprites.highera.com/v1alpha1/namespaces/{namespace}/work/{name}/retry', 'post', 'WorkAction', 'Work'],
  ['/apis/sprites.highera.com/v1alpha1/namespaces/{namespace}/reviews/{name}/answer', 'post', 'ReviewAnswer', 'Review'],
] as const

type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly components?: { readonly schemas: Readonly<Record<string, unknown>> }
  readonly definitions?: Readonly<Record<string, unknown>>
}

const refsOf = (value: unknown): string[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([key, member]) => (key === '$ref' ? [String(member)] : refsOf(member)))

const documents: readonly (readonly [string, Document, string])[] = [
  ['v3', openapiDocument(RESOURCES, GROUP, 'v1alpha1') as Document, '#/components/schemas/'],
  ['v2', openapiV2(RESOURCES) as Document, '#/definitions/'],
]

describe.each(documents)('OpenAPI %s', (_, document, prefix) => {
  const models = document.components?.schemas ?? document.definitions ?? {}

  test.each(PATHS)('AC50 %s takes a %s of %s and gives a %s', (path, method, takes, gives) => {
    const operation = document.paths[path]?.[method]
    expect(operation).toMatchObject({
      'x-kubernetes-group-version-kind': { group: GROUP, version: 'v1alpha1', kind: takes },
      responses: { 201: {} },
    })
    expect(refsOf(operation)).toEqual([
      `${prefix}com.highera.sprites.v1alpha1.${takes}`,
      `${prefix}com.highera.sprites.v1alpha1.${gives}`,
    ])
    expect(models[`com.highera.sprites.v1alpha1.${takes}`]).toMatchObject({
      'x-kubernetes-group-version-kind': [{ group: GROUP, version: 'v1alpha1', kind: takes }],
    })
  })

  test('AC50 the scale of tenants takes and gives a Scale, and cannot be applied', () => {
    const scale = document.paths['/apis/sprites.highera.com/v1alpha1/tenants/{name}/scale']
    expect(Object.keys(scale ?? {}).sort()).toEqual(['get', 'parameters', 'patch', 'put'])
    expect(new Set(refsOf(scale))).toEqual(new Set([`${prefix}io.k8s.api.autoscaling.v1.Scale`]))
    expect(JSON.stringify(scale)).not.toContain('apply-patch')
  })

  test('AC50 every reference resolves, and no model name holds a slash', () => {
    const names = Object.keys(models)
    expect(refsOf(document).filter((ref) => !names.includes(ref.replace(prefix, '')))).toEqual([])
    expect(names.filter((name) => name.includes('/'))).toEqual([])
  })
})

test('AC50 both forms of discovery list them with their kinds', () => {
  const legacy = resourceList(RESOURCES, GROUP, 'v1alpha1')
  const named = (name: string): unknown => compileJsonPath(`.resources[?(@.name=="${name}")]`)(legacy)[0]
  expect(named('sprites/wake')).toMatchObject({
    namespaced: true,
    group: GROUP,
    kind: 'SpriteAction',
    verbs: ['create'],
  })
  expect(named('tenants/scale')).toMatchObject({
    namespaced: false,
    group: 'autoscaling',
    version: 'v1',
    kind: 'Scale',
  })
  const { body } = aggregatedDiscovery(RESOURCES, 'groups', 'v2')
  const told = (plural: string): readonly unknown[] =>
    compileJsonPath(`.items[0].versions[0].resources[?(@.resource=="${plural}")].subresources[*].subresource`)(body)
  expect([told('work'), told('reviews'), told('tenants'), told('plans')]).toEqual([
    ['status', 'cancel', 'retry'],
    ['status', 'answer'],
    ['status', 'scale'],
    ['status'],
  ])
})
