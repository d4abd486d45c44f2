/** The shell of the slot allocation: one pass per tenant over its sprites, its work and its ledger. */
import { ApiError, hasReason } from '../../api/errors.ts'
import type { Key } from '../../api/object.ts'
import type { Client } from '../../client/client.ts'
import { watchOf, DONE, type Cache, type ControllerOptions, type Outcome } from '../../engine/types.ts'
import type { MachineList } from '../../providers/machines.ts'
import type { Clock } from '../../../system/clock.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { DRAIN_AT_ANNOTATION, WAKE_AT_ANNOTATION } from '../marks.ts'
import { projectKind } from '../project/schema.ts'
import { spriteKind, type Sprite } from '../sprite/schema.ts'
import { lacksPersona } from '../sprite/want.ts'
import { statusPatch } from '../status.ts'
import { tenantKind, type Tenant } from '../tenant/schema.ts'
import { workKind, type Work } from '../work/schema.ts'
import { contendersOf } from './contenders.ts'
import { judgeEpoch, type SlotShards } from './epoch.ts'
import { decideSlots, heldText, type SlotWorld } from './decide.ts'
import { SLOT_LEDGER_NAME, slotLedgerKind, type SlotLedger } from './schema.ts'

/** The last complete picture of a tenant's machines. */
export type MachinePictures = {
  read(tenant: string): (MachineList & { readonly atMs: number }) | undefined
}

/** What the slots' controller needs of the process. */
export type SlotPorts = {
  readonly client: Client
  readonly cache: Cache
  readonly clock: Clock
  readonly machines: MachinePictures
  /** Absent where one process has all tenants. */
  readonly shards?: SlotShards
}

const ledgerKey = (tenant: string): Key => ({ namespace: tenant, name: SLOT_LEDGER_NAME })

/** The controller `slots`: its key is the tenant. */
export function slotController(ports: SlotPorts): ControllerOptions {
  return {
    name: 'slots',
    kind: tenantKind,
    wakes: (object, previous) => {
      const [tenant, before] = [object as Tenant, previous as Tenant | undefined] // the kind says so
      return (
        before === undefined ||
        before.metadata.generation !== tenant.metadata.generation ||
        JSON.stringify(before.status?.limits) !== JSON.stringify(tenant.status?.limits)
      )
    },
    watches: [
      watchOf(spriteKind, (sprite, before) =>
        before !== undefined && wishOf(sprite) === wishOf(before)
          ? []
          : [{ namespace: '', name: sprite.metadata.namespace ?? '' }],
      ),
      watchOf(workKind, (work, before) =>
        demandMoved(work, before) ? [{ namespace: '', name: work.metadata.namespace ?? '' }] : [],
      ),
      watchOf(slotLedgerKind, (ledger) => [{ namespace: '', name: ledger.metadata.namespace ?? '' }]),
      watchOf(projectKind, (project, before) =>
        project.spec.suspend === before?.spec.suspend
          ? []
          : [{ namespace: '', name: project.metadata.namespace ?? '' }],
      ),
    ],
    reconcile: (key, signal) => reconcileSlots(ports, key.name, signal),
    concurrency: 4,
    resyncMs: 300_000,
    timeoutMs: 30_000,
  }
}

/** All of a sprite that its claim to a slot follows from (`contendersOf`), as a text to compare. */
function wishOf(sprite: Sprite): string {
  const { uid, generation, deletionTimestamp, annotations } = sprite.metadata
  const { machine, retryTime, idleSince, wokenTime } = sprite.status ?? {}
  const lacks = lacksPersona(sprite)
  return JSON.stringify([
    uid,
    generation,
    deletionTimestamp,
    machine?.intent,
    machine?.readyTime,
    retryTime,
    idleSince,
    wokenTime,
    annotations?.[WAKE_AT_ANNOTATION],
    annotations?.[DRAIN_AT_ANNOTATION],
    lacks,
  ])
}

const demandMoved = (work: Work, before: Work | undefined): boolean =>
  work.status?.phase !== before?.status?.phase ||
  work.status?.assignedSprite !== before?.status?.assignedSprite ||
  work.spec.priority !== before?.spec.priority

async function reconcileSlots(ports: SlotPorts, tenantName: string, signal: AbortSignal): Promise<Outcome> {
  const tenant = ports.cache.get(tenantKind, { namespace: '', name: tenantName })
  if (tenant === undefined || tenant.status?.namespace === undefined) return DONE
  const ledger = await readLedger(ports, tenant, signal)
  if (ledger === undefined) return DONE
  const shardEpoch = epochFor(ports, tenantName, ledger)
  const decision = decideSlots(observeSlots(ports, tenant, ledger))
  const next = { ...decision.status, observedGeneration: ledger.metadata.generation, shardEpoch }
  const patch = statusPatch(ledger.status, next)
  if (patch !== undefined) {
    const options = { resourceVersion: ledger.metadata.resourceVersion }
    const written = await ports.client.patchStatus(slotLedgerKind, ledgerKey(tenantName), patch, options, signal)
    ports.cache.observe(slotLedgerKind, written)
  }
  return decision.requeueAfterMs === undefined
    ? DONE
    : { requeueAfterMs: decision.requeueAfterMs, requeueReason: 'orphan-slot' }
}

/**
 * The epoch that a write of this ledger carries; undefined where it has never had one. Throws Conflict when another
 * process has the tenant now: whatever it was to be told is of the past.
 */
function epochFor(ports: Pick<SlotPorts, 'shards'>, tenant: string, ledger: SlotLedger): number | undefined {
  const recorded = ledger.status?.shardEpoch
  const ours = ports.shards === undefined ? Infinity : ports.shards.epoch(tenant)
  const standing = judgeEpoch(recorded, ours)
  if (standing === 'behind') ports.shards?.outgrow(tenant, recorded ?? 0)
  if (standing === 'behind' || standing === 'gone')
    throw new ApiError('Conflict', `Cannot write the slots of tenant "${tenant}": another process has it now`)
  return standing === 'new' ? ours : recorded
}

/** The ledger as it is now, under our epoch: an older owner's next write of it fails. */
async function ownLedger(
  ports: Pick<SlotPorts, 'client' | 'shards'>,
  tenant: string,
  signal: AbortSignal,
): Promise<SlotLedger> {
  const key = ledgerKey(tenant)
  const ledger = await ports.client.get(slotLedgerKind, key, signal)
  const shardEpoch = epochFor(ports, tenant, ledger)
  if (shardEpoch === ledger.status?.shardEpoch) return ledger
  const options = { resourceVersion: ledger.metadata.resourceVersion }
  return await ports.client.patchStatus(slotLedgerKind, key, { shardEpoch }, options, signal)
}

/** The ledger as it is now; made when the tenant is new; undefined while its namespace is not there or going. */
async function readLedger(ports: SlotPorts, tenant: Tenant, signal: AbortSignal): Promise<SlotLedger | undefined> {
  const key = ledgerKey(tenant.metadata.name)
  try {
    return await ports.client.get(slotLedgerKind, key, signal)
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error
  }
  if (tenant.metadata.deletionTimestamp !== undefined) return undefined
  const owner = {
    apiVersion: tenant.apiVersion,
    kind: tenant.kind,
    name: tenant.metadata.name,
    uid: tenant.metadata.uid,
  }
  const metadata = { name: key.name, namespace: key.namespace, ownerReferences: [owner] }
  return await ports.client.create(slotLedgerKind, { metadata, spec: {} }, signal)
}

function observeSlots(ports: SlotPorts, tenant: Tenant, ledger: SlotLedger): SlotWorld {
  const namespace = tenant.metadata.name
  const nowMs = ports.clock.now()
  const picture = ports.machines.read(namespace)
  const limits = tenant.status?.limits
  return {
    nowMs,
    now: timestamp(nowMs),
    // A merge patch cannot store null, so unlimited reads as absent.
    limits: limits === undefined ? undefined : { concurrentSprites: limits.concurrentSprites ?? null },
    contenders: contendersOf({
      nowMs,
      tenant,
      sprites: spritesWithUid(ports.cache.list(spriteKind, namespace)),
      work: ports.cache.list(workKind, namespace),
      projects: ports.cache.list(projectKind, namespace),
    }),
    ledger: ledger.status ?? {},
    machines:
      picture?.complete === true
        ? { atMs: picture.atMs, uids: new Set(picture.machines.flatMap((machine) => machine.owner?.spriteUid ?? [])) }
        : undefined,
  }
}

const spritesWithUid = (sprites: readonly Sprite[]): readonly Sprite[] =>
  sprites.filter((sprite) => sprite.metadata.uid !== '')

/** How often a release is tried when others write the ledger at the same time. */
const RELEASE_TRIES_MAX = 8

/**
 * Gives back the slot of a sprite whose machine is known not to run. Only the sprite's own reconciler calls it.
 * Idempotent: a slot that is not held is fine. Throws ApiError Conflict when others kept writing.
 */
export async function releaseSlot(
  ports: Pick<SlotPorts, 'client' | 'cache' | 'shards'>,
  sprite: { readonly tenant: string; readonly uid: string },
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const ledger = await ports.client.get(slotLedgerKind, ledgerKey(sprite.tenant), signal)
    const holders = ledger.status?.holders ?? []
    const left = holders.filter((holder) => holder.uid !== sprite.uid)
    if (left.length === holders.length) return
    const shardEpoch = epochFor(ports, sprite.tenant, ledger)
    const epoch = shardEpoch === undefined ? {} : { shardEpoch }
    try {
      const written = await ports.client.patchStatus(
        slotLedgerKind,
        ledgerKey(sprite.tenant),
        { holders: left, heldText: heldText(left.length, ledger.status?.limit), ...epoch },
        { resourceVersion: ledger.metadata.resourceVersion },
        signal,
      )
      ports.cache.observe(slotLedgerKind, written)
      return
    } catch (error) {
      if (!hasReason(error, 'Conflict') || attempt >= RELEASE_TRIES_MAX) throw error
    }
  }
}

/**
 * Whether the sprite may set up a machine now, by a read that no cache answers: asked right before a create or a start.
 * It must hold a slot; and while more are held than a lowered limit allows, nobody starts anything. Throws ApiError
 * Conflict when another process has the tenant now.
 */
export async function maySetUp(
  ports: Pick<SlotPorts, 'client' | 'shards'>,
  sprite: { readonly tenant: string; readonly uid: string },
  signal: AbortSignal,
): Promise<boolean> {
  const { status } = await ownLedger(ports, sprite.tenant, signal)
  const holders = status?.holders ?? []
  const isWithin = holders.length <= (status?.limit ?? Infinity)
  return isWithin && holders.some((holder) => holder.uid === sprite.uid)
}
