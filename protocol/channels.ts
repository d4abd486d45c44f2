/** Channel names of the bus, as the first design named them, and the messages on them. Pure. */
import { z } from 'zod'

/** Wake-ups for one sprite. */
export const spriteInbox = (tenant: string, sprite: string): string => `sprite:${tenant}/${sprite}:inbox`
/** Signs of life of one sprite. */
export const spriteHeartbeat = (tenant: string, sprite: string): string => `sprite:${tenant}/${sprite}:heartbeat`
/** Every sprite's signs of life, for a subscriber by prefix: `sprite:*`; filter by parseHeartbeatChannel. */
export const ALL_SPRITES = 'sprite:*'
/** Hand-offs of a tenant. */
export const tenantHandoffs = (tenant: string): string => `tenant:${tenant}:handoffs`
/** Reviews of a tenant. */
export const tenantReviews = (tenant: string): string => `tenant:${tenant}:reviews`
/** Messages to all sprites of a tenant. */
export const tenantBroadcasts = (tenant: string): string => `tenant:${tenant}:broadcasts`
/** News of a project. */
export const projectUpdates = (tenant: string, project: string): string => `project:${tenant}/${project}:updates`

/** A sign of life on a sprite's heartbeat channel. */
export const heartbeatMessage = z.object({
  tenant: z.string(),
  sprite: z.string(),
  uid: z.string(),
  incarnation: z.number().int(),
  state: z.enum(['idle', 'working', 'draining', 'gone']),
  work: z.string().optional(),
  atMs: z.number(),
})

export type HeartbeatMessage = z.infer<typeof heartbeatMessage>
