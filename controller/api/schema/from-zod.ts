/** Turns a zod schema into the structural schema that a CustomResourceDefinition may carry. Pure. */
import { z } from 'zod'
import type { Json } from '../object.ts'
import type { StructuralSchema } from './structural.ts'

/** One node of what `z.toJSONSchema` writes. */
type Node = { readonly [key: string]: unknown }

/** Keywords that Kubernetes reads as they are. */
const KEPT = [
  'title',
  'description',
  'default',
  'nullable',
  'enum',
  'minLength',
  'maxLength',
  'multipleOf',
  'minItems',
  'maxItems',
  'minProperties',
  'maxProperties',
  'required',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
] as const

/** Keywords that say something a structural schema cannot: dropping them would loosen the schema in silence. */
const REFUSED = ['allOf', 'oneOf', 'not', '$ref', 'patternProperties', 'prefixItems'] as const

const TYPES: ReadonlySet<unknown> = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean'])

/** A free JSON value: kept as sent. */
const FREE = { 'x-kubernetes-preserve-unknown-fields': true } as const

/**
 * The structural schema of a zod schema, as its input (a defaulted field is optional). Throws an Error that names the
 * path when zod says something that Kubernetes cannot (a union of shapes, a tuple, a recursive schema).
 */
export function fromZod(schema: z.ZodType): StructuralSchema {
  // A JSON schema is a JSON object; zod's own type of it is far wider than what target openapi-3.0 writes.
  const json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input', unrepresentable: 'any' }) as Node
  return structural(json, [])
}

function structural(node: Node, path: readonly string[]): StructuralSchema {
  const refused = REFUSED.find((keyword) => keyword in node)
  if (refused !== undefined) throw notStructural(path, `has ${refused}`)
  if (node['anyOf'] !== undefined) return union(node, path)
  const type = node['type']
  if (type === undefined && node['enum'] === undefined) return { ...kept(node), ...FREE }
  if (!TYPES.has(type)) throw notStructural(path, `has type ${JSON.stringify(type)}`)
  // TYPES holds exactly the types of a structural schema.
  const named = { type: type as NonNullable<StructuralSchema['type']>, ...kept(node) }
  if (type === 'object') return { ...named, ...objectPart(node, path) }
  if (type === 'array') return { ...named, items: structural(childNode(node['items'], path), [...path, '[]']) }
  if (type === 'string') return { ...named, ...stringPart(node) }
  if (type === 'integer') return { ...named, format: 'int64', ...numberPart(node) }
  return { ...named, ...numberPart(node) }
}

function kept(node: Node): StructuralSchema {
  // KEPT names keywords that have the same meaning and shape on both sides.
  return Object.fromEntries(KEPT.filter((key) => node[key] !== undefined).map((key) => [key, node[key]]))
}

function objectPart(node: Node, path: readonly string[]): StructuralSchema {
  const additional = node['additionalProperties']
  const properties = node['properties']
  const isFree = node['x-kubernetes-preserve-unknown-fields'] === true || (isNode(additional) && isEmpty(additional))
  return {
    ...(isNode(properties) && !isEmpty(properties) ? { properties: propertiesOf(properties, path) } : {}),
    ...(isFree ? FREE : {}),
    // additionalProperties: false is what pruning does anyway, and Kubernetes forbids it beside properties.
    ...(isNode(additional) && !isFree ? { additionalProperties: structural(additional, [...path, '*']) } : {}),
  }
}

const propertiesOf = (properties: Node, path: readonly string[]): Record<string, StructuralSchema> =>
  Object.fromEntries(
    Object.entries(properties).map(([name, child]) => [name, structural(childNode(child, path), [...path, name])]),
  )

/** zod's own pattern of a format is dropped: it is a page long, and Kubernetes checks the format itself. */
const stringPart = (node: Node): StructuralSchema => {
  if (node['format'] === 'date-time') return { format: 'date-time' }
  return typeof node['pattern'] === 'string' ? { pattern: node['pattern'] } : {}
}

const numberPart = (node: Node): StructuralSchema => ({
  ...bound('minimum', node['minimum']),
  ...bound('maximum', node['maximum']),
  ...(node['exclusiveMinimum'] === true ? { exclusiveMinimum: true } : {}),
  ...(node['exclusiveMaximum'] === true ? { exclusiveMaximum: true } : {}),
})

/** ±(2^53 - 1) is only what z.int() says of JavaScript. */
const bound = (key: 'minimum' | 'maximum', value: unknown): StructuralSchema =>
  typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? { [key]: value } : {}

/** Of unions only literals (one enum) and integer-or-string have a structural form. */
function union(node: Node, path: readonly string[]): StructuralSchema {
  const branches = node['anyOf']
  if (!Array.isArray(branches) || !branches.every(isNode)) throw notStructural(path, 'has an odd anyOf')
  const types = new Set(branches.map((branch) => branch['type']))
  if (branches.every((branch) => Array.isArray(branch['enum'])) && types.size === 1) {
    const values: Json[] = branches.flatMap((branch) => branch['enum'] as Json[]) // checked one line above
    return { ...structural({ ...branches[0], enum: [...new Set(values)] }, path), ...kept(node) }
  }
  if (types.size === 2 && types.has('integer') && types.has('string')) {
    return { ...kept(node), 'x-kubernetes-int-or-string': true }
  }
  throw notStructural(path, 'is a union of shapes')
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value)

const isEmpty = (node: Node): boolean => Object.keys(node).length === 0

function childNode(value: unknown, path: readonly string[]): Node {
  if (!isNode(value)) throw notStructural(path, 'has a part without a schema')
  return value
}

const notStructural = (path: readonly string[], what: string): Error =>
  new Error(`Cannot make a structural schema: ${path.join('.') || 'the root'} ${what}; Kubernetes would refuse it`)
