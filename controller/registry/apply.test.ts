/** Server-side apply over the registry: creates, merges, conflicts, ownership of other writes, what is committed. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../api/object.ts'
import { createMemoryStore } from '../store/memory.ts'
import { StoreError, type Store } from '../store/store.ts'
import { namespaceResource } from './core.ts'
import { CONTEXT, planets, testRegistry, widgetBody, widgets, type TestRegistry } from './testing.ts'

const KEY = { namespace: 'acme', name: 'a' }
const ONE = { ...CONTEXT, fieldManager: 'one' }
const TWO = { ...CONTEXT, fieldManager: 'two' }

const applyTo = (test: TestRegistry, spec: object, context: object = {}, metadata: object = {}) =>
  test.registry.apply(widgets, KEY, widgetBody('a', spec, metadata), { ...ONE, ...context })

const fieldsOf = (object: KubeObject, manager: string): unknown =>
  object.metadata.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1

const managersOf = (object: KubeObject): unknown =>
  object.metadata.managedFields?.map(({ manager, operation, subresource }) => [manager, operation, subresource])

describe('apply', () => {
  test('AP16 creates, then merges; defaults are owned by nobody', async () => {
    const test = await testRegistry()
    const made = await applyTo(test, { size: 1 })
    expect(made).toMatchObject({ created: true, object: { spec: { size: 1, color: 'red' } } })
    expect(made.object.metadata.managedFields).toEqual([
      {
        manager: 'one',
        operation: 'Apply',
        apiVersion: widgets.group + '/v1alpha1',
        time: '2026-01-15T12:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:spec': { 'f:size': {} } },
      },
    ])
    const merged = await applyTo(test, { tags: ['x'] }, TWO)
    expect(merged).toMatchObject({ created: false, object: { spec: { size: 1, color: 'red', tags: ['x'] } } })
    expect((await applyTo(test, {}, ONE)).object.spec).toEqual({ color: 'red', tags: ['x'] })
  })

  test('AP6 the same again commits nothing, whenever it comes', async () => {
    const test = await testRegistry()
    const { object } = await applyTo(test, { size: 1 })
    await test.clock.advance(5000)
    const before = test.commits()
    expect((await applyTo(test, { size: 1 })).object).toBe(object)
    expect(test.commits()).toBe(before)
  })

  test('AP8 a conflict is 409 with causes, and writes nothing; force takes', async () => {
    const test = await testRegistry()
    await applyTo(test, { size: 1 })
    const before = test.commits()
    await expect(applyTo(test, { size: 2 }, TWO)).rejects.toMatchObject({
      reason: 'Conflict',
      message: 'Apply failed with 1 conflict: conflict with "one": .spec.size',
      details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.spec.size' }] },
    })
    expect(test.commits()).toBe(before)
    const { object } = await applyTo(test, { size: 2 }, { ...TWO, force: true })
    expect(managersOf(object)).toEqual([['two', 'Apply', undefined]])
  })

  test('AP4 AP16 refuses what is no configuration of the object', async () => {
    const test = await testRegistry()
    await expect(applyTo(test, { nope: 1 })).rejects.toMatchObject({
      reason: 'InternalError',
      message:
        'failed to create typed patch object (acme/a; sprites.highera.com/v1alpha1, Kind=Widget): .spec.nope: field not declared in schema',
    })
    await expect(applyTo(test, {}, {}, { managedFields: [] })).rejects.toMatchObject({ reason: 'BadRequest' })
    await expect(applyTo(test, {}, {}, { name: 'b' })).rejects.toMatchObject({ reason: 'BadRequest' })
    const nameless = { ...widgetBody('a'), metadata: {} }
    const send = (body: unknown) => test.registry.apply(widgets, KEY, body, ONE)
    for (const body of ['x', null, [], {}, nameless, { ...widgetBody('a'), kind: 'Other' }])
      await expect(send(body)).rejects.toMatchObject({ reason: 'BadRequest' })
    await expect(applyTo(test, {}, { subresource: 'status' })).rejects.toMatchObject({ reason: 'NotFound' })
    await expect(applyTo(test, {}, {}, { uid: 'x' })).rejects.toMatchObject({ reason: 'Conflict' })
    await applyTo(test, {})
    await expect(applyTo(test, {}, {}, { uid: 'x' })).rejects.toMatchObject({ reason: 'Invalid' })
    await expect(applyTo(test, {}, {}, { resourceVersion: '1' })).rejects.toMatchObject({ reason: 'Conflict' })
  })

  test('AP11 a null that is not allowed is refused, with its field', async () => {
    const test = await testRegistry()
    await expect(applyTo(test, { size: null })).rejects.toMatchObject({
      reason: 'Invalid',
      details: { causes: [{ field: 'spec.size' }, { field: '<nil>' }] },
    })
  })

  test('AP13 status and the rest are applied through their own endpoints', async () => {
    const test = await testRegistry()
    await applyTo(test, { size: 1 })
    const body = { ...widgetBody('a', { size: 7 }), status: { note: 'n' } }
    const { object } = await test.registry.apply(widgets, KEY, body, { ...ONE, subresource: 'status' })
    expect(object).toMatchObject({ spec: { size: 1 }, status: { note: 'n' }, metadata: { generation: 1 } })
    expect(managersOf(object)).toEqual([
      ['one', 'Apply', undefined],
      ['one', 'Apply', 'status'],
    ])
    expect((await applyTo(test, { size: 2 })).object.status).toMatchObject({ note: 'n' })
  })

  test('AP16 a dry run answers what a real apply would, and writes nothing', async () => {
    const test = await testRegistry()
    const dryCreate = await applyTo(test, { size: 1 }, { dryRun: true })
    expect(dryCreate.object.metadata).not.toHaveProperty('resourceVersion')
    const created = await applyTo(test, { size: 1 })
    const { uid: _u, resourceVersion: _r, ...metadata } = created.object.metadata
    expect(dryCreate.object).toMatchObject({ ...created.object, metadata })
    const dry = await applyTo(test, { size: 2, tags: ['x'] }, { dryRun: true })
    const real = await applyTo(test, { size: 2, tags: ['x'] })
    expect({ ...dry.object.metadata, resourceVersion: '' }).toEqual({ ...real.object.metadata, resourceVersion: '' })
    expect(dry.object.spec).toEqual(real.object.spec)
  })

  test('AP16 another process that comes between is no matter', async () => {
    const inner = createMemoryStore()
    let faults = 0
    const store: Store = {
      ...inner,
      commit: (mutations) => {
        if (faults === 0) return inner.commit(mutations)
        faults -= 1
        throw new StoreError('Conflict', 'another was faster')
      },
    }
    const test = await testRegistry({ store })
    await applyTo(test, { size: 1 })
    faults = 2
    expect((await applyTo(test, { size: 2 })).object.spec).toMatchObject({ size: 2 })
  })

  test('AP2 built-in kinds can be applied too', async () => {
    const { registry } = await testRegistry()
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'b', labels: { team: 'x' } } }
    const { object, created } = await registry.apply(namespaceResource, { namespace: '', name: 'b' }, body, ONE)
    expect(created).toBe(true)
    expect(object).toMatchObject({ metadata: { labels: { team: 'x' } }, status: { phase: 'Active' } })
    expect(fieldsOf(object, 'one')).toEqual({ 'f:metadata': { 'f:labels': { 'f:team': {} } } })
    const again = await registry.apply(namespaceResource, { namespace: '', name: 'b' }, body, ONE)
    expect(again.object).toBe(object)
  })
})

describe('ownership of other writes', () => {
  test('AP17 creates, patches and replaces own what they change, also at /status', async () => {
    const { registry } = await testRegistry()
    await registry.create(planets, '', { ...widgetBody('a', { size: 1 }), kind: 'Planet' }, ONE)
    const key = { namespace: '', name: 'a' }
    const merge = (body: object, context: object) =>
      registry.patch(planets, key, { type: 'merge', body }, { ...CONTEXT, ...context })
    await merge({ spec: { size: 2 } }, TWO)
    const object = await merge({ status: { note: 'n' } }, { fieldManager: 'ctl', subresource: 'status' })
    expect(fieldsOf(object, 'one')).toEqual({ 'f:spec': { '.': {}, 'f:color': {} } })
    expect(fieldsOf(object, 'two')).toEqual({ 'f:spec': { 'f:size': {} } })
    expect(fieldsOf(object, 'ctl')).toEqual({ 'f:status': { 'f:note': {} } })
    expect(managersOf(object)).toContainEqual(['ctl', 'Update', 'status'])
  })

  test('AP18 managedFields of a request replace, reset, or say nothing', async () => {
    const test = await testRegistry()
    await applyTo(test, { size: 1 })
    const patch = (managedFields: unknown, more: object = {}) =>
      test.registry.patch(widgets, KEY, { type: 'merge', body: { metadata: { managedFields, ...more } } }, TWO)
    expect(managersOf(await patch(null))).toEqual([['one', 'Apply', undefined]])
    expect(managersOf(await patch([{ manager: 'x' }]))).toEqual([['one', 'Apply', undefined]])
    const entry = {
      manager: 'new',
      operation: 'Apply',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': {} },
    }
    expect(managersOf(await patch([entry]))).toEqual([['new', 'Apply', undefined]])
    expect((await patch([{}])).metadata.managedFields).toBeUndefined()
    // Nobody is known to own anything: so it stays until the next apply.
    const untracked = await patch(undefined, { labels: { a: 'b' } })
    expect(untracked.metadata.managedFields).toBeUndefined()
    expect(managersOf((await applyTo(test, { size: 1 })).object)).toEqual([
      ['one', 'Apply', undefined],
      ['before-first-apply', 'Update', undefined],
    ])
  })

  test('AP19 what cannot be told fails no write, and a write that changes nothing costs none', async () => {
    const { registry, commits } = await testRegistry()
    await registry.create(widgets, 'acme', widgetBody('a', { size: 1 }), ONE)
    const before = commits()
    const same = await registry.patch(widgets, KEY, { type: 'merge', body: { spec: { size: 1 } } }, TWO)
    expect([commits() - before, managersOf(same)]).toEqual([0, [['one', 'Update', undefined]]])
  })
})
