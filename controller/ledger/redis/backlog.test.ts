/** Tests of what is kept while Redis is away, of ceilings, and of what scripts answer. Rules: ledger.ts beside this. */
import { describe, expect, it } from 'vitest'
import { TestClock } from '../../../system/test-clock.ts'
import { LedgerError } from '../ledger.ts'
import { readAnswer } from './answer.ts'
import { createBacklog, type Booking } from './backlog.ts'
import { nextCeiling } from './record.ts'
import { createSightings } from './sightings.ts'

const settle = (id: string): Booking => ({ kind: 'Settle', tenant: 'acme', id, tokens: 1 })
const spend = (id: string): Booking => ({ kind: 'Spend', tenant: 'acme', id, tokens: 1, period: '2026-01' })

function world(bookingsMax = 4) {
  const clock = new TestClock()
  const booked: string[] = []
  const redis = { isAway: true }
  const sizes: number[] = []
  const backlog = createBacklog({
    clock,
    bookingsMax,
    onSize: (size) => sizes.push(size),
    book: (booking) => {
      if (redis.isAway) return Promise.reject(new LedgerError('Unavailable', 'Away'))
      booked.push(booking.id)
      return Promise.resolve()
    },
  })
  return { clock, booked, redis, sizes, backlog }
}

describe('the backlog', () => {
  it('RL9 is booked in order once Redis is back, each once', async () => {
    const { clock, booked, redis, backlog } = world()
    for (const booking of [settle('a'), spend('b'), settle('a')]) backlog.keep(booking)
    await clock.advance(3_000)
    expect(booked).toEqual([])
    redis.isAway = false
    await clock.advance(1_000)
    expect(booked).toEqual(['a', 'b'])
    expect(backlog.size).toBe(0)
    expect(clock.pendingTimers).toBe(0)
  })

  it('RL9 drops the oldest settlement for want of room, and no spending', () => {
    const { backlog, sizes } = world()
    for (const booking of [spend('s1'), settle('a'), settle('b'), settle('c')]) backlog.keep(booking)
    expect(backlog.isFull).toBe(false)
    for (const booking of [spend('s2'), spend('s3'), spend('s4')]) backlog.keep(booking)
    expect(backlog.isFull).toBe(true)
    expect(() => backlog.keep(spend('s5'))).toThrow(expect.objectContaining({ reason: 'Full' }))
    expect(Math.max(...sizes)).toBe(4)
    backlog.close()
  })

  it('RL9 closing it leaves no timer', () => {
    const { backlog, clock } = world()
    backlog.keep(settle('a'))
    expect(clock.pendingTimers).toBe(1)
    backlog.close()
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('a ceiling', () => {
  it('RL5 covers what is needed and some more, never above the limit', () => {
    expect(nextCeiling(100, { tokens: 10, limit: 128_000 })).toBe(1_100)
    expect(nextCeiling(100, { tokens: 20_000, limit: 128_000 })).toBe(20_100)
    expect(nextCeiling(127_990, { tokens: 10, limit: 128_000 })).toBe(128_000)
  })
})

describe('sightings', () => {
  it('RL7 forget what was before a rebuild, and ask for no proof that Redis may have forgotten', async () => {
    const clock = new TestClock()
    const sightings = createSightings(clock)
    expect(sightings.argsOf('acme')).toEqual(['0', '0', ''])
    const answer = (epoch: number, sequence: number) =>
      readAnswer(['ANSWER', epoch, sequence, '2026-01', '1 5 7 0 2026-01'])
    const noted = answer(3, 9)
    if (noted.status === 'ANSWER') sightings.noteReserved('acme', 'r1', noted)
    expect(sightings.argsOf('acme')).toEqual(['3', '9', 'r1'])
    expect(sightings.totalOf('acme', '2026-01')).toBe(12)
    sightings.note('acme', answer(2, 50))
    sightings.note('acme', answer(3, 8))
    expect(sightings.argsOf('acme')).toEqual(['3', '9', 'r1'])
    await clock.advance(3_000_000)
    expect(sightings.argsOf('acme')).toEqual(['3', '9', ''])
    sightings.note('acme', answer(4, 1))
    expect(sightings.argsOf('acme')).toEqual(['4', '1', ''])
  })

  it('RL7 are kept of so many tenants', () => {
    const sightings = createSightings(new TestClock(), 2)
    for (const tenant of ['a', 'b', 'c']) sightings.note(tenant, { epoch: 1, sequence: 1, month: '2026-01' })
    expect(['a', 'b', 'c'].map((tenant) => sightings.argsOf(tenant)[0])).toEqual(['0', '1', '1'])
  })
})

describe('answers', () => {
  it.each([
    [null],
    ['OK'],
    [['WHAT', 1, 1, '2026-01']],
    [['DONE', 'x', 1, '2026-01']],
    [['ANSWER', 1, 1, '', '1 a b c']],
  ])('RL1 what no script says is a bug: %j', (reply) => {
    expect(() => readAnswer(reply)).toThrow('The scripts of the ledger')
  })
})
