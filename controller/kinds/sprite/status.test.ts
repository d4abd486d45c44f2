/** Tests of the status that follows from a decision and from what its call gave. */
import { describe, expect, test } from 'vitest'
import { findCondition } from '../../api/conditions.ts'
import { PROVIDER_ERROR_REASONS, type ProviderErrorReason } from '../../providers/machines.ts'
import { TEST_NOW, TEST_NOW_MS } from '../object-builders.ts'
import { decideSprite } from './decide.ts'
import { reasonOf } from './provider-reasons.ts'
import { spriteKind } from './schema.ts'
import { spriteStatus, type ActOutcome } from './status.ts'
import { ago, alive, HELD, heldSprite, machineOf, seen, shown, without, worldOf } from './world-builder.ts'
import type { SpriteWorld } from './world.ts'

const creating = without(
  machineOf({ intent: 'Create', since: TEST_NOW, attemptTime: TEST_NOW }),
  'id',
  'state',
  'readyTime',
  'app',
  'region',
)
const createWorld = (machine = creating): SpriteWorld =>
  worldOf({
    sprite: heldSprite({ phase: 'Starting', incarnation: 1, machine }),
    slot: HELD,
    assignedWork: 1,
    observation: { seen: 'unanswered' },
  })

const after = (world: SpriteWorld, outcome: ActOutcome = {}) => spriteStatus(world, decideSprite(world), outcome)
const failing = (reason: ProviderErrorReason) => after(createWorld(), { error: { reason, message: 'No' } })

describe('the provider’s errors', () => {
  const TABLE: Readonly<Record<ProviderErrorReason, string>> = {
    OutcomeUnknown: 'Unknown ProviderUnavailable',
    Unavailable: 'Unknown ProviderUnavailable',
    RateLimited: 'False RateLimited',
    CredentialsInvalid: 'False CredentialsInvalid Stalled',
    InvalidSpec: 'False InvalidSpec Stalled',
    NoCapacity: 'False NoCapacity',
    QuotaExceeded: 'False QuotaExceeded Stalled',
    NameConflict: 'False NameConflict Stalled',
    NotReady: 'False Starting',
    NotFound: 'False ProviderRefused',
    Frozen: 'False Frozen',
    Unexpected: 'False ProviderRefused',
  }
  test.each(PROVIDER_ERROR_REASONS)('SPR40 %s is told as a condition of the catalogue', (reason) => {
    const { conditions } = failing(reason)
    const ready = findCondition(conditions, 'Ready')
    const beside = findCondition(conditions, 'Stalled') === undefined ? '' : ' Stalled'
    expect(`${ready?.status} ${ready?.reason}${beside}`).toBe(TABLE[reason])
    expect(ready?.message).toBe('No')
    expect(conditions).toHaveLength(2)
    expect(Object.keys(spriteKind.reasons)).toContain(reasonOf(reason))
  })

  test('SPR41 the time to start begins with the answer, however long the tries before it took', () => {
    const created = { id: 'm1', name: 'n', app: 'a', region: 'iad', state: 'created' as const }
    const times = { createdAtMs: TEST_NOW_MS, updatedAtMs: TEST_NOW_MS, hostReachable: true }
    const world = createWorld({ ...creating, since: ago(600_000) })
    expect(after(world, { created: { ...created, ...times } }).machine).toMatchObject({ since: TEST_NOW, id: 'm1' })
  })

  test('SPR41 every answer but an unknown one strikes the attempt', () => {
    for (const reason of PROVIDER_ERROR_REASONS) {
      const { machine } = failing(reason)
      expect(machine).not.toHaveProperty('attemptTime')
      expect(machine?.unansweredTime).toBe(reason === 'OutcomeUnknown' ? TEST_NOW : undefined)
    }
  })
})

describe('a start that is refused', () => {
  const machine = without(machineOf({ intent: 'Start', state: 'stopped', attemptTime: TEST_NOW }), 'readyTime')
  const world = worldOf({
    sprite: heldSprite({ phase: 'Starting', incarnation: 1, machine: { ...machine, since: TEST_NOW } }),
    slot: HELD,
    assignedWork: 1,
    observation: seen('stopped'),
  })

  test('SPR48 for want of room: the machine goes and another follows at once, without a back-off', () => {
    const status = after(world, { error: { reason: 'NoCapacity', message: 'No room' } })
    expect(status.machine).toMatchObject({ intent: 'Destroy', since: TEST_NOW })
    expect(status.machine).not.toHaveProperty('attemptTime')
    expect(findCondition(status.conditions, 'Ready')?.reason).toBe('NoCapacity')
    const next = { ...world, sprite: { ...world.sprite, status } }
    expect(decideSprite(next)).toMatchObject({ actions: [{ do: 'destroy', isTombstoned: true }], phase: 'Draining' })
    const { machine: going } = status
    if (going === undefined) throw new Error('The record went')
    const gone = { ...status, machine: { ...going, absentSince: ago(5_000) } }
    const last = decideSprite({
      ...next,
      sprite: { ...world.sprite, status: gone },
      observation: { seen: 'absent', listed: { atMs: TEST_NOW_MS, isLive: false } },
    })
    expect(last).toMatchObject({ machine: { intent: 'Create', incarnation: 2 }, failures: 0 })
  })

  test.each(PROVIDER_ERROR_REASONS.filter((reason) => reason !== 'NoCapacity'))(
    'SPR48 with %s leaves the machine to be started',
    (reason) => {
      expect(after(world, { error: { reason, message: 'No' } }).machine).toMatchObject({ intent: 'Start', id: 'm1' })
    },
  )

  test('SPR48 a create without room keeps its name: nothing was made', () => {
    expect(failing('NoCapacity').machine).toMatchObject({ intent: 'Create' })
  })
})

describe('Fly’s request id', () => {
  const words = (id: string, more = ''): string =>
    `Cannot create in app "a": Fly answered 401 (fly-request-id ${id}) "no"${more}`
  const refused = (world: SpriteWorld, message: string) =>
    after(world, { error: { reason: 'CredentialsInvalid', message } })
  const said = (status: ReturnType<typeof after>) => findCondition(status.conditions, 'Ready')?.message

  test('SPR44 stands in the condition, and a later one of the same refusal is no change', () => {
    const first = refused(createWorld(), words('one'))
    expect(said(first)).toBe(words('one'))
    const world = createWorld()
    const standing = { ...world, sprite: { ...world.sprite, status: { ...world.sprite.status, ...first } } }
    expect(said(refused(standing, words('two')))).toBe(words('one'))
    expect(said(refused(standing, words('two').replace('"no"', '"never"')))).toContain('two')
    const long = 'x'.repeat(300)
    const cut = { ...standing.sprite.status, conditions: refused(standing, words('three', long)).conditions }
    const again = { ...standing, sprite: { ...standing.sprite, status: cut } }
    expect(said(refused(again, words('a-longer-one', long)))).toContain('three')
  })
})

test('SPR41 a created machine is known by its id, and runs', () => {
  const status = after(createWorld(), { created: shown('created', { image: 'sprite:1@sha256:1' }) })
  expect(status).toMatchObject({
    phase: 'Starting',
    lastMachineId: 'm1',
    machine: { id: 'm1', app: 'app', region: 'iad', state: 'created', intent: 'Run', image: 'sprite:1@sha256:1' },
  })
  expect(status.machine).not.toHaveProperty('attemptTime')
})

test('SPR41 a machine that was given up is known by its id, and still to go', () => {
  const world = createWorld({ ...creating, intent: 'Destroy', absentSince: ago(1_000) })
  const { machine } = after(world, { created: shown('created') })
  expect(machine).toMatchObject({ id: 'm1', intent: 'Destroy' })
  expect(machine).not.toHaveProperty('absentSince')
})

test('SPR41 a call that was not made, for want of a slot, leaves an answered attempt', () => {
  expect(after(createWorld(), {}).machine).not.toHaveProperty('attemptTime')
})

const lostWorld = (): SpriteWorld =>
  worldOf({
    sprite: heldSprite({ phase: 'Idle', failures: 2, machine: machineOf() }),
    slot: HELD,
    assignedWork: 1,
    observation: seen('stopped', { exit: { atMs: TEST_NOW_MS, code: 137, oomKilled: true, requested: false } }),
  })

test('SPR43 a destroy that the brake held back leaves the machine as it was', () => {
  const status = after(lostWorld(), { isBraked: true })
  expect(status).toMatchObject({ failures: 2, machine: machineOf() })
  expect(findCondition(status.conditions, 'Ready')).toMatchObject({ status: 'Unknown', reason: 'DestroyBrake' })
})

test('SPR42 the end of a machine is kept', () => {
  expect(after(lostWorld())).toMatchObject({
    failures: 3,
    lastExit: { incarnation: 1, code: 137, oomKilled: true, requested: false, time: TEST_NOW },
  })
})

test('SPR42 what the machine ran, and when it began, is kept with its end', () => {
  const { image, since, readyTime } = machineOf()
  expect(after(lostWorld()).lastExit).toMatchObject({ image, createdTime: since, startTime: readyTime })
})

const idleWorld = (status: object, over: Partial<SpriteWorld> = {}): SpriteWorld =>
  worldOf({
    sprite: heldSprite({ phase: 'Idle', incarnation: 1, machine: machineOf(), ...status }),
    slot: HELD,
    assignedWork: 1,
    observation: seen('started'),
    presence: alive(),
    ...over,
  })

test('SPR42 idle time counts from the moment it became idle', () => {
  expect(after(idleWorld({ idleSince: ago(9_000) })).idleSince).toBe(ago(9_000))
  expect(after(idleWorld({ phase: 'Working', idleSince: ago(9_000) })).idleSince).toBe(TEST_NOW)
  expect(after(idleWorld({})).idleSince).toBe(TEST_NOW)
  const working = idleWorld({ idleSince: ago(9_000) }, { currentWork: { name: 'w', project: 'q1' } })
  expect(after(working)).toMatchObject({ idleSince: undefined, currentTask: 'w', project: 'q1' })
})

test('SPR42 a heartbeat alone changes nothing; it goes along with a change', () => {
  const still = idleWorld({ idleSince: ago(9_000), lastHeartbeatTime: ago(30_000) })
  expect(after(still).lastHeartbeatTime).toBe(ago(30_000))
  expect(after({ ...still, currentWork: { name: 'w', project: undefined } }).lastHeartbeatTime).toBe(ago(1_000))
})

test('SPR42 tokens never fall and the last incarnation and machine are remembered', () => {
  const status = after(worldOf({ sprite: heldSprite({ incarnation: 7, lastMachineId: 'm7', tokensUsed: 40 }) }))
  expect(status).toMatchObject({ incarnation: 7, lastMachineId: 'm7', tokensUsed: 40 })
})

test('SPR42 with a new machine the one before is remembered, and stays so', () => {
  const machine = { ...creating, incarnation: 2 }
  const before = { phase: 'Starting', incarnation: 2, machine, lastMachineId: 'm0', previousMachineId: 'm-1' } as const
  const world = worldOf({
    sprite: heldSprite(before),
    slot: HELD,
    assignedWork: 1,
    observation: { seen: 'unanswered' },
  })
  expect(after(world)).toMatchObject({ lastMachineId: 'm0', previousMachineId: 'm-1' })
  const made = after(world, { created: shown('created') })
  expect(made).toMatchObject({ lastMachineId: 'm1', previousMachineId: 'm0' })
  const later = after(worldOf({ sprite: heldSprite({ ...made, conditions: [] }), slot: HELD, assignedWork: 1 }))
  expect(later.previousMachineId).toBe('m0')
})
