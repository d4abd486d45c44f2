/** Builds a registry over a memory store, and a small kind, for the tests of this room. */
import { z } from 'zod'
import { CONTROLLER_ACTOR, type Admission } from '../api/admission.ts'
import { conditionsSchema } from '../api/conditions.ts'
import { defineKind } from '../api/define-kind.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { resourceOf } from '../api/resource-of.ts'
import { seededEntropy } from '../../system/entropy.ts'
import { TestClock } from '../../system/test-clock.ts'
import { createMemoryStore } from '../store/memory.ts'
import type { Store } from '../store/store.ts'
import type { WindowLimits } from '../store/window.ts'
import { CORE_RESOURCES, namespaceResource } from './core.ts'
import { createRegistry } from './create-registry.ts'
import type { Registry, WriteContext } from './registry.ts'

const widgetOptions = {
  description: 'A thing to test with.',
  columns: [],
  reasons: {},
  selectableFields: ['spec.color'],
  spec: z.object({
    color: z.string().max(20).default('red'),
    size: z.int().min(0).max(100).optional(),
    tags: z.array(z.string().max(20)).max(5).optional(),
  }),
  status: z.object({
    observedGeneration: z.int().optional(),
    note: z.string().max(2_000_000).optional(),
    conditions: conditionsSchema,
  }),
}

/** A namespaced kind. */
export const widgetKind = defineKind({
  ...widgetOptions,
  kind: 'Widget',
  plural: 'widgets',
  singular: 'widget',
  scope: 'Namespaced',
  rules: [{ at: 'spec', rule: "self.color != 'ultraviolet'", message: 'color must be visible', fieldPath: '.color' }],
})

/** A cluster-scoped kind. */
export const planetKind = defineKind({
  ...widgetOptions,
  kind: 'Planet',
  plural: 'planets',
  singular: 'planet',
  scope: 'Cluster',
})

export const widgets: ResourceDefinition = resourceOf(widgetKind)
export const planets: ResourceDefinition = resourceOf(planetKind)

/** A write by the control plane itself. */
export const CONTEXT: WriteContext = { actor: CONTROLLER_ACTOR, fieldManager: 'test' }

export type TestRegistry = {
  readonly registry: Registry
  readonly store: Store
  readonly clock: TestClock
  readonly widgets: ResourceDefinition
  /** Commits that reached the store. */
  readonly commits: () => number
}

/** A registry with widgets, planets and the built-in kinds, and the namespace `acme`. */
export async function testRegistry(
  options: {
    readonly admission?: Admission
    readonly window?: WindowLimits
    readonly watchBufferMax?: number
    readonly watchBufferBytesMax?: number
    readonly seed?: number
    readonly store?: Store
  } = {},
): Promise<TestRegistry> {
  const clock = new TestClock()
  const inner = options.store ?? createMemoryStore(options.window === undefined ? {} : { window: options.window })
  let commits = 0
  const store: Store = {
    ...inner,
    commit: (mutations) => {
      commits += 1
      return inner.commit(mutations)
    },
  }
  const resource = options.admission === undefined ? widgets : resourceOf(widgetKind, options.admission)
  const registry = createRegistry({
    store,
    resources: [resource, planets, ...CORE_RESOURCES],
    clock,
    entropy: seededEntropy(options.seed ?? 1),
    builtinAgentTypes: new Set(['copywriter']),
    ...(options.watchBufferMax === undefined ? {} : { watchBufferMax: options.watchBufferMax }),
    ...(options.watchBufferBytesMax === undefined ? {} : { watchBufferBytesMax: options.watchBufferBytesMax }),
  })
  await registry.create(namespaceResource, '', { metadata: { name: 'acme' } }, CONTEXT)
  commits = 0
  return { registry, store, clock, widgets: resource, commits: () => commits }
}

/** The body of a widget as a client would send it. */
export const widgetBody = (name: string, spec: object = {}, metadata: object = {}): object => ({
  apiVersion: widgetKind.apiVersion,
  kind: 'Widget',
  metadata: { name, ...metadata },
  spec,
})
