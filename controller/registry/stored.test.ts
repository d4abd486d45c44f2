/** What of a stored object keeps it from being read as one of its kind. */
import { describe, expect, test } from 'vitest'
import type { JsonObject } from '../api/object.ts'
import { storedJudge } from './stored.ts'
import { widgets } from './testing.ts'

const judge = storedJudge([widgets])
const collection = `${widgets.plural}.${widgets.group}`
const NEW = { observedGeneration: -1 }
const widget = (spec: JsonObject, status: JsonObject = NEW): JsonObject => ({
  apiVersion: 'x/v1',
  kind: 'Widget',
  metadata: { name: 'w' },
  spec,
  status,
})
const condition = {
  type: 'Ready',
  status: 'True',
  reason: 'X',
  message: '',
  lastTransitionTime: '2026-01-01T00:00:00Z',
}

describe('a stored object', () => {
  test.each([
    ['a member of another type', widget({ color: 5 }), /^spec\.color: Invalid value/],
    ['an item of another type', widget({ tags: ['a', {}] }), /^spec\.tags\[1\]: /],
    ['a list that is a number', widget({ tags: 5 }), /^spec\.tags: /],
    ['a status of another type', widget({}, { conditions: 'Ready' }), /^status\.conditions: /],
    [
      'a word that nobody knows',
      widget({}, { conditions: [{ ...condition, status: 'Perhaps' }] }),
      /Unsupported value/,
    ],
    ['a part without what it must have', widget({}, { conditions: [{ type: 'Ready' }] }), /Required value/],
    ['no spec at all', { apiVersion: 'x/v1', kind: 'Widget', metadata: { name: 'w' } }, /^spec: Required value/],
    ['long texts', widget({ color: 5, tags: 'x'.repeat(5000) }), /^.{10,201}$/],
  ])('RG33 with %s is none of its kind', (_what, object, fault) => {
    const judgement = judge(collection, object)
    expect(judgement.ok ? '' : judgement.fault).toMatch(fault)
  })
  test('RG33 that is beyond a bound is one all the same', () => {
    const object = widget({ color: 'x'.repeat(50), size: 1000, tags: ['1', '2', '3', '4', '5', '6'] })
    expect(judge(collection, object)).toEqual({ ok: true, object })
  })
  test('RG33 has the defaults of its kind, and is the same object where it had them', () => {
    const { status: _none, ...bare } = widget({ size: null })
    expect(judge(collection, bare)).toEqual({ ok: true, object: widget({ color: 'red' }) })
    const whole = widget({ color: 'blue' })
    const judgement = judge(collection, whole)
    expect(judgement.ok && judgement.object).toBe(whole)
  })
  test('RG33 of a kind without a schema is taken as it is', () => {
    const object = { kind: 7 }
    expect(judge('events', object)).toEqual({ ok: true, object })
    expect(judge('__proto__', object)).toEqual({ ok: true, object })
  })
})
