/** What a listen stream's messages come to. */
import { describe, expect, test } from 'vitest'
import { CODE } from './calls.ts'
import { timeOf } from './time.ts'
import { WatchStream, type WatchMessage } from './watch-stream.ts'

const at = (revision: number) => timeOf(revision)
const changed = (path: string): WatchMessage => ({
  type: 'Changed',
  document: { path, fields: {}, updateTime: at(1) },
})
const target = (change: string, revision?: number): WatchMessage => ({
  type: 'Target',
  change,
  isForAll: revision !== undefined,
  resumeToken: new Uint8Array([7]),
  ...(revision === undefined ? {} : { readTime: at(revision) }),
})
const NOTHING = { type: 'Nothing' }
const known = new Map([
  ['s/a', 1],
  ['s/b', 1],
])

describe('a listen stream', () => {
  test('FDS8 what comes before the target is current is gathered into one full snapshot', () => {
    const stream = new WatchStream(new Map(), false)
    for (const message of [target('ADD'), changed('s/a'), target('NO_CHANGE', 5), changed('s/b')])
      expect(stream.take(message)).toEqual(NOTHING)
    expect(stream.take(target('CURRENT'))).toEqual(NOTHING)
    const outcome = stream.take(target('NO_CHANGE', 6))
    expect(outcome).toMatchObject({ type: 'Snapshot', snapshot: { isFull: true, removed: [], readTime: at(6) } })
    stream.take({ type: 'Removed', path: 's/a', at: at(7) })
    expect(stream.take(target('NO_CHANGE', 8))).toMatchObject({
      snapshot: { isFull: false, changed: [], removed: [{ path: 's/a', at: at(7) }] },
    })
  })
  test('FDS8 a resumed stream tells only what changed, one that was reset tells everything', () => {
    const stream = new WatchStream(known, true)
    stream.take(target('CURRENT'))
    stream.take(changed('s/c'))
    expect(stream.take(target('NO_CHANGE', 5))).toMatchObject({
      snapshot: { isFull: false, changed: [{ path: 's/c' }] },
    })
    stream.take(changed('s/d'))
    expect(stream.take(target('RESET'))).toEqual(NOTHING)
    expect(stream.take(target('NO_CHANGE', 6))).toEqual(NOTHING)
    stream.take(changed('s/a'))
    stream.take(target('CURRENT'))
    expect(stream.take(target('NO_CHANGE', 7))).toMatchObject({
      snapshot: { isFull: true, changed: [{ path: 's/a' }] },
    })
  })
  test.each([
    [2, [], NOTHING],
    [3, [], { type: 'Mismatch' }],
    [3, [changed('s/c')], NOTHING],
    [2, [changed('s/a')], NOTHING],
    [1, [{ type: 'Removed', path: 's/b' }], NOTHING],
    [2, [{ type: 'Removed', path: 's/x' }], NOTHING],
    [1, [], { type: 'Mismatch' }],
  ] as const)('FDS8 a filter of %i after %j is %j', (count, before, outcome) => {
    const stream = new WatchStream(known, true)
    for (const message of before) stream.take(message)
    expect(stream.take({ type: 'Filter', count })).toEqual(outcome)
  })
  test('FDS8 a removed target is a failure with its code', () => {
    const stream = new WatchStream(known, true)
    const failure = { code: CODE.PermissionDenied, message: 'no' }
    expect(stream.take({ ...target('REMOVE'), failure } as WatchMessage)).toEqual({ type: 'Failed', ...failure })
    expect(stream.take(target('REMOVE'))).toMatchObject({ type: 'Failed', code: CODE.Internal })
    expect(stream.take({ type: 'Foreign' })).toEqual(NOTHING)
  })
})
