/** Tests of the status patch: RFC 7396 from the stored status to the decided one. */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { sameJson, statusPatch } from './status.ts'

/** RFC 7396 as its own pseudo code has it. */
function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const base = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {}
  const result = new Map<string, unknown>(Object.entries(base))
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, applyMergePatch(result.get(key), value))
  }
  return Object.fromEntries(result)
}

describe('statusPatch', () => {
  const rows: Record<string, [object | undefined, object, object | undefined]> = {
    'SD1 nothing changes: no patch': [{ phase: 'Idle', a: { b: 1 } }, { a: { b: 1 }, phase: 'Idle' }, undefined],
    'SD1 an absent status and an empty one are the same': [undefined, {}, undefined],
    'SD2 a changed key only is sent': [{ phase: 'Idle', n: 1 }, { phase: 'Working', n: 1 }, { phase: 'Working' }],
    'SD2 a nested key only is sent': [{ m: { id: 'x', s: 1 } }, { m: { id: 'x', s: 2 } }, { m: { s: 2 } }],
    'SD3 a key that is gone is removed by null': [{ task: 'w', n: 1 }, { n: 1 }, { task: null }],
    'SD3 undefined and null in the next status count as absent': [{ task: 'w' }, { task: undefined }, { task: null }],
    'SD4 null cannot be stored, so it is never sent for an absent key': [{}, { limit: null }, undefined],
    'SD5 a list is replaced as a whole': [{ l: [{ a: 1 }, 2] }, { l: [{ a: 1 }, 3] }, { l: [{ a: 1 }, 3] }],
    'SD5 an equal list is not sent': [{ l: [{ a: 1, b: 2 }] }, { l: [{ b: 2, a: 1 }] }, undefined],
    'SD6 a map takes the place of a scalar': [{ x: 1 }, { x: { y: 1 } }, { x: { y: 1 } }],
  }
  test.each(Object.entries(rows))('%s', (_, [current, next, patch]) => {
    expect(statusPatch(current, next)).toEqual(patch)
  })

  const leaf = fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null))
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(leaf, { maxLength: 3 }), tie('map')),
    map: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__'), tie('value'), { maxKeys: 4 }),
  })).map as fc.Arbitrary<object>

  test('SD7 the patch turns current into next, and then there is none', () => {
    fc.assert(
      fc.property(json, json, (current, next) => {
        const stored = applyMergePatch({}, current) as object // what a store that took `current` by patch holds
        const patch = statusPatch(stored, next)
        if (patch === undefined) expect(sameJson(stored, next)).toBe(true)
        const after = applyMergePatch(stored, patch ?? {}) as object
        expect(statusPatch(after, next)).toBeUndefined()
      }),
      { numRuns: 2000 },
    )
  })
})
