/** The schema engine on every kind: what Kubernetes does to a write, as properties of random objects. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KINDS } from '../../kinds/kinds.ts'
import { schemaOf } from '../resource-of.ts'
import { arbitraryOf } from './arbitrary.ts'
import { compileRules } from './cel.ts'
import { applyDefaults } from './defaults.ts'
import { prune } from './prune.ts'
import { CAUSES_MAX, MESSAGE_CHARS_MAX, validate } from './validate.ts'

const kinds = KINDS.map((kind) => [kind.kind, schemaOf(kind)] as const)

/** Draws from a JSON value with odd names in it, some of which are properties of every JavaScript object. */
const anyJson = fc.jsonValue({ maxDepth: 6 })

describe.each(kinds)('%s', (_, schema) => {
  const right = arbitraryOf(schema, { percent: 0 })
  const flawed = arbitraryOf(schema, { percent: 8 })

  it('SC1 pruning drops nothing from an object that fits, and shares it', () => {
    fc.assert(
      fc.property(right, (object) => prune(schema, object).value === object),
      { numRuns: 50 },
    )
  })

  it('SC2 pruning twice is pruning once', () => {
    fc.assert(
      fc.property(flawed, (object) => {
        const once = prune(schema, object).value
        expect(prune(schema, once)).toEqual({ value: once, unknown: [] })
      }),
      { numRuns: 50 },
    )
  })

  it('SC3 defaulting twice is defaulting once', () => {
    fc.assert(
      fc.property(flawed, (object) => {
        const once = applyDefaults(schema, object)
        expect(applyDefaults(schema, once)).toBe(once)
      }),
      { numRuns: 50 },
    )
  })

  it('SC4 an object that fits still fits after defaulting', () => {
    fc.assert(
      fc.property(right, (object) => {
        expect(validate(schema, applyDefaults(schema, object))).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  it('SC5 neither pruning nor defaulting changes what it was given', () => {
    fc.assert(
      fc.property(flawed, (object) => {
        const before = JSON.stringify(object)
        applyDefaults(schema, prune(schema, object).value)
        expect(JSON.stringify(object)).toBe(before)
      }),
      { numRuns: 50 },
    )
  })

  it('SC6 nothing throws and causes are bounded, whatever the JSON', () => {
    const rules = compileRules(schema)
    const parts = fc.record(
      { apiVersion: anyJson, metadata: anyJson, spec: anyJson, status: anyJson },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(anyJson, parts, flawed), (object) => {
        const value = applyDefaults(schema, prune(schema, object).value)
        const causes = [...validate(schema, value), ...rules(value, object)]
        expect(causes.length).toBeLessThanOrEqual(2 * CAUSES_MAX)
        for (const { message } of causes) expect(message.length).toBeLessThanOrEqual(MESSAGE_CHARS_MAX)
      }),
      { numRuns: 100 },
    )
  })
})
