/** Review: a question on an artifact, to an agent or to a person. Pure. */
import { z } from 'zod'
import { actionOf } from '../../api/actions.ts'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf, type SpecOf, type StatusOf } from '../../api/define-kind.ts'
import { observedGenerationField, timeField } from '../fields.ts'

/** What a person says to a review. */
const verdictFields = {
  verdict: z.enum(['Approved', 'ChangesRequested']).describe('Whether the work is good as it is.'),
  comment: z.string().max(20000).optional().describe('Why, and what to change.'),
}

const spec = z.object({
  work: z.string().min(1).max(253).describe('Work whose result is in question.'),
  artifact: z.string().min(1).max(200).describe('Name of the deliverable in question.'),
  question: z.string().min(1).max(5000).describe('What is asked.'),
  reviewer: z.string().min(1).max(40).describe('An agent type, or "person".'),
  answer: z
    .object({
      ...verdictFields,
      by: z.string().max(254).optional().describe('Who answered.'),
    })
    .optional()
    .describe('The answer of a person; an agent’s answer comes from its work.'),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  phase: z
    .enum(['Open', 'Answered', 'Closed'])
    .optional()
    .describe('Open, answered, or closed because the work ended otherwise.'),
  verdict: z.enum(['Approved', 'ChangesRequested']).optional().describe('The answer.'),
  comment: z.string().max(20000).optional().describe('Why, and what to change.'),
  by: z.string().max(254).optional().describe('Who answered: a person, or a sprite.'),
  work: z.string().max(253).optional().describe('Work of the agent that reviews.'),
  answeredTime: timeField('When it was answered.').optional(),
  conditions: conditionsSchema,
})

export const reviewKind = defineKind({
  kind: 'Review',
  plural: 'reviews',
  singular: 'review',
  shortNames: ['rev'],
  scope: 'Namespaced',
  description: 'A question on an artifact, to an agent or to a person; its work waits for the answer.',
  spec,
  status,
  selectableFields: ['status.phase'],
  rules: [
    {
      at: 'spec',
      rule: 'self.work == oldSelf.work && self.artifact == oldSelf.artifact && self.reviewer == oldSelf.reviewer',
      message: 'work, artifact and reviewer are immutable',
      fieldPath: '.work',
    },
  ],
  columns: [
    { name: 'Artifact', type: 'string', jsonPath: '.spec.artifact', description: 'What is in question.' },
    { name: 'Reviewer', type: 'string', jsonPath: '.spec.reviewer', description: 'Who is asked.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where it stands.' },
    { name: 'Verdict', type: 'string', jsonPath: '.status.verdict', description: 'The answer.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  actions: [
    actionOf({
      name: 'answer',
      kind: 'ReviewAnswer',
      description: 'Answers it in the name of the caller.',
      spec: z.object(verdictFields),
    }),
  ],
  reasons: {
    Open: 'An answer is awaited.',
    ReviewFailed: 'The agent that reviews gave no verdict: a person must answer, in spec.answer.',
    AwaitingPerson: 'A person must answer: set spec.answer.',
    Answered: 'It is answered.',
    Closed: 'Its work ended before an answer came.',
  },
})

/** The reviewer that is no agent type. */
export const PERSON = 'person'

export type Review = ObjectOf<typeof reviewKind>
export type ReviewSpec = SpecOf<typeof reviewKind>
export type ReviewStatus = StatusOf<typeof reviewKind>
