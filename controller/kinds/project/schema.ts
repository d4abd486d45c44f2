/** Project: active work of a tenant, with its brief, the agents it needs and its first tasks. Pure. */
import { z } from 'zod'
import { blockersSchema } from '../../api/blocker.ts'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf, type SpecOf, type StatusOf } from '../../api/define-kind.ts'
import {
  agentTypeField,
  countField,
  freeObject,
  nameField,
  NAME_CHARS_MAX,
  nameSet,
  observedGenerationField,
  timeField,
} from '../fields.ts'

/** A task that a project starts with; `name` makes it `<project>-<name>` among the tenant's Work. */
const initialWork = z.object({
  name: nameField('Name of the task within the project.'),
  type: z
    .string()
    .min(1)
    .max(63)
    .regex(/^[a-z][a-z0-9_]*$/)
    .describe('Kind of task, for example write_copy.'),
  agentType: agentTypeField('Agent type that does it.'),
  description: z.string().min(1).max(20000).describe('What is to be done.'),
  input: freeObject('Facts for the task, as free JSON.').optional(),
  dependsOn: nameSet(
    nameField('Name of a task of the same project.'),
    20,
    'Tasks of this project that must be completed first.',
  ).optional(),
})

const spec = z.object({
  displayName: z.string().min(1).max(200).describe('Name of the project, for people.'),
  brief: z
    .string()
    .min(1)
    .max(60000)
    .describe('What the project is to reach, for whom, by when. Markdown. Given to every sprite with its task.'),
  agentsNeeded: nameSet(
    agentTypeField('An agent type.'),
    30,
    'Agent types that the project needs: it owns one sprite of each.',
  ).default([]),
  runPolicy: z
    .enum(['OnDemand', 'Always'])
    .default('OnDemand')
    .describe('When the project’s sprites have a machine: only while there is work, or always.'),
  suspend: z.boolean().default(false).describe('Whether its sprites are stopped and its work waits.'),
  work: z
    .array(initialWork)
    .max(100)
    .default([])
    .describe('Tasks that the project starts with.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  phase: z
    .enum(['Pending', 'Active', 'Blocked', 'Suspended', 'Completed'])
    .optional()
    .describe('Where the project stands.'),
  spritesAssigned: nameSet(
    z.string().max(253).describe('Name of a sprite.'),
    100,
    'Sprites that work for the project.',
  ).optional(),
  deliverables: z
    .array(
      z.object({
        name: z.string().max(200).describe('Name of the deliverable.'),
        work: z.string().max(253).describe('Work that delivered it; its status holds the text.'),
        agentType: z.string().max(NAME_CHARS_MAX).describe('Agent type that made it.'),
        time: timeField('When it was delivered.'),
        digest: z.string().max(80).describe('sha256:… of the text.'),
      }),
    )
    .max(500)
    .optional()
    .describe('What has been delivered, oldest first.')
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
  work: z
    .object({
      pending: countField('Waiting.'),
      active: countField('Assigned, in progress or in review.'),
      completed: countField('Completed.'),
      failed: countField('Failed or cancelled.'),
    })
    .optional()
    .describe('Counts of the project’s work by phase.'),
  workCreated: nameSet(
    nameField('Name of a task of spec.work.'),
    100,
    'Tasks of spec.work that were made into Work: each is made once, and not anew when its Work is deleted.',
  ).optional(),
  spritesText: z.string().max(32).optional().describe('How many sprites work for it.'),
  workText: z.string().max(32).optional().describe('Work done of all, as in 3/4.'),
  blockers: blockersSchema,
  conditions: conditionsSchema,
})

export const projectKind = defineKind({
  kind: 'Project',
  plural: 'projects',
  singular: 'project',
  shortNames: ['proj'],
  scope: 'Namespaced',
  description: 'Active work of a tenant: brief, agents needed, first tasks. It owns the sprites that it needs.',
  spec,
  status,
  selectableFields: ['status.phase'],
  rules: [
    {
      at: '',
      rule: 'self.metadata.name.size() <= 30',
      message: 'name must have at most 30 characters',
      fieldPath: '.metadata.name',
    },
  ],
  columns: [
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where the project stands.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether it can go on.',
    },
    { name: 'Sprites', type: 'string', jsonPath: '.status.spritesText', description: 'How many sprites work for it.' },
    { name: 'Work', type: 'string', jsonPath: '.status.workText', description: 'Work done of all.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
    {
      name: 'Reason',
      type: 'string',
      priority: 1,
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Why it is or is not ready.',
    },
    {
      name: 'Message',
      type: 'string',
      priority: 1,
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'What to do.',
    },
  ],
  reasons: {
    Active: 'Work goes on.',
    WaitingForWork: 'No work is declared yet.',
    Completed: 'All of its work is completed.',
    WorkFailed: 'Work has failed for good; the message names it.',
    Blocked: 'Nothing can go on until somebody acts; see blockers.',
    Suspended: 'spec.suspend is true.',
    AgentTypeNotAllowed: 'It needs an agent type that the tenant may not use.',
    TenantNotReady: 'Its tenant, or the plan of its tenant, is not there.',
    Refused: 'A sprite or a first task of it was refused; the message has the words.',
  },
})

export type Project = ObjectOf<typeof projectKind>
export type ProjectSpec = SpecOf<typeof projectKind>
export type ProjectStatus = StatusOf<typeof projectKind>
