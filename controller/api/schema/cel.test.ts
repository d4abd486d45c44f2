/** CEL rules: where they run, what they see and what a broken one says. */
import { describe, expect, it } from 'vitest'
import { compileRules } from './cel.ts'
import type { StructuralSchema, ValidationRule } from './structural.ts'

const withRule = (rule: ValidationRule, properties: StructuralSchema['properties'] = {}): StructuralSchema => ({
  type: 'object',
  properties: { spec: { type: 'object', properties, 'x-kubernetes-validations': [rule] } },
})
const integer: StructuralSchema = { type: 'integer' }
const text: StructuralSchema = { type: 'string' }

describe('compileRules', () => {
  it('SC11 names the field of a broken rule', () => {
    const check = compileRules(
      withRule({ rule: 'self.a <= self.b', message: 'a above b', fieldPath: '.a' }, { a: integer, b: integer }),
    )
    expect(check({ spec: { a: 1, b: 2 } }, undefined)).toEqual([])
    expect(check({ spec: { a: 3, b: 2 } }, undefined)).toEqual([
      { reason: 'FieldValueInvalid', message: 'Invalid value: a above b', field: 'spec.a' },
    ])
  })

  it('SC11 counts with integers of the schema, however they are nested', () => {
    const properties = {
      n: integer,
      list: { type: 'array', items: { type: 'object', properties: { n: integer } } },
    } as const
    const check = compileRules(withRule({ rule: 'self.n % 2 == 0 && self.list.all(i, i.n + 1 > self.n)' }, properties))
    expect(check({ spec: { n: 2, list: [{ n: 2 }] } }, undefined)).toEqual([])
    expect(check({ spec: { n: 2, list: [{ n: 1 }] } }, undefined)).toHaveLength(1)
  })

  it('SC11 knows an absent field with has(), and fails a rule that does not ask', () => {
    const guarded = compileRules(withRule({ rule: 'has(self.a) || has(self.b)' }, { a: text, b: text }))
    expect(guarded({ spec: { b: 'x' } }, undefined)).toEqual([])
    expect(guarded({ spec: {} }, undefined)).toHaveLength(1)
    const unguarded = compileRules(withRule({ rule: "self.a == 'x'" }, { a: text }))
    expect(unguarded({ spec: {} }, undefined)[0]?.message).toBe(
      "Invalid value: cannot be evaluated rule: self.a == 'x'",
    )
  })

  it('SC12 runs transition rules only where there is an old value', () => {
    const check = compileRules(withRule({ rule: 'self.a == oldSelf.a', message: 'a is immutable' }, { a: text }))
    expect(check({ spec: { a: 'x' } }, undefined)).toEqual([])
    expect(check({ spec: { a: 'x' } }, { spec: { a: 'x' } })).toEqual([])
    expect(check({ spec: { a: 'x' } }, { spec: { a: 'y' } })).toHaveLength(1)
    expect(check({ spec: { a: 'x' } }, {})).toEqual([])
  })

  it('SC12 matches items of a map list with their old selves by key, others with none', () => {
    const items: StructuralSchema = {
      type: 'object',
      properties: { name: text, a: text },
      'x-kubernetes-validations': [{ rule: 'self.a == oldSelf.a' }],
    }
    const list = (rest: StructuralSchema): StructuralSchema => ({
      type: 'object',
      properties: { l: { type: 'array', items, ...rest } },
    })
    const map = compileRules(list({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }))
    const old = {
      l: [
        { name: 'p', a: '1' },
        { name: 'q', a: '2' },
      ],
    }
    expect(
      map(
        {
          l: [
            { name: 'q', a: '2' },
            { name: 'new', a: '3' },
          ],
        },
        old,
      ),
    ).toEqual([])
    expect(map({ l: [{ name: 'q', a: '9' }] }, old).map((cause) => cause.field)).toEqual(['l[0]'])
    expect(compileRules(list({}))({ l: [{ name: 'q', a: '9' }] }, old)).toEqual([])
  })

  it('SC13 shows only the names of the metadata, and no undeclared field', () => {
    const root = (rule: string): ReturnType<typeof compileRules> =>
      compileRules({ type: 'object', properties: { spec: { type: 'object' } }, 'x-kubernetes-validations': [{ rule }] })
    const object = { metadata: { name: 'n', labels: { a: 'b' } }, spec: { secret: 1 } }
    expect(root("self.metadata.name == 'n' && !has(self.metadata.labels)")(object, undefined)).toEqual([])
    expect(root('!has(self.spec.secret)')(object, undefined)).toEqual([])
    expect(root('self == self')(object, undefined)).toEqual([])
  })

  it('SC11 throws for a rule that is not CEL', () => {
    expect(() => compileRules(withRule({ rule: 'self.a ==' }))).toThrow()
  })
})
