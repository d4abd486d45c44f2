/** Decides what a tenant says of machines in its own app that are not ours: they are left alone, and cost money. Pure. */
import { findCondition, type ConditionPatch } from '../../api/conditions.ts'
import type { Machine, TenantRemains } from '../../providers/machines.ts'
import { nameList } from '../names.ts'
import type { Sprite } from '../sprite/schema.ts'
import type { TenantWorld } from './world.ts'

/** Machines in a tenant's app that carry no stamp of ours, by the last picture. */
export type StrangersLook = {
  readonly ids: readonly string[]
  /** Whether there are no others: the picture was complete. */
  readonly isComplete: boolean
}

/** Type and reason of the condition. */
export const STRANGE_MACHINES = 'StrangeMachines'
/** Until a picture is looked for that says whether those of before are still there, ms. */
export const STRANGERS_LOOK_MS = 30_000

/** Who carries no stamp, is named by no sprite, and whose host would tell its stamp if it had one. */
export function strangersOf(
  picture: { readonly machines: readonly Machine[]; readonly complete: boolean } | undefined,
  sprites: readonly Sprite[],
): StrangersLook {
  const named = new Set(sprites.flatMap(({ status }) => [status?.machine?.id, status?.machine?.name]))
  const isStrange = ({ id, name, owner, state, hostReachable }: Machine): boolean =>
    owner === undefined && hostReachable && state !== 'destroyed' && !named.has(id) && !named.has(name)
  const ids = (picture?.machines ?? []).filter(isStrange).map(({ id }) => id)
  return { ids: ids.sort(), isComplete: picture?.complete === true }
}

/** Whether those of before are neither seen nor known to be gone. */
export const areStrangersUnsure = (world: Pick<TenantWorld, 'tenant' | 'strangers'>): boolean =>
  world.strangers?.isComplete === false && world.strangers.ids.length === 0 && standingOf(world) !== undefined

const standingOf = ({ tenant }: Pick<TenantWorld, 'tenant'>): ConditionPatch | undefined =>
  findCondition(tenant.status?.conditions, STRANGE_MACHINES)

/** The condition while there are such; in an app that all share others are nobody's business. */
export function strangersCondition(
  world: Pick<TenantWorld, 'tenant' | 'strangers' | 'standing'>,
): readonly ConditionPatch[] {
  const { strangers, standing } = world
  if (strangers === undefined || standing === undefined || standing.isShared) return []
  if (areStrangersUnsure(world)) return [standingOf(world)].filter((before) => before !== undefined)
  if (strangers.ids.length === 0) return []
  const message = strangersText(standing.app, strangers.ids)
  return [{ type: STRANGE_MACHINES, status: 'True', reason: STRANGE_MACHINES, message }]
}

/** What stays at the provider when the tenant is gone, and what would do. */
export const remainsText = ({ app, machines }: TenantRemains): string =>
  machines.length === 0
    ? `App "${app}" stays: it was not made by this control plane`
    : `App "${app}" stays. ${strangersText(app, machines)}`

/** What would do comes first: of a long list of ids the end is cut. */
function strangersText(app: string, ids: readonly string[]): string {
  const are = ids.length === 1 ? '1 machine in it is' : `${ids.length} machines in it are`
  return `Run fly machine destroy ID -a ${app}, or delete the app: ${are} not ours, left alone, and cost money: ${nameList(ids)}`
}
