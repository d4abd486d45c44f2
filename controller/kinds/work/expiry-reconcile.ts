/** The shell of the expiry of work: one bounded pass per tenant, each hour and when the next work comes due. */
import type { Log } from '../../../system/log.ts'
import { hasReason } from '../../api/errors.ts'
import { keyOf } from '../../api/object.ts'
import { DONE, type ControllerOptions, type Outcome } from '../../engine/types.ts'
import { planKind } from '../plan/schema.ts'
import { projectKind } from '../project/schema.ts'
import { reviewKind } from '../review/schema.ts'
import { tenantKind, type Tenant } from '../tenant/schema.ts'
import { decideExpiry, retentionDaysOf, type ExpiryWorld } from './expire.ts'
import type { WorkPorts } from './reconcile.ts'
import { workKind, type Work } from './schema.ts'

/** What the expiry needs of the process. */
export type ExpiryPorts = Pick<WorkPorts, 'client' | 'cache' | 'clock'> & { readonly log: Log }

/** How often each tenant is looked at, in ms: what ends in between is kept for days. */
const ROUND_MS = 3_600_000
/** Between two batches of one tenant, in ms. */
const BATCH_PAUSE_MS = 1000

/** The controller `work-expiry`: its key is the tenant. */
export function workExpiryController(ports: ExpiryPorts): ControllerOptions {
  return {
    name: 'work-expiry',
    kind: tenantKind,
    wakes: (object, previous) => {
      const [tenant, before] = [object as Tenant, previous as Tenant | undefined] // the kind says so
      return tenant.spec.plan !== before?.spec.plan
    },
    reconcile: (key, signal) => reconcileExpiry(ports, key.name, signal),
    concurrency: 2,
    resyncMs: ROUND_MS,
    timeoutMs: 60_000,
  }
}

async function reconcileExpiry(ports: ExpiryPorts, namespace: string, signal: AbortSignal): Promise<Outcome> {
  const tenant = ports.cache.get(tenantKind, { namespace: '', name: namespace })
  // What a tenant that goes owns goes with it.
  if (tenant === undefined || tenant.metadata.deletionTimestamp !== undefined) return DONE
  const world = observeExpiry(ports, tenant)
  const { expired, nextMs } = decideExpiry(world)
  for (const work of expired) await remove(ports, work, signal)
  if (expired.length > 0)
    ports.log.info(
      { tenant: namespace, work: expired.length },
      'deleted work that ended longer ago than its plan keeps it',
    )
  if (nextMs === undefined) return DONE
  const leftMs = Math.min(Math.max(nextMs - world.nowMs, BATCH_PAUSE_MS), ROUND_MS)
  return { requeueAfterMs: leftMs, requeueReason: 'expiry' }
}

function observeExpiry({ cache, clock }: ExpiryPorts, tenant: Tenant): ExpiryWorld {
  const namespace = tenant.metadata.name
  return {
    nowMs: clock.now(),
    retentionDays: retentionDaysOf(cache.get(planKind, { namespace: '', name: tenant.spec.plan })),
    work: cache.list(workKind, namespace),
    reviews: cache.list(reviewKind, namespace),
    projects: new Set(cache.list(projectKind, namespace).map((project) => project.metadata.name)),
  }
}

async function remove({ client }: ExpiryPorts, work: Work, signal: AbortSignal): Promise<void> {
  const { uid, resourceVersion } = work.metadata
  try {
    // Its reviews are its own, and go with it.
    const options = { propagationPolicy: 'Background', preconditions: { uid, resourceVersion } } as const
    await client.delete(workKind, keyOf(work), options, signal)
  } catch (error) {
    // Gone already, tried again, or somebody may not lose it: the next pass sees which.
    if (!hasReason(error, 'NotFound', 'Conflict', 'Forbidden')) throw error
  }
}
