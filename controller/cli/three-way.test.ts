/** Tests of the three-way merge, and of the other pure decisions of apply and wait. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json, JsonObject } from '../api/object.ts'
import { isJsonObject, jsonEqual, mergePatch } from '../api/patches.ts'
import { listenersIn } from './port-holder.ts'
import { LAST_APPLIED, lastAppliedOf, lastAppliedText, threeWayPatch, withLastApplied } from './three-way.ts'
import { finalPhase, isAsAwaited, readWaitFor } from './wait-for.ts'
import { readyCondition, spriteOf, workOf } from './objects-for-tests.ts'

const names = fc.constantFrom('a', 'b', 'c', '__proto__')
const values: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<Json>(1, 2, 'x', true),
    fc.array(fc.constantFrom<Json>(1, 'x'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3 }),
  ),
})).value
const objects: fc.Arbitrary<JsonObject> = fc.dictionary(names, values, { maxKeys: 4 })

/** Whether everything that is wanted is there, whatever else is. */
const holds = (there: Json | undefined, wanted: Json): boolean =>
  isJsonObject(wanted)
    ? isJsonObject(there) &&
      Object.keys(wanted).every((name) => Object.hasOwn(there, name) && holds(there[name], wanted[name] ?? null))
    : jsonEqual(there, wanted)

describe('three-way merge', () => {
  it('CLI4 makes what is wanted, removes what is wanted no more, keeps the rest, and is then done', () => {
    fc.assert(
      fc.property(objects, objects, objects, (previous, current, wanted) => {
        const patch = threeWayPatch(previous, current, wanted)
        const after = mergePatch(current, patch) as JsonObject
        expect(holds(after, wanted)).toBe(true)
        for (const name of Object.keys(current))
          expect(Object.hasOwn(after, name)).toBe(Object.hasOwn(wanted, name) || !Object.hasOwn(previous, name))
        expect(threeWayPatch(wanted, after, wanted)).toEqual({})
      }),
    )
  })

  it('CLI4 remembers what was applied in the words of kubectl, and reads it back', () => {
    fc.assert(
      fc.property(objects, (spec) => {
        const object = { kind: 'Sprite', metadata: { name: 'one', annotations: { mine: '1' } }, spec }
        const marked = withLastApplied(object)
        expect(lastAppliedOf(marked)).toEqual(object)
        expect(lastAppliedText(marked)).toBe(lastAppliedText(object))
      }),
    )
    expect(lastAppliedText({ kind: 'K', apiVersion: 'v', metadata: { name: 'n' }, spec: 'a<b&c>\u2028' })).toBe(
      '{"apiVersion":"v","kind":"K","metadata":{"annotations":{},"name":"n"},"spec":"a\\u003cb\\u0026c\\u003e\\u2028"}\n',
    )
  })

  it.each(['nonsense', '[]', '7'])('CLI4 takes %j in the annotation for unknown', (text) => {
    expect(lastAppliedOf({ metadata: { annotations: { [LAST_APPLIED]: text } } })).toBeUndefined()
  })
})

describe('waiting', () => {
  it('CLI12 reads what to wait for', () => {
    expect(readWaitFor('condition=Ready')).toEqual({ until: 'condition', type: 'Ready', status: 'True' })
    expect(readWaitFor('condition=Ready=False')).toEqual({ until: 'condition', type: 'Ready', status: 'False' })
    expect(readWaitFor('phase=Completed')).toEqual({ until: 'phase', phase: 'Completed' })
    for (const text of ['', 'condition', 'condition=', 'phase=a=b', 'condition=a=b=c', 'deleted'])
      expect(() => readWaitFor(text)).toThrow('Wait for condition=NAME')
  })

  it('CLI12 a condition of an older generation does not count', () => {
    const wanted = readWaitFor('condition=Ready')
    const sprite = spriteOf('one', { conditions: [readyCondition('Running')] })
    expect(isAsAwaited(sprite, wanted)).toBe(true)
    expect(isAsAwaited({ ...sprite, metadata: { ...sprite.metadata, generation: 2 } }, wanted)).toBe(false)
    expect(isAsAwaited(undefined, wanted)).toBe(false)
  })

  it('CLI12 only work has phases that are final', () => {
    const wanted = readWaitFor('phase=Completed')
    expect(finalPhase(workOf('w', { phase: 'Cancelled' }), wanted)).toBe('Cancelled')
    expect(finalPhase(workOf('w', { phase: 'Completed' }), wanted)).toBeUndefined()
    expect(finalPhase(spriteOf('s', { phase: 'Failed' }), wanted)).toBeUndefined()
  })
})

describe('who has a port', () => {
  it('CLI2 reads it from the table of the kernel', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0',
      '   1: 0100007F:20FB 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0',
      '   2: 0100007F:2253 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0',
    ].join('\n')
    expect(listenersIn(table, 8443)).toEqual(['4711'])
    expect(listenersIn(table, 80)).toEqual([])
    expect(listenersIn('', 80)).toEqual([])
  })
})
