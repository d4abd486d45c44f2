/** Tests of Firestore's limits on documents. */
import { describe, expect, test } from 'vitest'
import { DOCUMENT_BYTES_MAX, isTooLarge, limitFault, sizeOf, VALUE_BYTES_MAX } from './limits.ts'

const nested = (levels: number): unknown => (levels === 0 ? 1 : { a: nested(levels - 1) })

describe('sizeOf', () => {
  test('FDL1 measures as the example of the documentation', () => {
    const fields = { type: 'Personal', done: false, priority: 1, description: 'Learn Cloud Firestore' }
    expect(sizeOf(fields, 'users/jeff/tasks/my_task_id')).toBe(147)
  })

  test('FDL1 counts bytes of UTF-8, null, arrays, maps and bytes', () => {
    const base = sizeOf({})
    expect(sizeOf({ a: 'ä€😀' }) - base).toBe(2 + 10)
    expect(sizeOf({ a: [1, null, true] }) - base).toBe(2 + 8 + 1 + 1)
    expect(sizeOf({ a: { b: 1 } }) - base).toBe(2 + 32 + 2 + 8)
    expect(sizeOf({ a: Buffer.from('abc'), b: new Date(0) }) - base).toBe(2 + 3 + 2 + 8)
  })
})

describe('limitFault', () => {
  test.each<readonly [string, Record<string, unknown>, RegExp]>([
    ['an array in an array', { a: [1, [2]] }, /an array lies in an array/],
    ['an empty name', { a: { '': 1 } }, /a field has the name ""/],
    ['a name of Firestore’s', { __x__: 1 }, /a field has the name "__x__"/],
    ['a long name', { ['k'.repeat(1501)]: 1 }, /a field has the name "k/],
    ['a long path', { a: { ['k'.repeat(800)]: [{ ['l'.repeat(800)]: 1 }] } }, /the path of a field has 1604 bytes/],
    ['a lone surrogate', { a: ['\ud800'] }, /a text is not valid Unicode/],
    ['21 levels', { a: nested(20) }, /it nests deeper than 20 levels/],
    ['undefined', { a: undefined }, /a value is undefined/],
    ['a value over its limit', { a: 'x'.repeat(VALUE_BYTES_MAX) }, /the field "a" is larger than/],
    [
      'a document over its limit',
      { a: 'x'.repeat(600_000), b: 'x'.repeat(600_000) },
      /the document has 1200\d\d\d bytes/,
    ],
  ])('FDL2 refuses %s', (_name, fields, fault) => {
    expect(limitFault(fields)).toMatch(fault)
  })

  test('FDL2 takes what is just within', () => {
    expect(limitFault({ a: nested(19), b: [{ c: [1] }], ['k'.repeat(1499)]: '', at: new Date(0) })).toBeUndefined()
  })

  test('FDL3 too large is what only the size keeps out', () => {
    const fields = (chars: number): Record<string, unknown> => ({ a: 'x'.repeat(chars / 2), b: 'x'.repeat(chars / 2) })
    const room = DOCUMENT_BYTES_MAX - sizeOf(fields(0), 'plans/x')
    expect(isTooLarge(fields(room), 'plans/x')).toBe(false)
    expect(isTooLarge(fields(room + 2), 'plans/x')).toBe(true)
    expect(isTooLarge({ a: 'x'.repeat(VALUE_BYTES_MAX) })).toBe(true)
    expect(isTooLarge({ a: [[1]] })).toBe(false)
  })
})
