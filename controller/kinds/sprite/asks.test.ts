/** Tests of what a wake-up and a drain mean for a sprite, by what came when. */
import { describe, expect, test } from 'vitest'
import { DRAIN_AT_ANNOTATION, WAKE_AT_ANNOTATION } from '../marks.ts'
import { TEST_NOW_MS } from '../object-builders.ts'
import { isToDrain, isWakePending, servedWakeMs, wakeAtMs } from './asks.ts'
import type { Sprite, SpriteMachine, SpriteStatus } from './schema.ts'
import { alive, ago, heldSprite, machineOf, without, worldOf } from './world-builder.ts'
import { wantsMachine } from './want.ts'

type Asked = { readonly wake?: string; readonly drain?: string }

const asked = ({ wake, drain }: Asked, status: SpriteStatus = {}): Sprite =>
  heldSprite(status, {
    metadata: {
      annotations: {
        ...(wake === undefined ? {} : { [WAKE_AT_ANNOTATION]: wake }),
        ...(drain === undefined ? {} : { [DRAIN_AT_ANNOTATION]: drain }),
      },
    },
  })

const wantOf = (sprite: Sprite, assignedWork = 0) =>
  wantsMachine({ ...worldOf({ sprite, assignedWork }), isRevoked: false })

describe('a wake-up', () => {
  const rows: Record<string, readonly [Sprite, boolean]> = {
    'SPR80 that nobody asked for is none': [asked({}), false],
    'SPR80 stands until it is served': [asked({ wake: ago(9_000) }), true],
    'SPR80 that is served stands no more': [asked({ wake: ago(9_000) }, { wokenTime: ago(9_000) }), false],
    'SPR80 stands, whatever was served before': [asked({ wake: ago(9_000) }, { wokenTime: ago(99_000) }), true],
    'SPR82 is called off by a later drain': [asked({ wake: ago(9_000), drain: ago(8_000) }), false],
    'SPR82 is not called off by an earlier one': [asked({ wake: ago(8_000), drain: ago(9_000) }), true],
    'SPR84 that is no time, is none': [asked({ wake: 'tomorrow' }), false],
    'SPR84 in words that only Date.parse would read, is none': [asked({ wake: '1 Jan 2026' }), false],
    'SPR84 from the future is not heeded before it has come': [asked({ wake: ago(-60_000) }), false],
  }
  test.each(Object.entries(rows))('%s', (_, [sprite, isPending]) => {
    expect(isWakePending(sprite, TEST_NOW_MS)).toBe(isPending)
    expect(wantOf(sprite)).toEqual(isPending ? { wants: true, reason: 'Running' } : { wants: false, reason: 'Asleep' })
  })

  const served = (machine: SpriteMachine, over: Asked = {}, seenAtMs = TEST_NOW_MS - 8_000) =>
    servedWakeMs({
      nowMs: TEST_NOW_MS,
      sprite: asked({ wake: ago(9_000), ...over }, { machine }),
      presence: alive({ lastSeenAtMs: seenAtMs }),
    })

  test('SPR80 it is served by a machine that became ready after it, or reported after it', () => {
    const ready = machineOf({ readyTime: ago(9_000) })
    expect(served(ready, {}, TEST_NOW_MS - 20_000)).toBe(TEST_NOW_MS - 9_000)
    const before = machineOf({ readyTime: ago(20_000) })
    expect(served(before)).toBe(TEST_NOW_MS - 9_000)
    expect(served(before, {}, TEST_NOW_MS - 9_000)).toBeUndefined()
  })

  test('SPR80 it is not served by one that is not ready, comes to rest, or is to drain', () => {
    expect(served(without(machineOf(), 'readyTime'))).toBeUndefined()
    expect(served(machineOf({ intent: 'Stop' }))).toBeUndefined()
    expect(served(machineOf(), { drain: ago(30_000) })).toBeUndefined()
  })

  test('SPR81 the idle time counts from the wake-up on', () => {
    const status = { machine: machineOf(), idleSince: ago(59_000), wokenTime: ago(9_000) }
    expect(wantOf(asked({ wake: ago(9_000) }, status))).toEqual({ wants: true, reason: 'Running', idleLeftMs: 51_000 })
    const long = { ...status, wokenTime: ago(60_000), idleSince: ago(300_000) }
    expect(wantOf(asked({ wake: ago(60_000) }, long))).toEqual({ wants: false, reason: 'Asleep' })
  })
})

describe('a drain', () => {
  const rows: Record<string, readonly [Sprite, boolean]> = {
    'SPR83 is for a machine that was ready before it': [asked({ drain: ago(9_000) }, { machine: machineOf() }), true],
    'SPR83 is for a machine that was begun before it': [
      asked({ drain: ago(9_000) }, { machine: without(machineOf({ intent: 'Create' }), 'readyTime') }),
      true,
    ],
    'SPR83 is not for one that was begun after it': [
      asked({ drain: ago(61_000) }, { machine: without(machineOf({ intent: 'Create' }), 'readyTime') }),
      false,
    ],
    'SPR83 goes on, however its step moves on': [
      asked({ drain: ago(9_000) }, { machine: machineOf({ since: ago(1_000) }) }),
      true,
    ],
    'SPR83 is over once the machine comes to rest': [
      asked({ drain: ago(9_000) }, { machine: machineOf({ intent: 'Stop' }) }),
      false,
    ],
    'SPR83 is nothing without a machine': [asked({ drain: ago(9_000) }), false],
    'SPR84 from the future is not heeded': [asked({ drain: ago(-60_000) }, { machine: machineOf() }), false],
  }
  test.each(Object.entries(rows))('%s', (_, [sprite, isDraining]) => {
    expect(isToDrain(sprite, TEST_NOW_MS)).toBe(isDraining)
    expect(wantOf(sprite, 1).reason).toBe(isDraining ? 'Drained' : 'Running')
  })

  test('SPR82 a wake-up after it waits for the machine that follows', () => {
    const sprite = asked({ drain: ago(9_000), wake: ago(8_000) }, { machine: machineOf() })
    expect(wantOf(sprite).reason).toBe('Drained')
    expect(wakeAtMs(sprite, TEST_NOW_MS)).toBe(TEST_NOW_MS - 8_000)
    expect(wantOf(asked({ drain: ago(9_000), wake: ago(8_000) })).wants).toBe(true)
  })
})
