/** Decides the status of a User. Pure. */
import { mergeConditions, ready, stalled } from '../../api/conditions.ts'
import type { StatusOf } from '../../api/define-kind.ts'
import type { User, userKind } from './schema.ts'

/** What a User's status is decided from. */
export type UserWorld = {
  readonly user: User
  /** Timestamp of now. */
  readonly now: string
  /** Other Users of the tenant with the same e-mail address. */
  readonly namesakes: readonly User[]
}

/** The role is in force unless an older User has the address: two writes at the same time pass admission both. */
export function decideUser({ user, now, namesakes }: UserWorld): { readonly status: StatusOf<typeof userKind> } {
  const { generation } = user.metadata
  const [elder] = namesakes.filter((other) => isElder(other, user)).sort((a, b) => (isElder(a, b) ? -1 : 1))
  const patches =
    elder === undefined
      ? ready('Active', `The role ${user.spec.role} is in force`)
      : stalled(
          'EmailTaken',
          `User ${elder.metadata.name} has the same e-mail address: change or delete one of the two`,
        )
  const conditions = mergeConditions(user.status?.conditions, patches, { generation, now })
  return { status: { observedGeneration: generation, conditions } }
}

/** Users made in the same second are told apart by name. */
const isElder = (a: User, b: User): boolean => ageKey(a) < ageKey(b)
const ageKey = ({ metadata }: User): string => `${metadata.creationTimestamp} ${metadata.name}`
