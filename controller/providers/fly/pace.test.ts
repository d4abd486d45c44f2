/** The pace keeps to Fly's rates in any history, lets the heavier go first and starves nobody. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { settle, TestClock } from '../../../system/test-clock.ts'
import { createRateBuckets, FLY_RATES } from '../fly-emulator/rate-limits.ts'
import { ProviderError } from '../machines.ts'
import { createPace } from './pace.ts'

const given = () => {
  const clock = new TestClock()
  const pace = createPace(clock)
  const sent: string[] = []
  const turn = async (name: string, priority = 1, claimant: string | undefined = name): Promise<number | 'sent'> => {
    try {
      await pace.turn({ action: 'create', subject: 'app', claimant, priority })
      sent.push(name)
      return 'sent'
    } catch (error) {
      return error instanceof ProviderError ? (error.retryAfterMs ?? -1) : -2
    }
  }
  return { clock, pace, sent, turn }
}

const answered = (turn: Promise<void>): Promise<boolean> =>
  turn.then(
    () => true,
    () => false,
  )

describe('pace', () => {
  it('FA8 of those who wait the heavier goes first', async () => {
    const { clock, sent, turn } = given()
    for (const name of ['a', 'b', 'c']) await turn(name)
    const waiting = [turn('light'), turn('heavy', 10)]
    await clock.advance(2_100)
    await Promise.all(waiting)
    expect(sent).toEqual(['a', 'b', 'c', 'heavy', 'light'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('FA8 a heavier newcomer sends the lightest away, who is told when to come back', async () => {
    const { clock, sent, turn } = given()
    for (const name of ['a', 'b', 'c']) await turn(name)
    const waiting = [turn('one'), turn('two')]
    const heavy = turn('heavy', 10)
    await settle()
    expect(await waiting[1]).toBe(3_100)
    await clock.advance(2_100)
    await Promise.all([waiting[0], heavy])
    expect(sent).toEqual(['a', 'b', 'c', 'heavy', 'one'])
  })

  it('FA8 a light call under a stream of heavy ones goes within its bound', async () => {
    const { clock, sent, turn } = given()
    for (const name of ['a', 'b', 'c']) await turn(name)
    let backAtMs = 0
    for (let tick = 0; tick < 200 && !sent.includes('light'); tick++) {
      void turn(`heavy${tick}`, 10)
      if (clock.monotonic() >= backAtMs) {
        backAtMs = Infinity
        void turn('light').then((outcome) => {
          backAtMs = outcome === 'sent' ? Infinity : clock.monotonic() + outcome
        })
      }
      await clock.advance(500)
    }
    expect(sent).toContain('light')
    expect(sent.indexOf('light')).toBeGreaterThan(3)
    // 9 points of priority are 9 s; then it is the next to be there.
    expect(clock.monotonic()).toBeLessThanOrEqual(20_000)
  })

  it('FA9 after a 429 nothing goes for as long as it asks, then half as often for a minute', async () => {
    const { clock, pace, sent, turn } = given()
    pace.slowDown({ action: 'create', subject: 'app' }, 5_000)
    expect(await turn('early')).toBe(5_000)
    await clock.advance(5_000)
    const before = sent.length
    for (let tick = 0; tick < 160; tick++) {
      void turn('x', 1, undefined)
      await clock.advance(250)
    }
    const halved = sent.length - before
    expect(halved).toBeGreaterThanOrEqual(15)
    expect(halved).toBeLessThanOrEqual(22)
    await clock.advance(60_000)
    const later = sent.length
    for (let tick = 0; tick < 80; tick++) {
      void turn('x', 1, undefined)
      await clock.advance(250)
    }
    expect(sent.length - later).toBeGreaterThanOrEqual(20)
  })

  it('FA9 who gives up while waiting leaves no timer and no place behind', async () => {
    const { clock, pace, turn, sent } = given()
    for (const name of ['a', 'b', 'c']) await turn(name)
    const abort = new AbortController()
    const gone = pace.turn({ action: 'create', subject: 'app', signal: abort.signal })
    const next = turn('next')
    abort.abort(new Error('gone'))
    await expect(gone).rejects.toThrow('gone')
    await clock.advance(1_100)
    expect(await next).toBe('sent')
    expect(sent.at(-1)).toBe('next')
    expect(clock.pendingTimers).toBe(0)
    await expect(pace.turn({ action: 'create', subject: 'app', signal: AbortSignal.abort() })).rejects.toThrow()
  })

  it('FA7 in any history no window has more than burst + rate × time, and everybody is answered within 2.1 s', async () => {
    const calls = fc.array(
      fc.record({
        gapMs: fc.integer({ min: 0, max: 1_500 }),
        priority: fc.integer({ min: 1, max: 10 }),
        isSlowed: fc.boolean(),
      }),
      { maxLength: 40 },
    )
    await fc.assert(
      fc.asyncProperty(calls, async (history) => {
        const clock = new TestClock()
        const pace = createPace(clock)
        const sentMs: number[] = []
        const waits: number[] = []
        for (const [at, { gapMs, priority, isSlowed }] of history.entries()) {
          await clock.advance(gapMs)
          if (isSlowed && at % 7 === 6) pace.slowDown({ action: 'create', subject: 'app' })
          const startMs = clock.monotonic()
          void answered(pace.turn({ action: 'create', subject: 'app', claimant: String(at % 5), priority })).then(
            (isSent) => {
              waits.push(clock.monotonic() - startMs)
              if (isSent) sentMs.push(clock.monotonic())
            },
          )
        }
        await clock.advance(2_500)
        expect(waits).toHaveLength(history.length)
        expect(Math.max(0, ...waits)).toBeLessThanOrEqual(2_100)
        for (const [first, fromMs] of sentMs.entries())
          for (const [last, untilMs] of sentMs.entries())
            if (last >= first) expect(last - first + 1).toBeLessThanOrEqual(3 + (untilMs - fromMs) / 1_000 + 0.01)
        expect(clock.pendingTimers).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  it('FA7 a provider that counts each call up to 100 ms after it was sent refuses none', async () => {
    const calls = fc.array(
      fc.record({ gapMs: fc.integer({ min: 0, max: 1_500 }), tripMs: fc.integer({ min: 0, max: 100 }) }),
      { maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(calls, async (history) => {
        const clock = new TestClock()
        const pace = createPace(clock)
        const arrivals: number[] = []
        for (const { gapMs, tripMs } of history) {
          await clock.advance(gapMs)
          void answered(pace.turn({ action: 'create', subject: 'app' })).then((isSent) => {
            if (isSent) arrivals.push(clock.monotonic() + tripMs)
          })
        }
        await clock.advance(2_500)
        const theirs = createRateBuckets(FLY_RATES)
        for (const atMs of arrivals.toSorted((a, b) => a - b)) expect(theirs.take('create', 'app', atMs)).toBe(0)
      }),
      { numRuns: 100 },
    )
  })

  it('FA12 deleting apps goes at its own rate, over all of them', async () => {
    const clock = new TestClock()
    const pace = createPace(clock)
    const ask = { action: 'deleteApp', subject: 'personal' } as const
    for (let count = 0; count < 100; count++) await pace.turn(ask)
    const late = answered(pace.turn(ask))
    await clock.advance(700)
    expect(await late).toBe(true)
  })
})
