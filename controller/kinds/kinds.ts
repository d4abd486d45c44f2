/** All kinds of the product, in the order in which they are applied. Pure. */
import type { KindDefinition } from '../api/define-kind.ts'
import { accessTokenKind } from './accesstoken/schema.ts'
import { personaKind } from './persona/schema.ts'
import { planKind } from './plan/schema.ts'
import { projectKind } from './project/schema.ts'
import { reviewKind } from './review/schema.ts'
import { slotLedgerKind } from './slotledger/schema.ts'
import { spriteKind } from './sprite/schema.ts'
import { tenantKind } from './tenant/schema.ts'
import { userKind } from './user/schema.ts'
import { workKind } from './work/schema.ts'

/** Every kind; a kind comes after those that it refers to. */
export const KINDS: readonly KindDefinition[] = [
  planKind,
  tenantKind,
  userKind,
  accessTokenKind,
  personaKind,
  projectKind,
  spriteKind,
  workKind,
  reviewKind,
  slotLedgerKind,
]

/** The kind of that name, if it is one of ours. */
export const kindNamed = (kind: string): KindDefinition | undefined => KINDS.find((known) => known.kind === kind)
