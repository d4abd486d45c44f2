/** Tests of the review's decisions: tables, and properties over random worlds. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { faultsOf } from '../decision-checks.ts'
import { controllerReference } from '../marks.ts'
import { reviewOf, TEST_NOW, workOf } from '../object-builders.ts'
import { statusPatch } from '../status.ts'
import type { Work, WorkStatus } from '../work/schema.ts'
import { decideReview, reviewWorkName, type ReviewDecision, type ReviewWorld } from './decide.ts'
import { reviewKind, type Review } from './schema.ts'

const inReview = workOf('w1', {
  spec: { project: 'q1', deadline: '2026-02-01T00:00:00Z' },
  status: {
    phase: 'InReview',
    deliverables: [{ name: 'copy', mediaType: 'text/markdown', content: '# Copy', digest: 'sha256:1' }],
  },
})
const worldOf = (over: Partial<ReviewWorld> = {}): ReviewWorld => ({
  review: reviewOf('r1'),
  now: TEST_NOW,
  work: inReview,
  reviewing: undefined,
  ...over,
})
const reviewing = (status: WorkStatus): Work =>
  workOf('r1-review', { metadata: { ownerReferences: [controllerReference(reviewOf('r1'))] }, status })
const person = (answer?: Review['spec']['answer']): Review =>
  reviewOf('r1', { spec: { reviewer: 'person', ...(answer === undefined ? {} : { answer }) } })
const standing = ({ status }: ReviewDecision): string =>
  [status?.phase, findCondition(status?.conditions, 'Ready')?.reason, status?.verdict].filter(Boolean).join(' ')

describe('a review', () => {
  const rows: Record<string, [Partial<ReviewWorld>, string, readonly string[]]> = {
    'RV1 by an agent makes a work for it': [{}, 'Open Open', ['createWork']],
    'RV1 waits for the agent': [{ reviewing: reviewing({ phase: 'InProgress' }) }, 'Open Open', []],
    'RV2 takes the verdict of the agent’s work': [
      { reviewing: reviewing({ phase: 'Completed', output: { verdict: 'ChangesRequested', summary: 'Too long' } }) },
      'Answered Answered ChangesRequested',
      [],
    ],
    'RV3 without a verdict goes to a person': [
      { reviewing: reviewing({ phase: 'Completed', output: { verdict: 'maybe' } }) },
      'Open ReviewFailed',
      [],
    ],
    'RV3 of an agent that failed goes to a person': [
      { reviewing: reviewing({ phase: 'Failed' }) },
      'Open ReviewFailed',
      [],
    ],
    'RV4 by a person waits for spec.answer': [{ review: person() }, 'Open AwaitingPerson', []],
    'RV4 takes the answer of a person': [
      { review: person({ verdict: 'Approved', by: 'ada' }) },
      'Answered Answered Approved',
      [],
    ],
    'RV4 takes a person’s answer before the agent’s, whose work is cancelled': [
      {
        review: reviewOf('r1', { spec: { answer: { verdict: 'Approved' } } }),
        reviewing: reviewing({ phase: 'InProgress' }),
      },
      'Answered Answered Approved',
      ['cancelWork'],
    ],
    'RV5 is closed when its work is gone': [{ work: undefined }, 'Closed Closed', []],
    'RV5 is closed when its work ended otherwise, and nobody reviews in vain': [
      { work: workOf('w1', { status: { phase: 'Cancelled' } }), reviewing: reviewing({ phase: 'Assigned' }) },
      'Closed Closed',
      ['cancelWork'],
    ],
    'RV6 that is answered stays so, whatever comes': [
      {
        review: reviewOf('r1', {
          spec: { answer: { verdict: 'ChangesRequested' } },
          status: { phase: 'Answered', verdict: 'Approved', by: 'ada', answeredTime: TEST_NOW },
        }),
        work: undefined,
      },
      'Answered Answered Approved',
      [],
    ],
  }
  test.each(Object.entries(rows))('%s', (_, [over, expected, actions]) => {
    const decision = decideReview(worldOf(over))
    expect(standing(decision)).toBe(expected)
    expect(decision.actions.map((action) => action.do)).toEqual(actions)
  })

  test('RV7 the agent gets question and text, and is no hand-off', () => {
    const [action] = decideReview(worldOf()).actions
    expect(action).toMatchObject({
      do: 'createWork',
      name: 'r1-review',
      spec: {
        type: 'review',
        agentType: 'editor',
        project: 'q1',
        deadline: '2026-02-01T00:00:00Z',
        input: { question: 'Good?', artifact: { name: 'copy', mediaType: 'text/markdown', content: '# Copy' } },
      },
    })
    expect(action?.do === 'createWork' && action.spec.parent).toBeUndefined()
  })
  test('RV8 a review that is being deleted does nothing', () => {
    const review = reviewOf('r1', { metadata: { deletionTimestamp: TEST_NOW } })
    expect(decideReview(worldOf({ review }))).toEqual({ actions: [] })
  })
})

describe('any review', () => {
  const phases = fc.constantFrom<WorkStatus['phase'][]>(
    undefined,
    'Pending',
    'InProgress',
    'InReview',
    'Completed',
    'Failed',
    'Cancelled',
  )
  const works = (make: (status: WorkStatus) => Work) =>
    fc.option(
      fc.tuple(phases, fc.constantFrom(undefined, 'Approved', 'ChangesRequested', 7, null)).map(([phase, verdict]) =>
        make({
          ...(phase === undefined ? {} : { phase }),
          ...(verdict === undefined ? {} : { output: { verdict } }),
        }),
      ),
      { nil: undefined },
    )
  const answers = fc.constantFrom(
    undefined,
    { verdict: 'Approved' } as const,
    {
      verdict: 'ChangesRequested',
      comment: 'x'.repeat(30),
    } as const,
  )
  const statuses = fc.constantFrom<Review['status'][]>(
    undefined,
    { phase: 'Open', work: 'r1-review' },
    { phase: 'Answered', verdict: 'Approved', by: 'ada', answeredTime: TEST_NOW },
    { phase: 'Closed' },
  )
  const worlds = fc
    .record({
      reviewer: fc.constantFrom('person', 'editor'),
      answer: answers,
      status: statuses,
      work: works((status) => workOf('w1', { status })),
      reviewing: works(reviewing),
    })
    .map(({ reviewer, answer, status, work, reviewing }) =>
      worldOf({
        review: reviewOf('r1', {
          spec: { reviewer, ...(answer === undefined ? {} : { answer }) },
          ...(status === undefined ? {} : { status }),
        }),
        work,
        reviewing,
      }),
    )

  test('RV30 converges in one pass, and a final phase is never left', () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const first = decideReview(world)
        expect(first.actions.length).toBeLessThanOrEqual(1)
        expect(faultsOf(reviewKind, first.status ?? {})).toEqual([])
        const before = world.review.status?.phase
        if (before === 'Answered' || before === 'Closed') expect(first.status?.phase).toBe(before)
        const made = first.actions.some((action) => action.do === 'createWork') ? reviewing({}) : world.reviewing
        const isCancelled = first.actions.some((action) => action.do === 'cancelWork')
        const next = {
          ...world,
          review: { ...world.review, status: first.status ?? {} },
          reviewing: made && isCancelled ? { ...made, spec: { ...made.spec, cancelled: true } } : made,
        }
        const second = decideReview(next)
        expect(second.actions).toEqual([])
        expect(statusPatch(next.review.status, second.status ?? {})).toBeUndefined()
      }),
      { numRuns: 2000 },
    )
  })
  test('RV31 names of works stay within bounds and apart', () => {
    const long = (end: string) => reviewWorkName(reviewOf(`${'a'.repeat(200)}${end}`))
    expect(long('1').length).toBeLessThanOrEqual(100)
    expect(long('1')).not.toBe(long('2'))
  })
})
