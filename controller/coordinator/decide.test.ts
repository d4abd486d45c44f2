/** The pure decisions of the Coordinator over many worlds: claims, context, hand-offs. */
import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HANDOFF_DEPTH_MAX, type Work, type WorkSpec, type WorkStatus } from '../kinds/work/schema.ts'
import { holdsAttempt, holdsWork } from './attempt.ts'
import { claimPatch, worksFor } from './claim-decide.ts'
import { charsOf, CONTEXT_CHARS_MAX, contextOf } from './context.ts'
import { decideHandOffs, decideReviews, followUpName, taskType } from './hand-off.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const workOf = (name: string, options: { spec?: Partial<WorkSpec>; status?: WorkStatus; uid?: string } = {}): Work => ({
  apiVersion: 'x',
  kind: 'Work',
  metadata: {
    name,
    namespace: 'acme',
    uid: options.uid ?? `uid-${name}`,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: '2026-01-15T12:00:00Z',
  },
  spec: {
    type: 't',
    description: 'd',
    agentType: 'copywriter',
    priority: 0,
    maxAttempts: 3,
    cancelled: false,
    ...options.spec,
  },
  ...(options.status ? { status: options.status } : {}),
})
const me = { sprite: 'cara', incarnation: 2 }

it('WRK71 after a retry the next claim has the next number, and no report of an attempt before it passes', () => {
  const attempts = [1, 2, 3].map((number) => ({ ...me, number, startTime: '2026-01-15T12:00:00Z' }))
  const status: WorkStatus = {
    phase: 'Assigned',
    assignedSprite: 'cara',
    attempts,
    attemptsTotal: 3,
    attemptsBefore: 3,
  }
  const claimed = claimPatch(workOf('w', { status }), me, '2026-01-15T12:00:00Z') as WorkStatus
  expect(claimed).toMatchObject({ phase: 'InProgress', attempt: 4, attemptsTotal: 4 })
  const work = workOf('w', { status: { ...status, ...claimed } })
  expect([1, 2, 3, 4].filter((attempt) => holdsAttempt(work, me, attempt))).toEqual([4])
})

describe('claim decisions', () => {
  const world = fc.record({
    phase: fc.constantFrom('Pending', 'Assigned', 'InProgress', 'Completed'),
    assignedSprite: fc.constantFrom('cara', 'dora'),
    incarnation: fc.integer({ min: 1, max: 3 }),
    cancelled: fc.boolean(),
    priority: fc.integer({ min: 0, max: 3 }),
  })
  it('CO6 hands out only what is assigned to this incarnation, what it holds first, then by priority', () => {
    fc.assert(
      fc.property(fc.array(world, { maxLength: 12 }), (worlds) => {
        const works = worlds.map(({ cancelled, priority, phase, ...status }, index) =>
          workOf(`w${index}`, { spec: { cancelled, priority }, status: { phase: phase as never, ...status } }),
        )
        const chosen = worksFor(works, me)
        for (const work of chosen) {
          expect(work.spec.cancelled).toBe(false)
          expect(work.status?.assignedSprite).toBe('cara')
          expect(work.status?.phase === 'Assigned' || work.status?.incarnation === 2).toBe(true)
        }
        const rank = chosen.map((work) => (holdsWork(work, me) ? 100 : 0) + work.spec.priority)
        expect(rank).toEqual([...rank].sort((a, b) => b - a))
      }),
    )
  })

  it('CO6 attempt numbers only grow and the list stays bounded', () => {
    let work = workOf('w')
    for (let number = 1; number <= 60; number++) {
      const patch = claimPatch(work, me, '2026-01-15T12:00:00Z') as WorkStatus
      expect(patch.attempt).toBe(number)
      expect(patch.attempts?.length).toBeLessThanOrEqual(40)
      expect(patch.attempts?.at(-1)?.number).toBe(number)
      work = { ...work, status: { ...work.status, ...patch } }
    }
  })
})

describe('context', () => {
  it('CO8 never passes its bound, keeps the order, and gives up the oldest first', () => {
    const result = fc.record({ summary: fc.nat(3_000), texts: fc.array(fc.nat(60_000), { maxLength: 3 }) })
    fc.assert(
      fc.property(fc.array(result, { maxLength: 10 }), (results) => {
        const works = results.map(({ summary, texts }, index) =>
          workOf(`w${index}`, {
            status: {
              output: { summary: 's'.repeat(summary) },
              deliverables: texts.map((chars, at) => ({
                name: `d${at}`,
                mediaType: 'text/plain',
                content: 'x'.repeat(chars),
                digest: 'x',
              })),
            },
          }),
        )
        const context = contextOf(works)
        expect(context.reduce((sum, one) => sum + charsOf(one), 0)).toBeLessThanOrEqual(CONTEXT_CHARS_MAX)
        // What is there is the newest, without a gap.
        expect(context.map((one) => one.work)).toEqual(
          works.slice(works.length - context.length).map((w) => w.metadata.name),
        )
      }),
      { numRuns: 60 },
    )
  })
})

describe('reviews', () => {
  it('CO11 an answer to a review is not reviewed in turn', () => {
    const rules = { reviewers: new Set(['editor']), attempt: 1, sha256 }
    const asked = [{ question: 'Good?', artifact: 'copy', reviewer: 'editor' }]
    const owner = { apiVersion: 'v1alpha1', kind: 'Review', name: 'r', uid: 'r', controller: true }
    const answer = workOf('r-review')
    const owned = { ...answer, metadata: { ...answer.metadata, ownerReferences: [owner] } }
    expect(decideReviews({ work: answer, ancestors: [] }, asked, rules)).toHaveLength(1)
    expect(decideReviews({ work: owned, ancestors: [] }, asked, rules)).toEqual([])
  })
})

describe('hand-offs', () => {
  const allowed = new Set(['editor'])
  const wanted = { agentType: 'editor', type: 'edit', description: 'Edit', input: { b: 1, a: 2 } }

  it('CO10 the same uid and step always give the same DNS label, others give others', () => {
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?$/)
    fc.assert(
      fc.property(name, fc.nat(20), fc.nat(20), (root, one, other) => {
        const view = { work: workOf(root), ancestors: [] }
        const made = followUpName(view, `${one}`, sha256)
        expect(made).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
        expect(made.length).toBeLessThanOrEqual(63)
        expect(followUpName(view, `${other}`, sha256) === made).toBe(one === other)
        expect(followUpName({ ...view, work: workOf(root, { uid: 'else' }) }, `${one}`, sha256)).not.toBe(made)
      }),
    )
  })

  it('CO10 refuses beyond the depth bound', () => {
    const at = (depth: number) => {
      const chain = { id: 'root', depth, visitedAgentTypes: [] }
      return decideHandOffs({ work: workOf('w', { status: { chain } }), ancestors: [] }, [wanted], { allowed, sha256 })
    }
    expect(at(HANDOFF_DEPTH_MAX - 1)[0]?.refused).toBeUndefined()
    expect(at(HANDOFF_DEPTH_MAX)[0]?.refused).toContain('deep')
  })

  it('CO10 the same agent with the same payload along the chain is a loop, whatever the order of keys', () => {
    const before = workOf('root', {
      spec: { agentType: 'editor', type: 'edit', description: 'Edit', input: { a: 2, b: 1 } },
    })
    const rules = { allowed, sha256 }
    const view = { work: workOf('w'), ancestors: [before] }
    expect(decideHandOffs(view, [wanted], rules)[0]?.refused).toContain('same task')
    expect(decideHandOffs(view, [{ ...wanted, input: { a: 3 } }], rules)[0]?.refused).toBeUndefined()
  })

  it('CO10 every task type becomes one that Work takes', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 80 }), (text) => {
        expect(taskType(text)).toMatch(/^[a-z][a-z0-9_]{0,62}$/)
      }),
    )
  })
})
