/** Tests of a tenant whose namespace a cluster has already, on the engine: told, left alone, and taken once it is given. */
import { afterEach, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { planOf, tenantOf } from '../object-builders.ts'
import { planKind } from '../plan/schema.ts'
import { createFleet } from '../test-fleet.ts'
import { tenantKind } from './schema.ts'

const fleet = createFleet()
afterEach(() => fleet.manager.stop())

test('TN15 who has a namespace of the name is told of, and giving it away is noticed within 30 s', async () => {
  const { client, clock, manager, outside, settle } = fleet
  const seen = () => {
    const tenant = manager.cache.get(tenantKind, { namespace: '', name: 'acme' })
    const ready = findCondition(tenant?.status?.conditions, 'Ready')
    return [ready?.status, ready?.reason, tenant?.status?.limits?.concurrentSprites]
  }
  outside.takenNamespaces.add('acme')
  await manager.start()
  await client.create(planKind, planOf('growth'))
  await client.create(tenantKind, tenantOf())
  await settle()
  expect(seen()).toEqual(['False', 'NamespaceTaken', undefined])
  expect([...outside.namespaces]).toEqual([])
  outside.takenNamespaces.delete('acme')
  outside.namespaces.add('acme')
  await clock.advance(30_000)
  await settle()
  expect(seen()).toEqual(['True', 'Active', 4])
})
