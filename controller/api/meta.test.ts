/** Request metadata: what counts, what is ignored, what cannot be read. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { metaCauses, readMeta } from './meta.ts'

test('ME1 what the server owns is ignored, null or stale, but has to be of its type', () => {
  const read = readMeta({
    name: 'a',
    creationTimestamp: '2001-01-01T00:00:00Z',
    deletionTimestamp: '2001-01-01T00:00:00.000Z',
    generation: 7,
    managedFields: null,
    selfLink: '/x',
    deletionGracePeriodSeconds: 30,
  })
  expect(read).toEqual({ requested: { name: 'a' }, seen: {}, unknown: [], wrong: [] })
  const wrong = { creationTimestamp: 7, deletionTimestamp: 'now', generation: 'x', managedFields: 'a', selfLink: 1 }
  expect(readMeta(wrong).wrong).toHaveLength(5)
})

test('ME2 uid and resourceVersion are what the caller has seen, and empty ones are not', () => {
  expect(readMeta({ uid: 'u', resourceVersion: '7' }).seen).toEqual({ uid: 'u', resourceVersion: '7' })
  expect(readMeta({ uid: '', resourceVersion: null }).seen).toEqual({})
})

test('ME3 empty maps and lists vanish, null members are empty texts, repeated finalizers count once', () => {
  const { requested } = readMeta({
    labels: {},
    annotations: { a: null },
    ownerReferences: [],
    finalizers: ['x.io/a', 'x.io/a'],
    name: '',
  })
  expect(requested).toEqual({ annotations: { a: '' }, finalizers: ['x.io/a'] })
})

const wrong: readonly [unknown, string][] = [
  [[], 'metadata must be an object'],
  [{ name: 7 }, 'metadata.name must be a string'],
  [{ labels: { a: 1 } }, 'metadata.labels["a"] must be a string'],
  [{ annotations: [] }, 'metadata.annotations must be a map of strings'],
  [{ finalizers: [1] }, 'metadata.finalizers must be a list of strings'],
  [{ ownerReferences: {} }, 'metadata.ownerReferences must be a list'],
  [{ ownerReferences: [null] }, 'metadata.ownerReferences[0] must be an object'],
  [{ ownerReferences: [{ controller: 'yes' }] }, 'metadata.ownerReferences[0].controller must be a boolean'],
]
test.each(wrong)('ME4 %j cannot be read', (metadata, message) => {
  expect(readMeta(metadata).wrong).toContain(message)
})

test('ME5 unknown fields are named by path', () => {
  const owner = { apiVersion: 'v1', kind: 'K', name: 'n', uid: 'u', extra: 1 }
  expect(readMeta({ lables: {}, ownerReferences: [owner] }).unknown).toEqual([
    'metadata.lables',
    'metadata.ownerReferences[0].extra',
  ])
})

test('ME6 an owner needs all four names, and only one may control', () => {
  const owner = { apiVersion: 'v1', kind: 'K', name: 'n', uid: 'u', controller: true }
  expect(metaCauses({ ownerReferences: [owner] })).toEqual([])
  expect(metaCauses({ ownerReferences: [owner, { ...owner, uid: 'v' }] })).toHaveLength(1)
  expect(metaCauses({ ownerReferences: [{ ...owner, uid: '' }] })).toMatchObject([
    { field: 'metadata.ownerReferences.uid' },
  ])
  expect(
    metaCauses({
      ownerReferences: [
        { ...owner, apiVersion: 'a/b/c' },
        { ...owner, controller: false, kind: 'Event' },
      ],
    }),
  ).toMatchObject([
    { field: 'metadata.ownerReferences.apiVersion' },
    { field: 'metadata.ownerReferences', message: expect.stringContaining('is disallowed from being an owner') },
  ])
})

test('ME7 whatever it is given, it never throws', () => {
  fc.assert(fc.property(fc.jsonValue(), (metadata) => void readMeta(metadata)))
})
