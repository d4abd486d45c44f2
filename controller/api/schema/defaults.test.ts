/** Defaulting: where defaults apply, and what becomes of nulls. */
import { describe, expect, it } from 'vitest'
import { applyDefaults } from './defaults.ts'
import type { StructuralSchema } from './structural.ts'

const guest: StructuralSchema = { type: 'object', properties: { cpus: { type: 'integer', default: 1 } } }
const schema: StructuralSchema = {
  type: 'object',
  properties: {
    policy: { type: 'string', default: 'OnDemand' },
    limit: { type: 'integer', nullable: true },
    name: { type: 'string' },
    guest,
    withDefault: { ...guest, default: {} },
    list: { type: 'array', default: [], items: guest },
    map: { type: 'object', additionalProperties: guest },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  },
}
const filled = { policy: 'OnDemand', withDefault: { cpus: 1 }, list: [] }

describe('applyDefaults', () => {
  it.each([
    ['absent fields get their defaults; a nested one only when its parent has one', {}, filled],
    ['a parent that is there gets its nested defaults', { guest: {} }, { ...filled, guest: { cpus: 1 } }],
    [
      'items and map values get theirs',
      { list: [{}], map: { a: {} } },
      { ...filled, list: [{ cpus: 1 }], map: { a: { cpus: 1 } } },
    ],
    ['a null with a default is replaced', { policy: null, withDefault: null }, filled],
    ['a null without a default is dropped', { name: null, guest: null, map: { a: null } }, { ...filled, map: {} }],
    ['a null that is allowed stays', { limit: null }, { ...filled, limit: null }],
    ['a null item stays, to be refused', { list: [null] }, { ...filled, list: [null] }],
    ['free values are not looked into', { free: { a: null } }, { ...filled, free: { a: null } }],
    ['values of the wrong type are left', { guest: 'x', list: {} }, { ...filled, guest: 'x', list: {} }],
  ])('SC3 %s', (_, value, expected) => {
    expect(applyDefaults(schema, value)).toEqual(expected)
  })

  it('SC3 gives each object a default of its own', () => {
    expect(applyDefaults(schema, {})).not.toBe(applyDefaults(schema, {}))
    const [a, b] = [applyDefaults(schema, {}), applyDefaults(schema, {})] as { list?: unknown }[]
    expect(a?.list).not.toBe(b?.list)
  })

  it('SC3 shares an object that needs nothing', () => {
    const value = { ...filled, guest: { cpus: 2 } }
    expect(applyDefaults(schema, value)).toBe(value)
  })

  it('SC3 leaves a map key named __proto__ a plain member', () => {
    const value: object = JSON.parse('{"map":{"__proto__":{}}}')
    const { map } = applyDefaults(schema, value) as { map?: object }
    expect(Object.keys(map ?? {})).toEqual(['__proto__'])
  })
})
