/** The shell of the machine collector: once a minute per tenant it looks for machines that belong to nobody. */
import { hasReason } from '../../api/errors.ts'
import type { Client } from '../../client/client.ts'
import { DONE, type Cache, type ControllerOptions, type Outcome, type Recorder } from '../../engine/types.ts'
import type { Machine, MachineProvider } from '../../providers/machines.ts'
import type { Clock } from '../../../system/clock.ts'
import type { Log } from '../../../system/log.ts'
import { tenantKind } from '../tenant/schema.ts'
import type { DestroyBrake } from './brake.ts'
import { decideCollect, isOwnedBy } from './collect.ts'
import type { MachineFeed } from './observe.ts'
import { spriteKind } from './schema.ts'

/** What the machine collector needs of the process. */
export type CollectorPorts = {
  readonly client: Pick<Client, 'get'>
  readonly cache: Cache
  readonly clock: Clock
  readonly provider: MachineProvider
  readonly feed: MachineFeed
  readonly recorder: Recorder
  readonly brake: DestroyBrake
  readonly controlPlaneId: string
  readonly log: Log
  /** Who has frozen the tenant's machines, in words; undefined when nobody has. */
  readonly frozenBy?: (tenant: string) => string | undefined
  /** Only tells what it would destroy. */
  readonly isDryRun?: boolean
}

/** Between two looks at one tenant. */
const LOOK_EVERY_MS = 60_000

/** The controller `machines`: its key is the tenant; it reads the feed, so a look costs no call. */
export function collectorController(ports: CollectorPorts): ControllerOptions {
  // What the last look of each tenant found; forgotten at a restart, which only delays.
  // By tenant and machine: when it was first found without an owner, in monotonic ms.
  const suspects = new Map<string, ReadonlyMap<string, number>>()
  return {
    name: 'machines',
    kind: tenantKind,
    wakes: (_tenant, before) => before === undefined,
    reconcile: (key, signal) => collect(ports, suspects, { tenant: key.name, signal }),
    concurrency: 2,
    resyncMs: 0,
    timeoutMs: 60_000,
  }
}

async function collect(
  ports: CollectorPorts,
  suspects: Map<string, ReadonlyMap<string, number>>,
  look: { readonly tenant: string; readonly signal: AbortSignal },
): Promise<Outcome> {
  const tenant = ports.cache.get(tenantKind, { namespace: '', name: look.tenant })
  if (tenant === undefined) {
    suspects.delete(look.tenant)
    return DONE
  }
  const picture = ports.feed.read(look.tenant)
  const again: Outcome = { requeueAfterMs: LOOK_EVERY_MS, requeueReason: 'next-look' }
  if (picture?.complete !== true || ports.frozenBy?.(look.tenant) !== undefined) return again
  const foundAtMs = suspects.get(look.tenant) ?? new Map<string, number>()
  const monotonicMs = ports.clock.monotonic()
  const decision = decideCollect({
    nowMs: ports.clock.now(),
    tenant: look.tenant,
    controlPlaneId: ports.controlPlaneId,
    machines: picture.machines,
    sprites: ports.cache.list(spriteKind, look.tenant),
    suspects: new Map([...foundAtMs].map(([id, atMs]) => [id, monotonicMs - atMs])),
  })
  suspects.set(look.tenant, new Map(decision.suspects.map((id) => [id, foundAtMs.get(id) ?? monotonicMs])))
  if (decision.alarm !== undefined) {
    ports.log.error({ tenant: look.tenant, kind: 'Tenant', key: look.tenant }, decision.alarm)
    ports.recorder.event(tenant, 'Warning', 'OrphansKept', decision.alarm)
  }
  for (const machine of decision.destroy) await destroyOrphan(ports, { ...look, machine })
  return again
}

type Orphan = { readonly tenant: string; readonly machine: Machine; readonly signal: AbortSignal }

/** Whether a sprite is stored that may own it: a gap in our picture, or one that nobody can read, destroys nothing (S4). */
async function mayHaveOwner({ client, log }: CollectorPorts, { tenant, machine, signal }: Orphan): Promise<boolean> {
  const name = machine.owner?.sprite ?? ''
  try {
    const sprite = await client.get(spriteKind, { namespace: tenant, name }, signal)
    return isOwnedBy(machine, sprite)
  } catch (error) {
    if (hasReason(error, 'NotFound')) return false
    if (signal.aborted) throw error
    log.warn({ tenant, machine: machine.id, sprite: name, err: error }, 'kept a machine whose sprite cannot be read')
    return true
  }
}

/** A GET by id must show the same stamp before it goes; the brake bounds how many go in a minute. */
async function destroyOrphan(ports: CollectorPorts, { tenant, machine, signal }: Orphan): Promise<void> {
  const now = await ports.provider.get({ tenant, id: machine.id }, signal)
  if (now === undefined || now.owner?.spriteUid !== machine.owner?.spriteUid) return
  if (await mayHaveOwner(ports, { tenant, machine: now, signal })) return
  const owner = ports.cache.get(tenantKind, { namespace: '', name: tenant })
  const fields = { tenant, machine: machine.id, name: machine.name }
  if (ports.isDryRun === true) {
    const message = `Would destroy machine ${machine.id} (${machine.name}): it belongs to no sprite, and the collector only tells`
    ports.log.warn(fields, 'dry run: would destroy a machine that belongs to no sprite')
    if (owner !== undefined) ports.recorder.event(owner, 'Warning', 'OrphanFound', message)
    return
  }
  if (!ports.brake.allow(ports.clock.monotonic(), ports.cache.list(spriteKind).length)) return
  const { owner: stamp } = now
  const of = stamp === undefined ? {} : { of: { spriteUid: stamp.spriteUid, incarnation: stamp.incarnation } }
  await ports.provider.destroy({ tenant, id: machine.id, ...of }, signal)
  ports.log.warn(fields, 'destroyed a machine that belonged to no sprite')
  if (owner !== undefined)
    ports.recorder.event(
      owner,
      'Warning',
      'OrphanDestroyed',
      `Destroyed machine ${machine.id} (${machine.name}): it belonged to no sprite`,
    )
}
