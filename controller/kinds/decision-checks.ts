/** Checks what every decision's status must be, for tests: reasons of the catalogue, short stable messages. Pure. */
import type { Condition } from '../api/conditions.ts'
import { CONDITION_MESSAGE_CHARS_MAX, findCondition, isTrue } from '../api/conditions.ts'
import type { KindDefinition } from '../api/define-kind.ts'

type Spoken = {
  readonly conditions?: readonly Condition[] | undefined
  readonly blockers?: readonly { readonly reason: string }[] | undefined
}

/** What is wrong with a status, in words; empty when it is as every status must be. */
export function faultsOf(kind: KindDefinition, status: Spoken & object): readonly string[] {
  const conditions = status.conditions ?? []
  const reasons = new Set(Object.keys(kind.reasons))
  const parsed = kind.status.safeParse(withoutNull(status))
  return [
    ...(parsed.success ? [] : [`schema: ${parsed.error.message}`]),
    ...(findCondition(conditions, 'Ready') === undefined ? ['no Ready'] : []),
    ...conditions.filter((one) => !reasons.has(one.reason)).map((one) => `unknown reason ${one.reason}`),
    ...conditions.filter((one) => one.message.length > CONDITION_MESSAGE_CHARS_MAX).map((one) => `long ${one.type}`),
    ...conditions.filter((one) => one.message === '').map((one) => `mute ${one.type}`),
    ...conditions.filter((one) => TIME.test(one.message)).map((one) => `time in ${one.type}`),
    ...(isTrue(conditions, 'Ready') && isTrue(conditions, 'Stalled') ? ['ready and stalled'] : []),
    ...(isTrue(conditions, 'Stalled') && isTrue(conditions, 'Reconciling') ? ['stalled and reconciling'] : []),
  ]
}

const TIME = /\d{2}:\d{2}:\d{2}/

/** As a merge patch stores it. */
const withoutNull = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutNull)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, part]) => part !== null && part !== undefined)
      .map(([key, part]) => [key, withoutNull(part)]),
  )
}
