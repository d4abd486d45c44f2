/** Tests of what is asked of the ledger right before a machine is set up, and of giving a slot back. */
import { describe, expect, test } from 'vitest'
import { TestClock } from '../../../system/test-clock.ts'
import { ApiError } from '../../api/errors.ts'
import { createFakeClient, type FakeClient } from '../../engine/fake-client.ts'
import { maySetUp, releaseSlot } from './reconcile.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from './schema.ts'

const signal = new AbortController().signal
const SPRITE = { tenant: 'acme', uid: 'u-a' }
const cache = { get: () => undefined, list: () => [], observe: () => {} }

function clientWith(limit: number | undefined, uids: readonly string[], shardEpoch?: number): FakeClient {
  const client = createFakeClient({ clock: new TestClock() })
  client.seed({
    apiVersion: slotLedgerKind.apiVersion,
    kind: 'SlotLedger',
    metadata: { name: SLOT_LEDGER_NAME, namespace: 'acme' },
    spec: {},
    status: {
      limit,
      ...(shardEpoch === undefined ? {} : { shardEpoch }),
      holders: uids.map((uid) => ({ uid, sprite: uid, since: '2026-01-01T00:00:00Z' })),
    },
  })
  return client
}

describe('before a machine is set up', () => {
  const rows: Record<string, readonly [number | undefined, readonly string[], boolean]> = {
    'SLT19 a holder within the limit may': [2, ['u-a', 'u-b'], true],
    'SLT19 a holder without a limit may': [undefined, ['u-a', 'u-b', 'u-c'], true],
    'SLT19 nobody may while more are held than the limit allows': [1, ['u-a', 'u-b'], false],
    'SLT19 who holds none may not': [2, ['u-b'], false],
  }
  test.each(Object.entries(rows))('%s', async (_title, [limit, uids, expected]) => {
    expect(await maySetUp({ client: clientWith(limit, uids) }, SPRITE, signal)).toBe(expected)
  })
})

describe('giving a slot back', () => {
  const holders = (client: FakeClient): (string | undefined)[] =>
    (client.peekAll(slotLedgerKind)[0]?.status?.holders ?? []).map(({ uid }) => uid)

  test('SLT30 takes out one holder in one write, and again none', async () => {
    const client = clientWith(2, ['u-a', 'u-b'])
    await releaseSlot({ client, cache }, SPRITE, signal)
    await releaseSlot({ client, cache }, SPRITE, signal)
    expect(holders(client)).toEqual(['u-b'])
    expect(client.commits).toBe(1)
  })

  test('SLT31 is tried again when another write came between, a bounded number of times', async () => {
    const client = clientWith(2, ['u-a', 'u-b'])
    client.failNext('patchStatus', new ApiError('Conflict', 'Another write came between'), { times: 2 })
    await releaseSlot({ client, cache }, SPRITE, signal)
    expect(holders(client)).toEqual(['u-b'])
    const stubborn = clientWith(2, ['u-a'])
    stubborn.failNext('patchStatus', new ApiError('Conflict', 'Another write came between'), { times: 100 })
    await expect(releaseSlot({ client: stubborn, cache }, SPRITE, signal)).rejects.toMatchObject({ reason: 'Conflict' })
  })
})

describe('where several processes share the tenants', () => {
  const outgrown: number[] = []
  const shards = (epoch: number | undefined) => ({
    epoch: () => epoch,
    outgrow: (_tenant: string, recorded: number) => void outgrown.push(recorded),
  })
  const recorded = (client: FakeClient) => client.peekAll(slotLedgerKind)[0]?.status?.shardEpoch

  test('SLT40 the new owner records its epoch before it sets anything up', async () => {
    const client = clientWith(2, ['u-a'], 3)
    expect(await maySetUp({ client, shards: shards(4) }, SPRITE, signal)).toBe(true)
    expect([recorded(client), client.commits]).toEqual([4, 1])
    expect(await maySetUp({ client, shards: shards(4) }, SPRITE, signal)).toBe(true)
    expect(client.commits).toBe(1)
  })

  test('SLT41 an older epoch than the one recorded sets nothing up and writes nothing', async () => {
    const client = clientWith(2, ['u-a'], 5)
    await expect(maySetUp({ client, shards: shards(4) }, SPRITE, signal)).rejects.toMatchObject({ reason: 'Conflict' })
    const release = releaseSlot({ client, cache, shards: shards(4) }, SPRITE, signal)
    await expect(release).rejects.toMatchObject({ reason: 'Conflict' })
    expect([client.commits, outgrown.at(-1)]).toEqual([0, 5])
  })

  test('SLT41 who has lost the tenant sets nothing up and writes nothing', async () => {
    const client = clientWith(2, ['u-a'])
    const ports = { client, cache, shards: shards(undefined) }
    await expect(maySetUp(ports, SPRITE, signal)).rejects.toMatchObject({ reason: 'Conflict' })
    await expect(releaseSlot(ports, SPRITE, signal)).rejects.toMatchObject({ reason: 'Conflict' })
    expect(client.commits).toBe(0)
  })

  test('SLT42 one process alone goes by no epoch, whatever is recorded', async () => {
    const client = clientWith(2, ['u-a'], 5)
    expect(await maySetUp({ client, shards: shards(Infinity) }, SPRITE, signal)).toBe(true)
    await releaseSlot({ client, cache }, SPRITE, signal)
    expect(recorded(client)).toBe(5)
  })

  test('SLT40 a release carries the epoch of its writer', async () => {
    const client = clientWith(2, ['u-a'], 3)
    await releaseSlot({ client, cache, shards: shards(7) }, SPRITE, signal)
    expect([recorded(client), client.commits]).toEqual([7, 1])
  })
})
