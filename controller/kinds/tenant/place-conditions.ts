/** Says in conditions how a tenant stands with its machine provider: app, token, freeze, paused calls. Pure. */
import type { Blocker } from '../../api/blocker.ts'
import { findCondition, type ConditionPatch } from '../../api/conditions.ts'
import { ProviderError, type AppTokenStanding, type TenantStanding } from '../../providers/machines.ts'
import { reasonOf, withStandingRequestId } from '../sprite/provider-reasons.ts'
import type { TenantWorld } from './world.ts'

/** What of the world this looks at. */
export type PlaceWorld = Pick<TenantWorld, 'tenant' | 'standing' | 'app' | 'frozenBy'>

/** What stands in the way, for Ready and blockers. */
export type PlaceProblem = { readonly message: string; readonly blocker: Blocker }

/** Conditions about the provider; none for one that has neither apps nor circuits. */
export function placeConditions(world: PlaceWorld): readonly ConditionPatch[] {
  const next = [
    ...frozenCondition(world),
    ...(world.standing === undefined
      ? []
      : [
          ...appCondition(world, world.standing),
          ...tokenCondition(world.standing.token),
          ...pausedConditions(world.standing),
        ]),
  ]
  return withStandingRequestId(world.tenant.status?.conditions, next)
}

/** That nothing is done about machines, and by whose word. */
export function frozenCondition({ frozenBy }: Pick<PlaceWorld, 'frozenBy'>): readonly ConditionPatch[] {
  return frozenBy === undefined
    ? []
    : [{ type: 'Frozen', status: 'True', reason: 'Frozen', message: frozenText(frozenBy) }]
}

/** What a freeze means, in one sentence with what ends it. */
export const frozenText = (by: string): string => `Machines stay as they are: take away ${by} to go on`

function appCondition(world: PlaceWorld, { app, isShared }: TenantStanding): readonly ConditionPatch[] {
  const type = 'AppReady'
  if (isShared)
    return [
      { type, status: 'True', reason: 'AppShared', message: `App "${app}" is shared: nothing is made or deleted` },
    ]
  const last = world.app?.last
  if (last === 'Made')
    return [{ type, status: 'True', reason: 'AppMade', message: `App "${app}" and its network are there` }]
  if (last !== undefined) return [{ type, status: 'False', reason: appReason(last), message: appText(last) }]
  // After a start of the controller what stood before is true until the provider says otherwise.
  const before = findCondition(world.tenant.status?.conditions, type)
  if (before?.status === 'True' || (before !== undefined && world.frozenBy !== undefined)) return [before]
  return world.frozenBy === undefined
    ? [{ type, status: 'Unknown', reason: 'AppPending', message: `App "${app}" is being made` }]
    : [{ type, status: 'Unknown', reason: 'Frozen', message: `App "${app}" is made after the thaw` }]
}

const appReason = ({ reason }: ProviderError): string => (reason === 'NotReady' ? 'AppPending' : reasonOf(reason))

const APP_FIXES: Readonly<Record<string, string>> = {
  CredentialsInvalid: 'Set a FLY_API_TOKEN that may make apps: ',
  QuotaExceeded: 'Ask Fly for more apps: ',
  NameConflict: 'Set another FLY_APP, or remove the app that has its name: ',
  InvalidSpec: 'Check FLY_ORG and FLY_APP: ',
}

const appText = (error: ProviderError): string => `${APP_FIXES[error.reason] ?? 'Tried again: '}${error.message}`

const TOKENS: Readonly<Record<AppTokenStanding['is'], readonly [ConditionPatch['status'], string, string]>> = {
  Own: ['True', 'TokenOwn', 'The app has a deploy token of its own'],
  Pending: ['Unknown', 'TokenPending', 'A deploy token for the app is being made'],
  NotRenewed: ['True', 'TokenNotRenewed', 'The app’s token is used until it ends, and tried to be renewed'],
  Missing: ['False', 'TokenMissing', 'Let FLY_API_TOKEN make deploy tokens; until then it does everything itself'],
  Refused: ['False', 'TokenRefused', 'Fly refused the app’s token: FLY_API_TOKEN is used until there is another'],
}

function tokenCondition(token: AppTokenStanding | undefined): readonly ConditionPatch[] {
  if (token === undefined) return []
  const [status, reason, text] = TOKENS[token.is]
  return [
    { type: 'TokenReady', status, reason, message: token.message === undefined ? text : `${text}: ${token.message}` },
  ]
}

const PAUSES: Readonly<Record<string, { readonly type: string; readonly fix: string }>> = {
  CredentialsInvalid: { type: 'CredentialsPaused', fix: 'Set a good FLY_API_TOKEN and restart' },
  QuotaExceeded: { type: 'OrganizationLimitReached', fix: 'Ask Fly for a higher limit, or let fewer machines run' },
}

/** What is held back of its calls, but for probes. */
export function pausedConditions({ paused }: Pick<TenantStanding, 'paused'>): readonly ConditionPatch[] {
  return paused.flatMap((error) => {
    const pause = PAUSES[error.reason]
    if (pause === undefined) return []
    return [
      { type: pause.type, status: 'True', reason: error.reason, message: `${pause.fix}: ${error.message}` } as const,
    ]
  })
}

/** What would do about calls that are held back for this reason; undefined where they are not. */
export const pauseFix = (reason: string): string | undefined =>
  Object.hasOwn(PAUSES, reason) ? PAUSES[reason]?.fix : undefined

/** What a person has to mend at the provider before the tenant can go on, the gravest first. */
export function placeProblems(world: PlaceWorld): readonly PlaceProblem[] {
  const paused = (world.standing?.paused ?? []).flatMap((error) => {
    const fix = PAUSES[error.reason]?.fix
    return fix === undefined ? [] : [problem(error.reason, fix, `${fix}: ${error.message}`)]
  })
  const failed = world.app?.last
  const needsPerson = failed instanceof ProviderError && Object.hasOwn(APP_FIXES, failed.reason)
  const isSaid = needsPerson && paused.some(({ blocker }) => blocker.reason === failed.reason)
  const app = needsPerson && !isSaid ? [problem(failed.reason, fixOf(failed), appText(failed))] : []
  return [...paused, ...app]
}

const fixOf = ({ reason }: ProviderError): string => (APP_FIXES[reason] ?? '').replace(/: $/, '')

/** The blocker has no request id: it differs from try to try, and each would be a write. */
const problem = (reason: string, fix: string, message: string): PlaceProblem => ({ message, blocker: { reason, fix } })
