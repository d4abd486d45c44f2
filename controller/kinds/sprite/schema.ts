/** Sprite: one worker slot of one agent type. Pure. */
import { z } from 'zod'
import { actionOf } from '../../api/actions.ts'
import { blockersSchema } from '../../api/blocker.ts'
import { conditionsSchema } from '../../api/conditions.ts'
import { defineKind, type ObjectOf, type SpecOf, type StatusOf } from '../../api/define-kind.ts'
import {
  agentTypeField,
  countField,
  guestSchema,
  nameField,
  NAME_CHARS_MAX,
  observedGenerationField,
  timeField,
} from '../fields.ts'

/** Where a sprite stands; the first design's idle, working, blocked and stopped are four of them. */
export const SPRITE_PHASES = [
  'Pending',
  'Queued',
  'Starting',
  'Idle',
  'Working',
  'Blocked',
  'Draining',
  'Stopped',
  'Failed',
] as const

const spec = z.object({
  agentType: agentTypeField('What the sprite is: the name of a persona, for example copywriter. Immutable.'),
  project: nameField('Project that it works for; absent is any of the tenant’s. Immutable.').optional(),
  runPolicy: z
    .enum(['OnDemand', 'Always', 'Stopped'])
    .default('OnDemand')
    .describe(
      'OnDemand: a machine exists only while there is work or until the idle timeout. Always: kept running. Stopped: never.',
    ),
  image: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('Container image, best pinned by digest; absent is the control plane’s.'),
  guest: guestSchema.optional().describe('CPU and memory of its machine; absent is the plan’s.'),
  regions: z
    .array(
      z
        .string()
        .min(1)
        .max(16)
        .regex(/^[a-z0-9-]+$/),
    )
    .min(1)
    .max(10)
    .optional()
    .describe('Regions in order of preference; absent is the control plane’s.')
    .meta({ 'x-kubernetes-list-type': 'atomic' }),
  idleTimeoutSeconds: z
    .int()
    .min(1)
    .max(86400)
    .optional()
    .describe('Idle time in seconds after which its machine stops, at most the tenant’s.'),
})

const machine = z.object({
  name: z
    .string()
    .max(63)
    .describe('Name of the machine: <sprite>-<uid8>-<incarnation>. Stored before the machine is created.'),
  id: z.string().max(63).optional().describe('Id that the provider gave it; absent while the create is unanswered.'),
  app: z.string().max(63).optional().describe('App that holds it.'),
  region: z.string().max(16).optional().describe('Region that it runs in.'),
  state: z.string().max(32).optional().describe('State as the provider last told.'),
  incarnation: z.int().min(1).describe('Counter of the machines that this sprite has had; tokens are bound to it.'),
  image: z.string().max(500).optional().describe('Image that it runs.'),
  specHash: z.string().max(32).describe('Hash of what the machine was made from; a different one is drift.'),
  createdTime: timeField('When this incarnation was decided on; the steps after it leave it as it is.').optional(),
  since: timeField('When the current step (creating, starting, stopping, destroying) began; deadlines count from it.'),
  destroyTime: timeField('When it was first asked to be destroyed, once that takes long.').optional(),
  intent: z
    .enum(['Create', 'Start', 'Run', 'Stop', 'Destroy'])
    .describe('What is being done with it now; stored before the provider is called.'),
  readyTime: timeField('First heartbeat of this incarnation since its last start.').optional(),
  attemptTime: timeField(
    'When a create or start was last sent whose answer is not recorded; stored before it is sent.',
  ).optional(),
  unansweredTime: timeField(
    'When a create or start was last left unanswered; for some time it may still take effect, and no absence is believed.',
  ).optional(),
  absentSince: timeField('When the provider first said that it does not exist; confirmed by a second look.').optional(),
})

const status = z.object({
  observedGeneration: observedGenerationField,
  phase: z.enum(SPRITE_PHASES).optional().describe('Where the sprite stands.'),
  incarnation: countField('The last incarnation that was used; 0 before the first machine.').optional(),
  machine: machine.optional().describe('Its machine, while one may exist.'),
  currentTask: z.string().max(253).optional().describe('Work that it does now.'),
  project: z.string().max(253).optional().describe('Project of its current work.'),
  lastHeartbeatTime: timeField('Last sign of life, written at most once a minute.').optional(),
  idleSince: timeField('Since when it has had nothing to do.').optional(),
  wokenTime: timeField('The last wake-up that a machine of it has been up for.').optional(),
  tokensUsed: countField('Tokens used by its finished work.').optional(),
  failures: countField('Machines in a row that never became ready.').optional(),
  retryTime: timeField('Not before then is a new machine tried.').optional(),
  lastMachineId: z
    .string()
    .max(63)
    .optional()
    .describe('Id of the last machine that it had; its log is kept under it.'),
  previousMachineId: z.string().max(63).optional().describe('Id of the machine that it had before the last one.'),
  lastExit: z
    .object({
      incarnation: countField('Incarnation that ended.'),
      code: z.int().optional().describe('Exit code.'),
      oomKilled: z.boolean().optional().describe('Whether it ran out of memory.'),
      requested: z.boolean().optional().describe('Whether the control plane had asked for the stop.'),
      time: timeField('When it ended.'),
      createdTime: timeField('When it was made.').optional(),
      startTime: timeField('When it first reported after its last start, or else was made.').optional(),
      image: z.string().max(500).optional().describe('Image that it ran.'),
    })
    .optional()
    .describe('How the last machine ended.'),
  blockers: blockersSchema,
  conditions: conditionsSchema,
})

export const spriteKind = defineKind({
  kind: 'Sprite',
  plural: 'sprites',
  singular: 'sprite',
  shortNames: ['spr'],
  scope: 'Namespaced',
  description: 'One worker slot of one agent type; a stateless machine does one task at a time.',
  spec,
  status,
  selectableFields: ['spec.agentType', 'spec.project', 'status.phase'],
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
    {
      at: 'spec',
      rule: 'self.agentType == oldSelf.agentType',
      message: 'agentType is immutable: delete the sprite and create another',
      fieldPath: '.agentType',
    },
    {
      at: 'spec',
      rule: 'has(self.project) == has(oldSelf.project) && (!has(self.project) || self.project == oldSelf.project)',
      message: 'project is immutable: delete the sprite and create another',
      fieldPath: '.project',
    },
  ],
  columns: [
    { name: 'Agent', type: 'string', jsonPath: '.spec.agentType', description: 'What the sprite is.' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where the sprite stands.' },
    {
      name: 'Ready',
      type: 'string',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      description: 'Whether it is as declared.',
    },
    { name: 'Project', type: 'string', jsonPath: '.spec.project', description: 'Project that it works for.' },
    { name: 'Task', type: 'string', jsonPath: '.status.currentTask', description: 'Work that it does now.' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'Time since creation.' },
    { name: 'Machine', type: 'string', priority: 1, jsonPath: '.status.machine.id', description: 'Id of its machine.' },
    {
      name: 'Region',
      type: 'string',
      priority: 1,
      jsonPath: '.status.machine.region',
      description: 'Region of its machine.',
    },
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
  actions: [
    actionOf({
      name: 'wake',
      kind: 'SpriteAction',
      description: 'Starts its machine although there is no work; it stays until its idle timeout.',
    }),
    actionOf({
      name: 'drain',
      kind: 'SpriteAction',
      description: 'Lets it finish its task, then stops its machine until there is new work.',
    }),
  ],
  reasons: {
    Running: 'Its machine runs and it has reported.',
    Asleep: 'It has no machine because there is no work: as designed.',
    Stopped: 'spec.runPolicy is Stopped.',
    Suspended: 'Its tenant or project is suspended.',
    Queued: 'It waits for a slot of the plan; the message has its position.',
    Starting: 'Its machine is being created or started.',
    Draining: 'It finishes its task, then its machine is stopped.',
    Stopping: 'Its machine is being stopped or destroyed.',
    Replacing: 'Its spec changed: a new machine follows when the old one is gone.',
    StartTimeout: 'Its machine did not report in time; another is tried.',
    HeartbeatLost: 'Its machine has not reported lately; it is being replaced.',
    MachineExited: 'Its machine ended by itself; another is tried.',
    OutOfMemory: 'Its machine ran out of memory: give it more in spec.guest.',
    CrashLoop: 'Machines in a row never became ready; tried again later.',
    AgentTypeNotAllowed: 'The plan or the tenant does not allow its agent type.',
    PersonaNotFound: 'No persona has the name of its agent type.',
    TenantNotReady: 'Its tenant does not exist or is not active.',
    ProviderUnavailable: 'The machine provider cannot be reached; nothing is deleted.',
    ProviderRefused: 'The machine provider refused; the message has its words.',
    InvalidSpec: 'The machine provider will not make such a machine.',
    NoCapacity: 'No region of the list has room now.',
    QuotaExceeded: 'The organization’s quota at the provider is reached.',
    CredentialsInvalid: 'The provider refuses our token.',
    RateLimited: 'The provider asks to slow down.',
    NameConflict: 'A machine that is not ours has the name.',
    HostUnreachable: 'The host of its machine cannot be reached.',
    AbsenceDisputed:
      'The provider says by id that its machine is gone, and still lists it; it counts until that is clear.',
    DestroyTimeout: 'Its machine was asked to be destroyed and is still there; it counts, and is asked again.',
    Deleting: 'It is being deleted; the message says what is awaited.',
    DestroyBrake: 'Many machines seem lost at once; none is destroyed until that is clear.',
    Paused: 'Annotation paused: hands off.',
    Frozen: 'Its tenant, or everything, is frozen: no machine is created, started, stopped or destroyed.',
    Fenced: 'A late incarnation of its machine reported and was refused.',
  },
})

export type Sprite = ObjectOf<typeof spriteKind>
export type SpriteSpec = SpecOf<typeof spriteKind>
export type SpriteStatus = StatusOf<typeof spriteKind>
/** The machine of a sprite, as its status tells it. */
export type SpriteMachine = NonNullable<SpriteStatus['machine']>
/** The phase of a sprite. */
export type SpritePhase = (typeof SPRITE_PHASES)[number]

/** Finalizer of a Sprite: held before its first machine call, released when its machine is confirmed absent. */
export const MACHINE_FINALIZER = 'sprites.highera.com/machine'
