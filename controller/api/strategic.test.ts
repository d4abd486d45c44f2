/** Tests of strategic merge patches: what kubectl sends for built-in kinds. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Json } from './object.ts'
import { strategicMergePatch } from './strategic.ts'

describe('a strategic merge patch', () => {
  const rows: Record<string, readonly [Json, Json, Json]> = {
    'SM1 merges maps and removes by null': [{ a: { b: 1, c: 2 } }, { a: { b: null, d: 3 } }, { a: { c: 2, d: 3 } }],
    'SM2 replaces other lists': [{ a: [1, 2] }, { a: [3] }, { a: [3] }],
    'SM3 merges finalizers as a set': [{ finalizers: ['x'] }, { finalizers: ['y', 'x'] }, { finalizers: ['x', 'y'] }],
    'SM3 merges owners by uid': [
      { ownerReferences: [{ uid: '1', name: 'a' }] },
      {
        ownerReferences: [
          { uid: '2', name: 'b' },
          { uid: '1', controller: true },
        ],
      },
      {
        ownerReferences: [
          { uid: '1', name: 'a', controller: true },
          { uid: '2', name: 'b' },
        ],
      },
    ],
    'SM3 removes an owner by directive': [
      { ownerReferences: [{ uid: '1' }, { uid: '2' }] },
      { ownerReferences: [{ uid: '1', $patch: 'delete' }] },
      { ownerReferences: [{ uid: '2' }] },
    ],
    'SM4 removes plain values by directive': [
      { finalizers: ['x', 'y'] },
      { '$deleteFromPrimitiveList/finalizers': ['x'], '$setElementOrder/finalizers': ['y'] },
      { finalizers: ['y'] },
    ],
    'SM5 replaces a map by directive': [{ a: { b: 1 } }, { a: { $patch: 'replace', c: 2 } }, { a: { c: 2 } }],
    'SM5 removes a map by directive': [{ a: { b: 1 }, c: 1 }, { a: { $patch: 'delete' } }, { c: 1 }],
    'SM6 retains only the keys named': [{ a: { b: 1, c: 2 } }, { a: { $retainKeys: ['c'], c: 3 } }, { a: { c: 3 } }],
    'SM7 keeps names such as __proto__ as data': [
      {},
      JSON.parse('{"a":{"__proto__":{"x":1}}}') as Json,
      JSON.parse('{"a":{"__proto__":{"x":1}}}') as Json,
    ],
  }
  test.each(Object.entries(rows))('%s', (_title, [target, patch, expected]) => {
    expect(strategicMergePatch(target, patch)).toEqual(expected)
  })

  test('SM8 says the same when it is applied again, and changes nothing it was given', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (target, patch) => {
          const [from, by] = [target as Json, patch as Json] // both are JSON
          const before = JSON.stringify([from, by])
          const once = strategicMergePatch(from, by)
          expect(strategicMergePatch(once, by)).toEqual(once)
          expect(JSON.stringify([from, by])).toBe(before)
        },
      ),
    )
  })
})
