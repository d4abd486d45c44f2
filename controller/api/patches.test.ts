/** Patches: RFC 7396's own table, JSON patch within bounds, equality as a relation. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json } from './object.ts'
import { isJsonObject, jsonEqual, jsonPatch, mergePatch } from './patches.ts'

describe('merge patch', () => {
  // The table of RFC 7396, appendix A.
  const rows: readonly [Json, Json, Json][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  test.each(rows)('PA1 %j with %j is %j', (target, patch, expected) => {
    expect(mergePatch(target, patch)).toEqual(expected)
  })

  test('PA1 a key named __proto__ stays a key and changes no prototype', () => {
    const merged = mergePatch({}, JSON.parse('{"__proto__": {"polluted": true}}') as Json)
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype)
    expect(JSON.stringify(merged)).toBe('{"__proto__":{"polluted":true}}')
    expect('polluted' in {}).toBe(false)
  })

  test('PA2 it never changes its target, and applying it twice is applying it once', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.jsonValue({ maxDepth: 4 }), (target, patch) => {
        const before = structuredClone(target)
        const once = mergePatch(target as Json, patch as Json)
        expect(target).toEqual(before)
        expect(jsonEqual(mergePatch(once, patch as Json), once)).toBe(true)
      }),
    )
  })
})

describe('JSON patch', () => {
  const target: Json = { a: 1, list: [1, 2], deep: { x: 'y' } }
  const applied: readonly [unknown[], Json][] = [
    [[{ op: 'add', path: '/b', value: 2 }], { ...(target as object), b: 2 }],
    [[{ op: 'add', path: '/list/-', value: 3 }], { ...(target as object), list: [1, 2, 3] }],
    [[{ op: 'remove', path: '/list/0' }], { ...(target as object), list: [2] }],
    [[{ op: 'replace', path: '', value: { n: 1 } }], { n: 1 }],
    [[{ op: 'move', from: '/deep/x', path: '/z' }], { a: 1, list: [1, 2], deep: {}, z: 'y' }],
    [[{ op: 'copy', from: '/deep', path: '/z' }], { ...(target as object), z: { x: 'y' } }],
    [[{ op: 'test', path: '/a', value: 1 }], target],
    [[{ op: 'add', path: '/a~1b', value: 1 }], { ...(target as object), 'a/b': 1 }],
  ]
  test.each(applied)('PA3 %j applies', (patch, expected) => {
    const before = structuredClone(target)
    expect(jsonPatch(target, patch)).toEqual({ ok: true, value: expected })
    expect(target).toEqual(before)
  })

  const refused: readonly [unknown, string][] = [
    [{}, 'BadRequest'],
    [[null], 'BadRequest'],
    [[{ op: 'nope', path: '/a' }], 'BadRequest'],
    [[{ op: 'add', path: '/a' }], 'BadRequest'],
    [[{ op: 'add', path: 'a', value: 1 }], 'BadRequest'],
    [[{ op: 'move', path: '/a' }], 'BadRequest'],
    [[{ op: 'add', path: '/__proto__/x', value: 1 }], 'BadRequest'],
    [[{ op: 'copy', from: '/constructor/prototype', path: '/a' }], 'BadRequest'],
    [[{ op: 'test', path: '/a', value: 2 }], 'Invalid'],
    [[{ op: 'remove', path: '/none' }], 'Invalid'],
    [[{ op: 'replace', path: '/none', value: 1 }], 'Invalid'],
    [[{ op: 'add', path: '/none/x', value: 1 }], 'Invalid'],
    [Array.from({ length: 1_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 'RequestEntityTooLarge'],
  ]
  test.each(refused)('PA4 %j is refused as %s', (patch, reason) => {
    expect(jsonPatch(target, patch)).toMatchObject({ ok: false, error: { reason } })
  })

  test('PA5 copies that double each time are stopped', () => {
    const bomb = Array.from({ length: 200 }, (_, n) => ({ op: 'copy', from: '', path: `/k${n}` }))
    expect(jsonPatch({ a: 'x'.repeat(1_000) }, bomb)).toMatchObject({ error: { reason: 'RequestEntityTooLarge' } })
  })
})

describe('JSON patch that nests', () => {
  test('PA5 copies that nest deeper and deeper end without a crash', () => {
    const nest = Array.from({ length: 18 }, (_, n) => ({ op: 'copy', from: '', path: '/k'.repeat(2 ** n) }))
    const result = jsonPatch({ k: {} }, nest)
    expect(result.ok || result.error.reason !== 'BadRequest').toBe(true)
  })
})

describe('equality', () => {
  test('PA6 is that of sorted JSON text, and undefined members are absent', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (left, right) => {
        expect(jsonEqual(left, right)).toBe(canonical(left) === canonical(right))
        expect(jsonEqual(left, structuredClone(left))).toBe(true)
      }),
    )
    expect(jsonEqual({ a: undefined, b: 1 }, { b: 1 })).toBe(true)
    expect(jsonEqual({ a: undefined }, { b: undefined })).toBe(true)
    expect(jsonEqual({ a: 1 }, { a: 1, b: 2 })).toBe(false)
    expect(jsonEqual([], {})).toBe(false)
    expect(jsonEqual({ constructor: 1 }, {})).toBe(false)
  })
})

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    isJsonObject(inner)
      ? { object: Object.entries(inner).sort(([left], [right]) => (left < right ? -1 : 1)) }
      : inner === 0
        ? 0
        : inner,
  )
