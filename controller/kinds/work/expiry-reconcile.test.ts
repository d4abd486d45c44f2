/** Tests of the expiry's pass over a tenant, on a fake client. */
import { expect, test } from 'vitest'
import { silentLog } from '../../../system/log.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { ApiError } from '../../api/errors.ts'
import type { KubeObject } from '../../api/object.ts'
import { createFakeClient } from '../../engine/fake-client.ts'
import type { Cache } from '../../engine/types.ts'
import { planOf, tenantOf, TEST_NOW_MS, workOf } from '../object-builders.ts'
import { EXPIRY_BATCH } from './expire.ts'
import { workExpiryController } from './expiry-reconcile.ts'
import { workKind } from './schema.ts'

const KEY = { namespace: '', name: 'acme' }
const signal = new AbortController().signal

function setUp(work: number, plan = planOf('growth')) {
  const clock = new TestClock()
  const client = createFakeClient({ clock })
  const completionTime = timestamp(TEST_NOW_MS - 100 * 86_400_000)
  const seeds: readonly KubeObject[] = [
    plan,
    tenantOf(),
    ...Array.from({ length: work }, (_, index) =>
      workOf(`w-${index}`, { status: { phase: 'Completed', completionTime } as never }),
    ),
  ]
  for (const object of seeds) client.seed(object)
  const cache: Cache = {
    get: (kind, key) =>
      client
        .peekAll(kind)
        .find((one) => one.metadata.name === key.name && (one.metadata.namespace ?? '') === key.namespace),
    list: (kind) => client.peekAll(kind),
    observe: () => {},
  }
  const controller = workExpiryController({ client, cache, clock, log: silentLog })
  return { client, clock, pass: () => controller.reconcile(KEY, signal), left: () => client.peekAll(workKind).length }
}

test('WRK87 deletes in batches until nothing old is left, and then rests', async () => {
  const { pass, left } = setUp(EXPIRY_BATCH + 3)
  expect(await pass()).toEqual({ requeueAfterMs: 1000, requeueReason: 'expiry' })
  expect(left()).toBe(3)
  expect(await pass()).toEqual({})
  expect(left()).toBe(0)
})

test('WRK87 what somebody changed in between, or may not lose, does not stop the others', async () => {
  const { client, pass, left } = setUp(3)
  client.failNext('delete', new ApiError('Conflict', 'Another write came between'))
  await pass()
  expect(left()).toBe(1)
  client.failNext('delete', new ApiError('Forbidden', 'No'))
  await pass()
  expect(left()).toBe(1)
  await pass()
  expect(left()).toBe(0)
})

test('WRK87 a store that is away is an error, and nothing is lost', async () => {
  const { client, pass, left } = setUp(2)
  client.failNext('delete', new ApiError('ServiceUnavailable', 'Away'))
  await expect(pass()).rejects.toMatchObject({ reason: 'ServiceUnavailable' })
  expect(left()).toBe(2)
  await pass()
  expect(left()).toBe(0)
})

test('WRK80 without its plan nothing of a tenant goes', async () => {
  const { pass, left } = setUp(2, planOf('other'))
  expect(await pass()).toEqual({})
  expect(left()).toBe(2)
})
