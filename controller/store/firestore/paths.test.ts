/** Tests of where objects lie in Firestore. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { resourceName } from '../../api/define-kind.ts'
import { SYSTEM_NAMESPACE } from '../../api/namespaces.ts'
import { KINDS } from '../../kinds/kinds.ts'
import { CORE_RESOURCES } from '../../registry/core.ts'
import type { StoreKey } from '../store.ts'
import { collectionGroupOf, documentPath, keyOfPath } from './paths.ts'

const OWN = 'sprites.highera.com'
const pathOf = (collection: string, namespace: string, name: string): string | undefined => {
  const result = documentPath({ collection, namespace, name })
  return result.ok ? result.path : undefined
}

describe('documentPath', () => {
  test.each([
    [`tenants.${OWN}`, '', 'acme', 'tenants/acme'],
    [`plans.${OWN}`, '', 'starter', 'plans/starter'],
    ['namespaces', '', 'acme', 'namespaces/acme'],
    [`sprites.${OWN}`, 'acme', 'anna', 'tenants/acme/sprites/anna'],
    [`work.${OWN}`, 'acme', 'w.1', 'tenants/acme/work/w.1'],
    ['events', 'default', 'acme.1842', 'tenants/default/events/acme.1842'],
    ['secrets', 'acme', 'key', 'tenants/acme/secrets/key'],
    ['leases.coordination.k8s.io', SYSTEM_NAMESPACE, 'shard-3', 'leases/shard-3'],
    ['leases.coordination.k8s.io', 'acme', 'mine', 'tenants/acme/leases/mine'],
  ])('FDP1 %s %s/%s lies at %s', (collection, namespace, name, path) => {
    expect(pathOf(collection, namespace, name)).toBe(path)
    expect(keyOfPath(path)).toEqual({ collection, namespace, name })
  })

  test('FDP2 every kind that is served has a collection group of its own', () => {
    const collections = [...KINDS, ...CORE_RESOURCES].map(resourceName)
    const groups = collections.map(collectionGroupOf)
    expect(new Set(groups).size).toBe(collections.length)
    expect(groups).not.toContain(undefined)
    expect(groups.filter((group) => !/^[a-z]+$/.test(group ?? ''))).toEqual([])
  })

  test('FDP2 a plural that a built-in kind has too is spelled out', () => {
    expect(collectionGroupOf(`events.${OWN}`)).toBe(`events.${OWN}`)
    expect(collectionGroupOf(`leases.${OWN}`)).toBe(`leases.${OWN}`)
    expect(collectionGroupOf('sprites')).toBe('sprites@core')
    expect(collectionGroupOf('sprites.example.com')).toBe('sprites.example.com')
  })

  test('FDP2 FDP4 paths and keys are one to one', () => {
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,5}[a-z0-9])?$/)
    const collection = fc.oneof(
      fc.constantFrom('events', 'leases.coordination.k8s.io', 'leases', 'tenants', `tenants.${OWN}`, `leases.${OWN}`),
      label,
      label.map((plural) => `${plural}.${OWN}`),
      fc.tuple(label, label).map((parts) => parts.join('.')),
    )
    const namespace = fc.oneof(label, fc.constantFrom('', SYSTEM_NAMESPACE))
    const key: fc.Arbitrary<StoreKey> = fc.record({
      collection,
      namespace,
      name: fc.stringMatching(/^[A-Za-z0-9:._-]{1,8}$/),
    })
    fc.assert(
      fc.property(key, (one) => {
        const built = documentPath(one)
        if (built.ok) expect(keyOfPath(built.path)).toEqual(one)
      }),
      { numRuns: 1000 },
    )
  })

  test.each([
    '',
    '.',
    '..',
    '__x__',
    'a/b',
    'a/../b',
    'ä',
    'a b',
    'a\n',
    '-a',
    'a.',
    'x'.repeat(1501),
    '\ud800',
    '`',
    '%2F',
  ])('FDP3 %j is no name', (name) => {
    expect(documentPath({ collection: `sprites.${OWN}`, namespace: 'acme', name })).toMatchObject({ ok: false })
    expect(documentPath({ collection: `plans.${OWN}`, namespace: '', name })).toMatchObject({ ok: false })
  })

  test.each(['a/b', '..', '__x__', 'A', 'a.b', 'x'.repeat(64)])('FDP3 %j is no namespace', (namespace) => {
    expect(pathOf(`sprites.${OWN}`, namespace, 'anna')).toBeUndefined()
  })

  test.each(['', 'a/b', '..', '__x__', 'A', 'a..b', 'x'.repeat(300), 'sprites@core'])(
    'FDP3 %j is no collection',
    (name) => {
      expect(pathOf(name, 'acme', 'anna')).toBeUndefined()
      expect(collectionGroupOf(name)).toBeUndefined()
    },
  )

  test.each([
    '',
    'tenants',
    'tenants/acme/sprites',
    'users/acme/sprites/anna',
    'tenants/acme/sprites/anna/more/x',
    'tenants/acme/sprites/__x__',
    'tenants//sprites/anna',
    `tenants/${SYSTEM_NAMESPACE}/leases/x`,
    'a/b/tenants/c',
    'events@core/x',
    `sprites.${OWN}/x`,
  ])('FDP4 no object of ours lies at %j', (path) => {
    expect(keyOfPath(path)).toBeUndefined()
  })

  test('FDP4 any text is a key’s path or none', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        const key = keyOfPath(`${left}/${right}`)
        if (key !== undefined) expect(documentPath(key)).toEqual({ ok: true, path: `${left}/${right}` })
      }),
    )
  })
})
