/**
 * The HTTP contract between a sprite and its Coordinator. Pure: schemas and paths.
 *
 * Every request carries `Authorization: Bearer <SPRITE_TOKEN>`; tenant, sprite and incarnation come from the token,
 * never from payload or path. JSON bodies ≤ 1 MiB. Errors are `{error: {reason, message}}`:
 * 401 Unauthorized · 403 Forbidden · 404 NotFound · 409 Fenced (this incarnation or attempt is not the current one:
 * for an incarnation, exit; for an attempt, drop the result) · 413 · 422 Invalid · 429 · 503 Unavailable.
 */
import { z } from 'zod'
import { personaSchema } from './persona.ts'

/** The paths of the sprite API. */
export const SPRITE_API = {
  /** POST announceRequest → announceReply. First call after boot; again after every reconnect. */
  announce: '/sprite/v1/announce',
  /** POST heartbeatRequest → heartbeatReply. */
  heartbeat: '/sprite/v1/heartbeat',
  /** GET → newline-delimited JSON of inboxMessage, kept open; a `ping` at least every 15 s. */
  inbox: '/sprite/v1/inbox',
  /** POST {} → busReply, or 204 when the sprite is to stay with the inbox. Asking again gives the same access. */
  bus: '/sprite/v1/bus',
  /** POST {} → taskSchema, or 204 when there is nothing for this sprite. Claiming again gives the same task. */
  claim: '/sprite/v1/claim',
  /** POST progressRequest → 204. */
  progress: '/sprite/v1/progress',
  /** POST completeRequest → resultReply. Idempotent by attempt. */
  complete: '/sprite/v1/complete',
  /** POST failRequest → resultReply. Idempotent by attempt. */
  fail: '/sprite/v1/fail',
  /** Base URL for the Anthropic SDK: it appends /v1/messages. Same Authorization; header below on every call. */
  gateway: '/gateway',
} as const

/** Header of a gateway call: `<work name>/<attempt number>`, so that tokens are booked on the right work. */
export const WORK_HEADER = 'x-sprite-work'
/** Header of a gateway answer: `true` when the rehearsal model answered. */
export const REHEARSAL_HEADER = 'x-sprite-rehearsal'

/** What a sprite says of itself in its heartbeats. */
export const SPRITE_STATES = ['idle', 'working', 'draining'] as const

/** A sprite is there. */
export const announceRequest = z.strictObject({
  /** When the process started, ms since 1970. */
  startedAtMs: z.number().int(),
  version: z.string().max(100),
})

/** Who the sprite is, and how often it reports. */
export const announceReply = z.object({
  tenant: z.string(),
  sprite: z.string(),
  agentType: z.string(),
  incarnation: z.number().int(),
  /** Send a heartbeat at least so often. */
  heartbeatIntervalMs: z.number().int().positive(),
  /** Exit with code 0 after so long without work. 0: never (runPolicy Always). */
  idleTimeoutMs: z.number().int().min(0),
  /** Exit with code coordinatorLost when no call has succeeded for so long (self-fencing). */
  lostAfterMs: z.number().int().positive(),
  /** There is a bus that the sprite may listen to itself: ask for access to it. */
  bus: z.boolean().optional(),
})

/** A sprite's own access to the message bus: never in its environment, void with its incarnation. */
export const busReply = z.object({
  /** redis:// or rediss://, without user and password. */
  url: z.string().min(1),
  username: z.string().min(1),
  password: z.string().min(1),
  /** The channels it may subscribe to, and the one that it may publish on, as the bus knows them. */
  inbox: z.string().min(1),
  broadcasts: z.string().min(1),
  heartbeat: z.string().min(1),
})

/** A sign of life. */
export const heartbeatRequest = z.strictObject({
  state: z.enum(SPRITE_STATES),
  /** The work in hand, with its attempt. */
  work: z.strictObject({ name: z.string(), attempt: z.number().int() }).optional(),
})

/** What the sprite is to do. */
export const heartbeatReply = z.object({
  /** continue · drain: finish the task in hand, claim no more, exit 0 · abandon: the attempt in hand is void, stop it. */
  directive: z.enum(['continue', 'drain', 'abandon']),
  /** The idle timeout that holds now, as at announce: run policies and limits change while a sprite runs. */
  idleTimeoutMs: z.number().int().min(0).optional(),
})

/** One line of a sprite's inbox; each is a hint and nothing more. */
export const inboxMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('work_available') }),
  z.object({ type: z.literal('drain') }),
  z.object({ type: z.literal('abandon'), work: z.string() }),
  z.object({ type: z.literal('ping') }),
])

/** A task with all that is needed to do it: persona and brand arrive here, never by the machine's environment. */
export const taskSchema = z.object({
  work: z.string(),
  attempt: z.number().int().min(1),
  type: z.string(),
  description: z.string(),
  input: z.record(z.string(), z.unknown()).optional(),
  deadlineMs: z.number().int().optional(),
  persona: personaSchema,
  /** The model to ask for: the persona's or the control plane's default. */
  model: z.string(),
  tenant: z.object({ name: z.string(), displayName: z.string() }),
  brand: z.object({ voice: z.string().optional(), guidelines: z.string().optional(), context: z.string().optional() }),
  project: z.object({ name: z.string(), displayName: z.string(), brief: z.string() }).optional(),
  /** Agent types that this task may hand off to, with what each does. */
  handOffTargets: z.array(z.object({ agentType: z.string(), description: z.string() })),
  /** What earlier work of the chain produced, oldest first. */
  context: z.array(
    z.object({
      work: z.string(),
      agentType: z.string(),
      summary: z.string(),
      deliverables: z.array(z.object({ name: z.string(), mediaType: z.string(), content: z.string() })),
    }),
  ),
  /** Answers of reviews of earlier rounds of this work. */
  feedback: z.array(z.object({ artifact: z.string(), verdict: z.string(), comment: z.string(), by: z.string() })),
})

export type Task = z.infer<typeof taskSchema>

const attemptOf = { work: z.string().min(1).max(253), attempt: z.number().int().min(1) }

/** How far an attempt has come. */
export const progressRequest = z.strictObject({ ...attemptOf, message: z.string().max(500) })

/** One result, as a sprite delivers it. */
export const deliverableInput = z.strictObject({
  name: z.string().min(1).max(200),
  mediaType: z.string().min(1).max(100).default('text/markdown'),
  content: z.string().min(1).max(200_000),
})

/** One hand-off, as a sprite asks for it. */
export const handOffInput = z.strictObject({
  agentType: z.string().min(1).max(40),
  type: z.string().min(1).max(63),
  description: z.string().min(1).max(20_000),
  input: z.record(z.string(), z.unknown()).optional(),
})

/** One question on an artifact, as a sprite asks it. */
export const reviewInput = z.strictObject({
  question: z.string().min(1).max(5_000),
  artifact: z.string().min(1).max(200),
  /** An agent type, or "person". */
  reviewer: z.string().min(1).max(40),
})

/** An attempt is done. */
export const completeRequest = z.strictObject({
  ...attemptOf,
  /** What was done, in a few sentences. */
  summary: z.string().min(1).max(5_000),
  output: z.record(z.string(), z.unknown()).optional(),
  deliverables: z.array(deliverableInput).max(20),
  handOffs: z.array(handOffInput).max(20),
  reviews: z.array(reviewInput).max(10),
  /** For a review task: the answer. */
  verdict: z.enum(['Approved', 'ChangesRequested']).optional(),
})

/** Why an attempt failed: each is a condition reason of Work. */
export const FAIL_REASONS = [
  'Failed',
  'Blocked',
  'BudgetExhausted',
  'Refused',
  'TooLong',
  'ModelUnavailable',
  'DeadlineExceeded',
  'Drained',
] as const

/** An attempt cannot be done. */
export const failRequest = z.strictObject({
  ...attemptOf,
  reason: z.enum(FAIL_REASONS),
  message: z.string().min(1).max(1_000),
  /** Whether another attempt may go better. */
  retryable: z.boolean(),
})

/** A report was recorded. */
export const resultReply = z.object({ accepted: z.literal(true) })

/** A refusal. */
export const errorReply = z.object({ error: z.object({ reason: z.string(), message: z.string() }) })

export type BusReply = z.infer<typeof busReply>
export type AnnounceReply = z.infer<typeof announceReply>
export type HeartbeatRequest = z.infer<typeof heartbeatRequest>
export type HeartbeatReply = z.infer<typeof heartbeatReply>
export type InboxMessage = z.infer<typeof inboxMessage>
export type CompleteRequest = z.infer<typeof completeRequest>
export type FailRequest = z.infer<typeof failRequest>
/** Why an attempt failed. */
export type FailReason = (typeof FAIL_REASONS)[number]
