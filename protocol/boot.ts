/** What a sprite's machine is told at boot, by its environment: who it is and where its Coordinator is. Pure. */
import { z } from 'zod'

/** Environment of a sprite's process. Nothing here but SPRITE_TOKEN is secret, and that is the sprite's own. */
export const bootSchema = z.object({
  /** Base URL of the Coordinator, without a trailing slash. */
  SPRITE_COORDINATOR_URL: z.url(),
  SPRITE_TENANT: z.string().min(1),
  SPRITE_NAME: z.string().min(1),
  SPRITE_UID: z.string().min(1),
  SPRITE_INCARNATION: z.coerce.number().int().min(1),
  /** Bound to tenant, sprite uid and incarnation; see coordinator/tokens.ts. */
  SPRITE_TOKEN: z.string().min(20),
  /** Instant (ms since 1970) after which the sprite exits whatever it does; its hard deadline. */
  SPRITE_DEADLINE_MS: z.coerce.number().int().optional(),
  /** How long after SIGTERM the machine is killed, ms; 30 s when absent. */
  SPRITE_STOP_TIMEOUT_MS: z.coerce.number().int().min(1_000).optional(),
  SPRITE_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
})

export type BootEnv = z.infer<typeof bootSchema>

/** Exit codes of a sprite's process: what the control plane reads from the machine's exit event. */
export const SPRITE_EXIT = {
  /** Idle for too long, or drained: as designed. */
  done: 0,
  /** Its environment cannot be used. */
  badBoot: 2,
  /** Its incarnation is no longer the current one. */
  fenced: 3,
  /** The Coordinator could not be reached for too long. */
  coordinatorLost: 4,
  /** Past its hard deadline. */
  deadline: 5,
  crashed: 1,
} as const
