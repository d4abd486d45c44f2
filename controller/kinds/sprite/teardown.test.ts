/** Tests of how a machine comes to rest: drained, stopped, kept or destroyed, each within its time. */
import { describe, expect, test } from 'vitest'
import { decideSprite } from './decide.ts'
import type { SpriteMachine, SpritePhase } from './schema.ts'
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
  seen,
  shown,
  told,
  worldOf,
  YIELDING,
} from './world-builder.ts'
import { timestamp } from '../../../system/timestamp.ts'
import { TEST_NOW_MS } from '../object-builders.ts'
import { SPRITE_DEADLINES, type SpriteWorld } from './world.ts'

type Rows = Record<string, readonly [Partial<SpriteWorld>, string]>

const check = (rows: Rows): void =>
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(told(decideSprite(worldOf(over)))).toBe(expected)
  })

const KEPT = configOf({ autoDestroy: false })
const TASK = { name: 'w', project: undefined }
const of = (machine: Partial<SpriteMachine> = {}, phase: SpritePhase = 'Idle') => ({
  sprite: heldSprite({ phase, incarnation: 1, machine: machineOf(machine), idleSince: ago(60_000) }),
  slot: HELD,
})
const deleting = (machine: Partial<SpriteMachine> = {}, phase: SpritePhase = 'Idle') => ({
  sprite: heldSprite({ phase, incarnation: 1, machine: machineOf(machine) }, { metadata: DELETING }),
  slot: HELD,
})
const stopping = (ms: number) => ({ intent: 'Stop' as const, since: ago(ms) })

describe('a machine that should not run', () => {
  check({
    'SPR21 that is idle for too long is stopped': [
      { ...of(), observation: seen('started') },
      'stop | Draining | Stop | False Stopping',
    ],
    'SPR21 whose slot is asked back is stopped': [
      { ...of(), slot: REVOKED, observation: seen('started') },
      'stop | Draining | Stop | False Stopping',
    ],
    'SPR21 that idles yields its slot': [
      {
        sprite: heldSprite({ phase: 'Idle', machine: machineOf() }, { spec: { runPolicy: 'Always' } }),
        slot: YIELDING,
        observation: seen('started'),
      },
      'stop | Draining | Stop | False Stopping',
    ],
    'SPR21 that was given work does not yield any more': [
      { ...of(), slot: YIELDING, assignedWork: 1, presence: alive(), observation: seen('started') },
      '- | Idle | Run | True Running',
    ],
    'SPR20 first finishes its task, and is told once': [
      { ...of({}, 'Working'), slot: REVOKED, currentWork: TASK, assignedWork: 1, observation: seen('started') },
      'drain | Draining | Run | False Draining',
    ],
    'SPR20 is not told again': [
      {
        ...of({ since: ago(1_000) }, 'Draining'),
        slot: REVOKED,
        currentWork: TASK,
        assignedWork: 1,
        observation: seen('started'),
      },
      '- | Draining | Run | False Draining',
    ],
    'SPR20 is stopped when its task takes too long': [
      {
        ...of({ since: ago(300_000) }, 'Draining'),
        slot: REVOKED,
        currentWork: TASK,
        assignedWork: 1,
        observation: seen('started'),
      },
      'stop | Draining | Stop | False Stopping',
    ],
    'SPR20 of a sprite that is being deleted finishes its task too': [
      { ...deleting({}, 'Working'), currentWork: TASK, observation: seen('started') },
      'drain | Draining | Run | False Deleting',
    ],
    'SPR21 that does not hear the stop is asked again': [
      { ...of(stopping(10_000), 'Draining'), observation: seen('started') },
      'stop | Draining | Stop | False Stopping',
    ],
    'SPR21 that has not stopped in time is destroyed': [
      { ...of(stopping(61_000), 'Draining'), observation: seen('started') },
      'destroy | Draining | Destroy | False Stopping',
    ],
    'SPR21 that stops is waited for': [
      { ...of(stopping(10_000), 'Draining'), observation: seen('stopping') },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR21 that somebody else stops is waited for': [
      { ...of(), observation: seen('stopping') },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR21 that takes too long to stop is destroyed': [
      { ...of(stopping(61_000), 'Draining'), observation: seen('stopping') },
      'destroy | Draining | Destroy | False Stopping',
    ],
    'SPR21 that has stopped is destroyed where the plan keeps none': [
      { ...of(stopping(10_000), 'Draining'), observation: seen('stopped') },
      'destroy | Draining | Destroy | False Stopping',
    ],
    'SPR21 that has stopped is destroyed when its spec has changed': [
      { ...of(stopping(10_000), 'Draining'), observation: seen('stopped'), config: { ...KEPT, specHash: 'h2' } },
      'destroy | Draining | Destroy | False Stopping',
    ],
    'SPR21 that has stopped is destroyed with its sprite, also where the plan keeps it': [
      { ...deleting(stopping(10_000), 'Draining'), observation: seen('stopped'), config: KEPT },
      'destroy | Draining | Destroy | False Deleting',
    ],
    'SPR21 that never came up is destroyed at once': [
      { ...deleting(), observation: seen('created') },
      'destroy | Draining | Destroy | False Deleting',
    ],
    'SPR49 whose tenant is not there any more stays as it is': [
      { ...of(stopping(10_000), 'Draining'), tenant: undefined, config: undefined, observation: seen('stopped') },
      '- | Draining | Stop | Unknown TenantNotReady',
    ],
  })
})

describe('a machine that is kept', () => {
  const keeping = { config: KEPT, tenant: activeTenant({ stoppedMachineRetentionSeconds: 600 }) }
  const stopped = { state: 'stopped', ...stopping(5_000) }
  check({
    'SPR22 that is first seen stopped is looked at again': [
      { ...of(stopping(50_000), 'Draining'), ...keeping, observation: seen('stopped') },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR22 that stopped by itself is looked at again': [
      { ...of({ state: 'stopped' }, 'Idle'), ...keeping, observation: seen('stopped') },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR22 keeps its slot until the second look is late enough': [
      { ...of({ ...stopped, since: ago(4_000) }, 'Draining'), ...keeping, observation: seen('stopped') },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR22 keeps its slot when the second look is not a GET': [
      {
        ...of(stopped, 'Draining'),
        ...keeping,
        observation: { seen: 'present', machine: shown('stopped'), isFresh: false },
      },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR22 keeps its slot while an unanswered start may still wake it': [
      { ...of({ ...stopped, unansweredTime: ago(20_000) }, 'Draining'), ...keeping, observation: seen('stopped') },
      '- | Draining | Stop | False Stopping',
    ],
    'SPR22 gives its slot back after the second look': [
      { ...of(stopped, 'Draining'), ...keeping, observation: seen('stopped') },
      'releaseSlot | Stopped | Stop | True Asleep',
    ],
    'SPR22 without a slot is at rest': [
      { ...of(stopped, 'Stopped'), ...keeping, slot: { ...HELD, holder: undefined }, observation: seen('stopped') },
      '- | Stopped | Stop | True Asleep',
    ],
    'SPR22 that says why it rests': [
      {
        sprite: heldSprite({ phase: 'Stopped', machine: machineOf(stopped) }, { spec: { runPolicy: 'Stopped' } }),
        ...keeping,
        observation: seen('stopped'),
      },
      '- | Stopped | Stop | True Stopped',
    ],
    'SPR22 is destroyed when its time is over': [
      {
        ...of({ ...stopped, since: ago(600_000) }, 'Stopped'),
        ...keeping,
        slot: { ...HELD, holder: undefined },
        observation: seen('stopped'),
      },
      'destroy | Draining | Destroy | False Stopping',
    ],
  })

  test('SPR22 the first look at the stop starts both clocks', () => {
    const world = worldOf({ ...of(stopping(50_000), 'Draining'), ...keeping, observation: seen('stopped') })
    expect(decideSprite(world)).toMatchObject({ machine: { since: world.now }, requeueAfterMs: 5_000 })
  })

  test('SPR22 at rest it looks again when its time is over', () => {
    const slot = { ...HELD, holder: undefined }
    const world = worldOf({ ...of(stopped, 'Stopped'), ...keeping, slot, observation: seen('stopped') })
    expect(decideSprite(world)).toMatchObject({ requeueAfterMs: 595_000, requeueReason: 'retention' })
  })
})

describe('a machine that is to go', () => {
  const going = (ms: number) => ({ intent: 'Destroy' as const, since: ago(ms) })
  check({
    'SPR23 that was not asked yet is asked': [
      { ...deleting(going(1_000), 'Draining'), observation: seen('started') },
      'destroy | Draining | Destroy | False Deleting',
    ],
    'SPR23 that goes is waited for': [
      { ...deleting(going(59_000), 'Draining'), observation: seen('destroying') },
      '- | Draining | Destroy | False Deleting',
    ],
    'SPR23 that takes too long is asked again': [
      { ...deleting(going(60_000), 'Draining'), observation: seen('destroying') },
      'destroy | Draining | Destroy | False Deleting',
    ],
    'SPR23 is not wanted again before it is gone': [
      { ...of(going(1_000), 'Draining'), assignedWork: 1, observation: seen('destroying') },
      '- | Draining | Destroy | False Replacing',
    ],
    'SPR23 on a host out of reach is asked all the same': [
      { ...deleting(going(1_000), 'Draining'), observation: seen('started', { hostReachable: false }) },
      'destroy | Draining | Destroy | False Deleting',
    ],
    'SPR24 that was lost is asked again without the brake: it has let it go already': [
      { ...of(going(1_000), 'Failed'), assignedWork: 1, observation: seen('started') },
      'destroy | Failed | Destroy | False Starting',
    ],
    'SPR24 that was lost, of a sprite that is being deleted, is not': [
      { ...deleting(going(1_000), 'Failed'), observation: seen('started') },
      'destroy | Draining | Destroy | False Deleting',
    ],
  })

  test('SPR23 asking again starts its clock anew, and keeps when it was asked first', () => {
    const world = worldOf({ ...deleting(going(61_000), 'Draining'), observation: seen('destroying') })
    expect(decideSprite(world).machine).toMatchObject({ since: world.now, destroyTime: ago(61_000) })
  })

  test('SPR23 one that never goes is looked at ever more seldom, asked once a minute, and after 5 min it is told', () => {
    let world = worldOf({ ...deleting(going(0), 'Draining'), observation: seen('destroying') })
    const said: string[] = []
    let [looks, calls] = [0, 0]
    for (let ms = 0; ms < 900_000; looks++) {
      const nowMs = TEST_NOW_MS + ms
      world = { ...world, nowMs, now: timestamp(nowMs) }
      const decision = decideSprite(world)
      calls += decision.actions.length
      if (looks < 8) said.push(String(decision.requeueAfterMs))
      const { sprite } = world
      const { machine } = decision
      if (machine === undefined) throw new Error('The record went')
      world = { ...world, sprite: { ...sprite, status: { ...sprite.status, machine } } }
      const isTold = decision.conditions.some(({ reason }) => reason === 'DestroyTimeout')
      expect([ms, isTold]).toEqual([ms, ms >= SPRITE_DEADLINES.destroyStuckMs])
      ms += decision.requeueAfterMs ?? Infinity
    }
    expect(said).toEqual(['1000', '1000', '2000', '4000', '8000', '16000', '32000', '60000'])
    expect([looks, calls]).toEqual([21, 14])
  })
})

describe('the words of a stop', () => {
  const message = (over: Partial<SpriteWorld>): string | undefined =>
    decideSprite(worldOf({ ...of(), observation: seen('started'), ...over })).conditions.find(
      ({ type }) => type === 'Ready',
    )?.message
  const lowered = { ...HELD, limit: 1, holder: { ...REVOKED.holder, revoke: 'LimitLowered' } } as SpriteWorld['slot']

  test.each<readonly [string, Partial<SpriteWorld>, string]>([
    ['a lowered limit', { slot: lowered, currentWork: TASK }, 'the limit of its tenant is 1 now'],
    [
      'a suspension',
      { tenant: activeTenant({}, { suspend: true }), currentWork: TASK },
      'tenant or project is suspended',
    ],
    ['a deletion', { ...deleting(), currentWork: TASK }, 'it is being deleted'],
    ['a new spec', { config: configOf({ specHash: 'h2' }), assignedWork: 1, currentWork: TASK }, 'its spec changed'],
    ['an idle time', {}, 'it has no work'],
  ])('SPR20 SPR21 name %s', (_, over, why) => {
    expect(message(over)).toContain(why)
    if (over.currentWork !== undefined) expect(message(over)).toContain('Finishes w within 5 min')
  })
})
