/** Draws objects of every kind for differential runs: by hand where that hits harder, else from the kind's schema. */
import * as fc from 'fast-check'
import type { KindDefinition } from '../../controller/api/define-kind.ts'
import { schemaOf } from '../../controller/api/resource-of.ts'
import { arbitraryOf } from '../../controller/api/schema/arbitrary.ts'
import { compileRules } from '../../controller/api/schema/cel.ts'
import { applyDefaults } from '../../controller/api/schema/defaults.ts'
import type { StructuralSchema } from '../../controller/api/schema/structural.ts'
import { validate } from '../../controller/api/schema/validate.ts'
import { KINDS } from '../../controller/kinds/kinds.ts'
import { drawOf, SUBJECTS, type Draw, type Subject } from '../apply-steps.ts'

type Fields = Record<string, unknown>

/** Values of each kind that are drawn from; few, so that managers meet on the same ones. */
const POOL = 12
const TRIES = 2_000

/** A kind drawn from its schema. */
export function schemaSubject(kind: KindDefinition): Subject {
  const schema = schemaOf(kind)
  const specs = poolOf(schema.properties?.['spec'], (spec) => isAccepted(kind, { spec }))
  const statuses = poolOf(schema.properties?.['status'], (status) => isAccepted(kind, { spec: specs[0], status }))
  const optional = Object.keys(schema.properties?.['spec']?.properties ?? {})
  return {
    kind,
    removable: [optional[0] ?? 'none', ...optional.slice(1)],
    hasEmptySpec: optional.length === 0,
    spec: (draw, isWhole) => {
      const whole = draw.pick(specs)
      return isWhole ? whole : partOf(draw, whole)
    },
    status: (draw) => partOf(draw, draw.pick(statuses)),
  }
}

/** Some fields of a value; some items of its lists. */
function partOf(draw: Draw, whole: Fields): Fields {
  const kept = draw.some(Object.entries(whole), 0.6)
  return Object.fromEntries(
    kept.map(([name, value]) => [name, Array.isArray(value) && draw.chance(0.5) ? draw.some(value, 0.6) : value]),
  )
}

function poolOf(schema: StructuralSchema | undefined, accepts: (value: Fields) => boolean): [Fields, ...Fields[]] {
  // A spec or status is an object by its schema.
  const drawn = fc.sample(arbitraryOf(schema ?? {}, { percent: 0 }), { seed: 7, numRuns: TRIES }) as Fields[]
  const [first, ...rest] = drawn.filter(accepts).slice(0, POOL)
  return [first ?? {}, ...rest]
}

function isAccepted(kind: KindDefinition, parts: Fields): boolean {
  const schema = schemaOf(kind)
  const object = applyDefaults(schema, {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name: 'f-0' },
    ...parts,
    // Drawn values are JSON.
  } as never)
  return validate(schema, object).length === 0 && compileRules(schema)(object, undefined).length === 0
}

/** A whole spec that passes the kind's own checks; always the same one. */
export function acceptedSpec(subject: Subject): Fields {
  const { kind } = subject
  for (let seed = 1; seed < TRIES; seed += 1) {
    const drawn = subject.spec(drawOf(seed), true)
    if (isAccepted(kind, { spec: drawn })) return drawn
  }
  throw new Error(`No spec of ${kind.kind} is accepted`)
}

/** Every kind of the product. */
export const ALL_SUBJECTS: readonly Subject[] = KINDS.map(
  (kind) => SUBJECTS.find((subject) => subject.kind === kind) ?? schemaSubject(kind),
)
