/** Tests of the slot allocation: tables for who runs, waits and yields; properties over random tenants. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { timestamp } from '../../../system/timestamp.ts'
import { TEST_NOW, TEST_NOW_MS } from '../object-builders.ts'
import { statusPatch } from '../status.ts'
import { byUrgency, decideSlots, ORPHAN_GRACE_MS, type Contender, type SlotWorld } from './decide.ts'
import { slotLedgerKind, type SlotHolder, type SlotLedgerStatus } from './schema.ts'

const contender = (sprite: string, over: Partial<Contender> = {}): Contender => ({
  uid: `u-${sprite}`,
  sprite,
  createdAt: '2026-01-01T00:00:00Z',
  wants: true,
  urgent: false,
  isAlways: true,
  priority: 0,
  canYield: true,
  isWorking: false,
  mayRun: false,
  ...over,
})
const holder = (sprite: string, over: Partial<SlotHolder> = {}): SlotHolder => ({
  uid: `u-${sprite}`,
  sprite,
  since: '2026-01-01T00:00:00Z',
  ...over,
})
const atWork = { urgent: true, canYield: false, isWorking: true }

const worldOf = (over: Partial<SlotWorld> = {}): SlotWorld => ({
  nowMs: TEST_NOW_MS,
  now: TEST_NOW,
  limits: { concurrentSprites: 2 },
  contenders: [],
  ledger: {},
  machines: undefined,
  ...over,
})

/** `holders, those asked back with why | queue`. */
const told = ({ holders = [], queue = [] }: SlotLedgerStatus): string => {
  const names = holders.map(({ sprite, revoke }) => (revoke === undefined ? sprite : `${sprite}!${revoke}`))
  return `${names.join(' ')} | ${queue.map(({ sprite }) => sprite).join(' ')}`
}

const ledger = (...holders: readonly SlotHolder[]): SlotLedgerStatus => ({ holders: [...holders] })

describe('the slots of a tenant', () => {
  const rows: Record<string, readonly [Partial<SlotWorld>, string]> = {
    'SLT1 go to those who want one, up to the limit; the rest wait': [
      { contenders: ['a', 'b', 'c'].map((name) => contender(name)) },
      'a b | c',
    ],
    'SLT1 do not go to those who want none': [{ contenders: [contender('a', { wants: false })] }, ' | '],
    'SLT1 without a limit go to all': [
      { limits: { concurrentSprites: null }, contenders: ['a', 'b', 'c'].map((name) => contender(name)) },
      'a b c | ',
    ],
    'SLT1 with a limit of none go to nobody': [
      { limits: { concurrentSprites: 0 }, contenders: [contender('a')] },
      ' | a',
    ],
    'SLT1 are neither given nor asked back while the limit is not known': [
      { limits: undefined, contenders: [contender('a'), contender('b')], ledger: ledger(holder('a')) },
      'a | b',
    ],
    'SLT2 go by priority first': [
      {
        limits: { concurrentSprites: 1 },
        contenders: [contender('a', atWork), contender('b', { ...atWork, priority: 5 })],
      },
      'b | a',
    ],
    'SLT2 go to those with work before those who would be up': [
      { limits: { concurrentSprites: 1 }, contenders: [contender('a'), contender('b', { urgent: true })] },
      'b | a',
    ],
    'SLT2 go by age then, and by name': [
      {
        limits: { concurrentSprites: 1 },
        contenders: [contender('a'), contender('c', { createdAt: '2025-01-01T00:00:00Z' }), contender('b')],
      },
      'c | a b',
    ],
    'SLT3 stay with a holder that wants none, until it gives it back itself': [
      { contenders: [contender('a', { wants: false })], ledger: ledger(holder('a')) },
      'a | ',
    ],
    'SLT4 above a lowered limit are asked back from the last in line': [
      {
        limits: { concurrentSprites: 1 },
        contenders: [contender('a', atWork), contender('b'), contender('c', { wants: false })],
        ledger: ledger(holder('a'), holder('b'), holder('c')),
      },
      'a b!LimitLowered c!LimitLowered | ',
    ],
    'SLT4 are not asked back any more when the limit has risen again': [
      { contenders: [contender('a')], ledger: ledger(holder('a', { revoke: 'LimitLowered' })) },
      'a | ',
    ],
    'SLT5 of one that idles are asked back when one with work waits': [
      {
        limits: { concurrentSprites: 1 },
        contenders: [contender('a'), contender('b', { urgent: true, canYield: false })],
        ledger: ledger(holder('a')),
      },
      'a!Yield | b',
    ],
    'SLT5 of one that idles are not asked back for one that would only be up': [
      { limits: { concurrentSprites: 1 }, contenders: [contender('a'), contender('b')], ledger: ledger(holder('a')) },
      'a | b',
    ],
    'SLT5 of one with work are never asked back for another': [
      {
        limits: { concurrentSprites: 1 },
        contenders: [contender('a', atWork), contender('b', { priority: 9, urgent: true })],
        ledger: ledger(holder('a')),
      },
      'a | b',
    ],
    'SLT5 are asked back once for each that waits': [
      {
        contenders: [contender('a'), contender('b', { wants: false }), contender('c', { urgent: true })],
        ledger: ledger(holder('a'), holder('b')),
      },
      'a b!Yield | c',
    ],
    'SLT5 are asked back from one on demand before one that always runs': [
      {
        contenders: [
          contender('a', { isAlways: false, createdAt: '2025-01-01T00:00:00Z' }),
          contender('b'),
          contender('c', { urgent: true }),
        ],
        ledger: ledger(holder('a'), holder('b')),
      },
      'a!Yield b | c',
    ],
    'SLT6 of a sprite that is gone stay taken': [{ ledger: ledger(holder('a')) }, 'a | '],
    'SLT6 of a sprite that is gone stay taken while it has a machine': [
      {
        ledger: ledger(holder('a', { orphanSince: timestamp(TEST_NOW_MS - ORPHAN_GRACE_MS) })),
        machines: { atMs: TEST_NOW_MS, uids: new Set(['u-a']) },
      },
      'a | ',
    ],
    'SLT6 of a sprite that is gone stay taken while nobody has looked': [
      { ledger: ledger(holder('a', { orphanSince: timestamp(TEST_NOW_MS - 10 * ORPHAN_GRACE_MS) })) },
      'a | ',
    ],
    'SLT6 of a sprite that is gone stay taken after a look that was too early': [
      {
        ledger: ledger(holder('a', { orphanSince: timestamp(TEST_NOW_MS - ORPHAN_GRACE_MS) })),
        machines: { atMs: TEST_NOW_MS - ORPHAN_GRACE_MS / 2 - 1, uids: new Set() },
      },
      'a | ',
    ],
    'SLT6 of a sprite that is gone are freed when a late look shows no machine': [
      {
        contenders: ['x', 'y'].map((name) => contender(name)),
        ledger: ledger(holder('a', { orphanSince: timestamp(TEST_NOW_MS - ORPHAN_GRACE_MS) })),
        machines: { atMs: TEST_NOW_MS, uids: new Set() },
      },
      'x y | ',
    ],
    'SLT6 of a sprite that is gone since tomorrow stay taken': [
      {
        ledger: ledger(holder('a', { orphanSince: timestamp(TEST_NOW_MS + 3_600_000) })),
        machines: { atMs: TEST_NOW_MS, uids: new Set() },
      },
      'a | ',
    ],
    'SLT6 of a sprite created anew under the name of one that is gone are not its own': [
      { limits: { concurrentSprites: 1 }, contenders: [contender('a', { uid: 'u-new' })], ledger: ledger(holder('a')) },
      'a | a',
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(told(decideSlots(worldOf(over)).status)).toBe(expected)
  })

  test('SLT6 an orphan is noted once and looked at again', () => {
    const first = decideSlots(worldOf({ ledger: ledger(holder('a')) }))
    expect(first).toMatchObject({ status: { holders: [{ orphanSince: TEST_NOW }] }, requeueAfterMs: 15_000 })
    const later = decideSlots(
      worldOf({ nowMs: TEST_NOW_MS + 9_000, now: timestamp(TEST_NOW_MS + 9_000), ledger: first.status }),
    )
    expect(later.status.holders).toEqual(first.status.holders)
  })

  test('SLT6 an orphan that a clock noted which was ahead is noted anew', () => {
    const orphan = holder('a', { orphanSince: timestamp(TEST_NOW_MS + 3_600_000) })
    expect(decideSlots(worldOf({ ledger: ledger(orphan) })).status.holders).toMatchObject([{ orphanSince: TEST_NOW }])
  })
  test('SLT7 grants are counted by the month', () => {
    const two = ['a', 'b'].map((name) => contender(name))
    const spawnedAfter = (spawned: SlotLedgerStatus['spawned']) =>
      decideSlots(worldOf({ contenders: two, ledger: spawned === undefined ? {} : { spawned } })).status.spawned
    expect(spawnedAfter(undefined)).toEqual({ month: '2026-01', count: 2 })
    expect(spawnedAfter({ month: '2026-01', count: 5 })).toEqual({ month: '2026-01', count: 7 })
    expect(spawnedAfter({ month: '2025-12', count: 5 })).toEqual({ month: '2026-01', count: 2 })
    const before = { month: '2025-12', count: 5 }
    expect(decideSlots(worldOf({ ledger: { spawned: before } })).status.spawned).toEqual(before)
  })

  test('SLT8 who waits keeps the time since when', () => {
    const queue = [{ uid: 'u-b', sprite: 'b', since: '2026-01-02T00:00:00Z' }]
    const world = worldOf({
      limits: { concurrentSprites: 0 },
      contenders: [contender('a'), contender('b')],
      ledger: { queue },
    })
    expect(decideSlots(world).status.queue).toEqual([{ uid: 'u-a', sprite: 'a', since: TEST_NOW }, queue[0]])
  })
})

const contenders = fc.uniqueArray(fc.nat(30), { maxLength: 12 }).chain((numbers) =>
  fc.tuple(
    ...numbers.map((number) =>
      fc
        .record({
          wants: fc.boolean(),
          hasWork: fc.boolean(),
          isWorking: fc.boolean(),
          isAlways: fc.boolean(),
          priority: fc.nat(2),
          day: fc.integer({ min: 1, max: 9 }),
        })
        .map(({ wants, hasWork, isWorking, isAlways, priority, day }) =>
          contender(`s${number}`, {
            wants,
            urgent: hasWork,
            canYield: !hasWork,
            isWorking: hasWork && isWorking,
            isAlways,
            priority: hasWork ? priority : 0,
            createdAt: `2026-01-0${day}T00:00:00Z`,
          }),
        ),
    ),
  ),
)

const worlds: fc.Arbitrary<SlotWorld> = fc
  .record({
    contenders,
    limit: fc.oneof(fc.nat(6), fc.constantFrom(null, undefined)),
    held: fc.uniqueArray(fc.nat(35), { maxLength: 10 }),
    orphanMs: fc.nat(3 * ORPHAN_GRACE_MS),
    looked: fc.option(fc.record({ agoMs: fc.nat(2 * ORPHAN_GRACE_MS), uids: fc.array(fc.nat(35), { maxLength: 5 }) }), {
      nil: undefined,
    }),
  })
  .map(({ contenders: all, limit, held, orphanMs, looked }) => {
    const known = new Set(all.map(({ uid }) => uid))
    const holders = held.map((number) => {
      const one = holder(`s${number}`)
      return known.has(one.uid) ? one : { ...one, orphanSince: timestamp(TEST_NOW_MS - orphanMs) }
    })
    return worldOf({
      contenders: all,
      limits: limit === undefined ? undefined : { concurrentSprites: limit },
      ledger: { holders },
      machines:
        looked === undefined
          ? undefined
          : { atMs: TEST_NOW_MS - looked.agoMs, uids: new Set(looked.uids.map((number) => `u-s${number}`)) },
    })
  })

const holds = (is: (world: SlotWorld, status: SlotLedgerStatus) => boolean): void => {
  fc.assert(
    fc.property(worlds, (world) => is(world, decideSlots(world).status)),
    { numRuns: 3_000 },
  )
}
const uidsOf = (entries: readonly { readonly uid: string }[] | undefined): string[] =>
  (entries ?? []).map(({ uid }) => uid)

describe('in every tenant', () => {
  test('SLT10 no slot is given above the limit, and as many are asked back as are held above it', () => {
    holds((world, status) => {
      const limit = world.limits?.concurrentSprites
      if (limit === undefined || limit === null) return true
      const before = new Set(uidsOf(world.ledger.holders))
      const holders = status.holders ?? []
      const orphans = holders.filter(({ orphanSince }) => orphanSince !== undefined).length
      const given = holders.filter(({ uid }) => !before.has(uid)).length
      const quiet = holders.filter(({ revoke }) => revoke === undefined).length
      return (given === 0 || holders.length <= limit) && quiet <= Math.max(limit, orphans)
    })
  })

  test('SLT11 a holder whose sprite exists is never dropped', () => {
    holds((world, status) => {
      const after = new Set(uidsOf(status.holders))
      const known = new Set(uidsOf(world.contenders))
      return uidsOf(world.ledger.holders).every((uid) => !known.has(uid) || after.has(uid))
    })
  })

  test('SLT12 nobody holds twice, waits twice, or waits for what it holds', () => {
    holds((_, { holders, queue }) => {
      const all = [...uidsOf(holders), ...uidsOf(queue)]
      return new Set(all).size === all.length
    })
  })

  test('SLT13 those who wait want, stand in the order of urgency, and no slot is free for them', () => {
    holds((world, { holders = [], queue = [] }) => {
      const byUid = new Map(world.contenders.map((one) => [one.uid, one]))
      const waiting = uidsOf(queue).map((uid) => byUid.get(uid))
      const isSorted = waiting.every((one, at) => {
        const next = waiting[at + 1]
        return one?.wants === true && (next === undefined || byUrgency(one, next) < 0)
      })
      const limit = world.limits?.concurrentSprites
      const isFull = limit === undefined || (limit !== null && holders.length >= limit)
      return isSorted && (queue.length === 0 || isFull)
    })
  })

  test('SLT14 nobody with work is asked to yield, and no more than wait with work', () => {
    holds((world, { holders = [], queue = [] }) => {
      const byUid = new Map(world.contenders.map((one) => [one.uid, one]))
      const yielding = holders.filter(({ revoke }) => revoke === 'Yield')
      const urgent = uidsOf(queue).filter((uid) => byUid.get(uid)?.urgent).length
      return yielding.length <= urgent && yielding.every(({ uid }) => byUid.get(uid)?.canYield === true)
    })
  })

  test('SLT15 the same tenant gives the same ledger, in whatever order its sprites come, and then nothing to write', () => {
    holds((world, status) => {
      const again = decideSlots({ ...world, contenders: world.contenders.toReversed(), ledger: status })
      return statusPatch(status, again.status) === undefined
    })
  })

  test('SLT16 the ledger fits its schema', () => {
    holds((_, status) => slotLedgerKind.status.safeParse(JSON.parse(JSON.stringify(status))).success)
  })
})

describe('a limit that was lowered', () => {
  test('SLT18 who was asked to stop stays asked, whoever becomes idle meanwhile', () => {
    const contenders = [
      contender('a', { isWorking: true, canYield: false }),
      contender('b', { wants: false }),
      contender('c'),
    ]
    const before = ledger(holder('a', { revoke: 'LimitLowered' }), holder('b'), holder('c'))
    expect(told(decideSlots(worldOf({ contenders, ledger: before })).status)).toBe('a!LimitLowered b c | ')
  })
})

describe('a ledger that was lost', () => {
  test('SLT17 those whose machine may run hold a slot before anybody is granted one', () => {
    const contenders = [contender('a', { priority: 50 }), contender('b', { mayRun: true })]
    expect(told(decideSlots(worldOf({ contenders, limits: { concurrentSprites: 1 } })).status)).toBe('b | a')
  })
})
