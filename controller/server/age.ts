/** Prints how long ago something was, as kubectl does. Pure. */
import { parseTimestamp } from '../../system/timestamp.ts'

const MINUTE_S = 60
const HOUR_S = 3600
const DAY_S = 86_400
const YEAR_DAYS = 365

/** `5m`, `2d3h`, … from a duration in ms, by the rules of apimachinery's duration.HumanDuration. */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  if (seconds < 2 * MINUTE_S) return `${seconds}s`
  if (seconds < 10 * MINUTE_S) return twoParts(Math.floor(seconds / MINUTE_S), 'm', seconds % MINUTE_S, 's')
  if (seconds < 3 * HOUR_S) return `${Math.floor(seconds / MINUTE_S)}m`
  const hours = Math.floor(seconds / HOUR_S)
  if (hours < 8) return twoParts(hours, 'h', Math.floor(seconds / MINUTE_S) % 60, 'm')
  if (hours < 48) return `${hours}h`
  return longDuration(hours)
}

function longDuration(hours: number): string {
  const days = Math.floor((hours * HOUR_S) / DAY_S)
  if (days < 8) return twoParts(days, 'd', hours % 24, 'h')
  if (days < 2 * YEAR_DAYS) return `${days}d`
  const years = Math.floor(days / YEAR_DAYS)
  return years < 8 ? twoParts(years, 'y', days % YEAR_DAYS, 'd') : `${years}y`
}

const twoParts = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`

/** The age of an RFC 3339 instant at `nowMs`; `<unknown>` without one, `<invalid>` when it is none. */
export function ageOf(instant: string | undefined, nowMs: number): string {
  if (instant === undefined || instant === '') return '<unknown>'
  const atMs = parseTimestamp(instant)
  return atMs === undefined ? '<invalid>' : humanDuration(nowMs - atMs)
}
