/** The shell of dispatch: one pass per tenant over its waiting work and its sprites. */
import { mergeConditions } from '../../api/conditions.ts'
import { hasReason } from '../../api/errors.ts'
import { keyOf, type Key } from '../../api/object.ts'
import { DONE, watchOf, type ControllerOptions, type Outcome } from '../../engine/types.ts'
import { spriteInbox } from '../../../protocol/channels.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { projectKind } from '../project/schema.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind } from '../slotledger/schema.ts'
import { spriteKind } from '../sprite/schema.ts'
import { tenantKind, type Tenant } from '../tenant/schema.ts'
import { assignedTo, UNASSIGNED } from './decide.ts'
import { decideDispatch, hindranceOf, type Assignment, type DispatchWorld } from './dispatch.ts'
import { isSpent, waitOf } from './eligible.ts'
import type { WorkPorts } from './reconcile.ts'
import { workKind, type Work } from './schema.ts'

const ofNamespace = (namespace: string | undefined): Key[] => [{ namespace: '', name: namespace ?? '' }]

/** The controller `dispatch`: its key is the tenant. */
export function dispatchController(ports: WorkPorts): ControllerOptions {
  return {
    name: 'dispatch',
    kind: tenantKind,
    wakes: (object, previous) => {
      const [tenant, before] = [object as Tenant, previous as Tenant | undefined] // the kind says so
      const reasons = (of: Tenant): string => (of.status?.blockers ?? []).map((blocker) => blocker.reason).join()
      return (
        before === undefined ||
        tenant.metadata.generation !== before.metadata.generation ||
        tenant.status?.limits?.monthlyTokens !== before.status?.limits?.monthlyTokens ||
        reasons(tenant) !== reasons(before)
      )
    },
    watches: [
      watchOf(workKind, (work, before) =>
        work.status?.phase === before?.status?.phase && work.metadata.generation === before?.metadata.generation
          ? []
          : ofNamespace(work.metadata.namespace),
      ),
      watchOf(spriteKind, (sprite, before) =>
        before !== undefined &&
        sprite.status?.phase === before.status?.phase &&
        sprite.metadata.generation === before.metadata.generation &&
        hindranceOf(sprite) === hindranceOf(before) // a pause is an annotation: no new generation
          ? []
          : ofNamespace(sprite.metadata.namespace),
      ),
      watchOf(projectKind, (project, before) =>
        project.spec.suspend === before?.spec.suspend ? [] : ofNamespace(project.metadata.namespace),
      ),
    ],
    reconcile: (key, signal) => reconcileDispatch(ports, key.name, signal),
    concurrency: 4,
    resyncMs: 300_000,
    timeoutMs: 30_000,
  }
}

async function reconcileDispatch(ports: WorkPorts, namespace: string, signal: AbortSignal): Promise<Outcome> {
  const tenant = ports.cache.get(tenantKind, { namespace: '', name: namespace })
  if (tenant === undefined) return DONE
  const world = observeDispatch(ports, tenant)
  const decision = decideDispatch(world)
  for (const work of decision.recall) await recall(ports, work, signal)
  for (const assignment of decision.assign) await assign(ports, assignment, signal)
  const left = [decision.requeueAfterMs, retryLeftMs(ports, tenant)].filter((ms) => ms !== undefined)
  return left.length === 0 ? DONE : { requeueAfterMs: Math.min(...left), requeueReason: 'dispatch' }
}

const isActive = (work: Work): boolean => work.status?.phase === 'Assigned' || work.status?.phase === 'InProgress'

function eligibleWorldOf(ports: WorkPorts, tenant: Tenant, work: Work) {
  const namespace = tenant.metadata.name
  const dependencies = (work.spec.dependsOn ?? []).flatMap((name): [string, Work][] => {
    const dependency = ports.cache.get(workKind, { namespace, name })
    return dependency === undefined ? [] : [[name, dependency]]
  })
  return {
    nowMs: ports.clock.now(),
    work,
    tenant,
    project:
      work.spec.project === undefined
        ? undefined
        : ports.cache.get(projectKind, { namespace, name: work.spec.project }),
    dependencies: new Map(dependencies),
  }
}

const pendingWork = (ports: WorkPorts, tenant: Tenant): Work[] =>
  ports.cache.list(workKind, tenant.metadata.name).filter((work) => work.status?.phase === 'Pending' && !isSpent(work))

function observeDispatch(ports: WorkPorts, tenant: Tenant): DispatchWorld {
  const namespace = tenant.metadata.name
  const ledger = ports.cache.get(slotLedgerKind, { namespace, name: SLOT_LEDGER_NAME })
  return {
    nowMs: ports.clock.now(),
    sprites: ports.cache.list(spriteKind, namespace),
    pending: pendingWork(ports, tenant).filter((work) => waitOf(eligibleWorldOf(ports, tenant, work)) === undefined),
    active: ports.cache.list(workKind, namespace).filter(isActive),
    slotHolders: new Set((ledger?.status?.holders ?? []).map((holder) => holder.uid)),
  }
}

/** When the next work that waits for time alone comes due; ms from now. */
function retryLeftMs(ports: WorkPorts, tenant: Tenant): number | undefined {
  const waits = pendingWork(ports, tenant).flatMap((work) => waitOf(eligibleWorldOf(ports, tenant, work))?.leftMs ?? [])
  return waits.length === 0 ? undefined : Math.min(...waits)
}

async function assign(ports: WorkPorts, { work, sprite }: Assignment, signal: AbortSignal): Promise<void> {
  const now = timestamp(ports.clock.now())
  const { name } = sprite.metadata
  const said = assignedTo(name, sprite)
  // What follows from the phase goes along with it: else the work's own controller would write a second time.
  const change = {
    phase: 'Assigned',
    assignedSprite: name,
    assignedTime: now,
    blockers: said.blockers ?? null,
    conditions: mergeConditions(work.status?.conditions, said.conditions, {
      generation: work.metadata.generation,
      now,
    }),
  }
  if (!(await write(ports, { work, change }, signal))) return
  const inbox = spriteInbox(work.metadata.namespace ?? '', sprite.metadata.name)
  await ports.bus.publish(inbox, { type: 'work_available' })
}

const recall = (ports: WorkPorts, work: Work, signal: AbortSignal): Promise<boolean> =>
  write(ports, { work, change: { phase: 'Pending', ...UNASSIGNED } }, signal)

/** False when somebody else was quicker: the next pass sees what they wrote. */
async function write(
  ports: WorkPorts,
  step: { readonly work: Work; readonly change: object },
  signal: AbortSignal,
): Promise<boolean> {
  const options = { resourceVersion: step.work.metadata.resourceVersion }
  try {
    const written = await ports.client.patchStatus(workKind, keyOf(step.work), step.change, options, signal)
    ports.cache.observe(workKind, written)
    return true
  } catch (error) {
    if (hasReason(error, 'Conflict', 'NotFound')) return false
    throw error
  }
}
