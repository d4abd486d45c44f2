/** Sets right what a clock that was ahead has written into a sprite's status. Pure. */
import { timestamp } from '../../../system/timestamp.ts'
import { isAhead } from '../clock-ahead.ts'
import { MACHINE_BACKOFF } from './absence.ts'
import type { Sprite, SpriteMachine, SpriteStatus } from './schema.ts'

const MACHINE_TIMES = [
  'createdTime',
  'since',
  'destroyTime',
  'readyTime',
  'attemptTime',
  'unansweredTime',
  'absentSince',
] as const satisfies readonly (keyof SpriteMachine)[]

/** The sprite with no time of what has been in the future (SPR87); the same object where none is. */
export function withoutTimesAhead(sprite: Sprite, nowMs: number): Sprite {
  const { status } = sprite
  if (status === undefined) return sprite
  const changed = { ...machineTimes(status, nowMs), ...ownTimes(status, nowMs) }
  return Object.keys(changed).length === 0 ? sprite : { ...sprite, status: { ...status, ...changed } }
}

function machineTimes({ machine }: SpriteStatus, nowMs: number): Pick<SpriteStatus, 'machine'> {
  if (machine === undefined) return {}
  const ahead = MACHINE_TIMES.filter((name) => isAhead(machine[name], nowMs))
  if (ahead.length === 0) return {}
  const now = timestamp(nowMs)
  return { machine: { ...machine, ...Object.fromEntries(ahead.map((name) => [name, now])) } }
}

/** The next try is ahead by design, but never further than the longest back-off. */
function ownTimes(
  { idleSince, retryTime }: SpriteStatus,
  nowMs: number,
): Pick<SpriteStatus, 'idleSince' | 'retryTime'> {
  const latestMs = nowMs + MACHINE_BACKOFF.maxMs
  return {
    ...(isAhead(idleSince, nowMs) ? { idleSince: timestamp(nowMs) } : {}),
    ...(isAhead(retryTime, latestMs) ? { retryTime: timestamp(latestMs) } : {}),
  }
}
