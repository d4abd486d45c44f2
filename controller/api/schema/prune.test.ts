/** Pruning: what is dropped, what is kept, and under which path it is told. */
import { describe, expect, it } from 'vitest'
import { prune, UNKNOWN_FIELDS_MAX } from './prune.ts'
import type { StructuralSchema } from './structural.ts'

const schema: StructuralSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        name: { type: 'string' },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { a: { type: 'object' } } },
        map: { type: 'object', additionalProperties: { type: 'object', properties: { x: { type: 'string' } } } },
        work: { type: 'array', items: { type: 'object', properties: { x: { type: 'string' } } } },
      },
    },
  },
}

describe('prune', () => {
  it('SC1 names unknown fields by path, in lists and maps too', () => {
    const object = { bad: 1, spec: { nmae: 'x', work: [{ x: 'a' }, { y: 1 }], map: { k: { z: 1 } } } }
    expect(prune(schema, object)).toEqual({
      value: { spec: { work: [{ x: 'a' }, {}], map: { k: {} } } },
      unknown: ['bad', 'spec.nmae', 'spec.work[1].y', 'spec.map.k.z'],
    })
  })

  it('SC1 leaves apiVersion, kind and metadata alone at the root only', () => {
    const object = { apiVersion: 'v', kind: 'K', metadata: { anything: [1] }, spec: { metadata: 1 } }
    expect(prune(schema, object)).toEqual({
      value: { apiVersion: 'v', kind: 'K', metadata: { anything: [1] }, spec: {} },
      unknown: ['spec.metadata'],
    })
  })

  it('SC1 keeps free fields, but prunes what is declared among them', () => {
    const object = { spec: { free: { other: { b: 1 }, a: { c: 1 } } } }
    expect(prune(schema, object)).toEqual({
      value: { spec: { free: { other: { b: 1 }, a: {} } } },
      unknown: ['spec.free.a.c'],
    })
  })

  it('SC1 finds no field by the name of a property of every object', () => {
    const object: unknown = JSON.parse('{"spec":{"constructor":1,"__proto__":{"name":"x"},"toString":2}}')
    const { value, unknown } = prune(schema, object)
    expect(value).toEqual({ spec: {} })
    expect(unknown).toEqual(['spec.constructor', 'spec.__proto__', 'spec.toString'])
  })

  it('SC1 drops any number of unknown fields and names the first of them', () => {
    const spec = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`f${index}`, 1]))
    const { value, unknown } = prune(schema, { spec })
    expect(value).toEqual({ spec: {} })
    expect(unknown).toHaveLength(UNKNOWN_FIELDS_MAX)
  })

  it('SC1 passes by values of the wrong type', () => {
    expect(prune(schema, { spec: [1], x: 1 })).toEqual({ value: { spec: [1] }, unknown: ['x'] })
    expect(prune(schema, 'text')).toEqual({ value: 'text', unknown: [] })
  })
})
