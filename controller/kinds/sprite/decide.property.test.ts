/** Properties of the sprite's decisions in thousands of random worlds, and of runs in a world that answers. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MACHINE_STATES, PROVIDER_ERROR_REASONS, type Machine } from '../../providers/machines.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { faultsOf } from '../decision-checks.ts'
import { DRAIN_AT_ANNOTATION, PAUSED_ANNOTATION, WAKE_AT_ANNOTATION } from '../marks.ts'
import { projectOf, TEST_NOW_MS } from '../object-builders.ts'
import { sameJson, statusPatch } from '../status.ts'
import { isToDrain } from './asks.ts'
import { decideSprite } from './decide.ts'
import { MACHINE_FINALIZER, SPRITE_PHASES, spriteKind, type Sprite, type SpriteMachine } from './schema.ts'
import { spriteStatus, type ActOutcome } from './status.ts'
import {
  activeTenant,
  ago,
  alive,
  configOf,
  DELETING,
  HELD,
  heldSprite,
  machineOf,
  REVOKED,
  shown,
  WAITING,
  without,
  worldOf,
  YIELDING,
} from './world-builder.ts'
import { isHandsOff, lacksPersona, wantsMachine } from './want.ts'
import type { Observation, SpriteDecision, SpriteWorld } from './world.ts'

const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
const past = fc.integer({ min: 0, max: 400 }).map((seconds) => ago(seconds * 1_000))

const machines: fc.Arbitrary<SpriteMachine> = fc
  .record({
    id: maybe(fc.constant('m1')),
    state: fc.constantFrom(...MACHINE_STATES),
    intent: fc.constantFrom('Create', 'Start', 'Run', 'Stop', 'Destroy'),
    specHash: fc.constantFrom('h1', 'h1', 'h2'),
    since: past,
    readyTime: maybe(past),
    absentSince: maybe(past),
    unansweredTime: maybe(past),
    attemptTime: maybe(fc.oneof(past, fc.constant(ago(0)))),
  })
  .map(({ id, ...rest }) => {
    const machine = { ...machineOf(), ...rest } as SpriteMachine // undefined fields are dropped below
    const clean = JSON.parse(JSON.stringify(machine)) as SpriteMachine // the same, without undefined
    return id === undefined ? without(clean, 'id', 'app', 'region', 'state') : clean
  })

const sprites: fc.Arbitrary<Sprite> = fc
  .record({
    machine: maybe(machines),
    phase: fc.constantFrom(...SPRITE_PHASES),
    failures: fc.nat(8),
    retryTime: maybe(fc.integer({ min: -60, max: 60 }).map((seconds) => ago(seconds * 1_000))),
    idleSince: maybe(past),
    hasSpoken: fc.boolean(),
    isDeleting: fc.boolean(),
    isHeld: fc.integer({ min: 0, max: 9 }).map((roll) => roll > 0),
    isPaused: fc.integer({ min: 0, max: 19 }).map((roll) => roll === 0),
    runPolicy: fc.constantFrom('OnDemand', 'OnDemand', 'Always', 'Stopped'),
    asked: fc.record({ wake: maybe(past), drain: maybe(past) }),
    wokenTime: maybe(past),
  })
  .map((of) => {
    const { machine, phase, failures, retryTime, idleSince, hasSpoken, isDeleting, isHeld, isPaused, runPolicy } = of
    const { wake, drain } = of.asked
    return heldSprite(
      {
        phase,
        failures,
        incarnation: 1,
        ...(machine === undefined ? {} : { machine }),
        ...(retryTime === undefined ? {} : { retryTime }),
        ...(idleSince === undefined ? {} : { idleSince }),
        ...(of.wokenTime === undefined ? {} : { wokenTime: of.wokenTime }),
        ...(hasSpoken
          ? {
              conditions: [
                {
                  type: 'Ready',
                  status: 'False',
                  reason: 'MachineExited',
                  message: 'So',
                  lastTransitionTime: ago(9_000),
                },
              ],
            }
          : {}),
      },
      {
        spec: { runPolicy },
        metadata: {
          ...(isDeleting ? DELETING : {}),
          finalizers: isHeld ? [MACHINE_FINALIZER] : [],
          annotations: {
            ...(isPaused ? { [PAUSED_ANNOTATION]: 'true' } : {}),
            ...(wake === undefined ? {} : { [WAKE_AT_ANNOTATION]: wake }),
            ...(drain === undefined ? {} : { [DRAIN_AT_ANNOTATION]: drain }),
          },
        },
      },
    )
  })

const observationsOf = (machine: SpriteMachine | undefined): fc.Arbitrary<Observation> => {
  if (machine === undefined) return fc.constant({ seen: 'none' })
  const states = fc.record({
    state: fc.constantFrom(...MACHINE_STATES),
    hostReachable: fc.integer({ min: 0, max: 9 }).map((roll) => roll > 0),
    isFresh: fc.boolean(),
    oomKilled: maybe(fc.boolean()),
  })
  const shows = states.map(({ state, hostReachable, isFresh, oomKilled }): Observation => {
    const exit = oomKilled === undefined ? {} : { exit: { atMs: TEST_NOW_MS - 9_000, code: 1, oomKilled } }
    return { seen: 'present', machine: shown(state, { hostReachable, ...exit }), isFresh }
  })
  const lookedAt = fc.integer({ min: 0, max: 120_000 }).map((ms) => TEST_NOW_MS - ms)
  if (machine.id === undefined)
    return fc.oneof(
      fc.constant({ seen: 'unanswered' } as const),
      lookedAt.map((lookedAtMs): Observation => ({ seen: 'unanswered', lookedAtMs })),
      fc.constant({ seen: 'unanswered', found: shown('created') } as const),
    )
  return fc.oneof(
    shows,
    shows,
    fc.constant({ seen: 'absent' } as const),
    fc.record({ atMs: lookedAt, isLive: fc.boolean() }).map((listed): Observation => ({ seen: 'absent', listed })),
    fc.constant({ seen: 'unknown', reason: 'Unavailable', message: 'No answer' } as const),
  )
}

const tenants = fc.constantFrom(
  activeTenant(),
  activeTenant({ stoppedMachineRetentionSeconds: 100 }),
  activeTenant({}, { suspend: true }),
  activeTenant({}, { config: { enabledAgents: ['editor'] } }),
  undefined,
)

const worlds: fc.Arbitrary<SpriteWorld> = fc
  .record({
    sprite: sprites,
    tenant: fc.oneof({ weight: 3, arbitrary: fc.constant(activeTenant()) }, { weight: 2, arbitrary: tenants }),
    slot: fc.constantFrom(HELD, HELD, REVOKED, YIELDING, WAITING, { ...WAITING, position: undefined, limit: null }),
    isProjectSuspended: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
    personaExists: fc.integer({ min: 0, max: 9 }).map((roll) => roll > 0),
    assignedWork: fc.nat(2),
    isWorking: fc.boolean(),
    presence: maybe(
      fc
        .record({
          incarnation: fc.constantFrom(1, 1, 2),
          state: fc.constantFrom('idle', 'working', 'draining', 'gone'),
          seconds: fc.nat(90),
        })
        .map(({ incarnation, state, seconds }) =>
          alive({ incarnation, state, lastSeenAtMs: TEST_NOW_MS - seconds * 1_000 }),
        ),
    ),
    listeningSinceMs: fc.nat(90_000).map((ms) => TEST_NOW_MS - ms),
    autoDestroy: fc.boolean(),
    random: fc.double({ min: 0, max: 0.99, noNaN: true }),
  })
  .chain(({ isProjectSuspended, isWorking, autoDestroy, ...rest }) =>
    observationsOf(rest.sprite.status?.machine).map((observation) =>
      worldOf({
        ...rest,
        presence: rest.presence,
        observation,
        project: isProjectSuspended ? projectOf('q1', { spec: { suspend: true } }) : undefined,
        currentWork: isWorking && rest.assignedWork > 0 ? { name: 'w', project: undefined } : undefined,
        config: rest.tenant === undefined ? undefined : configOf({ autoDestroy }),
      }),
    ),
  )

const outcomes: fc.Arbitrary<ActOutcome> = fc.oneof(
  fc.constant({}),
  fc.constant({ isBraked: true }),
  fc.constantFrom(...PROVIDER_ERROR_REASONS).map((reason) => ({ error: { reason, message: 'The provider says no' } })),
)

const RUNS = { numRuns: 3_000 }
const holds = (is: (world: SpriteWorld, decision: SpriteDecision) => boolean): void => {
  fc.assert(
    fc.property(worlds, (world) => is(world, decideSprite(world))),
    RUNS,
  )
}

const does = (decision: SpriteDecision, ...what: readonly string[]): boolean =>
  decision.actions.some((action) => what.includes(action.do))

const freeze = <T>(value: T): T => {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  Object.values(value).forEach(freeze)
  return value
}

describe('in every world', () => {
  test('SPR60 the decision changes nothing, and the same world gives the same answer', () => {
    holds((world, decision) => sameJson(decision, decideSprite(freeze(world))))
  })

  test('SPR61 the status fits its schema; its reasons are of the catalogue, its messages short and without a time', () => {
    fc.assert(
      fc.property(worlds, outcomes, (world, outcome) => {
        const decision = decideSprite(world)
        if (does(decision, 'holdFinalizer', 'releaseFinalizer')) return
        expect(faultsOf(spriteKind, spriteStatus(world, decision, outcome))).toEqual([])
      }),
      RUNS,
    )
  })

  test('SPR62 there is at most one call, and a paused sprite makes none', () => {
    holds(
      (world, decision) =>
        decision.actions.length <= 1 &&
        (!isHandsOff(world.sprite, {
          tenant: world.tenant,
          isLimitLowered: world.slot.holder?.revoke === 'LimitLowered',
        }) ||
          decision.actions.length === 0),
    )
  })

  test('SPR63 a machine is created or started only with a slot held and the attempt stored by this process', () => {
    holds((world, decision) => {
      if (!does(decision, 'create', 'start')) return true
      const stored = world.sprite.status?.machine
      const [action] = decision.actions
      const isSame = action?.do !== 'create' || action.name === stored?.name
      const attemptMs = Date.parse(stored?.attemptTime ?? '')
      return (
        isSame &&
        world.slot.holder !== undefined &&
        attemptMs + 999 >= world.listeningSinceMs &&
        world.nowMs - attemptMs < 5_000
      )
    })
  })

  test('SPR64 a slot goes back only without a machine, or when a kept one was twice seen stopped', () => {
    holds((world, decision) => {
      const machine = world.sprite.status?.machine
      if (!does(decision, 'releaseSlot') || machine === undefined) return true
      const look = world.observation
      return (
        look.seen === 'present' &&
        look.isFresh &&
        look.machine.state === 'stopped' &&
        machine.state === 'stopped' &&
        machine.intent === 'Stop' &&
        world.nowMs - Date.parse(machine.since) >= world.deadlines.confirmMs &&
        (machine.unansweredTime === undefined ||
          world.nowMs - Date.parse(machine.unansweredTime) >= world.deadlines.unansweredMs)
      )
    })
  })

  test('SPR65 a machine is forgotten only after two looks found it absent, or two complete lists', () => {
    holds((world, decision) => {
      const before = world.sprite.status?.machine
      if (before === undefined || decision.machine?.name === before.name) return true
      const absentMs = Date.parse(before.absentSince ?? '')
      const isDoubted =
        before.unansweredTime !== undefined &&
        world.nowMs - Date.parse(before.unansweredTime) < world.deadlines.unansweredMs
      if (world.observation.seen === 'absent') {
        const { listed } = world.observation
        const isAgreed = listed?.isLive === false && listed.atMs - absentMs >= world.deadlines.confirmMs
        const leastMs = isAgreed ? world.deadlines.confirmMs : world.deadlines.disputedMs
        return !isDoubted && world.nowMs - absentMs >= leastMs
      }
      return (
        world.observation.seen === 'unanswered' &&
        world.observation.found === undefined &&
        (world.observation.lookedAtMs ?? 0) - absentMs >= world.deadlines.unansweredMs
      )
    })
  })

  test('SPR65 a name is used once: a new record has the next incarnation and no id', () => {
    holds((world, decision) => {
      const before = world.sprite.status?.machine
      if (decision.machine === undefined || decision.machine.name === before?.name) return true
      return decision.machine.incarnation === 2 && decision.machine.id === undefined && decision.actions.length === 0
    })
  })

  test('SPR66 the finalizer goes last', () => {
    holds(
      (world, decision) =>
        !does(decision, 'releaseFinalizer') ||
        (world.sprite.metadata.deletionTimestamp !== undefined &&
          world.sprite.status?.machine === undefined &&
          world.slot.holder === undefined),
    )
  })

  test('SPR67 nothing is destroyed that is wanted, spared or not to be seen', () => {
    holds((world, decision) => {
      const look = world.observation
      if (!does(decision, 'destroy', 'stop')) return true
      const isAsIs = look.seen === 'present' && look.machine.state === 'started' && look.machine.hostReachable
      const isFine =
        isAsIs &&
        world.sprite.status?.machine?.intent === 'Run' &&
        world.sprite.metadata.deletionTimestamp === undefined &&
        world.sprite.spec.runPolicy === 'Always' &&
        world.tenant === activeTenantInUse(world) &&
        world.project === undefined &&
        !isToDrain(world.sprite, world.nowMs) &&
        world.slot.holder?.revoke === undefined &&
        world.config?.specHash === world.sprite.status.machine.specHash &&
        world.presence?.incarnation === 1 &&
        world.presence.state !== 'gone' &&
        world.nowMs - world.presence.lastSeenAtMs < 45_000 &&
        world.sprite.status.machine.readyTime !== undefined
      return look.seen === 'present' && !isFine
    })
  })

  test('SPR68 every wait has a reason, and a pass that stored an intent is followed by another at once', () => {
    holds((world, decision) => {
      const isWait = decision.requeueAfterMs !== undefined
      const stored = decision.machine?.attemptTime
      const isNew = stored !== undefined && stored !== world.sprite.status?.machine?.attemptTime
      return isWait === (decision.requeueReason !== undefined) && (!isNew || decision.requeueAfterMs === 0)
    })
  })
})

/** The tenant when nothing about it speaks against a machine. */
const activeTenantInUse = (world: SpriteWorld): SpriteWorld['tenant'] =>
  world.tenant?.spec.suspend === false && world.tenant.spec.config.enabledAgents === undefined
    ? world.tenant
    : undefined

/** A world that answers: calls take effect, slots are granted or never, time passes when there is nothing to do. */
class Answering {
  world: SpriteWorld
  truth: Machine | undefined
  readonly isGranted: boolean
  isGone = false

  constructor(world: SpriteWorld, truth: Machine | undefined, isGranted: boolean) {
    this.world = world
    this.truth = truth
    this.isGranted = isGranted
  }

  /** One pass; true when it did nothing and wrote nothing. */
  step(): boolean {
    this.#look()
    const decision = decideSprite(this.world)
    const outcome = this.#act(decision)
    if (this.isGone) return true
    const { sprite } = this.world
    const status = spriteStatus(this.world, decision, outcome)
    const isQuiet = decision.actions.length === 0 && statusPatch(sprite.status, status) === undefined
    for (const condition of status.conditions ?? []) {
      const before = sprite.status?.conditions?.find(({ type }) => type === condition.type)
      if (before?.status === condition.status && before.lastTransitionTime !== condition.lastTransitionTime)
        throw new Error(`lastTransitionTime of ${condition.type} moved although its status did not`)
    }
    if (!decision.actions.some((action) => action.do === 'holdFinalizer')) {
      const stored = JSON.parse(JSON.stringify(status)) as typeof status // as the store keeps it: no undefined
      this.world = { ...this.world, sprite: { ...this.world.sprite, status: stored } }
    }
    if (outcome.created === undefined) this.#pass(decision.requeueAfterMs ?? 60_000)
    return isQuiet
  }

  #pass(ms: number): void {
    // Stored times are whole seconds.
    const nowMs = this.world.nowMs + Math.ceil(ms / 1_000) * 1_000
    const { wants } = wantsMachine({ ...this.world, isRevoked: false })
    const asks = wants && !lacksPersona(this.world.sprite)
    const slot = this.isGranted && asks && this.world.slot.holder === undefined ? HELD : this.world.slot
    this.world = { ...this.world, nowMs, now: timestamp(nowMs), slot }
  }

  #look(): void {
    const { sprite, nowMs } = this.world
    const machine = sprite.status?.machine
    const isUp = this.truth?.state === 'started'
    this.world = {
      ...this.world,
      observation: this.#observe(machine),
      presence: isUp
        ? alive({ incarnation: sprite.status?.incarnation ?? 1, lastSeenAtMs: nowMs, firstSeenAtMs: nowMs })
        : undefined,
    }
  }

  #observe(machine: SpriteMachine | undefined): Observation {
    if (machine === undefined) return { seen: 'none' }
    const isIt = this.truth?.name === machine.name
    if (machine.id === undefined)
      return { seen: 'unanswered', lookedAtMs: this.world.nowMs, ...(isIt && this.truth ? { found: this.truth } : {}) }
    return isIt && this.truth
      ? { seen: 'present', machine: this.truth, isFresh: true }
      : { seen: 'absent', listed: { atMs: this.world.nowMs, isLive: false } }
  }

  #act(decision: SpriteDecision): ActOutcome {
    const [action] = decision.actions
    const { sprite } = this.world
    const move = (state: Machine['state']): void => {
      if (this.truth !== undefined) this.truth = { ...this.truth, state }
    }
    switch (action?.do) {
      case 'holdFinalizer':
        this.world = {
          ...this.world,
          sprite: { ...sprite, metadata: { ...sprite.metadata, finalizers: [MACHINE_FINALIZER] } },
        }
        return {}
      case 'releaseFinalizer':
        this.isGone = true
        return {}
      case 'releaseSlot':
        this.world = { ...this.world, slot: WAITING }
        return {}
      case 'create':
        this.truth =
          this.truth?.name === action.name ? this.truth : shown('started', { name: action.name, id: action.name })
        return { created: this.truth }
      case 'start':
        move('started')
        return {}
      case 'stop':
        if (this.world.config?.autoDestroy === false) move('stopped')
        else this.truth = undefined
        return {}
      case 'destroy':
        this.truth = undefined
        return {}
      default:
        return {}
    }
  }
}

test('SPR69 in a world that answers it comes to rest: no action, no write, however long one looks', () => {
  fc.assert(
    fc.property(worlds, fc.boolean(), fc.constantFrom(...MACHINE_STATES), (world, isGranted, state) => {
      const machine = world.sprite.status?.machine
      const isThere = machine !== undefined && state !== 'destroyed'
      const it = new Answering(
        { ...world, currentWork: undefined },
        isThere ? shown(state === 'started' ? 'started' : 'stopped', { name: machine.name, id: 'm1' }) : undefined,
        isGranted,
      )
      let quiet = 0
      for (let step = 0; step < 120 && quiet < 5 && !it.isGone; step++) quiet = it.step() ? quiet + 1 : 0
      const { sprite } = it.world
      expect(quiet >= 5 || it.isGone, JSON.stringify(sprite.status)).toBe(true)
    }),
    { numRuns: 2_000 },
  )
})
