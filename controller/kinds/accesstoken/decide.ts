/** Decides the status of an AccessToken. Pure. */
import { mergeConditions, ready, stalled, type ConditionPatch } from '../../api/conditions.ts'
import type { StatusOf } from '../../api/define-kind.ts'
import { parseTimestamp } from '../../../system/timestamp.ts'
import type { AccessToken, accessTokenKind } from './schema.ts'

/** What an AccessToken's status is decided from. */
export type AccessTokenWorld = {
  readonly token: AccessToken
  /** ms since 1970, and the same instant as a timestamp. */
  readonly nowMs: number
  readonly now: string
  /** Whether the User that it names is there; true when it names none. */
  readonly hasUser: boolean
}

/** The status, and when it is to be looked at again. */
export type AccessTokenDecision = {
  readonly status: StatusOf<typeof accessTokenKind>
  readonly requeueAfterMs?: number
  readonly requeueReason?: string
}

/** A timer cannot be set for longer; the token is looked at in between. */
const REQUEUE_MS_MAX = 24 * 3_600_000

/** Whether a token is refused for its age. */
export const isExpired = ({ spec }: Pick<AccessToken, 'spec'>, nowMs: number): boolean =>
  (parseTimestamp(spec.expireTime) ?? Infinity) <= nowMs

/** AX3: Expired from expireTime on; else Stalled while the User is not there; else Active until expireTime. */
export function decideAccessToken(world: AccessTokenWorld): AccessTokenDecision {
  const { token, nowMs, now } = world
  const { generation } = token.metadata
  const conditions = mergeConditions(token.status?.conditions, patchesOf(world), { generation, now })
  const status = { observedGeneration: generation, conditions }
  const leftMs = (parseTimestamp(token.spec.expireTime) ?? Infinity) - nowMs
  if (leftMs <= 0 || leftMs === Infinity) return { status }
  return { status, requeueAfterMs: Math.min(leftMs, REQUEUE_MS_MAX), requeueReason: 'expiry' }
}

function patchesOf({ token, nowMs, hasUser }: AccessTokenWorld): ConditionPatch[] {
  const { user, role } = token.spec
  if (isExpired(token, nowMs))
    return stalled('Expired', 'Its expireTime has passed: make another token and delete this one')
  if (!hasUser) return stalled('UserNotFound', `User ${user} does not exist: create it, or delete the token`)
  return ready('Active', user === undefined ? `It gives the role ${role}` : `It is a token of User ${user}`)
}
