/** Tenant: an organization, with its plan, config and brand. Pure. */
import { z } from 'zod'
import { blockersSchema } from '../../api/blocker.ts'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf, type SpecOf, type StatusOf } from '../../api/define-kind.ts'
import {
  agentTypeField,
  countField,
  guestSchema,
  nameField,
  NAME_CHARS_MAX,
  nameSet,
  observedGenerationField,
} from '../fields.ts'

const spec = z.object({
  displayName: z.string().min(1).max(200).describe('The name of the organization, for people.'),
  plan: nameField('Name of the Plan that the tenant has bought.'),
  config: z
    .object({
      enabledAgents: nameSet(
        agentTypeField('An agent type.'),
        50,
        'Agent types that may run; absent is all that the plan allows.',
      ).optional(),
      maxConcurrentSprites: countField('Machines at once, at most the plan’s; absent is the plan’s.').optional(),
      spriteIdleTimeoutSeconds: z
        .int()
        .min(5)
        .max(86400)
        .optional()
        .describe('Seconds without work after which a sprite stops, at most the plan’s.'),
      monthlyTokenBudget: countField(
        'Tokens in a calendar month (UTC), at most the plan’s; absent is the plan’s.',
      ).optional(),
      anthropicKeySecretRef: z
        .object({
          name: z
            .string()
            .min(1)
            .max(253)
            .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/)
            .describe('Name of a Secret in the tenant’s namespace.'),
          key: z
            .string()
            .min(1)
            .max(253)
            .regex(/^[-._a-zA-Z0-9]+$/)
            .default('apiKey')
            .describe('The key in the Secret that holds the Anthropic API key.'),
        })
        .optional()
        .describe(
          'Where the tenant keeps an Anthropic key of its own, for plans with perTenantAnthropicKey. Its sprites then ask Claude with this key alone; a change of the Secret counts from the next call. Absent is the key of the control plane.',
        ),
    })
    .prefault({})
    .describe('The tenant’s own limits within those of its plan.'),
  brand: z
    .object({
      voice: z.string().max(20000).optional().describe('How the brand sounds.'),
      guidelines: z.string().max(60000).optional().describe('What to do and what to avoid.'),
      context: z
        .string()
        .max(60000)
        .optional()
        .describe('Facts about the organization, its products and its customers.'),
    })
    .prefault({})
    .describe('The brand, given to every sprite of the tenant with its task.'),
  suspend: z.boolean().default(false).describe('Whether all of the tenant’s machines are stopped and no work starts.'),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  namespace: z.string().max(63).optional().describe('The namespace that holds everything of the tenant.'),
  limits: z
    .object({
      // A merge patch cannot store null, so that in a published status unlimited is null or absent (see limits.ts).
      concurrentSprites: countField('Machines at once; null or absent is unlimited.').nullable().optional(),
      agentTypes: countField('Different agent types; null or absent is all.').nullable().optional(),
      monthlyTokens: countField('Tokens in a calendar month; null or absent is unlimited.').nullable().optional(),
      spriteIdleTimeoutSeconds: countField('Seconds without work after which a sprite stops.'),
      priority: countField('Weight in every queue.'),
      priorityRouting: z.boolean().describe('Whether work may carry a priority.'),
      customPersonas: z.boolean().describe('Whether personas of the tenant’s own are in force.'),
      stoppedMachineRetentionSeconds: countField('Seconds that a stopped machine is kept.'),
      guest: guestSchema.describe('CPU and memory of a machine.'),
    })
    .optional()
    .describe('The limits that hold: the smaller of plan and config.'),
  usage: z
    .object({
      month: z.string().max(7).describe('The calendar month (UTC) that the counts are for, as YYYY-MM.'),
      tokensUsed: countField('Tokens used in the month.'),
      tokensReserved: countField('Tokens reserved by calls in flight.'),
      spritesSpawned: countField('Machines created in the month.'),
    })
    .optional()
    .describe('Usage in the current calendar month.'),
  tokenCeilings: z
    .array(
      z.object({
        month: z.string().max(7).describe('Calendar month (UTC), as YYYY-MM.'),
        tokens: countField('No call is granted tokens of the month past this before a higher one is recorded.'),
      }),
    )
    .max(4)
    .optional()
    .describe('What a token ledger that was lost counts as used: a bound of all that was granted, raised step by step.')
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['month'] }),
  sprites: z
    .object({
      declared: countField('Sprites that are declared.'),
      running: countField('Machines that hold a slot.'),
      queued: countField('Sprites that wait for a slot.'),
    })
    .optional()
    .describe('Counts of the tenant’s sprites.'),
  runningText: z.string().max(32).optional().describe('Running machines of the limit, as in 3/4.'),
  tokensText: z.string().max(32).optional().describe('Share of the month’s tokens that is used, as in 12 %.'),
  blockers: blockersSchema,
  conditions: conditionsSchema,
})

export const tenantKind = defineKind({
  kind: 'Tenant',
  plural: 'tenants',
  singular: 'tenant',
  shortNames: ['tn'],
  scope: 'Cluster',
  description: 'An organization: its plan, its own limits, its brand. A namespace of the same name holds all it owns.',
  spec,
  status,
  selectableFields: ['spec.plan'],
  rules: [
    {
      at: '',
      rule: `self.metadata.name.size() <= ${NAME_CHARS_MAX}`,
      message: `name must have at most ${NAME_CHARS_MAX} characters`,
      fieldPath: '.metadata.name',
    },
    {
      at: '',
      rule: "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
      message: 'name must be a DNS label: lower-case letters, digits and dashes',
      fieldPath: '.metadata.name',
    },
  ],
  columns: [
    { name: 'Plan', type: 'string', jsonPath: '.spec.plan', description: 'The plan that it has bought.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether it can run sprites.',
    },
    { name: 'Running', type: 'string', jsonPath: '.status.runningText', description: 'Running machines of the limit.' },
    {
      name: 'Tokens',
      type: 'string',
      jsonPath: '.status.tokensText',
      description: 'Share of the month’s tokens that is used.',
    },
    {
      name: 'Reason',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].reason',
      description: 'Why it is or is not ready.',
    },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
    {
      name: 'Message',
      type: 'string',
      priority: 1,
      jsonPath: '.status.conditions[?(@.type=="Ready")].message',
      description: 'What to do.',
    },
  ],
  scale: { specReplicasPath: '.spec.config.maxConcurrentSprites', statusReplicasPath: '.status.sprites.running' },
  reasons: {
    Active: 'The tenant can run sprites.',
    Suspended: 'spec.suspend is true: machines are stopped and no work starts.',
    PlanNotFound: 'The plan it names does not exist.',
    NamespaceTaken: 'The cluster has a namespace of its name that is not given to it.',
    LimitAbovePlan: 'Its config asks for more than the plan sells; the plan’s limit holds.',
    BudgetExhausted: 'The month’s tokens are used up.',
    BudgetTooSmall: 'The monthly token budget is less than the smallest call to the model takes: none is made.',
    LedgerUnavailable:
      'The token ledger does not answer: as its plan says, calls to the model wait, or are made and counted later.',
    AnthropicKeyMissing:
      'Its own Anthropic key cannot be read: no call to the model is made; the message says what to do.',
    Terminating: 'It is being deleted; the message says what is awaited.',
    LimitReached: 'Sprites wait for a slot: as many machines run as the limit allows. Only in blockers.',
    Frozen: 'It, or everything, is frozen: no machine is created, started, stopped or destroyed.',
    CredentialsInvalid:
      'The provider refuses the token: calls in its app are paused but for a probe, from 30 s to every 5 min.',
    QuotaExceeded: 'The organization has all it may have: creates are paused but for a probe, from 1 to every 10 min.',
    AppMade: 'Its app and network are there. Only in AppReady.',
    StrangeMachines:
      'Machines in its app are not ours: they are left alone, also when it is deleted. Only in StrangeMachines.',
    AppShared: 'It shares an app with others: nothing is made or deleted with it. Only in AppReady.',
    AppPending: 'Its app is being made. Only in AppReady.',
    NameConflict: 'An app of that name is somebody else’s: it is neither used nor deleted.',
    InvalidSpec: 'The provider takes no such app: its name or the organization is wrong.',
    ProviderUnavailable: 'The provider does not answer: its app, or its deletion, is tried again.',
    RateLimited: 'The provider asks to wait: its app, or its deletion, is tried again.',
    NoCapacity: 'The provider has no room; its app is tried again. Only in AppReady.',
    ProviderRefused: 'The provider’s answer is not understood: its app, or its deletion, is tried again.',
    TokenOwn: 'Its app has a deploy token of its own. Only in TokenReady.',
    TokenPending: 'A deploy token for its app is being made. Only in TokenReady.',
    TokenNotRenewed: 'Its app’s token is good but could not be renewed yet. Only in TokenReady.',
    TokenMissing: 'No deploy token can be made for its app: the organization’s does everything. Only in TokenReady.',
    TokenRefused:
      'Fly refused the token of its app: the organization’s is used until there is another. Only in TokenReady.',
    AgentTypesAbovePlan: 'More agent types are enabled than the plan allows.',
  },
})

export type Tenant = ObjectOf<typeof tenantKind>
export type TenantSpec = SpecOf<typeof tenantKind>
export type TenantStatus = StatusOf<typeof tenantKind>
/** The limits in force for a tenant, as published in its status. */
export type TenantLimits = NonNullable<TenantStatus['limits']>
