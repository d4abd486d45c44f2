/** Tests of the built-in plans and of the first start. */
import { describe, expect, test } from 'vitest'
import { createFakeClient } from '../../engine/fake-client.ts'
import { TestClock } from '../../../system/test-clock.ts'
import { planOf } from '../object-builders.ts'
import { BUILTIN_PLANS, ensureBuiltinPlans } from './builtin.ts'
import { planKind } from './schema.ts'

describe('the built-in plans', () => {
  const createStore = () => createFakeClient({ clock: new TestClock() })
  const names = (client: ReturnType<typeof createStore>) => client.peekAll(planKind).map((plan) => plan.metadata.name)

  test('BP1 are stored at first start, without a mark left behind', async () => {
    const client = createStore()
    expect(await ensureBuiltinPlans(client)).toEqual(['starter', 'growth', 'enterprise'])
    expect(client.peekAll(planKind).map((plan) => plan.spec.concurrentSprites)).toEqual([10, 4, 2])
    expect(client.peekAll(planKind).flatMap((plan) => Object.keys(plan.metadata.annotations ?? {}))).toEqual([])
  })
  test('BP2 are never overwritten and never come back', async () => {
    const client = createStore()
    client.seed(planOf('starter', { spec: { concurrentSprites: 7 } }))
    expect(await ensureBuiltinPlans(client)).toEqual([])
    expect(client.peekAll(planKind).map((plan) => plan.spec.concurrentSprites)).toEqual([7])
  })
  test.each([0, 1, 2])('BP3 a first start that died after %s creates is completed by the next', async (creates) => {
    const client = createStore()
    for (let made = 0; made < creates; made++) client.beforeNext('create', () => undefined)
    client.beforeNext('create', () => {
      throw new Error('Killed')
    })
    await expect(ensureBuiltinPlans(client)).rejects.toThrow('Killed')
    expect(names(client)).toHaveLength(creates)
    await ensureBuiltinPlans(client)
    expect(names(client)).toEqual(['enterprise', 'growth', 'starter'])
    expect(await ensureBuiltinPlans(client)).toEqual([])
    expect(client.peekAll(planKind).flatMap((plan) => Object.keys(plan.metadata.annotations ?? {}))).toEqual([])
  })
  test('BP4 each is valid by the schema, with nothing left to a default', () => {
    for (const spec of BUILTIN_PLANS.values()) expect(planKind.spec.parse(spec)).toEqual(spec)
  })
})
