/**
 * Decides what a wake-up or a drain that somebody asked for still means for a sprite. Pure.
 *
 * Each is a time in an annotation. A wake-up stands until a machine has been up for it; a drain is for machines that
 * were started before it. The later of the two counts: a drain calls off a wake-up that stands, and a wake-up after a
 * drain is served by the machine that follows.
 */
import { parseTimestamp } from '../../../system/timestamp.ts'
import type { PresenceRecord } from '../../bus/presence.ts'
import { DRAIN_AT_ANNOTATION, WAKE_AT_ANNOTATION } from '../marks.ts'
import type { Sprite } from './schema.ts'

/** Times are in whole seconds in a status: so much later may a moment be that they name. */
const SECOND_MS = 999

/** A time that is so far ahead was not written by this control plane, and is not heeded before it has come. */
const AHEAD_MS_MAX = 1_000

/** RFC 3339 in UTC: nothing else is a time here, whatever Date.parse would make of it. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$/

function askedAtMs(sprite: Sprite, annotation: string, nowMs: number): number | undefined {
  const text = sprite.metadata.annotations?.[annotation]
  const atMs = text === undefined || !TIME.test(text) ? undefined : parseTimestamp(text)
  return atMs === undefined || atMs > nowMs + AHEAD_MS_MAX ? undefined : atMs
}

/** When its machine was asked to drain, in ms; undefined when never. */
export const drainAtMs = (sprite: Sprite, nowMs: number): number | undefined =>
  askedAtMs(sprite, DRAIN_AT_ANNOTATION, nowMs)

/** When it was asked to wake, in ms; undefined when never, or when a drain came after it. */
export function wakeAtMs(sprite: Sprite, nowMs: number): number | undefined {
  const atMs = askedAtMs(sprite, WAKE_AT_ANNOTATION, nowMs)
  const drainedAtMs = drainAtMs(sprite, nowMs) ?? -Infinity
  return atMs === undefined || drainedAtMs >= atMs ? undefined : atMs
}

/** Whether a machine is still owed to a wake-up. */
export function isWakePending(sprite: Sprite, nowMs: number): boolean {
  const atMs = wakeAtMs(sprite, nowMs)
  return atMs !== undefined && parseTimestamp(sprite.status?.wokenTime) !== atMs
}

const RUNS: ReadonlySet<string> = new Set(['Create', 'Start', 'Run'])

/** Whether its machine was started before a drain, and has not come to rest since. */
export function isToDrain(sprite: Sprite, nowMs: number): boolean {
  const machine = sprite.status?.machine
  const askedMs = drainAtMs(sprite, nowMs)
  if (machine === undefined || askedMs === undefined || !RUNS.has(machine.intent)) return false
  // `since` moves on while it drains, the time of its first heartbeat does not.
  return Date.parse(machine.readyTime ?? machine.since) <= askedMs
}

/** What a wake-up is judged by. */
export type WakeWorld = {
  readonly nowMs: number
  readonly sprite: Sprite
  readonly presence: PresenceRecord | undefined
}

/**
 * The wake-up that is served by now, in ms; undefined when none ever was. A machine that was up already serves it with
 * its next heartbeat: with the answer to it the process learns to stay.
 */
export function servedWakeMs(world: WakeWorld): number | undefined {
  const { sprite, presence, nowMs } = world
  const before = parseTimestamp(sprite.status?.wokenTime)
  const machine = sprite.status?.machine
  const atMs = wakeAtMs(sprite, nowMs)
  if (atMs === undefined || machine?.readyTime === undefined || machine.intent !== 'Run') return before
  if (isToDrain(sprite, nowMs)) return before
  const isOwn = presence?.uid === sprite.metadata.uid && presence.incarnation === machine.incarnation
  const heardAtMs = isOwn && presence.state !== 'gone' ? presence.lastSeenAtMs : 0
  const isUp = Date.parse(machine.readyTime) + SECOND_MS >= atMs || heardAtMs > atMs
  return isUp ? atMs : before
}
