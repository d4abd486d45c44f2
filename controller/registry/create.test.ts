/** Creates: what the server fills in, what it ignores and what it refuses. */
import { describe, expect, test } from 'vitest'
import type { Admission } from '../api/admission.ts'
import { ApiError } from '../api/errors.ts'
import { namespaceResource, eventResource } from './core.ts'
import { CONTEXT, planets, testRegistry, widgetBody, widgets } from './testing.ts'

const namespaceDefaults = {
  apiVersion: 'sprites.highera.com/v1alpha1',
  kind: 'Widget',
}

describe('create', () => {
  test('RG1 fills uid, creationTimestamp, generation 1, resourceVersion and the defaults', async () => {
    const { registry } = await testRegistry()
    const made = await registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)
    expect(made).toMatchObject({
      ...namespaceDefaults,
      metadata: { name: 'a', namespace: 'acme', generation: 1, creationTimestamp: '2026-01-15T12:00:00Z' },
      spec: { color: 'red' },
      status: { observedGeneration: -1 },
    })
    expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/)
    expect(made.metadata.resourceVersion).toMatch(/^[1-9]\d*$/)
    expect(await registry.get(widgets, { namespace: 'acme', name: 'a' })).toBe(made)
    expect(Object.isFrozen(made) && Object.isFrozen(made.spec)).toBe(true)
  })

  test('RG1 ignores what the server owns, null or stale, and drops empty maps and lists', async () => {
    const { registry } = await testRegistry()
    const mine = {
      uid: 'mine',
      creationTimestamp: '2001-01-01T00:00:00.000Z',
      generation: 0,
      managedFields: [{}],
      deletionTimestamp: '2001-01-01T00:00:00Z',
      selfLink: '/x',
      labels: {},
      annotations: null,
      finalizers: [],
      ownerReferences: [],
    }
    const body = { ...widgetBody('a', {}, mine), status: { note: 'forged' } }
    const { metadata, status } = await registry.create(widgets, 'acme', body, CONTEXT)
    expect(metadata.uid).not.toBe('mine')
    expect(Object.keys(metadata).sort()).toEqual(
      ['creationTimestamp', 'generation', 'managedFields', 'name', 'namespace', 'resourceVersion', 'uid'].sort(),
    )
    expect(metadata.generation).toBe(1)
    expect(status).toEqual({ observedGeneration: -1 })
  })

  test('RG2 unknown fields are refused, warned of or dropped in silence', async () => {
    const { registry } = await testRegistry()
    const warnings: string[] = []
    const context = { ...CONTEXT, warn: (text: string) => warnings.push(text) }
    const body = (name: string): object => widgetBody(name, { colour: 'blue' }, { lables: {} })
    await expect(
      registry.create(widgets, 'acme', body('a'), { ...context, fieldValidation: 'Strict' }),
    ).rejects.toMatchObject({
      reason: 'BadRequest',
      message:
        'Widget in version "v1alpha1" cannot be handled as a Widget: strict decoding error: unknown field "metadata.lables", unknown field "spec.colour"',
    })
    const made = await registry.create(widgets, 'acme', body('b'), context)
    expect(made.spec).toEqual({ color: 'red' })
    expect(warnings).toEqual(['unknown field "metadata.lables"', 'unknown field "spec.colour"'])
    await registry.create(widgets, 'acme', body('c'), { ...context, fieldValidation: 'Ignore' })
    expect(warnings).toHaveLength(2)
  })

  const refused: readonly [string, { body: unknown; namespace?: string }, { reason: string; field?: string }][] = [
    ['a body that is no object', { body: [] }, { reason: 'BadRequest' }],
    ['another kind', { body: { ...widgetBody('a'), kind: 'Gadget' } }, { reason: 'Invalid', field: 'kind' }],
    ['a custom kind without apiVersion', { body: { metadata: { name: 'a' }, spec: {} } }, { reason: 'BadRequest' }],
    ['metadata of the wrong type', { body: widgetBody('a', {}, { labels: { x: 1 } }) }, { reason: 'BadRequest' }],
    ['a resourceVersion', { body: widgetBody('a', {}, { resourceVersion: '7' }) }, { reason: 'BadRequest' }],
    ['a namespace that is not the path’s', { body: widgetBody('a', {}, { namespace: 'b' }) }, { reason: 'BadRequest' }],
    ['no namespace', { body: widgetBody('a'), namespace: '' }, { reason: 'BadRequest' }],
    ['a missing namespace', { body: widgetBody('a'), namespace: 'none' }, { reason: 'NotFound' }],
    ['no name', { body: widgetBody('') }, { reason: 'Invalid', field: 'metadata.name' }],
    ['a bad name', { body: widgetBody('A_b') }, { reason: 'Invalid', field: 'metadata.name' }],
    [
      'a bad label',
      { body: widgetBody('a', {}, { labels: { 'a b': 'x' } }) },
      { reason: 'Invalid', field: 'metadata.labels' },
    ],
    [
      'a bad finalizer',
      { body: widgetBody('a', {}, { finalizers: ['x y/z'] }) },
      { reason: 'Invalid', field: 'metadata.finalizers' },
    ],
    ['a value past its bound', { body: widgetBody('a', { size: 101 }) }, { reason: 'Invalid', field: 'spec.size' }],
    ['a broken rule', { body: widgetBody('a', { color: 'ultraviolet' }) }, { reason: 'Invalid', field: 'spec.color' }],
    [
      'annotations past 256 KiB',
      { body: widgetBody('a', {}, { annotations: { x: 'y'.repeat(300_000) } }) },
      { reason: 'Invalid', field: 'metadata.annotations' },
    ],
  ]
  test.each(refused)('RG3 refuses %s', async (_title, { body, namespace = 'acme' }, { reason, field }) => {
    const { registry, commits } = await testRegistry()
    const error = await registry.create(widgets, namespace, body, CONTEXT).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(ApiError)
    const { reason: got, details } = error as ApiError
    expect(got).toBe(reason)
    if (field !== undefined) expect(details.causes?.map((cause) => cause.field)).toContain(field)
    expect(commits()).toBe(0)
  })

  test('RG3 refuses a body that is nested too deep', async () => {
    const { registry } = await testRegistry()
    let deep: unknown = 1
    for (let level = 0; level < 5_000; level++) deep = [deep]
    await expect(registry.create(widgets, 'acme', widgetBody('a', { tags: deep }), CONTEXT)).rejects.toMatchObject({
      reason: 'BadRequest',
    })
  })

  test('RG4 a second create of a name is AlreadyExists, of a generated name it takes another', async () => {
    const { registry } = await testRegistry()
    await registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)
    await expect(registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)).rejects.toMatchObject({
      reason: 'AlreadyExists',
      code: 409,
    })
    const names = new Set<string>()
    for (let n = 0; n < 20; n++) {
      const body = { ...widgetBody(''), metadata: { generateName: 'w-' } }
      names.add((await registry.create(widgets, 'acme', body, CONTEXT)).metadata.name)
    }
    expect(names.size).toBe(20)
    for (const name of names) expect(name).toMatch(/^w-[a-z0-9]{5}$/)
  })

  test('RG5 a dry run commits nothing, answers without resourceVersion, and still refuses', async () => {
    const { registry, commits } = await testRegistry()
    const context = { ...CONTEXT, dryRun: true }
    const dry = await registry.create(widgets, 'acme', widgetBody('a'), context)
    expect(dry).toMatchObject({ spec: { color: 'red' } })
    expect('resourceVersion' in dry.metadata).toBe(false)
    expect(commits()).toBe(0)
    await registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)
    await expect(registry.create(widgets, 'acme', widgetBody('a'), context)).rejects.toMatchObject({
      reason: 'AlreadyExists',
    })
  })

  test('RG6 an object of more than 1 MiB is refused', async () => {
    const { registry } = await testRegistry()
    await registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)
    const body = { status: { note: 'x'.repeat(1_100_000) } }
    const write = { ...CONTEXT, subresource: 'status' as const }
    await expect(
      registry.patch(widgets, { namespace: 'acme', name: 'a' }, { type: 'merge', body }, write),
    ).rejects.toMatchObject({ reason: 'RequestEntityTooLarge' })
  })

  test('RG7 a namespaced create in a namespace that is going is Forbidden', async () => {
    const { registry } = await testRegistry()
    await registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)
    await registry.delete(namespaceResource, { namespace: '', name: 'acme' }, {}, CONTEXT)
    await expect(registry.create(widgets, 'acme', widgetBody('b'), CONTEXT)).rejects.toMatchObject({
      reason: 'Forbidden',
      details: { causes: [{ reason: 'NamespaceTerminating' }] },
    })
  })

  test('RG8 built-in kinds may come without apiVersion and kind; a namespace gets phase, finalizer and label', async () => {
    const { registry } = await testRegistry()
    const made = await registry.create(namespaceResource, '', { metadata: { name: 'b' } }, CONTEXT)
    expect(made).toMatchObject({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { labels: { 'kubernetes.io/metadata.name': 'b' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    })
    const event = { metadata: { name: 'e' }, reason: 'Made', involvedObject: { kind: 'Widget', name: 'a' } }
    expect(await registry.create(eventResource, 'acme', event, CONTEXT)).toMatchObject({ reason: 'Made' })
  })

  test('RG9 admission sees what it needs, and a Forbidden violation speaks first', async () => {
    const seen: unknown[] = []
    const admission: Admission = {
      needs: () => [{ kind: planets as never, key: { namespace: '', name: 'earth' } }],
      admit: ({ operation, object }, related) => {
        seen.push(operation, related.get(planets as never, { namespace: '', name: 'earth' })?.metadata.name)
        if (object.metadata.name === 'fine') return []
        return [
          { reason: 'Invalid', field: 'spec.size', message: 'is odd' },
          { reason: 'Forbidden', field: 'spec.color', message: 'the plan allows 2' },
        ]
      },
    }
    const { registry, widgets: limited } = await testRegistry({ admission })
    const earth = { apiVersion: planets.group + '/v1alpha1', kind: 'Planet', metadata: { name: 'earth' }, spec: {} }
    await registry.create(planets, '', earth, CONTEXT)
    await registry.create(limited, 'acme', widgetBody('fine'), CONTEXT)
    expect(seen).toEqual(['CREATE', 'earth'])
    await expect(registry.create(limited, 'acme', widgetBody('a'), CONTEXT)).rejects.toMatchObject({
      reason: 'Forbidden',
      code: 403,
      details: { causes: [{ field: 'spec.size' }, { field: 'spec.color', message: 'the plan allows 2' }] },
    })
  })
})
