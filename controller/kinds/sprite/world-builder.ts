/** Builds worlds around a sprite for tests: at rest in an active tenant, with overrides for what a test is about. Pure. */
import { findCondition, mergeConditions } from '../../api/conditions.ts'
import type { Machine, MachineState } from '../../providers/machines.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { spriteOf, tenantOf, TEST_NOW, TEST_NOW_MS } from '../object-builders.ts'
import type { Tenant, TenantLimits } from '../tenant/schema.ts'
import type { MachineConfig } from './machine-spec.ts'
import { MACHINE_FINALIZER, type Sprite, type SpriteMachine, type SpriteStatus } from './schema.ts'
import { SPRITE_DEADLINES, type Observation, type SlotView, type SpriteDecision, type SpriteWorld } from './world.ts'

export const TEST_LIMITS: TenantLimits = {
  concurrentSprites: 2,
  spriteIdleTimeoutSeconds: 60,
  priority: 1,
  priorityRouting: false,
  customPersonas: false,
  stoppedMachineRetentionSeconds: 0,
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
}

/** An active tenant. */
export const activeTenant = (limits: Partial<TenantLimits> = {}, spec: Partial<Tenant['spec']> = {}): Tenant =>
  tenantOf({ spec, status: { namespace: 'acme', limits: { ...TEST_LIMITS, ...limits } } })

/** The instant so many ms before the test's now, as a timestamp. */
export const ago = (ms: number): string => timestamp(TEST_NOW_MS - ms)

/** Sprite "a" that holds its finalizer. */
export const heldSprite = (
  status?: SpriteStatus,
  over: { readonly spec?: Partial<Sprite['spec']>; readonly metadata?: Partial<Sprite['metadata']> } = {},
): Sprite =>
  spriteOf('a', {
    metadata: { finalizers: [MACHINE_FINALIZER], ...over.metadata },
    ...(over.spec === undefined ? {} : { spec: over.spec }),
    ...(status === undefined ? {} : { status }),
  })

/** Metadata of a sprite that is being deleted and still holds its finalizer. */
export const DELETING = { deletionTimestamp: TEST_NOW, finalizers: [MACHINE_FINALIZER] }

/** The first machine of sprite "a": ready for 50 s. */
export const machineOf = (over: Partial<SpriteMachine> = {}): SpriteMachine => ({
  name: 'a-sprite-c-1',
  id: 'm1',
  app: 'app',
  region: 'iad',
  state: 'started',
  incarnation: 1,
  image: 'sprite:1',
  specHash: 'h1',
  since: ago(60_000),
  intent: 'Run',
  readyTime: ago(50_000),
  ...over,
})

/** A machine record without these fields. */
export function without<F extends keyof SpriteMachine>(machine: SpriteMachine, ...fields: F[]): SpriteMachine {
  const copy: Partial<SpriteMachine> = { ...machine }
  for (const field of fields) delete copy[field]
  return copy as SpriteMachine // the optional ones alone are left out by the callers
}

/** The machine as the provider shows it. */
export const shown = (state: MachineState, over: Partial<Machine> = {}): Machine => ({
  id: 'm1',
  name: 'a-sprite-c-1',
  app: 'app',
  region: 'iad',
  state,
  createdAtMs: TEST_NOW_MS - 60_000,
  updatedAtMs: TEST_NOW_MS,
  hostReachable: true,
  ...over,
})

/** Seen by a GET by id in this pass. */
export const seen = (state: MachineState, over: Partial<Machine> = {}): Observation => ({
  seen: 'present',
  machine: shown(state, over),
  isFresh: true,
})

const HOLDER = { uid: heldSprite().metadata.uid, sprite: 'a', since: TEST_NOW }
/** It holds one of two slots. */
export const HELD: SlotView = { holder: HOLDER, position: undefined, limit: 2, holders: ['a'] }
/** Its slot is asked back, whatever it does. */
export const REVOKED: SlotView = { ...HELD, holder: { ...HOLDER, revoke: 'LimitLowered' } }
/** Its slot is asked back for another that has work. */
export const YIELDING: SlotView = { ...HELD, holder: { ...HOLDER, revoke: 'Yield' } }
/** It waits, the first in line. */
export const WAITING: SlotView = { holder: undefined, position: 1, limit: 2, holders: ['b', 'c'] }
const UNHEARD: SlotView = { ...WAITING, position: undefined, holders: [] }

/** What its machine should be made from. */
export const configOf = (over: Partial<MachineConfig> = {}): MachineConfig => ({
  image: 'sprite:1',
  guest: { cpuKind: 'shared', cpus: 1, memoryMb: 512 },
  regions: ['iad'],
  autoDestroy: true,
  specHash: 'h1',
  ...over,
})

/** Reported a second ago by this incarnation. */
export const alive = (
  over: Partial<NonNullable<SpriteWorld['presence']>> = {},
): NonNullable<SpriteWorld['presence']> => ({
  uid: HOLDER.uid,
  incarnation: 1,
  lastSeenAtMs: TEST_NOW_MS - 1_000,
  firstSeenAtMs: TEST_NOW_MS - 50_000,
  state: 'idle',
  ...over,
})

/** The world of a sprite; without overrides it rests. */
export const worldOf = (over: Partial<SpriteWorld> = {}): SpriteWorld => ({
  nowMs: TEST_NOW_MS,
  now: TEST_NOW,
  sprite: heldSprite(),
  tenant: activeTenant(),
  project: undefined,
  personaExists: true,
  slot: UNHEARD,
  assignedWork: 0,
  currentWork: undefined,
  observation: { seen: 'none' },
  presence: undefined,
  listeningSinceMs: TEST_NOW_MS - 600_000,
  config: configOf(),
  deadlines: SPRITE_DEADLINES,
  tokensUsed: 0,
  random: 0,
  ...over,
})

/** A decision in short: `action | phase | intent of the machine | Ready and what stands beside it`. */
export function told(decision: SpriteDecision): string {
  const actions = decision.actions.map((action) =>
    action.do === 'destroy' && !action.isTombstoned ? 'destroy-lost' : action.do,
  )
  const conditions = mergeConditions(undefined, decision.conditions, { generation: 1, now: TEST_NOW })
  const ready = findCondition(conditions, 'Ready')
  const beside = conditions.filter(({ type }) => type === 'Stalled').map(({ type }) => ` ${type}`)
  const says = ready === undefined ? 'nothing' : `${ready.status} ${ready.reason}${beside.join('')}`
  return `${actions.join('+') || '-'} | ${decision.phase} | ${decision.machine?.intent ?? '-'} | ${says}`
}
