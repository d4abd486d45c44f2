/** Plan: the limits that a plan sells. Pure. */
import { z } from 'zod'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf, type SpecOf } from '../../api/define-kind.ts'
import { countField, guestSchema, observedGenerationField } from '../fields.ts'

const spec = z.object({
  concurrentSprites: countField('How many machines a tenant may run at once; null is unlimited.').nullable(),
  agentTypes: countField('How many different agent types a tenant may use; null is all.').nullable(),
  monthlyTokens: countField('Tokens a tenant may use in a calendar month (UTC); null is unlimited.').nullable(),
  spriteIdleTimeoutSeconds: z.int().min(5).max(86400).describe('Seconds without work after which a sprite stops.'),
  priorityRouting: z.boolean().default(false).describe('Whether work of these tenants may carry a priority.'),
  priority: z
    .int()
    .min(1)
    .max(100)
    .default(1)
    .describe('Weight in every queue: a higher one is served more often, none starves.'),
  customPersonas: z.boolean().default(false).describe('Whether a tenant may declare personas of its own.'),
  sso: z.boolean().default(false).describe('Whether members may sign in through the tenant’s own identity provider.'),
  stoppedMachineRetentionSeconds: z
    .int()
    .min(0)
    .max(604800)
    .default(0)
    .describe('Seconds a stopped machine is kept for a warm start; 0 destroys it on exit.'),
  workRetentionDays: z
    .int()
    .min(1)
    .max(3650)
    .nullable()
    .default(90)
    .describe('Days for which work is kept after it ended, unless a project or other work needs it; null is for ever.'),
  guest: guestSchema.prefault({}).describe('CPU and memory of a machine, unless the sprite asks for less.'),
  perTenantAnthropicKey: z.boolean().default(false).describe('Whether a tenant may bring its own Anthropic key.'),
  whenLedgerUnavailable: z
    .enum(['Refuse', 'Allow'])
    .default('Refuse')
    .describe(
      'What becomes of calls to the model while the token ledger does not answer. Refuse: they wait, and no limit is ever passed. Allow: they are made and counted afterwards, so that monthlyTokens may be passed by all that is used until it answers; what a process had counted when it died meanwhile is not counted at all.',
    ),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  tenants: countField('How many tenants have this plan.').optional(),
  conditions: conditionsSchema,
})

export const planKind = defineKind({
  kind: 'Plan',
  plural: 'plans',
  singular: 'plan',
  scope: 'Cluster',
  description: 'The limits that a plan sells. Null is unlimited; absent is never unlimited.',
  spec,
  status,
  columns: [
    {
      name: 'Sprites',
      type: 'integer',
      jsonPath: '.spec.concurrentSprites',
      description: 'Machines that a tenant may run at once.',
    },
    {
      name: 'Tokens',
      type: 'integer',
      jsonPath: '.spec.monthlyTokens',
      description: 'Tokens that a tenant may use in a month.',
    },
    {
      name: 'Agents',
      type: 'integer',
      jsonPath: '.spec.agentTypes',
      description: 'Agent types that a tenant may use.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
  ],
  reasons: {
    InForce: 'The plan can be used.',
    InUse: 'The plan cannot be deleted while tenants have it.',
  },
})

export type Plan = ObjectOf<typeof planKind>
export type PlanSpec = SpecOf<typeof planKind>
