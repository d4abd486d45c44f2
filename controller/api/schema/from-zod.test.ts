/** zod to structural: each construct that Kubernetes takes, and a refusal for each that it does not. */
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fromZod } from './from-zod.ts'

const FREE = { 'x-kubernetes-preserve-unknown-fields': true }

describe('fromZod', () => {
  it.each<[string, z.ZodType, object]>([
    ['an integer without the bounds of JavaScript', z.int(), { type: 'integer', format: 'int64' }],
    [
      'an integer with bounds',
      z.int().min(1).max(9).multipleOf(3),
      { type: 'integer', format: 'int64', minimum: 1, maximum: 9, multipleOf: 3 },
    ],
    ['an exclusive bound', z.number().gt(0), { type: 'number', minimum: 0, exclusiveMinimum: true }],
    ['a nullable', z.string().nullable(), { type: 'string', nullable: true }],
    ['a date-time without its pattern', z.iso.datetime(), { type: 'string', format: 'date-time' }],
    ['a pattern', z.string().regex(/^a$/), { type: 'string', pattern: '^a$' }],
    ['an enum', z.enum(['a', 'b']), { type: 'string', enum: ['a', 'b'] }],
    ['literals', z.union([z.literal('a'), z.literal('b')]), { type: 'string', enum: ['a', 'b'] }],
    ['an integer or a string', z.union([z.int(), z.string()]), { 'x-kubernetes-int-or-string': true }],
    ['a default', z.boolean().default(true), { type: 'boolean', default: true }],
    [
      'a prefault',
      z.object({ a: z.int().default(1) }).prefault({}),
      { type: 'object', default: {}, properties: { a: { type: 'integer', format: 'int64', default: 1 } } },
    ],
    ['a record', z.record(z.string(), z.string()), { type: 'object', additionalProperties: { type: 'string' } }],
    ['a free record', z.record(z.string(), z.unknown()).meta({ ...FREE }), { type: 'object', ...FREE }],
    [
      'a strict object',
      z.strictObject({ a: z.string() }),
      { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
    ],
    [
      'a loose object',
      z.looseObject({ a: z.string().optional() }),
      { type: 'object', properties: { a: { type: 'string' } }, ...FREE },
    ],
    ['an unknown', z.unknown(), FREE],
    [
      'a list with its type',
      z.array(z.string()).max(3).meta({ 'x-kubernetes-list-type': 'set' }),
      { type: 'array', maxItems: 3, items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
    ],
    ['an empty object', z.object({}), { type: 'object' }],
  ])('SC15 writes %s', (_, schema, expected) => {
    expect(fromZod(schema)).toEqual(expected)
  })

  it.each<[string, z.ZodType]>([
    ['a union of shapes', z.union([z.object({ a: z.string() }), z.object({ b: z.string() })])],
    [
      'a discriminated union',
      z.discriminatedUnion('t', [z.object({ t: z.literal('a') }), z.object({ t: z.literal('b') })]),
    ],
    ['a tuple', z.tuple([z.string(), z.boolean()])],
  ])('SC15 refuses %s and names where it stands', (_, schema) => {
    expect(() => fromZod(z.object({ part: schema }))).toThrow(/^Cannot make a structural schema: part/)
  })
})
