/** Tests of the next step of a work: tables for each phase, properties over random worlds. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findCondition, mergeConditions } from '../../api/conditions.ts'
import { faultsOf } from '../decision-checks.ts'
import { PAUSED_ANNOTATION } from '../marks.ts'
import { reviewOf, spriteOf, TEST_NOW, TEST_NOW_MS, workOf } from '../object-builders.ts'
import type { Review } from '../review/schema.ts'
import type { Sprite, SpriteMachine } from '../sprite/schema.ts'
import { activeTenant, ago, DELETING, machineOf } from '../sprite/world-builder.ts'
import { sameJson } from '../status.ts'
import { countedAttempts, isToBeRetried, LOST_ATTEMPTS_MAX } from './attempts.ts'
import { decideWork, type WorkDecision, type WorkWorld } from './decide.ts'
import { isTerminal, WORK_PHASES, workKind, type Attempt, type HandOff, type Work, type WorkStatus } from './schema.ts'

type Outcome = NonNullable<Attempt['outcome']>

const sprite = (name: string, machine?: Partial<SpriteMachine>): Sprite =>
  spriteOf(name, { status: { phase: 'Idle', ...(machine === undefined ? {} : { machine: machineOf(machine) }) } })
const attempt = (number: number, outcome?: Outcome, over: Partial<Attempt> = {}): Attempt => ({
  number,
  sprite: 'a',
  incarnation: 1,
  startTime: ago(60_000),
  ...(outcome === undefined ? {} : { outcome, endTime: ago(50_000), reason: 'Why', message: 'So it was' }),
  ...over,
})
const handOff = (step: number, over: Partial<HandOff> = {}): HandOff => ({
  step,
  agentType: 'editor',
  type: 'edit_copy',
  description: 'Edit',
  work: `child-${step}`,
  ...over,
})
const asked = (step: number, created?: true) => ({
  step,
  question: 'Good?',
  artifact: 'copy',
  reviewer: 'editor',
  review: `r${step}`,
  ...(created === undefined ? {} : { created }),
})
const answered = (name: string, verdict: 'Approved' | 'ChangesRequested'): [string, Review] => [
  name,
  reviewOf(name, { status: { phase: 'Answered', verdict } }),
]

const worldOf = (over: Partial<WorkWorld> = {}): WorkWorld => ({
  nowMs: TEST_NOW_MS,
  now: TEST_NOW,
  work: workOf('w', { status: { phase: 'Pending' } }),
  tenant: activeTenant(),
  project: undefined,
  dependencies: new Map(),
  parent: undefined,
  sprites: [sprite('a', {})],
  reviews: new Map(),
  ...over,
})

/** `actions | new phase | Ready and what stands beside it`. */
const told = (decision: WorkDecision): string => {
  const conditions = mergeConditions(undefined, decision.conditions, { generation: 1, now: TEST_NOW })
  const ready = findCondition(conditions, 'Ready')
  const beside = conditions
    .filter(({ type }) => type === 'Stalled' || type === 'HandoffLoop')
    .map(({ type }) => ` ${type}`)
  const actions = decision.actions.map((action) =>
    action.do === 'abandon' ? 'abandon' : `${action.do} ${action.step}`,
  )
  const phase = decision.change.phase ?? '='
  return `${actions.join(' ') || '-'} | ${phase} | ${ready === undefined ? 'nothing' : `${ready.status} ${ready.reason}${beside.join('')}`}`
}

type Rows = Record<string, readonly [Partial<WorkWorld>, string]>
const check = (rows: Rows): void =>
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(told(decideWork(worldOf(over)))).toBe(expected)
  })

const of = (status: WorkStatus, spec: Partial<Work['spec']> = {}) => ({ work: workOf('w', { spec, status }) })
const inHand = (over: WorkStatus = {}): WorkStatus => ({
  phase: 'InProgress',
  assignedSprite: 'a',
  incarnation: 1,
  attempt: 1,
  attempts: [attempt(1)],
  ...over,
})
const PAST = { deadline: ago(1_000) }

describe('a work that waits', () => {
  check({
    'WRK1 that is new is accepted and waits for a sprite, in one write': [
      { work: workOf('w') },
      '- | Pending | False Waiting',
    ],
    'WRK1 that is new and already cancelled ends in one write': [
      { work: workOf('w', { spec: { cancelled: true } }) },
      '- | Cancelled | False Cancelled Stalled',
    ],
    'WRK2 waits for a free sprite': [{}, '- | = | False Waiting'],
    'WRK2 after a review says so': [
      of({ phase: 'Pending', attempts: [attempt(1, 'InReview')] }),
      '- | = | False ChangesRequested',
    ],
    'WRK3 that no sprite can do is stalled': [{ sprites: [] }, '- | = | False NoSprite Stalled'],
    'WRK3 that names a sprite that is not there is stalled': [
      of({ phase: 'Pending' }, { sprite: 'b' }),
      '- | = | False NoSprite Stalled',
    ],
    'WRK3 is stalled when those that could do it are stopped or paused': [
      {
        sprites: [
          spriteOf('a', { spec: { runPolicy: 'Stopped' }, status: { phase: 'Stopped' } }),
          spriteOf('b', { metadata: { annotations: { [PAUSED_ANNOTATION]: 'true' } }, status: { phase: 'Idle' } }),
        ],
      },
      '- | = | False NoSprite Stalled',
    ],
    'WRK3 waits when one of them may still come': [
      { sprites: [spriteOf('a', { spec: { runPolicy: 'Stopped' } }), sprite('b')] },
      '- | = | False Waiting',
    ],
    'WRK4 says what it waits for': [{ tenant: activeTenant({}, { suspend: true }) }, '- | = | False Suspended'],
    'WRK5 fails with what it depends on': [
      {
        ...of({ phase: 'Pending' }, { dependsOn: ['x'] }),
        dependencies: new Map([['x', workOf('x', { status: { phase: 'Failed' } })]]),
      },
      '- | Failed | False DependencyFailed Stalled',
    ],
    'WRK6 whose tries are used up fails': [
      of({ phase: 'Pending', attempts: [1, 2, 3].map((number) => attempt(number, 'Failed')) }),
      '- | Failed | False AttemptsExhausted Stalled',
    ],
    'WRK6 that was lost too often fails': [
      of({ phase: 'Pending', attempts: [1, 2, 3, 4, 5].map((number) => attempt(number, 'Lost')) }),
      '- | Failed | False AttemptsExhausted Stalled',
    ],
    'WRK7 past its deadline fails': [of({ phase: 'Pending' }, PAST), '- | Failed | False DeadlineExceeded Stalled'],
    'WRK8 that is cancelled ends': [
      of({ phase: 'Pending' }, { cancelled: true }),
      '- | Cancelled | False Cancelled Stalled',
    ],
  })

  test('WRK1 it notes its place in the chain of hand-offs', () => {
    const parent = workOf('p', {
      status: { phase: 'Completed', chain: { id: 'root', depth: 2, visitedAgentTypes: ['director', 'strategist'] } },
    })
    expect(decideWork(worldOf({ work: workOf('w') })).change.chain).toEqual({
      id: 'w',
      depth: 0,
      visitedAgentTypes: ['copywriter'],
    })
    expect(decideWork(worldOf({ work: workOf('w', { spec: { parent: 'p' } }), parent })).change.chain).toEqual({
      id: 'root',
      depth: 3,
      visitedAgentTypes: ['director', 'strategist', 'copywriter'],
    })
  })

  test('WRK4 an agent’s long words fit the blocker', () => {
    const work = workOf('w', {
      status: {
        phase: 'Pending',
        attempts: [attempt(1, 'Blocked', { message: 'x'.repeat(1_000), endTime: TEST_NOW })],
      },
    })
    const { blockers, requeueAfterMs } = decideWork(worldOf({ work }))
    expect(blockers?.[0]?.fix).toHaveLength(500)
    expect(requeueAfterMs).toBe(30_000)
  })

  test('WRK7 it looks again at its deadline, or when its wait is over, whichever is first', () => {
    const soon = workOf('w', { spec: { deadline: ago(-9_000) }, status: { phase: 'Pending' } })
    expect(decideWork(worldOf({ work: soon }))).toMatchObject({ requeueAfterMs: 9_000, requeueReason: 'deadline' })
    const failed = { phase: 'Pending' as const, attempts: [attempt(1, 'Failed', { endTime: TEST_NOW })] }
    expect(decideWork(worldOf({ work: { ...soon, status: failed } }))).toMatchObject({ requeueAfterMs: 5_000 })
  })
})

describe('a work that a sprite has', () => {
  const queuedSprite = spriteOf('a', {
    status: { phase: 'Queued', blockers: [{ reason: 'Queued', position: 1, fix: 'Wait' }] },
  })
  check({
    'WRK10 is assigned': [of({ phase: 'Assigned', assignedSprite: 'a' }), '- | = | False Assigned'],
    'WRK10 is assigned to one that waits itself': [
      { ...of({ phase: 'Assigned', assignedSprite: 'a' }), sprites: [queuedSprite] },
      '- | = | False Assigned',
    ],
    'WRK8 that is assigned and cancelled ends': [
      of({ phase: 'Assigned', assignedSprite: 'a' }, { cancelled: true }),
      '- | Cancelled | False Cancelled Stalled',
    ],
    'WRK11 is in progress': [of(inHand()), '- | = | False InProgress'],
    'WRK8 that is in progress and cancelled tells its sprite': [
      of(inHand(), { cancelled: true }),
      'abandon | Cancelled | False Cancelled Stalled',
    ],
    'WRK7 that is in progress past its deadline fails and tells its sprite': [
      of(inHand(), PAST),
      'abandon | Failed | False DeadlineExceeded Stalled',
    ],
    'WRK9 that is being deleted tells its sprite': [
      { work: workOf('w', { metadata: DELETING, status: inHand() }) },
      'abandon | = | nothing',
    ],
    'WRK12 is lost with its sprite': [{ ...of(inHand()), sprites: [] }, '- | Pending | False AttemptLost'],
    'WRK12 is lost with its machine': [{ ...of(inHand()), sprites: [sprite('a')] }, '- | Pending | False AttemptLost'],
    'WRK12 is lost when another machine has come': [
      { ...of(inHand()), sprites: [sprite('a', { incarnation: 2 })] },
      '- | Pending | False AttemptLost',
    ],
    'WRK12 is lost when the machine is to go': [
      { ...of(inHand()), sprites: [sprite('a', { intent: 'Destroy' })] },
      '- | Pending | False AttemptLost',
    ],
    'WRK12 is lost when the machine has stopped and is kept': [
      { ...of(inHand()), sprites: [sprite('a', { intent: 'Stop', state: 'stopped' })] },
      '- | Pending | False AttemptLost',
    ],
    'WRK12 is not lost while the machine stops: the task may be reported yet': [
      { ...of(inHand()), sprites: [sprite('a', { intent: 'Stop', state: 'stopping' })] },
      '- | = | False InProgress',
    ],
    'WRK12 is not lost while the machine starts: its process may have claimed already': [
      { ...of(inHand()), sprites: [sprite('a', { intent: 'Start', state: 'stopped' })] },
      '- | = | False InProgress',
    ],
  })

  test('WRK10 the blockers of its sprite are its own', () => {
    const world = worldOf({ ...of({ phase: 'Assigned', assignedSprite: 'a' }), sprites: [queuedSprite] })
    expect(decideWork(world).blockers).toEqual(queuedSprite.status?.blockers)
  })

  test('WRK12 a lost attempt is closed and nobody has the work any more', () => {
    const { change } = decideWork(worldOf({ ...of(inHand()), sprites: [] }))
    expect(change).toMatchObject({
      assignedSprite: null,
      incarnation: null,
      attempt: null,
      attempts: [{ number: 1, outcome: 'Lost', reason: 'AttemptLost', endTime: TEST_NOW }],
    })
  })
})

describe('a work whose result is in', () => {
  const inReview = (over: WorkStatus = {}) =>
    of({ phase: 'InReview', assignedSprite: 'a', reviews: [asked(1, true)], ...over })
  check({
    'WRK15 asks for its reviews': [
      inReview({ reviews: [asked(1, true), asked(2)] }),
      'createReview 2 | = | False InReview',
    ],
    'WRK15 waits for the answers': [
      { ...inReview(), reviews: new Map([['r1', reviewOf('r1', { status: { phase: 'Open' } })]]) },
      '- | = | False InReview',
    ],
    'WRK16 that is approved is completed': [
      { ...inReview(), reviews: new Map([answered('r1', 'Approved')]) },
      '- | Completed | True Completed',
    ],
    'WRK16 whose review was taken away is completed': [inReview(), '- | Completed | True Completed'],
    'WRK17 that is refused is done again': [
      { ...inReview(), reviews: new Map([answered('r1', 'ChangesRequested')]) },
      '- | Pending | False ChangesRequested',
    ],
    'WRK17 that one of two refused waits for the other': [
      {
        ...inReview({ reviews: [asked(1, true), asked(2, true)] }),
        reviews: new Map([answered('r1', 'ChangesRequested'), ['r2', reviewOf('r2')]]),
      },
      '- | = | False InReview',
    ],
    'WRK17 that is refused three times fails': [
      {
        ...inReview({ attempts: [1, 2, 3].map((number) => attempt(number, 'InReview')) }),
        reviews: new Map([answered('r1', 'ChangesRequested')]),
      },
      '- | Failed | False Failed Stalled',
    ],
    'WRK18 that is completed makes what it hands on, once': [
      of({ phase: 'Completed', assignedSprite: 'a', handOffs: [handOff(1), handOff(2, { created: true })] }),
      'createWork 1 | = | True Completed',
    ],
    'WRK18 whose hand-off was refused says so and does not try again': [
      of({ phase: 'Completed', assignedSprite: 'a', handOffs: [handOff(1, { refused: 'Depth 9 is above 8' })] }),
      '- | = | True Completed HandoffLoop',
    ],
    'WRK18 that failed hands nothing on': [
      of({ phase: 'Failed', handOffs: [handOff(1)], attempts: [attempt(1, 'Failed')] }),
      '- | = | False Failed Stalled',
    ],
    'WRK19 by the rehearsal model says so': [
      of({ phase: 'Completed', assignedSprite: 'a', rehearsal: true }),
      '- | = | True Rehearsed',
    ],
    'WRK19 that has ended stays so, whatever is asked': [
      of({ phase: 'Completed', assignedSprite: 'a' }, { cancelled: true, ...PAST }),
      '- | = | True Completed',
    ],
  })
})

describe('a work that is to be tried again', () => {
  const failed: WorkStatus = {
    phase: 'Failed',
    attempts: [1, 2, 3].map((number) => attempt(number, 'Failed')),
    attempt: 3,
    attemptsTotal: 3,
    assignedSprite: 'a',
    incarnation: 1,
    completionTime: ago(9_000),
    handOffs: [handOff(1)],
  }
  const next = (over: Partial<WorkWorld>): Work => {
    const world = worldOf(over)
    return { ...world.work, status: statusAfter(world, decideWork(world)) }
  }
  check({
    'WRK70 that failed waits again': [of(failed, { retries: 1 }), '- | Pending | False Retried'],
    'WRK70 that was cancelled waits again': [
      of({ ...failed, phase: 'Cancelled' }, { retries: 1 }),
      '- | Pending | False Retried',
    ],
    'WRK70 and was for the same count already, stays as it ended': [
      of({ ...failed, retries: 1 }, { retries: 1 }),
      '- | = | False Failed Stalled',
    ],
    'WRK70 is not, while it has not ended': [
      of({ phase: 'Assigned', assignedSprite: 'a' }, { retries: 1 }),
      '- | = | False Assigned',
    ],
    'WRK70 is not, once it is completed': [
      of({ phase: 'Completed', assignedSprite: 'a' }, { retries: 1 }),
      '- | = | True Completed',
    ],
    'WRK71 past its deadline fails again': [
      of({ ...failed, phase: 'Pending', attemptsBefore: 3 }, { retries: 1, ...PAST }),
      '- | Failed | False DeadlineExceeded Stalled',
    ],
  })

  test('WRK71 it has all its attempts anew, keeps those it had, and their numbers go on', () => {
    const work = next(of(failed, { retries: 1 }))
    expect(work.status).toMatchObject({ phase: 'Pending', retries: 1, attemptsBefore: 3, attemptsTotal: 3 })
    expect(work.status?.attempts).toEqual(failed.attempts)
    const waits = decideWork(worldOf({ work }))
    expect(waits.conditions).toMatchObject([{ reason: 'Waiting' }, {}])
    expect(waits.requeueAfterMs).toBeUndefined()
    const attempts = [...(failed.attempts ?? []), attempt(4, 'Failed'), attempt(5, 'Failed')]
    const going = { ...work, status: { ...work.status, attempts } }
    expect(decideWork(worldOf({ work: going })).change.phase).toBeUndefined()
    const spent = { ...work, status: { ...work.status, attempts: [...attempts, attempt(6, 'Failed')] } }
    expect(decideWork(worldOf({ work: spent })).change.phase).toBe('Failed')
  })

  test('WRK3 says where sprites are that would do it, were it theirs', () => {
    const messageOf = (over: Partial<WorkWorld>): string | undefined =>
      decideWork(worldOf(over)).conditions.find(({ type }) => type === 'Ready')?.message
    const of = (name: string, project: string, agentType = 'copywriter') =>
      spriteOf(name, { spec: { agentType, project }, status: { phase: 'Idle' } })
    expect(messageOf({ sprites: [of('a', 'launch'), of('b', 'other', 'editor')] })).toBe(
      'No sprite of agent type "copywriter" is declared; those of project launch do its work alone: set spec.project, or declare one without',
    )
    expect(messageOf({ sprites: [of('b', 'other', 'editor')] })).toBe(
      'No sprite of agent type "copywriter" is declared: declare one',
    )
    const work = workOf('w', { spec: { project: 'mine' }, status: { phase: 'Pending' } })
    expect(messageOf({ work, sprites: [of('a', 'launch')] })).toBe(
      'No sprite of agent type "copywriter" is declared for project "mine" or for any: declare one',
    )
  })

  test('WRK72 no sprite holds it any more, and what it wanted to hand on is forgotten', () => {
    const { status } = next(of(failed, { retries: 1 }))
    for (const field of ['assignedSprite', 'incarnation', 'attempt', 'completionTime', 'handOffs'])
      expect(status).not.toHaveProperty(field)
  })

  test('WRK72 rounds of reviews are counted anew', () => {
    const attempts = [1, 2, 3].map((number) => attempt(number, 'InReview'))
    const status: WorkStatus = {
      phase: 'InReview',
      attempts: [...attempts, attempt(4, 'InReview')],
      reviews: [asked(1, true)],
    }
    const reviews = new Map([answered('r1', 'ChangesRequested')])
    expect(decideWork(worldOf({ ...of(status), reviews })).change.phase).toBe('Failed')
    expect(decideWork(worldOf({ ...of({ ...status, attemptsBefore: 3 }), reviews })).change.phase).toBe('Pending')
  })

  test('WRK73 a count that it is made with asks for nothing', () => {
    const made = decideWork(worldOf({ work: workOf('w', { spec: { retries: 4 } }) }))
    expect(made.change).toMatchObject({ phase: 'Pending', retries: 4 })
  })
})

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
const outcomes = fc.constantFrom<Outcome>('Failed', 'Lost', 'Blocked', 'InReview')

const works: fc.Arbitrary<Work> = fc
  .record({
    phase: maybe(fc.constantFrom(...WORK_PHASES)),
    outcomes: fc.array(outcomes, { maxLength: 7 }),
    isOpen: fc.boolean(),
    incarnation: fc.constantFrom(1, 1, 2),
    handOffs: fc.array(fc.constantFrom({}, { created: true }, { refused: 'No' }), { maxLength: 3 }),
    reviews: fc.array(fc.constantFrom<true | undefined>(true, true, undefined), { maxLength: 3 }),
    maxAttempts: fc.integer({ min: 1, max: 4 }),
    deadlineMs: maybe(fc.integer({ min: -60_000, max: 60_000 })),
    isCancelled: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
    dependsOn: fc.constantFrom<string[] | undefined>(undefined, undefined, ['x'], ['x', 'y']),
    retries: maybe(fc.nat(2)),
    retried: maybe(fc.nat(2)),
    attemptsBefore: maybe(fc.nat(7)),
  })
  .map((one) => {
    const closed = one.outcomes.map((outcome, at) => attempt(at + 1, outcome, { endTime: ago(at * 1_000) }))
    const isHeld = one.phase === 'InProgress' || one.phase === 'Assigned'
    const open = one.phase === 'InProgress' ? [attempt(closed.length + 1)] : []
    return workOf('w', {
      spec: {
        maxAttempts: one.maxAttempts,
        cancelled: one.isCancelled,
        ...(one.deadlineMs === undefined ? {} : { deadline: ago(one.deadlineMs) }),
        ...(one.dependsOn === undefined ? {} : { dependsOn: one.dependsOn }),
        ...(one.retries === undefined ? {} : { retries: one.retries }),
      },
      ...(one.phase === undefined
        ? {}
        : {
            status: {
              phase: one.phase,
              ...(one.retried === undefined ? {} : { retries: one.retried }),
              ...(one.attemptsBefore === undefined ? {} : { attemptsBefore: one.attemptsBefore }),
              attempts: [...closed, ...open],
              ...(isHeld || one.phase === 'InReview' || one.phase === 'Completed' ? { assignedSprite: 'a' } : {}),
              ...(one.phase === 'InProgress' ? { incarnation: one.incarnation, attempt: closed.length + 1 } : {}),
              ...(one.handOffs.length === 0 ? {} : { handOffs: one.handOffs.map((over, at) => handOff(at + 1, over)) }),
              ...(one.reviews.length === 0
                ? {}
                : { reviews: one.reviews.map((created, at) => asked(at + 1, created)) }),
            },
          }),
    })
  })

const worlds: fc.Arbitrary<WorkWorld> = fc
  .record({
    work: works,
    tenant: fc.constantFrom(activeTenant(), activeTenant(), activeTenant({}, { suspend: true }), undefined),
    sprites: fc.constantFrom([sprite('a', {})], [sprite('a')], [sprite('a', { intent: 'Stop', state: 'stopped' })], []),
    verdicts: fc.array(
      fc.constantFrom<'Approved' | 'ChangesRequested' | 'Open' | 'Gone'>(
        'Approved',
        'Approved',
        'ChangesRequested',
        'Open',
        'Gone',
      ),
      {
        minLength: 3,
        maxLength: 3,
      },
    ),
    dependencies: fc.array(fc.constantFrom(undefined, ...WORK_PHASES), { minLength: 2, maxLength: 2 }),
  })
  .map(({ verdicts, dependencies, ...rest }) => {
    const reviews = verdicts.flatMap((verdict, at): [string, Review][] => {
      const name = `r${at + 1}`
      if (verdict === 'Gone') return []
      return [verdict === 'Open' ? [name, reviewOf(name, { status: { phase: 'Open' } })] : answered(name, verdict)]
    })
    const named = dependencies.flatMap((phase, at): [string, Work][] => {
      const name = at === 0 ? 'x' : 'y'
      return phase === undefined ? [] : [[name, workOf(name, { status: { phase } })]]
    })
    return worldOf({ ...rest, reviews: new Map(reviews), dependencies: new Map(named) })
  })

/** The status as the shell writes it, everything asked for having been made. */
function statusAfter({ work, now }: WorkWorld, decision: WorkDecision): WorkStatus {
  const made = (kind: string, step: number): object =>
    decision.actions.some((action) => action.do !== 'abandon' && action.do === kind && action.step === step)
      ? { created: true }
      : {}
  const next = {
    ...work.status,
    handOffs: work.status?.handOffs?.map((one) => ({ ...one, ...made('createWork', one.step) })),
    reviews: work.status?.reviews?.map((one) => ({ ...one, ...made('createReview', one.step) })),
    ...decision.change,
    observedGeneration: work.metadata.generation,
    blockers: decision.blockers,
    conditions: mergeConditions(work.status?.conditions, decision.conditions, { generation: 1, now }),
  }
  const entries = Object.entries(next).filter(([, value]) => value !== null && value !== undefined)
  return JSON.parse(JSON.stringify(Object.fromEntries(entries))) as WorkStatus // as the store keeps it
}

const holds = (is: (world: WorkWorld, decision: WorkDecision) => boolean): void => {
  fc.assert(
    fc.property(worlds, (world) => is(world, decideWork(world))),
    { numRuns: 3_000 },
  )
}

test('WRK18 a chain that ends here says so where all look', () => {
  const handOffs = [handOff(1, { created: true }), handOff(2, { refused: 'the chain would be 9 deep, at most 8' })]
  const work = workOf('w', { status: { phase: 'Completed', assignedSprite: 'a', handOffs } })
  const ready = decideWork(worldOf({ work })).conditions.find(({ type }) => type === 'Ready')
  expect(ready?.message).toBe('Done by sprite a; not handed to editor: the chain would be 9 deep, at most 8')
})

describe('in every world', () => {
  test('WRK40 the same world gives the same answer', () => {
    holds((world, decision) => sameJson(decision, decideWork(structuredClone(world))))
  })

  test('WRK41 the status fits its schema; its reasons are of the catalogue, its messages short and without a time', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const status = statusAfter(world, decideWork(world))
        expect(faultsOf(workKind, status)).toEqual([])
      }),
      { numRuns: 3_000 },
    )
  })

  test('WRK42 a work that has ended does not change its phase', () => {
    holds(
      ({ work }, { change }) =>
        !isTerminal(work.status?.phase) || isToBeRetried(work) || Object.keys(change).length === 0,
    )
  })

  test('WRK43 it completes only what a sprite has reported, once no review speaks against it', () => {
    holds((world, { change }) => {
      if (change.phase !== 'Completed') return true
      const names = (world.work.status?.reviews ?? []).map(({ review }) => review)
      const open = names.filter((name) => world.reviews.get(name)?.status?.phase === 'Open')
      const refused = names.filter((name) => world.reviews.get(name)?.status?.verdict === 'ChangesRequested')
      return world.work.status?.phase === 'InReview' && open.length === 0 && refused.length === 0
    })
  })

  test('WRK44 it assigns nothing and begins no attempt: dispatch and the sprite’s claim do', () => {
    holds((world, { change }) => {
      const before = world.work.status?.attempts?.length ?? 0
      const isGiven =
        typeof change.assignedSprite === 'string' || change.phase === 'Assigned' || change.phase === 'InProgress'
      return !isGiven && (change.attempts?.length ?? before) <= before
    })
  })

  test('WRK45 after too many failures or losses it fails instead of waiting', () => {
    holds((world, { change }) => {
      const { status, spec } = world.work
      const of = (outcome: Outcome): number =>
        countedAttempts(world.work).filter((one) => one.outcome === outcome).length
      const isSpent = of('Failed') >= spec.maxAttempts || of('Lost') >= LOST_ATTEMPTS_MAX
      if (status?.phase !== 'Pending' || !isSpent) return true
      return change.phase === 'Failed' || change.phase === 'Cancelled'
    })
  })

  test('WRK46 what it hands on and asks is made once', () => {
    holds((world, decision) => {
      const again = decideWork({ ...world, work: { ...world.work, status: statusAfter(world, decision) } })
      const made = (of: WorkDecision): string[] =>
        of.actions.flatMap((action) => (action.do === 'abandon' ? [] : [`${action.do} ${action.step}`]))
      const before = new Set(made(decision))
      return made(again).every((one) => !before.has(one))
    })
  })

  test('WRK47 in a world that does not move it comes to rest within four passes', () => {
    holds((world) => {
      let now = world
      for (let pass = 0; pass < 4; pass++) {
        const decision = decideWork(now)
        const status = statusAfter(now, decision)
        if (decision.actions.length === 0 && sameJson(status, now.work.status)) return true
        now = { ...now, work: { ...now.work, status } }
      }
      const last = decideWork(now)
      return last.actions.length === 0 && sameJson(statusAfter(now, last), now.work.status)
    })
  })
})
