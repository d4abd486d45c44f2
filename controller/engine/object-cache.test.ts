/** Tests of the cache against a model: whatever arrives in whatever order, it ends as the server is. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KubeObject } from '../api/object.ts'
import { ObjectCache } from './object-cache.ts'
import { compareRevisions, wakesOwnKey } from './wakes.ts'

const objectAt = (name: string, uid: string, revision: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Thing',
  metadata: {
    name,
    namespace: name < 'c' ? 'low' : 'high',
    uid,
    resourceVersion: String(revision),
    generation: 1,
    creationTimestamp: '2026-01-01T00:00:00Z',
  },
  spec: {},
})

type Change = { readonly isDeletion: boolean; readonly object: KubeObject }

/** A history of one server: each name is created, changed, deleted, created again. */
const history = fc
  .array(fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), isDeletion: fc.boolean() }), { maxLength: 40 })
  .map((steps) => {
    const live = new Map<string, string>()
    return steps.flatMap(({ name, isDeletion }, index): Change[] => {
      const uid = live.get(name)
      if (isDeletion && uid === undefined) return []
      if (isDeletion) live.delete(name)
      else if (uid === undefined) live.set(name, `uid-${index}`)
      return [{ isDeletion, object: objectAt(name, uid ?? `uid-${index}`, index + 1) }]
    })
  })

const stateAfter = (changes: readonly Change[]): Map<string, KubeObject> => {
  const state = new Map<string, KubeObject>()
  for (const { isDeletion, object } of changes)
    if (isDeletion) state.delete(object.metadata.name)
    else state.set(object.metadata.name, object)
  return state
}

test('EI6 EI7 property: with observes and lists of any age between the changes, the cache ends as the server', () => {
  const noise = fc.array(fc.record({ after: fc.nat(40), of: fc.nat(40), isList: fc.boolean() }), { maxLength: 40 })
  fc.assert(
    fc.property(history, noise, (changes, intrusions) => {
      const cache = new ObjectCache()
      cache.replace([], '0')
      const listAt = (count: number): void => {
        const revision = changes[count - 1]?.object.metadata.resourceVersion ?? '0'
        cache.replace([...stateAfter(changes.slice(0, count)).values()], revision)
      }
      for (const [index, { isDeletion, object }] of changes.entries()) {
        if (isDeletion) cache.remove(object)
        else cache.put(object)
        cache.advance(object.metadata.resourceVersion)
        for (const { of, isList } of intrusions.filter(({ after }) => after === index)) {
          const seen = changes[of]
          if (isList && of <= index) listAt(of)
          else if (seen !== undefined && !seen.isDeletion) cache.put(seen.object)
        }
      }
      const wanted = stateAfter(changes)
      expect(new Map(cache.list().map((object) => [object.metadata.name, object]))).toEqual(wanted)
      for (const namespace of ['low', 'high'])
        expect(cache.list(namespace).length).toBe(
          [...wanted.values()].filter((o) => o.metadata.namespace === namespace).length,
        )
    }),
    { numRuns: 500 },
  )
})

test('EI10 an up-to-date list brings what a watch has failed to tell, a stale one does not bring the dead back', () => {
  const cache = new ObjectCache()
  cache.replace([objectAt('a', 'u', 5), objectAt('b', 'w', 6)], '6')
  cache.remove(objectAt('b', 'w', 8))
  cache.advance('10')
  cache.replace([objectAt('a', 'u', 5), objectAt('b', 'w', 6)], '7')
  expect(cache.list().map((object) => object.metadata.name)).toEqual(['a'])
  cache.replace([objectAt('a', 'u', 5), objectAt('c', 'v', 7)], '11')
  expect(cache.list().map((object) => object.metadata.name)).toEqual(['a', 'c'])
  expect(cache.resourceVersion).toBe('11')
})

test('EI6 revisions compare as the decimal integers that they are, past 2^53 too', () => {
  const bigint = fc.bigInt({ min: 0n, max: 2n ** 70n })
  fc.assert(
    fc.property(bigint, bigint, (a, b) => {
      expect(Math.sign(compareRevisions(String(a), String(b)))).toBe(a < b ? -1 : a > b ? 1 : 0)
    }),
  )
})

test('EI1 a list is made once and kept until something in it changes', () => {
  const cache = new ObjectCache()
  cache.put(objectAt('a', 'u', 1))
  cache.put(objectAt('d', 'v', 2))
  const [all, low, high] = [cache.list(), cache.list('low'), cache.list('high')]
  expect([cache.list(), cache.list('low')]).toEqual([all, low])
  expect(cache.list()).toBe(all)
  cache.put(objectAt('d', 'v', 3))
  expect(cache.list('low')).toBe(low)
  expect(cache.list('high')).not.toBe(high)
  expect(cache.list()).not.toBe(all)
})

const base = objectAt('a', 'uid', 1)
const changed = (metadata: Partial<KubeObject['metadata']>, rest: Partial<KubeObject> = {}): KubeObject => ({
  ...base,
  ...rest,
  metadata: { ...base.metadata, ...metadata },
})

test.each<[string, KubeObject, KubeObject | undefined, boolean]>([
  ['it is new', base, undefined, true],
  ['its status changed', changed({ resourceVersion: '2' }, { status: { phase: 'Idle' } }), base, false],
  ['its generation changed', changed({ generation: 2 }), base, true],
  ['its deletion began', changed({ deletionTimestamp: '2026-01-01T00:00:00Z' }), base, true],
  ['a label came', changed({ labels: { a: '1' } }), base, true],
  ['a label changed', changed({ labels: { a: '2' } }), changed({ labels: { a: '1' } }), true],
  ['a label went', base, changed({ labels: { a: '1' } }), true],
  ['an empty label map went', base, changed({ labels: {} }), false],
  [
    'labels changed their order',
    changed({ labels: { a: '1', b: '2' } }),
    changed({ labels: { b: '2', a: '1' } }),
    false,
  ],
  ['an annotation came', changed({ annotations: { a: '1' } }), base, true],
  ['a finalizer came', changed({ finalizers: ['x/y'] }), base, true],
  ['finalizers are as they were', changed({ finalizers: ['x/y'] }), changed({ finalizers: ['x/y'] }), false],
  ['it is another of its name', changed({ uid: 'other' }), base, true],
])('EM4 own key wakes when %s', (_name, object, previous, wakes) => {
  expect(wakesOwnKey(object, previous)).toBe(wakes)
})
