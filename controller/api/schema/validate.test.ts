/** Validation: reasons, fields and messages as kube-apiserver gives them (compared with it in test/crds-oracle). */
import { describe, expect, it } from 'vitest'
import { isDateTime } from './date-time.ts'
import { DEPTH_MAX } from './json.ts'
import type { StructuralSchema } from './structural.ts'
import { blocksRules, CAUSES_MAX, MESSAGE_CHARS_MAX, validate } from './validate.ts'

const text = (rest: StructuralSchema): StructuralSchema => ({ type: 'string', ...rest })
const list = (rest: StructuralSchema): StructuralSchema => ({ type: 'array', items: { type: 'string' }, ...rest })
const field = (schema: StructuralSchema): StructuralSchema => ({ type: 'object', properties: { f: schema } })
const mapList = list({
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': ['name'],
  items: { type: 'object', properties: { name: { type: 'string' } } },
})

describe('validate', () => {
  it.each<[string, StructuralSchema, unknown, string, string]>([
    [
      'a wrong type',
      text({}),
      5,
      'FieldValueTypeInvalid',
      'Invalid value: "integer": f in body must be of type string: "integer"',
    ],
    [
      'a null',
      text({}),
      null,
      'FieldValueTypeInvalid',
      'Invalid value: "null": f in body must be of type string: "null"',
    ],
    [
      'a fraction for an integer',
      { type: 'integer' },
      1.5,
      'FieldValueTypeInvalid',
      'Invalid value: "number": f in body must be of type integer: "number"',
    ],
    [
      'an integer beyond 2^53',
      { type: 'integer' },
      2 ** 60,
      'FieldValueTypeInvalid',
      'Invalid value: "integer": f in body must be of type integer: "integer"',
    ],
    [
      'an odd int-or-string',
      { 'x-kubernetes-int-or-string': true },
      true,
      'FieldValueTypeInvalid',
      'Invalid value: "boolean": f in body must be of type integer,string: "boolean"',
    ],
    [
      'an enum',
      text({ enum: ['A', 'B'] }),
      'C',
      'FieldValueNotSupported',
      'Unsupported value: "C": supported values: "A", "B"',
    ],
    ['a long text', text({ maxLength: 3 }), 'aaaa', 'FieldValueTooLong', 'Too long: may not be more than 3 bytes'],
    [
      'a short text',
      text({ minLength: 1 }),
      '',
      'FieldValueInvalid',
      'Invalid value: "": f in body should be at least 1 chars long',
    ],
    [
      'a pattern',
      text({ pattern: '^a$' }),
      'b',
      'FieldValueInvalid',
      'Invalid value: "b": f in body should match \'^a$\'',
    ],
    [
      'no instant',
      text({ format: 'date-time' }),
      'now',
      'FieldValueTypeInvalid',
      'Invalid value: "now": f in body must be of type date-time',
    ],
    [
      'a minimum',
      { type: 'integer', minimum: 1 },
      0,
      'FieldValueInvalid',
      'Invalid value: 0: f in body should be greater than or equal to 1',
    ],
    [
      'an exclusive maximum',
      { type: 'number', maximum: 1, exclusiveMaximum: true },
      1,
      'FieldValueInvalid',
      'Invalid value: 1: f in body should be less than 1',
    ],
    [
      'a multiple',
      { type: 'integer', multipleOf: 256 },
      300,
      'FieldValueInvalid',
      'Invalid value: 300: f in body should be a multiple of 256',
    ],
    [
      'a short list',
      list({ minItems: 1 }),
      [],
      'FieldValueInvalid',
      'Invalid value: 0: f in body should have at least 1 items',
    ],
    ['a long list', list({ maxItems: 1 }), ['a', 'b'], 'FieldValueTooMany', 'Too many: 2: must have at most 1 items'],
    [
      'a large map',
      { type: 'object', maxProperties: 1, additionalProperties: {} },
      { a: 1, b: 2 },
      'FieldValueTooMany',
      'Too many: 2: must have at most 1 items',
    ],
    [
      'a small map',
      { type: 'object', minProperties: 1 },
      {},
      'FieldValueInvalid',
      'Invalid value: 0: f in body should have at least 1 properties',
    ],
  ])('SC7 refuses %s', (_, schema, value, reason, message) => {
    expect(validate(field(schema), { f: value })).toEqual([{ reason, message, field: 'f' }])
  })

  it.each<[string, StructuralSchema, unknown]>([
    ['a null where it is allowed', text({ nullable: true }), null],
    ['an int and a string for an int-or-string', list({ items: { 'x-kubernetes-int-or-string': true } }), [1, 'a']],
    ['as many code points as allowed, though more UTF-16 units', text({ maxLength: 2, minLength: 2 }), '😀😀'],
    ['anything without a type', {}, { a: [1] }],
  ])('SC7 takes %s', (_, schema, value) => {
    expect(validate(field(schema), { f: value })).toEqual([])
  })

  it('SC7 names a missing field by its own path', () => {
    const schema: StructuralSchema = { ...field({}), required: ['f'] }
    const missing = { reason: 'FieldValueRequired', message: 'Required value', field: 'f' }
    expect(validate(schema, {})).toEqual([missing])
    // No property that every object inherits counts as there.
    expect(validate({ ...schema, required: ['constructor'] }, {})).toHaveLength(1)
  })

  it('SC8 finds what stands twice in a set and in a map list, once a value', () => {
    const set = list({ 'x-kubernetes-list-type': 'set' })
    expect(validate(field(set), { f: ['a', 'b', 'a', 'a'] })).toEqual([
      { reason: 'FieldValueDuplicate', message: 'Duplicate value: "a"', field: 'f[2]' },
    ])
    expect(validate(field(mapList), { f: [{ name: 'x' }, { name: 'x', other: 1 }] })).toEqual([
      { reason: 'FieldValueDuplicate', message: 'Duplicate value: {"name":"x"}', field: 'f[1]' },
    ])
    expect(validate(field(list({})), { f: ['a', 'a'] })).toEqual([])
  })

  it('SC9 names at most 20 causes and cuts messages', () => {
    const causes = validate(field(list({})), { f: Array.from({ length: 100_000 }, () => 1) })
    expect(causes).toHaveLength(CAUSES_MAX)
    const [long] = validate(field(text({ enum: ['a'] })), { f: 'x'.repeat(1_000_000) })
    expect(long?.message.length).toBe(MESSAGE_CHARS_MAX)
  })

  it('SC9 refuses what is nested too deep, and overflows no stack', () => {
    const nested = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`)
    const free: StructuralSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    expect(validate(free, { f: nested(DEPTH_MAX - 1) })).toEqual([])
    expect(validate(free, { f: nested(DEPTH_MAX) })).toHaveLength(1)
    expect(validate(free, { f: nested(100_000) })).toHaveLength(1)
  })

  it('SC10 blocks rules where the shape cannot be relied on', () => {
    expect(blocksRules(validate(field(text({})), { f: 1 }))).toBe(true)
    expect(blocksRules(validate(field(text({ pattern: '^a$' })), { f: 'b' }))).toBe(false)
  })
})

describe('isDateTime', () => {
  it.each(['2026-01-31T23:59:59Z', '2024-02-29t00:00:00.123456z', '2026-12-01T00:00:00+01:00'])(
    'SC7 takes %s',
    (one) => {
      expect(isDateTime(one)).toBe(true)
    },
  )

  it.each([
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-01-31 00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T00:00:00',
    '2026-01-31',
    '',
    '2026-00-01T00:00:00Z',
  ])('SC7 refuses %s', (one) => {
    expect(isDateTime(one)).toBe(false)
  })
})
