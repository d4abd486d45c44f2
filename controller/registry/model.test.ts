/** Random operations against a plain model: revisions, generation, no-ops, and watches that replay to the list. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { settle } from '../../system/test-clock.ts'
import { ApiError, type Reason } from '../api/errors.ts'
import type { KubeObject } from '../api/object.ts'
import { CONTEXT, testRegistry, widgetBody, widgets, type TestRegistry } from './testing.ts'

type Operation =
  | { readonly do: 'create'; readonly name: string; readonly color: string; readonly isHeld: boolean }
  | { readonly do: 'spec' | 'label' | 'status'; readonly name: string; readonly value: string }
  | { readonly do: 'stale' | 'delete' | 'release'; readonly name: string }

const name = fc.constantFrom('a', 'b', 'c')
const value = fc.constantFrom('red', 'blue')
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ do: fc.constant('create' as const), name, color: value, isHeld: fc.boolean() }),
  fc.record({ do: fc.constantFrom('spec' as const, 'label' as const, 'status' as const), name, value }),
  fc.record({ do: fc.constantFrom('stale' as const, 'delete' as const, 'release' as const), name }),
)

/** What the model knows of an object. */
type Modelled = {
  color: string
  label: string | undefined
  note: string | undefined
  isHeld: boolean
  isDeleting: boolean
  generation: number
}

type Expected = { readonly reason?: Reason; readonly isNoOp?: boolean }

/** Applies an operation to the model; says what the registry must answer. */
function applyToModel(model: Map<string, Modelled>, step: Operation): Expected {
  const known = model.get(step.name)
  if (step.do === 'create') {
    if (known !== undefined) return { reason: 'AlreadyExists' }
    const { color, isHeld } = step
    model.set(step.name, { color, isHeld, label: undefined, note: undefined, isDeleting: false, generation: 1 })
    return {}
  }
  if (known === undefined) return { reason: 'NotFound' }
  switch (step.do) {
    case 'spec':
      if (known.color === step.value) return { isNoOp: true }
      known.color = step.value
      known.generation += 1
      return {}
    case 'label':
      if (known.label === step.value) return { isNoOp: true }
      known.label = step.value
      return {}
    case 'status':
      if (known.note === step.value) return { isNoOp: true }
      known.note = step.value
      return {}
    case 'stale':
      return { reason: 'Conflict' }
    case 'delete':
      if (!known.isHeld) model.delete(step.name)
      else if (known.isDeleting) return { isNoOp: true }
      else {
        known.isDeleting = true
        known.generation += 1
      }
      return {}
    case 'release':
      if (!known.isHeld) return { isNoOp: true }
      known.isHeld = false
      if (known.isDeleting) model.delete(step.name)
      return {}
  }
}

const HOLD = 'example.com/hold'
const merge = (body: unknown) => ({ type: 'merge' as const, body })

function applyToRegistry({ registry }: TestRegistry, step: Operation): Promise<unknown> {
  const key = { namespace: 'acme', name: step.name }
  switch (step.do) {
    case 'create': {
      const metadata = step.isHeld ? { finalizers: [HOLD] } : {}
      return registry.create(widgets, 'acme', widgetBody(step.name, { color: step.color }, metadata), CONTEXT)
    }
    case 'spec':
      return registry.patch(widgets, key, merge({ spec: { color: step.value } }), CONTEXT)
    case 'label':
      return registry.patch(widgets, key, merge({ metadata: { labels: { color: step.value } } }), CONTEXT)
    case 'status':
      return registry.patch(widgets, key, merge({ status: { note: step.value } }), {
        ...CONTEXT,
        subresource: 'status',
      })
    case 'stale':
      return registry.patch(widgets, key, merge({ metadata: { resourceVersion: '1' } }), CONTEXT)
    case 'delete':
      return registry.delete(widgets, key, {}, CONTEXT)
    case 'release':
      return registry.patch(widgets, key, merge({ metadata: { finalizers: null } }), CONTEXT)
  }
}

const summary = ({ metadata, spec, status }: KubeObject): Modelled => ({
  color: (spec as { color: string }).color,
  label: metadata.labels?.['color'],
  note: (status as { note?: string }).note,
  isHeld: (metadata.finalizers ?? []).length > 0,
  isDeleting: metadata.deletionTimestamp !== undefined,
  generation: metadata.generation,
})

/** Replays a watch into a map, as an informer does. */
function replaying(room: TestRegistry, query: { readonly resourceVersion: string; readonly labelSelector?: string }) {
  const objects = new Map<string, KubeObject>()
  const controller = new AbortController()
  let last = 0
  const ended = (async (): Promise<void> => {
    for await (const { type, object } of room.registry.watch(widgets, query, controller.signal)) {
      expect(Number(object.metadata.resourceVersion)).toBeGreaterThan(last)
      last = Number(object.metadata.resourceVersion)
      expect(objects.has(object.metadata.name)).toBe(type !== 'ADDED')
      if (type === 'DELETED') objects.delete(object.metadata.name)
      else objects.set(object.metadata.name, object)
    }
  })()
  return { objects, stop: () => controller.abort(), ended }
}

test('RG31 whatever is written, the model holds, and every watch replays to the list', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), async (steps) => {
      const room = await testRegistry()
      const model = new Map<string, Modelled>()
      const { resourceVersion } = await room.registry.list(widgets)
      const all = replaying(room, { resourceVersion })
      const blue = replaying(room, { resourceVersion, labelSelector: 'color=blue' })
      for (const step of steps) {
        const before = await room.store.revision()
        const expected = applyToModel(model, step)
        const outcome = await applyToRegistry(room, step).then(
          () => undefined,
          (error: unknown) => (error instanceof ApiError ? error.reason : error),
        )
        expect(outcome).toBe(expected.reason)
        const moved = (await room.store.revision()) - before
        expect(moved).toBe(expected.reason !== undefined || expected.isNoOp === true ? 0 : 1)
        const { items } = await room.registry.list(widgets)
        expect(new Map(items.map((item) => [item.metadata.name, summary(item)]))).toEqual(model)
      }
      await settle()
      const { items } = await room.registry.list(widgets)
      expect([...all.objects.values()].sort(byName)).toEqual(items)
      const selected = await room.registry.list(widgets, { labelSelector: 'color=blue' })
      expect([...blue.objects.values()].sort(byName)).toEqual(selected.items)
      all.stop()
      blue.stop()
      await Promise.all([all.ended, blue.ended])
    }),
    { numRuns: 60 },
  )
})

const byName = (left: KubeObject, right: KubeObject): number => (left.metadata.name < right.metadata.name ? -1 : 1)

test('RG31 every revision in the window lists as it was then', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 25 }), async (steps) => {
      const room = await testRegistry()
      const past: { readonly resourceVersion: string; readonly items: readonly KubeObject[] }[] = []
      for (const step of steps) {
        past.push(await room.registry.list(widgets))
        await applyToRegistry(room, step).catch(() => {})
      }
      for (const { resourceVersion, items } of past) {
        const then = await room.registry.list(widgets, { resourceVersion, resourceVersionMatch: 'Exact' })
        expect(then.items).toEqual(items)
      }
    }),
    { numRuns: 40 },
  )
})
