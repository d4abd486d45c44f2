/** What one decision about a sprite may look at, and what it may answer. Pure: types only. */
import type { Blocker } from '../../api/blocker.ts'
import type { ConditionPatch } from '../../api/conditions.ts'
import type { PresenceRecord } from '../../bus/presence.ts'
import type { Machine, ProviderErrorReason } from '../../providers/machines.ts'
import type { Project } from '../project/schema.ts'
import type { SlotHolder } from '../slotledger/schema.ts'
import type { Tenant } from '../tenant/schema.ts'
import type { MachineConfig } from './machine-spec.ts'
import type { Sprite, SpriteMachine, SpritePhase, SpriteStatus } from './schema.ts'

/** What is known of the machine that the status names. */
export type Observation =
  /** The status names none. */
  | { readonly seen: 'none' }
  /** Its id is not known: the create is unanswered. `found` when a list shows its name with our stamp; `lookedAtMs` is when the last complete list was taken. */
  | { readonly seen: 'unanswered'; readonly found?: Machine; readonly lookedAtMs?: number }
  /** A GET by id says that it does not exist. `listed` is what the last complete look at all machines says, and when it was made. */
  | { readonly seen: 'absent'; readonly listed?: { readonly atMs: number; readonly isLive: boolean } }
  /** `isFresh`: from a GET by id in this pass, not from the feed. */
  | { readonly seen: 'present'; readonly machine: Machine; readonly isFresh: boolean }
  | { readonly seen: 'unknown'; readonly reason: ProviderErrorReason; readonly message: string }

/** What the slot ledger says of one sprite. */
export type SlotView = {
  readonly holder: SlotHolder | undefined
  /** Place in the queue; 1 is next. */
  readonly position: number | undefined
  readonly limit: number | null
  /** Names of the sprites that hold the slots, sorted. */
  readonly holders: readonly string[]
}

/** How long each step may take, in ms. */
export type SpriteDeadlines = {
  /** From the intent to create or start to the first heartbeat. */
  readonly readyMs: number
  /** Silence after which a sprite that was ready counts as lost. */
  readonly heartbeatLostMs: number
  /** From the wish to stop to the stop, while a task is in hand. */
  readonly drainMs: number
  /** From the stop call to force. */
  readonly stopMs: number
  /** Between two destroy calls. */
  readonly destroyMs: number
  /** From the first destroy call until its delay is called out. */
  readonly destroyStuckMs: number
  /** Between two looks that both must say "absent", or "stopped". */
  readonly confirmMs: number
  /** The same, of a machine that no look has shown since its create: reads lag behind writes. */
  readonly unseenMs: number
  /** From the first look that says "absent" until that is believed without, or against, a list. */
  readonly disputedMs: number
  /** From giving up an unanswered create to a complete list that proves it never took effect. */
  readonly unansweredMs: number
}

/** The deadlines outside of tests. */
export const SPRITE_DEADLINES: SpriteDeadlines = {
  readyMs: 180_000,
  heartbeatLostMs: 45_000,
  drainMs: 300_000,
  stopMs: 60_000,
  destroyMs: 60_000,
  destroyStuckMs: 300_000,
  confirmMs: 5_000,
  unseenMs: 45_000,
  disputedMs: 600_000,
  unansweredMs: 30_000,
}

/** What one decision about a sprite looks at. */
export type SpriteWorld = {
  readonly nowMs: number
  /** The same instant as a timestamp. */
  readonly now: string
  readonly sprite: Sprite
  /** What is stored, where the sprite here says otherwise: times that were ahead. The write is what leads from it to the next. */
  readonly storedStatus?: SpriteStatus | undefined
  readonly tenant: Tenant | undefined
  readonly project: Project | undefined
  readonly personaExists: boolean
  readonly slot: SlotView
  /** Pieces of work assigned to it and not over. */
  readonly assignedWork: number
  /** The work that its current incarnation has claimed. */
  readonly currentWork: { readonly name: string; readonly project: string | undefined } | undefined
  readonly observation: Observation
  readonly presence: PresenceRecord | undefined
  /** Since when this process listens for signs of life. */
  readonly listeningSinceMs: number
  /** Undefined while the tenant's limits are not known. */
  readonly config: MachineConfig | undefined
  readonly deadlines: SpriteDeadlines
  /** Tokens of all its finished work. */
  readonly tokensUsed: number
  /** Who has frozen it, in words; absent when nobody has. */
  readonly frozenBy?: string
  /** 0…1, for the jitter of retries. */
  readonly random: number
}

/** One call to a port. At most one of the machine calls per pass. */
export type SpriteAction =
  | { readonly do: 'holdFinalizer' }
  | { readonly do: 'releaseFinalizer' }
  | { readonly do: 'releaseSlot' }
  | { readonly do: 'create'; readonly name: string; readonly incarnation: number; readonly config: MachineConfig }
  | { readonly do: 'start'; readonly id: string }
  | { readonly do: 'stop'; readonly id: string }
  /** `isTombstoned`: somebody asked for it (deletion, stop, suspension, new spec), or it runs no more; otherwise the brake applies. */
  | { readonly do: 'destroy'; readonly id: string; readonly isTombstoned: boolean }
  /** A hint on its inbox: finish, claim no more. */
  | { readonly do: 'drain' }

/** The next step of a sprite. */
export type SpriteDecision = {
  readonly actions: readonly SpriteAction[]
  readonly phase: SpritePhase
  /** The machine record after this pass; undefined when there is none. */
  readonly machine: SpriteMachine | undefined
  readonly conditions: readonly ConditionPatch[]
  readonly blockers?: readonly Blocker[]
  readonly failures?: number
  readonly retryTime?: string | undefined
  /** 0 looks again at once. */
  readonly requeueAfterMs?: number
  readonly requeueReason?: string
}
