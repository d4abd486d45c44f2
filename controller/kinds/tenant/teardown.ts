/** Decides the next step of a tenant's deletion: sprites first, all else, the ledger, the namespace, the provider. Pure. */
import { mergeConditions, reconciling, stalled } from '../../api/conditions.ts'
import { isDeleting } from '../../api/object.ts'
import { TENANT_FINALIZER } from '../marks.ts'
import { nameList } from '../names.ts'
import { withStandingRequestId } from '../sprite/provider-reasons.ts'
import { holdUpIn } from './hold-up.ts'
import { frozenCondition, pausedConditions, pauseFix } from './place-conditions.ts'
import { strangersCondition } from './strangers.ts'
import type { Leftover, TenantAction, TenantDecision, TenantWorld } from './world.ts'

/** How many objects one pass deletes at most; the rest follows in the next. */
export const DELETES_PER_PASS_MAX = 100
/** How long until a step is looked at again, should no change wake the key. */
const RECHECK_MS = 5_000
/** When a pass reached its bound of deletions. */
const GO_ON_MS = 50

/**
 * The steps, each of which waits for the one before:
 *   projects and sprites → (machines confirmed absent) → work, reviews, people, personas → slot ledger
 *   → namespace → what the provider keeps for the tenant → finalizer released
 * Projects go with the sprites because they would make them anew; the slot ledger outlives every sprite.
 */
export function decideTeardown(world: TenantWorld): TenantDecision {
  if (!world.tenant.metadata.finalizers?.includes(TENANT_FINALIZER)) return { actions: [], isUsageFresh: false }
  for (const kinds of STEPS) {
    const left = world.leftovers.filter((object) => kinds.has(object.kind))
    const awaited = left.filter((object) => object.kind !== 'Project')
    if (left.length > 0) return step(world, deletions(left), messageFor(world, awaited.length > 0 ? awaited : left))
  }
  if (world.leftovers.length > 0) return step(world, deletions(world.leftovers), messageFor(world, world.leftovers))
  if (world.hasNamespace) {
    return step(world, [{ do: 'removeNamespace' }], `Waits until namespace ${world.tenant.metadata.name} is removed`)
  }
  const actions: readonly TenantAction[] = [{ do: 'removeAtProvider' }, { do: 'releaseFinalizer' }]
  return step(world, actions, 'Waits for the machine provider to remove what it keeps for the tenant')
}

const STEPS: readonly ReadonlySet<string>[] = [
  new Set(['Project', 'Sprite']),
  new Set(['Work', 'Review', 'User', 'AccessToken', 'Persona']),
  new Set(['SlotLedger']),
]

const deletions = (left: readonly Leftover[]): readonly TenantAction[] =>
  left
    .filter((object) => !isDeleting(object))
    .slice(0, DELETES_PER_PASS_MAX)
    .map((object) => ({ do: 'delete', kind: object.kind, name: object.metadata.name }))

function messageFor(world: TenantWorld, left: readonly Leftover[]): string {
  const names = nameList(left.map((object) => `${object.kind} ${object.metadata.name}`))
  const held = holdUpIn(world)
  const how = held === undefined ? 'are being removed' : `cannot be removed now (${held.reason})`
  const machines = left.some((object) => object.kind === 'Sprite') ? `: their machines ${how}` : ''
  const count = left.length === 1 ? '1 object' : `${left.length} objects`
  return `Waits for ${count} to go, ${names}${machines}`
}

function step(world: TenantWorld, actions: readonly TenantAction[], message: string): TenantDecision {
  const { tenant, now } = world
  const { generation } = tenant.metadata
  const terminating = { type: 'Terminating', status: 'True', reason: 'Terminating', message } as const
  const held = holdUpIn(world)
  const fix = held === undefined ? undefined : pauseFix(held.reason)
  const summary =
    held === undefined
      ? reconciling('Terminating', message)
      : fix === undefined
        ? reconciling(held.reason, held.message)
        : stalled(held.reason, held.message)
  const said = [
    ...summary,
    terminating,
    ...frozenCondition(world),
    ...pausedConditions(world.standing ?? { paused: [] }),
    ...strangersCondition(world),
  ]
  const patches = withStandingRequestId(tenant.status?.conditions, said)
  const { blockers: _gone, ...rest } = tenant.status ?? {}
  return {
    actions,
    status: {
      ...rest,
      ...(held === undefined || fix === undefined ? {} : { blockers: [{ reason: held.reason, fix }] }),
      observedGeneration: generation,
      conditions: mergeConditions(tenant.status?.conditions, patches, { generation, now }),
    },
    isUsageFresh: false,
    requeueAfterMs: actions.length >= DELETES_PER_PASS_MAX ? GO_ON_MS : RECHECK_MS,
    requeueReason: 'teardown',
  }
}
