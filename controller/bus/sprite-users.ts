/** The SpriteUsers port: gives one incarnation of a sprite its own way onto the bus, and takes it back. */
import type { BusReply } from '../../protocol/coordinator.ts'

/** Whom access is given to: one incarnation of one sprite, proven by its token. */
export type SpriteOnBus = {
  readonly tenant: string
  readonly sprite: string
  readonly uid: string
  readonly incarnation: number
}

/** Why there is no access: the server has no users for sprites, or does not answer at the moment. */
export type NoAccess = 'Unsupported' | 'Away'

/** The port that lets sprites listen for themselves; without one they keep the Coordinator's stream. */
export interface SpriteUsers {
  /**
   * Access to the sprite's own channels and nothing else, the same at each call; access of earlier incarnations ends,
   * with their open connections. Never rejects.
   */
  grant(who: SpriteOnBus): Promise<BusReply | NoAccess>
  /** Ends the access of this incarnation and closes its connections. True when nothing of it is left. Never rejects. */
  revoke(who: SpriteOnBus): Promise<boolean>
  close(): void
}
