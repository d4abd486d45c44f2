/** The shell of the Tenant: finalizer, namespace, limits, usage, and the teardown of all that it owned. */
import { hasReason } from '../../api/errors.ts'
import { isDeleting, keyOf, type Key } from '../../api/object.ts'
import { DONE, watchOf, type ControllerOptions, type Outcome } from '../../engine/types.ts'
import { moved } from '../changes.ts'
import { kindNamed } from '../kinds.ts'
import { TENANT_FINALIZER } from '../marks.ts'
import { planKind } from '../plan/schema.ts'
import { ProviderError } from '../../providers/machines.ts'
import { outcomeOf, publishStatus } from '../publish.ts'
import { slotLedgerKind } from '../slotledger/schema.ts'
import { spriteKind } from '../sprite/schema.ts'
import { workKind } from '../work/schema.ts'
import { createAppKeeper, type AppKeeper } from './app-keeper.ts'
import { decideTenant } from './decide.ts'
import { isInHands, observeTenant, type TenantPorts } from './observe.ts'
import { tenantKind, type Tenant } from './schema.ts'
import { remainsText } from './strangers.ts'
import type { TenantAction, TenantDecision } from './world.ts'

export type { Namespaces, TenantPorts } from './observe.ts'

const tenantKey = (name: string | undefined): Key => ({ namespace: '', name: name ?? '' })

/** The controller `tenant`. */
export function tenantController(ports: TenantPorts): ControllerOptions {
  // When usage was last published, in monotonic ms by tenant: no more entries than there are tenants.
  const usagePublishedAtMs = new Map<string, number>()
  const apps = appKeeperOf(ports)
  return {
    name: 'tenant',
    kind: tenantKind,
    watches: [
      watchOf(planKind, (plan, previous) =>
        moved(plan, previous, (one) => one.spec)
          ? ports.cache
              .list(tenantKind)
              .filter((tenant) => tenant.spec.plan === plan.metadata.name)
              .map(keyOf)
          : [],
      ),
      watchOf(slotLedgerKind, (ledger, previous) =>
        moved(ledger, previous, (one) => [names(one.status?.holders), names(one.status?.queue)])
          ? [tenantKey(ledger.metadata.namespace)]
          : [],
      ),
      watchOf(spriteKind, (sprite, previous) =>
        moved(sprite, previous, () => undefined) ? [tenantKey(sprite.metadata.namespace)] : [],
      ),
      // Only that work begins matters: from then on usage is looked at by time until it rests.
      watchOf(workKind, (work, previous) =>
        isInHands(work.status?.phase) && !isInHands(previous?.status?.phase)
          ? [tenantKey(work.metadata.namespace)]
          : [],
      ),
    ],
    reconcile: (key, signal) => reconcileTenant(ports, { key, usagePublishedAtMs, apps, signal }),
    concurrency: 4,
    resyncMs: 600_000,
    timeoutMs: 60_000,
  }
}

/** The keeper of what a provider makes for tenants; undefined for one that makes nothing. */
function appKeeperOf({ provider, clock, wakeTenant }: TenantPorts): AppKeeper | undefined {
  if (provider.ensureTenant === undefined) return undefined
  const ensure = async (tenant: string): Promise<void> => await provider.ensureTenant?.(tenant)
  return createAppKeeper({ clock, ensure, wake: wakeTenant })
}

const names = (list: readonly { readonly sprite: string }[] | undefined): readonly string[] =>
  (list ?? []).map(({ sprite }) => sprite)

type Pass = {
  readonly key: Key
  readonly usagePublishedAtMs: Map<string, number>
  readonly apps: AppKeeper | undefined
  readonly signal: AbortSignal
}

async function reconcileTenant(ports: TenantPorts, pass: Pass): Promise<Outcome> {
  const { key, usagePublishedAtMs, apps, signal } = pass
  const looks = { usagePublishedAtMs: usagePublishedAtMs.get(key.name), signal, apps }
  const world = await observeTenant(ports, key, looks)
  if (world === undefined) {
    usagePublishedAtMs.delete(key.name)
    await apps?.end(key.name)
    return DONE
  }
  const decision = decideTenant(world)
  try {
    for (const action of decision.actions) await act(ports, world.tenant, { action, apps, signal })
  } catch (error) {
    // What a deletion waits for is said even when the step has just failed; the failure itself goes to the engine.
    if (isDeleting(world.tenant)) {
      const told = error instanceof ProviderError ? decideTenant({ ...world, refused: error }) : decision
      await publish(ports, world.tenant, { decision: told, pass })
    }
    throw error
  }
  if (decision.actions.some((action) => action.do === 'releaseFinalizer')) return DONE
  await publish(ports, world.tenant, { decision, pass })
  return outcomeOf(decision)
}

async function publish(
  ports: TenantPorts,
  tenant: Tenant,
  { decision, pass }: { readonly decision: TenantDecision; readonly pass: Pass },
): Promise<void> {
  if (decision.status === undefined) return
  await publishStatus(ports, tenantKind, tenant, { status: decision.status, signal: pass.signal })
  if (decision.isUsageFresh || !pass.usagePublishedAtMs.has(pass.key.name)) {
    pass.usagePublishedAtMs.set(pass.key.name, ports.clock.monotonic())
  }
}

type Act = { readonly action: TenantAction; readonly apps: AppKeeper | undefined; readonly signal: AbortSignal }

async function act(ports: TenantPorts, tenant: Tenant, { action, apps, signal }: Act): Promise<void> {
  const { name, uid } = tenant.metadata
  switch (action.do) {
    case 'holdFinalizer':
      return await writeFinalizers(ports, tenant, { isHeld: true, signal })
    case 'releaseFinalizer':
      return await writeFinalizers(ports, tenant, { isHeld: false, signal })
    case 'ensureNamespace':
      return await ports.namespaces.ensure(name, uid)
    case 'ensureApp':
      return apps?.begin(name)
    case 'removeNamespace':
      return await ports.namespaces.remove(name)
    case 'removeAtProvider':
      // What is under way would make the app anew behind its removal.
      await apps?.end(name)
      return await removeAtProvider(ports, tenant, signal)
    case 'delete':
      return await deleteOne(ports, { namespace: name, name: action.name }, { kind: action.kind, signal })
  }
}

/** What stays because it is not ours is told where the tenant's events outlive it. */
async function removeAtProvider(ports: TenantPorts, tenant: Tenant, signal: AbortSignal): Promise<void> {
  const remains = await ports.provider.removeTenant(tenant.metadata.name, signal)
  if (remains !== undefined) ports.recorder?.event(tenant, 'Warning', 'AppKept', remainsText(remains))
}

async function writeFinalizers(
  ports: TenantPorts,
  tenant: Tenant,
  wish: { readonly isHeld: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const others = (tenant.metadata.finalizers ?? []).filter((finalizer) => finalizer !== TENANT_FINALIZER)
  const finalizers = wish.isHeld ? [...others, TENANT_FINALIZER] : others
  const options = { resourceVersion: tenant.metadata.resourceVersion }
  const written = await ports.client.patchMetadata(tenantKind, keyOf(tenant), { finalizers }, options, wish.signal)
  // A released tenant is gone: its last form must not come back into the cache.
  if (wish.isHeld) ports.cache.observe(tenantKind, written)
}

async function deleteOne(
  ports: TenantPorts,
  key: Key,
  { kind: name, signal }: { readonly kind: string; readonly signal: AbortSignal },
): Promise<void> {
  const kind = kindNamed(name)
  if (kind === undefined) return
  try {
    await ports.client.delete(kind, key, { propagationPolicy: 'Background' }, signal)
  } catch (error) {
    // Gone by itself is as good.
    if (!hasReason(error, 'NotFound')) throw error
  }
}
