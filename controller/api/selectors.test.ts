/** Selectors: Kubernetes' grammar as tables. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from './object.ts'
import { fieldPredicate, labelPredicate, parseFieldSelector } from './selectors.ts'

const object = (labels: Record<string, string>, rest: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'T',
    metadata: { name: 'n', namespace: 'ns', labels },
    spec: {},
    ...rest,
  }) as unknown as KubeObject

const isSelected = (selector: string, labels: Record<string, string>): boolean | string => {
  const predicate = labelPredicate(selector)
  return predicate.ok ? predicate.value(object(labels)) : predicate.error.message
}

describe('label selector', () => {
  const rows: readonly [string, Record<string, string>, boolean][] = [
    ['', {}, true],
    ['  ', { a: '1' }, true],
    ['a=1', { a: '1' }, true],
    ['a==1', { a: '1' }, true],
    ['a = 1', { a: '1' }, true],
    ['a=1', { a: '2' }, false],
    ['a=', { a: '' }, true],
    ['a=', {}, false],
    ['a!=1', { a: '2' }, true],
    ['a!=1', {}, true],
    ['a!=1', { a: '1' }, false],
    ['a', { a: '' }, true],
    ['a', {}, false],
    ['!a', {}, true],
    ['! a', { a: '1' }, false],
    ['a in (1, 2)', { a: '2' }, true],
    ['a in (1,2)', {}, false],
    ['a in ()', { a: '' }, true],
    ['a notin (1,2)', {}, true],
    ['a notin (1,2)', { a: '1' }, false],
    ['a notin(1,2)', { a: '3' }, true],
    ['a>3', { a: '4' }, true],
    ['a>3', { a: '3' }, false],
    ['a > 3', { a: 'x' }, false],
    ['a<3', { a: '-2' }, true],
    ['a<3', {}, false],
    ['a=1,b!=2,c in (x,y),!d', { a: '1', c: 'y' }, true],
    ['a=1,b!=2,c in (x,y),!d', { a: '1', c: 'y', d: '' }, false],
    ['example.com/a-b_c.d=x', { 'example.com/a-b_c.d': 'x' }, true],
    ['in', { in: '1' }, true],
    ['constructor', {}, false],
    ['toString!=x', {}, true],
  ]
  test.each(rows)('SE1 %j over %j is %j', (selector, labels, expected) => {
    expect(isSelected(selector, labels)).toBe(expected)
  })

  const refused = ['a in b', 'a=(', ',', 'a,', 'a b', '=1', '!', 'a>x', 'a=b=c', 'a in (1', 'a notin', 'a!', '-a=1']
  test.each([...refused, `a=${'x'.repeat(64)}`, 'a'.repeat(10_000), 'a in (b c)'])('SE2 %j is refused', (selector) => {
    expect(typeof isSelected(selector, {})).toBe('string')
  })

  test('SE3 whatever it is given, it never throws and is quick', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', ',', '(', ')', '=', '!', ' ', 'in', '<', '/'), maxLength: 200 }),
        (text) => {
          labelPredicate(text)
          parseFieldSelector(text, [])
        },
      ),
    )
    expect(typeof isSelected(`a in ${'('.repeat(4_000)}`, {})).toBe('string')
  })
})

describe('field selector', () => {
  const target = object({}, { spec: { agentType: 'a,b=c', size: 3, isOn: true, list: [] } })
  const selectable = ['spec.agentType', 'spec.size', 'spec.isOn', 'spec.list', 'spec.none']
  const rows: readonly [string, boolean][] = [
    ['', true],
    ['metadata.name=n', true],
    ['metadata.name==n,metadata.namespace=ns', true],
    ['metadata.name!=n', false],
    ['metadata.namespace=other', false],
    ['spec.agentType=a\\,b\\=c', true],
    ['spec.agentType=a', false],
    ['spec.size=3', true],
    ['spec.isOn=true', true],
    ['spec.none=', true],
    ['spec.none!=', false],
    ['spec.list=', true],
  ]
  test.each(rows)('SE4 %j is %j', (selector, expected) => {
    const predicate = fieldPredicate(selector, selectable)
    expect(predicate.ok && predicate.value(target)).toBe(expected)
  })

  test('SE5 a field that is not selectable is named', () => {
    expect(fieldPredicate('spec.secret=x', selectable)).toEqual({
      ok: false,
      error: { message: 'field label not supported: spec.secret' },
    })
  })
  test.each(['a', 'metadata.name', '=x', 'metadata.name=a=b'])('SE5 %j is refused', (selector) => {
    expect(fieldPredicate(selector, []).ok).toBe(false)
  })
})
