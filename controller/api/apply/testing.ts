/** A type with every sort of part, configurations of it, and applies over time, for the tests of this room. Pure. */
import * as fc from 'fast-check'
import type { JsonObject } from '../object.ts'
import type { StructuralSchema } from '../schema/structural.ts'
import { applyConfig, type Applied } from './apply-config.ts'
import { objectAtom } from './atom.ts'
import type { Owners } from './managers.ts'
import { ignoredFields } from './ownership.ts'

const text: StructuralSchema = { type: 'string' }
const item: StructuralSchema = {
  type: 'object',
  required: ['name'],
  properties: { name: text, value: text, nested: { type: 'object', properties: { a: text, b: text } } },
}

/** A schema with a map, a set, a list by key, atomic parts and free JSON. */
export const schema: StructuralSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        color: { type: 'string', nullable: true },
        box: { type: 'object', properties: { a: text, b: text } },
        tags: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
        env: {
          type: 'array',
          items: item,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
        },
        args: { type: 'array', items: text },
        place: { type: 'object', properties: { x: text, y: text }, 'x-kubernetes-map-type': 'atomic' },
        limits: { type: 'object', additionalProperties: { type: 'integer' } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
    status: { type: 'object', properties: { note: text } },
  },
}

/** The type of the schema. */
export const atom = objectAtom(schema)

const API_VERSION = 'example.dev/v1'

/** An object or configuration with this spec. */
export const thing = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  apiVersion: API_VERSION,
  kind: 'Thing',
  metadata: { name: 'a', ...metadata },
  spec,
})

const word = fc.constantFrom('x', 'y', 'z')
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

/**
 * Draws the spec of a configuration. Maps, sets and lists by key have members, since empty ones go by rules of their
 * own: an empty list is claimed by nobody, and a map that loses its last member becomes null, as in Kubernetes.
 */
export const specs: fc.Arbitrary<JsonObject> = fc
  .record({
    size: fc.integer({ min: 0, max: 3 }),
    color: fc.option(word),
    box: optional(fc.record({ a: word, b: word }, { requiredKeys: ['a'] })),
    tags: optional(fc.uniqueArray(word, { minLength: 1 })),
    env: optional(
      fc.uniqueArray(
        fc.record(
          { name: word, value: word, nested: fc.record({ a: word, b: word }, { requiredKeys: ['b'] }) },
          { requiredKeys: ['name'] },
        ),
        { minLength: 1, selector: ({ name }) => name },
      ),
    ),
    args: optional(fc.array(word, { maxLength: 2 })),
    place: optional(fc.record({ x: word, y: word }, { requiredKeys: [] })),
    limits: optional(fc.dictionary(word, fc.integer({ min: 0, max: 2 }), { minKeys: 1 })),
    free: optional(fc.constantFrom<JsonObject[]>({ a: 1 }, { a: { b: 1 } }, { a: [1], c: null }, { a: { c: 'x' } })),
  })
  // undefined members are no JSON.
  .map((spec) => JSON.parse(JSON.stringify(spec)) as JsonObject)

/** An object and its owners. */
export type World = { readonly live?: JsonObject; readonly owners: Owners }

/** Nothing is there yet. */
export const NOWHERE: World = { owners: new Map() }

/** Applies a spec as a manager. */
export const applied = (
  world: World,
  spec: JsonObject,
  options: { readonly manager: string; readonly force?: boolean; readonly time?: string },
): Applied =>
  applyConfig({
    atom,
    ...(world.live === undefined ? {} : { live: world.live }),
    config: thing(spec),
    owners: world.owners,
    writer: { manager: options.manager, apiVersion: API_VERSION, time: options.time ?? '2026-01-01T00:00:00Z' },
    ignored: ignoredFields({ hasStatus: true }),
    force: options.force ?? false,
  })

/** The world after an apply; an apply that is refused throws. */
export function after(world: World, spec: JsonObject, options: Parameters<typeof applied>[2]): Required<World> {
  const result = applied(world, spec, options)
  if (result.outcome !== 'applied') throw new Error(JSON.stringify(result))
  return { live: result.object, owners: result.owners }
}
