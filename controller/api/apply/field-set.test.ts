/** Sets of fields against sets of path texts, and the elements that paths are made of. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalElement, printPath } from './element.ts'
import {
  difference,
  differenceBelow,
  hasPath,
  insertPath,
  intersection,
  isEmptySet,
  pathsOf,
  sortedSet,
  union,
  type FieldPath,
  type FieldSet,
  type FieldSetDraft,
} from './field-set.ts'

const paths = fc.array(fc.array(fc.constantFrom('f:a', 'f:b', 'v:1', 'k:{"n":1}'), { minLength: 1, maxLength: 3 }), {
  maxLength: 8,
})

const setFrom = (all: readonly FieldPath[]): FieldSet => {
  const draft: FieldSetDraft = {}
  for (const path of all) insertPath(draft, path)
  return draft
}
const textsOf = (set: FieldSet): Set<string> => new Set(pathsOf(set).map((path) => path.join(' ')))
const textsIn = (all: readonly FieldPath[]): Set<string> => new Set(all.map((path) => path.join(' ')))

describe('field sets', () => {
  test('AP1 a wide node is looked into once, not once a path', () => {
    let looks = 0
    const wide = new Proxy<Record<string, never>>({}, { ownKeys: (target) => (looks++, Reflect.ownKeys(target)) })
    for (let index = 0; index < 500; index++) insertPath({ 'f:input': wide }, ['f:input', `f:k${index}`])
    expect(looks).toBeLessThanOrEqual(2)
  })

  test('AP1 union, difference and intersection are those of the paths', () => {
    fc.assert(
      fc.property(paths, paths, (left, right) => {
        const [one, other] = [setFrom(left), setFrom(right)]
        const [a, b] = [textsIn(left), textsIn(right)]
        expect(textsOf(one)).toEqual(a)
        expect(textsOf(union(one, other))).toEqual(new Set([...a, ...b]))
        expect(textsOf(difference(one, other))).toEqual(new Set([...a].filter((path) => !b.has(path))))
        expect(textsOf(intersection(one, other))).toEqual(new Set([...a].filter((path) => b.has(path))))
        const isBelow = (path: string): boolean => [...b].some((top) => path === top || path.startsWith(`${top} `))
        expect(textsOf(differenceBelow(one, other))).toEqual(new Set([...a].filter((path) => !isBelow(path))))
      }),
    )
  })

  test('AP1 nothing is changed in place, and order is one', () => {
    fc.assert(
      fc.property(paths, paths, (left, right) => {
        const [one, other] = [setFrom(left), setFrom(right)]
        const before = JSON.stringify([one, other])
        for (const combine of [union, difference, intersection, differenceBelow]) combine(one, other)
        expect(JSON.stringify([one, other])).toBe(before)
        expect(JSON.stringify(sortedSet(union(one, other)))).toBe(JSON.stringify(sortedSet(union(other, one))))
        expect(sortedSet(one)).toEqual(one)
      }),
    )
  })

  test('AP1 a set is FieldsV1: a leaf is a path, a node only with its mark', () => {
    expect(setFrom([['f:a', 'f:b']])).toEqual({ 'f:a': { 'f:b': {} } })
    expect(setFrom([['f:a'], ['f:a', 'f:b']])).toEqual({ 'f:a': { '.': {}, 'f:b': {} } })
    expect(setFrom([['f:a', 'f:b'], ['f:a']])).toEqual({ 'f:a': { '.': {}, 'f:b': {} } })
    expect(hasPath({ 'f:a': { 'f:b': {} } }, ['f:a'])).toBe(false)
    expect(hasPath({ 'f:a': { 'f:b': {} } }, ['f:a', 'f:b'])).toBe(true)
    expect(hasPath({ 'f:a': {} }, ['f:constructor'])).toBe(false)
    expect(isEmptySet(difference({ 'f:a': {} }, { 'f:a': {} }))).toBe(true)
  })

  test('AP1 elements have one form, and are printed as Kubernetes prints them', () => {
    expect(canonicalElement('k:{"b":1,"a":"x"}')).toBe('k:{"a":"x","b":1}')
    expect(canonicalElement('v: 1')).toBe('v:1')
    for (const odd of ['odd', 'k:1', 'k:{', 'v:', 'i:x', '__proto__', '']) expect(canonicalElement(odd)).toBeUndefined()
    expect(printPath(['f:spec', 'f:env', 'k:{"name":"A"}', 'f:value'])).toBe('.spec.env[name="A"].value')
    expect(printPath(['f:spec', 'f:tags', 'v:"x"'])).toBe('.spec.tags[="x"]')
  })
})
