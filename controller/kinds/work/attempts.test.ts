/** Tests of when, and how often, a work is tried again. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TEST_NOW_MS, workOf } from '../object-builders.ts'
import { timestamp } from '../../../system/timestamp.ts'
import {
  attemptsAreExhausted,
  closeAttempt,
  lastAttempt,
  LOST_ATTEMPTS_MAX,
  OUTAGE_ATTEMPTS_MAX,
  retryNotBeforeMs,
} from './attempts.ts'
import type { Attempt, Work } from './schema.ts'

type Outcome = NonNullable<Attempt['outcome']>

const END_MS = TEST_NOW_MS - 1_000
const attempt = (outcome?: Outcome, over: Partial<Attempt> = {}): Attempt => ({
  number: 1,
  sprite: 'a',
  incarnation: 1,
  startTime: '2026-01-15T11:00:00Z',
  ...(outcome === undefined ? {} : { outcome, endTime: timestamp(END_MS) }),
  ...over,
})
const tried = (outcomes: readonly Outcome[], over: Partial<Attempt> = {}, maxAttempts = 3): Work =>
  workOf('w', { spec: { maxAttempts }, status: { attempts: outcomes.map((outcome) => attempt(outcome, over)) } })
const delayMs = (work: Work): number => {
  const atMs = retryNotBeforeMs(work, END_MS)
  return atMs === 0 ? 0 : atMs - END_MS
}

describe('the wait before the next attempt', () => {
  test('WRK30 is none after an end that a clock wrote which was ahead', () => {
    expect(retryNotBeforeMs(tried(['Failed']), END_MS - 3_600_000)).toBe(0)
    expect(retryNotBeforeMs(tried(['Failed']), END_MS - 4_000)).toBe(END_MS + 5_000)
  })

  const rows: Record<string, readonly [Work, number]> = {
    'WRK30 is none for a new work': [workOf('w'), 0],
    'WRK30 is none while an attempt runs': [workOf('w', { status: { attempts: [attempt()] } }), 0],
    'WRK30 is 5 s after a failure': [tried(['Failed']), 5_000],
    'WRK30 doubles with each failure': [tried(['Failed', 'Lost', 'Failed'], {}, 9), 10_000],
    'WRK30 is at most 5 min': [
      tried(
        Array.from({ length: 9 }, () => 'Failed' as const),
        {},
        10,
      ),
      300_000,
    ],
    'WRK31 is none after the first loss: the work is not to blame': [tried(['Lost']), 0],
    'WRK31 is none after a loss that does not follow another': [tried(['Lost', 'Blocked', 'Lost']), 0],
    'WRK31 grows when it is lost again and again': [tried(['Lost', 'Lost', 'Lost']), 10_000],
    'WRK32 is 30 s when the agent is blocked': [tried(['Blocked']), 30_000],
    'WRK32 doubles while it stays blocked': [tried(['Failed', 'Blocked', 'Blocked']), 60_000],
    'WRK32 is at most 15 min': [tried(Array.from({ length: 20 }, () => 'Blocked' as const)), 900_000],
    'WRK33 is none after a drained sprite gave it back': [tried(['Blocked'], { reason: 'Drained' }), 0],
    'WRK33 is none after a review asked for changes': [tried(['InReview']), 0],
  }
  test.each(Object.entries(rows))('%s', (_, [work, expected]) => {
    expect(delayMs(work)).toBe(expected)
  })
})

describe('the tries of a work', () => {
  const rows: Record<string, readonly [Work, boolean]> = {
    'WRK34 are not used up at first': [workOf('w'), false],
    'WRK34 are used up by maxAttempts failures': [tried(['Failed', 'Failed', 'Failed']), true],
    'WRK34 are not used up before': [tried(['Failed', 'Lost', 'Failed']), false],
    'WRK34 are used up by one failure where one is granted': [tried(['Failed'], {}, 1), true],
    'WRK35 are not used up by losses below their own bound': [tried(['Lost', 'Lost', 'Lost', 'Lost']), false],
    'WRK35 are used up by five losses': [tried(['Lost', 'Lost', 'Lost', 'Lost', 'Lost'], {}, 10), true],
    'WRK35 are used up by twenty looks for a model that is away': [
      tried(
        Array.from({ length: OUTAGE_ATTEMPTS_MAX }, () => 'Blocked' as const),
        { reason: 'ModelUnavailable' },
      ),
      true,
    ],
    'WRK36 are not used up by a model that is away for minutes': [
      tried(
        Array.from({ length: OUTAGE_ATTEMPTS_MAX - 1 }, () => 'Blocked' as const),
        { reason: 'ModelUnavailable' },
        1,
      ),
      false,
    ],
    'WRK36 are not used up by a month without tokens': [
      tried(
        Array.from({ length: 40 }, () => 'Blocked' as const),
        { reason: 'BudgetExhausted' },
        1,
      ),
      false,
    ],
    'WRK36 are not used up by blocks and reviews': [tried(['Blocked', 'InReview', 'Blocked', 'Blocked']), false],
  }
  test.each(Object.entries(rows))('%s', (_, [work, expected]) => {
    expect(attemptsAreExhausted(work)).toBe(expected)
  })

  test('WRK34 whatever happens, failures and losses end them', () => {
    const outcomes = fc.array(fc.constantFrom<Outcome>('Failed', 'Lost', 'Blocked', 'InReview'), { maxLength: 40 })
    fc.assert(
      fc.property(outcomes, fc.integer({ min: 1, max: 10 }), (list, maxAttempts) => {
        const failures = list.filter((outcome) => outcome === 'Failed').length
        const losses = list.filter((outcome) => outcome === 'Lost').length
        const isOver = failures >= maxAttempts || losses >= LOST_ATTEMPTS_MAX
        return attemptsAreExhausted(tried(list, {}, maxAttempts)) === isOver
      }),
    )
  })
})

test('WRK37 an end closes the open attempt and no other, with at most 1,000 characters of reason', () => {
  const work = workOf('w', {
    status: { attempts: [attempt('Failed', { message: 'old' }), attempt(undefined, { number: 2 })] },
  })
  const closed = closeAttempt(work, {
    atMs: TEST_NOW_MS,
    outcome: 'Lost',
    reason: 'AttemptLost',
    message: 'x'.repeat(2_000),
  })
  expect(closed[0]).toMatchObject({ outcome: 'Failed', message: 'old' })
  expect(closed[1]).toMatchObject({ outcome: 'Lost', reason: 'AttemptLost', endTime: timestamp(TEST_NOW_MS) })
  expect(closed[1]?.message).toHaveLength(1_000)
  expect(lastAttempt({ ...work, status: { attempts: closed } })).toBe(closed[1])
})
