/** Holds the indexes file and the role of the database to what the store needs. */
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { ROOT } from '../../../test/source-tree.ts'
import { resourceName } from '../../api/define-kind.ts'
import { KINDS } from '../../kinds/kinds.ts'
import { CORE_RESOURCES } from '../../registry/core.ts'
import { EXPIRE_FIELD } from './codec.ts'
import { collectionGroupOf } from './paths.ts'

type Override = { collectionGroup: string; fieldPath: string; ttl?: boolean; indexes: unknown[] }

const textOf = (name: string): string => readFileSync(path.join(ROOT, 'firestore', name), 'utf8')
const indexes: { indexes: unknown[]; fieldOverrides: Override[] } = JSON.parse(textOf('firestore.indexes.json'))
const resources = [...KINDS, ...CORE_RESOURCES]

const fieldsOf = (group: string | undefined): string[] =>
  indexes.fieldOverrides.filter((one) => one.collectionGroup === group).map((one) => one.fieldPath)

test.each(resources.map((resource) => [resource.kind, resource] as const))(
  'FDR2 no field of a %s is indexed, and expireAt is its time to live',
  (_kind, resource) => {
    const group = collectionGroupOf(resourceName(resource))
    const expected = ['apiVersion', 'kind', 'metadata', 'spec', 'status', '_text', EXPIRE_FIELD]
    expect(fieldsOf(group)).toEqual(expect.arrayContaining(expected))
    expect(new Set(fieldsOf(group)).size).toBe(fieldsOf(group).length)
  },
)

test('FDR2 an override switches every index off, and only expireAt expires', () => {
  expect(indexes.fieldOverrides.filter((one) => one.indexes.length > 0)).toEqual([])
  expect(indexes.fieldOverrides.filter((one) => (one.fieldPath === EXPIRE_FIELD) !== (one.ttl === true))).toEqual([])
  const groups = new Set(resources.map((resource) => collectionGroupOf(resourceName(resource))))
  expect(indexes.fieldOverrides.filter((one) => !groups.has(one.collectionGroup))).toEqual([])
})

test('FDR3 the role holds what the store calls for and nothing else', () => {
  expect(parse(textOf('role.yaml')).includedPermissions).toEqual([
    'datastore.databases.get',
    'datastore.entities.create',
    'datastore.entities.delete',
    'datastore.entities.get',
    'datastore.entities.list',
    'datastore.entities.update',
  ])
})
