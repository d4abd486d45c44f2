/** Work: one task, who does it, and its result. Pure. */
import { z } from 'zod'
import { actionOf } from '../../api/actions.ts'
import { blockersSchema } from '../../api/blocker.ts'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf, type SpecOf, type StatusOf } from '../../api/define-kind.ts'
import {
  agentTypeField,
  countField,
  freeObject,
  nameField,
  nameSet,
  observedGenerationField,
  timeField,
  usageSchema,
} from '../fields.ts'

/** The phases of a work, in the order of its life. */
export const WORK_PHASES = [
  'Pending',
  'Assigned',
  'InProgress',
  'InReview',
  'Completed',
  'Failed',
  'Cancelled',
] as const

/** Bounds of a chain of hand-offs (promises.md §3.4). */
export const HANDOFF_DEPTH_MAX = 8
/** Hand-offs of one work at most. */
export const HANDOFF_FANOUT_MAX = 20

const workName = (description: string) => z.string().min(1).max(253).describe(description)

const spec = z.object({
  type: z
    .string()
    .min(1)
    .max(63)
    .regex(/^[a-z][a-z0-9_]*$/)
    .describe('Kind of task, for example write_copy.'),
  description: z.string().min(1).max(20000).describe('What is to be done.'),
  agentType: agentTypeField('Agent type that does it; or name a sprite.').optional(),
  sprite: nameField('The one sprite that does it; or name an agent type.').optional(),
  project: nameField('Project that it belongs to.').optional(),
  input: freeObject('Facts for the task, as free JSON; a hand-off puts the results so far here.').optional(),
  priority: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe('Higher goes first within the tenant; needs a plan with priorityRouting.'),
  deadline: timeField('Not completed by then, it fails.').optional(),
  maxAttempts: z.int().min(1).max(10).default(3).describe('How often it is tried.'),
  dependsOn: nameSet(workName('Name of a Work of the tenant.'), 20, 'Work that must be completed first.').optional(),
  idempotencyKey: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('The caller’s own key: the same key is the same work.'),
  parent: workName('The work that handed this off.').optional(),
  cancelled: z.boolean().default(false).describe('Whether it is to be cancelled.'),
  retries: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe('Counts up to have it tried again, with all its attempts, after it failed or was cancelled.'),
})

const attempt = z.object({
  number: z.int().min(1).describe('Counter of the attempts; the fencing token of this one.'),
  sprite: z.string().max(253).describe('Sprite that tried.'),
  incarnation: z.int().min(1).describe('Incarnation of the sprite’s machine.'),
  startTime: timeField('When it was claimed.'),
  endTime: timeField('When it ended.').optional(),
  outcome: z
    .enum(['Completed', 'Failed', 'Lost', 'Cancelled', 'Blocked', 'InReview'])
    .optional()
    .describe('How it ended; absent while it runs.'),
  reason: z.string().max(64).optional().describe('Why it ended so.'),
  message: z.string().max(1000).optional().describe('The same for a person.'),
  tokens: countField('Tokens that it used.').optional(),
  budgetTokens: countField(
    'The month’s budget that it met, where it ended for want of tokens: with a larger one it is tried again at once.',
  ).optional(),
})

const deliverable = z.object({
  name: z.string().min(1).max(200).describe('Name of the deliverable.'),
  mediaType: z.string().max(100).describe('Media type of the text, for example text/markdown.'),
  content: z.string().max(200000).describe('The text.'),
  digest: z.string().max(80).describe('sha256:… of the text.'),
})

const handOff = z.object({
  step: z
    .int()
    .min(1)
    .max(HANDOFF_FANOUT_MAX)
    .describe('Number of the hand-off within this work; with the work’s uid it makes the child’s name.'),
  agentType: z.string().max(40).describe('Agent type that goes on.'),
  type: z.string().max(63).describe('Kind of task.'),
  description: z.string().max(20000).describe('What is to be done.'),
  input: freeObject('Results and facts handed on.').optional(),
  work: z.string().max(253).describe('Name of the child work.'),
  created: z.boolean().optional().describe('Whether the child work has been made; it is made once.'),
  refused: z
    .string()
    .max(300)
    .optional()
    .describe('Why the hand-off was not made: loop, depth or fan-out bound, or agent type not allowed.'),
})

const review = z.object({
  step: z.int().min(1).describe('Number of the review within this work.'),
  question: z.string().max(5000).describe('What is asked.'),
  artifact: z.string().max(200).describe('Name of the deliverable in question.'),
  reviewer: z.string().max(40).describe('An agent type, or "person".'),
  review: z.string().max(253).describe('Name of the Review object.'),
  created: z.boolean().optional().describe('Whether the Review has been made; it is made once.'),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  phase: z.enum(WORK_PHASES).optional().describe('Where the work stands.'),
  assignedSprite: z.string().max(253).optional().describe('Sprite that has it.'),
  assignedTime: timeField('When it was assigned; unclaimed for too long, it is assigned anew.').optional(),
  incarnation: countField('Incarnation of the sprite’s machine that has claimed it.').optional(),
  attempt: countField('Number of the current attempt; results of any other are refused.').optional(),
  attempts: z
    .array(attempt)
    .max(40)
    .optional()
    .describe('All attempts, oldest first.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['number'] }),
  progress: z.string().max(500).optional().describe('What the sprite last said it does.'),
  output: freeObject('The result, as free JSON; summary is always there.').optional(),
  deliverables: z
    .array(deliverable)
    .max(20)
    .optional()
    .describe('What was delivered.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
  handOffs: z
    .array(handOff)
    .max(HANDOFF_FANOUT_MAX)
    .optional()
    .describe('Work handed on, recorded with the result; the controller makes a Work of each.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['step'] }),
  reviews: z
    .array(review)
    .max(10)
    .optional()
    .describe('Reviews asked for; the controller makes a Review of each.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['step'] }),
  usage: usageSchema.optional().describe('Tokens used by all attempts.'),
  tokensTotal: countField('Tokens used by all attempts, of all sorts.').optional(),
  attemptsTotal: countField('How many attempts there were.').optional(),
  retries: countField('The count of spec.retries that it has been tried again for.').optional(),
  attemptsBefore: countField(
    'Attempts up to this number were before the last retry, and count against it no more.',
  ).optional(),
  rehearsal: z.boolean().optional().describe('Whether the rehearsal model answered instead of Claude.'),
  model: z.string().max(100).optional().describe('Model that answered.'),
  chain: z
    .object({
      id: z.string().max(253).describe('Name of the first work of the chain.'),
      depth: countField('Hand-offs between the first work and this one.'),
      visitedAgentTypes: z
        .array(z.string().max(40))
        .max(HANDOFF_DEPTH_MAX + 1)
        .describe('Agent types along the chain, in order.')
        .meta({ 'x-kubernetes-list-type': 'atomic' }),
    })
    .optional()
    .describe('Where it stands in a chain of hand-offs.'),
  startTime: timeField('When it was first claimed.').optional(),
  completionTime: timeField('When it ended.').optional(),
  retryTime: timeField('Not before then is it tried again.').optional(),
  blockers: blockersSchema,
  conditions: conditionsSchema,
})

export const workKind = defineKind({
  kind: 'Work',
  plural: 'work',
  singular: 'work',
  shortNames: ['wk'],
  scope: 'Namespaced',
  description: 'One task: what is to be done, which agent type does it, and its result.',
  spec,
  status,
  selectableFields: ['spec.agentType', 'spec.project', 'status.phase', 'status.assignedSprite'],
  rules: [
    {
      at: 'spec',
      rule: 'has(self.agentType) || has(self.sprite)',
      message: 'one of agentType and sprite is needed',
      fieldPath: '.agentType',
    },
    {
      at: 'spec',
      rule: 'self.type == oldSelf.type',
      message: 'type is immutable: create another work',
      fieldPath: '.type',
    },
    {
      at: 'spec',
      rule: 'has(self.parent) == has(oldSelf.parent) && (!has(self.parent) || self.parent == oldSelf.parent)',
      message: 'parent is immutable',
      fieldPath: '.parent',
    },
    {
      at: 'spec',
      rule: '!oldSelf.cancelled || self.cancelled || (has(self.retries) && self.retries > (has(oldSelf.retries) ? oldSelf.retries : 0))',
      message: 'a cancelled work cannot be revived by this: retry it, or create another',
      fieldPath: '.cancelled',
    },
  ],
  columns: [
    { name: 'Type', type: 'string', jsonPath: '.spec.type', description: 'Kind of task.' },
    { name: 'Agent', type: 'string', jsonPath: '.spec.agentType', description: 'Agent type that does it.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where the work stands.' },
    { name: 'Sprite', type: 'string', jsonPath: '.status.assignedSprite', description: 'Sprite that has it.' },
    {
      name: 'Attempts',
      type: 'integer',
      jsonPath: '.status.attemptsTotal',
      description: 'How many attempts there were.',
    },
    { name: 'Tokens', type: 'integer', jsonPath: '.status.tokensTotal', description: 'Tokens used.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
    { name: 'Parent', type: 'string', priority: 1, jsonPath: '.spec.parent', description: 'Work that handed it off.' },
    {
      name: 'Reason',
      type: 'string',
      priority: 1,
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Why it stands there.',
    },
    {
      name: 'Message',
      type: 'string',
      priority: 1,
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'What to do.',
    },
  ],
  actions: [
    actionOf({ name: 'cancel', kind: 'WorkAction', description: 'Ends it without a result.' }),
    actionOf({
      name: 'retry',
      kind: 'WorkAction',
      description: 'Has it tried again, with all its attempts, after it failed or was cancelled.',
    }),
  ],
  reasons: {
    Waiting: 'It waits for a sprite of its agent type.',
    WaitingForDependencies: 'Other work must be completed first; the message names it.',
    DependencyFailed: 'Work that it depends on failed or was cancelled.',
    NoSprite: 'No sprite of the tenant can do it: declare one of its agent type.',
    Assigned: 'A sprite has it and will start.',
    InProgress: 'A sprite works on it.',
    InReview: 'A review is awaited.',
    ChangesRequested: 'A review asked for changes; it is done again with them.',
    Completed: 'It is done; output and deliverables have the result.',
    Rehearsed: 'It is done, by the rehearsal model: no key for Claude is set.',
    Failed: 'It failed for good; attempts say why.',
    AttemptFailed: 'The last attempt failed; another follows.',
    Retried: 'It is tried again, as asked: all its attempts are granted anew.',
    AttemptLost: 'The sprite that had it is gone; another attempt follows.',
    AttemptsExhausted: 'Every attempt failed.',
    DeadlineExceeded: 'It was not completed by its deadline.',
    Cancelled: 'It was cancelled.',
    Blocked: 'The agent reported that it cannot go on; the message has its words.',
    BudgetExhausted: 'The tenant’s tokens of this month are used up; it goes on next month or with a larger budget.',
    HandoffLoop: 'A chain of hand-offs reached its bound of depth, fan-out or repetition and was stopped there.',
    Refused: 'The model refused the task.',
    TooLong: 'The task does not fit into the model’s context, or the answer not into its maxTokens.',
    ModelUnavailable: 'The model cannot be reached; tried again.',
    Suspended: 'Its tenant or project is suspended.',
    AgentTypeNotAllowed: 'The plan or the tenant does not allow its agent type.',
    Fenced: 'A report of a late attempt was refused.',
  },
})

export type Work = ObjectOf<typeof workKind>
export type WorkSpec = SpecOf<typeof workKind>
export type WorkStatus = StatusOf<typeof workKind>
/** The phase of a work. */
export type WorkPhase = (typeof WORK_PHASES)[number]
/** One try of a work by one sprite. */
export type Attempt = NonNullable<WorkStatus['attempts']>[number]
/** One result of a work. */
export type Deliverable = NonNullable<WorkStatus['deliverables']>[number]
/** One hand-off that a work's result asks for. */
export type HandOff = NonNullable<WorkStatus['handOffs']>[number]

const TERMINAL: ReadonlySet<string> = new Set(['Completed', 'Failed', 'Cancelled'])

/** Whether nothing will change any more. */
export const isTerminal = (phase: WorkPhase | undefined): boolean => phase !== undefined && TERMINAL.has(phase)
