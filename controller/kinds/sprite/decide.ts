/**
 * Decides the next step of a sprite's life. Pure.
 *
 * A machine goes through these intents, each stored before its call is made:
 *
 *   (none) ──slot held──> Create ──id known──> Run ──idle, plan keeps it──> Stop ──wanted, slot held──> Start ──> Run
 *                            │                  │                            │
 *                            └──────────────────┴── unwanted, changed, lost ─┴──> Destroy ──confirmed absent──> (none)
 *
 * A slot is held from before Create until absence (or the stop of a kept machine) is confirmed by two looks.
 */
import { isDeleting } from '../../api/object.ts'
import { ready, unknown } from '../../api/conditions.ts'
import { PAUSED_ANNOTATION } from '../marks.ts'
import { microTimestamp } from '../../../system/timestamp.ts'
import { servedWakeMs } from './asks.ts'
import type { SpriteMachine } from './schema.ts'
import { absent } from './absence.ts'
import { settled } from './attempt.ts'
import { isHeld, isRevoked, withoutMachine } from './machineless.ts'
import { asBefore } from './outcomes.ts'
import { running, wakeUp } from './running.ts'
import { destroying, stopping } from './teardown.ts'
import { unanswered } from './unanswered.ts'
import { isHandsOff, wantsMachine, type Want } from './want.ts'
import type { SpriteDecision, SpriteWorld } from './world.ts'

/** The one step that a sprite needs now; the same world gives the same answer. */
export function decideSprite(seen: SpriteWorld): SpriteDecision {
  const world = withWakeServed(seen)
  const { sprite } = world
  const machine = sprite.status?.machine
  const isLimitLowered = world.slot.holder?.revoke === 'LimitLowered'
  if (isHandsOff(sprite, { tenant: world.tenant, isLimitLowered })) return paused(world)
  if (world.frozenBy !== undefined) return frozen(world, world.frozenBy)
  if (!isDeleting(sprite) && !isHeld(world)) return holdFinalizer(world)
  if (machine !== undefined && machine.intent !== 'Destroy' && isTenantLost(world)) return tenantLost(world)
  const want = wantsMachine({ ...world, isRevoked: isRevoked(world) })
  if (machine === undefined) return withoutMachine(world, want)
  if (machine.id === undefined) return unanswered(world, want, machine)
  return withMachine(world, want, { ...machine, id: machine.id })
}

/** A wake-up that is served as of this pass counts as served in it, as in its status. */
function withWakeServed(world: SpriteWorld): SpriteWorld {
  const atMs = servedWakeMs(world)
  const { status } = world.sprite
  if (atMs === undefined || status === undefined) return world
  return { ...world, sprite: { ...world.sprite, status: { ...status, wokenTime: microTimestamp(atMs) } } }
}

function paused(world: SpriteWorld): SpriteDecision {
  const waits = isDeleting(world.sprite) ? 'its deletion waits until it is removed' : 'remove it to go on'
  return asItIs(world, ready('Paused', `Paused by the annotation ${PAUSED_ANNOTATION}: ${waits}`))
}

/** What runs runs on and what does not does not; it is only said that nothing will be done about it. */
function frozen(world: SpriteWorld, by: string): SpriteDecision {
  const waits = isDeleting(world.sprite) ? '; its deletion waits for the thaw' : ''
  const message = `No machine is created, started, stopped or destroyed: frozen by ${by}${waits}`
  return asItIs(world, ready('Frozen', message))
}

/** A tenant that is deleted takes its sprites with it: one that is merely not there, or empty, is missing data (S4). */
const isTenantLost = ({ sprite, tenant }: SpriteWorld): boolean =>
  !isDeleting(sprite) && (tenant === undefined || (tenant.status?.limits === undefined && !isDeleting(tenant)))

function tenantLost(world: SpriteWorld): SpriteDecision {
  const tenant = world.sprite.metadata.namespace ?? ''
  const message = `Nothing is done about its machine until Tenant "${tenant}" can be read and has limits`
  return asItIs(world, unknown('TenantNotReady', message))
}

function asItIs(world: SpriteWorld, conditions: SpriteDecision['conditions']): SpriteDecision {
  const { status } = world.sprite
  return {
    actions: [],
    phase: status?.phase ?? 'Pending',
    machine: status?.machine,
    conditions,
    ...(status?.retryTime === undefined ? {} : { retryTime: status.retryTime }),
  }
}

/** In a pass of its own that says nothing: the next one follows at once. */
const holdFinalizer = (world: SpriteWorld): SpriteDecision => ({
  ...asBefore(world, world.sprite.status?.machine),
  actions: [{ do: 'holdFinalizer' }],
  requeueAfterMs: 0,
  requeueReason: 'finalizer-held',
})

type KnownMachine = SpriteMachine & { readonly id: string }

function withMachine(world: SpriteWorld, want: Want, machine: KnownMachine): SpriteDecision {
  const { observation } = world
  switch (observation.seen) {
    case 'absent':
      return absent(world, want, machine)
    case 'present':
      return present(world, want, { ...settled(world, machine), id: machine.id, ...seenOf(observation.machine) })
    case 'unknown':
      return {
        actions: [],
        phase: unseenPhase(world),
        machine,
        conditions: unknown(
          // Somebody has to act on this one; all else passes.
          observation.reason === 'CredentialsInvalid' ? 'CredentialsInvalid' : 'ProviderUnavailable',
          `Cannot see machine ${machine.name}: ${observation.message}`,
        ),
        requeueAfterMs: world.deadlines.confirmMs,
        requeueReason: 'provider-unavailable',
      }
    default:
      return { ...asBefore(world, machine), requeueAfterMs: world.deadlines.confirmMs, requeueReason: 'unobserved' }
  }
}

/** One that is to go and has no task is on its way, though nothing can be seen of it; with a task it drains when it is. */
const unseenPhase = ({ sprite, currentWork }: SpriteWorld): SpriteDecision['phase'] =>
  isDeleting(sprite) && currentWork === undefined ? 'Draining' : (sprite.status?.phase ?? 'Pending')

const seenOf = (machine: { readonly state: string; readonly region: string; readonly app: string }) => ({
  state: machine.state,
  region: machine.region,
  app: machine.app,
})

function present(world: SpriteWorld, want: Want, seen: KnownMachine): SpriteDecision {
  const { absentSince: _gone, ...machine } = seen
  const isSame = world.config !== undefined && world.config.specHash === machine.specHash
  if (machine.intent === 'Destroy') return destroying(world, want, machine)
  if (world.observation.seen === 'present' && !world.observation.machine.hostReachable)
    return unreachable(world, machine)
  if (want.wants && !isSame) return stopping(world, want, machine, 'Replacing')
  if (!want.wants) return stopping(world, want, machine, want.reason === 'Deleting' ? 'Deleting' : 'Stopping')
  const hasLostItsSlot = machine.intent === 'Start' && machine.state === 'stopped' && world.slot.holder === undefined
  if (machine.intent === 'Stop' || hasLostItsSlot) return wakeUp(world, want, machine)
  return running(world, want, machine)
}

function unreachable(world: SpriteWorld, machine: KnownMachine): SpriteDecision {
  return {
    ...asBefore(world, machine),
    phase: unseenPhase(world),
    conditions: unknown('HostUnreachable', `The host of machine ${machine.name} cannot be reached; it still counts`),
    requeueAfterMs: world.deadlines.confirmMs * 6,
    requeueReason: 'host-unreachable',
  }
}
