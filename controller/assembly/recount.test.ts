/** Tests of the store's side of the ledger in Redis. Rules: controller/ledger/redis/ledger.ts. */
import { describe, expect, it } from 'vitest'
import { ApiError } from '../api/errors.ts'
import { createFakeClient } from '../engine/fake-client.ts'
import { tenantKind } from '../kinds/tenant/schema.ts'
import { TestClock } from '../../system/test-clock.ts'
import { recountFromClient } from './recount.ts'

const MONTH = '2026-01'
const spec = { displayName: 'Acme', plan: 'p', config: {}, brand: {}, suspend: false }

function world(status: object = {}) {
  const client = createFakeClient({ clock: new TestClock() })
  client.seed({ kind: 'Tenant', metadata: { name: 'acme' }, spec, status })
  const attempt = (number: number, start: string, end: string, tokens: number) => ({
    number,
    sprite: 's',
    incarnation: 1,
    startTime: start,
    endTime: end,
    tokens,
  })
  const january = '2026-01-10T00:00:00Z'
  client.seed({
    kind: 'Work',
    metadata: { name: 'w', namespace: 'acme' },
    spec: {},
    status: {
      attempts: [
        attempt(1, '2025-12-02T00:00:00Z', '2025-12-02T01:00:00Z', 1_000),
        attempt(2, '2025-12-31T23:59:00Z', '2026-01-01T00:01:00Z', 30),
        attempt(3, january, january, 12),
      ],
    },
  })
  client.seed({ kind: 'Work', metadata: { name: 'idle', namespace: 'acme' }, spec: {} })
  const ceilings = () => client.peek(tenantKind, { namespace: '', name: 'acme' })?.status?.tokenCeilings
  return { client, recount: recountFromClient(client), ceilings }
}

describe('recount', () => {
  it('RL6 without a ceiling it is the more of what work and tenant say of the month', async () => {
    expect(await world().recount.read('acme', MONTH)).toEqual({ used: 42, ceiling: 0 })
    const usage = { month: MONTH, tokensUsed: 50, tokensReserved: 7, spritesSpawned: 0 }
    expect(await world({ usage }).recount.read('acme', MONTH)).toEqual({ used: 57, ceiling: 0 })
    expect(await world({ usage: { ...usage, month: '2025-12' } }).recount.read('acme', MONTH)).toMatchObject({
      used: 42,
    })
    expect(await world({ usage }).recount.read('acme', '2026-02')).toEqual({ used: 0, ceiling: 0 })
  })

  it('RL6 with a ceiling all below it is used, and no work is read', async () => {
    const { recount, client } = world({ tokenCeilings: [{ month: MONTH, tokens: 500 }] })
    expect(await recount.read('acme', MONTH)).toEqual({ used: 500, ceiling: 500 })
    expect(client.count('list')).toBe(0)
  })

  it('RL5 a ceiling is raised unless a higher one is recorded, and a writer between is outlived', async () => {
    const { recount, client, ceilings } = world({ tokenCeilings: [{ month: '2025-12', tokens: 9 }] })
    client.failNext('patchStatus', new ApiError('Conflict', 'Written meanwhile'))
    expect(await recount.raise('acme', MONTH, { from: 0, to: 100 })).toEqual({ ceiling: 100, isOurs: true })
    expect(ceilings()).toEqual([
      { month: '2025-12', tokens: 9 },
      { month: MONTH, tokens: 100 },
    ])
    expect(await recount.raise('acme', MONTH, { from: 0, to: 50 })).toEqual({ ceiling: 100, isOurs: false })
    expect(await recount.raise('acme', MONTH, { from: 100, to: 200 })).toEqual({ ceiling: 200, isOurs: true })
    await recount.raise('acme', '2026-02', { from: 0, to: 1 })
    await recount.raise('acme', '2026-03', { from: 0, to: 1 })
    expect(ceilings()?.map((one) => one.month)).toEqual([MONTH, '2026-02', '2026-03'])
  })

  it('RL5 without the tenant nothing is recorded', async () => {
    const { recount } = world()
    await expect(recount.raise('other', MONTH, { from: 0, to: 1 })).rejects.toMatchObject({ reason: 'NotFound' })
    await expect(recount.read('other', MONTH)).rejects.toMatchObject({ reason: 'NotFound' })
  })
})
