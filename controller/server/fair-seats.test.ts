/** Tests of fair queuing: by example, and over random arrivals, departures and waits. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../system/metrics.ts'
import { settle, TestClock } from '../../system/test-clock.ts'
import { CONTROLLER_ACTOR, type Actor } from '../api/admission.ts'
import { createFairSeats, type FairSeatsOptions } from './fair-seats.ts'
import type { Flow, Leave } from './seats.ts'

const person = (name: string): Actor => ({ name, groups: [] })
const of = (namespace: string): Flow => ({ actor: person('someone'), namespace })
const never = new AbortController().signal

function hall(over: Partial<FairSeatsOptions> = {}) {
  const clock = new TestClock()
  const metrics = createMetrics()
  const seats = createFairSeats({ clock, metrics, seats: 1, reserved: 0, ...over })
  const seated: { readonly name: string; readonly leave: Leave }[] = []
  const refused: unknown[] = []
  const come = (flow: Flow, name: string, signal = never): void => {
    seats.enter(flow, { signal }).then(
      (leave) => seated.push({ name, leave }),
      (error: unknown) => refused.push(error),
    )
  }
  return { clock, metrics, seats, seated, refused, come }
}

const BUSY = { reason: 'TooManyRequests', code: 429, details: { retryAfterSeconds: 1 } }

describe('fair seats', () => {
  it('FQ1 a flow with very many waiting requests keeps another flow’s single one waiting for one turn', async () => {
    const { come, seated } = hall({ queueLength: 10_000, queueTotal: 20_000 })
    for (let index = 0; index < 10_000; index++) come(of('loud'), 'loud')
    come(of('quiet'), 'quiet')
    await settle()
    seated.at(-1)?.leave()
    await settle()
    seated.at(-1)?.leave()
    await settle()
    expect(seated.map(({ name }) => name)).toEqual(['loud', 'loud', 'quiet'])
  })

  it('FQ1 whoever asks without a namespace is a flow of its own, by name', async () => {
    const { come, seated } = hall()
    for (const name of ['a', 'a', 'a', 'b']) come({ actor: person(name) }, name)
    for (let turn = 0; turn < 4; turn++) {
      await settle()
      seated.at(-1)?.leave()
    }
    expect(seated.map(({ name }) => name).join('')).toBe('aaba')
  })

  it('FQ2 a full queue refuses with 429: of the flow, of all, and by bytes', async () => {
    const { come, refused, metrics } = hall({ queueLength: 2, queueTotal: 3, queueBytes: 10, queueBytesTotal: 12 })
    for (let index = 0; index < 3; index++) come(of('a'), 'a')
    await settle()
    expect(refused).toEqual([])
    come(of('a'), 'over the flow’s length')
    await settle()
    expect(refused).toMatchObject([BUSY])
    come({ ...of('b'), sizeBytes: 11 }, 'over the flow’s bytes')
    come({ ...of('b'), sizeBytes: 10 }, 'fits')
    come(of('c'), 'over the total length')
    await settle()
    expect(refused).toMatchObject([BUSY, BUSY, BUSY])
    expect(await metrics.expose()).toContain('apiserver_seats_rejected_total{reason="QueueFull"} 3')
  })

  it('FQ2 the bytes of all flows are bounded too', async () => {
    const { come, refused } = hall({ queueBytesTotal: 12 })
    come(of('a'), 'seated')
    come({ ...of('b'), sizeBytes: 10 }, 'fits')
    come({ ...of('c'), sizeBytes: 3 }, 'over')
    await settle()
    expect(refused).toMatchObject([BUSY])
  })

  it('FQ3 whoever waits too long is refused with 429, in time, and holds no timer', async () => {
    const { come, refused, seated, clock } = hall({ waitMs: 1_000 })
    come(of('a'), 'first')
    come(of('a'), 'second')
    await clock.advance(500)
    come(of('a'), 'third')
    await clock.advance(499)
    expect(refused).toEqual([])
    await clock.advance(1)
    expect(refused).toMatchObject([BUSY])
    await clock.advance(500)
    expect(refused).toMatchObject([BUSY, BUSY])
    expect(clock.pendingTimers).toBe(0)
    seated[0]?.leave()
    come(of('a'), 'fourth')
    await settle()
    expect(seated.map(({ name }) => name)).toEqual(['first', 'fourth'])
  })

  it('FQ4 a client that goes leaves the queue at once; one that has gone does not join', async () => {
    const { come, refused, seated, clock } = hall()
    const gone = new AbortController()
    come(of('a'), 'first')
    come(of('a'), 'gone', gone.signal)
    come(of('a'), 'third')
    await settle()
    gone.abort()
    come(of('a'), 'gone before', gone.signal)
    await settle()
    expect(refused).toHaveLength(2)
    seated[0]?.leave()
    await settle()
    expect(seated.map(({ name }) => name)).toEqual(['first', 'third'])
    expect(clock.pendingTimers).toBe(0)
  })

  it('FQ5 platform admins have seats of their own and take turns with all the others together', async () => {
    const { come, seated, refused } = hall({ seats: 2, reserved: 1, queueTotal: 4 })
    for (const name of ['a', 'b', 'c', 'd', 'e']) come(of(name), name)
    come({ actor: CONTROLLER_ACTOR, namespace: 'a' }, 'admin')
    come({ actor: CONTROLLER_ACTOR, namespace: 'a' }, 'admin waits beside a full queue')
    await settle()
    expect(refused).toEqual([])
    expect(seated.map(({ name }) => name)).toEqual(['a', 'admin'])
    seated[1]?.leave()
    await settle()
    // The seat that came free was the admins' own.
    expect(seated.at(-1)?.name).toBe('admin waits beside a full queue')
    seated[0]?.leave()
    await settle()
    expect(seated.map(({ name }) => name)).toHaveLength(3)
    seated[2]?.leave()
    await settle()
    expect(seated.at(-1)?.name).toBe('b')
  })

  it('FQ6 one actor may hold so many long answers open, admins ten times as many', () => {
    const { seats } = hall({ standing: 2 })
    const [first] = [seats.stand(of('a')), seats.stand(of('b'))]
    expect(() => seats.stand(of('c'))).toThrowError(expect.objectContaining({ reason: 'TooManyRequests' }))
    first()
    first()
    seats.stand(of('c'))
    expect(() => seats.stand(of('c'))).toThrowError(expect.objectContaining({ reason: 'TooManyRequests' }))
    for (let index = 0; index < 20; index++) seats.stand({ actor: CONTROLLER_ACTOR })
    expect(() => seats.stand({ actor: CONTROLLER_ACTOR })).toThrowError(
      expect.objectContaining({ reason: 'TooManyRequests' }),
    )
  })

  it('FQ1 FQ6 nobody takes another’s turns or places by being called the same', async () => {
    const { seats, come, seated } = hall({ standing: 2 })
    const ann: Actor = { name: 'ann@x.test', groups: [], uid: 'sub-1' }
    const mallory: Actor = { name: 'ann@x.test', groups: [], uid: 'uid-of-a-user' }
    for (let index = 0; index < 2; index++) seats.stand({ actor: mallory })
    expect(() => seats.stand({ actor: mallory })).toThrowError(expect.objectContaining({ code: 429 }))
    expect(seats.stand({ actor: ann })).toBeTypeOf('function')
    for (const name of ['m1', 'm2', 'm3']) come({ actor: mallory }, name)
    come({ actor: ann }, 'ann')
    for (let turn = 0; turn < 3; turn++) {
      await settle()
      seated.at(-1)?.leave()
    }
    expect(seated[2]?.name).toBe('ann')
  })

  it('FQ6 all of one tenant together may hold four times as many, and give them back', () => {
    const { seats } = hall({ standing: 2 })
    const token = (index: number): Actor => ({
      name: `system:accesstoken:acme:${index}`,
      groups: [],
      extra: { 'sprites.highera.com/access-token': [`acme/${index}`] },
    })
    const leaves = Array.from({ length: 8 }, (_, index) => seats.stand({ actor: token(index) }))
    expect(() => seats.stand({ actor: token(9) })).toThrowError(
      expect.objectContaining({ code: 429, message: expect.stringContaining('everybody in "acme" has 8 open, 8') }),
    )
    expect(seats.stand({ actor: person('other'), namespace: 'beta' })).toBeTypeOf('function')
    expect(seats.stand({ actor: CONTROLLER_ACTOR, namespace: 'acme' })).toBeTypeOf('function')
    leaves[0]?.()
    expect(seats.stand({ actor: token(9) })).toBeTypeOf('function')
  })
})

describe('large bodies', () => {
  const large = (namespace: string): Flow => ({ ...of(namespace), sizeBytes: 64 * 1024 + 1 })
  const admin: Flow = { actor: CONTROLLER_ACTOR, namespace: 'a', sizeBytes: 1_000_000 }

  it('FQ9 run one at a time, in turns, beside all that are small', async () => {
    const { come, seated } = hall({ seats: 100 })
    for (let index = 0; index < 50; index++) come(large('loud'), 'loud')
    for (let index = 0; index < 20; index++) come(of('loud'), 'small')
    come(large('quiet'), 'quiet')
    await settle()
    expect(seated.map(({ name }) => name).toSorted()).toEqual(['loud', ...Array.from({ length: 20 }, () => 'small')])
    const leaveLoud = (): void => seated.findLast(({ name }) => name === 'loud')?.leave()
    leaveLoud()
    await settle()
    leaveLoud()
    await settle()
    expect(seated.filter(({ name }) => name !== 'small').map(({ name }) => name)).toEqual(['loud', 'loud', 'quiet'])
  })

  it('FQ9 of an admin wait for none of somebody else', async () => {
    const { come, seated } = hall({ seats: 100 })
    for (let index = 0; index < 3; index++) come(large('loud'), 'loud')
    come(admin, 'admin')
    await settle()
    expect(seated.map(({ name }) => name).toSorted()).toEqual(['admin', 'loud'])
  })

  it('FQ9 let whoever has come meanwhile go first, and give their seat back when they are refused', async () => {
    const { come, seated, refused } = hall({ seats: 2, reserved: 0, queueLength: 1 })
    come(of('a'), 'small')
    come(large('a'), 'large')
    come(of('b'), 'small')
    come(of('a'), 'waits')
    await settle()
    expect(seated.map(({ name }) => name)).toEqual(['small', 'small'])
    expect(refused).toHaveLength(1)
    for (const { leave } of seated.splice(0)) leave()
    await settle()
    expect(seated.map(({ name }) => name)).toEqual(['waits'])
    come(large('a'), 'next')
    await settle()
    expect(seated.map(({ name }) => name)).toEqual(['waits', 'next'])
  })
})

const FLOWS = ['a', 'b', 'c', 'd']
type Step =
  | { readonly type: 'come'; readonly flow: number; readonly isAdmin: boolean }
  | { readonly type: 'leave'; readonly which: number }
  | { readonly type: 'abort'; readonly which: number }
  | { readonly type: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant('come' as const), flow: fc.nat(3), isAdmin: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('leave' as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('abort' as const), which: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.nat(400) }) },
)

type Guest = {
  readonly flow: string
  readonly isAdmin: boolean
  state: 'waits' | 'sits' | 'left' | 'refused' | 'gone'
  /** Flows of its class that waited when it came: each may sit once before it, when it is the first of its own. */
  readonly ahead: number
  readonly isFirst: boolean
  passedBy: number
  leave: Leave
  readonly gone: AbortController
}

/** Plays a day in the hall and keeps its own account of it; throws at the first rule broken. */
async function play(steps: readonly Step[], limits: { readonly seats: number; readonly reserved: number }) {
  const clock = new TestClock()
  const seats = createFairSeats({
    clock,
    metrics: createMetrics(),
    ...limits,
    queueLength: 6,
    queueTotal: 12,
    waitMs: 500,
  })
  const guests: Guest[] = []
  const inState = (state: Guest['state']) => guests.filter((guest) => guest.state === state)
  const come = (flow: string, isAdmin: boolean): void => {
    const waiting = inState('waits').filter((guest) => guest.isAdmin === isAdmin)
    const guest: Guest = {
      flow,
      isAdmin,
      state: 'waits',
      ahead: new Set(waiting.map((other) => other.flow)).size,
      isFirst: waiting.every((other) => other.flow !== flow),
      passedBy: 0,
      leave: () => undefined,
      gone: new AbortController(),
    }
    guests.push(guest)
    const actor = isAdmin ? CONTROLLER_ACTOR : person('someone')
    seats.enter({ actor, namespace: flow }, guest.gone).then(
      (leave) => {
        for (const other of inState('waits'))
          if (other.isAdmin === isAdmin && other !== guest)
            other.passedBy += guests.indexOf(other) < guests.indexOf(guest) || other.flow !== flow ? 1 : 0
        if (guest.isFirst) expect(guest.passedBy).toBeLessThanOrEqual(guest.ahead)
        Object.assign(guest, { state: 'sits', leave })
      },
      () => Object.assign(guest, { state: guest.gone.signal.aborted ? 'gone' : 'refused' }),
    )
  }
  const check = (): void => {
    const sitting = inState('sits')
    expect(sitting.length).toBeLessThanOrEqual(limits.seats)
    // No seat that somebody might have is empty.
    const waiting = inState('waits')
    if (waiting.some((guest) => guest.isAdmin)) expect(sitting).toHaveLength(limits.seats)
    else if (waiting.length > 0) expect(sitting.length).toBeGreaterThanOrEqual(limits.seats - limits.reserved)
  }
  const leaveOne = (which: number): void => {
    const sitting = inState('sits')
    const guest = sitting[which % Math.max(1, sitting.length)]
    guest?.leave()
    guest?.leave()
    if (guest !== undefined) guest.state = 'left'
  }
  for (const one of steps) {
    if (one.type === 'come') come(FLOWS[one.flow] ?? 'a', one.isAdmin)
    else if (one.type === 'leave') leaveOne(one.which)
    else if (one.type === 'abort') inState('waits')[one.which % Math.max(1, inState('waits').length)]?.gone.abort()
    else await clock.advance(one.ms)
    await settle(1)
    check()
  }
  while (inState('sits').length > 0) {
    leaveOne(0)
    await settle(1)
    check()
  }
  expect(inState('waits')).toEqual([])
  expect(clock.pendingTimers).toBe(0)
}

describe('fair seats, whatever comes', () => {
  it('FQ7 never more than the seats, none lost, a fair turn for each flow, and everything ends', async () => {
    const limits = fc.constantFrom({ seats: 1, reserved: 0 }, { seats: 3, reserved: 1 }, { seats: 4, reserved: 0 })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), limits, (steps, bounds) => play(steps, bounds)),
      { numRuns: 150 },
    )
  })
})
