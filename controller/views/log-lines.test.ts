/** What of a log is sent: the query of pods/log, times, limits, and text that comes in any pieces. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logFilter, logOptionsOf, type LogOptions } from './log-lines.ts'

const NOW_MS = Date.UTC(2026, 0, 15, 12)
const optionsOf = (query: string) => logOptionsOf(new URLSearchParams(query), 'writer', NOW_MS)
const line = (seconds: number, text: string) =>
  `{"level":"info","time":"${new Date(NOW_MS + seconds * 1000).toISOString()}","msg":"${text}"}\n`
/** What is sent of a text that comes in these pieces. */
function sent(pieces: readonly string[], options: Partial<LogOptions> = {}): string {
  const filter = logFilter({ hasTimestamps: false, ...options }, NOW_MS - 60_000)
  return [...pieces.map((piece) => filter.take(piece)), filter.rest()].join('')
}

describe('query of a log', () => {
  it('VW31 reads what kubectl sends', () => {
    expect(optionsOf('container=sprite&follow=true&previous=0&timestamps=1&tailLines=0&limitBytes=9')).toEqual({
      container: 'sprite',
      isFollowed: true,
      isPrevious: false,
      hasTimestamps: true,
      tailLines: 0,
      limitBytes: 9,
    })
    expect(optionsOf('sinceSeconds=60').sinceMs).toBe(NOW_MS - 60_000)
    expect(optionsOf('sinceTime=2026-01-15T11:59:00Z').sinceMs).toBe(NOW_MS - 60_000)
    expect(optionsOf('')).toEqual({ isFollowed: false, isPrevious: false, hasTimestamps: false })
  })

  it.each([
    ['tailLines=-1', 'Invalid', 'tailLines: Invalid value: -1: must be greater than or equal to 0'],
    ['limitBytes=0', 'Invalid', 'limitBytes: Invalid value: 0: must be greater than or equal to 1'],
    ['sinceSeconds=0', 'Invalid', 'sinceSeconds: Invalid value: 0: must be greater than or equal to 1'],
    ['sinceSeconds=1&sinceTime=2026-01-15T11:59:00Z', 'Invalid', 'at most one of `sinceTime` or `sinceSeconds`'],
    ['tailLines=few', 'BadRequest', 'got "few"'],
    ['tailLines=1e9', 'BadRequest', 'got "1e9"'],
    ['sinceTime=yesterday', 'BadRequest', 'got "yesterday"'],
    ['sinceTime=5', 'BadRequest', 'got "5"'],
  ])('VW31 refuses %s as %s', (query, reason, message) => {
    expect(() => optionsOf(query)).toThrow(expect.objectContaining({ reason }))
    expect(() => optionsOf(query)).toThrow(message)
  })
})

describe('lines of a log', () => {
  it('VW31 pass as they are, whatever the pieces they come in', () => {
    const text = fc.array(fc.constantFrom('a', '{', '\n', 'ü', '"time":"x"'), { maxLength: 50 })
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), (pieces) => {
        const texts = pieces.map((piece) => piece.join(''))
        expect(sent(texts)).toBe(texts.join(''))
      }),
    )
  })

  it('VW31 have their own time in front; a line without one that of the line before, or of the start', () => {
    const text = `node: bad option\n${line(1, 'up')}  at somewhere\n${line(2, 'end').trimEnd()}`
    expect(sent([text], { hasTimestamps: true }).split('\n')).toEqual([
      '2026-01-15T11:59:00.000000000Z node: bad option',
      `2026-01-15T12:00:01.000000000Z ${line(1, 'up').trimEnd()}`,
      '2026-01-15T12:00:01.000000000Z   at somewhere',
      `2026-01-15T12:00:02.000000000Z ${line(2, 'end').trimEnd()}`,
    ])
  })

  it('VW31 of before the time asked for are left out, with the lines that belong to them', () => {
    const text = `start\n${line(-30, 'old')}old trace\n${line(-10, 'new')}new trace\n`
    expect(sent([text], { sinceMs: NOW_MS - 20_000 })).toBe(`${line(-10, 'new')}new trace\n`)
  })

  it('VW31 that quote a time are not taken at their word', () => {
    const quoted = `{"msg":"said \\"time\\":\\"2020-01-01T00:00:00Z\\""}\n`
    expect(sent([line(-5, 'a'), quoted], { sinceMs: NOW_MS - 6_000 })).toBe(`${line(-5, 'a')}${quoted}`)
  })

  it('VW31 end where limitBytes is reached, never within a character', () => {
    expect(sent(['abc\n', 'def\n'], { limitBytes: 6 })).toBe('abc\nde')
    expect(sent(['aü\n'], { limitBytes: 2 })).toBe('a')
    const filter = logFilter({ hasTimestamps: false, limitBytes: 4 }, NOW_MS)
    filter.take('abc\n')
    expect(filter.isFull()).toBe(true)
    expect(filter.take('more\n')).toBe('')
  })

  it('VW31 that never end are sent as they come, with one timestamp', () => {
    const piece = 'x'.repeat(1_048_577)
    const filter = logFilter({ hasTimestamps: true }, NOW_MS)
    expect(filter.take(piece)).toBe(`2026-01-15T12:00:00.000000000Z ${piece}`)
    expect(filter.take('y\nz\n')).toBe('y\n2026-01-15T12:00:00.000000000Z z\n')
  })
})
