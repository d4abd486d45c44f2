/** Channel names of the bus, as the first design named them, and the messages on them. Pure. */
import { z } from 'zod'
import { inboxMessage, SPRITE_STATES } from './coordinator.ts'

/** Wake-ups for one sprite. */
export const spriteInbox = (tenant: string, sprite: string): string => `sprite:${tenant}/${sprite}:inbox`
/** Signs of life of one sprite. */
export const spriteHeartbeat = (tenant: string, sprite: string): string => `sprite:${tenant}/${sprite}:heartbeat`
/** Every sprite's channels, for a subscriber by prefix; filter by parseChannel. */
export const ALL_SPRITES = 'sprite:*'
/** Hand-offs of a tenant. */
export const tenantHandoffs = (tenant: string): string => `tenant:${tenant}:handoffs`
/** Reviews of a tenant. */
export const tenantReviews = (tenant: string): string => `tenant:${tenant}:reviews`
/** Messages to all sprites of a tenant. */
export const tenantBroadcasts = (tenant: string): string => `tenant:${tenant}:broadcasts`
/** News of a project. */
export const projectUpdates = (tenant: string, project: string): string => `project:${tenant}/${project}:updates`

/** What a channel is, read from its name: whose it is stands there, and counts for more than what a message says. */
export type Channel =
  | { readonly of: 'inbox' | 'heartbeat'; readonly tenant: string; readonly sprite: string }
  | { readonly of: 'handoffs' | 'reviews' | 'broadcasts'; readonly tenant: string }
  | { readonly of: 'updates'; readonly tenant: string; readonly project: string }

/** DNS-1123: none of these characters means anything in a Redis pattern, and none parts a channel's name. */
const NAME = '[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?'
const NAME_ALONE = new RegExp(`^${NAME}$`)
const LABEL_ALONE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/
const SPRITE_CHANNEL = new RegExp(`^sprite:(${NAME})/(${NAME}):(inbox|heartbeat)$`)
const TENANT_CHANNEL = new RegExp(`^tenant:(${NAME}):(handoffs|reviews|broadcasts)$`)
const PROJECT_CHANNEL = new RegExp(`^project:(${NAME})/(${NAME}):updates$`)
const CHANNEL_CHARS_MAX = 600

/** Whether a tenant's name (a DNS-1123 label) may stand in a channel, a key or a rule of access. */
export const isTenantName = (name: string): boolean => LABEL_ALONE.test(name)
/** Whether an object's name (a DNS-1123 subdomain) may stand in a channel, a key or a rule of access. */
export const isObjectName = (name: string): boolean => name.length <= 253 && NAME_ALONE.test(name)

/** What a channel is; undefined for a name that is none of ours. */
export function parseChannel(name: string): Channel | undefined {
  if (name.length > CHANNEL_CHARS_MAX) return undefined
  const ofSprite = SPRITE_CHANNEL.exec(name)
  // The patterns leave no other words at these places.
  if (ofSprite !== null)
    return { tenant: ofSprite[1] ?? '', sprite: ofSprite[2] ?? '', of: ofSprite[3] as 'inbox' | 'heartbeat' }
  const ofTenant = TENANT_CHANNEL.exec(name)
  if (ofTenant !== null) return { tenant: ofTenant[1] ?? '', of: ofTenant[2] as 'handoffs' | 'reviews' | 'broadcasts' }
  const ofProject = PROJECT_CHANNEL.exec(name)
  return ofProject === null ? undefined : { of: 'updates', tenant: ofProject[1] ?? '', project: ofProject[2] ?? '' }
}

const objectName = z.string().min(1).max(253)

/** A sign of life on a sprite's heartbeat channel, whose name says which sprite it is. */
export const heartbeatMessage = z.object({
  uid: z.string().min(1).max(64),
  incarnation: z.int().min(1),
  state: z.enum([...SPRITE_STATES, 'gone']),
  work: objectName.optional(),
  /** When it was sent, by the sender's clock, ms since 1970. */
  atMs: z.number(),
})

/** A work was handed on: that a step of it became an object, or that its sprite asked for it. */
const handOffMessage = z.union([
  z.object({ from: objectName, step: z.string().max(253) }),
  z.object({ work: objectName, phase: z.string().max(63).optional() }),
])
/** A work asks for reviews, or belongs to a project that has news. */
const workNewsMessage = z.object({ work: objectName, phase: z.string().max(63).optional() })
/** To all sprites of a tenant: what is said here may only make them look for work, since a sibling could forge it. */
export const broadcastMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('work_available') }),
  z.object({ type: z.literal('notice'), text: z.string().max(1_000) }),
])

/** What a sprite says of itself, parsed. */
export type HeartbeatMessage = z.infer<typeof heartbeatMessage>

const MESSAGES = {
  inbox: inboxMessage,
  heartbeat: heartbeatMessage,
  handoffs: handOffMessage,
  reviews: workNewsMessage,
  broadcasts: broadcastMessage,
  updates: workNewsMessage,
} as const satisfies Readonly<Record<Channel['of'], z.ZodType>>

/**
 * What may be taken of a message on a channel: the fields that this version knows, so that newer senders may say more;
 * undefined when it is none of the channel's, such as of a type that came later. On foreign channels: any JSON object.
 */
export function readMessage(channel: string, message: unknown): object | undefined {
  const known = parseChannel(channel)
  if (known !== undefined) return MESSAGES[known.of].safeParse(message).data
  return typeof message === 'object' && message !== null && !Array.isArray(message) ? message : undefined
}
