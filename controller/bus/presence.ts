/** The Presence port: which sprites have given a sign of life, kept in memory, never in the store. */

/** The last that was heard of a sprite. */
export type PresenceRecord = {
  readonly uid: string
  readonly incarnation: number
  /** When it last gave a sign of life, ms since 1970. */
  readonly lastSeenAtMs: number
  /** When this incarnation's process first did. */
  readonly firstSeenAtMs: number
  readonly state: 'idle' | 'working' | 'draining' | 'gone'
  readonly work?: string
}

/** The port that tells which sprites live. */
export interface Presence {
  read(tenant: string, sprite: string): PresenceRecord | undefined
  /** Since when this process listens, ms since 1970: silence before that says nothing. */
  readonly listeningSinceMs: number
  /** Calls back when a sprite appears, changes its state or incarnation, or leaves; not at each heartbeat. */
  onChange(listener: (tenant: string, sprite: string) => void): () => void
}
