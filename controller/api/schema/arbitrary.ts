/** For tests: draws objects from a structural schema with fast-check, right ones and ones with a few flaws. Pure. */
import * as fc from 'fast-check'
import type { Json } from '../object.ts'
import type { StructuralSchema } from './structural.ts'

/** How often a part is drawn wrong, of 100: 0 draws only what fits the schema, but for patterns that are not known here. */
export type Flaws = { readonly percent: number }

/** A member that is not there. */
const ABSENT = Symbol('absent')

/** An arbitrary value for a schema. */
export function arbitraryOf(schema: StructuralSchema, flaws: Flaws): fc.Arbitrary<Json> {
  const right = schema.nullable === true ? fc.oneof(rightOf(schema, flaws), fc.constant(null)) : rightOf(schema, flaws)
  return mostly(right, wrongOf(schema), flaws)
}

const mostly = <T>(right: fc.Arbitrary<T>, wrong: fc.Arbitrary<T>, { percent }: Flaws): fc.Arbitrary<T> =>
  percent === 0 ? right : fc.oneof({ arbitrary: right, weight: 100 - percent }, { arbitrary: wrong, weight: percent })

function rightOf(schema: StructuralSchema, flaws: Flaws): fc.Arbitrary<Json> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum)
  switch (schema.type) {
    case 'string':
      return stringOf(schema)
    case 'integer':
    case 'number':
      return numberOf(schema)
    case 'boolean':
      return fc.boolean()
    case 'array':
      return listOf(schema, flaws)
    case 'object':
      return objectOf(schema, flaws)
    default:
      return FREE
  }
}

const FREE: fc.Arbitrary<Json> = fc.oneof(fc.constant(1), fc.constant('free'), fc.constant({ a: [1, { b: true }] }))

/** Values that no schema of ours takes, or takes seldom: wrong types, null, out of bounds. */
function wrongOf(schema: StructuralSchema): fc.Arbitrary<Json> {
  const odd = fc.constantFrom<Json>(null, 'Odd Text!', '', 7, -7, 1.5, 100_000_000, true, [], {}, [null], { odd: 1 })
  // Kubernetes takes a list for a formatted string: there our refusal is the better answer.
  if (schema.format === 'date-time') return fc.constantFrom<Json>('tomorrow', '2026-02-29T00:00:00Z', '', 7, true, {})
  if (schema.maxLength === undefined) return odd
  return fc.oneof(odd, fc.constantFrom('a'.repeat(schema.maxLength + 1), 'é'.repeat(schema.maxLength)))
}

function stringOf(schema: StructuralSchema): fc.Arbitrary<Json> {
  if (schema.format === 'date-time') return fc.constantFrom('2026-01-31T23:59:59Z', '2026-02-28T00:00:00.123+01:00')
  const max = Math.min(schema.maxLength ?? 20, 64)
  const least = schema.minLength ?? 0
  if (schema.pattern?.includes('@') === true) return fc.constantFrom('a@example.com', 'b.c@example.org')
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: Math.max(least, 1), maxLength: max })
  return schema.pattern === undefined ? fc.oneof(letters, fc.constant('ä'.repeat(Math.max(least, 2)))) : letters
}

function numberOf(schema: StructuralSchema): fc.Arbitrary<Json> {
  const step = schema.multipleOf ?? 1
  const min = Math.ceil((schema.minimum ?? 0) / step)
  return fc.integer({ min, max: Math.max(min, Math.floor((schema.maximum ?? 1000) / step)) }).map((n) => n * step)
}

function listOf(schema: StructuralSchema, flaws: Flaws): fc.Arbitrary<Json> {
  const items = schema.items ?? {}
  const size = { minLength: schema.minItems ?? 0, maxLength: Math.min(schema.maxItems ?? 3, 3) }
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (
    flaws.percent > 0 ||
    schema['x-kubernetes-list-type'] === 'atomic' ||
    schema['x-kubernetes-list-type'] === undefined
  )
    return fc.array(arbitraryOf(items, flaws), size)
  const identity = (item: Json): string =>
    keys.length === 0 ? JSON.stringify(item) : JSON.stringify(keys.map((key) => (item as Record<string, Json>)[key]))
  return fc.uniqueArray(arbitraryOf(items, flaws), { ...size, selector: identity })
}

function objectOf(schema: StructuralSchema, flaws: Flaws): fc.Arbitrary<Json> {
  if (schema.properties === undefined)
    return fc.constantFrom<Json>({}, { free: [1, null, { x: 'y' }] }).map(emptyUnlessFree(schema))
  const members = Object.entries(schema.properties).map(([name, child]) => {
    const isRequired = schema.required?.includes(name) === true
    const value: fc.Arbitrary<Json | typeof ABSENT> = arbitraryOf(child, flaws)
    const absent = fc.constant<Json | typeof ABSENT>(ABSENT)
    return [name, isRequired ? mostly(value, absent, flaws) : fc.oneof(value, absent)] as const
  })
  const stray = fc.constantFrom<readonly (readonly [string, Json])[]>(
    [['strayField', 1]],
    [
      ['Stray', { a: [1] }],
      ['s', null],
    ],
  )
  return fc
    .tuple(fc.tuple(...members.map(([, value]) => value)), mostly(fc.constant([]), stray, flaws))
    .map(([values, strays]) =>
      Object.fromEntries([
        ...members.flatMap(([name], index) => {
          const value = values[index]
          return value === undefined || typeof value === 'symbol' ? [] : [[name, value] as const]
        }),
        ...strays,
      ]),
    )
}

const emptyUnlessFree =
  (schema: StructuralSchema) =>
  (value: Json): Json =>
    schema['x-kubernetes-preserve-unknown-fields'] === true ? value : {}
