/** Kinds and objects for the engine's own tests; they are no kinds of the product. Pure. */
import { z } from 'zod'
import { defineKind, type ObjectOf } from '../api/define-kind.ts'
import type { SeedObject } from './fake-client.ts'

const spec = z.object({ size: z.int(), gadget: z.string().optional() })
const status = z.object({ size: z.int().optional(), note: z.string().optional() })
const shared = { spec, status, columns: [], reasons: {}, description: 'Only for tests.' }

/** A kind in a namespace whose status follows its spec. */
export const widgetKind = defineKind({
  ...shared,
  kind: 'Widget',
  plural: 'widgets',
  singular: 'widget',
  scope: 'Namespaced',
})
/** A cluster-scoped kind that widgets may refer to. */
export const gadgetKind = defineKind({
  ...shared,
  kind: 'Gadget',
  plural: 'gadgets',
  singular: 'gadget',
  scope: 'Cluster',
})

export type Widget = ObjectOf<typeof widgetKind>

/** A widget to seed; its status is final unless said otherwise. */
export const widget = (
  name: string,
  overrides: { namespace?: string; size?: number; status?: object } = {},
): SeedObject => ({
  apiVersion: widgetKind.apiVersion,
  kind: 'Widget',
  metadata: { name, namespace: overrides.namespace ?? 'acme' },
  spec: { size: overrides.size ?? 1 },
  ...(overrides.status === undefined ? {} : { status: overrides.status }),
})
