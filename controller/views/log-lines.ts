/** Decides which lines of a log are sent, and how: since when, with timestamps, up to how many bytes. Pure. */
import { ApiError, type Cause } from '../api/errors.ts'

/** What of a log is asked for. */
export type LogOptions = {
  readonly isFollowed: boolean
  readonly isPrevious: boolean
  readonly hasTimestamps: boolean
  /** Lines from the end; absent: all. */
  readonly tailLines?: number
  readonly limitBytes?: number
  /** Lines of before this time, in ms since 1970, are left out. */
  readonly sinceMs?: number
  readonly container?: string
}

/** Reads the query of pods/log. Throws BadRequest for what is no number or time, Invalid for what is out of range. */
export function logOptionsOf(query: URLSearchParams, pod: string, nowMs: number): LogOptions {
  const tailLines = integer(query, 'tailLines')
  const limitBytes = integer(query, 'limitBytes')
  const sinceSeconds = integer(query, 'sinceSeconds')
  const sinceTime = timeOf(query.get('sinceTime'))
  refuse(pod, [
    ...below('tailLines', tailLines, 0),
    ...below('limitBytes', limitBytes, 1),
    ...below('sinceSeconds', sinceSeconds, 1),
    ...(sinceSeconds !== undefined && sinceTime !== undefined ? [BOTH] : []),
  ])
  const sinceMs = sinceSeconds === undefined ? sinceTime : nowMs - sinceSeconds * 1000
  return {
    isFollowed: isTrue(query.get('follow')),
    isPrevious: isTrue(query.get('previous')),
    hasTimestamps: isTrue(query.get('timestamps')),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(query.get('container') ? { container: query.get('container') ?? '' } : {}),
  }
}

/** As Go reads it: absent, 0 and false are false. */
const isTrue = (value: string | null): boolean => value !== null && value !== '0' && value.toLowerCase() !== 'false'

function integer(query: URLSearchParams, name: string): number | undefined {
  const given = query.get(name)
  if (given === null || given === '') return undefined
  if (/^-?\d{1,15}$/.test(given)) return Number(given)
  throw new ApiError('BadRequest', `${name} must be a whole number, got "${given.slice(0, 40)}"`)
}

function timeOf(given: string | null): number | undefined {
  if (given === null || given === '') return undefined
  const atMs = /^\d{4}-\d\d-\d\dT/.test(given) ? Date.parse(given) : NaN
  if (!Number.isNaN(atMs)) return atMs
  throw new ApiError('BadRequest', `sinceTime must be a time as in RFC 3339, got "${given.slice(0, 40)}"`)
}

const below = (field: string, value: number | undefined, least: number): readonly Cause[] =>
  value === undefined || value >= least
    ? []
    : [
        {
          reason: 'FieldValueInvalid',
          message: `Invalid value: ${value}: must be greater than or equal to ${least}`,
          field,
        },
      ]

const BOTH: Cause = {
  reason: 'FieldValueForbidden',
  message: 'Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified',
  field: 'sinceSeconds',
}

function refuse(pod: string, causes: readonly Cause[]): void {
  if (causes.length === 0) return
  const list = causes.map(({ field, message }) => `${field}: ${message}`).join(', ')
  throw new ApiError('Invalid', `PodLogOptions "${pod}" is invalid: ${list}`, {
    name: pod,
    kind: 'PodLogOptions',
    causes,
  })
}

/** The longest line that is looked at as a whole, in UTF-16 units; a longer one goes on as it comes. */
const LINE_CHARS_MAX = 1_048_576

/** Turns the text of a log, piece by piece, into the text that is sent. */
export type LogFilter = {
  /** What of this piece, and of an unended line before it, is sent. */
  readonly take: (text: string) => string
  /** What is left of a last line without an end. */
  readonly rest: () => string
  /** Whether `limitBytes` is reached: nothing more will come. */
  readonly isFull: () => boolean
}

/** The filter of these options; `startMs` is the time of lines before the first one that tells its own. */
export function logFilter(
  options: Pick<LogOptions, 'hasTimestamps' | 'sinceMs' | 'limitBytes'>,
  startMs: number,
): LogFilter {
  const line = lineFilter(options, startMs)
  const limit = byteLimit(options.limitBytes)
  let open = ''
  return {
    take: (text) => {
      const lines = `${open}${text}`.split('\n')
      open = lines.pop() ?? ''
      const ended = lines.map((each) => line(`${each}\n`)).join('')
      if (open.length <= LINE_CHARS_MAX) return limit.cut(ended)
      const long = line(open)
      open = ''
      return limit.cut(`${ended}${long}`)
    },
    rest: () => {
      const last = open === '' ? '' : line(open)
      open = ''
      return limit.cut(last)
    },
    isFull: limit.isFull,
  }
}

function lineFilter(
  { hasTimestamps, sinceMs }: Pick<LogOptions, 'hasTimestamps' | 'sinceMs'>,
  startMs: number,
): (line: string) => string {
  if (!hasTimestamps && sinceMs === undefined) return (line) => line
  let lastMs = startMs
  let isContinued = false
  return (line) => {
    // A piece of a line that was too long to be kept whole is sent as what came before it.
    if (!isContinued) lastMs = timeIn(line) ?? lastMs
    const prefix = hasTimestamps && !isContinued ? `${nanoTime(lastMs)} ` : ''
    isContinued = !line.endsWith('\n')
    return sinceMs !== undefined && lastMs < sinceMs ? '' : `${prefix}${line}`
  }
}

/** The time that a line of JSON tells as its own; it stands near the front. In a text its quotes would be escaped. */
function timeIn(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined
  const found = /"time":"([^"\\]{10,40})"/.exec(line.slice(0, 500))
  const atMs = Date.parse(found?.[1] ?? '')
  return Number.isNaN(atMs) ? undefined : atMs
}

/** RFC 3339 with nine decimals, as kubelet writes it. */
const nanoTime = (atMs: number): string => new Date(atMs).toISOString().replace(/Z$/, '000000Z')

function byteLimit(limitBytes: number | undefined) {
  let leftBytes = limitBytes ?? Infinity
  return {
    cut: (text: string): string => {
      if (leftBytes === Infinity) return text
      const bytes = Buffer.from(text)
      const taken = bytes.subarray(0, leftBytes)
      leftBytes -= taken.length
      // As a stream: a character that was cut in two is left out.
      return taken.length === bytes.length ? text : new TextDecoder().decode(taken, { stream: true })
    },
    isFull: () => leftBytes <= 0,
  }
}
