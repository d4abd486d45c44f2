/** Updates, patches and deletes: preconditions, no-ops, generation, ratcheting, races, namespaces. */
import { describe, expect, test } from 'vitest'
import type { Admission } from '../api/admission.ts'
import type { KubeObject } from '../api/object.ts'
import { createMemoryStore } from '../store/memory.ts'
import { StoreError } from '../store/store.ts'
import { leaseResource, namespaceResource } from './core.ts'
import { CONTEXT, testRegistry, widgetBody, widgets } from './testing.ts'

const KEY = { namespace: 'acme', name: 'a' }
const STATUS = { ...CONTEXT, subresource: 'status' as const }
const merge = (body: unknown) => ({ type: 'merge' as const, body })
const json = (body: unknown) => ({ type: 'json' as const, body })

async function withWidget(spec: object = {}, metadata: object = {}) {
  const made = await testRegistry()
  const live = await made.registry.create(widgets, 'acme', widgetBody('a', spec, metadata), CONTEXT)
  return { ...made, live }
}

describe('update', () => {
  test('RG10 without resourceVersion it is Invalid, with a stale one Conflict, with another uid Conflict', async () => {
    const { registry, live } = await withWidget()
    const { resourceVersion: _none, ...metadata } = live.metadata
    await expect(registry.update(widgets, KEY, { ...live, metadata }, CONTEXT)).rejects.toMatchObject({
      reason: 'Invalid',
      details: { causes: [{ field: 'metadata.resourceVersion' }] },
    })
    const changed = await registry.update(widgets, KEY, { ...live, spec: { color: 'blue' } }, CONTEXT)
    await expect(registry.update(widgets, KEY, { ...live, spec: {} }, CONTEXT)).rejects.toMatchObject({
      reason: 'Conflict',
    })
    const other = { ...changed, metadata: { ...changed.metadata, uid: 'another' } }
    await expect(registry.update(widgets, KEY, other, CONTEXT)).rejects.toMatchObject({ reason: 'Conflict' })
  })

  test('RG10 a body of another name or namespace is BadRequest, a missing object NotFound', async () => {
    const { registry, live } = await withWidget()
    for (const metadata of [{ name: 'b' }, { namespace: 'other' }]) {
      const body = { ...live, metadata: { ...live.metadata, ...metadata } }
      await expect(registry.update(widgets, KEY, body, CONTEXT)).rejects.toMatchObject({ reason: 'BadRequest' })
    }
    const none = { ...live, metadata: { ...live.metadata, name: 'b' } }
    await expect(registry.update(widgets, { ...KEY, name: 'b' }, none, CONTEXT)).rejects.toMatchObject({
      reason: 'NotFound',
    })
  })

  test('RG11 a built-in kind may be replaced without a resourceVersion', async () => {
    const { registry } = await testRegistry()
    const lease = { metadata: { name: 'l' }, spec: { holderIdentity: 'a', leaseTransitions: null } }
    await registry.create(leaseResource, 'acme', lease, CONTEXT)
    const taken = await registry.update(
      leaseResource,
      { ...KEY, name: 'l' },
      { spec: { holderIdentity: 'b' } },
      CONTEXT,
    )
    expect(taken.spec).toEqual({ holderIdentity: 'b' })
  })

  test('AD80 an admission that judges the status is asked about it, any other is not', async () => {
    const refusing = (judgesStatus: boolean): Admission => ({
      judgesStatus,
      needs: () => [],
      admit: ({ operation }) =>
        operation === 'UPDATE' ? [{ reason: 'Forbidden', field: 'status', message: 'hands off' }] : [],
    })
    for (const judgesStatus of [true, false]) {
      const { registry, widgets: resource } = await testRegistry({ admission: refusing(judgesStatus) })
      await registry.create(resource, 'acme', widgetBody('a'), CONTEXT)
      const told = registry.patch(resource, KEY, merge({ status: { note: 'x' } }), STATUS)
      await (judgesStatus
        ? expect(told).rejects.toMatchObject({ reason: 'Forbidden' })
        : expect(told).resolves.toMatchObject({ status: { note: 'x' } }))
    }
  })

  test('AD95 nobody deletes a namespace of the control plane’s own', async () => {
    const { registry } = await testRegistry()
    for (const name of ['default', 'sprites-system', 'acme-too']) {
      await registry.create(namespaceResource, '', { metadata: { name } }, CONTEXT)
      const gone = registry.delete(namespaceResource, { namespace: '', name }, {}, CONTEXT)
      await (name === 'acme-too'
        ? expect(gone).resolves.toMatchObject({ deleted: false })
        : expect(gone).rejects.toMatchObject({
            reason: 'Forbidden',
            message: `namespaces "${name}" is forbidden: this namespace may not be deleted`,
          }))
    }
  })

  test('RG12 the main endpoint ignores status, /status ignores all else', async () => {
    const { registry } = await withWidget()
    const told = await registry.patch(
      widgets,
      KEY,
      merge({ status: { note: 'x' }, spec: { color: 'blue' }, metadata: { labels: { a: 'b' } } }),
      STATUS,
    )
    expect(told).toMatchObject({ spec: { color: 'red' }, status: { note: 'x' } })
    expect(told.metadata.labels).toBeUndefined()
    const changed = await registry.patch(widgets, KEY, merge({ status: null, spec: { color: 'blue' } }), CONTEXT)
    expect(changed).toMatchObject({ spec: { color: 'blue' }, status: { note: 'x' } })
    const put = await registry.update(widgets, KEY, { ...changed, spec: {}, status: { note: 'y' } }, STATUS)
    expect(put).toMatchObject({ spec: { color: 'blue' }, status: { note: 'y' } })
  })

  test('RG13 a no-op answers the live object, whatever server-owned fields it carries', async () => {
    const { registry, live, commits } = await withWidget({ tags: ['x'] }, { labels: { a: 'b' } })
    const before = commits()
    const noise = { creationTimestamp: null, generation: 77, managedFields: null, annotations: {} }
    const body = { ...live, metadata: { ...live.metadata, ...noise } }
    expect(await registry.update(widgets, KEY, body, CONTEXT)).toBe(live)
    expect(await registry.patch(widgets, KEY, merge({}), CONTEXT)).toBe(live)
    expect(await registry.patch(widgets, KEY, json([{ op: 'test', path: '/spec/color', value: 'red' }]), CONTEXT)).toBe(
      live,
    )
    expect(commits()).toBe(before)
  })

  test('RG13 1,000 no-op updates commit nothing', async () => {
    const { registry, live, commits } = await withWidget()
    const before = commits()
    for (let n = 0; n < 500; n++) {
      await registry.update(widgets, KEY, { ...live, spec: { color: 'red' } }, CONTEXT)
      await registry.patch(widgets, KEY, merge({ status: { observedGeneration: -1 } }), STATUS)
    }
    expect(commits()).toBe(before)
    expect(await registry.get(widgets, KEY)).toBe(live)
  })

  test('RG32 whoever writes conditions has seen the object; a status that says more for itself is left alone', async () => {
    const { registry } = await testRegistry()
    await registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)
    const condition = (reason: string) => ({
      type: 'Ready',
      status: 'True',
      reason,
      message: '',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    })
    const write = async (status: object) =>
      (await registry.patch(widgets, KEY, merge({ status }), STATUS)).status as { observedGeneration?: number }
    expect(await write({ note: 'x' })).toMatchObject({ observedGeneration: -1 })
    expect(await write({ conditions: [condition('A')] })).toMatchObject({ observedGeneration: 1 })
    await registry.patch(widgets, KEY, merge({ spec: { color: 'blue' } }), CONTEXT)
    expect(await write({ conditions: [condition('B')] })).toMatchObject({ observedGeneration: 1 })
    expect(await write({ conditions: [condition('C')], observedGeneration: 2 })).toMatchObject({
      observedGeneration: 2,
    })
  })

  test('RG14 what a newer schema would refuse can still get a status, lose a finalizer and go', async () => {
    const { registry, store } = await withWidget()
    const record = await store.read({ collection: 'widgets.sprites.highera.com', ...KEY })
    const stored = JSON.parse(record?.value ?? '{}') as KubeObject
    const old = { ...stored, spec: { color: 'x'.repeat(50) }, metadata: { ...stored.metadata, finalizers: ['x.io/y'] } }
    const value = (revision: number): string =>
      JSON.stringify({ ...old, metadata: { ...old.metadata, resourceVersion: String(revision) } })
    const key = { collection: 'widgets.sprites.highera.com', ...KEY }
    await store.commit([{ type: 'Put', key, expectedRevision: record?.revision ?? 0, value }])
    await registry.patch(widgets, KEY, merge({ status: { note: 'x' } }), STATUS)
    await expect(registry.patch(widgets, KEY, merge({ spec: { size: 1 } }), CONTEXT)).rejects.toMatchObject({
      reason: 'Invalid',
    })
    await registry.patch(widgets, KEY, merge({ metadata: { finalizers: null } }), CONTEXT)
    expect(await registry.delete(widgets, KEY, {}, CONTEXT)).toMatchObject({ deleted: true })
  })

  test('RG15 admission is asked about spec, labels and annotations, not about status, finalizers or what is going', async () => {
    const asked: string[] = []
    const admission: Admission = {
      needs: () => [],
      admit: ({ operation }) => {
        asked.push(operation)
        return []
      },
    }
    const { registry, widgets: watched } = await testRegistry({ admission })
    await registry.create(watched, 'acme', widgetBody('a', {}, { finalizers: ['x.io/y'] }), CONTEXT)
    await registry.patch(watched, KEY, merge({ status: { note: 'x' } }), STATUS)
    await registry.patch(watched, KEY, merge({ metadata: { finalizers: ['x.io/z'] } }), CONTEXT)
    expect(asked).toEqual(['CREATE'])
    await registry.patch(watched, KEY, merge({ metadata: { labels: { a: 'b' } } }), CONTEXT)
    await registry.patch(watched, KEY, merge({ spec: { size: 3 } }), CONTEXT)
    await registry.delete(watched, KEY, {}, CONTEXT)
    await registry.patch(watched, KEY, merge({ metadata: { finalizers: null } }), CONTEXT)
    expect(asked).toEqual(['CREATE', 'UPDATE', 'UPDATE', 'DELETE'])
  })

  test('RG5 dry runs of updates and deletes commit nothing and answer what would be', async () => {
    const { registry, live, commits } = await withWidget()
    const before = commits()
    const context = { ...CONTEXT, dryRun: true }
    const dry = await registry.patch(widgets, KEY, merge({ spec: { size: 3 } }), context)
    expect(dry).toMatchObject({ spec: { size: 3 }, metadata: { generation: 2 } })
    expect(await registry.delete(widgets, KEY, {}, context)).toMatchObject({ deleted: true })
    expect(await registry.delete(widgets, KEY, { propagationPolicy: 'Foreground' }, context)).toMatchObject({
      deleted: false,
      object: { metadata: { finalizers: ['foregroundDeletion'] } },
    })
    expect(commits()).toBe(before)
    expect(await registry.get(widgets, KEY)).toBe(live)
  })
})

describe('patch', () => {
  const refused: readonly [string, Parameters<typeof merge>[0], 'merge' | 'json', string][] = [
    ['a merge patch that is no object', [], 'merge', 'BadRequest'],
    ['a JSON patch that is no list', {}, 'json', 'BadRequest'],
    ['a failed test', [{ op: 'test', path: '/spec/color', value: 'blue' }], 'json', 'Invalid'],
    ['a path that is not there', [{ op: 'replace', path: '/spec/none/x', value: 1 }], 'json', 'Invalid'],
    ['another name', { metadata: { name: 'b' } }, 'merge', 'BadRequest'],
    ['another kind', { kind: 'Gadget' }, 'merge', 'Invalid'],
    ['a stale resourceVersion', { metadata: { resourceVersion: '1' } }, 'merge', 'Conflict'],
    ['a broken bound', { spec: { size: -1 } }, 'merge', 'Invalid'],
  ]
  test.each(refused)('RG16 refuses %s', async (_title, body, type, reason) => {
    const { registry } = await withWidget()
    await expect(registry.patch(widgets, KEY, { type, body }, CONTEXT)).rejects.toMatchObject({ reason })
  })

  test.each(['merge', 'json'] as const)('RG16 a %s patch that is nested too deep is BadRequest', async (type) => {
    const { registry } = await withWidget()
    const value: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
    const body = type === 'merge' ? { spec: { tags: value } } : [{ op: 'add', path: '/spec/tags', value }]
    await expect(registry.patch(widgets, KEY, { type, body }, CONTEXT)).rejects.toMatchObject({ reason: 'BadRequest' })
  })

  test('RG16 an unknown field of a patch is Invalid under Strict', async () => {
    const { registry } = await withWidget()
    const context = { ...CONTEXT, fieldValidation: 'Strict' as const }
    await expect(registry.patch(widgets, KEY, merge({ spec: { colour: 'x' } }), context)).rejects.toMatchObject({
      reason: 'Invalid',
    })
  })

  test('RG17 patches of one object at once all apply, each on top of the last', async () => {
    const { registry, commits } = await withWidget()
    const before = commits()
    await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        registry.patch(widgets, KEY, merge({ metadata: { labels: { [`l${n}`]: 'x' } } }), CONTEXT),
      ),
    )
    const { metadata } = await registry.get(widgets, KEY)
    expect(Object.keys(metadata.labels ?? {})).toHaveLength(50)
    expect(commits() - before).toBe(50)
  })

  test('RG17 a patch that loses against another process tries again, one that names a resourceVersion does not', async () => {
    const inner = createMemoryStore()
    let losses = 0
    const store = {
      ...inner,
      commit: async (mutations: Parameters<typeof inner.commit>[0]) => {
        if (losses > 0) {
          losses -= 1
          throw new StoreError('Conflict', 'Cannot change it: another process did', mutations[0]?.key)
        }
        return inner.commit(mutations)
      },
    }
    const { registry } = await testRegistry({ store })
    const live = await registry.create(widgets, 'acme', widgetBody('a'), CONTEXT)
    losses = 3
    expect(await registry.patch(widgets, KEY, merge({ spec: { size: 1 } }), CONTEXT)).toMatchObject({
      spec: { size: 1 },
    })
    losses = 1
    const { resourceVersion } = (await registry.get(widgets, KEY)).metadata
    const named = merge({ metadata: { resourceVersion }, spec: { size: 2 } })
    await expect(registry.patch(widgets, KEY, named, CONTEXT)).rejects.toMatchObject({ reason: 'Conflict' })
    losses = 100
    await expect(registry.patch(widgets, KEY, merge({ spec: { size: 3 } }), CONTEXT)).rejects.toMatchObject({
      reason: 'Conflict',
    })
    expect(live.metadata.generation).toBe(1)
  })
})

describe('delete', () => {
  test('RG18 policies set their finalizers once, and Background takes them off', async () => {
    const { registry } = await withWidget({}, { finalizers: ['x.io/y'] })
    const steps = [
      ['Foreground', ['x.io/y', 'foregroundDeletion']],
      ['Orphan', ['x.io/y', 'orphan']],
      [undefined, ['x.io/y', 'orphan']],
      ['Background', ['x.io/y']],
    ] as const
    for (const [policy, finalizers] of steps) {
      const options = policy === undefined ? {} : { propagationPolicy: policy }
      const { object, deleted } = await registry.delete(widgets, KEY, options, CONTEXT)
      expect(deleted).toBe(false)
      expect(object.metadata).toMatchObject({ finalizers, deletionGracePeriodSeconds: 0, generation: 2 })
    }
  })

  test('RG18 preconditions are held', async () => {
    const { registry, live } = await withWidget()
    for (const preconditions of [{ uid: 'another' }, { resourceVersion: '1' }])
      await expect(registry.delete(widgets, KEY, { preconditions }, CONTEXT)).rejects.toMatchObject({
        reason: 'Conflict',
      })
    const { uid, resourceVersion } = live.metadata
    const { object } = await registry.delete(widgets, KEY, { preconditions: { uid, resourceVersion } }, CONTEXT)
    expect(Number(object.metadata.resourceVersion)).toBeGreaterThan(Number(resourceVersion))
  })

  test('RG19 a namespace is Terminating until its finalizer is taken off by /finalize, which others do not have', async () => {
    const { registry } = await withWidget()
    const acme = { namespace: '', name: 'acme' }
    const { object, deleted } = await registry.delete(namespaceResource, acme, {}, CONTEXT)
    expect({ deleted, status: object.status }).toEqual({ deleted: false, status: { phase: 'Terminating' } })
    const emptied = await registry.patch(namespaceResource, acme, merge({ spec: { finalizers: [] } }), CONTEXT)
    expect(emptied.spec).toEqual({ finalizers: ['kubernetes'] })
    const finalize = { ...CONTEXT, subresource: 'finalize' as const }
    await expect(registry.update(widgets, KEY, await registry.get(widgets, KEY), finalize)).rejects.toMatchObject({
      reason: 'BadRequest',
    })
    await registry.update(namespaceResource, acme, { ...object, spec: {} }, finalize)
    await expect(registry.get(namespaceResource, acme)).rejects.toMatchObject({ reason: 'NotFound' })
  })
})
