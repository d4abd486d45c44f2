/** Tests of times that a clock wrote which was ahead: what waits since then ends in its own time, not in that clock's. */
import { describe, expect, it } from 'vitest'
import { timestamp } from '../../../system/timestamp.ts'
import { TEST_NOW, TEST_NOW_MS } from '../object-builders.ts'
import { MACHINE_BACKOFF } from './absence.ts'
import { statusPatch } from '../status.ts'
import { withoutTimesAhead } from './clock-ahead.ts'
import { decideSprite } from './decide.ts'
import { spriteStatus } from './status.ts'
import type { SpriteStatus } from './schema.ts'
import { ago, heldSprite, machineOf, worldOf } from './world-builder.ts'

const HOUR_MS = 3_600_000
const ahead = timestamp(TEST_NOW_MS + HOUR_MS)
const right = (status: SpriteStatus): SpriteStatus | undefined =>
  withoutTimesAhead(heldSprite(status), TEST_NOW_MS).status

describe('times that are ahead', () => {
  it('SPR87 of what has been count as the present, the others stay', () => {
    const machine = machineOf({ since: ahead, readyTime: ahead, absentSince: ahead })
    expect(right({ machine, idleSince: ahead, lastHeartbeatTime: ahead })).toEqual({
      machine: { ...machine, since: TEST_NOW, readyTime: TEST_NOW, absentSince: TEST_NOW },
      idleSince: TEST_NOW,
      lastHeartbeatTime: ahead,
    })
  })

  it('SPR87 what is right, or within what clocks differ, is left as it is', () => {
    const sprite = heldSprite({
      machine: machineOf(),
      idleSince: timestamp(TEST_NOW_MS + 4_000),
      retryTime: ago(5_000),
    })
    expect(withoutTimesAhead(sprite, TEST_NOW_MS)).toBe(sprite)
    expect(withoutTimesAhead(heldSprite(), TEST_NOW_MS).status).toBeUndefined()
  })

  it('SPR87 a retry is not later than the longest back-off', () => {
    const soon = timestamp(TEST_NOW_MS + MACHINE_BACKOFF.maxMs)
    expect(right({ retryTime: soon })).toEqual({ retryTime: soon })
    expect(right({ retryTime: timestamp(TEST_NOW_MS + 24 * HOUR_MS) })).toEqual({ retryTime: soon })
  })

  it('SPR87 a machine that seems gone since tomorrow is gone after the usual second look', () => {
    const stored = heldSprite({ phase: 'Draining', machine: machineOf({ intent: 'Stop', absentSince: ahead }) })
    const observation = { seen: 'absent' } as const
    const first = worldOf({ sprite: withoutTimesAhead(stored, TEST_NOW_MS), observation })
    const decision = decideSprite(first)
    // Looked at again soon, and by then the time that it counts from is stored.
    expect(decision.requeueAfterMs).toBeLessThanOrEqual(10_000)
    const patch = statusPatch(stored.status, spriteStatus(first, decision, {}))
    expect(patch).toMatchObject({ machine: { absentSince: TEST_NOW } })
  })
})
