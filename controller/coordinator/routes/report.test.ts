/** Reports of sprites over loopback HTTP: what complete, fail and progress write. Rules: docs/spec/coordinator.md. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SPRITE_API } from '../../../protocol/coordinator.ts'
import { IN_PROGRESS, startHarness, type Harness } from '../fake/harness.ts'

const completion = (overrides: object = {}): object => ({
  work: 'w1',
  attempt: 1,
  summary: 'Wrote it',
  deliverables: [],
  handOffs: [],
  reviews: [],
  ...overrides,
})
const failure = (overrides: object = {}): object => ({
  work: 'w1',
  attempt: 1,
  reason: 'Failed',
  message: 'It broke',
  retryable: true,
  ...overrides,
})
let h: Harness
beforeEach(async () => {
  h = await startHarness()
})
afterEach(async () => {
  await h.close()
  expect(h.clock.pendingTimers).toBe(0)
})

describe('complete', () => {
  it('CO9 records the result, its digests and the end of the attempt by one write', async () => {
    h.seedWork('w1', { status: IN_PROGRESS })
    h.client.resetCalls()
    const deliverables = [{ name: 'copy', mediaType: 'text/markdown', content: '# Hi' }]
    const body = completion({ deliverables, output: { summary: 'no', words: 1 } })
    expect(await h.send(SPRITE_API.complete, body)).toMatchObject({ status: 200, body: { accepted: true } })
    const digest = `sha256:${createHash('sha256').update('# Hi').digest('hex')}`
    expect(h.work('w1').status).toMatchObject({
      phase: 'Completed',
      output: { summary: 'Wrote it', words: 1 },
      deliverables: [{ name: 'copy', digest }],
      attempts: [{ number: 1, outcome: 'Completed', endTime: '2026-01-15T12:00:00Z', tokens: 0 }],
      completionTime: '2026-01-15T12:00:00Z',
      tokensTotal: 0,
    })
    expect(h.client.count('patchStatus')).toBe(1)
  })

  it('CO9 the output of an earlier round does not shine through', async () => {
    h.seedWork('w1', { status: { ...IN_PROGRESS, output: { summary: 'Old', verdict: 'Approved', facts: { a: 1 } } } })
    await h.send(SPRITE_API.complete, completion({ output: { facts: { b: 2 } } }))
    expect(h.work('w1').status?.output).toEqual({ summary: 'Wrote it', facts: { b: 2 } })
  })

  it('S6 CO9 the same report again is accepted without a write', async () => {
    h.seedWork('w1', { status: IN_PROGRESS })
    await h.send(SPRITE_API.complete, completion())
    h.client.resetCalls()
    expect((await h.send(SPRITE_API.complete, completion({ summary: 'Otherwise' }))).status).toBe(200)
    expect(h.client.count('patchStatus')).toBe(0)
  })

  it.each([
    ['of an attempt that is past', { ...IN_PROGRESS, attempt: 2 }, {}],
    ['of an attempt to come', IN_PROGRESS, { attempt: 2 }],
    ['of a work that another has', { ...IN_PROGRESS, assignedSprite: 'dora' }, {}],
    ['of a work that was reassigned to its next incarnation', { ...IN_PROGRESS, incarnation: 3 }, {}],
    ['of a work that is over', { ...IN_PROGRESS, phase: 'Cancelled' as const }, {}],
    ['of a work that does not exist', IN_PROGRESS, { work: 'nothing' }],
  ])('S6 CO9 a report %s is fenced, and leaves no trace in the work', async (_, status, overrides) => {
    h.seedWork('w1', { status })
    const before = h.work('w1')
    for (const [path, body] of [
      [SPRITE_API.complete, completion(overrides)],
      [SPRITE_API.fail, failure(overrides)],
    ] as const)
      expect(await h.send(path, body)).toMatchObject({ status: 409, body: { error: { reason: 'Fenced' } } })
    expect(h.work('w1')).toEqual(before)
    expect(await h.metrics.expose()).toContain('sprites_coordinator_fenced_total{what="attempt"} 2')
  })

  it('S6 CO9 a claim lost between read and write is not completed', async () => {
    h.seedWork('w1', { status: IN_PROGRESS })
    h.client.beforeNext('patchStatus', () => {
      h.seedWork('w1', { status: { ...IN_PROGRESS, phase: 'Pending' } })
    })
    expect((await h.send(SPRITE_API.complete, completion())).status).toBe(409)
    expect(h.work('w1').status?.phase).toBe('Pending')
  })

  it('CO9 an unrelated write in between is taken in', async () => {
    h.seedWork('w1', { status: IN_PROGRESS })
    h.client.beforeNext('patchStatus', () => {
      h.seedWork('w1', { status: { ...IN_PROGRESS, progress: 'x' } })
    })
    expect((await h.send(SPRITE_API.complete, completion())).status).toBe(200)
  })

  it('CO10 names hand-offs by uid and step, and refuses those that may not be', async () => {
    h.seedSprite('ed', { agentType: 'editor' })
    h.seedWork('root.of-all', { spec: { agentType: 'director', description: 'Edit it', type: 'edit' } })
    h.seedWork('w1', { spec: { parent: 'root.of-all' }, status: IN_PROGRESS })
    const to = (agentType: string, type = 'Edit Copy!') => ({ agentType, type, description: 'Edit it' })
    await h.send(SPRITE_API.complete, completion({ handOffs: [to('editor'), to('analyst'), to('editor')] }))
    const hash = (step: number): string => createHash('sha256').update(`uid-w1/${step}`).digest('hex').slice(0, 10)
    expect(h.work('w1').status?.handOffs).toMatchObject([
      { step: 1, agentType: 'editor', type: 'edit_copy', work: `root-of-all-${hash(1)}` },
      { step: 2, agentType: 'analyst', refused: expect.stringContaining('may hand off to') },
      { step: 3, agentType: 'editor', refused: expect.stringContaining('same task') },
    ])
    expect(h.work('w1').status?.handOffs?.[0]?.refused).toBeUndefined()
  })

  it('CO11 with reviews it waits InReview; a reviewer who is no agent is a person', async () => {
    h.seedWork('w1', { status: IN_PROGRESS })
    const review = (reviewer: string): object => ({ question: 'Good?', artifact: 'copy', reviewer })
    await h.send(SPRITE_API.complete, completion({ reviews: [review('editor'), review('somebody')] }))
    const { status } = h.work('w1')
    expect(status).toMatchObject({ phase: 'InReview', attempts: [{ outcome: 'InReview' }] })
    expect(status?.completionTime).toBeUndefined()
    expect(status?.reviews?.map((one) => one.reviewer)).toEqual(['editor', 'person'])
    expect(new Set(status?.reviews?.map((one) => one.review)).size).toBe(2)
  })
})

describe('fail and progress', () => {
  it.each([
    ['Failed', true, 'Failed', 'Pending'],
    ['Blocked', true, 'Blocked', 'Pending'],
    ['Refused', false, 'Failed', 'Failed'],
    ['Drained', false, 'Blocked', 'Pending'],
    ['BudgetExhausted', false, 'Blocked', 'Pending'],
    ['ModelUnavailable', true, 'Blocked', 'Pending'],
  ])(
    'CO12 %s (retryable %s) ends the attempt as %s and leaves the work %s',
    async (reason, retryable, outcome, phase) => {
      h.seedWork('w1', { status: IN_PROGRESS })
      expect((await h.send(SPRITE_API.fail, failure({ reason, retryable }))).status).toBe(200)
      const { status } = h.work('w1')
      expect(status).toMatchObject({ phase, attempts: [{ outcome, reason, message: 'It broke' }] })
      expect(status?.assignedSprite).toBe(phase === 'Pending' ? undefined : 'cara')
      h.client.resetCalls()
      expect((await h.send(SPRITE_API.fail, failure({ reason, retryable }))).status).toBe(200)
      expect(h.client.commits).toBe(0)
    },
  )

  it('CO13 progress is written at most once in two seconds', async () => {
    h.seedWork('w1', { status: IN_PROGRESS })
    const say = (message: string) => h.send(SPRITE_API.progress, { work: 'w1', attempt: 1, message })
    expect((await say('one')).status).toBe(204)
    expect((await say('two')).status).toBe(204)
    expect(h.work('w1').status?.progress).toBe('one')
    await h.clock.advance(2_000)
    await say('three')
    expect(h.work('w1').status?.progress).toBe('three')
  })
})
