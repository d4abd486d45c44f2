/** The kinds as they are served: each with its admission. One line here makes a new kind known everywhere. Pure. */
import type { Admission } from '../api/admission.ts'
import { resourceOf } from '../api/resource-of.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { KINDS } from './kinds.ts'
import { accessTokenAdmission } from './accesstoken/admit.ts'
import { personaAdmission } from './persona/admit.ts'
import { planAdmission } from './plan/admit.ts'
import { projectAdmission } from './project/admit.ts'
import { reviewAdmission } from './review/admit.ts'
import { slotLedgerAdmission } from './slotledger/admit.ts'
import { spriteAdmission } from './sprite/admit.ts'
import { tenantAdmission } from './tenant/admit.ts'
import { userAdmission } from './user/admit.ts'
import { workAdmission } from './work/admit.ts'

/** Admission by name of the kind. */
export const ADMISSIONS: ReadonlyMap<string, Admission> = new Map<string, Admission>([
  ['Plan', planAdmission],
  ['Tenant', tenantAdmission],
  ['User', userAdmission],
  ['AccessToken', accessTokenAdmission],
  ['Persona', personaAdmission],
  ['Project', projectAdmission],
  ['Sprite', spriteAdmission],
  ['Work', workAdmission],
  ['Review', reviewAdmission],
  ['SlotLedger', slotLedgerAdmission],
])

/** Every kind as a served resource, in the order in which they are applied. */
export const RESOURCES: readonly ResourceDefinition[] = KINDS.map((kind) => resourceOf(kind, ADMISSIONS.get(kind.kind)))
