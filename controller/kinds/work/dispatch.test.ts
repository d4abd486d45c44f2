/** Tests of which sprite gets which work: tables for the choice, properties over random tenants. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { spriteOf, TEST_NOW_MS, workOf } from '../object-builders.ts'
import { SPRITE_PHASES, type Sprite, type SpritePhase } from '../sprite/schema.ts'
import { ago, DELETING } from '../sprite/world-builder.ts'
import {
  decideDispatch,
  isAvailable,
  suits,
  UNCLAIMED_MS,
  type DispatchDecision,
  type DispatchWorld,
} from './dispatch.ts'
import type { Work } from './schema.ts'

const sprite = (name: string, phase: SpritePhase = 'Idle', spec: Partial<Sprite['spec']> = {}): Sprite =>
  spriteOf(name, { spec, status: { phase } })
const waiting = (name: string, spec: Partial<Work['spec']> = {}, createdAt = '2026-01-01T00:00:00Z'): Work =>
  workOf(name, { metadata: { creationTimestamp: createdAt }, spec, status: { phase: 'Pending' } })
const given = (
  name: string,
  to: string,
  over: { readonly phase?: 'Assigned' | 'InProgress'; readonly agoMs?: number } = {},
) =>
  workOf(name, {
    status: { phase: over.phase ?? 'Assigned', assignedSprite: to, assignedTime: ago(over.agoMs ?? 1_000) },
  })

const worldOf = (over: Partial<DispatchWorld> = {}): DispatchWorld => ({
  nowMs: TEST_NOW_MS,
  sprites: [sprite('a')],
  pending: [waiting('w')],
  active: [],
  slotHolders: new Set(),
  ...over,
})

const told = ({ assign, recall }: DispatchDecision): string => {
  const pairs = assign.map((one) => `${one.work.metadata.name}>${one.sprite.metadata.name}`)
  return [...pairs, ...recall.map((work) => `${work.metadata.name}<`)].join(' ')
}

type Rows = Record<string, readonly [Partial<DispatchWorld>, string]>
const check = (rows: Rows): void =>
  test.each(Object.entries(rows))('%s', (_, [over, expected]) => {
    expect(told(decideDispatch(worldOf(over)))).toBe(expected)
  })
const paused = { annotations: { 'sprites.highera.com/paused': 'true' } }

describe('dispatch', () => {
  check({
    'DSP1 gives waiting work to a free sprite': [{}, 'w>a'],
    'DSP1 gives one sprite one work': [{ pending: [waiting('w'), waiting('x')] }, 'w>a'],
    'DSP1 leaves a sprite alone that has some': [{ active: [given('v', 'a', { phase: 'InProgress' })] }, ''],
    'DSP2 gives out the highest priority first': [{ pending: [waiting('w'), waiting('x', { priority: 1 })] }, 'x>a'],
    'DSP2 gives out the oldest then': [{ pending: [waiting('w'), waiting('x', {}, '2025-01-01T00:00:00Z')] }, 'x>a'],
    'DSP2 gives out by name then': [{ pending: [waiting('x'), waiting('w')] }, 'w>a'],
    'DSP2 gives out later work that another sprite can do': [
      {
        sprites: [sprite('a', 'Idle', { agentType: 'editor' })],
        pending: [waiting('w'), waiting('x', { agentType: 'editor' })],
      },
      'x>a',
    ],
    'DSP3 prefers one that is up': [{ sprites: [sprite('a', 'Stopped'), sprite('b')] }, 'w>b'],
    'DSP3 prefers one that starts to one that sleeps': [
      { sprites: [sprite('a', 'Stopped'), sprite('b', 'Starting')] },
      'w>b',
    ],
    'DSP3 prefers one that sleeps to one that waits for a slot': [
      { sprites: [sprite('a', 'Queued'), sprite('b', 'Stopped')] },
      'w>b',
    ],
    'DSP3 prefers one that waits for a slot to one that backs off': [
      { sprites: [sprite('a', 'Failed'), sprite('b', 'Queued')] },
      'w>b',
    ],
    'DSP3 of equals prefers one that holds a slot': [
      {
        sprites: [sprite('a', 'Stopped'), sprite('b', 'Stopped')],
        slotHolders: new Set([sprite('b').metadata.uid]),
      },
      'w>b',
    ],
    'DSP3 of equals prefers one of the work’s project': [
      { sprites: [sprite('a'), sprite('b', 'Idle', { project: 'q1' })], pending: [waiting('w', { project: 'q1' })] },
      'w>b',
    ],
    'DSP3 takes the first by name otherwise': [{ sprites: [sprite('b'), sprite('a')] }, 'w>a'],
    'DSP4 gives nothing to one that does other work': [{ sprites: [sprite('a', 'Idle', { agentType: 'editor' })] }, ''],
    'DSP4 gives work that names a sprite to no other': [{ pending: [waiting('w', { sprite: 'b' })] }, ''],
    'DSP4 gives nothing of another project, or of none, to one of a project': [
      { sprites: [sprite('a', 'Idle', { project: 'q1' })], pending: [waiting('w'), waiting('x', { project: 'q2' })] },
      '',
    ],
    'DSP5 gives nothing to one that cannot come': [
      {
        sprites: [
          sprite('a', 'Pending'),
          sprite('b', 'Blocked'),
          sprite('c', 'Draining'),
          sprite('d', 'Stopped', { runPolicy: 'Stopped' }),
          spriteOf('e'),
          spriteOf('f', { metadata: DELETING, status: { phase: 'Idle' } }),
          spriteOf('g', { metadata: paused, status: { phase: 'Idle' } }),
        ],
      },
      '',
    ],
  })
})

describe('recall', () => {
  const none = { pending: [] }
  check({
    'DSP6 leaves work with a sprite that comes': [
      { ...none, sprites: [sprite('a', 'Starting'), sprite('b')], active: [given('w', 'a', { agoMs: 99_000 })] },
      '',
    ],
    'DSP6 takes work from a sprite that is gone': [{ ...none, sprites: [], active: [given('w', 'a')] }, 'w<'],
    'DSP6 takes work from a sprite that is being deleted': [
      {
        ...none,
        sprites: [spriteOf('a', { metadata: DELETING, status: { phase: 'Idle' } })],
        active: [given('w', 'a')],
      },
      'w<',
    ],
    'DSP6 takes work from a sprite that never runs any more': [
      { ...none, sprites: [sprite('a', 'Stopped', { runPolicy: 'Stopped' })], active: [given('w', 'a')] },
      'w<',
    ],
    'DSP6 takes work from a sprite that is blocked': [
      { ...none, sprites: [sprite('a', 'Blocked')], active: [given('w', 'a')] },
      'w<',
    ],
    'DSP6 takes work from a sprite that does other work': [
      { ...none, sprites: [sprite('a', 'Idle', { agentType: 'editor' })], active: [given('w', 'a')] },
      'w<',
    ],
    'DSP6 leaves work with a sprite that drains for a while': [
      { ...none, sprites: [sprite('a', 'Draining')], active: [given('w', 'a', { agoMs: UNCLAIMED_MS - 1_000 })] },
      '',
    ],
    'DSP6 takes work from a sprite that drains for too long': [
      { ...none, sprites: [sprite('a', 'Draining')], active: [given('w', 'a', { agoMs: UNCLAIMED_MS })] },
      'w<',
    ],
    'DSP6 takes work from a sprite that drains, if a clock that was ahead gave it': [
      { ...none, sprites: [sprite('a', 'Draining')], active: [given('w', 'a', { agoMs: -3_600_000 })] },
      'w<',
    ],
    'DSP7 moves work from a sprite that waits to one that could start at once': [
      { ...none, sprites: [sprite('a', 'Queued'), sprite('b')], active: [given('w', 'a')] },
      'w>b',
    ],
    'DSP7 moves work to one whose task has just ended': [
      { ...none, sprites: [sprite('a', 'Queued'), sprite('b', 'Working')], active: [given('w', 'a')] },
      'w>b',
    ],
    'DSP7 gives waiting work first': [
      { sprites: [sprite('a', 'Queued'), sprite('b')], active: [given('v', 'a')] },
      'w>b',
    ],
    'DSP7 moves one work to one such other': [
      {
        ...none,
        sprites: [sprite('a', 'Queued'), sprite('b', 'Stopped'), sprite('c')],
        active: [given('w', 'a'), given('x', 'b')],
      },
      'w>c',
    ],
    'DSP7 leaves work where it is when the other has some': [
      {
        ...none,
        sprites: [sprite('a', 'Queued'), sprite('b')],
        active: [given('w', 'a'), given('x', 'b', { phase: 'InProgress' })],
      },
      '',
    ],
    'DSP6 leaves work that is claimed': [
      {
        ...none,
        sprites: [sprite('a', 'Draining')],
        active: [given('w', 'a', { phase: 'InProgress', agoMs: 99_000 })],
      },
      '',
    ],
  })

  test('DSP6 it looks again when unclaimed work is late', () => {
    const active = [given('w', 'a', { agoMs: 10_000 }), given('x', 'b', { agoMs: 20_000 })]
    expect(decideDispatch(worldOf({ active })).requeueAfterMs).toBe(UNCLAIMED_MS - 20_000)
    expect(decideDispatch(worldOf()).requeueAfterMs).toBeUndefined()
  })
})

const agentTypes = fc.constantFrom('copywriter', 'editor')
const projects = fc.constantFrom(undefined, undefined, 'q1')
const sprites = fc.uniqueArray(fc.nat(9), { maxLength: 6 }).chain((numbers) =>
  fc.tuple(
    ...numbers.map((number) =>
      fc.record({ phase: fc.constantFrom(...SPRITE_PHASES), agentType: agentTypes, project: projects }).map((one) =>
        sprite(`s${number}`, one.phase, {
          agentType: one.agentType,
          ...(one.project === undefined ? {} : { project: one.project }),
        }),
      ),
    ),
  ),
)
const works = fc.uniqueArray(fc.nat(20), { maxLength: 12 }).chain((numbers) =>
  fc.tuple(
    ...numbers.map((number) =>
      fc
        .record({
          agentType: agentTypes,
          project: projects,
          priority: fc.nat(2),
          state: fc.constantFrom('Pending', 'Pending', 'Assigned', 'InProgress'),
          to: fc.nat(9),
          agoMs: fc.nat(60_000),
        })
        .map(({ agentType, project, priority, state, to, agoMs }) =>
          workOf(`w${number}`, {
            spec: { agentType, priority, ...(project === undefined ? {} : { project }) },
            status: {
              phase: state,
              ...(state === 'Pending' ? {} : { assignedSprite: `s${to}`, assignedTime: ago(agoMs) }),
            },
          }),
        ),
    ),
  ),
)
const worlds = fc.tuple(sprites, works).map(([all, work]) =>
  worldOf({
    sprites: all,
    pending: work.filter(({ status }) => status?.phase === 'Pending'),
    active: work.filter(({ status }) => status?.phase !== 'Pending'),
  }),
)

const holds = (is: (world: DispatchWorld, decision: DispatchDecision) => boolean): void => {
  fc.assert(
    fc.property(worlds, (world) => is(world, decideDispatch(world))),
    { numRuns: 3_000 },
  )
}

describe('in every tenant', () => {
  test('DSP10 no sprite gets two works, nor one that has some, and no work goes to two', () => {
    holds((world, { assign }) => {
      const busy = world.active.map((work) => work.status?.assignedSprite)
      const names = assign.map((one) => one.sprite.metadata.name)
      const given = assign.map((one) => one.work.metadata.name)
      return (
        new Set(names).size === names.length &&
        new Set(given).size === given.length &&
        names.every((name) => !busy.includes(name))
      )
    })
  })

  test('DSP11 no sprite gets work that it does not do, or while it cannot come', () => {
    holds((_, { assign }) => assign.every((one) => suits(one.sprite, one.work) && isAvailable(one.sprite)))
  })

  test('DSP12 no free sprite is left idle while work that it does waits', () => {
    holds((world, { assign }) => {
      const busy = new Set([
        ...world.active.map((work) => work.status?.assignedSprite),
        ...assign.map((one) => one.sprite.metadata.name),
      ])
      const given = new Set(assign.map((one) => one.work.metadata.name))
      const left = world.pending.filter((work) => !given.has(work.metadata.name))
      const free = world.sprites.filter((one) => isAvailable(one) && !busy.has(one.metadata.name))
      return left.every((work) => free.every((one) => !suits(one, work)))
    })
  })

  test('DSP13 only unclaimed work is taken back or moved, and moved only to a sprite that is up', () => {
    holds((world, { assign, recall }) => {
      const moved = assign.filter(({ work }) => world.active.includes(work))
      return (
        recall.every((work) => work.status?.phase === 'Assigned') &&
        moved.every(({ work }) => work.status?.phase === 'Assigned' && !recall.includes(work)) &&
        moved.every((one) => one.sprite.status?.phase === 'Idle' || one.sprite.status?.phase === 'Working')
      )
    })
  })

  test('DSP14 the order in which sprites and work come does not matter', () => {
    holds((world, decision) => {
      const turned = decideDispatch({
        ...world,
        sprites: world.sprites.toReversed(),
        pending: world.pending.toReversed(),
        active: world.active.toReversed(),
      })
      return told(turned) === told(decision)
    })
  })

  test('DSP15 what has been given is not given again', () => {
    holds((world, { assign }) => {
      const now = ago(0)
      const active = assign.map(({ work, sprite: one }) => ({
        ...work,
        status: { phase: 'Assigned' as const, assignedSprite: one.metadata.name, assignedTime: now },
      }))
      const isLeft = (work: Work): boolean => !assign.some((one) => one.work === work)
      const next = {
        ...world,
        pending: world.pending.filter(isLeft),
        active: [...world.active.filter(isLeft), ...active],
      }
      const again = decideDispatch(next).assign.map(({ work }) => work.metadata.name)
      return assign.every(({ work }) => !again.includes(work.metadata.name))
    })
  })
})
