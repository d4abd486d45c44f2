/** What one decision about a tenant may look at, and what it may answer. Pure: types only. */
import type { KubeObject } from '../../api/object.ts'
import type { Balance } from '../../ledger/ledger.ts'
import type { Plan } from '../plan/schema.ts'
import type { SlotLedgerStatus } from '../slotledger/schema.ts'
import type { ProviderError, TenantStanding } from '../../providers/machines.ts'
import type { AnthropicKeyFault } from './anthropic-key.ts'
import type { AppLook } from './app-keeper.ts'
import type { Tenant, TenantStatus } from './schema.ts'
import type { StrangersLook } from './strangers.ts'

/** An object that is still there in a namespace that is to be emptied. */
export type Leftover = Pick<KubeObject, 'kind' | 'metadata'>

/** A reason and its message, as of a condition. */
export type HoldUp = { readonly reason: string; readonly message: string }

/** What one decision about a tenant looks at. */
export type TenantWorld = {
  readonly tenant: Tenant
  /** Undefined when the plan that it names does not exist. */
  readonly plan: Plan | undefined
  /** ms since 1970, and the same instant as a timestamp. */
  readonly nowMs: number
  readonly now: string
  /** The calendar month (UTC) as YYYY-MM, and when the next one begins. */
  readonly month: string
  readonly nextMonthAtMs: number
  /** Tokens of the month. */
  readonly balance: Balance
  /** Whether the ledger did not answer: the balance is then what was published last. */
  readonly isLedgerAway?: boolean
  /** Machines created in the month. */
  readonly spawned: number
  /** Ms since usage was last published; undefined before the first time since the start. */
  readonly usageAgeMs: number | undefined
  /** Whether work of the tenant is in a sprite's hands, so that tokens move. */
  readonly isAtWork: boolean
  readonly slots: Pick<SlotLedgerStatus, 'holders' | 'queue'>
  readonly spritesDeclared: number
  /** Whether the namespace of its name is there and its own. */
  readonly hasNamespace: boolean
  /** Whether a namespace of its name is there that is somebody else's. */
  readonly isNamespaceTaken?: boolean
  /** Why its own Anthropic key cannot be had; undefined when it can, or when it brings none. */
  readonly anthropicKeyFault: AnthropicKeyFault | undefined
  /** How it stands with its app; undefined where the provider makes none. */
  readonly app: AppLook | undefined
  /** What the provider knows of its place; undefined where it tells nothing. */
  readonly standing: TenantStanding | undefined
  /** Machines in its app that are not ours; absent where nobody looks. */
  readonly strangers?: StrangersLook
  /** What the provider answers to its sprites that are to go, where it holds them up; only while it is being deleted. */
  readonly holdUp?: HoldUp | undefined
  /** What the provider answered in this pass when it was to remove what it keeps. */
  readonly refused?: ProviderError
  /** Who has frozen its machines, in words; undefined when nobody has. */
  readonly frozenBy: string | undefined
  /** Everything that is left in the namespace, by a read that no cache answers; only while it is being deleted. */
  readonly leftovers: readonly Leftover[]
}

/** One call of a port for a tenant, as data. */
export type TenantAction =
  | { readonly do: 'holdFinalizer' }
  | { readonly do: 'ensureNamespace' }
  /** Begun, not waited for: how it ended is seen in a later pass. */
  | { readonly do: 'ensureApp' }
  | { readonly do: 'delete'; readonly kind: string; readonly name: string }
  | { readonly do: 'removeNamespace' }
  | { readonly do: 'removeAtProvider' }
  | { readonly do: 'releaseFinalizer' }

/** What a tenant needs now. */
export type TenantDecision = {
  readonly actions: readonly TenantAction[]
  /** Absent when nothing is to be said in this pass. */
  readonly status?: TenantStatus
  /** Whether `status` has usage that was read now, not what was published before. */
  readonly isUsageFresh: boolean
  readonly requeueAfterMs?: number
  readonly requeueReason?: string
}
