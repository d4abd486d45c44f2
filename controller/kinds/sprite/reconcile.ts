/** The shell of the Sprite controller: observe, decide, act, one status patch. */
import { hasReason } from '../../api/errors.ts'
import { keyOf, type Key, type KubeObject } from '../../api/object.ts'
import type { Bus } from '../../bus/bus.ts'
import { DONE, watchOf, type ControllerOptions, type Outcome, type Recorder } from '../../engine/types.ts'
import { ProviderError, type CallOptions, type MachineRef, type MachineSpec } from '../../providers/machines.ts'
import { spriteInbox } from '../../../protocol/channels.ts'
import { unreachable } from '../../../system/assert.ts'
import { backoffMs, type BackoffPolicy } from '../../../system/backoff.ts'
import { isFrozen } from '../marks.ts'
import { personaKind } from '../persona/schema.ts'
import { projectKind } from '../project/schema.ts'
import { maySetUp, releaseSlot } from '../slotledger/reconcile.ts'
import type { SlotShards } from '../slotledger/epoch.ts'
import { slotLedgerKind, type SlotLedger } from '../slotledger/schema.ts'
import { statusPatch } from '../status.ts'
import { tenantKind, type Tenant } from '../tenant/schema.ts'
import { workKind, type Work } from '../work/schema.ts'
import type { DestroyBrake } from './brake.ts'
import { decideSprite } from './decide.ts'
import { recordTransitions } from './events.ts'
import { observeSprite, type SpriteReadPorts } from './observe.ts'
import { MACHINE_FINALIZER, spriteKind } from './schema.ts'
import { spriteStatus, type ActOutcome } from './status.ts'
import type { SpriteAction, SpriteDecision, SpriteWorld } from './world.ts'

/** What the Sprite's controller needs of the process. */
export type SpritePorts = SpriteReadPorts & {
  readonly bus: Bus
  readonly recorder: Recorder
  readonly brake: DestroyBrake
  /** Absent where one process has all tenants. */
  readonly shards?: SlotShards
  /** Seconds between SIGTERM and SIGKILL at a stop. */
  readonly stopTimeoutSeconds: number
  /** The environment of a sprite's machine, with its boot token. */
  readonly bootEnv: (identity: {
    readonly tenant: string
    readonly sprite: string
    readonly uid: string
    readonly incarnation: number
  }) => Readonly<Record<string, string>>
}

/** The controller `sprite`. */
export function spriteController(ports: SpritePorts): ControllerOptions {
  const inNamespace = (namespace: string): Key[] =>
    ports.cache.list(spriteKind, namespace).map((sprite) => keyOf(sprite))
  const refusals: Refusals = new Map()
  return {
    name: 'sprite',
    kind: spriteKind,
    watches: [
      watchOf(workKind, (work, before) => spritesOfWork(work, before)),
      watchOf(slotLedgerKind, (ledger, before) => spritesOfLedger(ledger, before)),
      watchOf(tenantKind, (tenant, before) => (tenantMoved(tenant, before) ? inNamespace(tenant.metadata.name) : [])),
      watchOf(personaKind, (persona, before) =>
        before === undefined
          ? ports.cache
              .list(spriteKind, persona.metadata.namespace)
              .filter((sprite) => sprite.spec.agentType === persona.metadata.name)
              .map((sprite) => keyOf(sprite))
          : [],
      ),
      watchOf(projectKind, (project, before) =>
        project.spec.suspend === before?.spec.suspend
          ? []
          : ports.cache
              .list(spriteKind, project.metadata.namespace)
              .filter((sprite) => sprite.spec.project === project.metadata.name)
              .map((sprite) => keyOf(sprite)),
      ),
    ],
    reconcile: (key, signal) => reconcileSprite(ports, refusals, { key, signal }),
    concurrency: 16,
    resyncMs: 300_000,
    timeoutMs: 60_000,
  }
}

function spritesOfWork(work: Work, before: Work | undefined): Key[] {
  const namespace = work.metadata.namespace ?? ''
  const isMoved =
    work.status?.phase !== before?.status?.phase || work.status?.assignedSprite !== before?.status?.assignedSprite
  if (!isMoved) return []
  const names = new Set([work.status?.assignedSprite, before?.status?.assignedSprite])
  return [...names].flatMap((name) => (name === undefined ? [] : [{ namespace, name }]))
}

/** Sprites whose place in the ledger is not what it was; all that wait, when the set of holders changed. */
function spritesOfLedger(ledger: SlotLedger, before: SlotLedger | undefined): Key[] {
  const namespace = ledger.metadata.namespace ?? ''
  const now = placesOf(ledger)
  const then = before === undefined ? new Map<string, string>() : placesOf(before)
  return [...new Set([...now.keys(), ...then.keys()])]
    .filter((name) => now.get(name) !== then.get(name))
    .map((name) => ({ namespace, name }))
}

function placesOf(ledger: SlotLedger): Map<string, string> {
  const holders = ledger.status?.holders ?? []
  const held = holders.map((holder): [string, string] => [holder.sprite, `held ${holder.revoke ?? ''}`])
  const names = holders.map((holder) => holder.sprite).join()
  const queued = (ledger.status?.queue ?? []).map((waiter, at): [string, string] => [waiter.sprite, `${at} ${names}`])
  return new Map([...held, ...queued])
}

const tenantMoved = (tenant: Tenant, before: Tenant | undefined): boolean =>
  before === undefined ||
  isFrozen(tenant) !== isFrozen(before) ||
  tenant.metadata.generation !== before.metadata.generation ||
  JSON.stringify(tenant.status?.limits) !== JSON.stringify(before.status?.limits)

/** Calls in a row that failed, by uid: the pass between two of them, which stores the attempt, does not fail. */
type Refusals = Map<string, number>

/** Between calls that fail in a row: 1 s doubling to 30 s, so that an outage costs little and is over soon after its end. */
const CALL_BACKOFF: BackoffPolicy = { baseMs: 1_000, maxMs: 30_000, jitter: 0.5 }
const REFUSALS_MAX = 50_000

/** How long the next try waits: a time that grows; a machine that is not ready yet soon is. */
function patientMs(refusals: Refusals, world: SpriteWorld, { reason }: ProviderError): number {
  const { uid } = world.sprite.metadata
  const count = reason === 'NotReady' ? 1 : (refusals.get(uid) ?? 0) + 1
  if (refusals.size >= REFUSALS_MAX) refusals.clear()
  if (reason !== 'NotReady') refusals.set(uid, count)
  return backoffMs(CALL_BACKOFF, count, world.random)
}

const MACHINE_CALLS: ReadonlySet<string> = new Set(['create', 'start', 'stop', 'destroy'])

type Pass = { readonly key: Key; readonly signal: AbortSignal }

async function reconcileSprite(ports: SpritePorts, refusals: Refusals, { key, signal }: Pass): Promise<Outcome> {
  const world = await observeSprite(ports, key, signal)
  if (world === undefined) return DONE
  const decision = decideSprite(world)
  const { outcome, failure } = await act(ports, { world, decision }, signal)
  if (decision.actions.some((action) => action.do === 'releaseFinalizer')) return DONE
  const isPrelude = decision.actions.some((action) => action.do === 'holdFinalizer')
  if (!isPrelude) await writeStatus(ports, { world, decision, outcome }, signal)
  if (isRefusedForRoom(decision, failure)) return { requeueAfterMs: 0, requeueReason: 'no-room-to-start' }
  // The status says already why; what else passes in between says nothing of the provider.
  if (failure?.retryAfterMs !== undefined)
    return { requeueAfterMs: patienceMs(decision, failure.retryAfterMs), requeueReason: 'retry-after' }
  if (failure !== undefined)
    return { requeueAfterMs: patientMs(refusals, world, failure), requeueReason: 'call-failed' }
  if (decision.actions.some((action) => MACHINE_CALLS.has(action.do))) refusals.delete(world.sprite.metadata.uid)
  if (outcome.created !== undefined) return { requeueAfterMs: 0, requeueReason: 'created' }
  return decision.requeueAfterMs === undefined
    ? DONE
    : { requeueAfterMs: decision.requeueAfterMs, requeueReason: decision.requeueReason ?? 'wait' }
}

/** Another machine follows at once, elsewhere: nothing is waited for. */
const isRefusedForRoom = ({ actions }: SpriteDecision, failure: ProviderError | undefined): boolean =>
  failure?.reason === 'NoCapacity' && actions.some((action) => action.do === 'start')

/** What is on its way out is looked at as often as ever: only its calls wait, not its end. */
const patienceMs = ({ machine, requeueAfterMs }: SpriteDecision, retryAfterMs: number): number =>
  machine?.intent === 'Destroy' && requeueAfterMs !== undefined
    ? Math.max(requeueAfterMs, Math.min(retryAfterMs, OUTGOING_MS_MAX))
    : retryAfterMs

const OUTGOING_MS_MAX = 10_000

async function writeStatus(
  ports: SpritePorts,
  pass: { readonly world: SpriteWorld; readonly decision: SpriteDecision; readonly outcome: ActOutcome },
  signal: AbortSignal,
): Promise<void> {
  const { sprite, storedStatus = sprite.status } = pass.world
  const next = spriteStatus(pass.world, pass.decision, pass.outcome)
  const patch = statusPatch(storedStatus, next)
  if (patch === undefined) return
  try {
    const written = await ports.client.patchStatus(spriteKind, keyOf(sprite), patch, {}, signal)
    ports.cache.observe(spriteKind, written)
    recordTransitions(ports.recorder, sprite, next)
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error
  }
}

type Acted = { readonly outcome: ActOutcome; readonly failure?: ProviderError }

/** Carries out the decision's actions; a provider's refusal becomes part of the outcome, everything else is thrown. */
async function act(
  ports: SpritePorts,
  pass: { readonly world: SpriteWorld; readonly decision: SpriteDecision },
  signal: AbortSignal,
): Promise<Acted> {
  let outcome: ActOutcome = {}
  for (const action of pass.decision.actions) {
    try {
      outcome = { ...outcome, ...(await perform(ports, { world: pass.world, action }, signal)) }
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error
      return { outcome: { error: { reason: error.reason, message: error.message } }, failure: error }
    }
  }
  return { outcome }
}

async function perform(
  ports: SpritePorts,
  step: { readonly world: SpriteWorld; readonly action: SpriteAction },
  signal: AbortSignal,
): Promise<ActOutcome> {
  const { world, action } = step
  const tenant = world.sprite.metadata.namespace ?? ''
  const identity = { tenant, uid: world.sprite.metadata.uid }
  switch (action.do) {
    case 'holdFinalizer':
    case 'releaseFinalizer':
      await setFinalizer(ports, world.sprite, { isHeld: action.do === 'holdFinalizer' }, signal)
      return {}
    case 'releaseSlot':
      await releaseSlot(ports, identity, signal)
      return {}
    case 'create':
      return await create(ports, { world, action }, signal)
    case 'start':
      if (!(await maySetUp(ports, identity, signal))) return {}
      await ports.provider.start(refOf(world, action.id), signal, weightOf(world))
      return {}
    case 'stop':
      await ports.provider.stop(refOf(world, action.id), signal, weightOf(world))
      return {}
    case 'destroy':
      if (!action.isTombstoned && !ports.brake.allow(ports.clock.monotonic(), ports.cache.list(spriteKind).length))
        return { isBraked: true }
      await ports.provider.destroy(refOf(world, action.id), signal, weightOf(world))
      return {}
    case 'drain':
      await ports.bus.publish(spriteInbox(tenant, world.sprite.metadata.name), { type: 'drain' })
      return {}
    default:
      return unreachable(action)
  }
}

/** The machine as our record has it: what turns out to be another's is not touched. */
function refOf({ sprite }: SpriteWorld, id: string): MachineRef {
  const { namespace = '', uid } = sprite.metadata
  const incarnation = sprite.status?.machine?.incarnation
  return { tenant: namespace, id, ...(incarnation === undefined ? {} : { of: { spriteUid: uid, incarnation } }) }
}

/** Of those who wait for the provider's rate the plan with the higher priority goes first. */
const weightOf = ({ tenant }: SpriteWorld): CallOptions => ({ priority: tenant?.status?.limits?.priority ?? 1 })

type CreateStep = { readonly world: SpriteWorld; readonly action: Extract<SpriteAction, { do: 'create' }> }

/** The slot is asked for once more, past every cache: a machine is never made without one (S1). */
async function create(ports: SpritePorts, step: CreateStep, signal: AbortSignal): Promise<ActOutcome> {
  const { sprite } = step.world
  const tenant = sprite.metadata.namespace ?? ''
  const { config, incarnation, name } = step.action
  if (!(await maySetUp(ports, { tenant, uid: sprite.metadata.uid }, signal))) return {}
  const identity = { tenant, sprite: sprite.metadata.name, uid: sprite.metadata.uid, incarnation }
  const spec: MachineSpec = {
    name,
    owner: {
      controlPlane: ports.controlPlaneId,
      tenant,
      sprite: identity.sprite,
      spriteUid: identity.uid,
      incarnation,
      specHash: config.specHash,
    },
    image: config.image,
    guest: config.guest,
    regions: config.regions,
    env: ports.bootEnv(identity),
    autoDestroy: config.autoDestroy,
    stopTimeoutSeconds: ports.stopTimeoutSeconds,
  }
  return { created: await ports.provider.create(spec, signal, weightOf(step.world)) }
}

async function setFinalizer(
  ports: SpritePorts,
  sprite: KubeObject,
  wish: { readonly isHeld: boolean },
  signal: AbortSignal,
): Promise<void> {
  const others = (sprite.metadata.finalizers ?? []).filter((finalizer) => finalizer !== MACHINE_FINALIZER)
  const finalizers = wish.isHeld ? [...others, MACHINE_FINALIZER] : others
  try {
    const options = { resourceVersion: sprite.metadata.resourceVersion }
    const written = await ports.client.patchMetadata(spriteKind, keyOf(sprite), { finalizers }, options, signal)
    if (wish.isHeld) ports.cache.observe(spriteKind, written)
  } catch (error) {
    if (!hasReason(error, 'NotFound')) throw error
  }
}
