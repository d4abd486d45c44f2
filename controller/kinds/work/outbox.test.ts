/** Tests of what follows from a recorded result: one child a hand-off, one Review a question. */
import { expect, test } from 'vitest'
import { reviewKind } from '../review/schema.ts'
import { workOf } from '../object-builders.ts'
import { childOf, outboxOf, reviewOf } from './outbox.ts'
import { workKind, type HandOff } from './schema.ts'

const handOff = (over: Partial<HandOff> = {}): HandOff => ({
  step: 1,
  agentType: 'editor',
  type: 'edit_copy',
  description: 'Edit it',
  work: 'w-child',
  ...over,
})

test('WRK50 what is made or refused is not in the outbox', () => {
  const handOffs = [handOff(), handOff({ step: 2, created: true }), handOff({ step: 3, refused: 'Too deep' })]
  expect(outboxOf(workOf('w', { status: { handOffs } })).map(({ step }) => step)).toEqual([1])
  expect(outboxOf(workOf('w'))).toEqual([])
})

test('WRK51 a child has the name that was recorded, its parent, and what it inherits', () => {
  const parent = workOf('w', {
    spec: { project: 'q1', priority: 7, deadline: '2026-02-01T00:00:00Z', maxAttempts: 5, idempotencyKey: 'k' },
  })
  const { object } = childOf(parent, handOff({ input: { brief: 'Short' } }))
  expect(object.metadata).toEqual({
    name: 'w-child',
    namespace: 'acme',
    labels: { 'sprites.highera.com/agent-type': 'editor', 'sprites.highera.com/project': 'q1' },
  })
  expect(object.spec).toEqual({
    type: 'edit_copy',
    description: 'Edit it',
    agentType: 'editor',
    input: { brief: 'Short' },
    project: 'q1',
    deadline: '2026-02-01T00:00:00Z',
    priority: 7,
    maxAttempts: 5,
    cancelled: false,
    parent: 'w',
  })
  expect(workKind.spec.safeParse(object.spec).success).toBe(true)
})

test('WRK51 a child of a work without project, deadline and input has none', () => {
  const { object } = childOf(workOf('w'), handOff())
  expect(Object.keys(object.spec ?? {})).not.toContain('project')
  expect(Object.keys(object.spec ?? {})).not.toContain('deadline')
  expect(Object.keys(object.spec ?? {})).not.toContain('input')
})

test('WRK52 a Review belongs to its work and names it', () => {
  const work = workOf('w', { spec: { project: 'q1' } })
  const { object } = reviewOf(work, {
    step: 1,
    question: 'Good?',
    artifact: 'copy',
    reviewer: 'editor',
    review: 'w-r1',
  })
  expect(object.metadata).toMatchObject({
    name: 'w-r1',
    namespace: 'acme',
    ownerReferences: [{ kind: 'Work', name: 'w', uid: work.metadata.uid }],
  })
  expect(reviewKind.spec.safeParse(object.spec).success).toBe(true)
  expect(object.spec).toMatchObject({ work: 'w', artifact: 'copy', question: 'Good?', reviewer: 'editor' })
})
