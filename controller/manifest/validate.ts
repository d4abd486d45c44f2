/** Checks an object of a manifest against its kind, offline, and says where in the file each problem stands. Pure. */
import type { Cause } from '../api/errors.ts'
import type { Json } from '../api/object.ts'
import type { ResourceDefinition } from '../api/resource.ts'
import { compileRules, type RuleCheck } from '../api/schema/cel.ts'
import { applyDefaults } from '../api/schema/defaults.ts'
import { isList, isObject, own } from '../api/schema/json.ts'
import { nearestName } from '../api/schema/nearest.ts'
import { prune } from '../api/schema/prune.ts'
import type { StructuralSchema } from '../api/schema/structural.ts'
import { blocksRules, validate } from '../api/schema/validate.ts'
import { type FieldPath, pathOf, stepsOf } from './locate.ts'
import { type Flaw, metadataFlaws, unknownField } from './metadata.ts'
import { type Problem, PROBLEMS_MAX, shownValue } from './problem.ts'
import type { ManifestDocument } from './read.ts'

export { formatProblem } from './problem.ts'

/** Everything wrong with an object that can be known without the store: kind, metadata, unknown fields, schema, CEL. */
export function checkManifest(document: ManifestDocument, resources: readonly ResourceDefinition[]): Problem[] {
  const named = resourceNamed(document.value, resources)
  const flaws = 'flaws' in named ? named.flaws : objectFlaws(document.value, named.resource)
  const problems = flaws.slice(0, PROBLEMS_MAX).map((flaw) => problemOf(flaw, document))
  return problems.sort((a, b) => a.line - b.line || a.column - b.column)
}

/** The resource that an object of a manifest names, when it is one of those; without a word on why it is not. */
export function resourceOfManifest(
  value: ManifestDocument['value'],
  resources: readonly ResourceDefinition[],
): ResourceDefinition | undefined {
  const named = resourceNamed(value, resources)
  return 'flaws' in named ? undefined : named.resource
}

const apiVersionOf = (resource: ResourceDefinition): string =>
  resource.group === '' ? resource.version : `${resource.group}/${resource.version}`

type Named = { readonly resource: ResourceDefinition } | { readonly flaws: readonly Flaw[] }

function resourceNamed(value: ManifestDocument['value'], resources: readonly ResourceDefinition[]): Named {
  const apiVersion = own(value, 'apiVersion')
  const kind = own(value, 'kind')
  const versions = new Set(resources.map(apiVersionOf))
  const flaws = [
    ...nameFlaw('apiVersion', apiVersion, versions),
    ...nameFlaw('kind', kind, new Set(resources.map((resource) => resource.kind))),
  ]
  if (flaws.length > 0) return { flaws }
  const ofKind = resources.filter((resource) => resource.kind === kind)
  const resource = ofKind.find((one) => apiVersionOf(one) === apiVersion)
  if (resource !== undefined) return { resource }
  const right = ofKind.map(apiVersionOf).join(' or ')
  const message = `Kind ${shownValue(kind)} is not of ${shownValue(apiVersion)}`
  return { flaws: [{ steps: ['apiVersion'], message, received: shownValue(apiVersion), fix: `write ${right}` }] }
}

function nameFlaw(field: string, value: Json | undefined, known: ReadonlySet<string>): Flaw[] {
  if (typeof value === 'string' && known.has(value)) return []
  if (value === undefined) return [{ steps: [field], message: 'Required value is missing', fix: `add ${field}` }]
  const nearest = typeof value === 'string' ? nearestName(value, known) : undefined
  const fix = nearest === undefined ? `one of ${[...known].join(', ')}` : `did you mean ${nearest}?`
  return [{ steps: [field], message: `Unknown ${field} ${shownValue(value)}`, received: shownValue(value), fix }]
}

function objectFlaws(value: ManifestDocument['value'], resource: ResourceDefinition): Flaw[] {
  const { schema } = resource
  const flaws = metadataFlaws(own(value, 'metadata'), resource)
  if (schema === undefined) return flaws
  const pruned = prune(schema, value)
  for (const path of pruned.unknown) {
    const steps = stepsOf(path)
    const parent = nodeAt(schema, value, steps.slice(0, -1))
    const known = [...Object.keys(parent.schema?.properties ?? {}), ...(steps.length === 1 ? ['metadata'] : [])]
    flaws.push(unknownField(steps, nodeAt(schema, value, steps).value, known))
  }
  const object = applyDefaults(schema, pruned.value)
  // What is wrong with metadata is told already, in words of its own.
  const causes = validate(schema, object).filter(({ field }) => stepsOf(field ?? '')[0] !== 'metadata')
  // Rules at the root look at the name, whose absence is told already.
  const canRun = !blocksRules(causes) && !flaws.some(({ steps }) => steps[0] === 'metadata')
  const all = canRun ? [...causes, ...rulesOf(schema)(withName(object), undefined)] : causes
  return [...flaws, ...all.map((cause) => causeFlaw(cause, schema, value))]
}

/** The object with the name that the server would make of generateName, for rules that look at it. */
function withName(object: ManifestDocument['value']): ManifestDocument['value'] {
  const metadata = own(object, 'metadata')
  const prefix = isObject(metadata) ? metadata['generateName'] : undefined
  if (!isObject(metadata) || metadata['name'] !== undefined || typeof prefix !== 'string') return object
  return { ...object, metadata: { ...metadata, name: `${prefix}xxxxx` } }
}

/** Rules are parsed once a schema. */
const ruleChecks = new WeakMap<StructuralSchema, RuleCheck>()

function rulesOf(schema: StructuralSchema): RuleCheck {
  const known = ruleChecks.get(schema)
  if (known !== undefined) return known
  const made = compileRules(schema)
  ruleChecks.set(schema, made)
  return made
}

/** A cause in a person's words: what was received, and what would do. */
function causeFlaw({ reason, field = '', message }: Cause, root: StructuralSchema, object: Json): Flaw {
  const steps = stepsOf(field)
  const { schema, value } = nodeAt(root, object, steps)
  const received = shownValue(value)
  const withValue = { steps, ...(value === undefined ? {} : { received }) }
  switch (reason) {
    case 'FieldValueRequired':
      return { steps, message: 'Required value is missing', ...fixOf(schema?.description) }
    case 'FieldValueNotSupported': {
      const names = (schema?.enum ?? []).filter((one) => typeof one === 'string')
      const nearest = typeof value === 'string' ? nearestName(value, names) : undefined
      const fix = nearest === undefined ? undefined : `did you mean ${nearest}?`
      return { ...withValue, message: `Unsupported value ${received}: one of ${names.join(', ')}`, ...fixOf(fix) }
    }
    case 'FieldValueTypeInvalid':
      return {
        ...withValue,
        message: `Wrong type ${received}: expected ${expectedType(schema)}`,
      }
    default:
      // Kubernetes repeats the path within the message; here it stands in front already.
      return { ...withValue, message: message.replace(`${field} in body `, '') }
  }
}

const expectedType = (schema: StructuralSchema | undefined): string =>
  schema?.format === 'date-time' ? 'an instant such as 2026-01-31T09:00:00Z' : (schema?.type ?? 'another')

/** A description as a hint, without its final period. */
const fixOf = (text: string | undefined): { readonly fix?: string } =>
  text === undefined ? {} : { fix: text.replace(/\.$/u, '') }

type AtNode = { readonly schema: StructuralSchema | undefined; readonly value: Json | undefined }

/** Schema and value of a field; each undefined where the path leads out of it. */
function nodeAt(root: StructuralSchema, object: Json, steps: FieldPath): AtNode {
  let schema: StructuralSchema | undefined = root
  let value: Json | undefined = object
  for (const step of steps) {
    schema = typeof step === 'number' ? schema?.items : (own(schema?.properties, step) ?? schema?.additionalProperties)
    if (typeof step === 'number') value = isList(value) ? value[step] : undefined
    else value = isObject(value) ? own(value, step) : undefined
  }
  return { schema, value }
}

function problemOf({ steps, isKey, ...rest }: Flaw, document: ManifestDocument): Problem {
  return {
    file: document.file,
    ...document.locate(steps, isKey === true ? 'key' : 'value'),
    path: pathOf(steps),
    ...rest,
  }
}
