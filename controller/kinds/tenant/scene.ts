/** What of one tenant is looked at to say what its controllers will do. Pure: types. */
import type { PersonaObject } from '../persona/schema.ts'
import type { Plan } from '../plan/schema.ts'
import type { Project } from '../project/schema.ts'
import type { SlotLedgerStatus } from '../slotledger/schema.ts'
import type { MachineDefaults } from '../sprite/machine-spec.ts'
import type { Sprite } from '../sprite/schema.ts'
import type { User } from '../user/schema.ts'
import type { Work } from '../work/schema.ts'
import type { Tenant } from './schema.ts'

/** What lies in a tenant's namespace. */
export type TenantObjects = {
  readonly sprites: readonly Sprite[]
  readonly projects: readonly Project[]
  readonly work: readonly Work[]
  readonly personas: readonly PersonaObject[]
  readonly users: readonly User[]
  readonly ledger: SlotLedgerStatus
}

/** A tenant as it is declared, or as a write would have it declared. */
export type Scene = TenantObjects & {
  readonly nowMs: number
  /** The same instant as a timestamp. */
  readonly now: string
  readonly tenant: Tenant
  /** The plan that it names; undefined when there is none of that name. */
  readonly plan: Plan | undefined
  readonly builtinAgentTypes: ReadonlySet<string>
  readonly defaults: MachineDefaults
  /** Who has frozen everything, in words; absent when nobody has. */
  readonly frozenBy?: string | undefined
}
